"""Running a command of a build: logged, limited in time and memory, and never outliving us.

What a command starts is stopped with its process group. A process that has left the group (`setsid`) outlives
its parent and becomes our child, where it is found: see `subreaper`.
"""

from __future__ import annotations

import mmap
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from wheelhouse_resolver.builder.process.log_tail import FULL, last_words, without_closing
from wheelhouse_resolver.builder.process.memory import PARENT, exceeds, processes
from wheelhouse_resolver.errors import printable, reason_of
from wheelhouse_resolver.utils.log import info
from wheelhouse_resolver.utils.process import ending_with
from wheelhouse_resolver.utils.redact import redact, secrets_in

StrPath = str | os.PathLike[str]

#: How long a group of processes may take to stop before it is killed (s).
_GRACE = 5.0

#: How often its memory is looked at (s), and how many times as long as a look takes at least.
_PAUSE, _SELDOM = 0.1, 20

#: prctl(2), since Linux 3.4.
_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37


class Finished(NamedTuple):
    """How a command ended.

    code:    its exit code; negative: the signal that ended it; 127: it could not be started.
    tail:    the last lines that it printed, as `tail_of` takes them.
    timeout: the limit (s) at which it was stopped; None: it was not.
    full:    whether the disk of its log, its directory or its TMPDIR was full when it ended.
    memory:  the limit (bytes) at which it was stopped; None: it was not.
    """

    code: int
    tail: str
    timeout: float | None = None
    full: bool = False
    memory: int | None = None

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, and well."""
        return self.code == 0 and self.timeout is None and self.memory is None

    @property
    def problem(self) -> str:
        """Why it is not `ok`; empty if it is."""
        if self.timeout is not None:
            return f"stopped: it took longer than {self.timeout:.0f} s"
        if self.memory is not None:
            return f"stopped: it used more than {self.memory >> 20} MB of memory"
        return ended_with(self.code)

    @property
    def why(self) -> str:
        """The `problem`, and what it said last of it."""
        if self.ok:
            return ""
        said = last_words(self.tail)
        if self.full and FULL not in said:  # a log on that disk lacks what the command said of it
            said = f"{said}: {FULL}" if said else FULL
        return f"{self.problem}: {said}" if said else self.problem


def ended_with(code: int) -> str:
    """What the exit code of a process says: `exited with 3`, `ended by SIGKILL`; empty for 0."""
    if code < 0:
        with suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"exited with {code}" if code else ""


def run_logged(
    command: Sequence[StrPath],
    *,
    log: StrPath,
    environ: Mapping[str, str],
    cwd: StrPath | None = None,
    timeout: float | None = None,
    memory: int | None = None,
) -> Finished:
    """Run *command* with its output (both streams) appended to the file *log*.

    It gets no input and a process group of its own, which is stopped as a whole when *timeout* (s) is over,
    when it uses more than *memory* (bytes) with all that it started, or when we are interrupted: a compiler
    started by a build does not outlive it. Within `subreaper`, nor does what has left the group; so nothing
    else may start processes meanwhile. Never raises for what the command does; `OSError` when *log* cannot be
    opened.
    """
    own = children()
    offset = os.path.getsize(log) if os.path.exists(log) else 0
    process = start_logged(command, log=log, environ=environ, cwd=cwd)
    if isinstance(process, Finished):
        return process
    exceeded: dict[str, Any] = {}
    try:
        exceeded = _exceeded(process, timeout, memory, own)
    finally:
        # Also of one that ended by itself: what it left running would go on writing into the log.
        stop([process])
        kill_children(own)
        hide_secrets(log, offset, environ)
    # Looked at before anybody clears up, which makes room. Where it was full, tools may say anything else.
    written = (os.path.dirname(log), cwd or os.curdir, environ.get("TMPDIR") or os.curdir)
    full = process.returncode != 0 and any(is_full(each) for each in written)
    return Finished(process.returncode, tail_of(log, offset), full=full, **exceeded)


def _exceeded(
    process: subprocess.Popen[bytes], timeout: float | None, memory: int | None, own: Collection[int]
) -> dict[str, Any]:
    """Wait for *process*; its limit by name once it exceeds one, nothing when it has ended.

    *own*: the children that we had before, which do not count.
    """
    start = time.monotonic()
    pause = _PAUSE if memory is not None else float("inf")
    while True:
        left = float("inf") if timeout is None else start + timeout - time.monotonic()
        try:
            process.wait(None if left == pause else max(0.0, min(left, pause)))
        except subprocess.TimeoutExpired:
            if left <= pause:
                return {"timeout": timeout}
        else:
            return {}
        looking = time.monotonic()
        if memory is not None and exceeds(memory, {process.pid, *children().difference(own)}):
            return {"memory": memory}
        pause = max(_PAUSE, _SELDOM * (time.monotonic() - looking))


def start_logged(
    command: Sequence[StrPath],
    *,
    log: StrPath,
    environ: Mapping[str, str],
    cwd: StrPath | None = None,
    at_our_end: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes] | Finished:
    """Start a command as `run_logged` does, and do not wait for it; its end is `stop`, however it ends.

    *at_our_end*: the signal that it gets when we are killed ourselves, and the limits with us.

    Returns how it ended if it could not be started. Raises `OSError` when *log* cannot be opened.
    """
    words = [os.fspath(word) for word in command]
    info(__name__, "run: %s, log: %s", redact(shlex.join(words)), log)
    with open(log, "ab") as output:
        try:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environ),
                cwd=cwd,
                start_new_session=True,
                preexec_fn=ending_with(os.getpid(), at_our_end),  # noqa: PLW1509 - it takes no lock
            )
        except OSError as error:
            problem = f"{printable(words[0])}: {reason_of(error)}"
            with suppress(OSError):
                output.write(f"{problem}\n".encode())
            return Finished(127, problem)


def is_full(directory: StrPath | None) -> bool:
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


#: One for each `subreaper` that is active.
_active: list[bool] = []


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


def children() -> frozenset[int]:
    """The numbers of our child processes; none outside of `subreaper`."""
    own = str(os.getpid())
    # Not `task/*/children`: kernels may lack it.
    return frozenset(pid for pid, each in (processes() if _active else {}).items() if each[PARENT] == own)


def kill_children(kept: Collection[int]) -> None:
    """Kill our child processes that are not *kept*, and what becomes our child by that; see `subreaper`."""
    deadline = time.monotonic() + 5.0  # those that start others faster are given up
    while (left := children().difference(kept)) and time.monotonic() < deadline:
        for each in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(each, os.WNOHANG)
        time.sleep(0.01)


def hide_secrets(log: StrPath, offset: int, environ: Mapping[str, str]) -> None:
    """Overwrite in *log*, from *offset* (bytes) on, secrets of *environ* or in the pip.conf that it names.

    In its place and of its length: that takes no room on a full disk.
    """
    secrets = set[str]().union(*(secrets_in(value, name) for name, value in environ.items()))
    with suppress(OSError), open(environ.get("PIP_CONFIG_FILE", os.devnull), encoding="utf-8") as file:
        secrets |= secrets_in(file.read())
    words = sorted(map(os.fsencode, secrets), key=len, reverse=True)
    pattern = re.compile(b"|".join(map(re.escape, words)))
    with suppress(OSError):
        if secrets and os.path.getsize(log) > offset:
            with open(log, "r+b") as output, mmap.mmap(output.fileno(), 0, prot=mmap.PROT_READ) as content:
                for match in pattern.finditer(content, offset):
                    os.pwrite(output.fileno(), b"*" * len(match[0]), match.start())


def tail_of(log: StrPath, offset: int = 0, lines: int = 20) -> str:
    """The last *lines* of *log* after *offset* (bytes), without those that pip adds to every failure.

    And without secrets.
    """
    with open(log, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(offset, size - (64 << 10)))  # a build may print hundreds of megabytes
        text = file.read().decode("utf-8", "replace")
    return redact("\n".join(without_closing(text.splitlines())[-lines:]))
