"""Running a command of a build: logged, limited in time, and never outliving us.

What a command starts is stopped with its process group. A process that has left the group (`setsid`) outlives
its parent and becomes our child, where it is found: see `subreaper`.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NamedTuple, NoReturn

from wheelhouse_resolver.builder.process.log_tail import FULL, last_words, without_closing
from wheelhouse_resolver.errors import printable, reason_of
from wheelhouse_resolver.utils.log import info
from wheelhouse_resolver.utils.redact import redact

#: How much of a log's end is read for its last lines (bytes); a build may print hundreds of megabytes.
_TAIL = 64 << 10

#: How long a group of processes may take to stop before it is killed (s).
_GRACE = 5.0

#: For how long (s) and how often (s) left-over processes are killed; faster ones are given up.
_KILLING, _LOOK = 5.0, 0.01

#: prctl(2), since Linux 3.4.
_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37


class Finished(NamedTuple):
    """How a command ended.

    code:      its exit code; negative: the signal that ended it; 127: it could not be started.
    timed_out: whether it was stopped because its time was up.
    seconds:   how long it ran (s).
    tail:      the last lines that it printed, as `tail_of` takes them.
    full:      whether the disk of its log or of its directory was full when it ended.
    """

    code: int
    timed_out: bool
    seconds: float
    tail: str
    full: bool = False

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, and well."""
        return self.code == 0 and not self.timed_out

    @property
    def problem(self) -> str:
        """Why it is not `ok`; empty if it is."""
        if self.timed_out:
            return f"stopped: it took longer than {self.seconds:.0f} s"
        if self.code < 0:
            with suppress(ValueError):
                return f"ended by {signal.Signals(-self.code).name}"
        return f"exited with {self.code}" if self.code else ""

    @property
    def why(self) -> str:
        """The `problem`, and what it said last of it."""
        if self.ok:
            return ""
        said = last_words(self.tail)
        if self.full and FULL not in said:  # a log on that disk lacks what the command said of it
            said = f"{said}: {FULL}" if said else FULL
        return f"{self.problem}: {said}" if said else self.problem


def run_logged(
    command: Sequence[str | os.PathLike[str]],
    *,
    log: str | os.PathLike[str],
    environ: Mapping[str, str],
    cwd: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
) -> Finished:
    """Run *command* with its output (both streams) appended to the file *log*.

    It gets no input and a process group of its own, which is stopped as a whole when *timeout* (s) is over or
    when we are interrupted: a compiler started by a build does not outlive it. Within `subreaper`, nor does
    what has left the group; so nothing else may start processes meanwhile. Never raises for what the command
    does; `OSError` when *log* cannot be opened.
    """
    start = time.monotonic()
    own = children()
    offset = os.path.getsize(log) if os.path.exists(log) else 0
    process = start_logged(command, log=log, environ=environ, cwd=cwd)
    if isinstance(process, Finished):
        return process
    timed_out = False
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        timed_out = True
    finally:
        # Also of one that ended by itself: what it left running would go on writing into the log.
        stop([process])
        kill_children(own)
    # Looked at before anybody clears up, which makes room.
    full = process.returncode != 0 and (is_full(os.path.dirname(log)) or is_full(cwd))
    return Finished(process.returncode, timed_out, time.monotonic() - start, tail_of(log, offset), full)


def start_logged(
    command: Sequence[str | os.PathLike[str]],
    *,
    log: str | os.PathLike[str],
    environ: Mapping[str, str],
    cwd: str | os.PathLike[str] | None = None,
) -> subprocess.Popen[bytes] | Finished:
    """Start a command as `run_logged` does, and do not wait for it; its end is `stop`, however it ends.

    Returns how it ended if it could not be started. Raises `OSError` when *log* cannot be opened.
    """
    info(__name__, "run: %s, log: %s", redact(shlex.join([os.fspath(word) for word in command])), log)
    with open(log, "ab") as output:
        try:
            return subprocess.Popen(
                [os.fspath(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                cwd=cwd,
                start_new_session=True,
            )
        except OSError as error:
            problem = f"{printable(os.fspath(command[0]))}: {reason_of(error)}"
            with suppress(OSError):
                output.write(f"{problem}\n".encode())
            return Finished(127, False, 0.0, problem)


def is_full(directory: str | os.PathLike[str] | None) -> bool:
    """Whether the disk of *directory* (of the current one by default) has no room for data or for files."""
    with suppress(OSError):
        disk = os.statvfs(directory or os.curdir)
        # Some file systems count no files: they have room for none, of none.
        return disk.f_bavail == 0 or (disk.f_files > 0 and disk.f_favail == 0)
    return False


def stop(processes: Sequence[subprocess.Popen[bytes]], grace: float = _GRACE) -> None:
    """End *processes* with their groups: those that run are asked together, and killed after *grace* (s)."""
    for process in processes:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + grace
    for process in processes:
        with suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, deadline - time.monotonic()))
        _signal(process, signal.SIGKILL)
        process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


@contextmanager
def subreaper() -> Iterator[None]:
    """Within this, processes whose parent has ended become children of this one (Linux).

    For programs that start nothing but what this module runs: it kills such orphans. Where the kernel cannot,
    nothing changes.
    """
    before = _set_subreaper(True)
    _active.append(True)
    try:
        yield
    finally:
        _active.pop()
        _set_subreaper(before)


def _set_subreaper(on: bool) -> bool:
    """Have orphans become our children, or not; returns whether they did before."""
    with suppress(ImportError, AttributeError, OSError):  # no libffi, no prctl
        import ctypes

        prctl = ctypes.CDLL(None).prctl
        before = ctypes.c_int(0)
        prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
        prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
        return bool(before.value)
    return False


#: One for each `subreaper` that is active.
_active: list[bool] = []


def children() -> frozenset[int]:
    """The numbers of our child processes; none outside of `subreaper`."""
    if not _active:
        return frozenset()
    own = str(os.getpid())
    found = []
    for name in os.listdir("/proc"):
        # Not `task/*/children`: kernels may lack it.
        with suppress(OSError):
            if name.isdecimal():
                with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                    if file.read().rpartition(")")[2].split()[1] == own:
                        found.append(int(name))
    return frozenset(found)


def kill_children(kept: Collection[int]) -> None:
    """Kill our child processes that are not *kept*, and what becomes our child by that; see `subreaper`."""
    deadline = time.monotonic() + _KILLING
    while (left := children().difference(kept)) and time.monotonic() < deadline:
        for each in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(each, os.WNOHANG)
        time.sleep(_LOOK)


def tail_of(log: str | os.PathLike[str], offset: int = 0, lines: int = 20) -> str:
    """The last *lines* of *log* after *offset* (bytes), without those that pip adds to every failure."""
    with open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(offset, size - _TAIL))
        text = file.read().decode("utf-8", "replace")
    return "\n".join(without_closing(text.splitlines())[-lines:])


@contextmanager
def interrupted_by(*numbers: int) -> Iterator[None]:
    """Within this, these signals interrupt us as Ctrl-C does: what we have started is stopped.

    Only once: after the first, nothing must disturb the clean-up. For the main thread of a program.
    """

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in numbers}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
