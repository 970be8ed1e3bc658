"""A directory as one archive: a copy of the source as it was planned, and one hash for all of it."""

from __future__ import annotations

import os
import tarfile

from wheelhouse_resolver.builder.sources.fetched import SourceError
from wheelhouse_resolver.errors import reason_of


def pack_tree(directory: str, archive: str, *, leave_out: str) -> None:
    """Pack *directory*, but for *leave_out* if that is below it, into the new tar file *archive*.

    The same files, with the same times, always make the same archive. Links are kept as they are: what they
    lead to is not packed, nor changed later. Raises `SourceError`.
    """
    excluded = os.path.realpath(leave_out)

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        path = os.path.join(directory, info.name)
        if info.isdir() and os.path.realpath(path) == excluded:
            return None
        if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
            raise SourceError(directory, f"{os.path.normpath(info.name)} is not a file, directory or link")
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mode |= 0o200  # builds write into it
        return info

    try:
        with tarfile.open(archive, "w") as packed:
            packed.add(directory, os.curdir, filter=entry)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise SourceError(directory, f"cannot be copied: {where}{reason_of(error)}") from error


def unpack_tree(archive: str, into: str) -> None:
    """Unpack what `pack_tree` has packed into the new directory *into*. Raises `SourceError`."""
    try:
        with tarfile.open(archive) as packed:
            if hasattr(tarfile, "tar_filter"):  # Python 3.12, 3.11.4, 3.10.12
                packed.extractall(into, filter="tar")
            else:
                packed.extractall(into)
    except (OSError, tarfile.TarError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise SourceError(archive, f"cannot be unpacked: {reason}") from error
