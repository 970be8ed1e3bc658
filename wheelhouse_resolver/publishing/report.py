"""What publishing did to the tree, and how a caller hears of it as it happens."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from wheelhouse_resolver.errors import OutputError, WheelhouseError
from wheelhouse_resolver.publishing.order import WrongOrder
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError

T = TypeVar("T")


class FileChange(NamedTuple):
    """What became of one file.

    source: the file that it was made or moved from. path: where it is now.
    result: `placed`, `present` (it was there already), `replaced`, `stamped` (in the place of its source),
            `withdrawn`, `restored`, `removed` (for good); of a dry run `planned`.
    source_id: the `trash.file_id` of the source when it was read.
    """

    source: str
    path: str
    result: str
    source_id: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON: source, path, result."""
        plain: dict[str, Any] = to_plain(self, "source", "path", "result")
        return plain


class Totals(NamedTuple):
    """What restamping a tree is about, and what it leaves.

    wheels:   how many get another name.
    current:  how many have their stamps already.
    size:     of the wheels that are rewritten (bytes).
    seconds:  how long that took; of a dry run, how long it would take. None: not known.
    measured: how that is known.
    left:     where installers' order differs from policy all the same, as `audit` then reports it.
    """

    wheels: int
    current: int
    size: int
    seconds: float | None
    measured: str
    left: tuple[WrongOrder, ...]


class PublishReport(NamedTuple):
    """What a run did.

    changes: in their order. errors: what failed. refused: wheels that are not sound; then nothing is placed.
    totals:  of `restamp`.
    """

    changes: tuple[FileChange, ...] = ()
    errors: tuple[WheelhouseError, ...] = ()
    refused: tuple[InvalidWheelError, ...] = ()
    totals: Totals | None = None

    @property
    def ok(self) -> bool:
        """Whether all that was asked for is done."""
        return not (self.errors or self.refused)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: changes, errors, refused, totals."""
        plain: dict[str, Any] = to_plain(self, "changes", "errors", "refused", "totals")
        return plain


class PublishObserver:
    """Hears of a run as it goes on; the report has the same at the end. This one ignores it all."""

    def progress(self, items: Collection[T], what: str) -> Iterable[T]:
        """*items*, each of which is worked on as it is taken; *what*: such as `checking`."""
        del what
        return items

    def changed(self, change: FileChange) -> None:
        """A file is in its place (or would be, in a dry run)."""

    def failed(self, error: WheelhouseError) -> None:
        """One file failed; the run goes on with the others."""


class Recorder:
    """Collects what happens for the report, and passes it on to the observer."""

    def __init__(self, observer: PublishObserver | None) -> None:
        self.changes: list[FileChange] = []
        self.observer = observer or PublishObserver()
        self._errors: list[WheelhouseError] = []

    def changed(self, change: FileChange) -> None:
        """Note *change*."""
        self.changes.append(change)
        self.observer.changed(change)

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Note an error about one file, and go on; but not when the disk is full or read-only."""
        try:
            yield
        except OutputError:
            raise  # the next file would fare no better
        except WheelhouseError as error:
            self._errors.append(error)
            self.observer.failed(error)

    def report(self) -> PublishReport:
        """What happened."""
        return PublishReport(tuple(self.changes), tuple(self._errors))
