"""Progress of long work: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

__all__ = ["Advance", "bar", "shown"]

T = TypeVar("T")


class Advance(Protocol):
    """Tells the bar that *done* of *total* are done."""

    def __call__(self, done: int, total: int) -> None:
        """Show it."""


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def shown(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """*items*, with a bar on stderr if that is a terminal and there are several."""
    if total < 2 or not _on_terminal():
        yield from items
        return
    from tqdm import tqdm

    yield from tqdm(items, desc=what, total=total, leave=False, unit="wheel")


@contextmanager
def bar(what: str) -> Iterator[Advance | None]:
    """Something to tell progress to, if stderr is a terminal."""
    if not _on_terminal():
        yield None
        return
    from tqdm import tqdm

    with tqdm(desc=what, leave=False, unit="wheel") as shown_bar:

        def advance(done: int, total: int) -> None:
            shown_bar.total = total
            shown_bar.update(done - shown_bar.n)

        yield advance
