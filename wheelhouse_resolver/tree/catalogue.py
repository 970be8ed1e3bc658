"""The files of some directories, listed once: for what asks about many projects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse_resolver.tree.candidate import (
    Candidate,
    InvalidFilename,
    SourceArchive,
    TreeFile,
    ending_of,
    parse_candidate,
    version_of,
)

if TYPE_CHECKING:
    from packaging.tags import Tag

    from wheelhouse_resolver.site.layout import Directory

#: Whether a wheel with these tags will do.
Fits: TypeAlias = Callable[["frozenset[Tag]"], object]

#: How alike two names of projects must be to be close (difflib's ratio), and how many are given.
_ALIKE = 0.7

_MOST_CLOSE = 3


class Catalogue:
    """The wheels and source archives of some directories, listed once: for what asks about many projects.

    A project's file names are parsed when it is asked for, and not again. Made by `Tree.catalogue`.
    """

    __slots__ = ("_archives", "_names", "_parsed", "_squeezed")

    def __init__(
        self,
        names: Mapping[NormalizedName, Sequence[tuple[Directory, Sequence[str]]]],
        archives: Mapping[NormalizedName, Sequence[SourceArchive]],
    ) -> None:
        self._names = names
        self._archives = archives
        self._parsed: dict[NormalizedName, list[TreeFile]] = {}
        self._squeezed: dict[str, tuple[NormalizedName, int]] = {}

    @property
    def projects(self) -> list[NormalizedName]:
        """The projects that have a file, normalised and sorted."""
        return sorted({*self._names, *self._archives})

    def close_to(self, name: NormalizedName) -> list[NormalizedName]:
        """The projects whose names are most like *name*, the closest first."""
        from difflib import get_close_matches

        if not self._squeezed:
            # numpy and num-py are the same to a reader, not to PEP 503.
            for project in reversed(self.projects):
                text = project.replace("-", "")
                self._squeezed[text] = (project, _letters(text))
        wanted = name.replace("-", "")
        own = _letters(wanted)
        # difflib takes long for each: it is asked about those alone that share letters enough.
        possible = [
            text
            for text, (_, letters) in self._squeezed.items()
            if 2 * min(len(wanted) - (own & ~letters).bit_count(), len(text) - (letters & ~own).bit_count())
            >= _ALIKE * (len(wanted) + len(text))
        ]
        near = get_close_matches(wanted, possible, n=_MOST_CLOSE, cutoff=_ALIKE)
        return [self._squeezed[each][0] for each in near]

    def files(self, project: NormalizedName) -> list[TreeFile]:
        """The files of *project*, in the order of the directories and by name within each.

        A file whose name has a stray `-` within the project's is an `InvalidFilename` among the last of them,
        before the source archives.
        """
        if project not in self._parsed:
            self._parsed[project] = [
                parse_candidate(filename, directory)
                for directory, filenames in self._names.get(project, ())
                for filename in sorted(filenames)
            ]
            self._parsed[project] += self._with_stray_dashes(project)
            self._parsed[project] += self.archives(project)
        return self._parsed[project]

    def versions(self, project: NormalizedName) -> set[str]:
        """The versions that the names of its wheels spell, as they spell them, and those of its archives."""
        found = {
            filename.split("-", 2)[1]
            for _, filenames in self._names.get(project, ())
            for filename in filenames
        }
        return found | {str(each.version) for each in self.archives(project)}

    def archives(self, project: NormalizedName) -> Sequence[SourceArchive]:
        """Those of its files that are source archives."""
        return self._archives.get(project, ())

    def _with_stray_dashes(self, project: NormalizedName) -> Iterator[InvalidFilename]:
        """The files of *project* that are listed under the part of its name before a `-`."""
        words = project.split("-")
        for number in range(1, len(words)):
            for directory, filenames in self._names.get(NormalizedName("-".join(words[:number])), ()):
                for filename in sorted(filenames):
                    if canonicalize_name(filename).startswith(f"{project}-"):
                        file = parse_candidate(filename, directory)
                        if isinstance(file, InvalidFilename):
                            yield file

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
            newest = max(map(version_of, files))
            if newest.is_prerelease and not prereleases:
                final = [each for each in map(version_of, files) if not each.is_prerelease]
                newest = max(final, default=newest)
            same = [version for version in files if version_of(version) == newest]
            if found := _only_wheels(chain(*map(files.pop, same))):
                return found
        return []

    def _fitting(self, project: NormalizedName, fits: Fits) -> Iterator[tuple[str, tuple[str, Directory]]]:
        """The text of the version, and the file, of each name whose tags *fits* accepts."""
        for directory, filenames in self._names.get(project, ()):
            for filename in filenames:
                try:
                    _, version, ending = filename.split("-", 2)
                    if fits(ending_of(ending)[1]):
                        version_of(version)
                        yield version, (filename, directory)
                except ValueError:  # not the name of a wheel
                    continue


def _only_wheels(files: Iterable[tuple[str, Directory]]) -> list[Candidate]:
    return [each for file in files if isinstance(each := parse_candidate(*file), Candidate)]


def _letters(text: str) -> int:
    """Which characters *text* has, a bit each."""
    found = 0
    for char in text:
        found |= 1 << ord(char) % 128
    return found
