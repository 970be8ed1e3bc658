"""The end of a build: its wheel and the record of it, placed where they are to be found."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

from wheelhouse_resolver import placement
from wheelhouse_resolver.build.record import (
    BUILT,
    PRESENT,
    RECORD_SUFFIX,
    BuildRecord,
    record_of,
    sha256_of,
    write_record,
)
from wheelhouse_resolver.errors import OutputError, WheelhouseError, reason_of
from wheelhouse_resolver.text import printable

__all__ = ["WheelInTheWayError", "place_wheel"]


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
    placement.clear_drafts(directory)
    with placement.draft(directory) as draft:
        try:
            with open(wheel, "rb") as file:
                shutil.copyfileobj(file, draft.file)
        except OSError as error:
            raise OutputError(target, reason_of(error)) from error
        if not os.path.lexists(target):
            write_record(target + RECORD_SUFFIX, record)
            if placement.link_into(draft, directory, filename):
                return record
    try:
        standing = sha256_of(target)
    except OSError as error:  # a directory, a link to nowhere
        raise WheelInTheWayError(target) from error
    known = record_of(target)
    if standing != record.wheel_sha256 and not (known is not None and known.is_like(record)):
        raise WheelInTheWayError(target)
    record = replace(record, result=PRESENT, wheel_sha256=standing)
    if known is None:
        write_record(target + RECORD_SUFFIX, record)
    return record
