"""Reading archives and other large files that may be anything."""

from __future__ import annotations

import zipfile
import zlib

from wheelhouse_resolver.utils.filesystem import open_regular

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


def sha256_of(path: str) -> str:
    """The SHA-256 of the file at *path* (hex). Raises `OSError`, also if it is not a regular file."""
    import hashlib

    digest = hashlib.sha256()
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
