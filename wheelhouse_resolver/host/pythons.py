"""Which Python of this machine is meant: the one in use where none is named, and one of a version.

The one in use is not the program's own: that is often in an environment of its own, whose bin directory may
even be the first on PATH, while people install with the Python of their environment or module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host.layer import Evidence
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter
from wheelhouse_resolver.utils.log import debug

if TYPE_CHECKING:
    from wheelhouse_resolver.host.python_probe import Answers

#: The variables that name a Python's directory, and how it is called in its `bin`, most likely first: active
#: environments, then the module of EasyBuild.
_VARIABLES = {
    "VIRTUAL_ENV": ("python", "python3"),
    "CONDA_PREFIX": ("python", "python3"),
    "EBROOTPYTHON": ("python3", "python"),
}

#: How long one that nobody named may take to answer (s).
_PATIENCE = 20


class FoundPython(NamedTuple):
    """A Python of this machine.

    path:     of its executable, absolute.
    answers:  what it said; None for the program's own, and for one that was not asked.
    own:      whether it is the program's own.
    evidence: why it is this one: the first decided.
    passed:   what speaks for others that cannot be run, a line each.
    """

    path: str
    answers: Answers | None
    own: bool
    evidence: tuple[Evidence, ...] = ()
    passed: tuple[str, ...] = ()


class _Claim(NamedTuple):
    """A place where a Python is said to be; it need not work. The fields are those of `Evidence`."""

    source: str
    path: str
    detail: str


def environment_of(path: str) -> str:
    """What tells the Python at *path* from others: its virtual environment's directory, or its binary.

    A virtual environment's Python is a link to the one below it, which is another.
    """
    path = os.path.abspath(path)
    for _ in range(40):  # as many links as the system follows
        directory = os.path.realpath(os.path.dirname(path))
        path = os.path.join(directory, os.path.basename(path))
        above = os.path.dirname(directory)
        if os.path.exists(os.path.join(above, "pyvenv.cfg")):
            return above
        try:
            path = os.path.join(directory, os.readlink(path))
        except OSError:
            break
    return path


def is_own(path: str) -> bool:
    """Whether the Python at *path* is the program's own: that of the environment which it runs in."""
    return bool(sys.executable) and environment_of(path) == environment_of(sys.executable)


def python_in_use(environ: Mapping[str, str], *, ask: bool = True) -> FoundPython:
    """The Python of the active environment, else of the module, else on PATH, else the program's own.

    *ask*: without, none is started: what can be seen of it must do.
    """
    passed: list[str] = []
    found: FoundPython | None = None
    evidence: list[Evidence] = []
    for each in _in_use(environ):
        try:
            if found is None:
                found = _answering(each.path, environ, ask)
            elif environment_of(each.path) == environment_of(found.path):
                each = each._replace(path=found.path)
        except PythonError as error:
            passed.append(f"{each.path} ({each.detail}): {error.problem}")
            continue
        evidence.append(Evidence(*each))
        if each.source == "PATH":  # one behind it on PATH has no say
            break
    own = Evidence("own", sys.executable, "the Python that runs this program")
    if found is None:
        found = FoundPython(sys.executable, None, own=True)
    if not found.own or not evidence:
        evidence.append(own)
    return found._replace(evidence=tuple(evidence), passed=tuple(passed))


def python_of(version: tuple[int, int, int | None, str], environ: Mapping[str, str]) -> FoundPython | None:
    """A CPython of that *version* (major, minor, patch or None, `t` if free-threaded) that runs here.

    The first `pythonX.Y` on PATH, the active environment's, the module's, the program's own; None if none is
    of that version.
    """
    from wheelhouse_resolver.host.python_probe import ask_python

    major, minor, patch, threads = version
    named = _on_path(f"python{major}.{minor}{threads}", environ)
    for each in (*named, *_named_by_variables(environ)):
        if is_own(each.path):
            continue
        try:
            said = ask_python(each.path, environ, timeout=_PATIENCE)
        except PythonError as error:  # a version manager's shim for a version that is not switched on, say
            debug(__name__, "passed over: %s", error)
            continue
        known = (said.implementation, "t" if "t" in said.soabi.partition("-")[2].partition("-")[0] else "")
        if known == ("cpython", threads) and _fits(said.version, major, minor, patch):
            return FoundPython(each.path, said, own=False, evidence=(Evidence(*each),))
    own = (sys.implementation.name, "t" if "t" in sys.abiflags else "")
    if own == ("cpython", threads) and _fits(sys.version.split()[0], major, minor, patch):
        evidence = Evidence("own", sys.executable, "the Python that runs this program")
        return FoundPython(sys.executable, None, own=True, evidence=(evidence,))
    return None


def _fits(version: str, major: int, minor: int, patch: int | None) -> bool:
    wanted = f"{major}.{minor}" if patch is None else f"{major}.{minor}.{patch}"
    return version == wanted or (version.startswith(wanted) and not version[len(wanted)].isdigit())


def _in_use(environ: Mapping[str, str]) -> Iterator[_Claim]:
    """What speaks for a Python (its value is a path, which need not work), strongest first."""
    yield from _named_by_variables(environ)
    for name in ("python3", "python"):
        named = [each for each in _on_path(name, environ) if not is_own(each.path)]
        yield from named
        if named:  # what is called `python` only is often a Python 2
            return


def _named_by_variables(environ: Mapping[str, str]) -> Iterator[_Claim]:
    for variable, names in _VARIABLES.items():
        place = environ.get(variable)
        if not place:
            continue
        paths = [os.path.join(os.path.abspath(place), "bin", name) for name in names]
        there = [path for path in paths if os.path.lexists(path)]
        # A conda environment need not have a Python.
        if there or variable != "CONDA_PREFIX" or not os.path.isdir(place):
            yield _Claim(variable, (there or paths)[0], f"{variable}={place}")


def _on_path(name: str, environ: Mapping[str, str]) -> Iterator[_Claim]:
    """The executables of that *name* in the directories of PATH, in its order, each once."""
    search = environ.get("PATH")
    seen = set()
    for directory in search.split(os.pathsep) if search else ():
        path = os.path.join(directory, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            real = os.path.realpath(directory)
            if real not in seen:
                yield _Claim("PATH", os.path.abspath(path), f"{name} on PATH")
            seen.add(real)


def _answering(path: str, environ: Mapping[str, str], ask: bool) -> FoundPython:
    """The Python at *path*. Raises `PythonError` when it does not run."""
    if is_own(path):
        return FoundPython(path, None, own=True)
    if not os.path.exists(path):
        raise PythonError(path, "does not exist")
    try:
        loader = program_interpreter(os.path.realpath(path))
    except NotElfError:
        loader = None
    if loader is not None and not os.path.exists(loader):
        raise PythonError(path, f"cannot be run here (it needs {loader})")
    if not ask:
        return FoundPython(path, None, own=False)
    from wheelhouse_resolver.host.python_probe import ask_python

    return FoundPython(path, ask_python(path, environ, timeout=_PATIENCE), own=False)
