"""Opening files that may be anything; writing them so that a reader sees the old content or the new."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.utils import drafts

if TYPE_CHECKING:
    from io import BufferedReader

#: The longest site file, recipe or captured /proc/cpuinfo that is read (bytes): of 2,000 processors, the last
#: has 4 MiB; the others are far shorter.
_MOST_SETTINGS = 16 << 20


def never_waiting(path: str, flags: int) -> int:
    """An `opener` for `open` that does not wait for somebody to write into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def open_regular(path: str) -> BufferedReader:
    """The file at *path*, open for reading. Raises `OSError`, also if it is not a regular file."""
    file = open(path, "rb", opener=never_waiting)  # noqa: SIM115 - the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", path)
    return file


def read_head(path: str, size: int) -> bytes:
    """The first *size* bytes of the file at *path*; none of what cannot be read."""
    with suppress(OSError), open_regular(path) as file:
        return file.read(size)
    return b""


def read_settings(path: str) -> bytes:
    """What the file at *path*, which people write by hand, holds.

    Raises `OSError`, also if it is not a regular file or longer than any such file is.
    """
    with open_regular(path) as file:
        content = file.read(_MOST_SETTINGS + 1)
    if len(content) > _MOST_SETTINGS:
        raise OSError(errno.EFBIG, f"longer than {_MOST_SETTINGS >> 20} MiB", path)
    return content


def write_text(path: str, text: str, *, shared: bool = False) -> bool:
    """Make *text* (as UTF-8) the content of the file at *path*, atomically.

    Returns False, having touched nothing, when it was that already. A new file gets the permissions that
    the umask leaves, and if it is *shared* lets everybody read it; one that is replaced keeps its own. A pipe
    or device (`/dev/stdout`) is written to, not replaced. Raises `OutputError`.
    """
    content = text.encode("utf-8")
    # Replacing a symbolic link would cut it; what it points to is meant.
    target = os.path.realpath(path)
    try:
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError:
            mode = None
        if mode is not None and not stat.S_ISREG(mode):
            with open(path, "wb") as file:
                file.write(content)
            return True
        if mode is not None:
            with open(target, "rb") as old:
                if old.read(len(content) + 1) == content:
                    return False
        _write(target, content, mode, shared=shared)
    except OSError as error:
        raise OutputError.from_os(path, error) from error
    return True


def _write(path: str, content: bytes, mode: int | None, *, shared: bool) -> None:
    """Write a draft, and put it in the place of the file at *path*, if there is one: it has that *mode*."""
    directory, name = os.path.split(path)
    start = f".{name[:200]}."

    def is_draft(name: str) -> bool:
        return name.startswith(start) and len(name) == len(start) + 17 and name.endswith("~")

    def naming() -> str:
        # The directory may be one that others write to: they cannot know what to put in the way.
        return os.path.join(drafts.place_for(directory), f"{start}{os.urandom(8).hex()}~")

    drafts.clear(directory, is_draft)
    with drafts.draft(directory, naming, 0o666) as draft:
        draft.file.write(content)
        draft.file.flush()
        descriptor = draft.file.fileno()
        if mode is not None:
            os.fchmod(descriptor, mode & 0o777)
        elif shared:
            os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o777 | 0o444)
        os.fsync(descriptor)
        if mode is None:
            with suppress(FileExistsError):  # another run was faster
                if draft.link(path):
                    return
        os.replace(draft.named(), path)


def make_directory(path: str, *, shared: bool = False) -> bool:
    """Make the directory at *path*, and those above it; False when it was there. Raises `OutputError`.

    *shared*: for all to read, and for those to write who may write to the one above it.
    """
    if os.path.isdir(path):
        return False
    parent = os.path.dirname(path)
    if parent and not os.path.lexists(parent):
        make_directory(parent, shared=shared)
    try:
        os.mkdir(path)
        if shared:
            share(path)
            sync_directory(parent or os.curdir)
    except OSError as error:
        if os.path.isdir(path) and isinstance(error, FileExistsError):
            return False  # another run was faster
        raise OutputError.from_os(path, error) from error
    return True


def share(path: str) -> None:
    """Let all read what is at *path*, and those write to it who may write to its directory as a group.

    Raises `OSError`.
    """
    above = os.stat(os.path.dirname(path) or os.curdir)
    mode = os.stat(path).st_mode
    readable = 0o555 if stat.S_ISDIR(mode) else 0o444
    group = above.st_mode & (stat.S_IWGRP | stat.S_ISGID if stat.S_ISDIR(mode) else stat.S_IWGRP)
    if group:
        with suppress(PermissionError):  # not a member of that group
            os.chown(path, -1, above.st_gid)
    if os.stat(path).st_gid != above.st_gid:
        group = 0
    os.chmod(path, stat.S_IMODE(mode) | readable | group)


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
