"""Progress of long work: a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from wheelhouse_resolver.cli import output
from wheelhouse_resolver.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tqdm import tqdm

    from wheelhouse_resolver.builder.planning.model import Entry, Key
    from wheelhouse_resolver.builder.run import BuildOutcome

T = TypeVar("T")

#: How much is shown of the end of a failed build's log (lines).
_TAIL_LINES = 5


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty()


def _tqdm() -> type[tqdm[Any]]:
    from tqdm import tqdm

    # Its thread that watches over stalled bars would be in the way of forking.
    tqdm.monitor_interval = 0
    return tqdm


class _Advance(Protocol):
    """Moves a bar."""

    def __call__(self, done: int, total: int, rounds: int = 0) -> None: ...


def progress(items: Iterable[T], what: str, total: int) -> Iterable[T]:
    """*items*, with a bar on stderr if that is a terminal and there are several."""
    return items if total < 2 or not _on_terminal() else _moving(items, what, total)


def _moving(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    found = _tqdm()(items, desc=what, total=total, leave=False, unit="wheel")
    with output.on_screen(found):
        yield from found


@contextmanager
def bar(what: str, unit: str = "wheel") -> Iterator[_Advance | None]:
    """A bar, and what moves it to so many of that many in so many rounds; None if stderr is no terminal.

    *unit*: what is counted.
    """
    if not _on_terminal():
        yield None
        return
    with _tqdm()(desc=what, leave=False, unit=unit) as found, output.on_screen(found):

        def advance(done: int, total: int, rounds: int = 0) -> None:
            found.total = total
            if rounds:
                found.set_postfix_str(f"{rounds} rounds", refresh=done == found.n)
            found.update(done - found.n)

        yield advance


class BuildProgress:
    """The progress of builds (a `BuildReporter`): a line for each that ends, on stderr.

    On a terminal also a bar with what runs, and in which phase, read from the builds' logs in the directory
    *logs*. *work*: what is done, such as `building`. *outcomes*: all that have ended.
    """

    def __init__(self, logs: str, work: str) -> None:
        self._work = work
        self.outcomes: list[BuildOutcome] = []
        self._logs = logs
        self._running: dict[Key, Entry] = {}
        self._starts: dict[Key, int] = {}
        self._bar: tqdm[Any] | None = None

    def say(self, what: str) -> None:
        """Print what is being done before there is anything to count."""
        output.say(printable(what), error=True)

    @contextmanager
    def of(self, total: int) -> Iterator[None]:
        """Show the progress of *total* builds."""
        if not _on_terminal():
            yield
            return
        with (
            _tqdm()(desc=self._work, total=total, leave=False, unit="build") as self._bar,
            output.on_screen(self._bar),
        ):
            try:
                yield
            finally:
                self._bar = None

    def began(self, entries: Sequence[Entry]) -> None:
        """See `BuildReporter.began`."""
        self._running = {entry.key: entry for entry in entries}
        self.waiting()

    def started(self, entry: Entry, log: str) -> None:
        """See `BuildReporter.started`."""
        attempt = self._starts[entry.key] = self._starts.get(entry.key, 0) + 1
        again = f" again (attempt {attempt})" if attempt > 1 else ""
        self._line(f"{self._work} {entry.label}{again}, log: {log}")

    def held(self, entries: Sequence[Entry], why: str) -> None:
        """See `BuildReporter.held`."""
        more = f" and {len(entries) - 1} more" if entries[1:] else ""
        self._line(f"held: {entries[0].label}{more}: {why}")

    def ended(self, outcome: BuildOutcome) -> None:
        """See `BuildReporter.ended`."""
        self._running.pop(outcome.entry.key, None)
        self.outcomes.append(outcome)
        took = f" ({outcome.seconds:.0f} s)" if outcome.seconds else ""
        self._line(f"{outcome.result} {outcome.entry.label}{took}")
        for note in outcome.record.notes if outcome.record is not None else ():
            self._line(f"  note: {note}")
        if not outcome.ok:
            self._line(f"  {outcome.problem}")
            for line in outcome.tail[-_TAIL_LINES:]:
                self._line(f"  | {line}")
            if outcome.log:
                self._line(f"  log: {outcome.log}")
        if self._bar is not None:
            self._bar.update()

    def published(self, outcome: BuildOutcome) -> None:
        """See `BuildReporter.published`."""
        for number, each in enumerate(self.outcomes):
            if each.entry.key == outcome.entry.key:
                self.outcomes[number] = outcome
        for path in outcome.places:
            self._line(f"{'published' if path in outcome.placed else 'present'} {path}")
        if not outcome.ok:
            self._line(f"failed {outcome.entry.label}: {outcome.problem}")

    def waiting(self) -> None:
        """See `BuildReporter.waiting`."""
        if self._bar is not None:
            from wheelhouse_resolver.builder.records.job import phase_of

            failed = sum(not outcome.ok for outcome in self.outcomes)
            parts = [f"{failed} failed"] if failed else []
            parts += [
                f"{entry.label}: {phase}"
                for entry in self._running.values()
                if (phase := phase_of(entry.job, self._logs))
            ]
            self._bar.set_postfix_str(printable("; ".join(parts)))

    def _line(self, text: str) -> None:
        output.say(printable(text), error=True)
