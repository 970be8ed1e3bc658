"""From file names to candidates: which wheels of a project a host's search path holds.

A candidate is judged by its name alone (the binary distribution format, PEP 427); files are opened only
by `requires_python`, for the wheel that would win.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from packaging.utils import (
    BuildTag,
    InvalidName,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)

from wheelhouse_resolver import tree
from wheelhouse_resolver.errors import InvalidRequirementError

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version

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
    return parse_wheel_filename(f"{spelling}-0-py3-none-any.whl")[0]


@lru_cache(maxsize=_REMEMBERED)
def _version_of(text: str) -> Version:
    return parse_wheel_filename(f"x-{text}-py3-none-any.whl")[1]


@lru_cache(maxsize=_REMEMBERED)
def _ending_of(text: str) -> tuple[BuildTag, frozenset[Tag]]:
    return parse_wheel_filename(f"x-0-{text}")[2:]


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
        name, version, build, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        return Misnamed(filename=filename, directory=directory, problem=str(error))
    return Candidate(
        name=name,
        version=version,
        build=build,
        tags=tags,
        filename=filename,
        directory=directory,
    )


class Catalogue:
    """The wheels of some directories, listed once: for what asks about many projects.

    A project's file names are parsed when it is asked for, and not again. Made by `Wheelhouse.catalogue`.
    """

    __slots__ = ("_names", "_parsed")

    def __init__(self, names: Mapping[NormalizedName, Sequence[tuple[str, Directory]]]) -> None:
        self._names = names
        self._parsed: dict[NormalizedName, list[Candidate | Misnamed]] = {}

    @property
    def projects(self) -> list[NormalizedName]:
        """The projects that have a file, normalised and sorted."""
        return sorted(self._names)

    def files(self, project: NormalizedName) -> list[Candidate | Misnamed]:
        """The files of *project*, in the order of the directories and by name within each."""
        if project not in self._parsed:
            self._parsed[project] = [parse_candidate(*each) for each in self._names.get(project, ())]
        return self._parsed[project]

    def candidates(
        self, project: NormalizedName, fits: Callable[[frozenset[Tag]], object] | None = None
    ) -> list[Candidate]:
        """Those of its files that are wheels by their names, and whose wheel tags *fits* accepts.

        With *fits*, no more is read of the names that it turns down, and nothing is kept for the next time.
        """
        if fits is None:
            return [each for each in self.files(project) if isinstance(each, Candidate)]
        found = []
        for filename, directory in self._names.get(project, ()):
            try:
                if not fits(_ending_of(filename.split("-", 2)[2])[1]):
                    continue
            except (IndexError, ValueError):
                continue
            each = parse_candidate(filename, directory)
            if isinstance(each, Candidate):
                found.append(each)
        return found


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
        wanted: Callable[[str], object] = _ends_as_wheel
        first = None
        if projects is not None and len(projects) <= _FEW:
            wanted, first = _beginning(projects), _initials(projects)
        by_spelling: dict[str, list[tuple[str, Directory]]] = {}
        for directory in directories:
            for filename in tree.wheel_names(directory, wanted, first):
                spelling = filename.partition("-")[0]
                by_spelling.setdefault(spelling, []).append((filename, directory))
        found: dict[NormalizedName, list[tuple[str, Directory]]] = {}
        for spelling, files in by_spelling.items():
            found.setdefault(canonicalize_name(spelling), []).extend(files)
        if len(found) < len(by_spelling):  # spelled in several ways: back into the order of the directories
            place = {directory: number for number, directory in enumerate(directories)}
            for files in found.values():
                files.sort(key=lambda each: (place[each[1]], each[0]))
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


def _ends_as_wheel(filename: str) -> object:
    return filename.endswith(tree.SUFFIX) and "-" in filename


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
