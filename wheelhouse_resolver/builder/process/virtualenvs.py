"""Fresh environments of a target Python, to build and to verify in."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping

from wheelhouse_resolver.builder.process.commands import is_full, run_logged
from wheelhouse_resolver.errors import WheelhouseError

#: Variables through which another environment would reach into a fresh one.
_REACHING_IN = frozenset({"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX"})


class VirtualenvError(WheelhouseError, RuntimeError):
    """A virtual environment that could not be made."""

    _message = "cannot make a virtual environment of {python}: {problem}"
    python: str
    problem: str


def isolated(environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* without what would let another environment, or the user's own packages, reach in."""
    kept = {name: value for name, value in environ.items() if name not in _REACHING_IN}
    return {**kept, "PYTHONNOUSERSITE": "1"}


def make_environment(python: str, directory: str, *, log: str, environ: Mapping[str, str]) -> str:
    """Make an environment of *python* (a path) with pip in the new *directory*; returns its Python's path.

    By virtualenv if that is installed (extra `build`), which is several times faster than venv; a Python that
    is too old for it gets one by its own venv. What they print goes to the file *log*. Raises
    `VirtualenvError`.
    """
    clean = isolated(environ)
    ways = {"venv": [python, "-m", "venv", directory]}
    if importlib.util.find_spec("virtualenv") is not None:
        # Its own Python runs it, with what is installed there; pip comes from the wheel that it brings along.
        options = ["--quiet", "--no-download", "--no-periodic-update", "--python", python]
        ways = {"virtualenv": [sys.executable, "-I", "-m", "virtualenv", *options, directory], **ways}
    problems = []
    for name, command in ways.items():
        # On a cold network filesystem a Python starts in seconds.
        done = run_logged(command, log=log, environ=clean, timeout=600)
        made = os.path.join(directory, "bin", "python")
        if done.ok and os.path.exists(made):
            return made
        # Before what was made of it is cleared away, which makes room.
        done = done._replace(full=done.full or is_full(os.path.dirname(directory)))
        problems.append(f"{name} {done.why or 'made none'}")
        shutil.rmtree(directory, ignore_errors=True)
    raise VirtualenvError(python, "; ".join(problems))
