"""The record of a build: what went into it, what was done, and what came of it.

It is written beside the wheel (`<wheel>.build.json`), and beside the log of every build, failed ones too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from wheelhouse_resolver.builder.records.upstream import WheelAdaptation
from wheelhouse_resolver.errors import WheelhouseError, printable, reason_of
from wheelhouse_resolver.utils.filesystem import write_text
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.utils.serialise import from_plain, to_plain

#: Appended to a wheel's file name, this is the name of its record.
RECORD_SUFFIX = ".build.json"

#: The results of a build. Present: an equivalent wheel already existed.
BUILT, FETCHED, PRESENT, FAILED = "built", "fetched", "present", "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One phase of a build: how long it took (s), and whether it succeeded."""

    name: str
    seconds: float
    ok: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRecord:
    """The record of one build.

    project, version: what was built; the version is empty while it is unknown.
    requirement:      what was asked for.
    python:           the version of the Python it was built for, `3.11`.
    arch, layer:      what it was built for; `generic` and None where it makes no difference.
    directory:        the label of the wheelhouse's directory for these, if there is one.
    source, source_sha256: where the source is from, and the hash of its archive (empty for git: the commit
                      is in *source*).
    upstream:         of a wheel that was taken from the index: how such wheels are adapted.
    recipe, recipe_sha256: the recipe's file, and its hash; None and empty without a recipe.
    flags:            compiler flags for the arch.
    modules:          the modules that were loaded to build.
    environ:          the other variables that affect the build.
    host:             where it was built: node, machine, cpu, arch, layer, libc.
    tools:            versions of everything involved.
    phases:           what was done, in order.
    started:          when (UTC, ISO 8601).
    log:              the path of the log.
    result:           `built`, `fetched`, `present` (it, or one from the same inputs, existed), `failed`.
    problem:          of a failed build: the phase and what went wrong, on one line.
    tail:             of a failed build: the last lines of the log.
    wheel, wheel_sha256: the wheel's file name and hash; empty without one.
    notes:            what is worth knowing, though nothing went wrong.
    """

    project: str
    requirement: str
    python: str
    arch: str
    layer: str | None
    result: str
    version: str = ""
    directory: str | None = None
    source: str = ""
    source_sha256: str = ""
    upstream: WheelAdaptation | None = None
    recipe: str | None = None
    recipe_sha256: str = ""
    flags: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, str] = field(default_factory=dict)
    tools: Mapping[str, str] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    started: str = ""
    log: str = ""
    problem: str = ""
    tail: str = ""
    wheel: str = ""
    wheel_sha256: str = ""
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the wheel is there."""
        return self.result != FAILED

    @property
    def done(self) -> str:
        """The result when all goes well."""
        return BUILT if self.upstream is None else FETCHED

    @property
    def source_id(self) -> str:
        """What identifies the source: the hash of its archive, or its git commit; empty if unknown."""
        return self.source_sha256 or (self.source if self.source.startswith("git+") else "")

    def same_inputs(self, other: BuildRecord) -> bool:
        """Whether *other* was made from the same source, recipe, tools and settings."""
        return bool(self.source_id) and _inputs(self) == _inputs(other)

    def write(self, path: str) -> None:
        """Write it to the file at *path*, atomically. Raises `OutputError`."""
        write_text(path, json.dumps(to_plain(self), indent=2) + "\n")

    @staticmethod
    def from_dict(data: Any) -> BuildRecord:
        """The inverse of `to_plain`. Raises `ValueError`."""
        record = from_plain(BuildRecord, data)
        if record.result not in (BUILT, FETCHED, PRESENT, FAILED):
            raise ValueError(f"result is {record.result!r}")
        return record


_inputs = attrgetter(
    *("project", "version", "python", "arch", "layer", "source_id", "recipe_sha256"),
    *("upstream", "flags", "modules", "environ", "tools"),
)


def record_of(wheel: str) -> BuildRecord | None:
    """The record beside the file *wheel*; None without one, or if it is of another file."""
    try:
        with open(wheel + RECORD_SUFFIX, "rb") as file:
            record = BuildRecord.from_dict(json.load(file))
        return record if record.wheel_sha256 == sha256_of(wheel) else None
    except (OSError, ValueError, RecursionError):
        return None


def describe(error: Exception) -> str:
    """What went wrong, and what to do about it, on one line without secrets: the problem of a record."""
    return redact(_described(error))


def _described(error: Exception) -> str:
    if isinstance(error, WheelhouseError):
        return f"{error} (hint: {error.hint})" if error.hint else str(error)
    if isinstance(error, OSError):
        where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, (str, bytes)) else ""
        return printable(f"{where}{reason_of(error)}")
    return f"internal error: {type(error).__name__}: {printable(error)}"
