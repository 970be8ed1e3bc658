"""What a run that was killed has left running on this machine: found by its directory, and stopped.

A process belongs to a run if its environment names the run's temporary directory, or if it is a build (the
worker) whose task is in there. These directories have unique names, so no other process is taken for one.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from contextlib import suppress

from wheelhouse_resolver.builder.process.memory import stat_fields

#: Names the temporary directory of a build to all that it runs.
DIRECTORY = "WHEELHOUSE_BUILD_DIRECTORY"

#: In the temporary directory of a run: what its jobs of a scheduler are made of, while there are any.
JOBS = "jobs"

#: The module that is a build.
WORKER = "wheelhouse_resolver.builder.worker"

#: How long they may take to stop, in which a build stops what it runs, before they are killed (s).
_GRACE = 10.0


def stop_processes_of(directories: Collection[str]) -> None:
    """Stop the processes on this machine that belong to the owners of *directories*, which have ended."""
    deadline = time.monotonic() + _GRACE
    asked: set[tuple[int, str]] = set()
    while found := _processes_of(directories):
        late = time.monotonic() > deadline
        for each in found - asked if not late else found:
            _signal(*each, signal.SIGKILL if late else signal.SIGTERM)
        asked |= found
        if time.monotonic() > deadline + _GRACE:  # not ours to stop, or out of reach (state D)
            return
        time.sleep(0.05)


def _processes_of(directories: Collection[str]) -> set[tuple[int, str]]:
    """The processes of *directories*: their numbers, and when each started, as numbers are used again."""
    marks = {os.fsencode(f"{DIRECTORY}={each}") for each in directories}
    below = tuple(os.fsencode(each) + b"/" for each in directories)
    found = set()
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        if not _is_ours(pid):
            continue
        start = start_of(pid)
        environ, words = _words(pid, "environ"), _words(pid, "cmdline")
        worker = len(words) > 2 and words[-2] == WORKER.encode() and words[-1].startswith(below)
        if start and (worker or not marks.isdisjoint(environ)) and _runs(pid):
            found.add((pid, start))
    return found


def _is_ours(pid: int) -> bool:
    with suppress(OSError):
        return pid != os.getpid() and os.stat(f"/proc/{pid}").st_uid in (os.geteuid(), os.getuid())
    return False


def _words(pid: int, name: str) -> list[bytes]:
    with suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as file:
        return file.read().rstrip(b"\0").split(b"\0")
    return []


def _runs(pid: int) -> bool:
    return stat_fields(pid)[:1] not in ([], ["Z"])


def start_of(pid: int) -> str:
    """When the process *pid* started (`starttime` of proc(5)); empty when there is none."""
    return "".join(stat_fields(pid)[19:20])


def _signal(pid: int, start: str, number: signal.Signals) -> None:
    """Send it to the process *pid*, if that is still the one that started then."""
    handle = None
    with suppress(OSError, AttributeError):  # Linux 5.3: from then on *pid* cannot become another's
        handle = os.pidfd_open(pid)
    try:
        if start_of(pid) == start:
            with suppress(ProcessLookupError, PermissionError):
                if handle is None:
                    os.kill(pid, number)
                else:
                    signal.pidfd_send_signal(handle, number)
    finally:
        if handle is not None:
            os.close(handle)
