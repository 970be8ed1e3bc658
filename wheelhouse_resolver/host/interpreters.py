"""The Pythons to build for: found on this machine, each once; and which wheels fit one."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from packaging.version import Version

from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host.target_python import TargetPython, marker_environment, target_python


class Target(NamedTuple):
    """A Python to build for. *path* of the interpreter, its *version* (`3.11`), what it says of itself."""

    path: str
    version: str
    python: TargetPython


def target_of(spec: str | None) -> Target:
    """The Python on this machine that *spec* names: a path, a directory, `X.Y`, or None for the running one.

    Raises `PythonError`, also where no Python of version `X.Y` is here.
    """
    python, _ = target_python(spec if spec is not None else sys.executable)
    if python.version is not None:
        problem = f"no python{python.version} on PATH runs"
        raise PythonError(python.version, problem).with_hint("give the path of one that does")
    path = os.path.abspath(str(python.evidence[0].value))
    if python.own:  # what is built for it is asked for by what it says
        python, _ = target_python(path)
    version = marker_environment(python)["python_version"]  # says so if it cannot be run here
    return Target(path, version, python)


def targets_of(spec: str | None) -> list[Target]:
    """The Pythons that *spec*, separated by commas, names: each once, the oldest version first.

    Raises `PythonError`, also for two of one version.
    """
    found: dict[str, Target] = {}
    for each in spec.split(",") if spec is not None else [None]:
        target = target_of(each.strip() if each is not None else None)
        other = found.setdefault(target.version, target)
        if os.path.realpath(other.path) != os.path.realpath(target.path):
            problem = f"is {target.version}, as {other.path} is"
            raise PythonError(target.path, problem).with_hint("name one of the two")
    return sorted(found.values(), key=lambda target: Version(target.version))
