"""The Slurm executor: the site's own scheduler distributes the tasks.

A wave is one array job for each set of resources (`sbatch --array --wait`), whose tasks write their results
on the shared file system. Accounting (sacct) is not needed: a task whose job is over and which left no result
has vanished, whatever the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from wheelhouse_resolver.builder.executors.array_job import ArrayJob, most_tasks, submit
from wheelhouse_resolver.builder.executors.base import ExecutorError, Result, Task, TaskObserver, clear_result
from wheelhouse_resolver.builder.resources import GRACE, Resources
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.utils.filesystem import make_directory, write_text

#: sbatch's options for every job. Not requeued: we run it again ourselves, once.
_OPTIONS = ("--nodes=1", "--ntasks=1", "--export=ALL", "--no-requeue", "--open-mode=append")

_VANISHED = "its job ended twice without a result ({state})"

#: What `state` is where Slurm does not say.
_UNKNOWN = "a node that failed, a limit of time or memory?"

#: States after which a task is run again, however often; and those after which it would end so again.
_AGAIN, _FINAL = ("PREEMPTED",), ("TIMEOUT", "DEADLINE")

#: Reasons to hold a task that are Slurm's own: it may be that nobody ever looks at it.
_GIVEN_UP = re.compile("failed|MaxRequeue", re.IGNORECASE)

#: How many held tasks are named one by one.
_NAMED = 3

#: How often the results are looked for (s).
_POLL = 1.0

#: How often the scheduler is asked which tasks are held (s).
_LOOK = 60.0


@dataclass(kw_only=True, slots=True)
class _Submission:
    """A job, and those of its tasks that have no result yet, by number.

    directory: of its script. *starts*: how often each task has started, by number. *held*: the numbers of
    those that are held. *over*: since when (s) it has ended.
    """

    job: ArrayJob
    directory: str
    left: dict[int, Task]
    starts: dict[int, int] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    over: float | None = None

    def new_starts(self) -> list[Task]:
        """Those of the tasks that are left that have started since this was asked, requeued ones again."""
        names: list[str] = []
        with suppress(OSError):
            names = os.listdir(self.directory)
        started: list[Task] = []
        for number in sorted(int(name[:-8]) for name in names if name.endswith(".started")):
            if number in self.left:
                with suppress(OSError), open(os.path.join(self.directory, f"{number}.started"), "rb") as file:
                    count = file.read().count(b"\n")
                    started += [self.left[number]] * (count - self.starts.get(number, 0))
                    self.starts[number] = count
        return started

    def look(self, observer: TaskObserver) -> list[tuple[Task, str]]:
        """Report tasks that are held; cancel those that Slurm has given up, and return them and why."""
        with suppress(ExecutorError):
            held = [each for each in self.job.held() if each.number in self.left]
            for reason in sorted({each.reason for each in held} if held else ()):
                ours = [each for each in held if each.reason == reason]
                new = [each for each in ours if each.number not in self.held]
                if _GIVEN_UP.search(reason):
                    self.job.cancel_tasks(ours)
                    return [(self.left.pop(each.number), reason) for each in ours]
                if new:
                    names = [each.name for each in new] if len(new) <= _NAMED else [new[0].array]
                    why = f"Slurm says {reason}; release with: scontrol release {' '.join(names)}"
                    observer.held([self.left[each.number] for each in new], why)
            self.held = {each.number for each in held}
        return []


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmExecutor:
    """Runs each wave as array jobs, with at most *jobs* tasks of each at once.

    directory: of its scripts (an absolute path); on a file system that the nodes share.
    options:   more options for sbatch, which win over ours.
    grace:     how long to wait for a missing result after its job is over (s).
    poll:      how often to look for results (s).
    look:      how often to ask Slurm which tasks are held (s).
    submit:    submits a job, see `submit`.
    """

    jobs: int
    directory: str
    options: tuple[str, ...] = ()
    grace: float = GRACE
    poll: float = _POLL
    look: float = _LOOK
    submit: Callable[[Sequence[str], str, str], ArrayJob] = submit

    def run(self, tasks: Sequence[Task], observer: TaskObserver) -> list[Result]:
        """See `Executor.run`. A task that vanished is run once more; one that was preempted, again.

        What Slurm requeues has not vanished: it starts once more.
        """
        found: dict[int, Result] = {}
        lost: dict[int, int] = {}
        most = most_tasks() if len(tasks) > 1 else 1
        while left := [task for task in tasks if id(task) not in found]:
            for task, state in self._attempt(left, observer, found, most):
                lost[id(task)] = lost.get(id(task), 0) + (state not in _AGAIN)
                if state in _FINAL or lost[id(task)] > 1:
                    why = f"its time is over ({state})" if state in _FINAL else _VANISHED.format(state=state)
                    found[id(task)] = Result.missing(task, why)
                    observer.finished(found[id(task)])
        return [found[id(task)] for task in tasks]

    def _attempt(
        self, tasks: Sequence[Task], observer: TaskObserver, found: dict[int, Result], most: int
    ) -> list[tuple[Task, str]]:
        """Run *tasks* once, in arrays of *most*; add results to *found*; return what vanished, and how."""
        submissions: list[_Submission] = []
        vanished: list[tuple[Task, str]] = []
        looked = time.monotonic()
        try:
            for group in _groups(tasks, most):
                submissions.append(self._submit(group))
            while submissions:
                look = time.monotonic() - looked >= self.look
                looked = time.monotonic() if look else looked
                for each in list(submissions):
                    # Asked before the results are looked for: what is over now has left them.
                    if each.over is None and each.job.is_over():
                        each.over = time.monotonic()
                    for task in each.new_starts():
                        observer.started(task)
                    for number, task in _there(each.left):
                        del each.left[number]
                        found[id(task)] = Result(task=task)
                        observer.finished(found[id(task)])
                    if look and each.left and each.over is None:
                        vanished += each.look(observer)
                    if not each.left:
                        each.job.release()
                        submissions.remove(each)
                    elif each.over is not None and time.monotonic() - each.over >= self.grace:
                        submissions.remove(each)
                        states = each.job.states()
                        vanished += [(task, states.get(n, _UNKNOWN)) for n, task in each.left.items()]
                if submissions:
                    observer.waiting()
                    time.sleep(self.poll)
        except BaseException:
            with ExitStack() as stack:  # what goes wrong with one is raised when all have been tried
                for each in submissions:
                    stack.callback(each.job.cancel)
            raise
        return vanished

    def _submit(self, tasks: Sequence[Task]) -> _Submission:
        if "\\" in self.directory:  # it switches off the `%a` in sbatch's --output
            raise OutputError(self.directory, "Slurm cannot use a path with a backslash")
        make_directory(self.directory)
        for task in tasks:
            clear_result(task)
        try:
            directory = tempfile.mkdtemp(prefix="wave-", dir=self.directory)
            for number, task in enumerate(tasks):
                # Slurm's own messages on the task (a limit, a signal) go into its log as well.
                os.symlink(os.path.abspath(task.log), os.path.join(directory, f"{number}.out"))
        except OSError as error:
            raise OutputError.from_os(self.directory, error) from error
        script = os.path.join(directory, "tasks.sh")
        write_text(script, _script(tasks, directory))
        options = [*self._options(tasks[0].resources, len(tasks), directory), *self.options]
        job = self.submit(options, directory, script)
        return _Submission(job=job, directory=directory, left=dict(enumerate(tasks)))

    def _options(self, resources: Resources, count: int, directory: str) -> list[str]:
        """sbatch's options. Not `#SBATCH` lines in the script, which quote in a way of their own."""
        stated = {
            "array": f"0-{count - 1}%{self.jobs}",
            "cpus-per-task": resources.cores,
            "mem": resources.memory,
            "time": resources.time,
            "constraint": resources.constraint,
            "partition": resources.partition,
            "chdir": directory,
            "output": f"{directory.replace('%', '%%')}/%a.out",
        }
        return [*_OPTIONS, *(f"--{option}={value}" for option, value in stated.items() if value)]


def _groups(tasks: Iterable[Task], most: int) -> Iterator[list[Task]]:
    """*tasks* by their resources, in groups of at most *most*."""
    groups: dict[Resources, list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.resources, []).append(task)
    for group in groups.values():
        for start in range(0, len(group), most):
            yield group[start : start + most]


def _script(tasks: Sequence[Task], directory: str) -> str:
    """The script of an array job, which says in *directory* which of its tasks have started.

    Every word of a task is quoted for the shell.
    """
    cases = [
        f"{number}) cd {shlex.quote(task.cwd)} && exec {shlex.join(task.argv)} ;;"
        for number, task in enumerate(tasks)
    ]
    started = f'echo "$SLURM_JOB_ID" >>{shlex.quote(directory)}/"$SLURM_ARRAY_TASK_ID".started'
    return "\n".join(["#!/bin/sh", started, 'case "$SLURM_ARRAY_TASK_ID" in', *cases, "esac", ""])


def _there(tasks: Mapping[int, Task]) -> list[tuple[int, Task]]:
    """Those of *tasks* whose result is there, asking the server rather than a cache of names.

    Listing a directory makes an NFS client look whether it has changed (nfs(5), close-to-open consistency).
    """
    names: dict[str, list[str]] = {}
    for directory in {os.path.dirname(task.result) for task in tasks.values()}:
        with suppress(OSError):
            names[directory] = os.listdir(directory)
    there = {os.path.join(directory, name) for directory, found in names.items() for name in found}
    return [(number, task) for number, task in tasks.items() if task.result in there]
