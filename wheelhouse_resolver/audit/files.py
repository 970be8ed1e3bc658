"""What is wrong with single files of a tree."""

from __future__ import annotations

import os
import shlex
import stat
import zipfile
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wheelhouse_resolver.audit.findings import Finding, Kind, Severity
from wheelhouse_resolver.audit.order import HostKind
from wheelhouse_resolver.errors import UnreadableWheelError, reason_of
from wheelhouse_resolver.installers.inversion import concerned_pythons
from wheelhouse_resolver.installers.ordering import tag_priorities
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, never_waiting
from wheelhouse_resolver.wheelfile.build_tag import BAND, StampState, stamped_name, stamping
from wheelhouse_resolver.wheelfile.metadata import metadata_of

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.site.model import Site

__all__ = [
    "Content",
    "check_file",
    "check_names",
    "check_requires_python",
    "check_stamp",
    "strays",
    "withdrawal",
]


def strays(site: Site, directories: Sequence[Directory]) -> Iterator[Finding]:
    """Wheels in directories of the tree that no host searches."""
    known = {directory.path for directory in directories}
    for path, below, names in os.walk(site.root):
        depth = os.path.relpath(path, site.root).count(os.sep)
        below[:] = sorted(name for name in below if name != trash.TRASH) if depth < 3 else []
        count = sum(name.endswith(listing.SUFFIX) for name in names)
        if count and path not in known:
            yield Finding(
                Kind.OUTSIDE,
                Severity.WARNING,
                f"{count} wheels in a directory that is none of the site's: no host searches it",
                (path,),
                "wheelhouse-resolver publish --to LAYER/ARCH, or a [[layer]] in the site file",
            )


class Content(NamedTuple):
    """What one look into a wheel told: its files, and Requires-Python where that was asked for."""

    files: frozenset[tuple[str, int, int]]
    requires_python: str | None


def withdrawal(file: Candidate | InvalidFilename) -> str:
    """The command that takes *file* out of the search paths, and no other file of that name."""
    end = "-- " if file.filename.startswith("-") else ""
    label, filename = shlex.quote(file.directory.label), shlex.quote(file.filename)
    return f"wheelhouse-resolver withdraw --to {label} {end}{filename}"


def check_file(
    file: Candidate, contents: dict[str, Content], *, several: bool
) -> Generator[Finding, None, bool]:
    """Yield what is wrong with the file itself; returns whether installers see it at all."""
    path = file.path
    about = (str(file.name), str(file.version))
    withdraw = withdrawal(file)
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
            contents[path] = Content(inside, requires)
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
        yield found(Kind.BROKEN, f"invalid zip file: {error}", withdraw)
    # Installers go by the name: a broken wheel still wins, and then fails.
    return True


def check_stamp(site: Site, candidate: Candidate) -> Iterator[Finding]:
    """What is wrong with the stamp of *candidate*."""
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


def check_requires_python(
    candidates: Sequence[Candidate], hosts: Sequence[HostKind], contents: Mapping[str, Content]
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
                    withdrawal(max(able, key=lambda each: each.directory.rank)),
                    str(able[0].name),
                    str(able[0].version),
                    hosts=(host.label,),
                    pythons=(str(python),),
                )
                return


def check_names(
    candidates: Sequence[Candidate], hosts: Sequence[HostKind], contents: Mapping[str, Content]
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
