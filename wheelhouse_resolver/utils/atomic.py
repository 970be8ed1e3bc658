"""Putting files into a wheelhouse: atomically, durably, never over another file.

A file is written under a temporary name that installers ignore, synced, and given its name by a hard link,
which fails if the name is taken. So a kill at any instant leaves whole wheels only, and at most a temporary
file, which the next run removes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from wheelhouse_resolver.errors import OutputError, WheelhouseError
from wheelhouse_resolver.utils.filesystem import make_directory, open_regular, share, sync_directory
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, sha256_of

#: How temporary names begin and end; installers look at names ending in .whl only.
TEMPORARY_PREFIX = ".wheelhouse-draft-"

_SUFFIX = ".part"

#: What a filesystem answers that has no locks.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)

#: On a filesystem without locks a temporary file is taken for dead after this long (s).
_DEAD_AFTER = 24 * 3600

#: Wheels are for everybody to read, whatever the publisher's umask.
_FILE_MODE = 0o644

#: What a filesystem answers that has no hard links (vfat, some FUSE and object stores).
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})

#: The flags of renameat2, and what it answers where it cannot do that, or a name is taken or missing.
_NO_REPLACE, _EXCHANGE = 1, 2
_NO_RENAMEAT2 = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EEXIST, errno.ENOENT)


class AlreadyExistsError(WheelhouseError, FileExistsError):
    """A file with different content has the name that a new one should get."""

    _message = "{path}: already exists with different content"
    _errno = errno.EEXIST
    path: str


class Temporary(NamedTuple):
    """A file being written under a name that installers ignore."""

    path: str
    file: IO[bytes]


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """What the operating system refuses in the block becomes an `OutputError` about *path*."""
    try:
        yield
    except WheelhouseError:
        raise
    except OSError as error:
        raise OutputError.from_os(_in_the_way(error) or path, error) from error


def _in_the_way(error: OSError) -> str | None:
    """The directory that may not be written to, where that is what *error* is about."""
    if error.errno not in (errno.EACCES, errno.EPERM):
        return None
    paths = (each for each in (error.filename, error.filename2) if isinstance(each, str))
    directories = (os.path.dirname(each) or os.curdir for each in paths)
    return next((each for each in directories if not os.access(each, os.W_OK | os.X_OK)), None)


@contextlib.contextmanager
def temporary(directory: str) -> Iterator[Temporary]:
    """A new, empty temporary file in *directory* (made if missing); removed when the block ends.

    While it is written it is locked, so that nobody takes it for a leftover. Raises `OutputError`.
    """
    with writing(directory):
        make_directory(directory, shared=True)
    path, file = "", None
    try:
        while file is None:
            name = f"{os.uname().nodename}-{os.getpid()}-{time.time_ns()}-{os.urandom(4).hex()}"
            # Known before it is made: whenever an interrupt comes, it is removed.
            path = os.path.join(directory, f"{TEMPORARY_PREFIX}{name}{_SUFFIX}")
            with writing(directory):
                file = _locked_file(path)
        yield Temporary(path, file)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        if file is not None:
            with contextlib.suppress(OSError):  # closing may fail once more on a full disk
                file.close()


def _locked_file(path: str) -> IO[bytes] | None:
    """The new file at *path*, locked; None if somebody has taken it for a leftover between the two."""
    file = open(path, "x+b", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    try:
        lock(file.fileno(), wait=True)
        if os.path.exists(path):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file. False: somebody else has it (unless *wait*). A filesystem may have no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return time.time() - os.fstat(descriptor).st_mtime > _DEAD_AFTER
    return True


def open_lock(path: str) -> int:
    """The descriptor of the lock file at *path*, made if missing, for all who may write beside it.

    Raises `OSError`.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        share(path)
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextlib.contextmanager
def holding(path: str, *, shared: bool) -> Iterator[bool]:
    """Hold the lock file at *path* (made if missing) for the block; False: somebody else does.

    *shared*: others may hold it so, too. A filesystem may have no locks: then it is True. Raises `OSError`.
    """
    make_directory(os.path.dirname(path), shared=True)
    descriptor = open_lock(path)
    try:
        held = True
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            held = False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        yield held
    finally:
        os.close(descriptor)


def commit(temporary: Temporary, path: str) -> bool:
    """Give the finished *temporary* file the name *path*, for everybody to read; its content is synced first.

    False, having changed nothing, when a file of the same content has that name. Raises
    `AlreadyExistsError` when something else has, and `OutputError`.
    """
    with writing(path):
        sync(temporary, _FILE_MODE)
        while not give_name(temporary.path, path):
            if same_content(path, temporary):
                return False
            if os.path.lexists(path):
                raise AlreadyExistsError(path)
        sync_directory(os.path.dirname(path))
    return True


def sync(temporary: Temporary, mode: int) -> None:
    """Bring the content of *temporary* to the disk, and give it the permissions *mode*. Raises `OSError`."""
    temporary.file.flush()
    os.fchmod(temporary.file.fileno(), mode)
    os.fsync(temporary.file.fileno())


def same_content(path: str, temporary: Temporary) -> bool:
    """Whether the file at *path* holds what *temporary* does: the same bytes, or as a zip the same files.

    An archive is not compared by its bytes alone, since another release of zlib compresses the same files
    differently; one that is damaged is not the same.
    """
    import zipfile

    def files(archive: zipfile.ZipFile) -> list[tuple[Any, ...]]:
        return sorted((info.filename, info.CRC, info.file_size) for info in archive.infolist())

    temporary.file.flush()
    try:
        if sha256_of(path) == sha256_of(temporary.path):
            return True
        with (
            open_regular(path) as file,
            zipfile.ZipFile(file) as one,
            zipfile.ZipFile(temporary.path) as other,
        ):
            return files(one) == files(other) and one.testzip() is None
    except (*BAD_ZIP, OSError):  # no archive, or taken away in between
        return False


def give_name(source: str, path: str) -> bool:
    """Give the file at *source* the name *path* as well (or instead); False when it is taken."""
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _rename(source, path)
    return True


def _rename(source: str, path: str) -> bool:
    """Rename *source* to *path* unless that exists: where there are no hard links.

    Linux can do it in one step. Where the filesystem cannot, the directory is locked against other
    publishers in between.
    """
    code = _renameat2(source, path, _NO_REPLACE)
    if code in (0, errno.EEXIST):
        return code == 0
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.path.lexists(path):
            return False
        os.rename(source, path)
        return True
    finally:
        os.close(descriptor)


def exchange(one: str, other: str) -> bool:
    """Exchange the names of two files in one step; False where the filesystem cannot, or one is missing.

    Raises `OSError`.
    """
    return _renameat2(one, other, _EXCHANGE) == 0


def _renameat2(source: str, path: str, flags: int) -> int:
    """Linux's renameat2 (3.15): 0, or the number of the error if it is one of `_NO_RENAMEAT2`.

    Raises `OSError` for any other.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return errno.ENOSYS
    at_cwd = -100
    done = libc.renameat2(at_cwd, os.fsencode(source), at_cwd, os.fsencode(path), flags)
    code = 0 if done == 0 else ctypes.get_errno()
    if code and code not in _NO_RENAMEAT2:
        raise OSError(code, os.strerror(code), path)
    return code


def temporary_files(directory: str) -> list[str]:
    """The paths of the temporary files in *directory*, whether or not their publishers are running."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [
        os.path.join(directory, name)
        for name in sorted(names)
        if name.startswith(TEMPORARY_PREFIX) and name.endswith(_SUFFIX)
    ]


def clear_temporary(directory: str) -> int:
    """Remove the temporary files in *directory* that no running publisher holds.

    Returns how many. What cannot be removed stays for somebody who can.
    """
    cleared = 0
    for path in temporary_files(directory):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                if lock(descriptor):
                    os.unlink(path)
                    cleared += 1
            finally:
                os.close(descriptor)
    return cleared
