"""Gaps: what a Python, a layer or an arch has no wheel of, though others have, in the order of building.

What file names say decides nearly all of it. METADATA is read of what a gap was left by, for the order, and
of the pure and abi3 wheels that would cover one: they may be for older Pythons only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.policy import Policy, builds_by_version, policy_key
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.selection.wanted import Pattern
from wheelhouse_resolver.tree.candidate import Candidate, version_of
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.upkeep.coverage import Coverage, admits, coverage_of
from wheelhouse_resolver.upkeep.gap import Gap, Gaps
from wheelhouse_resolver.upkeep.order import building_waves, needed_among, required_from
from wheelhouse_resolver.upkeep.others import Others, others_like
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata, cached_metadata_of_many
from wheelhouse_resolver.wheelfile.parsing import parsed_requirement

if TYPE_CHECKING:
    from wheelhouse_resolver.upkeep.together import Closure

#: What answers for the wheels at some paths, by these: the libraries that are not found.
_Tried = Callable[[Iterable[str]], Mapping[str, tuple[str, ...]]]


def find_gaps(
    wheelhouse: Tree,
    host: Host,
    patterns: Iterable[str] = (),
    like: Iterable[str] = (),
    *,
    tried: _Tried | None = None,
) -> Gaps:
    """What *host* has no wheel of, though others have, of the projects that *patterns* match (none: all).

    like:  the others are hosts as this one, but for the Python, layer or arch that is named. Where that is a
           layer, `libraries_missing` is asked about the wheels that are for the host's Python.
    tried: answers instead of it.

    Raises `UnknownNameError`, and what `Wheelhouse` and `Policy` raise.
    """
    patterns = list(patterns)
    site = wheelhouse.site
    others = others_like(site, host, like)
    finder = _Finder(wheelhouse, host, others)
    names = finder.projects
    matches = {each: Pattern(each, canonicalize_name(each)).among(names) for each in patterns}
    chosen = sorted({name for each in matches.values() for name in each}) if patterns else names
    found, needs = _together(finder.judged(chosen), finder)
    if others.layer:
        from wheelhouse_resolver.upkeep.libraries import libraries_missing  # most have no use for it

        environ = host.machine.environ if host.machine is not None else {}
        tried = tried or partial(libraries_missing, python=host.python, environ=environ)
        found = _with_libraries(found, finder.fits, tried)
    return Gaps(
        rows=tuple(_in_order([each for each in found if each.state.is_gap], needs)),
        covered=tuple(each for each in found if not each.state.is_gap),
        unmatched=tuple(each for each, matching in matches.items() if not matching),
        warnings=(*finder.policy.warnings, *finder.warnings),
    )


class _Finder:
    """Looks at one project after another; what it has read of the wheels is kept for the order."""

    def __init__(self, wheelhouse: Tree, host: Host, others: Others) -> None:
        site = wheelhouse.site
        self.policy = Policy.of(site, host, RequirementsFile())
        self.warnings: list[str] = []
        self._others = others
        path = site.search_path(host).directories
        self._own = frozenset(path)
        self._theirs = frozenset(others.directories)
        directories = sorted({*path, *others.directories}, key=lambda each: (-each.rank, each.label))
        self.catalogue: Catalogue = wheelhouse.catalogue(directories)
        self._constrained = {each.name for each in self.policy.constraints}
        self._all = frozenset(self.projects)
        self._tried: set[NormalizedName] = set()
        self._found: dict[str, Gap] = {}
        self._present: dict[str, frozenset[Version]] = {}
        #: What requires which versions of a project.
        self._limits: dict[NormalizedName, list[tuple[str, SpecifierSet]]] = {}
        self.choices = cache(self._choices)
        #: The wheel that says what a project requires: of the host, else of others.
        self._spoken: dict[str, str] = {}
        self._read: dict[str, CoreMetadata | None] = {}
        priorities = self.policy.priorities
        self.fits: Callable[[frozenset[Tag]], bool] = cache(
            lambda tags: any(tag in priorities for tag in tags)
        )
        self._accepts = cache(others.accepts)
        self._coverage = cache(lambda tags: coverage_of(tags, priorities))
        self._admits = cache(partial(admits, self.policy))

    @property
    def projects(self) -> list[NormalizedName]:
        """All projects, sorted."""
        return self.catalogue.projects

    def judged(self, names: Iterable[NormalizedName]) -> list[Gap]:
        """How the host has each of the projects *names* that others have."""
        found: list[tuple[NormalizedName, list[Candidate], list[Candidate]]] = []
        for name in names:
            self._tried.add(name)
            theirs = self._newest(name)
            if theirs:
                ours = [w for w in theirs if w.directory in self._own and self.fits(w.tags)]
                found.append((name, theirs, ours or self._at_least(name, theirs[0].version)))
        best = {name: max(ours, key=self._key) for name, _, ours in found if ours}
        spoken: dict[str, str] = {name: best.get(name, theirs[0]).path for name, theirs, _ in found}
        self._spoken |= spoken
        # That a wheel is for this Python alone, or for none of its kind, is in its name.
        own = {name for name, wheel in best.items() if self._coverage(wheel.tags) is Coverage.PLATFORM}
        self.read(path for name, path in spoken.items() if name not in own)
        gaps = [self._gap(name, theirs, best.get(name)) for name, theirs, _ in found]
        self._found |= {each.name: each for each in gaps}
        return gaps

    def _key(self, wheel: Candidate) -> Any:
        return policy_key(wheel, self.policy.priorities)

    def _gap(self, name: NormalizedName, theirs: list[Candidate], best: Candidate | None) -> Gap:
        wheels = tuple(sorted(theirs, key=lambda wheel: (-wheel.directory.rank, wheel.filename)))
        version = theirs[0].version.public
        barred = self._barred(self._spoken[name])
        if best is not None and not barred:
            return Gap(name, version, self._coverage(best.tags), wheels, has=best.version.public)
        has = self._older(name, theirs[0].version)
        return Gap(
            name=name,
            version=version,
            state=Coverage.MISSING if has is None else Coverage.OLDER,
            wheels=wheels,
            has=has,
            barred=barred,
        )

    def _newest(self, name: NormalizedName) -> list[Candidate]:
        """The wheels that others have of the newest version, the most specific directory first."""
        pre = self.policy.prereleases_of(name)
        if self._others.everybody and name not in self._constrained and pre is not False:
            return self.catalogue.newest(name, self._accepts, prereleases=bool(pre))
        found = [w for w in self.catalogue.candidates(name, self._accepts) if w.directory in self._theirs]
        passed = self._filtered(name, found)
        newest = max((each.version for each in passed), default=None)
        return [each for each in passed if each.version == newest]

    def _filtered(self, name: NormalizedName, wheels: list[Candidate]) -> list[Candidate]:
        specifier = (
            self.policy.narrowed(SpecifierSet(), name) if name in self._constrained else SpecifierSet()
        )
        return self.policy.filter_versions(wheels, specifier)

    def _of_host(self, name: NormalizedName) -> list[Candidate]:
        """The wheels that the host's search path has for its Python."""
        found = [w for w in self.catalogue.candidates(name, self.fits) if w.directory in self._own]
        return self._filtered(name, found)

    def _at_least(self, name: NormalizedName, version: Version) -> list[Candidate]:
        """The host's wheels of its newest version, if that is no older; a local label does not count."""
        found = self._of_host(name)
        newest = max((each.version for each in found), default=None)
        if newest is None or Version(newest.public) < Version(version.public):
            return []
        return [each for each in found if each.version == newest]

    def _older(self, name: NormalizedName, version: Version) -> str | None:
        """The newest version before *version* that the host's Python can install."""
        limit = Version(version.public)
        older = [each for each in self._of_host(name) if Version(each.version.public) < limit]
        for builds in builds_by_version(sorted(older, key=self._key, reverse=True)):
            self.read([builds[0].path])
            if not self._barred(builds[0].path):
                return builds[0].version.public
        return None

    def read(self, paths: Iterable[str]) -> None:
        """Read the METADATA of the wheels at *paths*, many at once."""
        unread = [path for path in dict.fromkeys(paths) if path not in self._read]
        found = cached_metadata_of_many(unread)
        for path in unread:
            self._read[path] = found.get(path)
            if path not in found:
                self.warnings.append(f"{path}: its METADATA cannot be read, so what it requires is unknown")

    def _barred(self, path: str) -> str:
        """The Requires-Python of the wheel at *path*, if the host's Python is not in it; else empty."""
        metadata = self._read.get(path)
        return "" if metadata is None or self._admits(metadata.requires_python) else metadata.requires_python

    def requirements(
        self, asked: Collection[tuple[str, frozenset[str]]]
    ) -> Iterator[tuple[str, list[tuple[str, frozenset[str]]]]]:
        """What the wheels of these (project, extras) require of projects that the wheelhouse has."""
        self.read(self._spoken[name] for name, _ in asked if name in self._spoken)
        found = {}
        for name, extras in asked:
            metadata = self._read.get(self._spoken.get(name, ""))
            if metadata is not None:
                found[name] = [*self._applying(metadata, extras)]
        # What is not asked about is not listed, but what of it can be had may be of no use to what is.
        self.judged(sorted({each for several in found.values() for each, _, _ in several} - self._tried))
        for name, several in found.items():
            known = [each for each in several if each[0] in self._found]
            for each, _, specifier in known:
                if specifier:
                    self._limits.setdefault(each, []).append((name, specifier))
            yield name, [(each, extras) for each, extras, _ in known]

    def _applying(
        self, metadata: CoreMetadata, extras: frozenset[str]
    ) -> Iterator[tuple[NormalizedName, frozenset[str], SpecifierSet]]:
        for text in metadata.requires_dist:
            if text not in metadata.invalid:
                each = parsed_requirement(text)
                name = canonicalize_name(each.name)
                if name in self._all and self.policy.marker_applies(each.marker, ("", *extras)):
                    yield name, frozenset(each.extras), each.specifier

    def ruled_out(self) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
        """By project, what it requires that nobody has, and of what it needs others than `Gap.best`."""
        unmet: dict[str, list[str]] = {}
        excluding: dict[str, set[str]] = {}
        for each, limits in self._limits.items():
            best = self._found[each].best
            for name, specifier in limits:
                if specifier.contains(best, prereleases=True):
                    continue
                if self.policy.filter_versions(self.choices(each), self.policy.narrowed(specifier, each)):
                    excluding.setdefault(name, set()).add(each)
                else:
                    unmet.setdefault(name, []).append(f"{each}{specifier}")
        return unmet, excluding

    def against(self, wheel: Candidate) -> set[str]:
        """What cannot go with *wheel*, but with the version that is `Gap.best`."""
        version = _public(wheel)
        if wheel.name not in self._found or version == version_of(self._found[wheel.name].best):
            return set()
        limits = self._limits.get(wheel.name, ())
        return {name for name, specifier in limits if not specifier.contains(version, prereleases=True)}

    def _choices(self, name: NormalizedName) -> list[Candidate]:
        """All that the host or others have of the project, best first: that takes no build of its own."""
        if name not in self._tried:
            self.judged([name])
        own = sorted(self._of_host(name), key=self._key, reverse=True)
        present = frozenset(_public(each) for each in own)
        theirs = [w for w in self.catalogue.candidates(name, self._accepts) if w.directory in self._theirs]
        theirs.sort(key=lambda wheel: (-wheel.directory.rank, wheel.filename))
        self._present[name] = present
        both = [*own, *(each for each in theirs if _public(each) not in present)]
        return sorted(both, key=lambda each: (self.at_hand(each), each.version), reverse=True)

    def _is_listed(self, wheel: Candidate) -> bool:
        gap = self._found.get(wheel.name)
        listed = gap is not None and gap.state.is_gap and not gap.barred
        return gap is not None and listed and version_of(gap.version) == _public(wheel)

    def best(self, name: str) -> str:
        """The `Gap.best` of the project; empty for one that is barred, of which any version may come."""
        return "" if self._found[name].barred else self._found[name].best

    def at_hand(self, wheel: Candidate) -> bool:
        """Whether the host has that version of one of its `choices`, or it is the newest that others have."""
        return _public(wheel) in self._present[wheel.name] or self._is_listed(wheel)

    def key_of(self, wheel: Candidate) -> str:
        """The `Gap.key` of the gap that it fills, if it fills one."""
        return wheel.name if self._is_listed(wheel) else f"{wheel.name}=={wheel.version.public}"

    def needed(self, wheel: Candidate, by: Iterable[str]) -> Gap:
        """The gap of the version of *wheel*, which *by* require."""
        wheels = tuple(each for each in self.choices(wheel.name) if _public(each) == _public(wheel))
        newest = self._found.get(wheel.name)
        has = newest.has if newest is not None else None
        version = wheel.version.public
        return Gap(wheel.name, version, Coverage.NEEDED, wheels, has=has, wanted_by=tuple(sorted(by)))


def _public(wheel: Candidate) -> Version:
    return version_of(wheel.version.public)


def _together(found: list[Gap], finder: _Finder) -> tuple[list[Gap], dict[str, frozenset[str]]]:
    """*found*, and a gap for each other version that some of it needs; and which gaps each of them needs."""
    below = required_from([each.name for each in found], finder.requirements)
    unmet, excluding = finder.ruled_out()
    closures: list[Closure] = []
    if excluding:
        from wheelhouse_resolver.upkeep.together import Solver, not_at_hand  # and with it resolvelib

        solver = Solver(finder.catalogue, finder.policy, finder.choices, finder.best)
        closures = solver.closures([each.name for each in found], below, excluding, finder.against)
        wanted = not_at_hand(closures, finder.at_hand, excluding)
        found = [*found, *(finder.needed(wheel, by) for wheel, by in wanted.items())]
    for closure in closures:
        for name in closure.projects:
            unmet.setdefault(name, []).extend(closure.unmet)
    found = [each._replace(unmet=tuple(unmet[each.key])) if each.key in unmet else each for each in found]
    keys = {each.key for each in found if each.state.is_gap}
    needs = {key: needed_among(keys, key, lambda each: below.get(each, ())) for key in keys}
    done: set[str] = set()
    for closure in closures:
        after = closure.requires(below, finder.key_of)
        # What a project needs, its own closure says; what another version needs, the first that has it.
        others = {finder.key_of(wheel) for wheel in closure.wheels.values()} - below.keys() - done
        needs |= {key: needed_among(keys, key, after) for key in {*closure.projects, *others} & keys}
        done |= others
    return found, needs


def _in_order(gaps: list[Gap], needs: Mapping[str, frozenset[str]]) -> Iterator[Gap]:
    by_key = {each.key: each for each in gaps}
    for number, wave in enumerate(building_waves(needs), 1):
        for together in wave:
            for key in together:
                others = tuple(each for each in together if each != key)
                yield by_key[key]._replace(wave=number, needs=tuple(sorted(needs[key])), cycle=others)


def _with_libraries(
    found: list[Gap],
    fits: Callable[[frozenset[Tag]], bool],
    tried: _Tried,
) -> list[Gap]:
    """*found*, with what is not found for the wheels of the gaps that are for the host's Python."""
    answers = tried(
        [each.wheels[0].path for each in found if each.state.is_gap and fits(each.wheels[0].tags)]
    )
    return [
        each._replace(libraries=answers.get(each.wheels[0].path)) if each.state.is_gap else each
        for each in found
    ]
