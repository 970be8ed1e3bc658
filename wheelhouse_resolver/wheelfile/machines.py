"""Which systems, Pythons and CPU families wheels are for, by their tags."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.tags import Tag

from wheelhouse_resolver.utils.text import few
from wheelhouse_resolver.wheelfile.tags import machine_of

#: The machines of platform tags whose family has another name.
_FAMILIES = {
    **dict.fromkeys(("i386", "i486", "i586", "i686"), "x86"),
    **dict.fromkeys(("armv5tel", "armv6l", "armv7l", "armv8l"), "arm"),
}

#: The family whose programs a 64-bit CPU also runs: a wheel for it may contain some.
_ALSO = {"x86_64": "x86", "aarch64": "arm"}


#: The interpreters that have wheels: Python itself, CPython, PyPy, GraalPy, ...
_INTERPRETER = re.compile(r"(py|cp|pp|ip|jy|graalpy)\d+(_\w+)?")

#: How the platform tags of other systems begin.
_SYSTEMS = {
    "win": "Windows", "macosx": "macOS", "android": "Android", "ios": "iOS", "pyodide": "Pyodide",
    "emscripten": "Pyodide", "wasi": "WASI", "cygwin": "Cygwin", "mingw": "MinGW", "freebsd": "FreeBSD",
}  # fmt: skip


def unusable(tags: Iterable[Tag]) -> str:
    """Why no Python on Linux can use a wheel with these *tags*; empty if one can."""
    own = list(tags)
    platforms = {tag.platform for tag in own if _INTERPRETER.fullmatch(tag.interpreter)}
    if any(each == "any" or machine_of(each) is not None for each in platforms):
        return ""
    systems = {name for start, name in _SYSTEMS.items() if any(each.startswith(start) for each in platforms)}
    what = f", which are for {', '.join(sorted(systems))}" if systems else ""
    return f"no Python on Linux can use its tags ({few(map(str, own))}){what}"


def families_of(platforms: Iterable[str]) -> frozenset[str]:
    """The CPU families that wheels with these platform tags are for; empty if one of them is `any`."""
    found = set(platforms)
    machines = {machine_of(each) for each in found} - {None}
    return frozenset(_FAMILIES.get(str(each), str(each)) for each in machines if "any" not in found)


def problem_with(tags: Iterable[Tag], family: str | None) -> str:
    """Why a wheel with these *tags* is not for CPUs of *family* (None: not known); empty if it is.

    One for 32 bits is not for a 64-bit family: only a 32-bit Python takes it.
    """
    own = families_of(tag.platform for tag in tags)
    if family is None or not own or family in own:
        return ""
    return f"its tags are for {', '.join(sorted(own))} CPUs"


def runs(cpu: str, program: str) -> bool:
    """Whether a CPU of the family *cpu* runs what is made for the family *program*."""
    return program in (cpu, _ALSO.get(cpu))
