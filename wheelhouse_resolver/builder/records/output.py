"""Placing a finished wheel and its record into the output directory."""

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

#: Locked by the build that places its wheel in the directory.
_LOCK = ".wheelhouse-build.lock"


def place_wheel(wheel: str, directory: str, record: BuildRecord) -> BuildRecord:
    """Place the file *wheel* into *directory* (made if missing), and *record* beside it, each atomically.

    Returns *record* with the wheel and the result: `built`; or `present`, with nothing changed, if the same
    file already exists, or one whose record says that it was made from the same inputs (a build that was
    killed after it placed its wheel is run again, and few packages build reproducibly). The record is
    written first, so that a wheel always has one.

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
        with _output_lock(directory):
            if not os.path.lexists(target):
                write_record(target + RECORD_SUFFIX, record)
            try:
                if atomic.commit(draft, target):
                    return record
            except atomic.AlreadyExistsError as error:
                known = record_of(target)
                if known is None or not known.same_inputs(record):
                    raise error.with_hint(
                        "remove it, use another output directory, or give the new wheel a local label"
                    ) from None
            record = replace(record, result=PRESENT, wheel_sha256=sha256_of(target))
            if record_of(target) is None:
                write_record(target + RECORD_SUFFIX, record)
            return record


@contextlib.contextmanager
def _output_lock(directory: str) -> Iterator[None]:
    """One build at a time places its wheel in *directory*, so that each gets its own record.

    Without effect on a file system without locks: a record of another wheel is ignored (`record_of`).
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
