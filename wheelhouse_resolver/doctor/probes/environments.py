"""The probe of virtual environments: which are meant, whether they can run, and who made them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from wheelhouse_resolver.doctor.python_facts import PythonFacts, VenvState
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.utils.filesystem import read_head, read_settings

#: The Python of a script: after `#!`, or on the next line, where its path is too long for that.
_SCRIPT = re.compile(r"""#! *((?:\S*/)?(?:python|pypy)[^\s/]*)\s|#! */bin/sh\s*\n'''exec' "?(.*?)"? "\$0" """)

_ACTIVATE = re.compile(r"""^(?:export )?VIRTUAL_ENV=(['"]?)(/[^'"\n]*)\1$""", re.MULTILINE)

#: As much of a script of an environment is read, in bytes.
_HEAD = 8192


def interpreter_of(script: str) -> str | None:
    """The Python that a *script* starts; None for any other file, and for one that finds its own."""
    found = _SCRIPT.match(_head(script))
    path = found and (found[1] or found[2])
    return None if path and "$" in path else path  # uv's relocatable environments


def virtual_environments(
    python: str, target: PythonFacts | None, environ: Mapping[str, str]
) -> tuple[VenvState, ...]:
    """The virtual environments that are active, or that *python* is in; *target*: what it answered."""
    active = os.path.abspath(environ["VIRTUAL_ENV"]) if environ.get("VIRTUAL_ENV") else None
    paths = [active] if active else []
    if os.sep in python:
        above = os.path.abspath(os.path.dirname(os.path.dirname(python)))
        if os.path.isfile(os.path.join(above, "pyvenv.cfg")):
            paths.append(above)
        paths += filter(None, [_gone(python)])
    prefix = os.path.realpath(target.prefix) if target is not None else None
    return tuple(
        _state(path)._replace(active=path == active, is_target=os.path.realpath(path) == prefix)
        for path in dict.fromkeys(paths)
    )


def _gone(python: str) -> str | None:
    """The virtual environment that the path *python* must have been, or been in; None for any other."""
    path, name = os.path.split(os.path.abspath(python))
    if os.path.lexists(python):
        return None
    if os.path.basename(path) == "bin":
        above = os.path.dirname(path)
        return above if not os.path.isdir(path) else None
    return None if re.fullmatch(r"(python|pypy)[\d.]*t?", name) else os.path.join(path, name)


def _state(path: str) -> VenvState:
    if not os.path.lexists(path):
        return VenvState(path=path, gone=True, problem="it does not exist: it was deleted or moved")
    try:
        config = read_settings(os.path.join(path, "pyvenv.cfg")).decode("utf-8", "surrogateescape")
    except OSError as error:
        return VenvState(path=path, problem=f"pyvenv.cfg: {reason_of(error)}")
    pairs = [line.split("=", 1) for line in config.splitlines() if "=" in line]
    values = {key.strip(): value.strip() for key, value in pairs}
    home, version = values.get("home", ""), values.get("version") or values.get("version_info", "")
    python, problem = os.path.join(path, "bin", "python"), ""
    if home and not os.path.isdir(home):
        problem = f"the Python that made it is gone: {home} does not exist"
    elif not os.path.exists(python):
        problem = f"{python} does not exist, or points to nothing"
    scripts = "" if problem else _other_python(path)
    return VenvState(
        path=path,
        home=home,
        version=version,
        problem=problem,
        uv=values.get("uv", ""),
        scripts=scripts,
        startable=os.access(scripts, os.X_OK),
    )


def _other_python(path: str) -> str:
    """The Python that the scripts of the environment at *path* start, where that is not its own."""
    own = os.path.realpath(os.path.join(path, "bin"))
    python = interpreter_of(os.path.join(path, "bin", "pip"))
    if python is None:
        made = _ACTIVATE.search(_head(os.path.join(path, "bin", "activate")))
        python = os.path.join(made[2], "bin", "python") if made else None
    if python is None or os.path.realpath(os.path.dirname(python)) == own:
        return ""
    return python


def _head(path: str) -> str:
    return os.fsdecode(read_head(path, _HEAD))
