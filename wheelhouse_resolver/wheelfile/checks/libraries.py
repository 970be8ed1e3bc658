"""Whether the libraries in a wheel are for the CPUs that its platform tags name."""

from __future__ import annotations

import re

from wheelhouse_resolver.utils.elf import HEADER, cpu_family
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.checks.opened import OpenWheel
from wheelhouse_resolver.wheelfile.machines import families_of, runs

#: How the names of shared libraries end.
_LIBRARY = re.compile(r"\.so(\.[\w.]+)?\Z")


def check_start(wheel: OpenWheel, name: str, start: bytes) -> None:
    """Note that the file *name*, which begins with *start*, is an ELF file for other CPUs than the tags'."""
    family = cpu_family(start[:HEADER])
    own = families_of(tag.platform for tag in wheel.stated.tags) if family else ()
    if family and own and not any(runs(cpu, family) for cpu in own):
        wheel.note(f"{name!r} is for {family} CPUs, the file name for {', '.join(sorted(own))}")


def check_libraries(wheel: OpenWheel) -> None:
    """The same for all files that are named as libraries are; no others are read."""
    if not families_of(tag.platform for tag in wheel.stated.tags):
        return
    for info in wheel.entries:
        if _LIBRARY.search(info.filename):
            try:
                with wheel.archive.open(info) as file:
                    start = file.read(HEADER)
            except (*BAD_ZIP, OSError):
                continue  # a damaged file is found when its hash is checked
            check_start(wheel, info.filename, start)
