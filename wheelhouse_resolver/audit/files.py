"""What is wrong with single files of a tree."""

from __future__ import annotations

import os
import shlex
import stat
import zipfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.errors import UnreadableWheelError, reason_of
from wheelhouse_resolver.installers.inversion import concerned_pythons
from wheelhouse_resolver.publishing.order import accepts, visible
from wheelhouse_resolver.publishing.plan import rebuild_command
from wheelhouse_resolver.publishing.trash import Trashed
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.selection.builds import flaw_of
from wheelhouse_resolver.site.layout import GENERIC, HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.utils.filesystem import never_waiting, open_regular
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.bounds import bounded
from wheelhouse_resolver.wheelfile.build_tag import BAND, StampState, stamped_name, stamping
from wheelhouse_resolver.wheelfile.machines import problem_with, unusable
from wheelhouse_resolver.wheelfile.metadata import metadata_of
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata
from wheelhouse_resolver.wheelfile.name import WheelName
from wheelhouse_resolver.wheelfile.parsing import parsed_specifier
from wheelhouse_resolver.wheelfile.provenance import own_sboms, sbom_names
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel, installer_problems

#: The ends of the names of the files that a stamp changes.
_STAMPED = (".dist-info/WHEEL", ".dist-info/RECORD")

#: So many problems of one wheel are shown.
_MOST_SHOWN = 10


class Content(NamedTuple):
    """What is in a wheel: its files, and Requires-Python. *flawed*: whether something is wrong with it."""

    files: frozenset[tuple[str, int, int]]
    requires_python: str
    flawed: bool


def check_file(site: Site, file: Candidate, contents: dict[str, Content]) -> Generator[Finding, None, bool]:
    """Yield what is wrong with the file itself; returns whether installers see it at all."""
    path = file.path
    withdraw = withdraw_command(site, file.directory, file.filename)
    readable = shlex.join(["chmod", "a+r", path])

    def found(message: str, kind: FindingKind = FindingKind.BROKEN, fix: str = withdraw) -> Finding:
        return Finding.about([file], kind, message, fix)

    try:
        with bounded(open(path, "rb", opener=never_waiting)) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                yield found("not a regular file")
                return False
            if not status.st_mode & stat.S_IROTH:
                yield found("not readable for everybody", FindingKind.UNREADABLE, readable)
            with zipfile.ZipFile(stream) as archive:
                inside = frozenset((i.filename, i.CRC, i.file_size) for i in archive.infolist())
                metadata = CoreMetadata.of(metadata_of(archive, path))
                problems = installer_problems(archive, status.st_size, WheelName(*file[:4]))
            flaws = [*_flaws(file, metadata)]
            contents[path] = Content(inside, metadata.requires_python, bool(flaws or problems))
            yield from map(found, flaws)
            if problems:
                yield found(_joined(problems), FindingKind.INVALID)
    except FileNotFoundError:
        if os.path.islink(path):
            yield found("a link to nothing")
        return False
    except IsADirectoryError:
        yield found("a directory")
        return False
    except UnreadableWheelError as error:
        yield found(error.problem)
    except OSError as error:
        fix = readable if isinstance(error, PermissionError) else withdraw
        yield found(f"cannot be read: {reason_of(error)}", FindingKind.UNREADABLE, fix)
    except BAD_ZIP as error:
        yield found(f"invalid zip file: {error}")
    # Installers go by the name: a broken wheel still wins, and then fails.
    return True


def check_provenance(candidates: Sequence[Candidate], contents: Mapping[str, Content]) -> Iterator[Finding]:
    """The wheels that do not say what they were made from."""
    for each in candidates:
        names = [name for name, _, _ in contents[each.path].files]
        top = next((name.partition("/")[0] for name in names if name.endswith(".dist-info/METADATA")), "")
        found = sbom_names(names, top)
        if not own_sboms(found):
            others = f" (it has {', '.join(found)})" if found else ""
            message = f"does not say what it was made from: no SBOM of build or fetch in it{others}"
            fix = "build or fetch it, and publish that instead; a version that is there needs --rebuild"
            yield Finding.about([each], FindingKind.PROVENANCE, message, fix)


def _joined(problems: Sequence[str]) -> str:
    more = f"; and {len(problems) - _MOST_SHOWN} more" if len(problems) > _MOST_SHOWN else ""
    return "; ".join(problems[:_MOST_SHOWN]) + more


def _flaws(file: Candidate, metadata: CoreMetadata) -> Iterator[str]:
    """What is wrong with the METADATA of *file*, as installers take it."""
    if flaw := flaw_of(file, metadata):
        yield str(flaw)
    try:
        parsed_specifier(metadata.requires_python)
    except ValueError:  # invalid, or of more digits than Python reads
        stated = repr(metadata.requires_python)
        yield f"invalid Requires-Python {stated}: pip takes it for any Python, uv may pass over the wheel"


def way_to_stamp(
    site: Site,
    candidate: Candidate,
    contents: Mapping[str, Content],
    latest: Callable[[str], Mapping[str, Trashed]],
) -> str:
    """The command to run where `restamp` would refuse to stamp *candidate*; "" where it would not.

    *latest*: `trash.latest`, or what remembers its answers.
    """
    state, own = stamping(candidate.build, candidate.directory, site)
    if state is StampState.CURRENT or own >= BAND:
        return ""
    if contents[candidate.path].flawed:
        try:
            check_wheel(candidate.path, installable=False)
        except InvalidWheelError:
            return withdraw_command(site, candidate.directory, candidate.filename)
    if _was_withdrawn(site, candidate, contents, latest):
        return rebuild_command(site, candidate.directory, candidate.path)
    return ""


def _was_withdrawn(
    site: Site,
    candidate: Candidate,
    contents: Mapping[str, Content],
    latest: Callable[[str], Mapping[str, Trashed]],
) -> bool:
    """Whether the name that a stamp gives *candidate* was withdrawn with different content."""
    name = stamped_name(candidate.filename, candidate.build, candidate.directory, site)
    former = latest(candidate.directory.path).get(name)
    if former is None:
        return False
    try:
        with open_regular(former.path) as file, zipfile.ZipFile(file) as archive:
            inside = {(i.filename, i.CRC, i.file_size) for i in archive.infolist()}
    except (*BAD_ZIP, OSError):
        return True
    changed = {each[0] for each in inside ^ contents[candidate.path].files}
    return any(not each.endswith(_STAMPED) for each in changed)


def check_stamp(site: Site, candidate: Candidate, way: str = "") -> Iterator[Finding]:
    """What is wrong with the stamp of *candidate*. *way*: what `way_to_stamp` says."""
    state, own = stamping(candidate.build, candidate.directory, site)
    label, restamp = candidate.directory.label, way or site.command("restamp")
    if problem := unusable(candidate.tags):
        withdraw = withdraw_command(site, candidate.directory, candidate.filename)  # restamp would refuse
        yield Finding.about([candidate], FindingKind.MACHINE, problem, withdraw)
        return
    if own >= BAND:
        message = f"its own build number {own} leaves no room for a stamp"
        fix = "rebuild it with a lower build number"
        yield Finding.about([candidate], FindingKind.OVERFLOW, message, fix)
    elif state is StampState.NONE:
        message = "not stamped: any stamped wheel of this version takes precedence"
        name = stamped_name(candidate.filename, candidate.build, candidate.directory, site)
        if os.path.lexists(os.path.join(candidate.directory.path, name)):  # restamp would refuse
            restamp = withdraw_command(site, candidate.directory, candidate.filename)
            message = f"not stamped, and {name} is there: installers take that one"
        yield Finding.about([candidate], FindingKind.UNSTAMPED, message, restamp)
    elif state is StampState.STALE:
        message = f"its stamp is not that of {label} (rank {candidate.directory.rank})"
        yield Finding.about([candidate], FindingKind.STALE, message, restamp)
    family = site.family_of(candidate.directory)
    if problem := problem_with(candidate.tags, family):
        message = f"{problem}, and {label} is for {family}: no host that searches it can install the wheel"
        withdraw = withdraw_command(site, candidate.directory, candidate.filename)
        yield Finding.about([candidate], FindingKind.MACHINE, message, withdraw)
    if candidate.directory.arch != GENERIC and all(tag.platform == "any" for tag in candidate.tags):
        message = f"pure Python in {label}: it belongs in a generic directory"
        path, first = candidate.path, ""
        if state is not StampState.CURRENT and own < BAND:
            # Publishing it would first stamp the one that is there, which is the same file.
            name = stamped_name(candidate.filename, candidate.build, candidate.directory, site)
            path, first = os.path.join(candidate.directory.path, name), f"{restamp} && "
        move = site.command("publish", "--to", GENERIC, "--remove-source", path)
        yield Finding.about([candidate], FindingKind.PURE, message, way or first + move)


def check_requires_python(
    site: Site, candidates: Sequence[Candidate], hosts: Sequence[HostKind], contents: Mapping[str, Content]
) -> Iterator[Finding]:
    """Builds of one version that require different Pythons, where one host and one Python has both."""
    required = {each.path: contents[each.path].requires_python for each in candidates}
    if len(set(required.values())) < 2:
        return
    for host in hosts:
        seen = visible(candidates, host)
        for python in concerned_pythons(seen) if len(seen) > 1 else []:
            able = [each for each in seen if accepts(python, each.tags)]
            if len({required[each.path] for each in able}) > 1:
                all_of_them = [f"{each.directory.label}: {required[each.path] or 'any'}" for each in able]
                message = (
                    f"builds of one version differ in Requires-Python ({', '.join(all_of_them)}); where the "
                    "best one does not fit, every installer passes over the version or fails"
                )
                best = max(able, key=lambda each: each.directory.rank)
                fix, kind = withdraw_command(site, best.directory, best.filename), FindingKind.REQUIRES_PYTHON
                yield Finding.about(able, kind, message, fix, hosts=(host.label,), pythons=(str(python),))
                return


def check_names(
    site: Site, candidates: Sequence[Candidate], hosts: Sequence[HostKind], contents: Mapping[str, Content]
) -> Iterator[Finding]:
    """The same file name with different content in two directories of one host: what pins and people mix up.

    Where no host searches both it is no fault: each layer has builds of its own.
    """

    def differ(files: Sequence[Candidate]) -> bool:
        return len({contents[each.path].files for each in files}) > 1

    by_name = attrgetter("filename")
    for filename, group in groupby(sorted(candidates, key=by_name), key=by_name):
        same = list(group)
        differing = [*filter(differ, (visible(same, host) for host in hosts))] if differ(same) else []
        if differing:
            widest = max(differing, key=len)
            labels = ", ".join(each.directory.label for each in widest)
            message = f"{filename} has different content in {labels}"
            yield Finding.about(widest, FindingKind.SAME_NAME, message, site.command("restamp"))
