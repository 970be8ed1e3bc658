"""Taking files out of a wheelhouse, restorably: the `.trash/` of each directory.

What cannot be done raises `OutputError`.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import NamedTuple

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.utils import atomic, drafts
from wheelhouse_resolver.utils.drafts import Draft
from wheelhouse_resolver.utils.filesystem import make_directory, share, sync_directory

#: Where withdrawn wheels are kept, in the directory that they were in.
TRASH = drafts.TRASH

#: The file in it that publishers lock who replace a file there.
_LOCK = "lock"


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
        with suppress(FileNotFoundError):
            os.unlink(wheel.path)
        with suppress(OSError):
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
            sync_directory(moved.slot)
            sync_directory(directory)
        except OSError:
            with suppress(OSError):
                os.rmdir(moved.slot)
            raise
    return moved


def replace_at(path: str, temporary: Draft) -> None:
    """Put the finished, synced *temporary* file in the place of the one at *path*, which goes to `.trash/`.

    In one step: whoever looks finds one or the other, and after an error the old one. Only where the
    filesystem can neither exchange two names nor link a file a second time is the old one moved away first.
    Raises `AlreadyExistsError` when another publisher was faster there, and `OutputError`.
    """
    directory, filename = os.path.split(path)
    with atomic.writing(path):
        slot = _new_slot(directory)
        kept = os.path.join(slot, filename)
        try:
            if not (_exchanged(path, temporary, kept) or _linked(path, temporary, kept)):
                _moved(path, temporary, kept)
            sync_directory(slot)
            sync_directory(directory)
        finally:
            with suppress(OSError):  # nothing has come into it
                os.rmdir(slot)


def _exchanged(path: str, temporary: Draft, kept: str) -> bool:
    """Exchange the two files (Linux 3.15; not on NFS); False, having changed nothing, if that fails."""
    done = False
    os.rename(temporary.named(), kept)  # no kill must leave the old one where it is taken for a leftover
    try:
        done = atomic.exchange(kept, path)
    finally:
        if not done:
            os.rename(kept, temporary.named())
    return done


def _linked(path: str, temporary: Draft, kept: str) -> bool:
    """Link the old one into the trash and rename over it; False, having changed nothing, without links.

    Locked, or what a faster publisher put there in between would be lost.
    """
    try:
        descriptor = atomic.open_lock(os.path.join(os.path.dirname(path), TRASH, _LOCK))
    except OSError:
        return False
    with open(descriptor, "wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.link(path, kept, follow_symlinks=False)
        except OSError:
            return False
        try:
            os.rename(temporary.named(), path)
        except BaseException:
            os.unlink(kept)
            raise
    return True


def _moved(path: str, temporary: Draft, kept: str) -> None:
    """Move the old one away, and name the new one; on any error the old one is put back."""
    with suppress(FileNotFoundError):  # somebody else has moved it
        os.rename(path, kept)
    try:
        atomic.commit(temporary, path)
    except BaseException:
        with suppress(OSError):
            if atomic.give_name(kept, path):
                os.unlink(kept)
        raise


def _new_slot(directory: str) -> str:
    """A new directory in the trash of *directory*, sorted after those that are there.

    They are numbered, since a clock may go back; the time is for people.
    """
    trash = os.path.join(directory, TRASH)
    make_directory(trash, shared=True)
    numbers = [name.partition("-")[0] for name in os.listdir(trash)]
    number = max((int(text) for text in numbers if text.isdecimal()), default=0)
    while True:
        number += 1
        stem = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        slot = os.path.join(trash, f"{number:06d}-{stem}-{os.uname().nodename}-{os.getpid()}")
        with suppress(FileExistsError):
            os.mkdir(slot)
            share(slot)
            return slot


def trashed(directory: str) -> list[Trashed]:
    """The withdrawn wheels of *directory*, the latest first."""
    found: list[Trashed] = []
    for slot in reversed(_slots(directory)):
        with suppress(OSError):
            found += [Trashed(name, directory, slot) for name in sorted(os.listdir(slot))]
    return found


def latest(directory: str) -> dict[str, Trashed]:
    """By name, each withdrawn wheel of *directory*, as it was withdrawn last."""
    return {each.filename: each for each in reversed(trashed(directory))}


def clear(directory: str) -> int:
    """Remove the temporary files in *directory* that no running publisher holds, and the trash's empty slots.

    Returns how many files. What cannot be removed stays for somebody who can.
    """
    for slot in _slots(directory):
        with suppress(OSError):
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
    """Put a withdrawn wheel back under its name; False when another file has that."""
    with atomic.writing(wheel.origin):
        if not atomic.give_name(wheel.path, wheel.origin) and file_id(wheel.path) != file_id(wheel.origin):
            return False  # else a run that was killed has linked it
        with suppress(FileNotFoundError):  # where there are no hard links it was moved
            os.unlink(wheel.path)
        with suppress(OSError):
            os.rmdir(wheel.slot)
        sync_directory(wheel.directory)
    return True
