"""The target Python: the one that wheels are picked for. By default, the running one.

Four ways to name it: nothing (the running Python), a path (that interpreter is asked), an environment's
directory (its `bin/python` is), or a version such as `3.9` (CPython 3.9 on this machine, as
`pip --python-version` means it; nothing is run).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version

    from wheelhouse_resolver.host.python_probe import Answers

_HOW_TO_NAME = "give the path of a Python, or a version such as 3.11"

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(t?)")

#: glibc versions that had a manylinux name of their own before PEP 600.
_LEGACY = {"2.17": "manylinux2014", "2.12": "manylinux2010", "2.5": "manylinux1"}


class Interpreter(NamedTuple):
    """Where a Python is from: the evidence that it is for its layer.

    executable:          the real path of its binary.
    program_interpreter: what its ELF header asks for; None for a static binary or a script.
    base_prefix:         where it is installed (of a virtual environment: of the Python below it).
    """

    executable: str
    program_interpreter: str | None
    base_prefix: str | None


class TargetPython(NamedTuple):
    """The Python that wheels are picked for.

    name:        as given, or `running`.
    interpreter: where it is from. For a version given alone: of the running Python, whose layer it shares.
    version:     the version given alone, else None.
    answers:     what the Python at a given path said, else None. Beside a version: whose machine is meant.
    """

    name: str
    interpreter: Interpreter | None
    version: str | None = None
    answers: Answers | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        where = self.interpreter._asdict() if self.interpreter else dict.fromkeys(Interpreter._fields)
        return {"name": self.name, **where}


def target_python(spec: str | None = None) -> tuple[TargetPython, list[str]]:
    """The target Python that *spec* names (None, a path, a directory, or `X.Y`), and warnings about it.

    Raises `PythonError` when there is none, or when it is not a Python.
    """
    if spec is None:
        return TargetPython("running", _running()), []
    if _VERSION.fullmatch(spec):
        return TargetPython(spec, _running(), version=spec), []
    path = found_python(spec)
    real = os.path.realpath(path)
    loader = _loader(real)  # None also for a script (a wrapper, a shim): the Python that it starts tells
    if loader is not None and not os.path.exists(loader):
        # It cannot start here, yet its header still tells its layer: another node's Python, say.
        warning = f"{path} cannot be run here (it needs {loader}): only its ELF header was looked at"
        return TargetPython(spec, Interpreter(real, loader, None)), [warning]
    from wheelhouse_resolver.host.python_probe import ask_python

    said = ask_python(path)
    real = os.path.realpath(said.executable or path)
    return TargetPython(spec, Interpreter(real, _loader(real), said.base_prefix), answers=said), []


def other_active(environ: Mapping[str, str]) -> str | None:
    """A warning when *environ* has a virtual or conda environment active whose Python is not the running one.

    Two Pythons of one X.Y take the same wheels. Nothing is run: a virtual environment says its version in
    pyvenv.cfg (PEP 405; `version` by venv, `version_info` by virtualenv and uv), conda in the names of its
    records. None when nothing is known.
    """
    active = environ.get("VIRTUAL_ENV") or environ.get("CONDA_PREFIX")
    if not active or os.path.realpath(active) == os.path.realpath(sys.prefix):
        return None
    version = _version_in(active)
    own = ".".join(map(str, sys.version_info[:3]))
    if version is None or version.split(".")[:2] == own.split(".")[:2]:
        return None
    return (
        f"answers are for Python {own} (the one that runs this), not for the active environment {active}; "
        f"say --python {os.path.join(active, 'bin', 'python')}"
    )


def _version_in(environment: str) -> str | None:
    """The version of the Python in that environment, as far as its files tell."""
    try:
        with open(os.path.join(environment, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
            found = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", file.read(1 << 16), re.MULTILINE)
            return found[1] if found else None
    except OSError:
        pass
    try:
        records = os.listdir(os.path.join(environment, "conda-meta"))
    except OSError:
        return None
    matches = (re.fullmatch(r"python-(\d+\.\d+)[^-]*-[^-]*\.json", each) for each in records)
    return next((match[1] for match in matches if match), None)


def other_version(target: TargetPython, version: str) -> TargetPython:
    """The CPython of that *version* (`3.12`, `3.13t`) where *target* is: same machine, same C library."""
    return target._replace(name=version, version=version)


def found_python(spec: str, search: str | None = None) -> str:
    """The path of the executable that *spec* names: a path, an environment's directory, or a name on PATH.

    *search* replaces PATH. Raises `PythonError` when there is none.
    """
    inside = os.path.join(spec, "bin", "python")
    # Also one that is broken: it is said of the Python what is wrong, rather than of the directory.
    path = inside if spec and os.path.lexists(inside) else None
    if os.sep in spec:
        path = path or spec
    else:
        import shutil

        path = shutil.which(spec, path=search) or path
    if path is None:
        raise PythonError(spec, "not found on PATH").with_hint(_HOW_TO_NAME)
    if not os.path.exists(path):
        raise PythonError(path, "does not exist").with_hint(_HOW_TO_NAME)
    if os.path.isdir(path) or not os.access(path, os.X_OK):
        raise PythonError(path, "is not an executable file")
    return path


@lru_cache(maxsize=1)
def _running() -> Interpreter:
    executable = os.path.realpath(sys.executable) if sys.executable else ""
    return Interpreter(executable, _loader(executable), sys.base_prefix)


def _loader(executable: str) -> str | None:
    try:
        return program_interpreter(executable)
    except NotElfError:
        return None


@lru_cache(maxsize=8)
def supported_tags(target: TargetPython) -> tuple[Tag, ...]:
    """The wheel tags that *target* accepts, best first (PEP 425, PEP 600; the order is packaging's).

    Raises `PythonError` for a Python that could not be run here.
    """
    from packaging import tags

    if target.version is not None:
        major, minor, threads = _parsed(target.version)
        # CPython marked pymalloc builds with `m` until 3.7, and those with all of Unicode with `u` until 3.2.
        flags = threads or ("m" if (major, minor) < (3, 8) else "") + ("u" if (major, minor) < (3, 3) else "")
        abis = [f"cp{major}{minor}{flags}"]
        platforms = list(tags.platform_tags()) if target.answers is None else _platforms(target.answers)
        return _cpython((major, minor), abis, platforms)
    answers = _answers(target)
    if answers is None:
        return tuple(tags.sys_tags())
    major, minor = map(int, answers.version.split(".")[:2])
    platforms = _platforms(answers)
    if answers.implementation == "cpython":
        parts = answers.soabi.split("-")
        abi = f"cp{parts[1]}" if len(parts) > 1 and parts[0] == "cpython" else f"cp{major}{minor}"
        # A debug build loads extension modules of a normal one as well, since 3.8.
        normal = [abi[:-1]] if abi.endswith("d") and (major, minor) >= (3, 8) else []
        return _cpython((major, minor), [abi, *normal], platforms)
    short = {"pypy": "pp"}.get(answers.implementation, answers.implementation)
    interpreter = f"{short}{major}{minor}"
    abi = "_".join(answers.soabi.split("-")[:2]).replace(".", "_")
    return (
        *tags.generic_tags(interpreter, [abi], platforms),
        *tags.compatible_tags((major, minor), interpreter, platforms),
    )


def _cpython(version: tuple[int, int], abis: list[str], platforms: list[str]) -> tuple[Tag, ...]:
    from packaging import tags

    return (
        *tags.cpython_tags(version, abis, platforms),
        *tags.compatible_tags(version, f"cp{version[0]}{version[1]}", platforms),
    )


def _platforms(answers: Answers) -> list[str]:
    """The platform tags of a Python that answered: its own glibc counts, not that of the running one."""
    from packaging import tags

    here = list(tags.platform_tags())
    own = answers.platform.replace("-", "_").replace(".", "_")
    if not own.startswith("linux_"):
        return here
    machine = own.partition("_")[2]
    names = ((f"manylinux_{each.replace('.', '_')}", _LEGACY.get(each)) for each in answers.manylinux)
    many = [f"{name}_{machine}" for both in names for name in both if name]
    if not answers.libc:  # musl
        many = [platform for platform in here if platform.startswith("musllinux_")]
    # Releases of packaging differ in which of the two they prefer.
    return [own, *many] if here and here[0].startswith("linux_") else [*many, own]


def python_version(target: TargetPython) -> Version:
    """The version that `Requires-Python` is compared with (`3.9` counts as 3.9.0, as pip has it)."""
    from packaging.version import Version

    if target.version is None and _answers(target) is None:
        return Version(".".join(map(str, sys.version_info[:3])))
    # A development build of Python adds a `+`, which is not valid in a version.
    return Version(marker_environment(target)["python_full_version"].rstrip("+"))


def marker_environment(target: TargetPython) -> dict[str, str]:
    """The environment in which the markers of requirements are evaluated (PEP 508)."""
    from packaging.markers import default_environment

    answers = target.answers if target.version is not None else _answers(target)
    known = answers.markers if answers is not None else default_environment().items()
    environment = {key: str(value) for key, value in known}
    if target.version is not None:
        major, minor, _ = _parsed(target.version)
        full = target.version.rstrip("t")
        environment["python_version"] = f"{major}.{minor}"
        environment["python_full_version"] = full if full.count(".") == 2 else f"{full}.0"
        environment["implementation_version"] = environment["python_full_version"]
        environment["implementation_name"] = "cpython"
        environment["platform_python_implementation"] = "CPython"
    return environment


def _answers(target: TargetPython) -> Answers | None:
    """What the target said; None for the running Python, which need not be asked."""
    if target.answers is None and target.name != "running":
        problem = "cannot be run here, so its wheel tags are unknown"
        raise PythonError(target.name, problem).with_hint("give its version: --python X.Y")
    return target.answers


def _parsed(version: str) -> tuple[int, int, str]:
    found = _VERSION.fullmatch(version)
    assert found is not None  # target_python let it pass
    return int(found[1]), int(found[2]), found[4]
