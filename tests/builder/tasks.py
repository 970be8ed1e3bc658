"""Trivial tasks for the executors, and a observer that remembers what it was told."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from wheelhouse_resolver.builder.executors.base import Result, Task
from wheelhouse_resolver.builder.resources import Resources

__all__ = ["WRITE", "Told", "is_alive", "make_task"]

#: What a task does to leave *text* as its result: `WRITE + "write('text')"`.
WRITE = """
import os, sys, time
from pathlib import Path
result, here = Path(sys.argv[1]), Path(sys.argv[2])
def write(text):
    Path(f"{result}~").write_text(text)
    os.replace(f"{result}~", result)
"""


def make_task(
    directory: Path, name: str, code: str = "write('done')", resources: Resources | None = None
) -> Task:
    """A task that runs Python *code*, in which `write` leaves its result and `here` is *directory*."""
    (directory / "results").mkdir(exist_ok=True)
    result = directory / "results" / f"{name}.json"
    return Task(
        name=name,
        argv=(sys.executable, "-c", WRITE + code, str(result), str(directory)),
        cwd=str(directory),
        result=str(result),
        log=str(directory / f"{name}.log"),
        resources=resources or Resources(),
    )


class Told:
    """A `TaskObserver` that remembers; interrupts once *file* is there, if one is given."""

    def __init__(self, file: Path | None = None) -> None:
        self.results: list[Result] = []
        self.starts: list[str] = []
        self.holds: list[tuple[list[str], str]] = []
        self._file = file

    def started(self, task: Task) -> None:
        """Remember it."""
        self.starts.append(task.name)

    def held(self, tasks: Sequence[Task], why: str) -> None:
        """Remember it."""
        self.holds.append(([task.name for task in tasks], why))

    def finished(self, result: Result) -> None:
        """Remember it."""
        self.results.append(result)

    def waiting(self) -> None:
        """As Ctrl-C would."""
        if self._file is not None and self._file.exists():
            raise KeyboardInterrupt


def is_alive(pid: int) -> bool:
    """Whether the process *pid* runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
