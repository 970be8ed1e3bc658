"""The output directory: placing a finished wheel and its record, and finding those of earlier runs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelhouse_resolver.builder.records.record import PRESENT, RECORD_SUFFIX, BuildRecord, record_of
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.safe_io import sha256_of


def place_wheel(wheel: str, directory: str, record: BuildRecord) -> BuildRecord:
    """Place the file *wheel* into *directory* (made if missing), and *record* beside it, each atomically.

    Returns *record* with the wheel and the result: `built` or `fetched`; `present`, with nothing changed, if
    the same file already exists, or one whose record says that it was made from the same inputs (a build that
    was killed after it placed its wheel is run again, and few packages build reproducibly). The record is
    written first, so that a wheel always has one.

    Raises `AlreadyExistsError`, `OutputError`, and `OSError` when *wheel* cannot be read.
    """
    filename = os.path.basename(wheel)
    target = os.path.join(directory, filename)
    record = replace(record, wheel=filename, wheel_sha256=sha256_of(wheel), result=record.done, problem="")
    atomic.clear_temporary(directory)
    with atomic.temporary(directory, hidden=True) as draft:
        try:
            with open(wheel, "rb") as file:
                shutil.copyfileobj(file, draft.file)
        except OSError as error:
            raise OutputError.from_os(target, error) from error
        with _output_lock(directory):
            if not os.path.lexists(target):
                record.write(target + RECORD_SUFFIX)
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
                record.write(target + RECORD_SUFFIX)
            return record


@contextlib.contextmanager
def _output_lock(directory: str) -> Iterator[None]:
    """One build at a time places its wheel in *directory*, so that each gets its own record.

    Without effect on a file system without locks: a record of another wheel is ignored (`record_of`).
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file = stack.enter_context(open(os.path.join(directory, ".wheelhouse-build.lock"), "ab"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def built_wheels(directory: str, project: str) -> Iterator[tuple[str, BuildRecord]]:
    """The wheels of *project* in *directory* that have a valid record, sorted by name."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(directory))
    for name in names:
        with contextlib.suppress(InvalidWheelFilename):
            path = os.path.join(directory, name)
            if parse_wheel_filename(name)[0] == project and (record := record_of(path)) is not None:
                yield path, record


def same_wheel(
    directory: str, project: str, made_from: tuple[object, ...], python: TargetPython, *, verified: bool
) -> tuple[str, BuildRecord] | None:
    """The wheel of *project* in *directory* that fits *python* and was made from the same inputs.

    made_from: the version, the `source_id`, the hash of the recipe, and how wheels of the index are adapted.
    verified:  it must be.
    """
    for path, record in built_wheels(directory, project):
        if (
            (record.version, record.source_id, record.recipe_sha256, record.upstream) == made_from
            and (not verified or any(phase.name == "verify" and phase.ok for phase in record.phases))
            and fits(path, python)
        ):
            return path, record
    return None
