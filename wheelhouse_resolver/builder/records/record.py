"""The record of a build: what went into it, what was done, and what came of it.

It stands beside the wheel (`<wheel>.build.json`), and beside the log of every build, failed ones too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wheelhouse_resolver.utils.filesystem import write_text
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.utils.serialise import from_plain, to_plain

#: What the name of a wheel's record has behind the wheel's own.
RECORD_SUFFIX = ".build.json"

#: The results that a build can have. Present: such a wheel stood there already.
BUILT, PRESENT, FAILED = "built", "present", "failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One phase of a build: how long it took (s), and whether it ended well."""

    name: str
    seconds: float
    ok: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRecord:
    """The record of one build.

    project, version: what was built; the version is empty while it is unknown.
    requirement:      what was asked for.
    python:           the version of the Python it was built for, `3.11`.
    arch, layer:      for which; `generic` and None where it makes no difference.
    directory:        the label of the directory of the wheelhouse that it was built for, if there is one.
    source, source_sha256: where the source is from, and the hash of its archive (empty if it has none).
    recipe, recipe_sha256: the recipe's file, and its hash; None and empty without a recipe.
    flags:            what the compilers were told for the arch.
    modules:          the modules that were loaded to build.
    environ:          the other variables that were set, and those of the environment that bear on a build.
    host:             where: node, machine, cpu, arch, layer.
    tools:            the versions of what took part.
    phases:           what was done, in order.
    started:          when (UTC, ISO 8601).
    log:              the path of the log.
    result:           `built`, `present` (it stood there already, the same or made of the same) or `failed`.
    problem:          of a failed build: the phase, and what went wrong in it, in one line.
    tail:             of a failed build: the last lines of the log.
    wheel, wheel_sha256: the name of the wheel's file, and its hash; empty without one.
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

    @property
    def ok(self) -> bool:
        """Whether the wheel is there."""
        return self.result != FAILED

    def is_like(self, other: BuildRecord) -> bool:
        """Whether *other* was made of the very same: source, recipe, tools and all that was set."""

        def inputs(record: BuildRecord) -> tuple[object, ...]:
            made_for = (record.project, record.version, record.python, record.arch, record.layer)
            made_of = (record.source_sha256, record.recipe_sha256, record.flags, record.modules)
            return (*made_for, *made_of, record.environ, record.tools)

        # A directory tells nothing of what is in it; the address of a git source names its commit.
        if not self.source_sha256 and not (self.source.startswith("git+") and self.source == other.source):
            return False
        return inputs(self) == inputs(other)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = to_plain(self)
        return found

    @staticmethod
    def from_dict(data: Any) -> BuildRecord:
        """What `to_dict` made *data* from. Raises `ValueError` when it is nothing of the kind."""
        record = from_plain(BuildRecord, data)
        if record.result not in (BUILT, PRESENT, FAILED):
            raise ValueError(f"result is {record.result!r}")
        return record


def write_record(path: str, record: BuildRecord) -> None:
    """Write *record* to the file at *path*, atomically. Raises `OutputError`."""
    write_text(path, json.dumps(record.to_dict(), indent=2) + "\n")


def record_of(wheel: str) -> BuildRecord | None:
    """The record that stands beside the file *wheel*; None without one, or when it is of another file."""
    try:
        with open(wheel + RECORD_SUFFIX, "rb") as file:
            record = BuildRecord.from_dict(json.load(file))
        return record if record.wheel_sha256 == sha256_of(wheel) else None
    except (OSError, ValueError, RecursionError):
        return None
