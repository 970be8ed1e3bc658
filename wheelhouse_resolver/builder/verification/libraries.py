"""Which libraries the loader (`ld.so`) does not find for the ELF files of an installed wheel: it is asked.

With LD_TRACE_LOADED_OBJECTS the loader lists what it would load for a program and ends, as `ldd` shows; no
code of the program or of a library is run. The program is the Python, preloading one file of the wheel: what
the Python loads at its start is then there already, and its DT_RPATH counts, as when it imports the file.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wheelhouse_resolver.builder.process.commands import ended_with
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.utils.elf import ElfFile, read_elf
from wheelhouse_resolver.utils.process import run

#: How long the loader may take for one file (s).
_TIMEOUT = 60

#: A line of the trace: a name, and where it was found, or `not found`.
_TRACED = re.compile(r"\t(\S.*?)(?: => (.*?))?(?: \(0x[0-9a-f]+\))?")

#: What musl says of a library that it does not find.
_MUSL_NOT_FOUND = re.compile(r"Error loading shared library (.+?): ")

#: What glibc says of a file that it cannot load. Too low a CPU level is for an import to find out.
_REFUSED = re.compile(r"cannot be preloaded \((?!CPU ISA level)(.*)\): ignored")


class LibraryProblem(NamedTuple):
    """What the loader cannot do for *file*; *library*: the one that it does not find, if that is it."""

    file: str
    library: str
    problem: str

    def __str__(self) -> str:
        return f"{self.file} {self.problem}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Loader:
    """The loader of a Python.

    program:      `ld-linux`. executable: the Python's own binary.
    directory:    an empty one, to run in: a relative directory of a search path leads nowhere from it.
    library_path: what LD_LIBRARY_PATH holds, see `library_path_of`.
    """

    program: str
    executable: str
    directory: str
    library_path: tuple[str, ...] = ()


class _Trace(NamedTuple):
    """What the loader says: the paths of what it loads, the names that it does not find, a problem."""

    paths: Sequence[str] = ()
    missing: Sequence[str] = ()
    problem: str = ""


def library_problems(files: Iterable[ElfFile], loader: Loader) -> list[LibraryProblem]:
    """What the loader does not find for these installed files, or for what they load.

    A file that another one of *files* needs is judged as loaded for that one, whose DT_RPATH may count.
    """
    found: set[LibraryProblem] = set()
    known = {file.path: file for file in files}
    needed = {library for file in known.values() for library in file.needed}
    reached: set[str] = set()
    for path in sorted(known, key=lambda path: (os.path.basename(path) in needed, path)):
        if not known[path].dynamic or os.path.realpath(path) in reached:
            continue
        trace = _trace(known[path], loader)
        reached.update(map(os.path.realpath, trace.paths))
        if trace.problem:
            found.add(LibraryProblem(path, "", trace.problem))
        if trace.missing:
            loaded = [known[path], *(known.get(each) or _read(each) for each in trace.paths)]
            found |= {_missing(library, loaded, loader) for library in trace.missing}
    return sorted(found)


def _trace(file: ElfFile, loader: Loader) -> _Trace:
    """Ask for *file*: an executable's own loader, else the Python's."""
    program, target = loader.program, loader.executable
    environ = {"LD_LIBRARY_PATH": ":".join(loader.library_path)}
    preload = os.path.relpath(file.path, loader.directory)
    if file.interpreter and not file.soname:
        program, target = file.interpreter, file.path
    elif re.search(r"[\s:]", preload):  # LD_PRELOAD cannot name it
        target = file.path
    else:
        environ["LD_PRELOAD"] = preload
    command = [program, target]
    if "musl" in os.path.basename(program):
        command.insert(1, "--list")
    else:
        environ["LD_TRACE_LOADED_OBJECTS"] = "1"
    try:
        done = run(command, environ=environ, cwd=loader.directory, timeout=_TIMEOUT)
    except OSError as error:
        return _Trace(problem=f"needs the loader {program}, which cannot be run: {reason_of(error)}")
    except subprocess.TimeoutExpired:
        return _Trace(problem=f"cannot be loaded: {program} did not answer within {_TIMEOUT} s")
    lines = [match.groups() for match in map(_TRACED.fullmatch, done.stdout.splitlines()) if match]
    missing = [name for name, path in lines if path == "not found"] + _MUSL_NOT_FOUND.findall(done.stderr)
    paths = [path or name for name, path in lines if path != "not found"]
    problem = ""
    if refused := _REFUSED.search(done.stderr):
        problem = refused[1]
    elif not lines and not missing:
        problem = ended_with(done.returncode) or (done.stderr.splitlines()[-1:] or ["no answer"])[0]
    paths = [os.path.normpath(os.path.join(loader.directory, path)) for path in paths]
    return _Trace(paths, missing, problem and f"cannot be loaded: {problem}")


def _missing(library: str, loaded: Sequence[ElfFile], loader: Loader) -> LibraryProblem:
    """That *library* is not found, for the first of the files *loaded* that needs it."""
    file = next((each for each in loaded if library in each.needed), loaded[0])
    # A library with a DT_RUNPATH has no other; without one, the DT_RPATH of what loads it counts as well.
    rpath = [] if file.runpath else [*_expanded(file, file.rpath), *_expanded(loaded[0], loaded[0].rpath)]
    looked = dict.fromkeys([*rpath, *loader.library_path, *_expanded(file, file.runpath)])
    shown = ", ".join([*list(looked)[:6], *(["..."] if len(looked) > 6 else [])])
    where = f"{shown} and the loader's own directories" if looked else "the loader's own directories"
    return LibraryProblem(file.path, library, f"needs {library}, which is not found (looked in {where})")


def _expanded(file: ElfFile, directories: Iterable[str]) -> list[str]:
    """*directories* with `$ORIGIN`, which is where *file* was found: the loader follows no link for it."""
    origin = re.compile(r"\$ORIGIN\b|\$\{ORIGIN\}")
    here = os.path.dirname(file.path)
    return [os.path.normpath(origin.sub(lambda _: here, each)) for each in directories]


def _read(path: str) -> ElfFile:
    try:
        with open(path, "rb") as file:
            return read_elf(file, path)
    except OSError as error:  # the kernel's own is not a file
        return ElfFile(path=path, problem=reason_of(error))


def library_path_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The directories of LD_LIBRARY_PATH that are the same for every user."""
    return tuple(each for each in re.split("[:;]", environ.get("LD_LIBRARY_PATH", "")) if os.path.isabs(each))
