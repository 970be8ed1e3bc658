"""What commands write to standard output and standard error; what cannot be written there is noticed.

Python by itself writes what is left in its buffers when it exits: too late for an exit code and a message of
ours.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO

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


def report(error: WheelhouseError) -> None:
    """Print *error* on stderr, and its hint on the next line."""
    print(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)


def warn(warnings: Iterable[str]) -> None:
    """Print *warnings* on stderr, a line each."""
    for warning in warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)


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
