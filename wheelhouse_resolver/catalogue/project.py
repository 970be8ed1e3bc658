"""What the catalogue says of one project: its row of the first page, and what its own page shows. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from packaging.requirements import InvalidRequirement
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.catalogue.facts import WheelFacts
from wheelhouse_resolver.selection.available import Row
from wheelhouse_resolver.selection.reasons import python_labels
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER, HostKind
from wheelhouse_resolver.tree.candidate import Candidate, Installable, SourceArchive
from wheelhouse_resolver.utils.text import version_key
from wheelhouse_resolver.wheelfile.parsing import parsed_requirement


class Entry(NamedTuple):
    """The row of a project on the first page; its files in all versions say what it is for.

    placed: when the newest version was (s). imports: the names to import it by, where they are not its name.
    needs:  the projects that it requires.
    """

    name: str
    version: str
    summary: str
    imports: tuple[str, ...]
    layers: tuple[str, ...]
    archs: tuple[str, ...]
    pythons: tuple[str, ...]
    placed: int
    needs: tuple[str, ...] = ()

    @classmethod
    def of(cls, data: Sequence[Any]) -> Entry:
        """The one that JSON holds as *data*. Raises `TypeError`."""
        fields: list[Any] = [tuple(each) if isinstance(each, list) else each for each in data]
        return cls(*fields)


class ProjectFiles(NamedTuple):
    """The files of one project, newest version first and of a version the most specific directory.

    placed: when each was (s). newest: the version that the page is about; a pre-release if there is no other.
    """

    name: str
    files: tuple[Installable, ...]
    placed: Mapping[Installable, int]
    newest: Version

    @classmethod
    def of(cls, name: str, placed: Mapping[Installable, int]) -> ProjectFiles:
        """Those that were *placed* then."""
        files = sorted(placed, key=lambda each: (-each.directory.rank, version_key(each.path)))
        files.sort(key=lambda each: each.version, reverse=True)
        final = [each.version for each in files if not each.version.is_prerelease]
        return cls(name, tuple(files), placed, final[0] if final else files[0].version)

    @property
    def of_newest(self) -> list[Installable]:
        """Those of the newest version."""
        return [each for each in self.files if each.version == self.newest]

    @property
    def shown(self) -> list[Candidate]:
        """The wheels of the newest version that are opened: one of each directory, for the newest Python."""
        by_directory = {
            each.directory: each
            for each in sorted(self.of_newest, key=lambda each: version_key(each.filename))
            if isinstance(each, Candidate)
        }
        return sorted(by_directory.values(), key=lambda each: -each.directory.rank)

    @property
    def in_question(self) -> list[str]:
        """The paths of the wheels whose METADATA hosts may ask for: the newest of each directory and kind."""
        wheels = [each for each in reversed(self.files) if isinstance(each, Candidate)]
        return [each.path for each in {(each.directory, each.tags): each for each in wheels}.values()]

    def rows(self) -> list[dict[str, Any]]:
        """What `avail --all` has of it."""
        return [Row(self.name, (each,)).to_dict() for each in self.files]

    def entry(self, facts: WheelFacts) -> Entry:
        """Its row, with what its best wheel says."""
        archs = {each.directory.arch: each.directory.rank for each in reversed(self.files)}
        imports = tuple(each for each in facts.imports[:20] if _plain(each) != _plain(self.name))
        return Entry(
            self.name,
            str(self.newest),
            facts.summary,
            imports,
            tuple(sorted({each.directory.layer or NO_LAYER for each in self.files})),
            tuple(sorted(archs, key=lambda each: archs[each])),
            tuple(pythons_of(self.files)),
            max(self.placed[each] for each in self.of_newest),
            tuple(sorted({name for _, name in required(facts) if name})),
        )

    def matrix(self, kinds: Sequence[HostKind]) -> list[tuple[str, list[str]]]:
        """Of each version: for which Pythons each of *kinds* of hosts has a wheel or archive of it."""
        by_version: dict[Version, list[Installable]] = defaultdict(list)
        for each in self.files:
            by_version[each.version].append(each)
        searched = [{each.path for each in kind.search_path} for kind in kinds]
        return [
            (
                str(version),
                [", ".join(pythons_of(e for e in files if e.directory.path in paths)) for paths in searched],
            )
            for version, files in by_version.items()
        ]


def _plain(name: str) -> str:
    return canonicalize_name(name).replace("-", "")


def pythons_of(files: Iterable[Installable]) -> list[str]:
    """The Pythons that *files* are for, oldest first: `3.11`, `3.8+`, `source` of an archive."""
    tags: set[Tag] = set()
    archive = False
    for each in files:
        if isinstance(each, SourceArchive):
            archive = True
        else:
            tags |= each.tags
    return [each.replace(" and newer", "+") for each in python_labels(tags)] + ["source"] * archive


def required(facts: WheelFacts) -> list[tuple[str, str]]:
    """What the wheel requires: each text, with the name of the project; empty where it is invalid."""
    found = []
    for text in facts.requires:
        try:
            found.append((text, str(canonicalize_name(parsed_requirement(text).name))))
        except InvalidRequirement:
            found.append((text, ""))
    return found


def title_of(kind: HostKind) -> str:
    """*kind* for the head of a column."""
    return f"no layer ({GENERIC})" if kind.layer is None else kind.label
