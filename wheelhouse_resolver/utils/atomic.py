"""Putting files into a wheelhouse and taking them out: atomically, durably, never over another file.

Every change of the tree goes through here. A file is written under a name that installers ignore, synced,
and given its name by a hard link, which fails if the name is taken. So a kill at any instant leaves whole
wheels only, and at most a draft, which the next run clears away. What is taken out goes to `.trash/`
of its directory, from which it can be restored.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from typing import IO, NamedTuple

from wheelhouse_resolver.errors import OutputError

__all__ = [
    "DRAFT_PREFIX",
    "Draft",
    "clear_drafts",
    "draft",
    "drafts",
    "give_name",
    "link_into",
    "make_shared_directory",
    "sync_directory",
]


#: How the names of drafts begin and end; installers look at names ending in .whl only.
DRAFT_PREFIX = ".wheelhouse-draft-"


_DRAFT_SUFFIX = ".part"


#: On a filesystem without locks a draft is taken for dead after this long (s).
_DEAD_AFTER = 24 * 3600


#: Wheels are for everybody to read, whatever the publisher's umask.
_FILE_MODE = 0o644


#: What a filesystem answers that has no hard links (vfat, some FUSE and object stores).
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})


class Draft(NamedTuple):
    """A file being written under a name that installers ignore."""

    path: str
    file: IO[bytes]


@contextlib.contextmanager
def draft(directory: str) -> Iterator[Draft]:
    """A new, empty draft in *directory* (made if missing); gone when the block ends, whatever happened.

    While it is written it is locked, so that nobody takes it for a leftover. Raises `OutputError`.
    """
    try:
        make_shared_directory(directory)
        path, descriptor = _locked_draft(directory)
    except OSError as error:
        raise OutputError.from_os(directory, error) from error
    file = open(descriptor, "w+b")  # noqa: SIM115 - closing it may fail once more on a full disk
    try:
        yield Draft(path, file)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        with contextlib.suppress(OSError):
            file.close()


def make_shared_directory(directory: str) -> None:
    """Make *directory* and those above it, for everybody to read."""
    if os.path.isdir(directory):
        return
    parent = os.path.dirname(directory)
    if parent != directory:
        make_shared_directory(parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory)
        os.chmod(directory, os.stat(directory).st_mode | 0o555)
        sync_directory(parent)


def _locked_draft(directory: str) -> tuple[str, int]:
    number = 0
    while True:
        number += 1
        name = f"{DRAFT_PREFIX}{os.uname().nodename}-{os.getpid()}-{time.time_ns()}-{number}{_DRAFT_SUFFIX}"
        path = os.path.join(directory, name)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # Between its making and its locking somebody may take it for a leftover: wait until that is done.
            _lock(descriptor, wait=True)
            if os.path.exists(path):
                return path, descriptor
            os.close(descriptor)
        except BaseException:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise


def _lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file. False: somebody else has it (unless *wait*). A filesystem may have no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise
        return time.time() - os.fstat(descriptor).st_mtime > _DEAD_AFTER
    return True


def link_into(source: Draft, directory: str, filename: str) -> bool:
    """Give the finished draft *source* the name *filename* in *directory*, for everybody to read.

    Returns False, having changed nothing, when the name is taken. The content is on disk before the name is.
    Raises `OutputError`.
    """
    path = os.path.join(directory, filename)
    try:
        source.file.flush()
        os.fchmod(source.file.fileno(), _FILE_MODE)
        os.fsync(source.file.fileno())
        placed = give_name(source.path, path)
        sync_directory(directory)
    except OSError as error:
        raise OutputError.from_os(path, error) from error
    return placed


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

    Linux can do it in one step (renameat2 with RENAME_NOREPLACE, Linux 3.15). Where the filesystem
    cannot, the directory is locked against other publishers in between.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        at_cwd, no_replace = -100, 1
        done = libc.renameat2(at_cwd, os.fsencode(source), at_cwd, os.fsencode(path), no_replace)
        if done == 0:
            return True
        code = ctypes.get_errno()
        if code == errno.EEXIST:
            return False
        if code not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(code, os.strerror(code))
    with _directory_lock(os.path.dirname(path)):
        if os.path.lexists(path):
            return False
        os.rename(source, path)
        return True


@contextlib.contextmanager
def _directory_lock(directory: str) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync_directory(directory: str) -> None:
    """Bring the names in *directory* to the disk, where the filesystem can. Raises `OSError`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network filesystems have no such thing
            raise
    finally:
        os.close(descriptor)


def drafts(directory: str) -> list[str]:
    """The paths of the drafts in *directory*, alive and dead."""
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [
        os.path.join(directory, name)
        for name in sorted(names)
        if name.startswith(DRAFT_PREFIX) and name.endswith(_DRAFT_SUFFIX)
    ]


def clear_drafts(directory: str) -> int:
    """Remove the drafts in *directory* that no running publisher holds.

    Returns how many. What cannot be removed stays for somebody who can.
    """
    cleared = 0
    for path in drafts(directory):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                if _lock(descriptor):
                    os.unlink(path)
                    cleared += 1
            finally:
                os.close(descriptor)
    return cleared
