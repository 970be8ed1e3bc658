"""What a static index has to know of a file: its hash, its metadata, and why no page may list it."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from typing import IO, cast

from packaging.utils import NormalizedName

from wheelhouse_resolver.errors import UnreadableWheelError, reason_of
from wheelhouse_resolver.selection.builds import flaw_of
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.static_index.pages import IndexedArchive, IndexedFile, IndexedWheel
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import (
    Candidate,
    InvalidFilename,
    SourceArchive,
    TreeFile,
    parse_archive,
    parse_candidate,
)
from wheelhouse_resolver.tree.index_state import FileRow
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, CHUNK
from wheelhouse_resolver.wheelfile.bounds import open_wheel
from wheelhouse_resolver.wheelfile.metadata import metadata_file_of, parsed_metadata
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata
from wheelhouse_resolver.wheelfile.parsing import parsed_specifier

#: Two changes within this long may leave a file or directory the same time (ns): the tick of a kernel, and
#: the steps of filesystems that count whole seconds, or every other one.
FINE, COARSE = 12_000_000, 2_100_000_000

#: So often a file is read that is exchanged meanwhile, before it is given up.
_TRIES = 3

_CHANGED = "changed while it was read"


def unsettled(mtime_ns: int, now_ns: int | None = None) -> int:
    """How long (ns) what has this time of modification may still change without getting another one.

    Beyond that, the same time means the same content. *now_ns*: by the clock of the filesystem.
    """
    whole = mtime_ns % 1_000_000_000 == 0
    return max(0, mtime_ns + (COARSE if whole else FINE) - (time.time_ns() if now_ns is None else now_ns))


def parse_file(filename: str, directory: Directory) -> TreeFile | None:
    """What the name of a wheel or source archive in *directory* says; None: no installer takes it for one."""
    parse = parse_candidate if filename.endswith(listing.SUFFIX) else parse_archive
    return parse(filename, directory)


def project_of(filename: str, directory: Directory) -> NormalizedName | None:
    """The project whose pages may list the file; None if none may."""
    file = parse_file(filename, directory)
    return file.name if isinstance(file, (Candidate, SourceArchive)) else None


def read_file(file: tuple[Directory, str]) -> FileRow | None:
    """What is to be remembered of the file of that name in a directory; None: it is gone.

    Nothing of a file that changes while it is read is believed.
    """
    directory, filename = file
    parsed = parse_file(filename, directory)
    path = os.path.join(directory.path, filename)
    row = FileRow(filename, 0, -1, 0, problem=_CHANGED)
    for _ in range(_TRIES):
        try:
            row = _read(parsed, path, row)
        except FileNotFoundError:
            if not os.path.islink(path):
                return None
            return row._replace(problem="a link to nothing")
        except OSError as error:  # it may be readable another time, unchanged
            return row._replace(problem=f"cannot be read: {reason_of(error)}")
        if row.problem != _CHANGED:
            break
    return row


def _read(parsed: TreeFile | None, path: str, row: FileRow) -> FileRow:
    """Read the file once. Raises `OSError`."""
    with open_wheel(path) as stream:
        before = os.fstat(stream.fileno())
        found = row._replace(problem="")
        if isinstance(parsed, InvalidFilename):
            found = found._replace(problem=parsed.problem)
        elif parsed is not None:
            found = found._replace(sha256=_sha256(stream))
        if isinstance(parsed, Candidate):
            found = _examined(parsed, stream, found)
        after = os.stat(path)
    # ctime reveals also who sets back the time of modification.
    same = ("st_ino", "st_dev", "st_size", "st_mtime_ns", "st_ctime_ns")
    if any(getattr(before, each) != getattr(after, each) for each in same):
        return row
    settled = -1 if unsettled(after.st_mtime_ns) else after.st_mtime_ns
    return found._replace(size=after.st_size, mtime_ns=settled, inode=after.st_ino)


def _sha256(stream: IO[bytes]) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK))
    while count := cast("io.BufferedReader", stream).readinto(buffer):
        digest.update(buffer[:count])
    return digest.hexdigest()


def _examined(wheel: Candidate, stream: IO[bytes], row: FileRow) -> FileRow:
    """The *row* of *wheel*, with what its METADATA says, or what installers would not take."""
    try:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:
            directory, content = metadata_file_of(archive, wheel.path)
        metadata = CoreMetadata.of(parsed_metadata(directory, content, wheel.path))
    except UnreadableWheelError as error:
        return row._replace(problem=error.problem)
    except BAD_ZIP as error:
        return row._replace(problem=f"invalid zip file: {error}")
    if flaw := flaw_of(wheel, metadata):
        return row._replace(problem=str(flaw))
    hashed = hashlib.sha256(content).hexdigest()
    return row._replace(metadata=hashed, requires_python=metadata.requires_python)


def indexed(row: FileRow, directory: Directory, *, metadata: bool) -> IndexedFile | None:
    """The file of *row* as pages have it; None if none may list it. *metadata*: with its METADATA's hash."""
    if row.problem or not row.sha256:
        return None
    file = parse_file(row.filename, directory)
    if isinstance(file, SourceArchive):
        return IndexedArchive(file, row.sha256)
    if not isinstance(file, Candidate):
        return None
    try:
        parsed_specifier(row.requires_python)
    except ValueError:  # as good as none for pip
        row = row._replace(requires_python="")
    return IndexedWheel(file, row.requires_python, row.sha256, row.metadata if metadata else "")
