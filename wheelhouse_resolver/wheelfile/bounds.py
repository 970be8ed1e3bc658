"""How large what is read of a wheel may be, so that a hostile one takes neither all memory nor minutes.

Each bound is far above what releases have; at the bound, reading takes some seconds and 200 MB.
"""

from __future__ import annotations

import io
import zipfile
from typing import IO

from wheelhouse_resolver.errors import TooLargeError
from wheelhouse_resolver.utils.filesystem import open_regular
from wheelhouse_resolver.utils.safe_io import CHUNK

#: Entries of the archive (each takes some 1 kB of memory), and the bytes of its directory, names included.
MOST_ENTRIES, MOST_DIRECTORY = 100_000, 32 << 20

#: The signature that begins each entry of the directory (APPNOTE.TXT, 4.3.12).
_ENTRY = b"PK\1\2"

#: As much is unpacked at once by methods other than deflate, which give all that they can: up to 7,000 times.
_SMALL = 1 << 12


class _BoundedFile(io.BufferedReader):
    """An archive whose directory zipfile reads in one go: that is where a hostile one shows."""

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = MOST_DIRECTORY + 1 if size is None or size < 0 else min(size, MOST_DIRECTORY + 1)
        data = super().read(wanted)
        if len(data) > MOST_DIRECTORY:
            raise TooLargeError(str(self.name), f"its directory has more than {MOST_DIRECTORY} bytes")
        if len(data) > MOST_ENTRIES * len(_ENTRY) and data.count(_ENTRY) > MOST_ENTRIES:
            raise TooLargeError(str(self.name), f"it has more than {MOST_ENTRIES} entries")
        return data


def bounded(file: io.BufferedReader) -> IO[bytes]:
    """*file* as `zipfile.ZipFile` may have it, which raises `TooLargeError` where it has too many entries."""
    return _BoundedFile(file.detach())


def open_wheel(path: str) -> IO[bytes]:
    """The wheel at *path*, `bounded`. Raises `OSError`, also if it is not a regular file."""
    return bounded(open_regular(path))


def chunk_of(info: zipfile.ZipInfo) -> int:
    """How much of that entry is read at once (bytes)."""
    return CHUNK if info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) else _SMALL


def read_entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    """What that entry holds, or its first *most* bytes and one more."""
    parts, left = [], most + 1  # the size in the archive's directory may be wrong
    with archive.open(info) as file:
        while left and (part := file.read(min(left, chunk_of(info)))):
            parts.append(part)
            left -= len(part)
    return b"".join(parts)
