"""Gaps: what a Python, a layer or an arch has no wheel of, though others have, in the order of building.

What file names say decides nearly all of it. METADATA is read of what a gap was left by, for the order, and
of the pure and abi3 wheels that would cover one: they may be for older Pythons only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.errors import UnknownNameError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import is_version, other_version, supported_tags
from wheelhouse_resolver.selection.policy import Policy, builds_by_version, policy_key
from wheelhouse_resolver.selection.reasons import python_labels
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.selection.wanted import Pattern
from wheelhouse_resolver.site.layout import NO_LAYER, Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.upkeep.coverage import Coverage, admits, coverage_of
from wheelhouse_resolver.upkeep.order import building_waves, needed_among
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata, cached_metadata_of_many
from wheelhouse_resolver.wheelfile.parsing import parsed_requirement

#: What answers for the wheels at some paths, by these: the libraries that are not found.
_Tried = Callable[[Iterable[str]], Mapping[str, tuple[str, ...]]]


class Gap(NamedTuple):
    """A project as others have it, and as the host has it.

    name:      normalised.
    version:   the newest that others have, without a local label.
    state:     what the host has of it.
    wheels:    those that others have of it, most specific directory first.
    has:       the newest version that the host has; None: none.
    wave:      1 for what can be built first, 2 for what needs that, ...; 0 for anything else.
    needs:     the other gaps that it requires, also by way of wheels that exist.
    cycle:     all that need each other with it, and so are in one wave.
    barred:    the Requires-Python of that version, if the host's Python is not in it.
    libraries: what the loader of the host's layer does not find for the first of the wheels; None: not tried.
    """

    name: str
    version: str
    state: Coverage
    wheels: tuple[Candidate, ...]
    has: str | None = None
    wave: int = 0
    needs: tuple[str, ...] = ()
    cycle: tuple[str, ...] = ()
    barred: str = ""
    libraries: tuple[str, ...] | None = None

    @property
    def requirement(self) -> str:
        """What to build: that version, or any that the host's Python is not barred from."""
        return self.name if self.barred else f"{self.name}=={self.version}"

    @property
    def pythons(self) -> list[str]:
        """The Pythons that others have it for: `3.11`, `3.8 and newer`."""
        return python_labels(tag for wheel in self.wheels for tag in wheel.tags)

    @property
    def archs(self) -> list[str]:
        """The archs that others have it for, the most specific first."""
        return list(dict.fromkeys(wheel.directory.arch for wheel in self.wheels))

    @property
    def layers(self) -> list[str]:
        """The layers that others have it in; `none` for the top-level generic directory."""
        return list(dict.fromkeys(wheel.directory.layer or NO_LAYER for wheel in self.wheels))

    @property
    def note(self) -> str:
        """What else is to be known of it, for people; empty for nothing."""
        parts = [f"requires Python {self.barred}"] if self.barred else []
        parts += [f"in a cycle with {', '.join(self.cycle)}"] if self.cycle else []
        if self.libraries is not None:
            missing = f"not found: {', '.join(self.libraries)}"
            parts.append(missing if self.libraries else "its libraries are found")
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("name", "version", "requirement", "has", "wave", "pythons", "archs", "layers", "barred")
        found = {name: getattr(self, name) for name in names}
        lists = {name: list(getattr(self, name)) for name in ("needs", "cycle")}
        libraries = None if self.libraries is None else list(self.libraries)
        more = {"libraries": libraries, "path": self.wheels[0].path}
        return {**found, "state": self.state.value, **lists, **more}


class Gaps(NamedTuple):
    """The answer.

    rows:      the gaps, in the order in which they can be built.
    covered:   what the host has, by name.
    unmatched: the patterns that match no project that others have.
    warnings:  one line each.
    """

    rows: tuple[Gap, ...]
    covered: tuple[Gap, ...] = ()
    unmatched: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Others(NamedTuple):
    """Whose wheels count: those in *directories* (by path) that *accepts* lets pass; *layer*: if named."""

    directories: tuple[Directory, ...]
    accepts: Callable[[frozenset[Tag]], bool]
    everybody: bool = False
    layer: bool = False


def others_like(site: Site, host: Host, like: Iterable[str]) -> _Others:
    """The others: hosts as *host*, but for what *like* names: a Python (`3.13`), a layer, an arch.

    With nothing named, all hosts of the site and all Pythons. Raises `UnknownNameError`, `PythonError`.
    """
    names = [name.strip() for each in like for name in each.split(",") if name.strip()]
    if not names:
        return _Others(site.directories(), lambda _: True, everybody=True)
    python, layer, arch = host.python, host.layer, ""
    by_layer = False
    known = [each.name for each in site.layers]
    for name in names:
        if is_version(name):
            python = other_version(python, name)
        elif name in (*known, NO_LAYER):
            layer, by_layer = (None if name == NO_LAYER else name), True
        else:
            try:
                found = site.arch(name, site.layer(host.layer))
            except LookupError:
                archs = [each.name for each in site.ladder]
                raise UnknownNameError(name, ["X.Y", *known, NO_LAYER, *archs]) from None
            arch = found.name if found else name
    runnable = None if arch else host.for_site(site).archs
    path = site.search_path_for(layer, arch or host.for_site(site).arch, runnable=runnable)
    tags = frozenset(supported_tags(python))
    return _Others(path.directories, lambda each: not tags.isdisjoint(each), layer=by_layer)


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
    found = finder.judged(chosen)
    if others.layer:
        from wheelhouse_resolver.upkeep.libraries import libraries_missing  # most have no use for it

        environ = host.machine.environ if host.machine is not None else {}
        tried = tried or partial(libraries_missing, python=host.python, environ=environ)
        found = _with_libraries(found, finder.fits, tried)
    return Gaps(
        rows=tuple(_in_order([each for each in found if each.state.is_gap], finder)),
        covered=tuple(each for each in found if not each.state.is_gap),
        unmatched=tuple(each for each, matching in matches.items() if not matching),
        warnings=(*finder.policy.warnings, *finder.warnings),
    )


class _Finder:
    """Looks at one project after another; what it has read of the wheels is kept for the order."""

    def __init__(self, wheelhouse: Tree, host: Host, others: _Others) -> None:
        site = wheelhouse.site
        self.policy = Policy.of(site, host, RequirementsFile())
        self.warnings: list[str] = []
        self._others = others
        path = site.search_path(host).directories
        self._own = frozenset(path)
        self._theirs = frozenset(others.directories)
        directories = sorted({*path, *others.directories}, key=lambda each: (-each.rank, each.label))
        self._catalogue: Catalogue = wheelhouse.catalogue(directories)
        self._constrained = {each.name for each in self.policy.constraints}
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
        return self._catalogue.projects

    def judged(self, names: Iterable[NormalizedName]) -> list[Gap]:
        """How the host has each of the projects *names* that others have."""
        found: list[tuple[NormalizedName, list[Candidate], list[Candidate]]] = []
        for name in names:
            theirs = self._newest(name)
            if theirs:
                ours = [w for w in theirs if w.directory in self._own and self.fits(w.tags)]
                found.append((name, theirs, ours or self._at_least(name, theirs[0].version)))
        best = {name: max(ours, key=self._key) for name, _, ours in found if ours}
        self._spoken = {name: best.get(name, theirs[0]).path for name, theirs, _ in found}
        # That a wheel is for this Python alone, or for none of its kind, is in its name.
        own = {name for name, wheel in best.items() if self._coverage(wheel.tags) is Coverage.PLATFORM}
        self.read(path for name, path in self._spoken.items() if name not in own)
        return [self._gap(name, theirs, best.get(name)) for name, theirs, _ in found]

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
            return self._catalogue.newest(name, self._accepts, prereleases=bool(pre))
        found = [w for w in self._catalogue.candidates(name, self._accepts) if w.directory in self._theirs]
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
        found = [w for w in self._catalogue.candidates(name, self.fits) if w.directory in self._own]
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
        for name, extras in asked:
            metadata = self._read.get(self._spoken.get(name, ""))
            if metadata is not None:
                yield name, [*self._applying(metadata, extras)]

    def _applying(
        self, metadata: CoreMetadata, extras: frozenset[str]
    ) -> Iterator[tuple[str, frozenset[str]]]:
        for text in metadata.requires_dist:
            if text not in metadata.invalid:
                each = parsed_requirement(text)
                name = canonicalize_name(each.name)
                if name in self._spoken and self.policy.marker_applies(each.marker, ("", *extras)):
                    yield name, frozenset(each.extras)


def _in_order(gaps: list[Gap], finder: _Finder) -> Iterator[Gap]:
    by_name = {each.name: each for each in gaps}
    needs = needed_among(by_name, finder.requirements)
    for number, wave in enumerate(building_waves(needs), 1):
        for together in wave:
            for name in together:
                others = tuple(each for each in together if each != name)
                yield by_name[name]._replace(wave=number, needs=tuple(sorted(needs[name])), cycle=others)


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
