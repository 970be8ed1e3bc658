"""An array job of Slurm, by the commands that every site has: sbatch, squeue, scancel, scontrol."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from wheelhouse_resolver.builder.executors.base import ExecutorError
from wheelhouse_resolver.builder.process.commands import stop, tail_of
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.utils.process import run

#: Why Slurm does not start a task that waits for a person.
_HELD = re.compile("held|hold", re.IGNORECASE)

#: The tasks of one array job where Slurm does not say; its default MaxArraySize is 1001.
_MOST_TASKS = 1000

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

#: How often we look whether a cancelled job has ended (s).
_PAUSE = 1.0


class Held(NamedTuple):
    """A task that is held: its number, its name for Slurm (`12_3`), that of its array, and the reason."""

    number: int
    name: str
    array: str
    reason: str


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

    def held(self) -> list[Held]:
        """Its tasks that Slurm does not start until somebody releases them. Raises `ExecutorError`."""
        said = ask("squeue", "--noheader", "--array", f"--name={self._name}", "--format=%K|%i|%F|%T|%r")
        rows = [line.strip().split("|", 4) for line in said.splitlines() if line.count("|") == 4]
        return [
            Held(int(number), name, array, reason)
            for number, name, array, state, reason in rows
            # One that runs keeps the reason of what has held it.
            if number.isdecimal() and state not in ("RUNNING", "COMPLETING") and _HELD.search(reason)
        ]

    def cancel_tasks(self, tasks: Sequence[Held]) -> None:
        """Stop these of its tasks. Raises `ExecutorError`."""
        ask("scancel", *(each.name for each in tasks))

    def cancel(self) -> None:
        """Stop all its tasks, and wait until they have ended. Raises `ExecutorError`."""
        stop([self._waiting])
        ask("scancel", f"--name={self._name}")
        deadline = time.monotonic() + CANCEL
        while self._queued():
            if time.monotonic() > deadline:
                raise ExecutorError("scancel", f"the job {self._name} is still there after {CANCEL:.0f} s")
            time.sleep(_PAUSE)

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


def most_tasks() -> int:
    """How many tasks one array job of this cluster can have."""
    said = ""
    with suppress(ExecutorError):
        said = ask("scontrol", "show", "config")
    # The greatest number of a task is one less than MaxArraySize, the first is 0.
    limits = re.findall(r"^MaxArraySize\s*=\s*(\d+)|\bmax_array_tasks=(\d+)", said, re.MULTILINE)
    return min([int(one or other) for one, other in limits if int(one or other)], default=_MOST_TASKS)
