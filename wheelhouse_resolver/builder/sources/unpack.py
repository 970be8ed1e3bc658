"""Unpacking archives that may be hostile: nothing is written outside the directory."""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
from pathlib import PurePosixPath

from wheelhouse_resolver.errors import FileProblemError
from wheelhouse_resolver.utils.safe_io import BAD_ZIP

#: No source is larger when unpacked (bytes).
_MOST = 16 << 30


class ArchiveError(FileProblemError, ValueError):
    """An archive that cannot be unpacked, or must not be. *path*: or its URL."""

    _message = "archive {path}: {problem}"


def unpack(archive: str, into: str, *, name: str = "") -> str:
    """Unpack *archive* (a tar of any compression, or a zip file) into the new directory *into*.

    Returns the path of the single directory in it, or *into* when it contains more than that. An entry that
    would leave *into*, by its name or through a link, is an error; so is one that is not a file, directory or
    link. Raises `ArchiveError`. *name*: of the archive in errors.
    """
    name = name or archive
    try:
        os.mkdir(into)
        # A zip file may contain a tar, or the other way round: what counts is how the file begins.
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as packed:
                _unpack_tar(packed, into, name)
        elif zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                _unpack_zip(zipped, into, name)
        else:
            raise ArchiveError(name, "not a tar or zip file")
    except ArchiveError:
        raise
    except OSError as error:
        raise ArchiveError.from_os(name, error, "cannot be unpacked") from error
    except (*BAD_ZIP, tarfile.TarError) as error:
        raise ArchiveError(name, f"cannot be unpacked: {str(error) or type(error).__name__}") from error
    names = os.listdir(into)
    top = os.path.join(into, names[0]) if len(names) == 1 else into
    return top if os.path.isdir(top) and not os.path.islink(top) else into


def _unpack_zip(packed: zipfile.ZipFile, into: str, archive: str) -> None:
    if sum(info.file_size for info in packed.infolist()) > _MOST:
        raise ArchiveError(archive, f"unpacks to more than {_MOST >> 30} GiB")
    for info in packed.infolist():
        _inside(info.filename, archive)
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(archive, f"entry {info.filename!r} is not a file or directory")
        path = packed.extract(info, into)
        if mode & 0o111 and not info.is_dir():
            os.chmod(path, 0o755)


def _unpack_tar(packed: tarfile.TarFile, into: str, archive: str) -> None:
    size = 0
    files: set[str] = set()
    links: set[str] = set()
    for info in packed:
        _inside(info.name, archive)
        name = os.path.normpath(info.name)
        # Nothing is written through a link, wherever it leads.
        if links & {name, *map(str, PurePosixPath(name).parents)}:
            raise ArchiveError(archive, f"entry {info.name!r} would be written through a link")
        size += info.size
        if size > _MOST:
            raise ArchiveError(archive, f"unpacks to more than {_MOST >> 30} GiB")
        if info.issym():
            _inside(os.path.normpath(os.path.join(os.path.dirname(name), info.linkname)), archive, info.name)
            if os.path.lexists(os.path.join(into, name)):  # tarfile would ignore it silently
                raise ArchiveError(archive, f"entry {info.name!r} occurs twice")
            links.add(name)
        elif info.islnk():
            # tar makes them of files earlier in the archive.
            if os.path.normpath(info.linkname) not in files:
                raise ArchiveError(
                    archive, f"entry {info.name!r} is a link to a file that is not in the archive"
                )
        elif info.isreg():
            files.add(name)
        elif not info.isdir():
            raise ArchiveError(archive, f"entry {info.name!r} is not a file, directory or link")
        # Its owner means nothing here; root must not make files of other users, nor setuid ones.
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mode = 0o755 if info.isdir() or info.mode & 0o111 else 0o644
        if hasattr(tarfile, "data_filter"):  # Python 3.12, 3.11.4, 3.10.12: its own checks
            packed.extract(info, into, filter="data")
        else:
            packed.extract(info, into, set_attrs=not info.issym())


def _inside(name: str, archive: str, entry: str | None = None) -> None:
    """Raise `ArchiveError` unless *name* stays inside the archive."""
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or not name:
        raise ArchiveError(archive, f"entry {entry or name!r} would leave the archive")
