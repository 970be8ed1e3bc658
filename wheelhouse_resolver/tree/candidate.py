"""From a file name to a candidate."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from packaging.utils import (
    BuildTag,
    NormalizedName,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.wheelfile.tags import parse_wheel_name

if TYPE_CHECKING:
    from packaging.tags import Tag

    from wheelhouse_resolver.site.layout import Directory

#: How many different parts of file names are remembered, of each kind. The names of a tree are made of few:
#: 50,000 wheels have some thousand versions and projects, and some dozen build tags and tag sets.
_REMEMBERED = 1 << 15

#: A project as nearly all file names spell it: surely a valid one (PEP 427, "Escaping and Unicode").
_PLAIN = re.compile(r"[A-Za-z0-9]+([._][A-Za-z0-9]+)*")


class Candidate(NamedTuple):
    """A wheel in a directory of the wheelhouse.

    name:      the project, normalised (PEP 503).
    version:   PEP 440.
    build:     the build tag as (number, text); () for none.
    tags:      the wheel tags that its name spells out.
    filename:  the file's name.
    directory: where it is, with its rank.
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
        own = to_plain(self, "name", "version", "filename")
        return {**own, **self.directory.to_dict(), "path": self.path}


class InvalidFilename(NamedTuple):
    """A file that ends in .whl and whose name is not a valid wheel file name. *problem*: why."""

    filename: str
    directory: Directory
    problem: str

    @property
    def path(self) -> str:
        """The path of the file."""
        return os.path.join(self.directory.path, self.filename)


class VariantWheel(InvalidFilename):
    """A wheel for some hosts only, by its variant label (PEP 825). *problem*: what installers do with it."""

    __slots__ = ()


class SourceArchive(NamedTuple):
    """A source archive in a directory of the wheelhouse, which pip and uv build where no wheel outranks it.

    What it requires, of Python too, is known only once it has been built.

    name:      the project, normalised (PEP 503).
    version:   PEP 440.
    filename:  the file's name.
    directory: where it is.
    """

    name: NormalizedName
    version: Version
    filename: str
    directory: Directory

    @property
    def path(self) -> str:
        """The path of the file."""
        return os.path.join(self.directory.path, self.filename)

    def to_dict(self) -> dict[str, object]:
        """For JSON: kind (`source`), name, version, filename, path, layer, arch, rank."""
        own = to_plain(self, "name", "version", "filename")
        return {"kind": "source", **own, **self.directory.to_dict(), "path": self.path}


#: What an installer can take, if it is the right one.
Installable: TypeAlias = Candidate | SourceArchive

#: A file of the tree that belongs to a project.
TreeFile: TypeAlias = Candidate | InvalidFilename | SourceArchive


@lru_cache(maxsize=_REMEMBERED)
def _project_of(spelling: str) -> NormalizedName:
    if _PLAIN.fullmatch(spelling):
        return canonicalize_name(spelling)  # which is all that packaging then does, in a tenth of the time
    return parse_wheel_filename(f"{spelling}-0-py3-none-any.whl")[0]


@lru_cache(maxsize=_REMEMBERED)
def version_of(text: str) -> Version:
    """The version that *text* spells. Raises `InvalidVersion`."""
    return Version(text)


@lru_cache(maxsize=_REMEMBERED)
def ending_of(text: str) -> tuple[BuildTag, frozenset[Tag]]:
    """The build tag and the wheel tags of a file name that ends in *text*. Raises `InvalidWheelFilename`."""
    build, tags = parse_wheel_name(f"x-0-{text}")[2:]
    return build, _one_of(tags)


@lru_cache(maxsize=_REMEMBERED)
def _one_of(tags: frozenset[Tag]) -> frozenset[Tag]:
    """The same object for all equal sets: dictionaries find it without comparing the tags in it."""
    return tags


def parse_candidate(filename: str, directory: Directory) -> Candidate | InvalidFilename:
    """What the name of a file in *directory* says (packaging reads it, as pip does)."""
    try:
        # packaging reads each part once: what it says of one does not depend on the others.
        spelling, version_text, ending = filename.split("-", 2)
        build, tags = ending_of(ending)
        return Candidate(_project_of(spelling), version_of(version_text), build, tags, filename, directory)
    except ValueError:
        pass  # irregular: the words for what is wrong are packaging's, of the whole name
    try:
        return Candidate(*parse_wheel_name(filename), filename, directory)
    except ValueError as error:
        from wheelhouse_resolver.wheelfile.name import VariantName

        if variant := VariantName.parse(filename):
            return VariantWheel(filename, directory, variant.problem)
        problem = str(error).replace("Invalid wheel filename", "invalid wheel file name", 1)
        return InvalidFilename(filename=filename, directory=directory, problem=problem)


def parse_archive(filename: str, directory: Directory) -> SourceArchive | None:
    """The source archive of that name in *directory*; None if no installer takes it for one.

    packaging reads it, as pip does: since PEP 625 the project ends at the last `-`.
    """
    try:
        return SourceArchive(*parse_sdist_filename(filename), filename, directory)
    except ValueError:
        return None
