"""The linker's mark: the x86-64 level that a library needs, for the loader to refuse it on a lower CPU.

GNU ld makes it (`-z x86-64-v3`); gold takes the option for an error, lld and mold ignore it. So it is tried
before a build, and looked for in the finished libraries.
"""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cpu import TARGETS

from wheelhouse_resolver.utils.elf import ElfFile, read_elf
from wheelhouse_resolver.utils.process import run

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch

#: The levels that there is a mark for, the highest first, and their bits (x86-64 psABI).
LEVELS: Mapping[str, int] = {"x86_64_v4": 8, "x86_64_v3": 4, "x86_64_v2": 2}

#: What links libraries: the variable with the command, and its default; the variable with its flags; meson's
#: with the name of its linker; a source.
_COMPILERS = (
    ("LDSHARED", "", "CFLAGS", "CC_LD", "nothing.c", "int nothing;\n"),
    ("CC", "gcc", "CFLAGS", "CC_LD", "nothing.c", "int nothing;\n"),
    ("CXX", "g++", "CXXFLAGS", "CXX_LD", "nothing.cc", "int nothing;\n"),
    ("FC", "gfortran", "FFLAGS", "FC_LD", "nothing.f90", "subroutine nothing\nend\n"),
)

#: How long linking nothing may take (s).
_TIMEOUT = 60


def level_of(arch: Arch | None) -> str | None:
    """The highest x86-64 level that every CPU of *arch* has, as archspec names it; None for none of them."""
    if arch is None or arch.family != "x86_64":
        return None
    known = [each for each in TARGETS.values() if str(each.family) == "x86_64"]
    targets = [each for each in known if all(feature in each for feature in arch.features)]
    if arch.target is not None:
        targets = [TARGETS[arch.target]]
    # Perhaps no CPU that is known has all of these features.
    return next((x for x in LEVELS if targets and all(each >= TARGETS[x] for each in targets)), None)


def mark_flag(level: str) -> str:
    """The compiler's flag that has the linker mark a library with *level*."""
    return f"-Wl,-z,{level.replace('_', '-')}"


def makes_mark(level: str, environ: Mapping[str, str]) -> bool:
    """Whether the compilers and flags of *environ* link libraries that are marked with *level*.

    Those for C, C++ and Fortran are tried: LDFLAGS is for all of them. One that is missing, or links nothing
    at all, does not count.
    """
    return _makes_mark(level, tuple(sorted(environ.items())))


@lru_cache(maxsize=64)
def _makes_mark(level: str, environ: tuple[tuple[str, str], ...]) -> bool:
    found = dict(environ)
    with tempfile.TemporaryDirectory(prefix="wheelhouse-mark-") as scratch:
        marked = False
        for variable, program, flags, linker, name, text in _COMPILERS:
            source = Path(scratch, name)
            source.write_text(text, encoding="ascii")
            command = [found.get(variable) or program, found.get(flags, ""), found.get("LDFLAGS", "")]
            command += [f"-fuse-ld={found[linker]}"] if found.get(linker) else []
            with suppress(ValueError):  # of shlex
                words = [word for part in command for word in shlex.split(part)]
                if _links(words, source, level, found):
                    marked = True
                elif _links(words, source, None, found):
                    return False
        return marked


def _links(compiler: list[str], source: Path, level: str | None, environ: Mapping[str, str]) -> bool:
    """Whether *compiler* makes a library of *source*: with the mark of *level*, if one is given."""
    library = source.with_suffix(".so")
    library.unlink(missing_ok=True)
    mark = [mark_flag(level)] if level is not None else []
    command = [*compiler, *mark, "-shared", "-fPIC", "-o", str(library), str(source)]
    with suppress(OSError, subprocess.TimeoutExpired):
        if run(command, environ=environ, timeout=_TIMEOUT).returncode == 0:
            with open(library, "rb") as file:
                elf = read_elf(file, str(library))
            return level is None or bool(elf.isa_needed & LEVELS[level])
    return False


def marked_and_others(files: Iterable[ElfFile], level: str) -> tuple[list[str], list[str]]:
    """The paths of those x86-64 libraries and programs that are marked with *level*, and of the others."""
    loaded = [each for each in files if each.dynamic and each.family == "x86_64"]
    marked = [each.path for each in loaded if each.isa_needed & LEVELS[level]]
    return marked, [each.path for each in loaded if not each.isa_needed & LEVELS[level]]
