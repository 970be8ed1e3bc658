"""What has to change in a wheel of an index so that it works in the layer of a Python, and only that.

The loader of the Python is asked which libraries it does not find; nothing of the wheel is run.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from wheelhouse_resolver.builder.records.upstream import WheelAdaptation
from wheelhouse_resolver.builder.verification.libraries import Loader, library_problems
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.utils.text import few
from wheelhouse_resolver.wheelfile.bounds import open_wheel
from wheelhouse_resolver.wheelfile.edit import Edits
from wheelhouse_resolver.wheelfile.tags import machine_of, parse_wheel_name


class Adaptation(NamedTuple):
    """What to change in a wheel.

    edits:        with the local label, and other tags if need be.
    rpath:        file in it -> directories that it looks into besides.
    interpreters: program in it -> its program interpreter.
    notes:        the same for people.
    """

    edits: Edits
    rpath: Mapping[str, Sequence[str]]
    interpreters: Mapping[str, str]
    notes: tuple[str, ...]


def adaptation(
    wheel: str,
    files: Sequence[ElfFile],
    upstream: WheelAdaptation,
    python: TargetPython,
    scratch: str,
    rpath: Sequence[str] = (),
) -> Adaptation:
    """How to adapt the *wheel* with these ELF *files* to *python*; the directory *scratch* is empty.

    rpath: what all of its libraries get anyhow.

    A wheel that is changed, or that the Python would refuse as it is, is tagged linux: what its tags promise
    does not hold any more.
    """
    binary = python.interpreter
    own = binary.program_interpreter if binary is not None else None
    program = upstream.interpreter or own or ""
    interpreters = {file.path: program for file in files if _is_other(file, program)}
    needed: Mapping[str, Sequence[str]] = {}
    if upstream.rpath and binary is not None and own:
        asked = [replace(f, interpreter=interpreters.get(f.path, f.interpreter)) for f in files]
        loader = Loader(program=own, executable=binary.executable, directory=os.path.join(scratch, "empty"))
        needed = missing_directories(wheel, asked, upstream.rpath, loader, scratch)
    added = {f.path: (*rpath, *needed.get(f.path, ())) for f in files if f.dynamic}
    tags = ""
    if rpath or needed or interpreters or not fits(wheel, python):
        tags = linux_tags(tag.platform for tag in parse_wheel_name(os.path.basename(wheel))[3])
    directories = dict.fromkeys(each for found in needed.values() for each in found)
    notes = {
        f"program interpreter {program}: {few(interpreters)}": interpreters,
        f"rpath {':'.join(directories)}: {few(needed)}": needed,
        f"tags: {tags.strip('-')}": tags,
    }
    return Adaptation(
        edits=Edits(local_label=upstream.local_label, tags=tags),
        rpath={path: found for path, found in added.items() if found},
        interpreters=interpreters,
        notes=tuple(note for note, what in notes.items() if what),
    )


def linux_tags(platforms: Iterable[str]) -> str:
    """The edit of tags that makes *platforms* plain `linux_*`; empty if they are, or none is for Linux."""
    found = set(platforms)
    new = {f"linux_{machine}" for machine in map(machine_of, found) if machine is not None}
    return f"--{'.'.join(sorted(new))}" if new and new != found else ""


def missing_directories(
    wheel: str, files: Sequence[ElfFile], directories: Sequence[str], loader: Loader, scratch: str
) -> dict[str, tuple[str, ...]]:
    """Of *files*, those that need a library which *loader* does not find: where in *directories* they are.

    The wheel's own libraries do not count: where those are found is up to whoever made it.
    """
    os.mkdir(loader.directory)
    unpacked = {_unpacked(file.path): file for file in files}
    place = os.path.join(scratch, "unpacked")
    with open_wheel(wheel) as whole, zipfile.ZipFile(whole) as archive:
        for path, file in unpacked.items():
            info = archive.getinfo(file.path)
            info.filename = path
            archive.extract(info, place)
    asked = [replace(file, path=os.path.join(place, path)) for path, file in unpacked.items()]
    missing = {each.library for each in library_problems(asked, loader)}
    missing -= {os.path.basename(file.path) for file in files} | {file.soname for file in files} | {""}
    found = {}
    for file in files:
        needed = [library for library in file.needed if library in missing]
        there = [d for d in directories if any(os.path.exists(os.path.join(d, each)) for each in needed)]
        if there:
            found[file.path] = tuple(there)
    return found


def _is_other(file: ElfFile, program: str) -> bool:
    """Whether *file* is a program for the same kind of loader as *program*, another one of its kind."""
    own = "" if file.soname else file.interpreter  # some libraries can be run, to print their version
    return bool(own) and own != program and os.path.basename(own) == os.path.basename(program)


def _unpacked(path: str) -> str:
    """Where the file *path* of a wheel is once installed, below one directory for modules."""
    top, _, rest = path.partition("/")
    scheme, _, inner = rest.partition("/")
    return inner if top.endswith(".data") and scheme in ("platlib", "purelib") else path
