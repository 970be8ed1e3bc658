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
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.safe_io import sha256_of

#: Locked by the build that is placing its wheel in the directory.
_LOCK = ".wheelhouse-build.lock"


def place_wheel(wheel: str, directory: str, record: BuildRecord) -> BuildRecord:
    """Place the file *wheel* into *directory* (made if missing), and *record* beside it, each in one step.

    Returns *record* with the wheel and the result: `built`, or `present` when a wheel with the same content
    was there already, or one that its own record says is made of the same (a build that was killed after it
    had placed its wheel is run again, and few packages come out the same twice); it stays.
    The record is written first, so that no kill leaves a wheel without.

    Raises `AlreadyExistsError`, `OutputError`, and `OSError` when *wheel* cannot be read.
    """
    filename = os.path.basename(wheel)
    target = os.path.join(directory, filename)
    record = replace(record, wheel=filename, wheel_sha256=sha256_of(wheel), result=BUILT, problem="")
    atomic.clear_temporary(directory)
    with atomic.temporary(directory) as draft:
        try:
            with open(wheel, "rb") as file:
                shutil.copyfileobj(file, draft.file)
        except OSError as error:
            raise OutputError.from_os(target, error) from error
        with _turn(directory):
            if not os.path.lexists(target):
                write_record(target + RECORD_SUFFIX, record)
            try:
                if atomic.commit(draft, target):
                    return record
            except atomic.AlreadyExistsError as error:
                known = record_of(target)
                if known is None or not known.is_like(record):
                    raise error.with_hint(
                        "remove it, name another output directory, or give the new wheel a local label"
                    ) from None
            record = replace(record, result=PRESENT, wheel_sha256=sha256_of(target))
            if record_of(target) is None:
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
