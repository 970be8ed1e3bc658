"""Auditing: where an installer's order would differ from policy, and what else is wrong in a tree.

Read project by project: memory holds the file names and one project's wheels; findings are yielded as they
are found. Nothing is changed. Every finding names the command that mends it.
"""

from __future__ import annotations

import enum
import os
import shlex
import stat
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.utils import canonicalize_name

from wheelhouse_resolver import placement, tree
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.installers import INSTALLERS, Installer, PythonKind, choice, tag_priorities
from wheelhouse_resolver.inversion import beats, concerned_pythons
from wheelhouse_resolver.metadata import UnreadableWheelError, read_metadata
from wheelhouse_resolver.pick import policy_key
from wheelhouse_resolver.site import GENERIC, NO_LAYER
from wheelhouse_resolver.stamp import BAND, StampState, stamping
from wheelhouse_resolver.wheelhouse import Candidate, Misnamed, parse_candidate

if TYPE_CHECKING:
    from wheelhouse_resolver.site import Directory, SearchPath, Site

__all__ = ["Finding", "HostKind", "Kind", "Severity", "audit", "host_kinds", "policy_choice"]


class Severity(enum.Enum):
    """How bad a finding is: an error makes somebody install what policy does not want, or fail."""

    ERROR = "error"
    WARNING = "warning"


class Kind(enum.Enum):
    """What a finding is about; the value is its name in JSON."""

    ORDER = "wrong-order"
    INVERSION = "tag-inversion"
    UNSTAMPED = "unstamped"
    STALE = "stale-stamp"
    OVERFLOW = "build-number-too-high"
    SAME_NAME = "same-name-other-content"
    REQUIRES_PYTHON = "builds-differ-in-requires-python"
    PURE = "pure-python-in-arch-directory"
    MISNAMED = "misnamed"
    BROKEN = "broken"
    UNREADABLE = "unreadable"
    LEFTOVER = "leftover"
    OUTSIDE = "outside-the-site"


class Finding(NamedTuple):
    """Something that audit found.

    kind, severity: what it is and how bad.
    message: in words.
    paths:   the files it is about.
    mend:    the command that mends it, or what to do.
    project, version: of the wheels, where it is about some.
    wanted:  the path of the wheel that policy wants, for a wrong order.
    chosen:  installer -> path of the wheel that it would take instead.
    hosts:   the hosts concerned, as `layer/arch`.
    pythons: the Pythons concerned.
    """

    kind: Kind
    severity: Severity
    message: str
    paths: tuple[str, ...]
    mend: str
    project: str = ""
    version: str = ""
    wanted: str = ""
    chosen: Mapping[str, str] = MappingProxyType({})
    hosts: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self._asdict(),
            "kind": self.kind.value,
            "severity": self.severity.value,
            "paths": list(self.paths),
            "chosen": dict(self.chosen),
            "hosts": list(self.hosts),
            "pythons": list(self.pythons),
        }


class HostKind(NamedTuple):
    """A kind of host that the site can have, by the directories that it searches.

    label:  `layer/arch`, or `none`. family: its CPU family; None: any.
    """

    label: str
    family: str | None
    search_path: SearchPath


def host_kinds(site: Site) -> list[HostKind]:
    """Every (layer, arch) that a host of *site* can have."""
    families = {arch.name: arch.family for arch in site.ladder}
    found = [HostKind(NO_LAYER, None, site.search_path_for(None, GENERIC))]
    for layer in site.layers:
        for arch in [*layer.archs, GENERIC]:
            path = site.search_path_for(layer.name, arch)
            found.append(HostKind(f"{layer.name}/{arch}", families.get(arch), path))
    return found


def policy_choice(candidates: Sequence[Candidate], python: PythonKind, linux_first: bool) -> Candidate | None:
    """What policy wants of *candidates*, all of one version; the same key as `pick` uses."""
    platforms = frozenset(tag.platform for candidate in candidates for tag in candidate.tags)
    priorities = tag_priorities(python, platforms, linux_first)
    able = [each for each in candidates if any(tag in priorities for tag in each.tags)]
    if not able:
        return None
    return min(
        sorted(able, key=lambda each: each.path),
        key=lambda each: _descending(policy_key(each, priorities)),
    )


def _descending(key: tuple[Any, int, int, tuple[int, str]]) -> tuple[int, int, int, list[int]]:
    _, rank, tag, (number, text) = key
    # Of texts that begin alike the longer one is greater, so it must come first here.
    return (-rank, -tag, -number, [*(-ord(char) for char in text), 1])


def audit(site: Site, *, progress: Callable[[int, int], None] | None = None) -> Iterator[Finding]:
    """Everything that is wrong with *site*'s wheelhouse, project by project.

    *progress* is told how many of how many wheels have been looked at. Raises `NoWheelhouseError`.
    """
    tree.check_root(site)
    directories = site.directories()
    wheels: list[tuple[str, str, int]] = []
    for number, directory in enumerate(directories):
        yield from _read_directory(directory, number, wheels)
    yield from _strays(site, directories)
    wheels.sort()
    hosts = host_kinds(site)
    done = 0
    for _, group in groupby(wheels, key=lambda entry: entry[0]):
        entries = list(group)
        yield from _project(site, [(name, directories[at]) for _, name, at in entries], hosts)
        done += len(entries)
        if progress is not None:
            progress(done, len(wheels))


def _read_directory(
    directory: Directory, number: int, wheels: list[tuple[str, str, int]]
) -> Iterator[Finding]:
    """Add the wheels of *directory* to *wheels* as (project, file name, number); yield what else is there."""
    try:
        with os.scandir(directory.path) as entries:
            names = sorted(entry.name for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        yield Finding(
            Kind.UNREADABLE,
            Severity.ERROR,
            f"the directory cannot be listed: {reason_of(error)}",
            (directory.path,),
            f"chmod a+rx {shlex.quote(directory.path)}",
        )
        return
    for name in names:
        if name.endswith(tree.SUFFIX):
            wheels.append((canonicalize_name(name.partition("-")[0]), name, number))
        elif name.startswith(placement.DRAFT_PREFIX):
            yield Finding(
                Kind.LEFTOVER,
                Severity.WARNING,
                "a draft of a publisher, at work or killed",
                (os.path.join(directory.path, name),),
                "wheelhouse-resolver restamp",
            )


def _strays(site: Site, directories: Sequence[Directory]) -> Iterator[Finding]:
    """Wheels in directories of the tree that no host searches."""
    known = {directory.path for directory in directories}
    for path, below, names in os.walk(site.root):
        depth = os.path.relpath(path, site.root).count(os.sep)
        below[:] = sorted(name for name in below if name != placement.TRASH) if depth < 3 else []
        count = sum(name.endswith(tree.SUFFIX) for name in names)
        if count and path not in known:
            yield Finding(
                Kind.OUTSIDE,
                Severity.WARNING,
                f"{count} wheels in a directory that is none of the site's: no host searches it",
                (path,),
                "wheelhouse-resolver publish --to LAYER/ARCH, or a [[layer]] in the site file",
            )


def _project(
    site: Site, files: Sequence[tuple[str, Directory]], hosts: Sequence[HostKind]
) -> Iterator[Finding]:
    """The findings about one project's wheels."""
    candidates: list[Candidate] = []
    contents: dict[str, frozenset[tuple[str, int, int]] | None] = {}
    for filename, directory in files:
        parsed = parse_candidate(filename, directory)
        problem = yield from _check_file(parsed, contents)
        if not problem and isinstance(parsed, Candidate):
            candidates.append(parsed)
            yield from _check_stamp(site, parsed)
    by_version: dict[Any, list[Candidate]] = defaultdict(list)
    for each in candidates:
        by_version[each.version].append(each)
    for version in sorted(by_version):
        same = by_version[version]
        if len(same) > 1:
            yield from _check_order(same, site, hosts)
            yield from _check_requires_python(same, hosts)
    yield from _check_names(candidates, contents)


def _check_file(
    file: Candidate | Misnamed, contents: dict[str, frozenset[tuple[str, int, int]] | None]
) -> Any:
    """Yield what is wrong with the file itself; returns whether it is out of the question."""
    path = file.path
    withdraw = f"wheelhouse-resolver withdraw {shlex.quote(file.filename)}"
    if isinstance(file, Misnamed):
        yield Finding(Kind.MISNAMED, Severity.WARNING, file.problem, (path,), "rename it, or move it away")
        return True
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            yield Finding(
                Kind.BROKEN, Severity.ERROR, "not a regular file", (path,), "move it away", file.name
            )
            return True
        if not status.st_mode & stat.S_IROTH:
            yield Finding(
                Kind.UNREADABLE,
                Severity.ERROR,
                "not readable for everybody",
                (path,),
                f"chmod a+r {shlex.quote(path)}",
                file.name,
                str(file.version),
            )
        with zipfile.ZipFile(path) as archive:
            contents[path] = frozenset((i.filename, i.CRC, i.file_size) for i in archive.infolist())
    except FileNotFoundError:
        if os.path.islink(path):
            yield Finding(Kind.BROKEN, Severity.ERROR, "a link to nothing", (path,), withdraw, file.name)
        return True
    except PermissionError as error:
        yield Finding(
            Kind.UNREADABLE,
            Severity.ERROR,
            f"cannot be read: {reason_of(error)}",
            (path,),
            f"chmod a+r {shlex.quote(path)}",
            file.name,
            str(file.version),
        )
        contents[path] = None
        return False
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError) as error:
        told = reason_of(error) if isinstance(error, OSError) else str(error)
        yield Finding(
            Kind.BROKEN,
            Severity.ERROR,
            f"not a sound zip file: {told}",
            (path,),
            withdraw,
            file.name,
            str(file.version),
        )
        # Installers go by the name: a broken wheel still wins, and then fails.
        return False
    return False


def _check_stamp(site: Site, candidate: Candidate) -> Iterator[Finding]:
    found = stamping(candidate.build, candidate.directory, site)
    paths = (candidate.path,)
    project, version = str(candidate.name), str(candidate.version)
    if found.own >= BAND:
        message = f"its own build number {found.own} leaves no room for a stamp"
        mend = "rebuild it with a lower build number"
        yield Finding(Kind.OVERFLOW, Severity.WARNING, message, paths, mend, project, version)
    elif found.state is StampState.NONE:
        message = "no stamp: any stamped wheel of its version would win over it"
        yield Finding(
            Kind.UNSTAMPED, Severity.WARNING, message, paths, "wheelhouse-resolver restamp", project, version
        )
    elif found.state is StampState.STALE:
        message = f"its stamp is not that of {candidate.directory.label} (rank {candidate.directory.rank})"
        yield Finding(
            Kind.STALE, Severity.WARNING, message, paths, "wheelhouse-resolver restamp", project, version
        )
    if candidate.directory.arch != GENERIC and all(tag.platform == "any" for tag in candidate.tags):
        message = f"pure Python in {candidate.directory.label}: it belongs into a generic directory"
        yield Finding(
            Kind.PURE,
            Severity.WARNING,
            message,
            paths,
            "wheelhouse-resolver publish --to generic",
            project,
            version,
        )


def _in_order(candidates: Sequence[Candidate], site: Site) -> bool:
    """Whether a glance tells that all is well: equal tags and current stamps throughout.

    So it is in every tree that was published or restamped: then only the build tag differs, and it
    says what policy says.
    """
    tags = candidates[0].tags
    return all(
        each.tags == tags and stamping(each.build, each.directory, site).state is StampState.CURRENT
        for each in candidates
    )


class _Difference(NamedTuple):
    """One case in which an installer's choice is not policy's."""

    wanted: Candidate
    chosen: Candidate
    installer: Installer
    host: str
    python: PythonKind


def _check_order(candidates: Sequence[Candidate], site: Site, hosts: Sequence[HostKind]) -> Iterator[Finding]:
    if _in_order(candidates, site):
        return
    found: dict[tuple[str, str], list[_Difference]] = defaultdict(list)
    seen: dict[tuple[str, ...], list[tuple[Candidate, Candidate, Installer, PythonKind]]] = {}
    for host in hosts:
        inside = {directory.path for directory in host.search_path}
        visible = [each for each in candidates if each.directory.path in inside]
        if len(visible) < 2:
            continue
        key = (host.family or "", *(each.path for each in visible))
        if key not in seen:
            seen[key] = _differences(visible, host.family)
        for wanted, chosen, installer, python in seen[key]:
            found[wanted.path, chosen.path].append(_Difference(wanted, chosen, installer, host.label, python))
    for cases in found.values():
        yield _order_finding(cases)


def _differences(
    visible: Sequence[Candidate], family: str | None
) -> list[tuple[Candidate, Candidate, Installer, PythonKind]]:
    found = []
    for python in concerned_pythons(visible):
        if family not in (None, python.machine):
            continue
        for installer in INSTALLERS:
            wanted = policy_choice(visible, python, installer.linux_first)
            chosen = choice(installer, visible, python)
            # Within one directory the installers differ among each other, and policy leaves it to the tag.
            if wanted and chosen and wanted.directory != chosen.directory:
                found.append((wanted, chosen, installer, python))
    return found


def _order_finding(cases: Sequence[_Difference]) -> Finding:
    wanted, chosen = cases[0].wanted, cases[0].chosen
    installers = {case.installer.name: case.chosen.path for case in cases}
    platforms = frozenset(tag.platform for tag in wanted.tags | chosen.tags)
    by_tag = any(
        beats(chosen, wanted, tag_priorities(case.python, platforms, case.installer.linux_first))
        for case in cases
    )
    told = ", ".join(installers)
    return Finding(
        kind=Kind.INVERSION if by_tag else Kind.ORDER,
        severity=Severity.ERROR,
        message=(
            f"policy wants {wanted.directory.label}/{wanted.filename}, "
            f"{told} would take {chosen.directory.label}/{chosen.filename}"
            + (": a better wheel tag" if by_tag else "")
        ),
        paths=(wanted.path, chosen.path),
        mend="wheelhouse-resolver restamp" + (" --retag" if by_tag else ""),
        project=str(wanted.name),
        version=str(wanted.version),
        wanted=wanted.path,
        chosen=installers,
        hosts=tuple(dict.fromkeys(case.host for case in cases)),
        pythons=tuple(sorted({str(case.python) for case in cases})),
    )


def _check_requires_python(candidates: Sequence[Candidate], hosts: Sequence[HostKind]) -> Iterator[Finding]:
    """Builds of one version that state different Pythons, where one host and one Python has both."""
    stated: dict[str, str] = {}
    for each in candidates:
        try:
            stated[each.path] = read_metadata(each.path).get("Requires-Python") or ""
        except UnreadableWheelError:
            continue
    if len(set(stated.values())) < 2:
        return
    known = [each for each in candidates if each.path in stated]
    for host in hosts:
        inside = {directory.path for directory in host.search_path}
        visible = [each for each in known if each.directory.path in inside]
        for python in concerned_pythons(visible) if len(visible) > 1 else []:
            platforms = frozenset(tag.platform for each in visible for tag in each.tags)
            accepted = tag_priorities(python, platforms, linux_first=True)
            able = [each for each in visible if any(tag in accepted for tag in each.tags)]
            if len({stated[each.path] for each in able}) > 1:
                told = ", ".join(f"{each.directory.label}: {stated[each.path] or 'any'}" for each in able)
                yield Finding(
                    Kind.REQUIRES_PYTHON,
                    Severity.ERROR,
                    f"builds of one version differ in Requires-Python ({told}); where the best one does not "
                    "fit, every installer passes over the version or fails",
                    tuple(each.path for each in able),
                    "rebuild them from one source, or withdraw one",
                    str(able[0].name),
                    str(able[0].version),
                    hosts=(host.label,),
                    pythons=(str(python),),
                )
                return


def _check_names(
    candidates: Sequence[Candidate],
    contents: Mapping[str, frozenset[tuple[str, int, int]] | None],
) -> Iterator[Finding]:
    """The same file name with different content in two directories: what caches and pins mix up."""
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for each in candidates:
        if contents.get(each.path) is not None:
            by_name[each.filename].append(each)
    for filename, same in sorted(by_name.items()):
        if len({contents[each.path] for each in same}) > 1:
            yield Finding(
                Kind.SAME_NAME,
                Severity.WARNING,
                f"{filename} has different content in {', '.join(each.directory.label for each in same)}",
                tuple(each.path for each in same),
                "wheelhouse-resolver restamp",
                str(same[0].name),
                str(same[0].version),
            )
