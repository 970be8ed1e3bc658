"""Which libraries the loader would find for ELF files: what `ldd` answers, without running anything.

The order is ld.so's (its manual page, "DESCRIPTION"): DT_RPATH of the file and of those that load it, unless
it has a DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH; the cache and the default directories of the loader.
"""

from __future__ import annotations

import glob
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from wheelhouse_resolver.errors import WheelhouseError, printable
from wheelhouse_resolver.utils.elf import MAGIC, ElfFile, read_elf

__all__ = [
    "Loader",
    "Missing",
    "TooManyLibrariesError",
    "default_directories",
    "library_path_of",
    "missing_libraries",
]

#: Where a loader looks by itself, below the prefix that it belongs to.
_DEFAULTS = ("lib64", "usr/lib64", "lib", "usr/lib")

#: Below each directory, libraries for higher CPU levels can stand apart (glibc >= 2.33).
_LEVELS = ("glibc-hwcaps/x86-64-v4", "glibc-hwcaps/x86-64-v3", "glibc-hwcaps/x86-64-v2")

#: More includes in an ld.so.conf than any system has.
_MOST_INCLUDES = 1000

#: More directories than are looked into for any real wheel (scipy with its 114 files: 2,000).
_MOST_LOOKS = 1_000_000


class TooManyLibrariesError(WheelhouseError, RuntimeError):
    """Libraries that need more of one another than those of any real wheel. Attributes: *path*, *looks*."""

    def __init__(self, path: str, looks: int) -> None:
        super().__init__(path, looks)
        self.path = path
        self.looks = looks

    def __str__(self) -> str:
        return f"{printable(self.path)}: given up after {self.looks} directories were looked into"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loader:
    """What the loader of a Python knows besides the files themselves.

    executable:   the Python's own binary; what it loads is there already.
    library_path: the directories of LD_LIBRARY_PATH.
    directories:  that the loader looks into by itself, see `default_directories`.
    """

    executable: str
    library_path: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Missing:
    """A library that the loader would not find.

    file: the one that needs it. library: its name. looked: the directories in which it is not, in order.
    """

    file: str
    library: str
    looked: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.looked[:6]) + (", ..." if len(self.looked) > 6 else "")
        return f"{self.file} needs {self.library}, which is not found (looked in {shown or 'no directory'})"


def default_directories(program_interpreter: str | None) -> list[str]:
    """Where the loader at that path (`ld-linux`) looks by itself: beside it, and what its ld.so.conf names.

    A layer's loader belongs to the layer's prefix, the system's to `/`.
    """
    found: list[str] = []
    beside = os.path.dirname(program_interpreter) if program_interpreter else "/lib64"
    prefix = beside
    while (name := os.path.basename(prefix)) in ("lib", "lib64", "usr") or "-linux-gnu" in name:
        prefix = os.path.dirname(prefix)
    found += _configured(os.path.join(prefix, "etc/ld.so.conf"))
    found += [os.path.join(prefix, each) for each in _DEFAULTS]
    if program_interpreter:
        found += [beside, os.path.dirname(os.path.realpath(program_interpreter))]
    return list(dict.fromkeys(found))


def _configured(path: str) -> list[str]:
    """The directories that an ld.so.conf names, with the files that it includes."""
    found: list[str] = []
    waiting, seen = [path], set[str]()
    while waiting and len(seen) < _MOST_INCLUDES:
        current = waiting.pop(0)
        if current in seen:
            continue
        seen.add(current)
        try:
            with open(current, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            words = line.partition("#")[0].split()
            if words[:1] == ["include"]:
                for pattern in words[1:]:
                    waiting += sorted(glob.glob(os.path.join(os.path.dirname(current), pattern)))
            elif words:
                found.append(words[0])
    return found


def missing_libraries(files: Sequence[str], loader: Loader) -> list[Missing]:
    """The libraries that the loader would not find for the ELF files at these paths, or for what they load.

    What the Python loads at its start counts as found. A file that another one of *files* needs is judged as
    loaded for that one, by whose DT_RPATH its own needs may be found. Raises `TooManyLibrariesError`.
    """
    _elf.cache_clear()  # files may have changed since the last time
    _is_there.cache_clear()
    resolver = _Resolver(loader)
    at_start = resolver.follow(loader.executable, (), frozenset(), {})
    missing: dict[Missing, None] = {}
    needed = {library for path in files for library in _needed(path)}
    for path in sorted(files, key=lambda path: (os.path.basename(path) in needed, path)):
        if os.path.realpath(path) not in resolver.reached:
            resolver.follow(path, (loader.executable,), at_start, missing)
    return sorted(missing, key=lambda each: (each.file, each.library))


def _needed(path: str) -> tuple[str, ...]:
    elf = _elf(os.path.realpath(path))
    return elf.needed if elf is not None else ()


class _Resolver:
    """Follows needed libraries, as the loader does when it is asked for one file. *reached*: all it met."""

    def __init__(self, loader: Loader) -> None:
        self.reached: set[str] = set()
        self._loader = loader
        self._looks = 0

    def follow(
        self, path: str, above: tuple[str, ...], known: frozenset[str], missing: dict[Missing, None]
    ) -> frozenset[str]:
        """The names of all libraries that loading *path* loads; what is not found goes to *missing*.

        above: the files that it is loaded for, outermost first. known: names that are loaded already.
        """
        loaded = set(known)
        waiting = deque([(path, above)])  # first those that the file itself needs: so does the loader
        while waiting:
            current, chain = waiting.popleft()
            self.reached.add(os.path.realpath(current))
            for library in _needed(current):
                if library in loaded:
                    continue
                found, looked = self._found(library, current, chain)
                if found is None:
                    missing[Missing(file=current, library=library, looked=looked)] = None
                    continue
                loaded |= {library, found.soname}
                waiting.append((found.path, (*chain, current)))
        return frozenset(loaded)

    def _found(
        self, library: str, path: str, above: tuple[str, ...]
    ) -> tuple[ElfFile | None, tuple[str, ...]]:
        """The file that the loader takes for *library*, needed by the one at *path*; else where it looked."""
        elf = _elf(os.path.realpath(path))
        assert elf is not None  # it needs something
        if "/" in library:
            return _fitting(_origin(library, path), elf.machine), ()
        looked = list(dict.fromkeys(self._directories(elf, path, above)))
        self._looks += len(looked)
        if self._looks > _MOST_LOOKS:
            raise TooManyLibrariesError(path, _MOST_LOOKS)
        for directory in looked:
            for level in (*_LEVELS, ""):
                found = _fitting(os.path.join(directory, level, library), elf.machine)
                if found is not None:
                    return found, ()
        return None, tuple(looked)

    def _directories(self, elf: ElfFile, path: str, above: tuple[str, ...]) -> Iterator[str]:
        """Where the loader looks. A relative directory is left out: it is another one for every user."""
        found: list[str] = []
        if not elf.runpath:
            found += [_origin(each, path) for each in elf.rpath]
            for other in reversed(above):
                parent = _elf(os.path.realpath(other))
                if parent is not None and not parent.runpath:
                    found += [_origin(each, other) for each in parent.rpath]
        found += self._loader.library_path
        found += [_origin(each, path) for each in elf.runpath]
        found += self._loader.directories
        return (each for each in found if each.startswith("/"))


def _origin(text: str, path: str) -> str:
    """*text* of a search path, with `$ORIGIN` and `$LIB` as they are for the file at *path*.

    The origin of a library is where it was found: the loader follows no link for it.
    """
    here = os.path.dirname(path)
    for name, value in (("ORIGIN", here), ("LIB", "lib64")):
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return os.path.normpath(text)


def _fitting(path: str, machine: str) -> ElfFile | None:
    """The file at *path*, called by that path, if it can be loaded into a process of that *machine*."""
    if not _is_there(path):
        return None
    elf = _elf(os.path.realpath(path))
    return replace(elf, path=path) if elf is not None and elf.machine == machine else None


@lru_cache(maxsize=1 << 16)
def _is_there(path: str) -> bool:
    return os.path.isfile(path)


@lru_cache(maxsize=8192)
def _elf(real: str) -> ElfFile | None:
    """The ELF file at that real path; None when there is none that can be read."""
    try:
        with open(real, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                return None
            file.seek(0)
            elf = read_elf(file, real)
    except OSError:
        return None
    return elf if not elf.problem else None


def library_path_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The directories of LD_LIBRARY_PATH."""
    return tuple(each for each in re.split("[:;]", environ.get("LD_LIBRARY_PATH", "")) if each)
