"""From file names to candidates: which wheels of a project a host's search path holds.

A candidate is judged by its name alone (the binary distribution format, PEP 427); files are opened only
by `requires_python`, for the wheel that would win.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from packaging.utils import (
    BuildTag,
    InvalidName,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import Version

from wheelhouse_resolver import tree
from wheelhouse_resolver.errors import InvalidRequirementError

if TYPE_CHECKING:
    from packaging.tags import Tag

    from wheelhouse_resolver.host import Host
    from wheelhouse_resolver.pick import Pick
    from wheelhouse_resolver.site import Directory, Site

__all__ = ["Candidate", "Catalogue", "Misnamed", "Wheelhouse", "parse_candidate"]

#: How many different parts of file names are remembered, of each kind. The names of a tree are made of few:
#: 50,000 wheels have some thousand versions and projects, and some dozen build tags and tag sets.
_REMEMBERED = 1 << 15

#: To look for the files of more projects than these costs more than to go through all.
_FEW = 8

#: The shape of a wheel's file name, loosely: what fits it may still not parse, what doesn't never does.
_SHAPE = re.compile(r"(?![^-]*__)[\w.]+-v?\d[^-]*(?:-\d[^-]*)?-[^-]+-[^-]+-[^-]+\.whl", re.IGNORECASE)

#: A project as nearly all file names spell it: surely a valid one (PEP 427, "Escaping and Unicode").
_PLAIN = re.compile(r"[A-Za-z0-9]+([._][A-Za-z0-9]+)*")


class Candidate(NamedTuple):
    """A wheel in a directory of the wheelhouse.

    name:      the project, normalised (PEP 503).
    version:   PEP 440.
    build:     the build tag as (number, text); () for none.
    tags:      the wheel tags that its name spells out.
    filename:  as it stands in the directory.
    directory: where it stands, with its rank.
    """

    name: NormalizedName
    version: Version
    build: BuildTag
    tags: frozenset[Tag]
    filename: str
    directory: Directory

    @property
    def path(self) -> str:
        """The path of the file."""
        return os.path.join(self.directory.path, self.filename)

    def to_dict(self) -> dict[str, object]:
        """For JSON: name, version, filename, path, layer, arch, rank."""
        return {
            "name": self.name,
            "version": str(self.version),
            "filename": self.filename,
            "path": self.path,
            "layer": self.directory.layer,
            "arch": self.directory.arch,
            "rank": self.directory.rank,
        }


class Misnamed(NamedTuple):
    """A file that ends in .whl and whose name is no valid wheel name. *problem*: why."""

    filename: str
    directory: Directory
    problem: str

    @property
    def path(self) -> str:
        """The path of the file."""
        return os.path.join(self.directory.path, self.filename)


@lru_cache(maxsize=_REMEMBERED)
def _project_of(spelling: str) -> NormalizedName:
    if _PLAIN.fullmatch(spelling):
        return canonicalize_name(spelling)  # which is all that packaging then does, in a tenth of the time
    return parse_wheel_filename(f"{spelling}-0-py3-none-any.whl")[0]


@lru_cache(maxsize=_REMEMBERED)
def _version_of(text: str) -> Version:
    return Version(text)


@lru_cache(maxsize=_REMEMBERED)
def _ending_of(text: str) -> tuple[BuildTag, frozenset[Tag]]:
    build, tags = parse_wheel_filename(f"x-0-{text}")[2:]
    return build, _one_of(tags)


@lru_cache(maxsize=_REMEMBERED)
def _one_of(tags: frozenset[Tag]) -> frozenset[Tag]:
    """The same object for all equal sets: dictionaries find it without comparing the tags in it."""
    return tags


def parse_candidate(filename: str, directory: Directory) -> Candidate | Misnamed:
    """What the name of a file in *directory* says (packaging reads it, as pip does)."""
    try:
        # packaging reads each part once: what it says of one does not depend on the others.
        spelling, version_text, ending = filename.split("-", 2)
        build, tags = _ending_of(ending)
        return Candidate(_project_of(spelling), _version_of(version_text), build, tags, filename, directory)
    except ValueError:
        pass  # irregular: the words for what is wrong are packaging's, of the whole name
    try:
        return Candidate(*parse_wheel_filename(filename), filename, directory)
    except InvalidWheelFilename as error:
        return Misnamed(filename=filename, directory=directory, problem=str(error))


#: Whether a wheel with these tags will do.
Fits: TypeAlias = Callable[["frozenset[Tag]"], object]


#: How alike two names of projects must be to be close (difflib's ratio), and how many are told.
_ALIKE = 0.7
_MOST_CLOSE = 3


class Catalogue:
    """The wheels of some directories, listed once: for what asks about many projects.

    A project's file names are parsed when it is asked for, and not again. Made by `Wheelhouse.catalogue`.
    """

    __slots__ = ("_names", "_parsed")

    def __init__(self, names: Mapping[NormalizedName, Sequence[tuple[Directory, Sequence[str]]]]) -> None:
        self._names = names
        self._parsed: dict[NormalizedName, list[Candidate | Misnamed]] = {}

    @property
    def projects(self) -> list[NormalizedName]:
        """The projects that have a file, normalised and sorted."""
        return sorted(self._names)

    def close_to(self, name: NormalizedName) -> list[NormalizedName]:
        """The projects whose names are most like *name*, the closest first."""
        from difflib import get_close_matches

        # numpy and num-py are the same to a reader, not to PEP 503.
        squeezed = {project.replace("-", ""): project for project in reversed(self.projects)}
        near = get_close_matches(name.replace("-", ""), squeezed, n=_MOST_CLOSE, cutoff=_ALIKE)
        return [squeezed[each] for each in near]

    def files(self, project: NormalizedName) -> list[Candidate | Misnamed]:
        """The files of *project*, in the order of the directories and by name within each."""
        if project not in self._parsed:
            self._parsed[project] = [
                parse_candidate(filename, directory)
                for directory, filenames in self._names.get(project, ())
                for filename in sorted(filenames)
            ]
        return self._parsed[project]

    def candidates(self, project: NormalizedName, fits: Fits | None = None) -> list[Candidate]:
        """Those of its files that are wheels by their names, and whose wheel tags *fits* accepts.

        With *fits*, no more is read of the names that it turns down, nothing is kept for the next time, and
        those of one directory come in any order.
        """
        if fits is None:
            return [each for each in self.files(project) if isinstance(each, Candidate)]
        return _only_wheels(each for _, each in self._fitting(project, fits))

    def newest(self, project: NormalizedName, fits: Fits, *, prereleases: bool = False) -> list[Candidate]:
        """The `candidates` that *fits* accepts, of the newest version; of others next to nothing is read.

        Without *prereleases*, a pre-release is the newest only if there is no final version (PEP 440,
        "Handling of pre-releases", for those who ask for any version at all).
        """
        files: defaultdict[str, list[tuple[str, Directory]]] = defaultdict(list)
        for version, file in self._fitting(project, fits):
            files[version].append(file)
        while files:
            newest = max(map(_version_of, files))
            if newest.is_prerelease and not prereleases:
                final = [each for each in map(_version_of, files) if not each.is_prerelease]
                newest = max(final, default=newest)
            same = [version for version in files if _version_of(version) == newest]
            if found := _only_wheels(chain(*map(files.pop, same))):
                return found
        return []

    def _fitting(self, project: NormalizedName, fits: Fits) -> Iterator[tuple[str, tuple[str, Directory]]]:
        """The text of the version, and the file, of each name whose tags *fits* accepts."""
        for directory, filenames in self._names.get(project, ()):
            for filename in filenames:
                try:
                    _, version, ending = filename.split("-", 2)
                    if fits(_ending_of(ending)[1]):
                        _version_of(version)
                        yield version, (filename, directory)
                except ValueError:  # no wheel name
                    continue


def _only_wheels(files: Iterable[tuple[str, Directory]]) -> list[Candidate]:
    return [each for file in files if isinstance(each := parse_candidate(*file), Candidate)]


class Wheelhouse(NamedTuple):
    """The wheels of a site, read from its directories when asked for.

    Raises `NoWheelhouseError` from every method when the root is not there, and
    `UnreadableDirectoryError` for a directory that cannot be listed.
    """

    site: Site

    def candidates(self, project: str, host: Host) -> list[Candidate]:
        """The wheels of *project* that *host*'s search path holds, most specific directory first.

        *project* may be written in any spelling (PEP 503). Whether the host's Python can
        install them is not asked here, but by `pick`. Raises `InvalidRequirementError` for what is no name.
        """
        try:
            canonicalize_name(project, validate=True)
        except InvalidName as error:
            raise InvalidRequirementError(project, "not the name of a project") from error
        found = self.read(project, self.site.search_path(host).directories)
        return [each for each in found if isinstance(each, Candidate)]

    def read(self, project: str, directories: Sequence[Directory]) -> list[Candidate | Misnamed]:
        """The wheels of *project* in *directories*, in that order and by file name within each.

        A file whose name begins like the project's but is no wheel name is among them as `Misnamed`.
        """
        tree.check_root(self.site)
        name = canonicalize_name(project)
        begins = _beginning([name])
        found: list[Candidate | Misnamed] = []
        for directory in directories:
            for filename in tree.wheel_names(directory, begins, _initials([name])):
                each = parse_candidate(filename, directory)
                if isinstance(each, Misnamed) or each.name == name:
                    found.append(each)
        return found

    def catalogue(
        self, directories: Sequence[Directory], projects: Collection[NormalizedName] | None = None
    ) -> Catalogue:
        """All wheels in *directories*, each of which is listed once, now.

        Those of *projects* at least, if given: to look for a few costs less than to look at all. A file
        without a `-` in its name belongs to no project and is left out.
        """
        tree.check_root(self.site)
        by_spelling: dict[str, list[tuple[Directory, list[str]]]] = {}
        for directory in directories:
            here: defaultdict[str, list[str]] = defaultdict(list)
            if projects is not None and len(projects) <= _FEW:
                filenames = tree.wheel_names(directory, _beginning(projects), _initials(projects))
            else:
                filenames = tree.all_names(directory)
            for filename in filenames:
                spelling, dash, _ = filename.partition("-")
                if dash and filename.endswith(tree.SUFFIX):
                    here[spelling].append(filename)
            for spelling, filenames in here.items():
                by_spelling.setdefault(spelling, []).append((directory, filenames))
        found: dict[NormalizedName, list[tuple[Directory, list[str]]]] = {}
        for spelling, files in by_spelling.items():
            found.setdefault(canonicalize_name(spelling), []).extend(files)
        if len(found) < len(by_spelling):  # spelled in several ways: back into the order of the directories
            place = {directory: number for number, directory in enumerate(directories)}
            for files in found.values():
                files.sort(key=lambda each: (place[each[0]], min(each[1])))
        return Catalogue(found)

    def misnamed(self, directories: Sequence[Directory]) -> list[Misnamed]:
        """All files in *directories* that end in .whl without having the shape of a wheel's name."""
        tree.check_root(self.site)

        def odd(filename: str) -> bool:
            return filename.endswith(tree.SUFFIX) and not _SHAPE.fullmatch(filename)

        found = [
            parse_candidate(filename, directory)
            for directory in directories
            for filename in tree.wheel_names(directory, odd)
        ]
        return [each for each in found if isinstance(each, Misnamed)]

    def pick(self, requirement: str, host: Host) -> Pick:
        """The wheel that policy chooses for *requirement* on *host*, and why it chose no other.

        See `wheelhouse_resolver.pick.pick`, which this calls with this wheelhouse.
        """
        from wheelhouse_resolver.pick import pick

        return pick(self, requirement, host)


def _initials(names: Iterable[NormalizedName]) -> str:
    """The characters that the files of projects of those *names* begin with."""
    return "".join({case for name in names for case in (name[0], name[0].upper())})


def _beginning(names: Iterable[NormalizedName]) -> Callable[[str], object]:
    """A test of whether a file name is that of a wheel whose project may be one of *names*.

    It runs on every name of every directory searched, so it is one compiled expression. The specification
    escapes every run of `-_.` to `_`; older tools left `.`, and a stray `-` makes a misnamed file.
    """
    spelled = "|".join("[-_.]+".join(map(re.escape, name.split("-"))) for name in names)
    return re.compile(rf"(?i:{spelled})-[^/]*\.whl\Z", re.ASCII).match
