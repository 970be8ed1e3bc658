"""The ELF files in a wheel."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterator

from wheelhouse_resolver.utils.elf import MAGIC, ElfFile, read_elf
from wheelhouse_resolver.utils.safe_io import CHUNK
from wheelhouse_resolver.wheelfile.bounds import open_wheel

#: A larger unpacked file (bytes) goes to a temporary file.
_IN_MEMORY = 64 << 20

#: Larger files (bytes) are not read, nor large ones that were compressed by more than this factor (numpy's: 3
#: to 6): a wheel of a megabyte could fill the disk.
_LARGEST, _MOST_PACKED = 8 << 30, 100


def elf_files(wheel: str) -> list[ElfFile]:
    """Every ELF file in the wheel at that path. Raises `OSError` and `BAD_ZIP` as they come."""
    found = []
    with open_wheel(wheel) as file, zipfile.ZipFile(file) as archive:
        for info in elf_entries(archive):
            if _is_too_large(info):
                problem = f"too large: {info.file_size} bytes, packed into {info.compress_size}"
                found.append(ElfFile(path=info.filename, problem=problem))
                continue
            with archive.open(info) as reader, tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
                shutil.copyfileobj(reader, copy, CHUNK)
                copy.seek(0)
                found.append(read_elf(copy, info.filename))
    return found


def elf_entries(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    """The entries of *archive* that begin as ELF files do."""
    for info in archive.infolist():
        if not info.is_dir():
            with archive.open(info) as reader:
                start = reader.read(len(MAGIC))
            if start == MAGIC:
                yield info


def _is_too_large(info: zipfile.ZipInfo) -> bool:
    packed = info.file_size > _MOST_PACKED * info.compress_size
    return info.file_size > _LARGEST or (info.file_size > _IN_MEMORY and packed)
