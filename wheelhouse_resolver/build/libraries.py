"""Which libraries the loader would find for ELF files: what `ldd` answers, without running anything.

The order is ld.so's (its manual page, "DESCRIPTION"): DT_RPATH of the file and of those that load it, unless
it has a DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH; the cache and the default directories of the loader.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from wheelhouse_resolver.build.elf import MAGIC, ElfFile, read_elf

__all__ = ["Loader", "Missing", "default_directories", "library_path_of", "missing_libraries"]

#: Where a loader looks by itself, below the prefix that it belongs to.
_DEFAULTS = ("lib64", "usr/lib64", "lib", "usr/lib")

#: Below each directory, libraries for higher CPU levels can stand apart (glibc >= 2.33).
_LEVELS = ("glibc-hwcaps/x86-64-v4", "glibc-hwcaps/x86-64-v3", "glibc-hwcaps/x86-64-v2")

#: More includes in an ld.so.conf than any system has.
_MOST_INCLUDES = 1000


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

    What the Python loads at its start counts as found. A library is told once for each file that needs it.
    """
    _elf.cache_clear()  # files may have changed since the last time
    missing: list[Missing] = []
    resolver = _Resolver(loader)
    at_start = resolver.follow(loader.executable, (), frozenset(), missing=[])
    for path in sorted(files):
        resolver.follow(path, (loader.executable,), at_start, missing)
    return missing


class _Resolver:
    """Follows needed libraries; each file is looked into once."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._visited: set[str] = set()

    def follow(
        self, path: str, above: tuple[str, ...], known: frozenset[str], missing: list[Missing]
    ) -> frozenset[str]:
        """The names of all libraries that loading *path* loads; what is not found goes to *missing*.

        above: the files that it is loaded for, outermost first. known: names that are loaded already.
        """
        names: set[str] = set()
        waiting = [(path, above)]
        while waiting:
            current, chain = waiting.pop()
            real = os.path.realpath(current)
            elf = _elf(real)
            if elf is None or real in self._visited:
                continue
            self._visited.add(real)
            for library in elf.needed:
                if library in known:
                    continue
                names.add(library)
                found, looked = self._found(library, elf, current, chain)
                if found is None:
                    missing.append(Missing(file=current, library=library, looked=looked))
                else:
                    waiting.append((found, (*chain, current)))
        return frozenset(names)

    def _found(
        self, library: str, elf: ElfFile, path: str, above: tuple[str, ...]
    ) -> tuple[str | None, tuple[str, ...]]:
        looked = list(dict.fromkeys(self._directories(elf, path, above)))
        if "/" in library:
            expanded = _origin(library, path)
            return (expanded if _fits(expanded, elf.machine) else None), ()
        for directory in looked:
            for level in (*_LEVELS, ""):
                candidate = os.path.join(directory, level, library)
                if _fits(candidate, elf.machine):
                    return candidate, ()
        return None, tuple(looked)

    def _directories(self, elf: ElfFile, path: str, above: tuple[str, ...]) -> Iterator[str]:
        if not elf.runpath:
            yield from (_origin(each, path) for each in elf.rpath)
            for other in reversed(above):
                parent = _elf(os.path.realpath(other))
                if parent is not None and not parent.runpath:
                    yield from (_origin(each, other) for each in parent.rpath)
        yield from self._loader.library_path
        yield from (_origin(each, path) for each in elf.runpath)
        yield from self._loader.directories


def _origin(text: str, path: str) -> str:
    """*text* of a search path, with `$ORIGIN` and `$LIB` as they are for the file at *path*."""
    here = os.path.dirname(os.path.realpath(path))
    for name, value in (("ORIGIN", here), ("LIB", "lib64")):
        text = text.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return os.path.normpath(text)


def _fits(path: str, machine: str) -> bool:
    """Whether the file at *path* can be loaded into a process of that *machine*."""
    elf = _elf(os.path.realpath(path))
    return elf is not None and elf.machine == machine


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
    return tuple(each or "." for each in environ.get("LD_LIBRARY_PATH", "").split(":") if each)
