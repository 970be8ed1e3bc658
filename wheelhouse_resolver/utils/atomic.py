"""Putting files into a wheelhouse: atomically, durably, never over another file.

A file is written as a draft, synced, and given its name by a hard link, which fails if the name is taken.
So a kill at any instant leaves whole wheels only, and at most a draft, which the next run removes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

from wheelhouse_resolver.errors import OutputError, WheelhouseError
from wheelhouse_resolver.utils.drafts import NO_LINKS, NO_LOCKS, TRASH, Draft, clear, draft, found, place_for
from wheelhouse_resolver.utils.filesystem import make_directory, open_regular, share, sync_directory
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, sha256_of

#: How the names of drafts begin and end; installers look at names ending in .whl only.
TEMPORARY_PREFIX = ".wheelhouse-draft-"

_SUFFIX = ".part"

#: Wheels are for everybody to read, whatever the publisher's umask.
_FILE_MODE = 0o644

#: The flags of renameat2, and what it answers where it cannot do that, or a name is taken or missing.
_NO_REPLACE, _EXCHANGE = 1, 2
_NO_RENAMEAT2 = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EEXIST, errno.ENOENT)


class AlreadyExistsError(WheelhouseError, FileExistsError):
    """A file with different content has the name that a new one should get."""

    _message = "{path}: already exists with different content"
    _errno = errno.EEXIST
    path: str


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
def temporary(directory: str, *, hidden: bool = False) -> Iterator[Draft]:
    """A new draft for *directory* (made if missing), gone when the block ends unless it has been placed.

    *hidden*: installers may be reading the directory, so if the draft must have a name, it is one in
    `.trash/` (made if missing). Raises `OutputError`.
    """

    def naming() -> str:
        if hidden:
            with contextlib.suppress(OutputError):
                make_directory(os.path.join(directory, TRASH), shared=True)
        name = f"{os.uname().nodename}-{os.getpid()}-{time.time_ns()}-{os.urandom(4).hex()}"
        return os.path.join(place_for(directory), f"{TEMPORARY_PREFIX}{name}{_SUFFIX}")

    with contextlib.ExitStack() as stack:
        with writing(directory):
            make_directory(directory, shared=True)
            made = stack.enter_context(draft(directory, naming, 0o600))
        yield made


def open_lock(path: str) -> int:
    """The descriptor of the lock file at *path*, made if missing, for all who may write beside it.

    Raises `OSError`.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
        share(path)
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


@contextlib.contextmanager
def holding(
    path: str, *, shared: bool = False, waiting: Callable[[], object] | None = None
) -> Iterator[bool]:
    """Hold the lock file at *path* (made if missing) for the block; False: somebody else does.

    *shared*: others may hold it so, too. *waiting*: is called if somebody does, and then waited for. A
    filesystem may have no locks: then it is True. Raises `OSError`.
    """
    make_directory(os.path.dirname(path), shared=True)
    descriptor = open_lock(path)
    try:
        held, kind = True, fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if held := waiting is not None:
                waiting()
                fcntl.flock(descriptor, kind)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield held
    finally:
        os.close(descriptor)


def commit(temporary: Draft, path: str) -> bool:
    """Give the finished *temporary* file the name *path*, for everybody to read; its content is synced first.

    False, having changed nothing, when a file of the same content has that name. Raises
    `AlreadyExistsError` when something else has, and `OutputError`.
    """
    with writing(path):
        sync(temporary, _FILE_MODE)
        while not _given(temporary, path):
            if same_content(path, temporary):
                return False
            if os.path.lexists(path):
                raise AlreadyExistsError(path)
        sync_directory(os.path.dirname(path))
    return True


def sync(temporary: Draft, mode: int) -> None:
    """Bring the content of *temporary* to the disk, and give it the permissions *mode*. Raises `OSError`."""
    temporary.file.flush()
    os.fchmod(temporary.file.fileno(), mode)
    os.fsync(temporary.file.fileno())


def same_content(path: str, temporary: Draft) -> bool:
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


def _given(temporary: Draft, path: str) -> bool:
    """Give *temporary* the name *path*; False when it is taken."""
    try:
        return temporary.link(path) or give_name(temporary.named(), path)
    except FileExistsError:
        return False


def give_name(source: str, path: str) -> bool:
    """Give the file at *source* the name *path* as well (or instead); False when it is taken."""
    try:
        os.link(source, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
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
    """The paths of the drafts in *directory* and its `.trash/`, whether or not anybody writes them."""
    return found(directory, _is_draft)


def clear_temporary(directory: str) -> int:
    """Remove the drafts in *directory* and its `.trash/` that no running publisher holds.

    Returns how many. What cannot be removed stays for somebody who can.
    """
    return clear(directory, _is_draft)


def _is_draft(name: str) -> bool:
    return name.startswith(TEMPORARY_PREFIX) and name.endswith(_SUFFIX)
