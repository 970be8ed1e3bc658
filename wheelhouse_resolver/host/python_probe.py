"""Asking a Python what it is: it is started once, with a script that every Python since 2.7 understands.

What a binary answered is remembered, for starting one takes longer than all else that most commands do. A
script (a wrapper, a version manager's shim) is asked each time: what it starts depends on what it likes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from wheelhouse_resolver.errors import PythonError, reason_of
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.process import run

#: How long a Python may take to answer (s); on a cold network filesystem start-up takes seconds.
_TIMEOUT = 120

#: The variables that decide what a Python says begin so: where its modules and its libraries are.
_DECIDE = ("PYTHON", "_PYTHON", "LD_", "HOME")

#: What a shell exits with, and so a version manager's shim, when it finds no such command.
_NOT_FOUND = 127


class Answers(NamedTuple):
    """What a Python says of itself when asked (see `_QUESTIONS`); hashable."""

    version: str
    implementation: str
    soabi: str
    platform: str
    libc: str
    manylinux: tuple[str, ...]
    markers: tuple[tuple[str, str], ...]
    executable: str = ""
    base_prefix: str = ""


#: Asked of the target with `-c`; must be understood by every Python since 2.7. The policy module
#: (`_manylinux`) is looked up as the target's own pip would: `-c` puts the working directory first, pip
#: doesn't.
_QUESTIONS = r"""
import sys
if sys.path[:1] == [""]:  # there is none under PYTHONSAFEPATH
    del sys.path[0]
import json, os, platform, site, struct, sysconfig
libc = ""
try:
    libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, ValueError, OSError):  # Python 2 doesn't know that name
    try:
        import ctypes
        ask = ctypes.CDLL(None).gnu_get_libc_version
        ask.restype = ctypes.c_char_p
        libc = "glibc " + ask().decode("ascii")
    except (ImportError, AttributeError, OSError):
        pass
name = sysconfig.get_platform()
if name == "linux-x86_64" and struct.calcsize("P") == 4:
    name = "linux-i686"
allowed = []
policy = None
if libc.startswith("glibc "):
    try:
        import _manylinux as policy
    except ImportError:
        policy = None
    major, minor = [int(part) for part in libc.split()[1].split(".")[:2]]
    old = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
    machine = name.split("-")[-1]
    for low in range(minor, 4 if machine in ("x86_64", "i686") else 16, -1):
        verdict = None
        if hasattr(policy, "manylinux_compatible"):
            verdict = policy.manylinux_compatible(major, low, machine)
        elif (major, low) in old:
            verdict = getattr(policy, old[major, low] + "_compatible", None)
        if verdict is None or verdict:
            allowed.append("%d.%d" % (major, low))
seen = [each for each in sys.path if each]
if hasattr(site, "getusersitepackages"):
    seen.append(site.getusersitepackages())
if policy is not None:
    seen.append(getattr(policy, "__file__", None) or "")
    try:
        with open(seen[-1], "rb") as file:
            source = file.read()
        if b"environ" in source or b"getenv" in source:
            seen = None
    except (IOError, OSError):
        seen = None
info = sys.version_info
full = "%d.%d.%d" % info[:3]
if info[3] != "final":
    full += info[3][0] + str(info[4])
own = getattr(sys, "implementation", None)
implementation = own.name if own else platform.python_implementation().lower()
soabi = sysconfig.get_config_var("SOABI") or ""
if info[0] == 2 and implementation == "cpython":
    soabi = "cpython-%d%dm" % info[:2] + ("u" if sys.maxunicode > 0xffff else "")
print("\n" + json.dumps({
    "seen": seen,
    "executable": sys.executable,
    "base_prefix": getattr(sys, "base_prefix", sys.prefix),
    "version": full,
    "implementation": implementation,
    "soabi": soabi,
    "platform": name,
    "libc": libc,
    "manylinux": allowed,
    "markers": {
        "implementation_name": implementation if own else "",
        "implementation_version": full if own else "0",
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    },
}))
"""


def ask_python(
    path: str, environ: Mapping[str, str] | None = None, *, timeout: float | None = None
) -> Answers:
    """What the Python at *path* says of itself when it is started in *environ* (by default, this program's).

    *timeout* in s. Raises `PythonError`.
    """
    environ = os.environ if environ is None else environ
    key = _key(path, environ)
    if key is None:
        said = _ask(path, environ, timeout)
    else:
        said = cache.get("python", key, lambda: _ask(path, environ, timeout), _holds)
    known: dict[str, Any] = {name: said[name] for name in Answers._fields}
    known["manylinux"] = tuple(known["manylinux"])
    known["markers"] = tuple(sorted(known["markers"].items()))
    return Answers(**known)


def _key(path: str, environ: Mapping[str, str]) -> list[Any] | None:
    """What the answer of the binary at *path* depends on, but for what it finds; None for any other file."""
    real = os.path.realpath(path)
    try:
        loader = program_interpreter(real)
    except NotElfError:
        return None
    relative = any(not os.path.isabs(each) for each in environ.get("PYTHONPATH", "/").split(os.pathsep))
    try:
        path, here = os.path.abspath(path), os.getcwd() if relative else ""
    except OSError:  # the working directory is gone
        return None
    above = os.path.dirname(path)
    places = [above, os.path.dirname(above)]
    files = [real, loader or "", *(os.path.join(each, "pyvenv.cfg") for each in places)]
    decide = sorted(pair for pair in environ.items() if pair[0].startswith(_DECIDE))
    machine = os.uname()  # the home directory may be shared by many
    kernel = [machine.sysname, machine.release, machine.version, machine.machine]
    return [path, [cache.file_key(each) for each in files], decide, here, kernel]


def _holds(said: dict[str, Any]) -> bool:
    """Whether the directories of modules, and the policy module among them, are as they were.

    Never, if that does not tell: a policy that looks at the environment, a program that starts the Python.
    """
    seen = said["seen"]
    return seen is not None and all(cache.file_key(path) == identity for path, identity in seen)


def _ask(path: str, environ: Mapping[str, str], timeout: float | None) -> dict[str, Any]:
    from subprocess import TimeoutExpired

    timeout = _TIMEOUT if timeout is None else timeout
    try:
        done = run([path, "-c", _QUESTIONS], environ=environ, timeout=timeout, new_session=True)
    except TimeoutExpired as error:
        raise PythonError(path, f"did not answer within {timeout:g} s") from error
    except (OSError, ValueError) as error:
        why = reason_of(error) if isinstance(error, OSError) else error
        raise PythonError(path, f"cannot be run: {why}") from error
    # Start-up files of the target may print: the answer is the last line.
    lines = done.stdout.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines and done.returncode == 0 else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or "seen" not in answer:
        said = done.stderr.strip().splitlines()
        # What is wrong comes last; but a command that is not found is reported first, and advice may follow.
        why = f": {said[0 if done.returncode == _NOT_FOUND else -1].strip()}" if said else ""
        raise PythonError(path, f"is not a Python (it exited with {done.returncode}{why})")
    if answer["seen"] is not None and os.path.realpath(answer["executable"]) == os.path.realpath(path):
        answer["seen"] = [[each, cache.file_key(each)] for each in answer["seen"]]
    else:  # what a launcher starts (Gentoo's python-exec) is for others to choose, as with a script
        answer["seen"] = None
    return answer
