"""The jobs that a run which was killed has left with the scheduler."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from wheelhouse_resolver.builder.executors.array_job import CANCEL, ask, job_name
from wheelhouse_resolver.builder.executors.base import ExecutorError
from wheelhouse_resolver.builder.process.orphans import JOBS
from wheelhouse_resolver.builder.process.scratch import leftovers, remove_tree


def cancel_earlier_jobs(work: str) -> list[str]:
    """Cancel the jobs of runs with the directory *work* that were killed on this machine.

    Returns their numbers. A job is one of theirs if it is ours, and has both the name and the directory.
    Raises `ExecutorError`.
    """
    cancelled = []
    for run in leftovers(work):
        waves = os.path.join(run, JOBS)
        names: list[str] = []
        with suppress(OSError):
            names = sorted(os.listdir(waves))
        for directory in (os.path.join(waves, name) for name in names):
            if found := sorted(set(_jobs_in(directory))):
                ask("scancel", *found)
                _wait_for(directory)
                cancelled += found
        remove_tree(waves)
    return cancelled


def _jobs_in(directory: str) -> Iterator[str]:
    options = (f"--name={job_name(directory)}", f"--user={os.geteuid()}", "--format=%F|%Z")
    for line in ask("squeue", "--noheader", *options).splitlines():
        number, _, place = line.strip().partition("|")
        if place == directory:
            yield number


def _wait_for(directory: str) -> None:
    deadline = time.monotonic() + CANCEL
    while any(_jobs_in(directory)):
        if time.monotonic() > deadline:
            problem = f"the job {job_name(directory)} is still there after {CANCEL:.0f} s"
            raise ExecutorError("scancel", problem)
        time.sleep(1.0)
