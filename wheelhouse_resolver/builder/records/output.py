"""The end of a build: its wheel and the record of it, placed where they are to be found."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace

from wheelhouse_resolver.builder.records.record import (
    BUILT,
    PRESENT,
    RECORD_SUFFIX,
    BuildRecord,
    record_of,
    write_record,
)
from wheelhouse_resolver.errors import OutputError, WheelhouseError, printable
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.safe_io import sha256_of

__all__ = ["WheelInTheWayError", "place_wheel"]

#: Locked by the build that is placing its wheel in the directory.
_LOCK = ".wheelhouse-build.lock"


class WheelInTheWayError(WheelhouseError, FileExistsError):
    """Another wheel has the name that the new one would get. Attributes: *path* of it."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path

    def __str__(self) -> str:
        return (
            f"{printable(self.path)} stands there with other content: remove it, name another output "
            "directory, or give the new wheel a local label"
        )


def place_wheel(wheel: str, directory: str, record: BuildRecord) -> BuildRecord:
    """Place the file *wheel* into *directory* (made if missing), and *record* beside it, each in one step.

    Returns *record* with the wheel and the result: `built`, or `present` when the same file stood there
    already, or one that its own record says is made of the same (a build that was killed after it had placed
    its wheel is run again, and few packages come out the same twice); what stands there stays.
    The record is written first, so that no kill leaves a wheel without.

    Raises `WheelInTheWayError`, `OutputError`, and `OSError` when *wheel* cannot be read.
    """
    filename = os.path.basename(wheel)
    target = os.path.join(directory, filename)
    record = replace(record, wheel=filename, wheel_sha256=sha256_of(wheel), result=BUILT, problem="")
    atomic.clear_drafts(directory)
    with atomic.draft(directory) as draft:
        try:
            with open(wheel, "rb") as file:
                shutil.copyfileobj(file, draft.file)
        except OSError as error:
            raise OutputError.from_os(target, error) from error
        with _turn(directory):
            if not os.path.lexists(target):
                write_record(target + RECORD_SUFFIX, record)
                if atomic.link_into(draft, directory, filename):
                    return record
            return _standing(target, record)


def _standing(target: str, record: BuildRecord) -> BuildRecord:
    """*record*, with the wheel that stands there already. Raises `WheelInTheWayError` for another one."""
    try:
        digest = sha256_of(target)
    except OSError as error:  # a directory, a link to nowhere
        raise WheelInTheWayError(target) from error
    known = record_of(target)
    if digest != record.wheel_sha256 and not (known is not None and known.is_like(record)):
        raise WheelInTheWayError(target)
    record = replace(record, result=PRESENT, wheel_sha256=digest)
    if known is None:
        write_record(target + RECORD_SUFFIX, record)
    return record


@contextlib.contextmanager
def _turn(directory: str) -> Iterator[None]:
    """Wait until no other build places its wheel in *directory*, so that none gets the record of another.

    Where the filesystem has no locks it goes on: a record that is not of its wheel is no record.
    """
    descriptor = None
    try:
        with contextlib.suppress(OSError):
            descriptor = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)
