"""Drafts: files that are written before anybody is to find them.

Where the filesystem can, a draft has no name at all, and a kill leaves nothing of it. Elsewhere it has one in
the `.trash/` of its directory: uv (0.13.9) fails if a file of any name goes while it lists the directory, but
does not look into others. Whoever writes a draft holds a lock on it, which tells it from a leftover.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

#: A directory that installers do not look into, in one that they do.
TRASH = ".trash"

#: What a filesystem answers that has no locks.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)

#: What a filesystem answers that has no hard links (vfat, some FUSE and object stores).
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV})

#: On a filesystem without locks a draft is taken for dead after this long (s).
_DEAD_AFTER = 24 * 3600

#: As much is copied at once (bytes).
_CHUNK = 1 << 20


class Draft:
    """A file being written. *file*: open for writing and reading."""

    file: IO[bytes]

    def __init__(self, naming: Callable[[], str], mode: int) -> None:
        self._naming = naming
        self._mode = mode
        self._name = ""
        self._to_remove = ""

    @property
    def path(self) -> str:
        """Where its content can be read meanwhile."""
        return self._name or _process_path(self.file.fileno())

    def open(self, directory: str) -> None:
        """Make it, empty and locked, for a place in *directory*. Raises `OSError`."""
        try:
            descriptor = os.open(directory, os.O_RDWR | os.O_TMPFILE | os.O_CLOEXEC, self._mode)
        except OSError:  # if it is not for want of that ability, the one with a name fails as well
            self._open_named()
            return
        self.file = open(descriptor, "w+b")  # noqa: SIM115
        if not os.path.exists(self.path):  # no /proc: it could never get a name
            self.file.close()
            self._open_named()
            return
        lock(descriptor, wait=True)

    def _open_named(self) -> None:
        while True:
            # Known before it is made: whenever an interrupt comes, it is removed.
            self._name = self._to_remove = self._naming()
            try:
                file = _locked_file(self._name, self._mode)
            except FileExistsError:  # it is somebody else's
                self._to_remove = ""
                raise
            if file is not None:  # else somebody has taken it for a leftover between the two
                self.file = file
                return

    def link(self, path: str) -> bool:
        """Give it the name *path*, as its only one; False where that cannot be done.

        Raises `FileExistsError`, `OSError`.
        """
        if self._name:
            return False
        descriptor = self.file.fileno()
        try:
            # Of os.link, only with src_dir_fd the link in /proc is followed.
            os.link(_process_path(descriptor), path, src_dir_fd=descriptor, follow_symlinks=True)
        except OSError as error:
            if error.errno in NO_LINKS or error.errno == errno.ENOENT:
                return False
            raise
        return True

    def named(self) -> str:
        """Its own name, which it gets now if it has none. Raises `OSError`."""
        if not self._name:
            name = self._to_remove = self._naming()
            self.file.flush()
            if self.link(name):
                self._name = name
            else:
                self._copy()
        return self._name

    def _copy(self) -> None:
        """Go on with a copy that has a name, on a filesystem that cannot give one to a file without."""
        with self.file as nameless:
            status = os.fstat(nameless.fileno())
            self._open_named()
            nameless.seek(0)
            while chunk := nameless.read(_CHUNK):
                self.file.write(chunk)
        self.file.flush()
        descriptor = self.file.fileno()
        os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
        os.fsync(descriptor)

    def close(self) -> None:
        """Close it, and remove the name that it has for the time being."""
        if self._to_remove:
            with suppress(OSError):
                os.unlink(self._to_remove)
        if hasattr(self, "file"):
            with suppress(OSError):  # closing may fail once more on a full disk
                self.file.close()


@contextmanager
def draft(directory: str, naming: Callable[[], str], mode: int) -> Iterator[Draft]:
    """A new draft for a place in *directory*; what is left of it goes when the block ends.

    *naming*: makes a path that it can have meanwhile, another one at each call. *mode*: its permissions, less
    what the umask takes. Raises `OSError`.
    """
    made = Draft(naming, mode)
    try:
        made.open(directory)
        yield made
    finally:
        made.close()


def place_for(directory: str) -> str:
    """Where in *directory* a name may come and go: `.trash/`, if it is there and one may write to it.

    Not if the directory is sticky: there, each looks after their own files.
    """
    trash = os.path.join(directory, TRASH)
    try:
        usable = stat.S_ISDIR(os.lstat(trash).st_mode) and not os.stat(directory).st_mode & stat.S_ISVTX
    except OSError:
        return directory
    return trash if usable and os.access(trash, os.W_OK | os.X_OK) else directory


def clear(directory: str, is_draft: Callable[[str], bool]) -> int:
    """Remove the files that a killed run has left in *directory*; *is_draft*: tells them by their names.

    Returns how many. What cannot be removed stays for somebody who can.
    """
    return sum(map(_cleared, found(directory, is_draft)))


def found(directory: str, is_draft: Callable[[str], bool]) -> list[str]:
    """The paths of the drafts in *directory* and in its `.trash/`, whether or not somebody writes them."""
    paths: list[str] = []
    for place in (directory, os.path.join(directory, TRASH)):
        with suppress(OSError):
            paths += [os.path.join(place, name) for name in sorted(os.listdir(place)) if is_draft(name)]
    return paths


def _cleared(path: str) -> bool:
    """Remove the file at *path* unless somebody writes it; whether that was done."""
    with suppress(OSError):
        # What others put there is neither followed nor waited for.
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(path, flags)
        try:
            if stat.S_ISREG(os.fstat(descriptor).st_mode) and lock(descriptor):
                os.unlink(path)
                return True
        finally:
            os.close(descriptor)
    return False


def lock(descriptor: int, *, wait: bool = False) -> bool:
    """Lock an open file. False: somebody else has it (unless *wait*). A filesystem may have no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return time.time() - os.fstat(descriptor).st_mtime > _DEAD_AFTER
    return True


def _locked_file(path: str, mode: int) -> IO[bytes] | None:
    """The new file at *path*, locked; None if it is gone by then."""
    file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "w+b")  # noqa: SIM115
    try:
        lock(file.fileno(), wait=True)
        if os.path.exists(path):
            return file
    except BaseException:
        file.close()
        raise
    file.close()
    return None


def _process_path(descriptor: int) -> str:
    """The path of an open file that may have no other."""
    return f"/proc/self/fd/{descriptor}"
