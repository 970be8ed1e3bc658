"""What commands write to standard output and standard error; what cannot be written there is noticed.

Python by itself writes what is left in its buffers when it exits: too late for an exit code and a message of
ours.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TextIO, TypeVar

from wheelhouse_resolver.errors import OutputError, WheelhouseError, printable, reason_of


class Stream(io.FileIO):
    """The descriptor of an output stream. After the first write that fails, all goes to the null device.

    So a command runs to its end, and what it does is done, whoever reads. *problem*: why it could not be
    written; None also when the reader closed its end of a pipe (`| head`): that one has seen enough.
    """

    def __init__(self, descriptor: int, called: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._called = called
        self.problem: OutputError | None = None

    def write(self, data: object) -> int:
        """See `io.RawIOBase.write`; raises nothing."""
        try:
            return super().write(data)  # type: ignore[arg-type]
        except BrokenPipeError:
            pass
        except OSError as error:
            self.problem = OutputError(self._called, reason_of(error))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)
        return memoryview(data).nbytes  # type: ignore[arg-type]


def guarded(stream: TextIO | None, called: str) -> tuple[TextIO | None, Stream | None]:
    """*stream* of this process, writing through a `Stream`, and that one; None where it is closed.

    What a test or another program has put in its place stays as it is.
    """
    if stream not in (sys.__stdout__, sys.__stderr__) or not isinstance(stream, io.TextIOWrapper):
        return stream, None
    raw = Stream(stream.fileno(), called)
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        # With PYTHONUNBUFFERED, a line is the least that is written.
        line_buffering=stream.line_buffering or stream.write_through,
    )
    return text, raw


class Bar(Protocol):
    """A progress bar on the terminal, which lines have to go around (as `tqdm`)."""

    def write(self, text: str, file: Any = None) -> None:
        """Write a line above it."""

    def close(self) -> None:
        """Take it off the screen."""


#: The bar that is on the screen, if there is one.
_bars: list[Bar] = []


@contextmanager
def on_screen(bar: Bar) -> Iterator[None]:
    """Within this, lines go above *bar*."""
    _bars.append(bar)
    try:
        yield
    finally:
        close_bars()


def close_bars() -> None:
    """Take the bar off the screen: what comes now is the last."""
    while _bars:
        _bars.pop().close()


def width_of(stream: TextIO | None) -> int | None:
    """How many columns the terminal has that *stream* is; None where it is none: nothing is wrapped there."""
    if stream is None or not stream.isatty():
        return None
    import shutil

    columns = shutil.get_terminal_size().columns  # of standard output, or as COLUMNS says
    with suppress(OSError, ValueError):
        if not os.environ.get("COLUMNS"):
            columns = os.get_terminal_size(stream.fileno()).columns
    return columns or 80


#: What stays on one line, so that it can be copied: what is in quotes, a command, a word.
_UNBROKEN = r"( *)(`[^`]*`\S*|(?<!\S)'[^']*'\S*|(?:wheelhouse-resolver|chmod|pip install|\S+ -m pip) .*|\S+)"


def wrapped(text: str, width: int | None, hang: int = 4) -> str:
    """The lines of *text*, each broken to fit *width*, but not within a word, a command or what is quoted.

    hang: how far further lines are indented, in characters, beyond the first one.
    """
    return text if width is None else "\n".join(_folded(line, width, hang) for line in text.split("\n"))


def _folded(text: str, width: int, hang: int) -> str:
    if len(text) <= width:
        return text
    lines: list[str] = []
    indent = " " * (len(text) - len(text.lstrip(" ")) + hang)
    for gap, word in re.findall(_UNBROKEN, text):
        labelled = lines and lines[-1].endswith(":") and len(indent) + len(word) > width
        if not lines:
            lines.append(gap + word)
        elif len(lines[-1]) + len(gap) + len(word) > width and not labelled:
            lines.append(indent + word)
        else:
            lines[-1] += gap + word
    return "\n".join(lines)


def say(text: str, *, error: bool = False, wrap: bool = True, hang: int = 4) -> None:
    """Print the line *text* on stdout, or as an *error* on stderr, above the bar; wrapped on a terminal."""
    stream = sys.stderr if error else sys.stdout
    text = wrapped(text, width_of(stream), hang) if wrap else text
    if _bars and stream is not None:
        _bars[-1].write(text, file=stream)
    else:
        print(text, file=stream)


@contextmanager
def interruptible(done: Callable[[], str]) -> Iterator[None]:
    """When this is interrupted, say what is *done*; what is run again goes on from there, or does it anew."""
    try:
        yield
    except KeyboardInterrupt:
        close_bars()
        say(f"interrupted: {done()}", error=True)
        raise


def count(number: int, what: str) -> str:
    """So many of *what*: `1 wheel`, `2 wheels`."""
    return f"{number} {what}{'s' * (number != 1)}"


_S = TypeVar("_S")


def say_sums(counts: Counter[_S], words: Mapping[_S, str], what: str) -> None:
    """Say on stderr how many of *what* there are, and of each state: `3 projects: 1 missing, 2 older`."""
    parts = [f"{counts[state]} {text}" for state, text in words.items() if counts[state]]
    say(f"{count(counts.total(), what)}: {', '.join(parts)}" if parts else f"no {what}", error=True)


def report(error: WheelhouseError) -> None:
    """Print *error* on stderr, and its hint on the next line."""
    say(f"error: {error.message}", error=True)
    if error.hint:
        say(f"hint: {error.hint}", error=True)


def warn(warnings: Iterable[str]) -> None:
    """Print *warnings* on stderr, a line each."""
    for warning in warnings:
        say(f"warning: {printable(warning)}", error=True)


def print_json(value: Any) -> None:
    """Print *value* for programs: pure ASCII, two spaces a level."""
    print(json.dumps(value, indent=2))


def print_json_array(values: Iterable[Any]) -> None:
    """Print an array of *values* as `print_json` does, each as it comes: there may be very many."""
    count = 0
    for count, value in enumerate(values, 1):
        text = json.dumps(value, indent=2).replace("\n", "\n  ")
        print("[\n  " if count == 1 else ",\n  ", text, sep="", end="")
    print("\n]" if count else "[]")


def print_or_write(text: str, path: str | None, *, shared: bool = False) -> None:
    """Print *text*, or make it the content of the file at *path*, atomically. Raises `OutputError`."""
    if path is None:
        print(text, end="")
        return
    from wheelhouse_resolver.utils.filesystem import write_text

    write_text(path, text, shared=shared)
