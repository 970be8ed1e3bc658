"""A directory as one archive: a copy of the source as it was planned, and one hash for all of it."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable

from wheelhouse_resolver.builder.sources.fetched import SourceError


def pack_tree(directory: str, archive: str, *, names: Iterable[str] | None = None, history: str = "") -> None:
    """Pack *names* in *directory*, by default all that is in it, into the new tar file *archive*.

    history: what to pack as its `.git`. The same files, with the same times, always make the same archive;
    the times of directories and of the history do not count. Links are kept as they are: what they lead to
    is not packed, nor changed later. Raises `SourceError`.
    """

    def entry(info: tarfile.TarInfo) -> tarfile.TarInfo:
        if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
            raise SourceError(directory, f"{os.path.normpath(info.name)} is not a file, directory or link")
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mode |= 0o200  # builds write into it
        if info.isdir() or (history and info.name.startswith(".git/")):
            info.mtime = 0
        return info

    try:
        with tarfile.open(archive, "w") as packed:
            if names is None:
                packed.add(directory, os.curdir, filter=entry)
            for name in names or ():
                packed.add(os.path.join(directory, name), name, recursive=False, filter=entry)
            if history:
                packed.add(history, ".git", filter=entry)
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise SourceError.from_os(directory, error, f"cannot be copied{where}") from error


def unpack_tree(archive: str, into: str) -> None:
    """Unpack what `pack_tree` has packed into the new directory *into*. Raises `SourceError`."""
    try:
        with tarfile.open(archive) as packed:
            if hasattr(tarfile, "tar_filter"):  # Python 3.12, 3.11.4, 3.10.12
                packed.extractall(into, filter="tar")
            else:
                packed.extractall(into)
    except OSError as error:
        raise SourceError.from_os(archive, error, "cannot be unpacked") from error
    except tarfile.TarError as error:
        raise SourceError(archive, f"cannot be unpacked: {error}") from error
