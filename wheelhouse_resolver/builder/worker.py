"""One build in a process of its own: `python -m wheelhouse_resolver.builder.worker TASK.json`.

The file contains `{"job": ..., "options": ..., "result": PATH, "log": PATH}`; the record of the build is
written to that result, atomically. Exit code 0: the wheel exists; 1: it does not; 2: the file is invalid.
SIGTERM, which batch systems send to what they cancel, preempt or requeue, interrupts the build as Ctrl-C
does; there is no result then: whoever runs it decides whether it is run again. Slurm signals the processes of
a job one after the other, compilers first: what fails by that has not failed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

from wheelhouse_resolver.builder.pipeline.build_wheel import BuildInterrupted, run_job
from wheelhouse_resolver.builder.process.commands import subreaper
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.errors import FileProblemError, OutputError, WheelhouseError, printable
from wheelhouse_resolver.utils.process import interrupted_by
from wheelhouse_resolver.utils.serialise import from_plain, to_plain

#: How long (s) a build that fails in a job of Slurm waits for a SIGTERM that its own commands got already.
_OURS_TOO = 1.0


class TaskFileError(FileProblemError, ValueError):
    """An invalid task file."""


class BuildTask(NamedTuple):
    """The content of a task file. *result*, *log*: the paths that the record and the log are written to."""

    job: Job
    options: BuildOptions
    result: str
    log: str


def task_text(task: BuildTask) -> str:
    """The text of a task file."""
    content = to_plain(task)
    return json.dumps(content, indent=2) + "\n"


def read_task(path: str) -> BuildTask:
    """The content of the task file at *path*. Raises `TaskFileError`, and what `Site.load` raises."""
    try:
        with open(path, "rb") as file:
            data = json.load(file)
        for name in ("result", "log"):
            if not isinstance(data, dict) or not isinstance(data.get(name), str):
                raise ValueError(f"{name} is missing")
        job = from_plain(Job, data.get("job"))
        if job.source is None:
            raise ValueError("job.source is missing")
        return BuildTask(job, BuildOptions.from_dict(data.get("options")), data["result"], data["log"])
    except WheelhouseError:
        raise
    except OSError as error:
        raise TaskFileError.from_os(path, error, "cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise TaskFileError(path, f"not a valid task file: {error}") from error


def main(argv: Sequence[str]) -> int:
    """Run the task whose file *argv* names; returns the exit code."""
    try:
        if len(argv) != 1:
            raise TaskFileError("task", f"expected one file, got {len(argv)}")
        task = read_task(argv[0])
    except WheelhouseError as error:
        return _failed(str(error), 2)
    os.umask(0o022)  # files in wheels are for everybody to read, whoever builds them
    with interrupted_by(signal.SIGTERM), subreaper():
        try:
            record = run_job(task.job, task.options, task.log)
            if not record.ok and "SLURM_JOB_ID" in os.environ:
                time.sleep(_OURS_TOO)
        except BuildInterrupted as stop:
            return _failed(f"{task.job.label}: {stop.record.problem}", 1)
        except KeyboardInterrupt:
            return _failed(f"{task.job.label}: interrupted", 1)
        try:
            record.write(task.result)
        except OutputError as error:
            return _failed(str(error), 1)
    return 0 if record.ok else _failed(f"{task.job.label}: {record.problem}", 1)


def _failed(problem: str, code: int) -> int:
    sys.stderr.write(f"error: {printable(problem)}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
