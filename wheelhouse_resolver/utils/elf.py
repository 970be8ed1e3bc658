"""Reading ELF files (pyelftools); nothing is executed."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

MAGIC = b"\x7fELF"

#: A valid file has far fewer of anything; a hostile one can have an endless list.
_MOST = 10_000

#: How often, and how much (bytes), is read of one file: headers, dynamic sections and notes are small.
_MOST_READS, _MOST_BYTES = 1_000_000, 64 << 20

#: How much of a file `cpu_family` needs (bytes).
HEADER = 20

#: ELF's machine, class (1: 32 bits) and byte order (1: little-endian) -> the family as archspec calls it.
_FAMILIES = {
    (3, 1, 1): "x86",
    (62, 2, 1): "x86_64",
    (40, 1, 1): "arm",
    (183, 2, 1): "aarch64",
    (20, 1, 2): "ppc",
    (21, 2, 1): "ppc64le",
    (21, 2, 2): "ppc64",
    (22, 2, 2): "s390x",
    (243, 2, 1): "riscv64",
    (258, 2, 1): "loongarch64",
}

#: The kinds of ELF file that are run or loaded (e_type): executables and libraries.
_LOADED = (2, 3)


@dataclass(frozen=True, kw_only=True, slots=True)
class ElfFile:
    """One ELF file.

    path:        where it is: in the wheel, or on disk.
    machine:     such as `x64` or `AArch64` (pyelftools' names), with the class: `x64-64`.
    family:      the CPUs that load it, as `cpu_family` says; empty for none.
    dynamic:     whether it is loaded at run time (a library, or an executable that loads some).
    soname, needed, rpath, runpath, interpreter: as its dynamic section and headers have them.
    isa_needed:  the x86-64 levels that the linker marked it with, as bits: 1 baseline, 2 v2, 4 v3, 8 v4;
                 0: not marked.
    versions:    (library, symbol version) pairs that it needs, such as (`libc.so.6`, `GLIBC_2.34`).
    defines:     the symbol versions that it has for others.
    problem:     why it could not be read; empty if it could.
    """

    path: str
    machine: str = ""
    family: str = ""
    dynamic: bool = False
    soname: str = ""
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    interpreter: str = ""
    isa_needed: int = 0
    versions: tuple[tuple[str, str], ...] = ()
    defines: tuple[str, ...] = ()
    problem: str = ""


def cpu_family(start: bytes) -> str | None:
    """The family (archspec's name) of the CPUs that load a file which begins with *start* (`HEADER` bytes).

    None for what no CPU loads: no ELF file, an object file, code for a GPU.
    """
    if len(start) < HEADER or not start.startswith(MAGIC):
        return None
    bits, order = start[4], start[5]
    kind, machine = struct.unpack("<HH" if order == 1 else ">HH", start[16:HEADER])
    return _FAMILIES.get((machine, bits, order)) if kind in _LOADED else None


class _BoundedReader:
    """A file of which no more is read than a valid ELF file asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._reads, self._bytes = _MOST_READS, _MOST_BYTES
        self.seek, self.tell = stream.seek, stream.tell

    def read(self, size: int = -1) -> bytes:
        self._reads -= 1
        if self._reads < 0 or not 0 <= size <= self._bytes:
            raise ValueError("more to read than in any valid file")
        data = self._stream.read(size)
        self._bytes -= len(data)
        return data


def read_elf(stream: IO[bytes], path: str) -> ElfFile:
    """The ELF file that *stream* holds; *path* is its name. A damaged one has a `problem`."""
    from elftools.elf.elffile import ELFFile

    limited: Any = _BoundedReader(stream)
    try:
        elf = ELFFile(limited)
        limited.seek(0)
        family = cpu_family(limited.read(HEADER)) or ""
        tags = list(_tags(elf))
        texts: dict[str, list[str]] = {name: [] for name in ("needed", "soname", "rpath", "runpath")}
        for name, found in texts.items():
            found += [str(getattr(tag, name)) for tag in tags if hasattr(tag, name)]
        return ElfFile(
            path=path,
            machine=f"{elf.get_machine_arch()}-{elf.elfclass}",
            family=family,
            dynamic=bool(tags),
            soname=next(iter(texts["soname"]), ""),
            needed=tuple(texts["needed"]),
            rpath=_split(texts["rpath"]),
            runpath=_split(texts["runpath"]),
            interpreter=next(_interpreters(elf), ""),
            isa_needed=_isa_needed(elf),
            versions=tuple(sorted(set(_versions(elf)))),
            defines=tuple(sorted(set(_defined(elf)))),
        )
    except Exception as error:  # noqa: BLE001 - a damaged file makes pyelftools raise what it meets first
        return ElfFile(path=path, problem=f"a damaged ELF file ({type(error).__name__})")


def _split(paths: Any) -> tuple[str, ...]:
    found = tuple(each for path in paths for each in path.split(":") if each)
    if len(found) > _MOST:
        raise ValueError(f"{len(found)} directories to look into")
    return found


def _tags(elf: Any) -> Iterator[Any]:
    for segment in elf.iter_segments("PT_DYNAMIC"):
        yield from islice(segment.iter_tags(), _MOST)


def _interpreters(elf: Any) -> Iterator[str]:
    for segment in elf.iter_segments("PT_INTERP"):
        yield os.fsdecode(segment.data().rstrip(b"\0"))


def _isa_needed(elf: Any) -> int:
    """The bits of `GNU_PROPERTY_X86_ISA_1_NEEDED` (x86-64 psABI), of all its notes."""
    bits = 0
    for segment in elf.iter_segments("PT_NOTE"):
        for note in islice(segment.iter_notes(), _MOST):
            if note["n_type"] != "NT_GNU_PROPERTY_TYPE_0":
                continue
            for entry in note["n_desc"]:
                if entry["pr_type"] == "GNU_PROPERTY_X86_ISA_1_NEEDED":
                    bits |= int(entry["pr_data"])
    return bits


def _versions(elf: Any) -> Iterator[tuple[str, str]]:
    from elftools.elf.gnuversions import GNUVerNeedSection

    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for library, versions in islice(section.iter_versions(), _MOST):
                for version in islice(versions, _MOST):
                    yield str(library.name), str(version.name)


def _defined(elf: Any) -> Iterator[str]:
    from elftools.elf.gnuversions import GNUVerDefSection

    for section in elf.iter_sections():
        if isinstance(section, GNUVerDefSection):
            for _, names in islice(section.iter_versions(), _MOST):
                yield from (str(each.name) for each in islice(names, 1))  # its parents follow
