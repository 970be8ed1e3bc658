"""What writing an index did, and how a caller hears of it as it happens."""

from __future__ import annotations

from typing import Any, NamedTuple

from wheelhouse_resolver.utils.serialise import to_plain


class LeftOut(NamedTuple):
    """A file that is on no page. *problem*: why."""

    path: str
    problem: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON: path, problem."""
        return {"path": self.path, "problem": self.problem}


class IndexReport(NamedTuple):
    """What a run did.

    output:   the directory of the index.
    classes:  how many kinds of hosts it has pages for.
    projects: how many projects have pages. files: how many wheels and source archives are sound.
              Neither is counted where some projects were asked for.
    read:     how many files were read; the others are as they were.
    written:  how many pages; one that is equal for several classes counts for each of them.
    removed:  how many pages.
    left_out: the files that no page may list; when some projects were asked for, of these.
    metadata: how many `.metadata` files are beside wheels that were not asked for.
    """

    output: str
    classes: int = 0
    projects: int = 0
    files: int = 0
    read: int = 0
    written: int = 0
    removed: int = 0
    left_out: tuple[LeftOut, ...] = ()
    metadata: int = 0

    @property
    def ok(self) -> bool:
        """Whether all files are on pages."""
        return not self.left_out

    def to_dict(self) -> dict[str, Any]:
        """For JSON: all of it."""
        plain: dict[str, Any] = to_plain(self, *self._fields)
        return plain


class IndexObserver:
    """Hears of a run as it goes on; the report has the same at the end. This one ignores it all."""

    def progress(self, done: int, total: int) -> None:
        """So many files of those that have to be read are read."""

    def waiting(self) -> None:
        """Another run writes the index; this one waits for it."""
