"""The Pythons to build for: found on this machine, each once; and which wheels fit one."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from packaging.version import Version

from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host import target_python
from wheelhouse_resolver.host.target_python import TargetPython


class Target(NamedTuple):
    """A Python to build for. *path* of the interpreter, its *version* (`3.11`), what it says of itself."""

    path: str
    version: str
    python: TargetPython


def target_of(spec: str | None) -> Target:
    """The Python on this machine that *spec* names: a path, a directory, `X.Y`, or None for the running one.

    For `X.Y` that is the first `pythonX.Y` on PATH that answers, else the running one if it fits. Raises
    `PythonError`.
    """
    if spec is None:
        return _asked(sys.executable)
    if os.sep in spec or not spec.replace(".", "").isdigit():
        return _asked(spec)
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(directory or os.curdir, f"python{spec}")
        if not os.access(path, os.X_OK):
            continue
        try:
            found = _asked(path)
        except PythonError:  # a version manager's shim for a version that it then refuses to run
            continue
        if found.version == spec:
            return found
    if spec == "{}.{}".format(*sys.version_info[:2]):
        return _asked(sys.executable)
    raise PythonError(spec, f"no python{spec} on PATH runs").with_hint("give the path of one that does")


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


def _asked(path: str) -> Target:
    path = target_python.found_python(path)
    python, _ = target_python.target_python(path)
    version = target_python.marker_environment(python)["python_version"]  # says so if it cannot be run here
    return Target(os.path.abspath(path), version, python)
