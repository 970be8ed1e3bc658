"""The target Python: the one that wheels are picked for. By default, the one in use (see `pythons`).

Four ways to name it: nothing (the one in use), a path (that interpreter is asked), an environment's
directory (its `bin/python` is), or a version such as `3.9`: a CPython 3.9 of this machine, or where there is
none, what one would be here, as `pip --python-version` means it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host.layer import Evidence
from wheelhouse_resolver.host.program_interpreter import Interpreter, NotElfError, program_interpreter
from wheelhouse_resolver.utils.log import info

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version

    from wheelhouse_resolver.host.python_probe import Answers
    from wheelhouse_resolver.host.pythons import FoundPython

_HOW_TO_NAME = "give the path of a Python, or a version such as 3.11"

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?(t?)")

#: glibc versions that had a manylinux name of their own before PEP 600.
_LEGACY = {"2.17": "manylinux2014", "2.12": "manylinux2010", "2.5": "manylinux1"}


class TargetPython(NamedTuple):
    """The Python that wheels are picked for.

    name:        as given; else the path of the one in use, or `running` if that is the program's own.
    interpreter: where it is from. For a version given alone: of the one in use, whose layer it shares.
    version:     the version given alone, else None.
    answers:     what the Python said, else None. Beside a version: whose machine is meant.
    evidence:    why it is this one; the first decided.
    own:         whether it is the program's own, which need not be asked.
    """

    name: str
    interpreter: Interpreter | None
    version: str | None = None
    answers: Answers | None = None
    evidence: tuple[Evidence, ...] = ()
    own: bool = False

    @property
    def full_version(self) -> str | None:
        """Its version, such as `3.9.18`; None for one that was not asked."""
        if self.version is not None or self.answers is not None or _is_own(self):
            return _full_version(self)
        return None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        where = self.interpreter._asdict() if self.interpreter else dict.fromkeys(Interpreter._fields)
        return {"name": self.name, "version": self.full_version, **where}


def target_python(
    spec: str | None = None, environ: Mapping[str, str] | None = None, *, ask: bool = True
) -> tuple[TargetPython, list[str]]:
    """The target Python that *spec* names (None, a path, a directory, or `X.Y`), and warnings about it.

    environ: decides which Python is in use or on PATH; by default, `os.environ`. *ask*: see `python_in_use`.
    Raises `PythonError` when there is none, or when it is not a Python.
    """
    from wheelhouse_resolver.host import pythons

    environ = os.environ if environ is None else environ
    if spec is not None and not is_version(spec):
        return _named(spec, environ)
    option = [Evidence("option", spec, f"given as {spec}")] if spec is not None else []
    if spec is not None:
        here = pythons.python_of(_parsed(spec), environ)
        if here is not None:
            evidence = option[0]._replace(value=here.path)
            return _target(here, spec, (evidence, *here.evidence)), []
    found = pythons.python_in_use(environ, ask=ask)
    name = "running" if found.own else found.path
    warnings = [f"passed over {each}; the target Python is {found.path}" for each in found.passed]
    target = _target(found, name, found.evidence)
    if spec is not None:
        option = [option[0]._replace(detail=f"given as {spec}, of which none is here")]
        return other_version(target, spec)._replace(evidence=tuple(option)), warnings
    info(__name__, "target Python %s: %s", found.path, found.evidence[0].detail)
    return target, warnings


def is_version(spec: str) -> bool:
    """Whether *spec* names a version, such as `3.9`, rather than a path."""
    return _VERSION.fullmatch(spec) is not None


def running_python() -> TargetPython:
    """The Python that runs this program."""
    return TargetPython("running", _running(), own=True)


def _named(spec: str, environ: Mapping[str, str]) -> tuple[TargetPython, list[str]]:
    path = found_python(spec, environ.get("PATH"))
    evidence = (Evidence("option", path, f"given as {spec}"),)
    real = os.path.realpath(path)
    loader = _loader(real)  # None also for a script (a wrapper, a shim): the Python that it starts tells
    if loader is not None and not os.path.exists(loader):
        # It cannot start here, yet its header still tells its layer: another node's Python, say.
        warning = f"{path} cannot be run here (it needs {loader}): only its ELF header was looked at"
        return TargetPython(spec, Interpreter(real, loader, None), evidence=evidence), [warning]
    from wheelhouse_resolver.host.python_probe import ask_python

    said = ask_python(path, environ)
    return TargetPython(spec, _interpreter(path, said), answers=said, evidence=evidence), []


def _target(found: FoundPython, name: str, evidence: tuple[Evidence, ...]) -> TargetPython:
    interpreter = _running() if found.own else _interpreter(found.path, found.answers)
    return TargetPython(name, interpreter, answers=found.answers, evidence=evidence, own=found.own)


def _interpreter(path: str, said: Answers | None) -> Interpreter:
    """Where the Python at *path* is from, by what it *said*; if it was not asked, by what can be seen."""
    real = os.path.realpath(said.executable if said is not None and said.executable else path)
    return Interpreter(
        real, _loader(real), said.base_prefix if said is not None else _base_prefix(path, real)
    )


def _base_prefix(path: str, real: str) -> str:
    """Where the Python is installed that is found at *path*, a link to the binary *real*."""
    above = os.path.dirname(os.path.dirname(os.path.abspath(path)))
    home = os.path.dirname(real)
    try:
        with open(os.path.join(above, "pyvenv.cfg"), encoding="utf-8", errors="surrogateescape") as file:
            found = re.search(r"^home\s*=\s*(.+?)\s*$", file.read(1 << 16), re.MULTILINE)
            home = found[1] if found else home
    except OSError:  # not a virtual environment's
        pass
    return os.path.dirname(home)


def other_version(target: TargetPython, version: str) -> TargetPython:
    """The CPython of that *version* (`3.12`, `3.13t`) where *target* is: same machine, same C library."""
    return target._replace(name=version, version=version, own=False)


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
        major, minor, _, threads = _parsed(target.version)
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

    # A development build of Python adds a `+`, which is not valid in a version.
    return Version(_full_version(target).rstrip("+"))


def _full_version(target: TargetPython) -> str:
    if target.version is not None:
        full = target.version.rstrip("t")
        return full if full.count(".") == 2 else f"{full}.0"
    answers = _answers(target)
    if answers is None:
        return ".".join(map(str, sys.version_info[:3]))
    return dict(answers.markers)["python_full_version"]


def marker_environment(target: TargetPython) -> dict[str, str]:
    """The environment in which the markers of requirements are evaluated (PEP 508)."""
    answers = target.answers if target.version is not None else _answers(target)
    if answers is not None:
        environment = dict(answers.markers)
    else:
        from packaging.markers import default_environment  # takes as long to import as Python to start

        environment = {key: str(value) for key, value in default_environment().items()}
    if target.version is not None:
        major, minor, _, _ = _parsed(target.version)
        environment["python_version"] = f"{major}.{minor}"
        environment["python_full_version"] = _full_version(target)
        environment["implementation_version"] = environment["python_full_version"]
        environment["implementation_name"] = "cpython"
        environment["platform_python_implementation"] = "CPython"
    return environment


def _answers(target: TargetPython) -> Answers | None:
    """What the target said; None for the running Python, which need not be asked."""
    if target.answers is None and not _is_own(target):
        problem = "cannot be run here, so its wheel tags are unknown"
        raise PythonError(target.name, problem).with_hint("give its version: --python X.Y")
    return target.answers


def _is_own(target: TargetPython) -> bool:
    return target.own or target.name == "running"  # the latter also of a host that was simply stated


def _parsed(version: str) -> tuple[int, int, int | None, str]:
    found = _VERSION.fullmatch(version)
    assert found is not None  # target_python let it pass
    return int(found[1]), int(found[2]), int(found[3]) if found[3] else None, found[4]
