"""Writing files so that a reader sees the old content or the new, never a part."""

from __future__ import annotations

import os
import stat

from wheelhouse_resolver.errors import OutputError


def write_text(path: str, text: str) -> bool:
    """Make *text* (as UTF-8) the content of the file at *path*, atomically.

    Returns False, having touched nothing, when it was that already. A new file gets the permissions that
    the umask leaves; one that is replaced keeps its own. A pipe or device (`/dev/stdout`) is written to,
    not replaced. Raises `OutputError`.
    """
    content = text.encode("utf-8")
    # Replacing a symbolic link would cut it; what it points to is meant.
    target = os.path.realpath(path)
    temporary = os.path.join(
        os.path.dirname(target), f".{os.path.basename(target)}.{os.uname().nodename}.{os.getpid()}~"
    )
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
            with open(target, "rb") as file:
                if file.read(len(content) + 1) == content:
                    return False
        # The directory may be one that others write to: what they put there is not followed.
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(temporary, flags, 0o666)
        try:
            with open(descriptor, "wb") as file:
                if mode is not None:
                    os.fchmod(descriptor, mode & 0o777)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError.from_os(path, error) from error
    return True


def make_directory(path: str) -> bool:
    """Make the directory at *path*, and those above it; False when it was there. Raises `OutputError`."""
    if os.path.isdir(path):
        return False
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OutputError.from_os(path, error) from error
    return True
