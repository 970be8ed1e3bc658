"""From file names to candidates: which wheels of a project a host's search path holds.

A candidate is judged by its name alone (the binary distribution format, PEP 427); files are opened only
by `requires_python`, for the wheel that would win.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
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

__all__ = ["Candidate", "Misnamed", "Wheelhouse", "parse_candidate"]

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


def parse_candidate(filename: str, directory: Directory) -> Candidate | Misnamed:
    """What the name of a file in *directory* says (packaging reads it, as pip does)."""
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
        begins = _beginning(name)
        found: list[Candidate | Misnamed] = []
        for directory in directories:
            for filename in tree.wheel_names(directory, begins, name[0] + name[0].upper()):
                each = parse_candidate(filename, directory)
                if isinstance(each, Misnamed) or each.name == name:
                    found.append(each)
        return found

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


def _beginning(name: NormalizedName) -> Callable[[str], object]:
    """A test of whether a file name is that of a wheel whose project may be *name*.

    It runs on every name of every directory searched, so it is one compiled expression. The specification
    escapes every run of `-_.` to `_`; older tools left `.`, and a stray `-` makes a misnamed file.
    """
    spelled = "[-_.]+".join(re.escape(part) for part in name.split("-"))
    return re.compile(rf"(?i:{spelled})-[^/]*\.whl\Z", re.ASCII).match
