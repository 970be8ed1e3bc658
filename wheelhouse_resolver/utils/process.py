"""Running a program and reading what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wheelhouse_resolver.utils.log import debug

if TYPE_CHECKING:
    import subprocess

__all__ = ["run"]


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
    the terminal's signals. Raises `OSError`, `subprocess.TimeoutExpired`; a code other than 0 is no error.
    """
    import subprocess
    from shlex import join

    from wheelhouse_resolver.utils.redact import redact

    debug(__name__, "run: %s", redact(join(argv)))
    return subprocess.run(
        argv,
        env=None if environ is None else dict(environ),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        start_new_session=new_session,
        check=False,
    )
