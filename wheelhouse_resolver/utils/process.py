"""Running a program and reading what it says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from wheelhouse_resolver.utils.log import debug

if TYPE_CHECKING:
    import subprocess


def run(
    argv: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    timeout: float | None = None,
    new_session: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run *argv* to its end, with nothing to read; its output as text, undecodable bytes replaced.

    environ: the whole environment; None: this program's. timeout: in seconds. new_session: out of reach of
    the terminal's signals, and ended with all that it started. Raises `OSError`,
    `subprocess.TimeoutExpired`; a code other than 0 is no error.
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
        errors="replace",
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
