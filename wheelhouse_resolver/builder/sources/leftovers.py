"""What earlier builds have left in a source directory: no sdist holds it, and a backend would use it again.

setuptools takes the objects in `build/` for up to date whatever flags they were compiled with, and copies
an extension module beside the sources as package data; CMake keeps the flags in its cache.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection

#: The names of what builds make and nobody ships without git: directories of setuptools (also of another
#: `build_base`), extension modules for one Python, caches.
_MADE = re.compile(
    r"__pycache__|_skbuild|CMakeFiles|CMakeCache\.txt|\.eggs|\.tox|\.nox"
    r"|(temp|lib|bdist)\.(linux|macosx|win)-[-.\w]+"
    r"|.+\.((cpython-|pypy|graalpy)[-.\w]*|abi3)\.so"
)

#: What is in build directories (CMake, Ninja), caches (Cargo, pytest) and environments.
_MARKERS = ("CMakeCache.txt", "build.ninja", "CACHEDIR.TAG", "pyvenv.cfg")

_PROJECT = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})

_OBJECT = re.compile(r"(.+)\.(o|lo|obj)")
_SOURCES = (".c", ".cc", ".cpp", ".cxx", ".cu", ".f", ".F", ".f90", ".F90", ".for", ".m", ".s", ".S", ".asm")


class Leftovers:
    """Looks for what builds have left below *directory*. *found*: what there was, relative."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.found: set[str] = set()
        self._known: dict[str, frozenset[str]] = {}

    def has(self, path: str) -> bool:
        """Whether the relative *path* or a directory that it is in is left from a build."""
        parts = path.split(os.sep)
        for number, name in enumerate(parts):
            above = os.path.join(*parts[:number], "") if number else ""
            if above not in self._known:
                self._known[above] = _left_in(os.path.join(self.directory, *parts[:number]))
            if name in self._known[above]:
                self.found.add(above + name)
                return True
        return False


def _left_in(directory: str) -> frozenset[str]:
    names = frozenset(os.listdir(directory))
    return frozenset(name for name in names if _is_left(directory, name, names))


def _is_left(directory: str, name: str, beside: Collection[str]) -> bool:
    path = os.path.join(directory, name)
    if _MADE.fullmatch(name):
        return True
    if made := _OBJECT.fullmatch(name):
        return any(made[1] + ending in beside for ending in _SOURCES)
    if name.endswith((".whl", ".egg", ".tar.gz")):
        return os.path.basename(directory) == "dist"
    if os.path.islink(path) or not os.path.isdir(path):
        return False
    if name.endswith(".egg-info"):  # that of an unpacked sdist is part of it
        return not any(os.path.exists(os.path.join(directory, up, "PKG-INFO")) for up in ("", os.pardir))
    if name == "build" and not _PROJECT.isdisjoint(beside):  # pruned by setuptools' sdist as well
        return not os.path.exists(os.path.join(path, "__init__.py"))
    inside = [each for each in (*_MARKERS, *_PROJECT) if os.path.exists(os.path.join(path, each))]
    return bool(inside) and _PROJECT.isdisjoint(inside)
