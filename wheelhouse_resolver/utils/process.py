"""Running a program and reading what it says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from wheelhouse_resolver.utils.log import debug

if TYPE_CHECKING:
    import subprocess

#: prctl(2).
_PR_SET_PDEATHSIG = 1


def run(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float | None = None,
    new_session: bool = False,
    errors: str = "replace",
) -> subprocess.CompletedProcess[str]:
    """Run *argv* to its end, with nothing to read; its output as text.

    environ: the whole environment; None: this program's. timeout: in seconds. new_session: out of reach of
    the terminal's signals, and ended with all that it started. errors: how undecodable bytes are read. Raises
    `OSError`, `subprocess.TimeoutExpired`; a code other than 0 is no error.
    """
    import signal
    import subprocess
    from shlex import join

    from wheelhouse_resolver.utils.redact import redact

    debug(__name__, "run: %s", redact(join(argv)))
    with subprocess.Popen(
        argv,
        env=None if environ is None else dict(environ),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors=errors,
        start_new_session=new_session,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except BaseException:
            with suppress(ProcessLookupError):
                # A wrapper's death does not end what it has started.
                os.killpg(process.pid, signal.SIGKILL) if new_session else process.kill()
            raise
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


def end_with_parent(parent: int, number: int = 9) -> None:
    """Have this forked process sent the signal *number* when its *parent* ends, however that ends (Linux)."""
    ending_with(parent, number)()


def ending_with(parent: int, number: int = 9) -> Callable[[], None]:
    """What does `end_with_parent` in a process that is about to be forked: looked up before that."""
    prctl: Callable[..., object] | None = None
    with suppress(ImportError, AttributeError, OSError):  # no libffi, no prctl
        import ctypes

        prctl = ctypes.CDLL(None).prctl

    def ending() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ending


class Interrupted(KeyboardInterrupt):
    """A signal that asks us to end, taken as Ctrl-C is. *number*: which."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def interrupted_by(*numbers: int) -> Iterator[None]:
    """Within this, these signals interrupt us as Ctrl-C does: what we have started is stopped.

    Only once: after the first, nothing must disturb the clean-up. What is ignored (under `nohup`) stays so.
    For the main thread of a program.
    """
    import signal

    def interrupt(number: int, _: object) -> NoReturn:
        for each in before:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    before = {each: signal.getsignal(each) for each in numbers}
    before = {each: handler for each, handler in before.items() if handler is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, interrupt)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
