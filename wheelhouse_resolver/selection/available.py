"""What there is: the wheels that a host can install, and the archives that pip would build, newest first.

`pick` answers for one requirement with one wheel; here the answer is every project's newest version, or all
of its versions, wherever the host's search path has them. Which wheels count, and which comes first, is
`policy`'s, so the first row of a project is what `pick` picks.

METADATA is inside the files, and to open all of a big tree takes minutes. So it is read where somebody asks
for something: for every project that is asked for by name, and for those that patterns match if these are
`CHECKED` at most. In a listing of more it is not: that may show a version that pip would refuse or fail on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain, groupby
from operator import attrgetter
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import NormalizedName
from packaging.version import Version

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.builds import TriedBuilds, try_builds
from wheelhouse_resolver.selection.pick import linked_elsewhere
from wheelhouse_resolver.selection.policy import Policy, builds_by_version, split_by_links
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.selection.together import together, trouble
from wheelhouse_resolver.selection.wanted import Wanted
from wheelhouse_resolver.site.layout import NO_LAYER, Directory
from wheelhouse_resolver.tree.candidate import Candidate, Installable, SourceArchive
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.text import version_key
from wheelhouse_resolver.wheelfile.build_tag import build_text
from wheelhouse_resolver.wheelfile.placeholder import placeholder_note

#: Of as many projects that patterns match, METADATA is read.
CHECKED = 50


class Scope(NamedTuple):
    """How much is shown.

    all_versions: not only the newest version, and pre-releases too.
    all_archs:    all directories of the site, not only the host's search path.
    all_pythons:  wheels for any Python and platform, each of them a row.
    """

    all_versions: bool = False
    all_archs: bool = False
    all_pythons: bool = False


@lru_cache(maxsize=1 << 12)
def _public(text: str) -> str:
    return Version(text).public  # by the text: 1.0 and 1.0.0 are equal, and yet not written alike


def _tag_part(place: int) -> Callable[[Candidate], str]:
    return lambda wheel: wheel.filename.removesuffix(".whl").rsplit("-", 3)[place]


#: What a wheel says in each column of its own.
_OF_WHEEL: dict[str, Callable[[Any], str | int | None]] = {
    "version": lambda wheel: _public(wheel.filename.split("-", 2)[1]),
    "local": lambda wheel: wheel.version.local,
    "build": lambda wheel: build_text(wheel.build) or None,
    "python": _tag_part(-3),
    "abi": _tag_part(-2),
    "platform": _tag_part(-1),
    "arch": lambda wheel: wheel.directory.arch,
    "layer": lambda wheel: wheel.directory.layer,
    "rank": lambda wheel: wheel.directory.rank,
    "directory": lambda wheel: wheel.directory.label,
    "filename": lambda wheel: wheel.filename,
    "path": lambda wheel: wheel.path,
}

#: What a source archive says; it is `source` where wheels name their Python.
_OF_SOURCE: dict[str, Callable[[Any], str | int | None]] = {
    **_OF_WHEEL,
    "version": lambda archive: _public(str(archive.version)),
    **dict.fromkeys(("build", "abi", "platform"), lambda _: None),
    "python": lambda _: "source",
}

#: All columns, in the order of JSON.
COLUMNS = ("name", *_OF_WHEEL, "state", "wanted")


class Row(NamedTuple):
    """A project with a wheel of it, with several (condensed), or with none, because nothing serves.

    name:      the project, normalised.
    wheels:    most specific first; a source archive may be in the place of one.
    wanted:    of what is not available: the versions that were asked for.
    condensed: whether the row stands for all wheels of a version.
    close:     of what is not available: close names of projects, when there is no such project.
    problem:   of what is not available: that no version will do, or which lines of files want it; or empty.
    lacking:   of what is available to other hosts that are asked about: the Python and arch without it.
    """

    name: str
    wheels: tuple[Installable, ...] = ()
    wanted: str = ""
    condensed: bool = False
    close: tuple[str, ...] = ()
    problem: str = ""
    lacking: tuple[str, str] | None = None

    def value(self, column: str) -> Any:
        """What the row says in that column of `COLUMNS`: text, a number, None; condensed: a list of them."""
        if column == "name":
            return self.name
        if column == "state":
            return "available" if self.wheels else "not available"
        if column == "wanted":
            return None if self.wheels else self.wanted or "any"
        if self.lacking and column in ("python", "arch"):
            return self.lacking[column == "arch"]
        values = list(
            dict.fromkeys(
                (_OF_SOURCE if isinstance(each, SourceArchive) else _OF_WHEEL)[column](each)
                for each in self.wheels
            )
        )
        if self.condensed and column in ("python", "abi"):
            return sorted(values, key=lambda value: version_key(value or ""))
        if self.condensed and column not in ("version", "local"):  # which its wheels have in common
            return values
        return values[0] if values else None

    def to_dict(self, columns: Iterable[str] = COLUMNS) -> dict[str, Any]:
        """For JSON: *columns* and their values."""
        return {column: self.value(column) for column in columns}


def texts_of(rows: Sequence[Row], columns: Iterable[str]) -> list[tuple[str, ...]]:
    """What *rows* say in *columns*, for people: "" for nothing, `none` for no layer, several with commas."""
    plain = not any(
        row.condensed or not row.wheels or isinstance(row.wheels[0], SourceArchive) for row in rows
    )
    shown: list[list[str]] = []
    for column in columns:
        read = _OF_WHEEL.get(column)
        nothing = NO_LAYER if column == "layer" else ""
        if plain and read is not None:  # most tables, and the long ones
            values = [read(row.wheels[0]) for row in rows]
            shown.append([each if isinstance(each, str) else _text(each, nothing) for each in values])
        else:
            shown.append([_text(row.value(column), nothing if row.wheels else "") for row in rows])
    return list(zip(*shown, strict=True))


def _text(value: Any, nothing: str) -> str:
    if isinstance(value, list):
        return ",".join([_text(each, nothing) for each in value])
    return nothing if value is None else str(value)


class Listing(NamedTuple):
    """The answer.

    rows:      by name; of a project the newest version first, of a version the most specific directory.
    missing:   a row without wheels for every requirement that nothing serves.
    unmatched: the patterns that match no project with a row.
    direct:    the requirements by URL or path, each with its place: they are not looked for.
    warnings:  one line each.
    """

    rows: tuple[Row, ...]
    missing: tuple[Row, ...] = ()
    unmatched: tuple[str, ...] = ()
    direct: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def avail(wheelhouse: Tree, host: Host, wanted: Wanted, scope: Scope) -> Listing:
    """What *wheelhouse* has of what is *wanted*, as far as *host* can install it and *scope* goes.

    Unless *scope* says otherwise: of every project the newest version that pip would take, a row for each
    directory of the search path that has it, of the wheels there the one that policy prefers. The
    constraints and the `no-binary` of the site count, and those of the files in *wanted*, whose lines on one
    project count together.

    Raises what `Wheelhouse` and `Policy` raise.
    """
    files = wanted.files
    if scope.all_versions:
        files = files.merge(RequirementsFile(prereleases=True))
    policy = Policy.of(wheelhouse.site, host, files)
    applying, ignored = policy.split_by_marker((*files.requirements, *files.direct))
    requirements = together((each for each in applying if each.url is None), policy.marker_applies)
    named = {each.name for each in requirements}
    all_of_them = not (wanted.patterns or files.requirements or files.direct)
    site = wheelhouse.site
    directories = site.directories() if scope.all_archs else site.search_path(host).directories
    narrow = not (wanted.patterns or all_of_them)
    # Also of those that other hosts ask for.
    catalogue = wheelhouse.catalogue(directories, {e.name for e in files.requirements} if narrow else None)

    @cache
    def full() -> Catalogue:
        return wheelhouse.catalogue(directories) if narrow else catalogue

    selector = _Selector(catalogue, policy, scope)
    found: dict[NormalizedName, list[Installable]] = {}

    def add(name: NormalizedName, specifier: SpecifierSet, checked: bool) -> bool:
        shown = selector.shown(name, specifier, checked)
        before = found.get(name)
        found[name] = selector.in_order({*before, *shown}) if before else shown
        return bool(shown)

    matches = [(each, each.among(catalogue.projects)) for each in wanted.patterns]
    checked = len({*chain.from_iterable(names for _, names in matches)}) <= CHECKED
    if all_of_them:
        found = {name: selector.shown(name, SpecifierSet(), False) for name in catalogue.projects}
    unmatched = []
    for pattern, names in matches:
        shown = [add(name, pattern.specifier, checked or name in named) for name in names]
        unmatched += [] if any(shown) else [pattern.text]
    missing = []
    for each in requirements:
        if not add(each.name, each.specifier, True):
            known = full().files(each.name)
            close = () if known else tuple(full().close_to(each.name))
            row = Row(each.name, wanted=str(each.specifier), close=close, problem=trouble(each))
            missing.append(row)
    return Listing(
        rows=tuple([Row(name, (wheel,)) for name in sorted(found) for wheel in found[name]]),
        missing=tuple(sorted(missing)),
        unmatched=tuple(unmatched),
        direct=tuple(each.stated for each in applying if each.url is not None),
        warnings=(*policy.warnings, *dict.fromkeys(selector.warnings), *ignored),
    )


def condensed(rows: Iterable[Row]) -> list[Row]:
    """One row for each project and version of *rows*, with the wheels of all its rows; the order stays."""
    return [
        Row(name, tuple(row.wheels[0] for row in same), condensed=True)
        for (name, _), same in groupby(rows, lambda row: (row.name, row.wheels[0].version))
    ]


class _Selector:
    """Chooses among the files of one project after another."""

    def __init__(self, catalogue: Catalogue, policy: Policy, scope: Scope) -> None:
        self._catalogue = catalogue
        self._policy = policy
        self._scope = scope
        self._constrained = {each.name for each in policy.constraints}
        self.warnings: list[str] = []
        priorities: Mapping[Tag, int] = policy.priorities

        @cache
        def fits(tags: frozenset[Tag]) -> bool:
            return scope.all_pythons or any(tag in priorities for tag in tags)

        self._fits = fits

    def shown(self, project: NormalizedName, specifier: SpecifierSet, checked: bool) -> list[Installable]:
        """The files of *project* that have a row, in the order of the rows.

        *checked*: whether their METADATA is read (not for all Pythons: that would be every wheel's).
        """
        if project in self._constrained:
            specifier = self._policy.narrowed(specifier, project)
        shown: list[Installable] = []
        for builds in self._newest_first(project, specifier):
            broken = False
            if not self._scope.all_pythons:
                if checked:
                    builds, broken = self._installable(builds)
                first: dict[Directory, Installable] = {}
                for each in builds:
                    first.setdefault(each.directory, each)
                builds = list(first.values())
            shown += builds
            if (shown or broken) and not self._scope.all_versions:
                break
        if checked and shown:
            self.warnings += placeholder_note(project, shown[0].version, shown[0].path)
        return shown

    def in_order(self, candidates: Collection[Installable]) -> list[Installable]:
        """*candidates*, the best first."""
        if not self._scope.all_pythons:
            return self._policy.sort_candidates(candidates)[0] if len(candidates) > 1 else [*candidates]
        ordered = sorted(candidates, key=lambda each: (-each.directory.rank, version_key(each.path)))
        return sorted(ordered, key=attrgetter("version"), reverse=True)

    def _newest_first(self, project: NormalizedName, specifier: SpecifierSet) -> Iterator[list[Installable]]:
        """The builds of each version of *project* that *specifier* lets pass."""
        newest = None
        policy, archives = self._policy, self._catalogue.archives(project)
        if archives and not policy.allows_source(project):
            archives = ()
        links = policy.links_of(project) if project in self._constrained else []
        binary, allowed = policy.allows_binary(project), policy.prereleases_of(project)
        if binary and not (specifier or links or archives) and allowed is not False:
            # Most listings need no more than this, and to read all versions takes several times as long.
            pre = bool(allowed)
            if wheels := self._catalogue.newest(project, self._fits, prereleases=pre):
                newest = wheels[0].version
                ranks = [each.directory.rank for each in wheels]
                # One in each directory, and listed in their order: the tags and build tags have no say.
                yield [*wheels] if ranks == sorted({*ranks}, reverse=True) else self.in_order(wheels)
        candidates: list[Installable] = [*archives]
        if binary:
            candidates += self._catalogue.candidates(project, self._fits)
        if links:
            candidates, _ = split_by_links(candidates, links)
            self.warnings += [] if candidates else [linked_elsewhere(project, links)]
        for builds in builds_by_version(self.in_order(self._policy.filter_versions(candidates, specifier))):
            if builds[0].version != newest:
                yield builds

    def _installable(self, builds: list[Installable]) -> tuple[list[Installable], bool]:
        """Those *builds* of one version that pip can install, and whether it would fail there.

        pip looks at the best one only. Of the directories that other hosts search, each may hold the best for
        one of them.
        """
        if not self._scope.all_archs:
            tried = self._try(builds)
            return tried.installable, tried.breaks
        by_directory: dict[Directory, list[Installable]] = {}
        for each in builds:
            by_directory.setdefault(each.directory, []).append(each)
        return [*chain.from_iterable(self._try(each).installable for each in by_directory.values())], False

    def _try(self, builds: list[Installable]) -> TriedBuilds:
        tried = try_builds(builds, self._policy, self.warnings.append)
        self.warnings += [*tried.warnings(), *tried.stopping(self._policy)]
        return tried
