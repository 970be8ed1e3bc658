"""Libraries that no search path leads to, and that something else loads before they are needed.

An extension of PyTorch needs libraries of the wheel `torch`, which `import torch` has loaded by then; the
loader does not look for one that is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from wheelhouse_resolver.builder.verification.libraries import LibraryProblem
from wheelhouse_resolver.utils.elf import ElfFile, read_elf

#: Python that writes what its process has loaded into the file `{path}`: see `read_loaded`.
_SAVE_LOADED = """
with open("/proc/self/maps") as _loaded, open({path!r}, "w") as _saved:
    _saved.write(_loaded.read())
"""


def saving_loaded(code: str, path: str) -> str:
    """The Python *code*, which then writes what its process has loaded into the file at *path*."""
    return code + _SAVE_LOADED.format(path=path)


def read_loaded(path: str) -> set[str]:
    """The real paths in what the code of `saving_loaded` has written to *path*; none if it ended before."""
    found = set()
    with suppress(OSError), open(path, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.rstrip("\n").split(maxsplit=5)
            if len(fields) == 6 and fields[5].startswith("/"):
                found.add(os.path.realpath(fields[5]))
    return found


def loaded_before(
    one: LibraryProblem, loaded: Mapping[str, str], directories: Iterable[str], own: Sequence[ElfFile]
) -> str:
    """Why the library of *one*, which the loader does not find, is no fault of the wheel; empty if it is one.

    loaded:      what is loaded after what went well: real path -> what that was, such as an import.
    directories: of the environment, with all that the wheel requires. own: the wheel's files there.
    """
    found = _library(one.library, directories, {each.path for each in own}) if one.library else ""
    if what := loaded.get(os.path.realpath(one.file)):
        return f"{what} loads {found or 'it'} before"
    return f"{found}, of what the wheel requires, must be loaded before" if found else ""


def _library(library: str, directories: Iterable[str], own: set[str]) -> str:
    """Where *library* is below one of the *directories*, but is none of the wheel's *own* files; or empty."""
    stem = library.partition(".so")[0]
    for directory in dict.fromkeys(directories):
        for above, below, names in os.walk(directory):
            below.sort()
            paths = [os.path.join(above, name) for name in sorted(names) if name.startswith(stem)]
            for path in paths:
                if path not in own and library in (os.path.basename(path), _soname(path)):
                    return os.path.relpath(path, directory)
    return ""


def _soname(path: str) -> str:
    with suppress(OSError), open(path, "rb") as file:
        return read_elf(file, path).soname
    return ""
