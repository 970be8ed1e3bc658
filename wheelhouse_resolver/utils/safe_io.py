"""Opening files that may be anything: pipes, devices, damaged archives."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
import zlib
from typing import IO

try:
    from lzma import LZMAError as _LZMAError
except ImportError:  # a Python that was built without it; zipfile then raises a RuntimeError

    class _LZMAError(Exception):  # type: ignore[no-redef]
        """Never raised."""


#: What zipfile raises, besides OSError, when it reads an archive that is damaged or made to harm
#: (OverflowError: an offset that no file has; MemoryError: the dictionary size of an LZMA stream).
_BAD_BYTES = (EOFError, RuntimeError, ValueError, OverflowError, MemoryError)
BAD_ZIP = (zipfile.BadZipFile, zlib.error, _LZMAError, *_BAD_BYTES)

#: As much of a file is read at once (bytes).
CHUNK = 1 << 20


def never_waiting(path: str, flags: int) -> int:
    """An `opener` for `open` that does not wait for somebody to write into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def open_regular(path: str) -> IO[bytes]:
    """The file at *path*, open for reading. Raises `OSError`, also if it is not a regular file."""
    file = open(path, "rb", opener=never_waiting)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", path)
    return file


def sha256_of(path: str) -> str:
    """The SHA-256 of the file at *path* (hex). Raises `OSError`, also if it is not a regular file."""
    import hashlib

    digest = hashlib.sha256()
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
