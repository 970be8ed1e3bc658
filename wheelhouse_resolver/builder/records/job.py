"""What to build, for what, and how: the values that a build is given."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.serialise import from_plain, to_plain


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One package to build, for one Python and one arch.

    requirement:    what to build: `numpy==1.26.4`.
    project:        its normalised name.
    python:         the path of the Python to build for.
    python_version: of that Python: `3.11`.
    arch:           as the ladder names it, or `generic`.
    layer:          the layer's name, or None.
    """

    requirement: str
    project: str
    python: str
    python_version: str
    arch: str = GENERIC
    layer: str | None = None

    @property
    def label(self) -> str:
        """What tells it from other jobs, fit for a file name: `numpy-1.26.4-py3.11-gentoo-avx2`."""
        what = re.sub(r"[^A-Za-z0-9._+]+", "-", self.requirement).strip("-.")
        return f"{what[:80]}-py{self.python_version}-{self.layer or NO_LAYER}-{self.arch}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = to_plain(self)
        return found

    @staticmethod
    def from_dict(data: Any) -> Job:
        """What `to_dict` made *data* from. Raises `ValueError` when it is nothing of the kind."""
        return from_plain(Job, data)


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOptions:
    """How to build.

    site:       whose ladder, flags, recipes and wheelhouse count.
    work:       where builds have their temporary directories; shared by any number of builds and nodes.
    output:     where the wheel and its record go. Wheels of two archs have one name: give each arch its own.
    logs:       where logs and records of all builds are kept; empty: `logs` below *work*.
    verify:     whether the wheel must pass verification.
    keep:       keep the build directory.
    find_links: further directories (paths) of wheels and sources, used before the index.
    offline:    use no index at all.
    timeout:    how long a single command of the build may take (s); None: as long as it likes.
    """

    site: Site
    work: str
    output: str
    logs: str = ""
    verify: bool = True
    keep: bool = False
    find_links: tuple[str, ...] = ()
    offline: bool = False
    timeout: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON. Of the site, where it is described: the file is read again by whoever reads this."""
        return {
            **{key: value for key, value in to_plain(self).items() if key != "site"},
            "config": self.site.source,
            "root": self.site.root,
        }

    @staticmethod
    def from_dict(data: Any) -> BuildOptions:
        """What `to_dict` made *data* from.

        Raises `ValueError` when it is nothing of the kind, and what `Site.load` raises.
        """
        where = from_plain(_SiteFile, data)
        site = Site.load(where.config, root=where.root) if where.config else Site.default(where.root)
        return from_plain(BuildOptions, {**data, "site": site})


@dataclass(frozen=True, kw_only=True, slots=True)
class _SiteFile:
    config: str | None
    root: str


def phase_file(job: Job, logs: str) -> str:
    """The file in the directory *logs* that holds the phase that *job* is in, while it runs."""
    return os.path.join(logs, f"{job.label}.phase")


def phase_of(job: Job, logs: str) -> str:
    """The phase that *job* is in, for people to watch; empty if it does not run."""
    try:
        with open(phase_file(job, logs), encoding="utf-8", errors="replace") as file:
            return file.read(80).strip()
    except OSError:
        return ""
