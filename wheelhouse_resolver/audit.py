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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.utils import canonicalize_name

from wheelhouse_resolver import placement, tree
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.installers import (
    INSTALLERS,
    Installer,
    PythonKind,
    accepted_by,
    choice,
    tag_priorities,
)
from wheelhouse_resolver.inversion import beats, concerned_pythons
from wheelhouse_resolver.metadata import BAD_ZIP, UnreadableWheelError, metadata_of, never_waiting
from wheelhouse_resolver.pick import policy_key
from wheelhouse_resolver.site import GENERIC, NO_LAYER
from wheelhouse_resolver.stamp import BAND, StampState, stamped_name, stamping
from wheelhouse_resolver.wheelhouse import Candidate, Misnamed, parse_candidate

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version

    from wheelhouse_resolver.site import Directory, Site

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
    chosen:  (installer, path of the wheel that it would take instead) pairs.
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
    chosen: tuple[tuple[str, str], ...] = ()
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

    label: `layer/arch`, or `none`. family: its CPU family; None: any. paths: of the directories it searches.
    """

    label: str
    family: str | None
    paths: frozenset[str]


def host_kinds(site: Site) -> list[HostKind]:
    """Every (layer, arch) that a host of *site* can have."""
    families = {arch.name: arch.family for arch in site.ladder}

    def kind(layer: str | None, arch: str, label: str) -> HostKind:
        searched = site.search_path_for(layer, arch)
        return HostKind(label, families.get(arch), frozenset(each.path for each in searched))

    found = [kind(None, GENERIC, NO_LAYER)]
    for layer in site.layers:
        found += [kind(layer.name, arch, f"{layer.name}/{arch}") for arch in [*layer.archs, GENERIC]]
    return found


def policy_choice(
    candidates: Sequence[Candidate], python: PythonKind, installer: Installer
) -> Candidate | None:
    """What policy wants of *candidates*, all of one version; the same key as `pick` uses.

    Only what *installer* can install on *python* by its wheel tags is a choice.
    """
    able, priorities = accepted_by(installer, candidates, python)
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


def audit(
    site: Site, *, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> Iterator[Finding]:
    """Everything that is wrong with *site*'s wheelhouse, project by project.

    *jobs*: how many processes look into the wheels (more than one are forked, so call it early then).
    *progress* is told how many of how many wheels have been looked at. Raises `NoWheelhouseError`.
    """
    tree.check_root(site)
    directories = site.directories()
    wheels: list[tuple[str, str, int]] = []
    for number, directory in enumerate(directories):
        yield from _read_directory(directory, number, wheels)
    yield from _strays(site, directories)
    wheels.sort(key=lambda entry: (entry[0], entry[2], entry[1]))
    projects = (list(group) for _, group in groupby(wheels, key=lambda entry: entry[0]))
    look = _Look(site)
    done = 0
    for count, findings in _spread(look, _batches(projects), jobs):
        yield from findings
        done += count
        if progress is not None:
            progress(done, len(wheels))


_Entries = list[tuple[str, str, int]]

#: About how many wheels are looked at in one go.
_BATCH = 200


def _batches(projects: Iterator[_Entries]) -> Iterator[list[_Entries]]:
    """Whole projects together, so many that handing them to a process is worth it."""
    batch: list[_Entries] = []
    for project in projects:
        batch.append(project)
        if sum(map(len, batch)) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class _Look:
    """Looks at batches of projects, remembering what repeats."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._directories = site.directories()
        self._hosts = host_kinds(site)
        self._memory = _Memory()

    def __call__(self, batch: list[_Entries]) -> tuple[int, list[Finding]]:
        """How many wheels *batch* has, and the findings about them."""
        found: list[Finding] = []
        for project in batch:
            files = [(name, self._directories[at]) for _, name, at in project]
            found += _project(self._site, files, self._hosts, self._memory)
        return sum(map(len, batch)), found


def _spread(look: _Look, batches: Iterator[list[_Entries]], jobs: int) -> Iterator[tuple[int, list[Finding]]]:
    """What *look* says of each batch, in order, looked at by *jobs* processes."""
    if jobs < 2:
        yield from map(look, batches)
        return
    import multiprocessing

    global _looking  # noqa: PLW0603 - how a forked process gets what cannot be pickled
    _looking = look  # forked processes inherit it
    try:
        pool = multiprocessing.get_context("fork").Pool(jobs)
    except (ImportError, OSError):  # no semaphores (/dev/shm is not writable) or no more processes: alone
        yield from map(look, batches)
        return
    with pool:
        yield from pool.imap(_look, batches)


_looking: _Look


def _look(batch: list[_Entries]) -> tuple[int, list[Finding]]:
    return _looking(batch)


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


class _Content(NamedTuple):
    """What one look into a wheel told: its files, and Requires-Python where that was asked for."""

    files: frozenset[tuple[str, int, int]]
    requires_python: str | None


def _project(
    site: Site, files: Sequence[tuple[str, Directory]], hosts: Sequence[HostKind], memory: _Memory
) -> Iterator[Finding]:
    """The findings about one project's wheels."""
    parsed = [parse_candidate(filename, directory) for filename, directory in files]
    by_version: dict[Version, list[Candidate]] = defaultdict(list)
    for each in parsed:
        if isinstance(each, Candidate):
            by_version[each.version].append(each)
        else:
            mend = _withdrawal(each)
            yield Finding(Kind.MISNAMED, Severity.WARNING, each.problem, (each.path,), mend)
    contents: dict[str, _Content] = {}
    for version in sorted(by_version):
        same = by_version[version]
        there: list[Candidate] = []
        for candidate in same:
            exists = yield from _check_file(candidate, contents, several=len(same) > 1)
            if exists:
                there.append(candidate)
                yield from _check_stamp(site, candidate)
        if len(there) > 1:
            yield from _check_order(there, site, hosts, memory)
            yield from _check_requires_python(there, hosts, contents)
            yield from _check_names(there, hosts, contents)


def _withdrawal(file: Candidate | Misnamed) -> str:
    """The command that takes *file* out of the search paths, and no other file of that name."""
    end = "-- " if file.filename.startswith("-") else ""
    label, filename = shlex.quote(file.directory.label), shlex.quote(file.filename)
    return f"wheelhouse-resolver withdraw --to {label} {end}{filename}"


def _check_file(
    file: Candidate, contents: dict[str, _Content], *, several: bool
) -> Generator[Finding, None, bool]:
    """Yield what is wrong with the file itself; returns whether installers see it at all."""
    path = file.path
    about = (str(file.name), str(file.version))
    withdraw = _withdrawal(file)
    readable = f"chmod a+r {shlex.quote(path)}"

    def found(kind: Kind, message: str, mend: str) -> Finding:
        return Finding(kind, Severity.ERROR, message, (path,), mend, *about)

    try:
        with open(path, "rb", opener=never_waiting) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                yield found(Kind.BROKEN, "not a regular file", withdraw)
                return False
            if not status.st_mode & stat.S_IROTH:
                yield found(Kind.UNREADABLE, "not readable for everybody", readable)
            with zipfile.ZipFile(stream) as archive:
                inside = frozenset((i.filename, i.CRC, i.file_size) for i in archive.infolist())
                requires = metadata_of(archive, path).get("Requires-Python") if several else None
            contents[path] = _Content(inside, requires)
    except FileNotFoundError:
        if os.path.islink(path):
            yield found(Kind.BROKEN, "a link to nothing", withdraw)
        return False
    except IsADirectoryError:
        yield found(Kind.BROKEN, "a directory", withdraw)
        return False
    except PermissionError as error:
        yield found(Kind.UNREADABLE, f"cannot be read: {reason_of(error)}", readable)
    except UnreadableWheelError as error:
        yield found(Kind.BROKEN, error.problem, withdraw)
    except OSError as error:
        yield found(Kind.UNREADABLE, f"cannot be read: {reason_of(error)}", withdraw)
    except BAD_ZIP as error:
        yield found(Kind.BROKEN, f"not a sound zip file: {error}", withdraw)
    # Installers go by the name: a broken wheel still wins, and then fails.
    return True


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
            _move_to_generic(site, candidate),
            project,
            version,
        )


def _move_to_generic(site: Site, candidate: Candidate) -> str:
    """The commands that move a wheel to the top-level generic directory."""
    path, first = candidate.path, ""
    found = stamping(candidate.build, candidate.directory, site)
    if found.state is not StampState.CURRENT and found.own < BAND:
        # Publishing it would first stamp the one that stands there, which is the same file.
        name = stamped_name(candidate.filename, candidate.build, candidate.directory, site)
        path, first = os.path.join(candidate.directory.path, name), "wheelhouse-resolver restamp && "
    return f"{first}wheelhouse-resolver publish --to generic --remove-source {shlex.quote(path)}"


class _Difference(NamedTuple):
    """One case in which an installer's choice is not policy's."""

    wanted: Candidate
    chosen: Candidate
    installer: Installer
    host: str
    python: PythonKind


class _Memory:
    """What was worked out once and holds for every wheel in the same situation; most trees have few."""

    def __init__(self) -> None:
        self.differences: dict[tuple[object, ...], list[tuple[int, int, Installer]]] = {}
        self.accepted: dict[tuple[PythonKind, frozenset[Tag]], bool] = {}
        self.invertible: dict[tuple[frozenset[Tag], frozenset[Tag]], bool] = {}

    def may_invert(self, lower: Candidate, higher: Candidate) -> bool:
        """Whether there is a Python, and an installer, that finds the tag of *lower* the better one."""
        key = (lower.tags, higher.tags)
        if key not in self.invertible:
            platforms = frozenset(tag.platform for tag in lower.tags | higher.tags)
            self.invertible[key] = any(
                beats(lower, higher, tag_priorities(python, platforms, linux_first))
                for python in concerned_pythons([lower, higher])
                for linux_first in (False, True)
            )
        return self.invertible[key]

    def accepts(self, python: PythonKind, tags: frozenset[Tag]) -> bool:
        """Whether *python* accepts a wheel with these *tags*."""
        key = (python, tags)
        if key not in self.accepted:
            platforms = frozenset(tag.platform for tag in tags)
            accepted = tag_priorities(python, platforms, linux_first=True)
            self.accepted[key] = any(tag in accepted for tag in tags)
        return self.accepted[key]

    def differing(self, able: Sequence[Candidate], python: PythonKind) -> list[tuple[int, int, Installer]]:
        """`_differences` of *able*, which must be sorted by directory and file name."""
        alike = {(each.directory.label, each.build, each.tags) for each in able}
        if len(alike) < len(able):  # their names decide, and those are not in the key
            return _differences(able, python)
        # The tags as the name spells them: uv goes by their order there.
        spelled = ((each.directory.label, each.build, *each.filename.rsplit("-", 3)[1:]) for each in able)
        key = (python, *spelled)
        if key not in self.differences:
            self.differences[key] = _differences(able, python)
        return self.differences[key]


def _in_order(candidates: Sequence[Candidate], site: Site, memory: _Memory) -> bool:
    """Whether a glance tells that all is well: current stamps throughout, and no tag in their way.

    So it is in every tree that was published or restamped: build tags then say what policy says.
    """
    if any(stamping(each.build, each.directory, site).state is not StampState.CURRENT for each in candidates):
        return False
    first = candidates[0].tags
    if all(each.tags == first for each in candidates):
        return True
    return not any(
        lower.directory.rank < higher.directory.rank
        and lower.tags != higher.tags
        and memory.may_invert(lower, higher)
        for lower in candidates
        for higher in candidates
    )


def _check_order(
    candidates: Sequence[Candidate], site: Site, hosts: Sequence[HostKind], memory: _Memory
) -> Iterator[Finding]:
    if _in_order(candidates, site, memory):
        return
    pythons = concerned_pythons(candidates)
    found: dict[tuple[str, str], list[_Difference]] = defaultdict(list)
    for host in hosts:
        visible = [each for each in candidates if each.directory.path in host.paths]
        if len(visible) < 2:
            continue
        for python in pythons:
            if host.family not in (None, python.machine):
                continue
            able = [each for each in visible if memory.accepts(python, each.tags)]
            for wanted, chosen, installer in memory.differing(able, python) if len(able) > 1 else ():
                case = _Difference(able[wanted], able[chosen], installer, host.label, python)
                found[case.wanted.path, case.chosen.path].append(case)
    for cases in found.values():
        yield from map(_order_finding, _alike(cases))


def _differences(able: Sequence[Candidate], python: PythonKind) -> list[tuple[int, int, Installer]]:
    """Where an installer's choice among *able* is not policy's: (wanted, chosen) by their places."""
    found = []
    for installer in INSTALLERS:
        wanted = policy_choice(able, python, installer)
        chosen = choice(installer, able, python)
        # Within one directory the installers differ among each other, and policy leaves it to the tag.
        if wanted and chosen and wanted.directory != chosen.directory:
            found.append((able.index(wanted), able.index(chosen), installer))
    return found


def _alike(cases: Sequence[_Difference]) -> list[list[_Difference]]:
    """*cases* in groups, in each of which every installer, host and Python named concerns every other.

    A finding names each of them once, so it would otherwise claim what is not so.
    """
    installers: dict[tuple[str, PythonKind], list[str]] = defaultdict(list)
    for case in cases:
        installers[case.host, case.python].append(case.installer.name)
    pythons: dict[tuple[str, tuple[str, ...]], list[PythonKind]] = defaultdict(list)
    for (host, python), names in installers.items():
        pythons[host, tuple(names)].append(python)
    groups: dict[tuple[object, ...], list[_Difference]] = defaultdict(list)
    for case in cases:
        those = tuple(installers[case.host, case.python])
        groups[those, tuple(pythons[case.host, those])].append(case)
    return list(groups.values())


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
        chosen=tuple(installers.items()),
        hosts=tuple(dict.fromkeys(case.host for case in cases)),
        pythons=tuple(sorted({str(case.python) for case in cases})),
    )


def _check_requires_python(
    candidates: Sequence[Candidate], hosts: Sequence[HostKind], contents: Mapping[str, _Content]
) -> Iterator[Finding]:
    """Builds of one version that state different Pythons, where one host and one Python has both."""
    stated = {
        each.path: contents[each.path].requires_python or "" for each in candidates if each.path in contents
    }
    if len(set(stated.values())) < 2:
        return
    known = [each for each in candidates if each.path in stated]
    for host in hosts:
        visible = [each for each in known if each.directory.path in host.paths]
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
                    _withdrawal(max(able, key=lambda each: each.directory.rank)),
                    str(able[0].name),
                    str(able[0].version),
                    hosts=(host.label,),
                    pythons=(str(python),),
                )
                return


def _check_names(
    candidates: Sequence[Candidate], hosts: Sequence[HostKind], contents: Mapping[str, _Content]
) -> Iterator[Finding]:
    """The same file name with different content in two directories of one host: what pins and people mix up.

    Where no host searches both it is no fault: each layer has builds of its own.
    """
    by_name: dict[str, list[Candidate]] = defaultdict(list)
    for each in candidates:
        if each.path in contents:
            by_name[each.filename].append(each)
    for filename, same in sorted(by_name.items()):
        if len({contents[each.path].files for each in same}) < 2:
            continue
        visible = [[each for each in same if each.directory.path in host.paths] for host in hosts]
        differing = [seen for seen in visible if len({contents[each.path].files for each in seen}) > 1]
        if differing:
            widest = max(differing, key=len)
            yield Finding(
                Kind.SAME_NAME,
                Severity.WARNING,
                f"{filename} has different content in {', '.join(each.directory.label for each in widest)}",
                tuple(each.path for each in widest),
                "wheelhouse-resolver restamp",
                str(widest[0].name),
                str(widest[0].version),
            )
