"""Progress of long work: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["Advance", "bar", "shown"]

T = TypeVar("T")


class Advance(Protocol):
    """Tells the bar that *done* of *total* are done."""

    def __call__(self, done: int, total: int) -> None:
        """Show it."""


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _tqdm() -> type[tqdm[Any]]:
    from tqdm import tqdm

    # Its thread that watches over stalled bars would be in the way of forking.
    tqdm.monitor_interval = 0
    return tqdm


def shown(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """*items*, with a bar on stderr if that is a terminal and there are several."""
    if total < 2 or not _on_terminal():
        yield from items
        return
    tqdm = _tqdm()
    yield from tqdm(items, desc=what, total=total, leave=False, unit="wheel")


@contextmanager
def bar(what: str) -> Iterator[Advance | None]:
    """Something to tell progress to, if stderr is a terminal."""
    if not _on_terminal():
        yield None
        return
    tqdm = _tqdm()
    with tqdm(desc=what, leave=False, unit="wheel") as shown_bar:

        def advance(done: int, total: int) -> None:
            shown_bar.total = total
            shown_bar.update(done - shown_bar.n)

        yield advance
