"""The Slurm executor: the site's own scheduler distributes the tasks.

A wave is one array job for each set of resources (`sbatch --array --wait`), whose tasks write their results
on the shared file system. Accounting (sacct) is not needed: a task whose job is over and which left no result
has vanished, whatever the reason.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from wheelhouse_resolver.builder.executors.base import ExecutorError, Result, Task, TaskObserver, clear_result
from wheelhouse_resolver.builder.process.commands import stop, tail_of
from wheelhouse_resolver.builder.resources import GRACE, Resources
from wheelhouse_resolver.errors import OutputError, reason_of
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.utils.process import run

#: sbatch's options for every job. Not requeued: we run it again ourselves, once.
_OPTIONS = ("--nodes=1", "--ntasks=1", "--export=ALL", "--no-requeue", "--open-mode=append")

_VANISHED = "its job ended twice without a result (a node that failed, a limit of time or memory?)"

#: The tasks of one array job; Slurm's default MaxArraySize is 1001.
_MOST_TASKS = 1000

#: How often the results are looked for (s).
_POLL = 1.0

#: How often the scheduler is asked about a job whose `sbatch --wait` has ended too early (s).
_ASK_AGAIN = 15.0

#: How long a cancelled job may take to end (s); Slurm kills it after KillWait, 30 s by default.
_CANCEL = 90.0


def submit(options: Sequence[str], directory: str, script: str) -> ArrayJob:
    """Submit the file *script* with sbatch's *options*, as it is and at once.

    *directory* is the job's own, for the scheduler's messages. Raises `ExecutorError`.
    """
    # By this name the job is found again: its number is known only after it is submitted, which is too
    # late for an interrupt in between.
    name = f"wheelhouse-{os.path.basename(directory)}"
    command = ["sbatch", "--parsable", "--wait", f"--job-name={name}", *options, script]
    paths = os.path.join(directory, "sbatch.out"), os.path.join(directory, "sbatch.err")
    with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
        try:
            # A session of its own: Ctrl-C reaches us only, and we then cancel the job.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
        except OSError as error:
            hint = "--executor slurm needs Slurm's commands on PATH"
            raise ExecutorError("sbatch", reason_of(error)).with_hint(hint) from error
    return ArrayJob(name, process, *paths)


class ArrayJob:
    """An array job that was submitted, by the `sbatch --wait` that is *waiting* for it."""

    def __init__(self, name: str, waiting: subprocess.Popen[bytes], out: str, err: str) -> None:
        self._name, self._waiting, self._out, self._err = name, waiting, out, err
        self._asked = 0.0

    def is_over(self) -> bool:
        """Whether no task of it is waiting or running any more.

        May be called every second: `sbatch --wait` itself asks the scheduler, ever more rarely. Raises
        `ExecutorError` when the job was not accepted, or the scheduler does not answer.
        """
        if self._waiting.poll() is None:
            return False
        if not os.path.getsize(self._out):  # no job number
            problem = _one_line(tail_of(self._err)) or f"exited with {self._waiting.returncode}"
            raise ExecutorError("sbatch", problem)
        # It ends when the job does, and also when it loses the controller.
        if self._asked and time.monotonic() - self._asked < _ASK_AGAIN:
            return False
        self._asked = time.monotonic()
        return not self._queued()

    def cancel(self) -> None:
        """Stop all its tasks, and wait until they have ended. Raises `ExecutorError`."""
        stop([self._waiting])
        _ask("scancel", f"--name={self._name}")
        deadline = time.monotonic() + _CANCEL
        while self._queued():
            if time.monotonic() > deadline:
                raise ExecutorError("scancel", f"the job {self._name} is still there after {_CANCEL:.0f} s")
            time.sleep(_POLL)

    def release(self) -> None:
        """End the `sbatch --wait` of a job all of whose tasks have left their results."""
        stop([self._waiting])

    def _queued(self) -> bool:
        return bool(_ask("squeue", "--noheader", f"--name={self._name}", "--format=%i").strip())


def _ask(*command: str) -> str:
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
    """A job, and those of its tasks that have no result yet; *over*: since when (s) it has ended."""

    job: ArrayJob
    left: list[Task]
    over: float | None = None


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
        """See `Executor.run`. A task that vanished is run once more."""
        found: dict[int, Result] = {}
        for last in (False, True):
            self._attempt([task for task in tasks if id(task) not in found], observer, found, last=last)
        return [found[id(task)] for task in tasks]

    def _attempt(
        self, tasks: Sequence[Task], observer: TaskObserver, found: dict[int, Result], *, last: bool
    ) -> None:
        """Run *tasks* once; add to *found* all results, and in the *last* attempt also what vanished."""
        submissions: list[_Submission] = []
        try:
            for group in _groups(tasks):
                submissions.append(self._submit(group))
            while submissions:
                for each in list(submissions):
                    # Asked before the results are looked for: what is over now has left them.
                    if each.over is None and each.job.is_over():
                        each.over = time.monotonic()
                    for task in [task for task in each.left if _is_there(task)]:
                        each.left.remove(task)
                        found[id(task)] = Result(task=task)
                        observer.finished(found[id(task)])
                    if not each.left:
                        each.job.release()
                        submissions.remove(each)
                    elif each.over is not None and time.monotonic() - each.over >= self.grace:
                        submissions.remove(each)
                        for task in each.left if last else ():
                            found[id(task)] = Result.missing(task, _VANISHED)
                            observer.finished(found[id(task)])
                if submissions:
                    observer.waiting()
                    time.sleep(self.poll)
        except BaseException:
            with ExitStack() as stack:  # what goes wrong with one is raised when all have been tried
                for each in submissions:
                    stack.callback(each.job.cancel)
            raise

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
        write_text(script, _script(tasks))
        options = [*self._options(tasks[0].resources, len(tasks), directory), *self.options]
        return _Submission(job=self.submit(options, directory, script), left=list(tasks))

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


def _groups(tasks: Iterable[Task]) -> Iterator[list[Task]]:
    """*tasks* by their resources, in groups that an array job can hold."""
    groups: dict[Resources, list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.resources, []).append(task)
    for group in groups.values():
        for start in range(0, len(group), _MOST_TASKS):
            yield group[start : start + _MOST_TASKS]


def _script(tasks: Sequence[Task]) -> str:
    """The script of an array job. Every word of a task is quoted for the shell."""
    cases = [
        f"{number}) cd {shlex.quote(task.cwd)} && exec {shlex.join(task.argv)} ;;"
        for number, task in enumerate(tasks)
    ]
    return "\n".join(["#!/bin/sh", 'case "$SLURM_ARRAY_TASK_ID" in', *cases, "esac", ""])


def _is_there(task: Task) -> bool:
    """Whether the result of *task* is there, asking the server rather than a cache of names.

    Opening a directory makes an NFS client look whether it has changed (nfs(5), close-to-open consistency).
    """
    with suppress(OSError), os.scandir(os.path.dirname(task.result)):
        return os.path.exists(task.result)
    return False
