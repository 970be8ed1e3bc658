"""What the libraries in a wheel were compiled against: evidence in its ELF files.

numpy: `import_array` of its headers leaves a message in every extension that uses its C API. That of numpy 2
names the oldest numpy that has what the extension uses, and the extension runs on any newer one. That of
numpy 1 names none, and the extension does not run on numpy 2 (ABI).

torch: an extension that needs `libtorch*.so` or `libc10*.so` runs on the minor release that it was linked
to. The libraries do not say which that is.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import IO, NamedTuple

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.utils.safe_io import CHUNK
from wheelhouse_resolver.wheelfile.bounds import open_wheel
from wheelhouse_resolver.wheelfile.elf import elf_entries, elf_files

#: What numpy's headers leave in an extension; the group: the oldest numpy that it runs on.
_NUMPY = re.compile(
    rb"module was compiled against NumPy C-API version 0x%x \(NumPy (\d+\.\d+)\)"
    rb"|module compiled against API version 0x%x but this version of numpy is 0x%x"
)

#: Longer than any such message (bytes).
_OVERLAP = 256

_TORCH = re.compile(r"lib(torch|c10)(_\w+)?\.so")


class BuiltAgainst(NamedTuple):
    """The versions of a *project* that a wheel's libraries run on. *evidence*: how that shows.

    specifier: of these; empty: they depend on the version that they were built against, which is not known.
    """

    project: str
    specifier: str
    evidence: str


def built_against(wheel: str, versions: Mapping[str, str]) -> list[BuiltAgainst]:
    """What the libraries in the wheel at that path were compiled against.

    versions: of projects (normalised), that they were built with.

    Raises `OSError` and `BAD_ZIP` as they come.
    """
    known: dict[str, Version] = {}
    for name, text in versions.items():
        with suppress(InvalidVersion):
            known[name] = Version(text)
    numpy, torch = _numpy(wheel, known.get("numpy")), _torch(wheel, known.get("torch"))
    return [each for each in (numpy, torch) if each is not None]


def _numpy(wheel: str, version: Version | None) -> BuiltAgainst | None:
    oldest: list[Version] = []
    old_abi = ""
    for path, match in _matches(wheel):
        if match[1]:
            oldest.append(Version(match[1].decode()))
        else:
            old_abi = old_abi or path
    if old_abi:
        # Up to 1.24 it needs the numpy that it was built against; later headers target an older one.
        bound = version is not None and version < Version("1.25")
        low = f">={version.major}.{version.minor}," if version is not None and bound else ""
        return BuiltAgainst("numpy", f"{low}<2", f"{old_abi} is compiled against the API of numpy 1")
    if oldest:
        return BuiltAgainst("numpy", f">={max(oldest)}", f"compiled against the API of numpy {max(oldest)}")
    return None


def _matches(wheel: str) -> Iterator[tuple[str, re.Match[bytes]]]:
    """What numpy's headers left in each ELF file of *wheel*."""
    with open_wheel(wheel) as file, zipfile.ZipFile(file) as archive:
        for info in elf_entries(archive):
            with archive.open(info) as reader:
                if (match := _first_match(reader)) is not None:
                    yield info.filename, match


def _first_match(reader: IO[bytes]) -> re.Match[bytes] | None:
    end = b""
    while chunk := reader.read(CHUNK):
        if (match := _NUMPY.search(end + chunk)) is not None:
            return match
        end = (end + chunk)[-_OVERLAP:]
    return None


def _torch(wheel: str, version: Version | None) -> BuiltAgainst | None:
    for each in elf_files(wheel):
        for library in filter(_TORCH.match, each.needed):
            specifier = f"~={version.major}.{version.minor}.0" if version is not None else ""
            return BuiltAgainst("torch", specifier, f"{each.path} needs {library}")
    return None
