"""Wheels of previous runs: those in an output directory that have a valid record."""

from __future__ import annotations

import os
from collections.abc import Iterator

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelhouse_resolver.builder.records.record import BuildRecord, record_of
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.tree.listing import SUFFIX


def built_wheels(directory: str, project: str) -> Iterator[tuple[str, BuildRecord]]:
    """The wheels of *project* in *directory* that have a valid record, sorted by name."""
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return
    for name in names:
        if not name.endswith(SUFFIX):
            continue
        try:
            found = parse_wheel_filename(name)[0]
        except InvalidWheelFilename:
            continue
        path = os.path.join(directory, name)
        if found == project and (record := record_of(path)) is not None:
            yield path, record


def same_wheel(
    directory: str, project: str, made_from: tuple[str, str, str], python: TargetPython, *, verified: bool
) -> tuple[str, BuildRecord] | None:
    """The wheel of *project* in *directory* that fits *python* and was made from the same inputs.

    made_from: the version, the `source_id` and the hash of the recipe. *verified*: it must be verified.
    """
    for path, record in built_wheels(directory, project):
        if (
            (record.version, record.source_id, record.recipe_sha256) == made_from
            and (not verified or any(phase.name == "verify" and phase.ok for phase in record.phases))
            and fits(path, python)
        ):
            return path, record
    return None
