"""Executors: who runs the tasks of a build wave, and where. They know nothing of wheels.

A task is a command that writes its answer into a file; an executor runs the tasks of a wave and reports for
each whether that file exists. What it contains is not its business.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wheelhouse_resolver.builder.process.commands import tail_of
from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.errors import OutputError, WheelhouseError


class ExecutorError(WheelhouseError, RuntimeError):
    """An executor that cannot work at all. *command*: the one that failed."""

    _message = "{command}: {problem}"
    command: str
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """A command to run once.

    name:      for people: what it works on.
    argv:      the command; nothing in it is read by a shell.
    cwd:       where it runs; a directory that exists.
    result:    the file that it writes before it ends, whole or not at all (a rename).
    log:       the file that what it prints is appended to.
    resources: what a scheduler must give it.
    """

    name: str
    argv: tuple[str, ...]
    cwd: str
    result: str
    log: str
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """How a task ended. *vanished*: why it left no result; empty when its result file is there."""

    task: Task
    vanished: str = ""

    @classmethod
    def missing(cls, task: Task, problem: str) -> Result:
        """That *task* left no result because of *problem*, and what it printed last."""
        last = tail_of(task.log, lines=1) if os.path.exists(task.log) else ""
        return cls(task=task, vanished=f"{problem}: {last}" if last else problem)


class TaskObserver(Protocol):
    """What follows a wave; every call comes from the thread that called `Executor.run`."""

    def started(self, task: Task) -> None:
        """*task* was started. Called at most once for each attempt at it, and soon."""

    def held(self, tasks: Sequence[Task], why: str) -> None:
        """*tasks* wait until somebody releases them, as *why* says. Called once each time."""

    def finished(self, result: Result) -> None:
        """A *result* is final. Called once for each task, in the order in which they end."""

    def waiting(self) -> None:
        """Tasks are still running. Called every second or so; must return quickly."""


class Executor(Protocol):
    """Runs the tasks of a wave, which do not depend on each other.

    Cost: `run` lasts as long as the wave; between two calls an executor holds no process and no job.
    Order: results are returned in the order of the tasks, which may run in any.
    Invariants: when `run` returns, each task has left its result or runs no more, and has a `Result` whose
    *vanished* is empty exactly if its result file exists. A result file that is there before is removed
    first, so that no old answer is taken for a new one. When `run` raises, which it does for
    `KeyboardInterrupt` and with `ExecutorError` (the executor cannot work at all), it has stopped all tasks.
    """

    def run(self, tasks: Sequence[Task], observer: TaskObserver) -> list[Result]:
        """Run *tasks*, keep *observer* informed, and return how each ended."""


def clear_result(task: Task) -> Task:
    """Remove the result file of an earlier run of *task*; returns *task*. Raises `OutputError`."""
    try:
        os.unlink(task.result)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OutputError.from_os(task.result, error) from error
    return task
