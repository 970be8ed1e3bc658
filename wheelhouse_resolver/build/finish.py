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
    already; its record stays then. The record is written first, so that no kill leaves a wheel without.

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
    # Somebody else's, perhaps of this very moment.
    try:
        same = sha256_of(target) == record.wheel_sha256
    except OSError:
        same = False
    if not same:
        raise WheelInTheWayError(target)
    record = replace(record, result=PRESENT)
    if record_of(target) is None:
        write_record(target + RECORD_SUFFIX, record)
    return record
