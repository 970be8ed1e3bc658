"""The same work on many things, by several forked processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.utils.process import end_with_parent

T = TypeVar("T")

R = TypeVar("R")


class WorkerKilledError(WheelhouseError, RuntimeError):
    """A process that worked for this one was killed."""

    _message = "{problem}"
    _hint = "it may have needed too much memory; --jobs 1 looks at one wheel after another"
    problem: str = "a process that looks into wheels was killed"


def spread(work: Callable[[T], R], items: Sequence[T], jobs: int, many: int) -> Iterator[R]:
    """What *work* makes of each of *items*, in order, by *jobs* processes which get *many* in one go.

    The processes are forked: what *work* needs is inherited, what it returns is pickled. Where there can be
    none, this process does it alone. Raises `WorkerKilledError`.
    """
    if jobs < 2:
        yield from map(work, items)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    global _working  # noqa: PLW0603 - how a forked process gets what cannot be pickled
    _working = work
    before = {*multiprocessing.active_children()}
    try:
        pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("fork"), _start, (os.getpid(),))
    except (ImportError, NotImplementedError, OSError):  # no semaphores (/dev/shm is not writable): alone
        yield from map(work, items)
        return
    try:
        try:
            found: Iterable[R] = pool.map(_work, items, chunksize=max(1, many))
        except BrokenProcessPool:
            raise
        except (OSError, RuntimeError):  # no more processes or threads for this user: alone
            found = map(work, items)
        yield from found
    except BrokenProcessPool:
        raise WorkerKilledError() from None
    finally:
        for worker in {*multiprocessing.active_children()} - before:
            worker.kill()  # it may wait for a filesystem that does not answer
        pool.shutdown(cancel_futures=True)  # and waits for its own thread, or Python's exit may trip over it


def _start(parent: int) -> None:
    """Leave it to the parent what an interrupt means; and end with it, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
    end_with_parent(parent)


_working: Callable[[Any], Any]


def _work(item: Any) -> Any:
    return _working(item)
