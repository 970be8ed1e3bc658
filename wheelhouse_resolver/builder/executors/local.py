"""The local executor: a pool of subprocesses of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack

from wheelhouse_resolver.builder.executors.base import Result, Task, TaskObserver, clear_result
from wheelhouse_resolver.builder.process import commands


class LocalExecutor:
    """Runs at most *jobs* tasks at once, each a subprocess with a process group of its own."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def run(self, tasks: Sequence[Task], observer: TaskObserver) -> list[Result]:
        """See `Executor.run`. A task that ends without a result is not tried again: it would end so again."""
        waiting = [clear_result(task) for task in reversed(tasks)]
        results: dict[int, Result] = {}
        called = time.monotonic()
        own = commands.children()
        with ExitStack() as stack:
            running: list[tuple[Task, subprocess.Popen[bytes]]] = []
            stack.callback(commands.kill_children, own)
            # Asks all of them before it waits for any: an interrupt must not take a grace period for each.
            # They have long: each stops its own subprocesses first.
            stack.callback(lambda: commands.stop([process for _, process in running], grace=20.0))
            while waiting or running:
                while waiting and len(running) < self.jobs:
                    task = waiting.pop()
                    started = commands.start_logged(
                        task.argv,
                        log=task.log,
                        environ=os.environ,
                        cwd=task.cwd,
                        at_our_end=signal.SIGTERM,  # it stops its own
                    )
                    if isinstance(started, commands.Finished):
                        results[id(task)] = Result(task=task, vanished=started.tail)
                        observer.finished(results[id(task)])
                    else:
                        running.append((task, started))
                        observer.started(task)
                ended = [each for each in running if each[1].poll() is not None]
                for task, process in ended:
                    running.remove((task, process))
                    commands.stop([process])
                    # A task kills its orphans, unless it was killed itself (memory).
                    commands.kill_children(own.union(other.pid for _, other in running))
                    results[id(task)] = _result(task, process.returncode)
                    observer.finished(results[id(task)])
                if not ended and running:
                    time.sleep(0.05)  # not `os.pidfd_open`: Linux 4.18 of RHEL 8 lacks it
                if time.monotonic() - called >= 0.5:
                    called = time.monotonic()
                    observer.waiting()
        return [results[id(task)] for task in tasks]


def _result(task: Task, code: int) -> Result:
    if os.path.exists(task.result):
        return Result(task=task)
    return Result.missing(task, commands.ended_with(code) or "exited with 0, but left no result")
