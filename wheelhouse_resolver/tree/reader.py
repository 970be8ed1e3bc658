"""From file names to candidates: which wheels of a project a host's search path holds.

A candidate is known by its name alone (the binary distribution format, PEP 427); files are opened only
by `requires_python`, for the wheel that would win.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import InvalidName, NormalizedName, canonicalize_name

from wheelhouse_resolver.errors import InvalidRequirementError
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import (
    Candidate,
    InvalidFilename,
    SourceArchive,
    VariantWheel,
    parse_archive,
    parse_candidate,
)
from wheelhouse_resolver.tree.catalogue import Catalogue

if TYPE_CHECKING:
    from wheelhouse_resolver.host.detect import Host
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.site.model import Site
    from wheelhouse_resolver.tree.index_state import IndexState

#: To look for the files of more projects than these costs more than to go through all.
_FEW = 8

#: The shape of a wheel's file name, loosely: what fits it may still not parse, what doesn't never does.
_SHAPE = re.compile(r"(?![^-]*__)[\w.]+-v?\d[^-]*(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl", re.IGNORECASE)


class Tree(NamedTuple):
    """The wheels of a site, read from its directories when asked for.

    Raises `NoWheelhouseError` from every method when the root is not there, and
    `UnreadableDirectoryError` for a directory that cannot be listed.
    """

    site: Site

    def candidates(self, project: str, host: Host) -> list[Candidate]:
        """The wheels of *project* that *host*'s search path holds, most specific directory first.

        *project* may be written in any spelling (PEP 503). Whether the host's Python can
        install them is for `pick` to decide. Raises `InvalidRequirementError` for an invalid name.
        """
        try:
            canonicalize_name(project, validate=True)
        except InvalidName as error:
            raise InvalidRequirementError(project, "not the name of a project") from error
        found = self.read(project, self.site.search_path(host).directories)
        return [each for each in found if isinstance(each, Candidate)]

    def read(self, project: str, directories: Sequence[Directory]) -> list[Candidate | InvalidFilename]:
        """The wheels of *project* in *directories*, in that order and by file name within each.

        A file whose name begins like the project's but is not valid is among them, as `InvalidFilename`.
        """
        listing.check_root(self.site)
        name = canonicalize_name(project)
        names = self.names_of([name])
        found: list[Candidate | InvalidFilename] = []
        for directory in directories:
            for filename in names(directory):
                if not filename.endswith(listing.SUFFIX):
                    continue
                each = parse_candidate(filename, directory)
                if isinstance(each, InvalidFilename) or each.name == name:
                    found.append(each)
        return found

    def catalogue(
        self, directories: Sequence[Directory], projects: Collection[NormalizedName] | None = None
    ) -> Catalogue:
        """All wheels and source archives in *directories*, each of which is listed once, now.

        Those of *projects* at least, if given: to look for a few costs less than to look at all. A file
        without a `-` in its name belongs to no project and is left out.
        """
        listing.check_root(self.site)
        by_spelling: dict[str, list[tuple[Directory, list[str]]]] = {}
        archives: dict[NormalizedName, list[SourceArchive]] = {}
        names = self.names_of(projects if projects is not None and len(projects) <= _FEW else None)
        for directory in directories:
            here: defaultdict[str, list[str]] = defaultdict(list)
            others: list[str] = []
            for filename in names(directory):
                if filename.endswith(listing.SUFFIX):
                    spelling, dash, _ = filename.partition("-")
                    if dash:
                        here[spelling].append(filename)
                elif filename.endswith(listing.ARCHIVES):
                    others.append(filename)
            for archive in (parse_archive(filename, directory) for filename in sorted(others)):
                if archive is not None:
                    archives.setdefault(archive.name, []).append(archive)
            for spelling, filenames in here.items():
                by_spelling.setdefault(spelling, []).append((directory, filenames))
        found: dict[NormalizedName, list[tuple[Directory, list[str]]]] = {}
        for spelling, files in by_spelling.items():
            found.setdefault(canonicalize_name(spelling), []).extend(files)
        if len(found) < len(by_spelling):  # spelled in several ways: back into the order of the directories
            place = {directory: number for number, directory in enumerate(directories)}
            for files in found.values():
                files.sort(key=lambda each: (place[each[0]], min(each[1])))
        return Catalogue(found, archives)

    def names_of(self, projects: Collection[NormalizedName] | None) -> Callable[[Directory], list[str]]:
        """What gives the names of the files of *projects* in a directory; None: of all."""
        return _Names(self.site, projects).of

    def misnamed(self, directories: Sequence[Directory]) -> list[InvalidFilename]:
        """All files in *directories* that end in .whl without having the shape of the name of a wheel."""
        listing.check_root(self.site)
        found = [each for directory in directories for each in wheels_in(directory, odd=True)]
        return [e for e in found if isinstance(e, InvalidFilename) and not isinstance(e, VariantWheel)]


class ListedOnce(Tree):
    """The same for one question about several hosts: a directory of several is listed once."""

    def __new__(cls, site: Site) -> ListedOnce:
        """See the class."""
        tree = super().__new__(cls, site)
        tree.known = {}
        return tree

    known: dict[tuple[frozenset[str] | None, str], list[str]]

    def names_of(self, projects: Collection[NormalizedName] | None) -> Callable[[Directory], list[str]]:
        """See `Tree.names_of`."""
        names, key = super().names_of(projects), frozenset(projects) if projects is not None else None

        def of(directory: Directory) -> list[str]:
            if (key, directory.path) not in self.known:
                self.known[key, directory.path] = names(directory)
            return self.known[key, directory.path]

        return of


def wheels_in(directory: Directory, *, odd: bool = False) -> Iterator[Candidate | InvalidFilename]:
    """What the names of wheels in *directory* say; *odd*: of those only that have no wheel name's shape."""

    def wanted(filename: str) -> bool:
        return filename.endswith(listing.SUFFIX) and not (odd and _SHAPE.fullmatch(filename))

    return (parse_candidate(filename, directory) for filename in listing.wheel_names(directory, wanted))


class _Names:
    """Names of files, of *projects* or (None) of all: as the site's index has them, where it is fresh."""

    def __init__(self, site: Site, projects: Collection[NormalizedName] | None) -> None:
        self._projects = projects
        self._wanted = _beginning(projects) if projects is not None else None
        table = index_table(site)
        self._state = None
        if table is not None:
            from wheelhouse_resolver.tree.index_state import IndexState

            self._state = IndexState.open(table.directory)

    def of(self, directory: Directory) -> list[str]:
        """Those in *directory*: of some projects sorted, of all in any order."""
        if self._state is not None and self._state.fresh(directory):
            remembered = self._remembered(self._state, directory)
            if remembered is not None:
                return remembered
        if self._projects is None or self._wanted is None:
            return listing.all_names(directory)
        return listing.wheel_names(directory, self._wanted, _initials(self._projects))

    def _remembered(self, state: IndexState, directory: Directory) -> list[str] | None:
        if self._projects is None:
            return state.all_names(directory)
        found = state.names(directory, _keys(self._projects))
        return found if found is None else [*filter(self._wanted, found)]


def _keys(names: Iterable[NormalizedName]) -> Iterator[str]:
    """What precedes the first `-` of the names of files that `_beginning` accepts, normalised.

    Source archives of old have a `-` in the project's name, and so have misnamed files.
    """
    for name in names:
        words = name.split("-")
        for number in range(len(words)):
            beginning = "-".join(words[: number + 1])
            yield from (beginning, f"{beginning}-")


def _initials(names: Iterable[NormalizedName]) -> str:
    """The characters that the files of projects of those *names* begin with."""
    return "".join({case for name in names for case in (name[0], name[0].upper())})


def _beginning(names: Iterable[NormalizedName]) -> Callable[[str], object]:
    """A test of whether a file name is that of a wheel or source archive whose project may be one of *names*.

    It runs on every name of every directory searched, so it is one compiled expression. The specification
    escapes every run of `-_.` to `_`; older tools left `.`, and a stray `-` makes a misnamed file.
    """
    spelled = "|".join("[-_.]+".join(map(re.escape, name.split("-"))) for name in names)
    return re.compile(rf"(?i:{spelled})-[^/]*\.(?:whl|tar\.gz|zip)\Z", re.ASCII).match
