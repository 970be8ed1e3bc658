"""Writing files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os

from wheelhouse_resolver.errors import OutputError, reason_of

__all__ = ["make_directory", "write_text"]


def write_text(path: str, text: str) -> bool:
    """Make *text* (as UTF-8) the content of the file at *path*, atomically.

    Returns False, having touched nothing, when it was that already. A new file gets the permissions that
    the umask leaves; one that is replaced keeps its own. Raises `OutputError`.
    """
    content = text.encode("utf-8")
    # Replacing a symbolic link would cut it; what it points to is meant.
    target = os.path.realpath(path)
    temporary = os.path.join(
        os.path.dirname(target), f".{os.path.basename(target)}.{os.uname().nodename}.{os.getpid()}~"
    )
    try:
        mode = 0o666
        try:
            with open(target, "rb") as file:
                if file.read(len(content) + 1) == content:
                    return False
                mode = os.fstat(file.fileno()).st_mode & 0o777
        except FileNotFoundError:
            pass
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError(path, reason_of(error)) from error
    return True


def make_directory(path: str) -> bool:
    """Make the directory at *path*, and those above it; False when it was there. Raises `OutputError`."""
    if os.path.isdir(path):
        return False
    try:
        os.makedirs(path)
    except OSError as error:
        raise OutputError(path, reason_of(error)) from error
    return True
