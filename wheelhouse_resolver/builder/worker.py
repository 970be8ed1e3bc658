"""One build in a process of its own: `python -m wheelhouse_resolver.builder.worker TASK.json`.

The file holds `{"job": ..., "options": ..., "result": PATH}`; the record of the build is written to that
path, atomically. Exit code 0: the wheel is there; 1: it is not; 2: something is wrong with the file. SIGTERM,
which batch systems send to what they cancel, interrupts the build as Ctrl-C does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple

from wheelhouse_resolver.builder.pipeline.build_wheel import BuildInterrupted, run_job
from wheelhouse_resolver.builder.process.commands import interrupted_by, subreaper
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.records.record import write_record
from wheelhouse_resolver.errors import FileProblemError, OutputError, WheelhouseError, printable, reason_of

#: Wheels are for everybody to read, whoever builds them: files in them get their permissions from this.
_UMASK = 0o022


class TaskFileError(FileProblemError, ValueError):
    """A file that describes no build. Attributes: *path*, *problem*."""


class Task(NamedTuple):
    """What a task file says. *result*: the path that the record is written to."""

    job: Job
    options: BuildOptions
    result: str


def task_text(job: Job, options: BuildOptions, result: str) -> str:
    """The text of the file that has *job* built with *options*."""
    return json.dumps({"job": job.to_dict(), "options": options.to_dict(), "result": result}, indent=2) + "\n"


def read_task(path: str) -> Task:
    """What the file at *path* says. Raises `TaskFileError`, and what `Site.load` raises."""
    try:
        with open(path, "rb") as file:
            data = json.load(file)
        if not isinstance(data, dict) or not isinstance(data.get("result"), str):
            raise ValueError("it does not say where the `result` goes")
        return Task(
            Job.from_dict(data.get("job")), BuildOptions.from_dict(data.get("options")), data["result"]
        )
    except OSError as error:
        if isinstance(error, WheelhouseError):
            raise
        raise TaskFileError(path, f"cannot be read: {reason_of(error)}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, WheelhouseError):
            raise
        raise TaskFileError(path, f"describes no build: {error}") from error


def main(argv: Sequence[str]) -> int:
    """Run the task whose file *argv* names; returns the exit code."""
    try:
        if len(argv) != 1:
            raise TaskFileError("task", f"give one file, not {len(argv)}")
        task = read_task(argv[0])
    except WheelhouseError as error:
        return _failed(str(error), 2)
    os.umask(_UMASK)
    with interrupted_by(signal.SIGTERM), subreaper():
        try:
            record = run_job(task.job, task.options)
        except BuildInterrupted as stop:
            record = stop.record
        try:
            write_record(task.result, record)
        except OutputError as error:
            return _failed(str(error), 1)
    return 0 if record.ok else _failed(f"{task.job.label}: {record.problem}", 1)


def _failed(problem: str, code: int) -> int:
    sys.stderr.write(f"error: {printable(problem)}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
