"""What a plan says: what is built, in which order, from which sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from wheelhouse_resolver.builder.recipes.model import Recipe, pinned_version
from wheelhouse_resolver.builder.records.job import Job
from wheelhouse_resolver.host.interpreters import Target

#: Of an entry: the project, what is required of it, and the indexes of the Python and the arch.
Key = tuple[str, str, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanSettings:
    """What to plan for.

    targets:   in the order of their versions.
    archs:     names of the ladder, or `generic`.
    layer:     of all of them.
    scratch:   a directory for sources, on a file system that all building nodes share; the caller removes it.
    recursive: also build what the wheels require and neither the wheelhouse nor the output directory has.
    build_requires: and, from source too, what the builds themselves require; they then use no index.
    tests:     what a recipe's own test requires counts as that.
    publish:   a wheel that is not in the wheelhouse is planned even if it exists, so that it gets published.
    here:      it is built on this machine: what the build would miss here is a problem of the plan.
    pythons:   of requirements (as text) that are not for all targets: the versions of their own.
    forbidden: patterns of libraries that no wheel of the index may contain.
    """

    targets: tuple[Target, ...]
    archs: tuple[str, ...]
    layer: str | None
    scratch: str
    recursive: bool = False
    build_requires: bool = False
    tests: bool = True
    publish: bool = False
    here: bool = True
    pythons: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One build of the plan.

    job:     what to build; with its version pinned, and its source.
    target, arch: its indexes in the orders of the Pythons and archs.
    output:  the directory for wheels of its layer and arch.
    recipe:  resolved for it.
    needs:   what of the plan it requires, for the same Python and arch: the beginnings of their keys.
    exists:  the wheel in the wheelhouse that is as new as the index's, which is therefore not fetched.
    note:    what may stop it where it is planned.
    problem: why it cannot be built; empty if it can be tried. *log*: of that.
    """

    job: Job
    target: int
    arch: int
    output: str
    recipe: Recipe
    needs: frozenset[tuple[str, str]] = frozenset()
    exists: str = ""
    note: str = ""
    problem: str = ""
    log: str = ""

    @property
    def key(self) -> Key:
        """Unique in the plan. Several versions of a project may be asked for."""
        return self.job.project, self.job.requirement, self.target, self.arch

    @property
    def name(self) -> str:
        """Unique in the plan, and the same in every plan with this build: `numpy==1.26.4 cp311 avx2`."""
        return f"{self.job.requirement} cp{self.job.python_version.replace('.', '')} {self.job.arch}"

    @property
    def warning(self) -> str:
        """What is wrong with its source; empty if nothing is."""
        source = self.job.source
        return f"{self.job.requirement} is yanked: {source.yanked}" if source and source.yanked else ""

    @property
    def version(self) -> str:
        """Of the source; empty if it is not known."""
        if self.exists:
            return pinned_version(self.job.requirement) or ""
        return self.job.source.version if self.job.source is not None else ""

    @property
    def label(self) -> str:
        """For people: `numpy 1.26.4 cp311 avx2`."""
        what = f"{self.job.project} {self.version}" if self.version else self.job.requirement
        return f"{what} cp{self.job.python_version.replace('.', '')} {self.job.arch}"


class Link(NamedTuple):
    """Why something is in a plan.

    by:          what requires it: an `Entry.name`, or the path of a wheel; empty: it was asked for.
    to:          what it is: likewise.
    kind:        what for: `asked`, `run`, or `build`: to build *by* or to test it.
    requirement: as it is stated.
    """

    by: str
    to: str
    kind: str
    requirement: str


class Satisfied(NamedTuple):
    """A requirement that needs no build: its *requirement*, and the *path* of the wheel that satisfies it."""

    requirement: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to build, in waves; what exists already; what was left out, and why.

    settings: what it is for; the plan is valid as long as its *scratch*, with the sources, exists.
    links:    why each is there.
    """

    settings: PlanSettings
    waves: tuple[tuple[Entry, ...], ...]
    satisfied: tuple[Satisfied, ...] = ()
    ignored: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """All builds, each after what it needs."""
        return [entry for wave in self.waves for entry in wave]
