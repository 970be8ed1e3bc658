"""What pip makes of the builds of one version, once it has read the METADATA of the best.

The one rule, which `pick`, `avail`, `why-not` and `lock` go by. It is pip 26.3's, held against it by tests:

- METADATA with another name or version than the file name: pip passes over the file, the next build counts.
- METADATA with an invalid Requires-Dist, whatever its marker: pip passes over the version.
- A wheel that holds more than is read of one (`wheelfile.bounds`): passed over as well, whatever pip does.
- Requires-Python without the target: the same. An invalid one is as good as none.
- A source archive that comes first is built: only that tells what it requires.
- What pip cannot read at all, without a name or version, or not UTF-8: pip chooses it and fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.errors import TooLargeError, WheelhouseError
from wheelhouse_resolver.host.target_python import python_version
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.reasons import Exclusion, FileStatus, Rule, place_of
from wheelhouse_resolver.tree.candidate import Candidate, Installable, SourceArchive
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata, cached_metadata
from wheelhouse_resolver.wheelfile.parsing import parsed_specifier

#: So much of what METADATA says is quoted: it may be anything.
_LONGEST = 200


class TriedBuilds(NamedTuple):
    """What comes of the builds of one version.

    builds:  without those that another one takes the place of; pip looks at the first.
    flaw:    what excludes the first, and with it the version; None: it can be installed.
    foreign: those that another one takes the place of: their METADATA is of something else.
    """

    builds: list[Installable]
    flaw: Exclusion | None = None
    foreign: tuple[FileStatus, ...] = ()

    @property
    def breaks(self) -> bool:
        """Whether pip stops here: it goes on to no older version."""
        return self.flaw is not None and self.flaw.rule is Rule.BROKEN

    @property
    def installable(self) -> list[Installable]:
        """The builds, if the first of them can be installed."""
        return self.builds if self.flaw is None else []

    def excluded(self) -> Iterator[FileStatus]:
        """What is passed over, each with what excludes it; of a version where pip stops the first only."""
        yield from self.foreign
        if self.flaw is None or not self.builds:
            return
        first, *lower = self.builds
        yield FileStatus(first, (self.flaw,))
        if self.flaw.rule is Rule.REQUIRES_PYTHON:
            about = (*self.flaw.about, place_of(first))
            behind = self.flaw._replace(kind="build", about=about)
        else:
            behind = Exclusion(self.flaw.rule, "lower-build", (place_of(first),))
        yield from (FileStatus(each, (behind,)) for each in (() if self.breaks else lower))

    def warnings(self) -> list[str]:
        """A line for each file that pip passes over or fails on for what is wrong with it."""
        return [f"{each.file.path}: {each.reason}" for each in self.excluded() if at_fault(each)]

    def stopping(self, policy: Policy) -> list[str]:
        """Warnings where the pip in use does not go on to an older version, as others do.

        An old one stops; and through pages, which state the Pythons of each build, pip takes a lower one.
        """
        if self.flaw is None or self.flaw.rule is not Rule.REQUIRES_PYTHON:
            return []
        found = policy.stops_at(self.builds[0], self.flaw.about[0])
        for each in self.builds[1:] if policy.pages else ():
            if not isinstance(each, Candidate):
                continue
            metadata, flaw = examine(each)
            if flaw is None and policy.admits(requires_python(each, metadata, lambda _: None)):
                return [*found, f"through the static index pip takes {each.path}, a lower build"]
        return found


def try_builds(builds: Sequence[Installable], policy: Policy, warn: Callable[[str], object]) -> TriedBuilds:
    """What comes of *builds* of one version, best first, by that *policy*; files are opened as needed."""
    foreign: list[FileStatus] = []
    for number, wheel in enumerate(builds):
        if isinstance(wheel, SourceArchive):
            return TriedBuilds([*builds[number:]], None, tuple(foreign))
        metadata, flaw = examine(wheel)
        if flaw is not None and is_foreign(flaw):
            foreign.append(FileStatus(wheel, (flaw,)))
            continue
        needs = requires_python(wheel, metadata, warn) if flaw is None else SpecifierSet()
        if not policy.admits(needs):
            python = str(python_version(policy.target))
            flaw = Exclusion(Rule.REQUIRES_PYTHON, "own", (str(needs),), python)
        return TriedBuilds([*builds[number:]], flaw, tuple(foreign))
    return TriedBuilds([], None, tuple(foreign))


def examine(wheel: Candidate, metadata: CoreMetadata | None = None) -> tuple[CoreMetadata, Exclusion | None]:
    """The METADATA of *wheel*, which is read unless given, and what is wrong with it for pip."""
    try:
        metadata = metadata or cached_metadata(wheel.path)
    except WheelhouseError as error:
        problem = str(getattr(error, "problem", error))
        large = Exclusion(Rule.METADATA, "too-large", (problem,))
        flaw = large if isinstance(error, TooLargeError) else _broken(problem)
        return CoreMetadata("", "", "", "", (), (), ()), flaw
    return metadata, flaw_of(wheel, metadata)


def flaw_of(wheel: Candidate, metadata: CoreMetadata) -> Exclusion | None:
    """What is wrong with *wheel*, which has that *metadata*, for pip; None: nothing. Pure, in pip's order."""
    if not canonicalize_name(metadata.directory).startswith(wheel.name):
        return _broken(f"{_quoted(metadata.directory)} is the directory of another project")
    if not metadata.name:
        return _broken("its METADATA has no name")
    if canonicalize_name(metadata.name) != wheel.name:
        return Exclusion(Rule.METADATA, "other-name", (_quoted(metadata.name),))
    try:
        version = Version(metadata.version)
    except ValueError:  # invalid, or of more digits than Python reads
        lacking = f"the invalid version {_quoted(metadata.version)}" if metadata.version else "no version"
        return _broken(f"its METADATA has {lacking}")
    if version != wheel.version:
        return Exclusion(Rule.METADATA, "other-version", (_quoted(metadata.version),))
    if metadata.invalid:
        return Exclusion(Rule.METADATA, "requires-dist", (_quoted(metadata.invalid[0]),))
    return None


def is_foreign(flaw: Exclusion) -> bool:
    """Whether the next build of the version counts instead (else no other of its version does)."""
    return flaw.kind in ("other-name", "other-version")


def at_fault(status: FileStatus) -> bool:
    """Whether the file is excluded for what is wrong with it, not for what is wrong with another one."""
    return status.rule in (Rule.METADATA, Rule.BROKEN) and status.exclusions[0].kind != "lower-build"


def _broken(problem: str) -> Exclusion:
    return Exclusion(Rule.BROKEN, about=(problem,))


def _quoted(text: str) -> str:
    from wheelhouse_resolver.utils.redact import redact  # most wheels need none of it

    return repr(redact(text)[:_LONGEST])


def requires_python(wheel: Candidate, metadata: CoreMetadata, warn: Callable[[str], object]) -> SpecifierSet:
    """The Pythons that *wheel* says it runs on; one that says nothing valid runs on all, and pip takes it."""
    try:
        return parsed_specifier(metadata.requires_python)
    except ValueError:  # invalid, or of more digits than Python reads
        warn(f"{wheel.path}: its Requires-Python is invalid and was not checked")
        return SpecifierSet()
