"""Taking files out of a wheelhouse, restorably: the `.trash/` of each directory.

What cannot be done raises `OutputError`.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.utils import atomic

#: Where withdrawn wheels are kept, in the directory that they were in.
TRASH = ".trash"


class Trashed(NamedTuple):
    """A withdrawn wheel. *slot*: the directory of `.trash/` that it is in."""

    filename: str
    directory: str
    slot: str

    @property
    def path(self) -> str:
        """The path of the file."""
        return os.path.join(self.slot, self.filename)

    @property
    def origin(self) -> str:
        """The path that it had."""
        return os.path.join(self.directory, self.filename)


def file_id(path: str) -> tuple[int, ...]:
    """What identifies the file or link at *path* among all of that name. Raises `OSError`."""
    status = os.lstat(path)  # a relative link leads elsewhere once it is moved
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def remove_if_unchanged(path: str, known: tuple[int, ...]) -> bool:
    """Remove the file at *path* for good, if it is still the one with that `file_id`; False if not.

    It is moved away first and compared there, so that a file that somebody put in its place meanwhile
    is never lost: that one is put back.
    """
    moved = keep_if_unchanged(path, known)
    if moved is None:
        return False
    discard(moved)
    return True


def discard(wheel: Trashed) -> None:
    """Remove a withdrawn wheel for good."""
    with atomic.writing(wheel.path):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(wheel.path)
        with contextlib.suppress(OSError):
            os.rmdir(wheel.slot)


def keep_if_unchanged(path: str, known: tuple[int, ...], slot: str | None = None) -> Trashed | None:
    """Move the file at *path* to the trash, if it is still the one with that `file_id`; None if not.

    Like `remove_if_unchanged`, but it can be put back. *slot*: as for `move_to_trash`.
    """
    try:
        moved = move_to_trash(path, slot)
    except OutputError:
        if os.path.lexists(path):
            raise
        return None  # another run has moved it
    with atomic.writing(path):
        if file_id(moved.path) == known:
            return moved
    put_back(moved)
    return None


def move_to_trash(path: str, slot: str | None = None) -> Trashed:
    """Move the wheel at *path* out of every installer's sight, into `.trash/` of its directory.

    *slot*: one of the caller's own, of which it is to be one of many; a new one where that has the name.
    """
    directory, filename = os.path.split(path)
    with atomic.writing(path):
        if slot is None or os.path.lexists(os.path.join(slot, filename)):
            slot = _new_slot(directory)
        moved = Trashed(filename, directory, slot)
        try:
            # A rename within one filesystem is one step; the slot is new, so nothing can be in the way.
            os.rename(path, moved.path)
            atomic.sync_directory(moved.slot)
            atomic.sync_directory(directory)
        except OSError:
            with contextlib.suppress(OSError):
                os.rmdir(moved.slot)
            raise
    return moved


def replace_at(path: str, temporary: atomic.Temporary) -> bool:
    """Put the finished *temporary* file in the place of the one at *path*, which goes to `.trash/`.

    In one step: whoever looks finds one or the other. False, having changed nothing, where the filesystem
    cannot do that.
    """
    directory, filename = os.path.split(path)
    with atomic.writing(path):
        slot = _new_slot(directory)
        new = os.path.join(slot, filename)
        done = False
        try:
            os.rename(temporary.path, new)  # no kill must leave the old one where it is taken for a leftover
            done = atomic.exchange(new, path)
        finally:
            if not done:
                with contextlib.suppress(FileNotFoundError):
                    os.rename(new, temporary.path)
                os.rmdir(slot)
        if done:
            atomic.sync_directory(slot)
            atomic.sync_directory(directory)
    return done


def _new_slot(directory: str) -> str:
    """A new directory in the trash of *directory*, sorted after those that are there.

    They are numbered, since a clock may go back; the time is for people.
    """
    trash = os.path.join(directory, TRASH)
    atomic.make_shared_directory(trash)
    numbers = [name.partition("-")[0] for name in os.listdir(trash)]
    number = max((int(text) for text in numbers if text.isdecimal()), default=0)
    while True:
        number += 1
        stem = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        slot = os.path.join(trash, f"{number:06d}-{stem}-{os.uname().nodename}-{os.getpid()}")
        with contextlib.suppress(FileExistsError):
            os.mkdir(slot)
            os.chmod(slot, os.stat(slot).st_mode | 0o555)
            return slot


def trashed(directory: str) -> list[Trashed]:
    """The withdrawn wheels of *directory*, the latest first."""
    found: list[Trashed] = []
    for slot in reversed(_slots(directory)):
        with contextlib.suppress(OSError):
            found += [Trashed(name, directory, slot) for name in sorted(os.listdir(slot))]
    return found


def clear(directory: str) -> int:
    """Remove the temporary files in *directory* that no running publisher holds, and the trash's empty slots.

    Returns how many files. What cannot be removed stays for somebody who can.
    """
    for slot in _slots(directory):
        with contextlib.suppress(OSError):
            if time.time() - os.stat(slot).st_mtime > 60:  # a withdrawal may be about to use it
                os.rmdir(slot)
    return atomic.clear_temporary(directory)


def _slots(directory: str) -> list[str]:
    trash = os.path.join(directory, TRASH)
    try:
        return [os.path.join(trash, name) for name in sorted(os.listdir(trash))]
    except OSError:
        return []


def put_back(wheel: Trashed) -> bool:
    """Put a withdrawn wheel back under its name; False when that is taken."""
    with atomic.writing(wheel.origin):
        if not atomic.give_name(wheel.path, wheel.origin):
            return False
        with contextlib.suppress(FileNotFoundError):  # where there are no hard links it was moved
            os.unlink(wheel.path)
        with contextlib.suppress(OSError):
            os.rmdir(wheel.slot)
        atomic.sync_directory(wheel.directory)
    return True
