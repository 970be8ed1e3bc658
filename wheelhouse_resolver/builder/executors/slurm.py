"""The Slurm executor: the site's own scheduler distributes the tasks.

A wave is one array job for each set of resources (`sbatch --array --wait`), whose tasks write their results
on the shared file system. Accounting (sacct) is not needed: a task whose job is over and which left no result
has vanished, whatever the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from wheelhouse_resolver.builder.executors.base import ExecutorError, Result, Task, TaskObserver, clear_result
from wheelhouse_resolver.builder.process.commands import stop, tail_of
from wheelhouse_resolver.builder.resources import GRACE, Resources
from wheelhouse_resolver.errors import OutputError, reason_of
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.utils.process import run

#: sbatch's options for every job. Not requeued: we run it again ourselves, once.
_OPTIONS = ("--nodes=1", "--ntasks=1", "--export=ALL", "--no-requeue", "--open-mode=append")

_VANISHED = "its job ended twice without a result ({state})"

#: What `state` is where Slurm does not say.
_UNKNOWN = "a node that failed, a limit of time or memory?"

#: States after which a task is run again, however often; and those after which it would end so again.
_AGAIN, _FINAL = ("PREEMPTED",), ("TIMEOUT", "DEADLINE")

#: The tasks of one array job where Slurm does not say; its default MaxArraySize is 1001.
_MOST_TASKS = 1000

#: How often the results are looked for (s).
_POLL = 1.0

#: How often the scheduler is asked about a job whose `sbatch --wait` has ended too early (s).
_ASK_AGAIN = 15.0

#: How long the scheduler may be out of reach (s): while it is restarted, running tasks run on.
_PATIENCE = 900.0

#: What sbatch says when it has not reached the scheduler, or does not know whether it has.
_OUT_OF_REACH = re.compile(
    r"unable to contact|timed out|connection refused|communication|zero bytes|temporarily|"
    r"no route|unreachable|backup.*standby",
    re.IGNORECASE,
)

#: How long a cancelled job may take to end (s); Slurm kills it after KillWait, 30 s by default.
CANCEL = 90.0


def submit(options: Sequence[str], directory: str, script: str) -> ArrayJob:
    """Submit the file *script* with sbatch's *options*, as it is and at once.

    *directory* is the job's own, for the scheduler's messages. Raises `ExecutorError`.
    """
    name = job_name(directory)
    command = ["sbatch", "--parsable", "--wait", f"--job-name={name}", *options, script]
    return ArrayJob(name, command, directory)


class ArrayJob:
    """An array job called *name*, submitted by the *command* (`sbatch --wait`), which waits for it.

    Raises `ExecutorError`.
    """

    def __init__(self, name: str, command: Sequence[str], directory: str) -> None:
        self._name, self._command = name, command
        self._out, self._err = (os.path.join(directory, f"sbatch.{each}") for each in ("out", "err"))
        self._asked = 0.0
        self._answered = time.monotonic()
        self._waiting = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            try:
                # A session of its own: Ctrl-C reaches us only, and we then cancel the job.
                return subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
                )
            except OSError as error:
                hint = "--executor slurm needs Slurm's commands on PATH"
                raise ExecutorError("sbatch", reason_of(error)).with_hint(hint) from error

    def is_over(self) -> bool:
        """Whether no task of it is waiting or running any more.

        May be called every second: `sbatch --wait` itself asks the scheduler, ever more rarely. Raises
        `ExecutorError` when the job was not accepted, or the scheduler has not answered for long.
        """
        if self._waiting.poll() is None:
            return False
        # It ends when the job does, and also when it loses the controller.
        if self._asked and time.monotonic() - self._asked < _ASK_AGAIN:
            return False
        refused = ""
        if not os.path.getsize(self._out):  # no job number
            refused = _one_line(tail_of(self._err)) or f"exited with {self._waiting.returncode}"
            if not _OUT_OF_REACH.search(refused):
                raise ExecutorError("sbatch", refused)
        self._asked = time.monotonic()
        try:
            queued = self._queued()
        except ExecutorError as error:
            if time.monotonic() - self._answered > _PATIENCE:
                raise ExecutorError("sbatch", refused) if refused else error from None
            return False
        self._answered = time.monotonic()
        if refused and not queued:  # it was not accepted before the scheduler went away
            self._waiting = self._start()
            return False
        return not queued

    def states(self) -> dict[int, str]:
        """How Slurm says that its tasks ended, by number, as far as it remembers (MinJobAge)."""
        with suppress(ExecutorError):
            # Without accounting, which sacct needs.
            said = ask("squeue", "--noheader", "--states=all", f"--name={self._name}", "--format=%K %T")
            pairs = (line.split() for line in said.splitlines())
            return {int(each[0]): each[1] for each in pairs if len(each) == 2 and each[0].isdecimal()}
        return {}

    def cancel(self) -> None:
        """Stop all its tasks, and wait until they have ended. Raises `ExecutorError`."""
        stop([self._waiting])
        ask("scancel", f"--name={self._name}")
        deadline = time.monotonic() + CANCEL
        while self._queued():
            if time.monotonic() > deadline:
                raise ExecutorError("scancel", f"the job {self._name} is still there after {CANCEL:.0f} s")
            time.sleep(_POLL)

    def release(self) -> None:
        """End the `sbatch --wait` of a job all of whose tasks have left their results."""
        stop([self._waiting])

    def _queued(self) -> bool:
        return bool(ask("squeue", "--noheader", f"--name={self._name}", "--format=%i").strip())


def job_name(directory: str) -> str:
    """The name of the job whose own directory that is.

    By it the job is found again: its number is known only after it is submitted, which is too late for an
    interrupt in between.
    """
    return f"wheelhouse-{os.path.basename(directory)}"


def ask(*command: str) -> str:
    """What a *command* of Slurm says. Raises `ExecutorError`."""
    try:
        done = run(command, new_session=True)
    except OSError as error:
        raise ExecutorError(command[0], reason_of(error)) from error
    if done.returncode != 0:
        raise ExecutorError(command[0], _one_line(done.stderr) or f"exited with {done.returncode}")
    return done.stdout


def _one_line(output: str) -> str:
    """The *output* of a command of Slurm on one line, without its own name before each message."""
    lines = (line.partition(": error: ")[2] or line for line in output.splitlines())
    return "; ".join(line.strip() for line in lines if line.strip())


@dataclass(kw_only=True, slots=True)
class _Submission:
    """A job, and those of its tasks that have no result yet, by number.

    directory: of its script. *started*: the numbers of tasks that are known to have started. *over*: since
    when (s) it has ended.
    """

    job: ArrayJob
    directory: str
    left: dict[int, Task]
    started: set[int] = field(default_factory=set)
    over: float | None = None

    def new_starts(self) -> list[Task]:
        """Those of the tasks that are left that have started since this was asked."""
        names: list[str] = []
        with suppress(OSError):
            names = os.listdir(self.directory)
        found = {int(name[:-8]) for name in names if name.endswith(".started")} - self.started
        self.started |= found
        return [self.left[number] for number in sorted(found) if number in self.left]


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmExecutor:
    """Runs each wave as array jobs, with at most *jobs* tasks of each at once.

    directory: of its scripts (an absolute path); on a file system that the nodes share.
    options:   more options for sbatch, which win over ours.
    grace:     how long to wait for a missing result after its job is over (s).
    poll:      how often to look for results (s).
    submit:    submits a job, see `submit`.
    """

    jobs: int
    directory: str
    options: tuple[str, ...] = ()
    grace: float = GRACE
    poll: float = _POLL
    submit: Callable[[Sequence[str], str, str], ArrayJob] = submit

    def run(self, tasks: Sequence[Task], observer: TaskObserver) -> list[Result]:
        """See `Executor.run`. A task that vanished is run once more; one that was preempted, again."""
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
        try:
            for group in _groups(tasks, most):
                submissions.append(self._submit(group))
            while submissions:
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


def most_tasks() -> int:
    """How many tasks one array job of this cluster can have."""
    said = ""
    with suppress(ExecutorError):
        said = ask("scontrol", "show", "config")
    # The greatest number of a task is one less than MaxArraySize, the first is 0.
    limits = re.findall(r"^MaxArraySize\s*=\s*(\d+)|\bmax_array_tasks=(\d+)", said, re.MULTILINE)
    return min([int(one or other) for one, other in limits if int(one or other)], default=_MOST_TASKS)


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
