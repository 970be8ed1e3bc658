"""The pick: which wheel of one project is the one, and for every other file why it is not.

The order of candidates and what is allowed at all is `policy`'s; here it is applied to one requirement. Pure,
except that the METADATA of the wheel about to win is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

from packaging.tags import Tag
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.builds import try_builds
from wheelhouse_resolver.selection.outside import why_not_searched
from wheelhouse_resolver.selection.policy import Policy, builds_by_version, policy_key, split_by_links
from wheelhouse_resolver.selection.reasons import Exclusion, FileStatus, Rule, place_of, python_labels
from wheelhouse_resolver.selection.requirements import NAMES_ITS_FILE, Requirement, RequirementsFile
from wheelhouse_resolver.selection.together import together, trouble
from wheelhouse_resolver.tree.candidate import (
    Candidate,
    Installable,
    InvalidFilename,
    SourceArchive,
    TreeFile,
    VariantWheel,
)
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.log import info
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.utils.text import version_key
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata
from wheelhouse_resolver.wheelfile.placeholder import placeholder_note

#: What a wheel lost by: the parts of `policy_key` in their order, or the name alone.
_LOST = (
    *(Rule.LOST_VERSION, Rule.LOST_SOURCE, Rule.LOST_RANK),
    *(Rule.LOST_TAG, Rule.LOST_BUILD, Rule.LOST_NAME),
)

Statuses = Callable[[], "tuple[FileStatus, ...]"]


class Pick(NamedTuple):
    """The answer to one requirement.

    requirement: as it was given.
    best:        the wheel that policy chooses; None when there is none, or an archive comes first.
    source:      the source archive that pip builds, where one comes before every wheel; because: why it does.
    broken:      the file that pip would choose and fail on; then there is no best.
    ignored:     why the requirement does not concern this host (its marker); empty if it does.
    warnings:    one line each.
    problem:     why nothing can be picked whatever there is, or which lines of files want it; or empty.
    inside, outside: work out what was rejected, in the search path and in the site's other directories.

    They run when `in_path` or `rejected` is first asked for, so that a pick alone costs nothing that grows
    with what the host cannot use.
    """

    requirement: str
    best: Candidate | None = None
    ignored: str = ""
    warnings: tuple[str, ...] = ()
    inside: Statuses = tuple
    outside: Statuses = tuple
    problem: str = ""
    broken: FileStatus | None = None
    source: SourceArchive | None = None
    because: str = ""

    def __repr__(self) -> str:
        source = f", source={self.source!r}" if self.source is not None else ""
        return f"Pick(requirement={self.requirement!r}, best={self.best!r}{source})"

    @property
    def in_path(self) -> tuple[FileStatus, ...]:
        """The rejected files in the search path, the nearest miss first, each with its reason."""
        return self.inside()

    @property
    def rejected(self) -> tuple[FileStatus, ...]:
        """Every file of the project that was not picked, wherever it is, each with its reason."""
        return self.inside() + self.outside()

    def to_dict(self) -> dict[str, Any]:
        """For JSON: requirement, best, source, because, rejected, ignored, problem, warnings."""
        fields = ("requirement", "best", "source", "because", "rejected", "ignored", "problem", "warnings")
        return {**to_plain(self, *fields)}


class ProjectFiles:
    """The files of some *projects* of a site, as *host* sees them; each directory is listed once.

    inside: those in the search path.
    """

    def __init__(self, wheelhouse: Tree, host: Host, projects: Iterable[NormalizedName]) -> None:
        self._wheelhouse, self._projects = wheelhouse, {*projects}
        self._path = wheelhouse.site.search_path(host)
        self.inside: Catalogue = wheelhouse.catalogue(self._path.directories, self._projects)
        self.outside = cache(self._outside)
        self._why_not_searched = cache(partial(why_not_searched, wheelhouse.site, host))

    def _outside(self) -> Catalogue:
        """Those in all other directories of the site, listed when they are first asked for."""
        searched = {directory.path for directory in self._path}
        others = [each for each in self._wheelhouse.site.directories() if each.path not in searched]
        return self._wheelhouse.catalogue(others, self._projects)

    def all(self, project: NormalizedName) -> list[TreeFile]:
        """The files of *project* in all directories of the site, those in the search path first."""
        return [*self.inside.files(project), *self.outside().files(project)]

    def decide(self, asked: Requirement, policy: Policy) -> Pick:
        """The pick for *asked*, which is about one of the projects."""
        return decide(
            asked, policy, self.inside.files(asked.name), cache(partial(self._excluded, asked, policy))
        )

    def _excluded(self, asked: Requirement, policy: Policy) -> tuple[FileStatus, ...]:
        """Each file outside the search path: why it is not searched, and what would exclude it if it were."""
        by_directory: dict[str, list[TreeFile]] = {}
        for each in self.outside().files(asked.name):
            by_directory.setdefault(each.directory.path, []).append(each)
        found: list[FileStatus] = []
        for files in by_directory.values():
            outside = self._why_not_searched(files[0].directory)
            alone = decide(asked, policy, files).in_path
            otherwise = {each.file.filename: each.exclusions for each in alone if each.rule not in _LOST}
            found += [FileStatus(each, (*outside, *otherwise.get(each.filename, ()))) for each in files]
        return tuple(found)


def picks(wheelhouse: Tree, files: RequirementsFile, host: Host) -> list[Pick]:
    """The wheel in *wheelhouse* that policy chooses on *host*, for each requirement in *files*.

    Lines of files on one project are one requirement. One by URL or path comes last, and gets none.
    The constraints and the `--pre` in *files* count, and the site's own constraints always do. Raises what
    `Wheelhouse.pick` raises.
    """
    host = host.for_site(wheelhouse.site)
    policy = Policy.of(wheelhouse.site, host, files)
    found = ProjectFiles(wheelhouse, host, [each.name for each in files.requirements])
    asked = (*together(files.requirements, policy.marker_applies), *files.direct)
    decided = [
        each._replace(warnings=(*policy.warnings, *each.warnings))
        for each in (found.decide(every, policy) for every in asked)
    ]
    for each in decided:
        taken = each.best or each.source
        info(__name__, "picked %s for %s", taken.path if taken else "nothing", each.requirement)
    return decided


def skipped(wheelhouse: Tree, host: Host, found: Iterable[Pick]) -> list[InvalidFilename]:
    """The files in *host*'s search path with an invalid name that none of the picks *found* rejects."""
    invalid = wheelhouse.misnamed(wheelhouse.site.search_path(host).directories)
    rejected = {each.file.path for pick in found for each in pick.in_path} if invalid else ()
    return [each for each in invalid if each.path not in rejected]


def decide(asked: Requirement, policy: Policy, found: Sequence[TreeFile], outside: Statuses = tuple) -> Pick:
    """The pick for *asked* when *found* are the project's files in the search path.

    *outside*: works out what is rejected elsewhere.
    """
    if not policy.marker_applies(asked.marker):
        return Pick(str(asked), ignored=f"its marker does not hold for this Python: {asked.marker}")
    if asked.url is not None:
        return Pick(str(asked), problem=NAMES_ITS_FILE)
    if links := policy.links_of(asked.name):
        return _linked(asked, policy, found, links, outside)
    chooser = _Chooser(asked, policy, found)
    best, warnings = chooser.best, chooser.warnings
    if best is not None and asked.extras:
        with suppress(WheelhouseError):
            warnings += missing_extras(best, asked.extras, cached_metadata(best.path).provides_extra)
    if best is not None:
        warnings += placeholder_note(best.name, best.version, best.path)
    return Pick(
        str(asked),
        best,
        warnings=tuple(warnings),
        inside=cache(chooser.statuses),
        outside=outside,
        problem=trouble(asked) if best is None and chooser.source is None else "",
        broken=chooser.broken,
        source=chooser.source,
        because=chooser.because(),
    )


def sound_versions(
    asked: Requirement, policy: Policy, found: Sequence[TreeFile]
) -> tuple[Candidate | None, list[Version]]:
    """The pick for *asked* without the versions of which pip chooses a broken wheel; and these versions.

    Each file is looked at once for all of them: there may be thousands.
    """
    left_out: set[Version] = set()
    while True:
        left = [e for e in found if not isinstance(e, Candidate) or e.version not in left_out]
        pick = decide(asked, policy, left)
        if pick.broken is None:
            return pick.best, sorted(left_out, reverse=True)
        if not isinstance(pick.broken.file, Candidate):
            return None, []
        fit = policy.filter_versions(
            policy.sort_candidates(left)[0], policy.narrowed(asked.specifier, asked.name)
        )
        for builds in builds_by_version(fit):
            tried = try_builds(builds, policy, lambda _: None)
            if tried.breaks:
                left_out.add(builds[0].version)
            elif tried.installable:
                break
        left_out.add(pick.broken.file.version)


def _linked(
    asked: Requirement,
    policy: Policy,
    found: Sequence[TreeFile],
    links: Sequence[Requirement],
    outside: Statuses,
) -> Pick:
    """The pick where constraints name the file that pip takes: it may be one of those *found*."""
    kept, others = split_by_links(found, links)
    stated = tuple(each.stated for each in links)
    no = (Exclusion(Rule.LINK, about=stated),)
    passed = [FileStatus(each, no) for each in others]
    pick = decide(asked, policy._replace(constraints=_versions_only(policy)), kept, outside)
    warnings = pick.warnings if kept else (*pick.warnings, linked_elsewhere(asked.name, links))
    because = f"a constraint names it: {', '.join(stated)}" if pick.source else ""
    inside = cache(lambda: (*pick.inside(), *passed))
    return pick._replace(warnings=warnings, inside=inside, because=because)


def _versions_only(policy: Policy) -> tuple[Requirement, ...]:
    return tuple(each for each in policy.constraints if not each.url)


def linked_elsewhere(project: str, links: Iterable[Requirement]) -> str:
    """A warning that pip takes *project* from what these constraints name."""
    return f"pip takes {project} from what a constraint names: {', '.join(each.stated for each in links)}"


def forbidding(candidate: Installable, policy: Policy) -> tuple[str, ...]:
    """The constraints that forbid *candidate*, each with its file and line."""
    return tuple(
        each.stated
        for each in policy.constraints_on(candidate.name)
        if not each.specifier.contains(candidate.version, prereleases=True)
        or (each.url and each.file != candidate.path)
    )


class _Chooser:
    """Applies the rules to *files* in their order; which rule excluded each is worked out by `statuses`."""

    def __init__(self, asked: Requirement, policy: Policy, files: Sequence[TreeFile]) -> None:
        self._specifier, self._policy = asked.specifier, policy
        self._passed: list[FileStatus] = []
        self._lost: list[Installable] = []
        self.best: Candidate | None = None
        self.broken: FileStatus | None = None
        self.source: SourceArchive | None = None
        self.warnings: list[str] = []
        self._fit, self._unfit = policy.sort_candidates(files)
        self._allowed = policy.filter_versions(self._fit, policy.narrowed(asked.specifier, asked.name))
        versions = builds_by_version(self._allowed)
        flawed: list[str] = []
        stopping: list[str] = []
        while versions and not (self.best or self.broken or self.source):
            tried = try_builds(versions.pop(0), policy, self.warnings.append)
            self._passed += tried.excluded()
            flawed += tried.warnings()
            stopping = stopping or tried.stopping(policy)
            if tried.breaks:
                self.broken, self._lost = self._passed.pop(), tried.builds[1:]
            elif tried.installable:
                first, self._lost = tried.builds[0], tried.builds[1:]
                if isinstance(first, SourceArchive):
                    self.source = first
                else:
                    self.best = first
        self.warnings += flawed if self.best or self.source else []  # else they are the answer
        self.warnings += stopping
        self._lost += chain.from_iterable(versions)

    def because(self) -> str:
        """Why pip builds `source`; empty if it doesn't."""
        if self.source is None:
            return ""
        if not self._policy.allows_binary(self.source.name):
            return "the site's [pip] table or a file says no-binary"
        wheels = any(isinstance(each, Candidate) for each in self._allowed)
        return "newer than any wheel that fits here" if wheels else "there is no wheel that fits here"

    def statuses(self) -> tuple[FileStatus, ...]:
        """Every file that is not chosen: the nearest miss first."""
        allowed = {each.path for each in self._allowed}
        barred = [each for each in self._fit if each.path not in allowed]
        return tuple(
            chain(
                [self.broken] if self.broken else [],
                self._losers(),
                self._passed,
                (FileStatus(each, self._unfitting(each)) for each in self._unfit),
                (FileStatus(each, self._barring(each) or (self._prerelease(each),)) for each in barred),
            )
        )

    def _losers(self) -> Iterator[FileStatus]:
        chosen = self.broken.file if self.broken else self.best or self.source
        if chosen is None or isinstance(chosen, InvalidFilename):
            return
        priorities = self._policy.priorities
        key = policy_key(chosen, priorities)
        about = (place_of(chosen),)
        for each in self._lost:
            parts = zip(_LOST, policy_key(each, priorities), key, strict=False)
            rule = next((rule for rule, own, its in parts if own != its), Rule.LOST_NAME)
            yield FileStatus(each, (Exclusion(rule, self._kind_of_loss(rule, each, chosen), about),))

    def _kind_of_loss(self, rule: Rule, file: Installable, chosen: Installable) -> str:
        """Which kind of that *rule* it is by which *file* lost against *chosen*."""
        if rule is Rule.LOST_NAME:
            return "url" if self.source else ""
        if rule is not Rule.LOST_VERSION:
            return ""
        if file.version > chosen.version:
            return "preferred"
        if self.source:
            return "built"
        hidden = isinstance(file, Candidate) and file.directory.rank > chosen.directory.rank
        return "label" if hidden and _public(file) == _public(chosen) else ""

    def _unfitting(self, file: TreeFile) -> tuple[Exclusion, ...]:
        if isinstance(file, VariantWheel):
            return (Exclusion(Rule.VARIANT, about=(file.problem,)),)
        if isinstance(file, InvalidFilename):
            return (Exclusion(Rule.FILENAME, about=(file.problem,)),)
        if isinstance(file, SourceArchive):
            return (Exclusion(Rule.ONLY_BINARY), *self._barring(file))
        if not self._policy.allows_binary(file.name):
            return (Exclusion(Rule.NO_BINARY),)
        return (_wrong_tags(file.tags, self._policy), *self._barring(file))

    def _barring(self, candidate: Installable) -> tuple[Exclusion, ...]:
        """What excludes the version of *candidate*; () if that is only that it is a pre-release."""
        if not self._specifier.contains(candidate.version, prereleases=True):
            return (Exclusion(Rule.SPECIFIER, about=(str(self._specifier),)),)
        against = forbidding(candidate, self._policy)
        return (Exclusion(Rule.CONSTRAINT, about=against),) if against else ()

    def _prerelease(self, candidate: Installable) -> Exclusion:
        final = self._policy.prereleases_of(candidate.name) is False
        return Exclusion(Rule.PRERELEASE, "only-final" if final else "")


def _public(candidate: Installable) -> Version:
    """Its version without the local label."""
    return Version(candidate.version.public)


def _wrong_tags(tags: frozenset[Tag], policy: Policy) -> Exclusion:
    """Why the target Python accepts none of *tags*."""
    platforms = {tag.platform for tag in tags}
    if platforms.isdisjoint(policy.platforms):
        return Exclusion(Rule.TAG, "platform", tuple(sorted(platforms, key=version_key)))
    pythons = python_labels(tags)
    if policy.python_name in pythons:
        return Exclusion(Rule.TAG, "abi", tuple(sorted(map(str, tags), key=version_key)))
    return Exclusion(Rule.TAG, "python", tuple(pythons), policy.python_name)


def missing_extras(wheel: Candidate, extras: Iterable[str], provided: Iterable[str]) -> list[str]:
    """A warning for each of *extras* that *wheel* does not provide; pip warns too, and goes on."""
    known = set(map(canonicalize_name, provided))
    missing = [extra for extra in sorted(extras) if canonicalize_name(extra) not in known]
    return [f"{wheel.filename} does not provide the extra {extra!r}" for extra in missing]
