"""What to build, for what, and how: the values that a build is given."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import Any

from wheelhouse_resolver.builder.records.settings import NOTHING, BuildSettings
from wheelhouse_resolver.builder.records.upstream import WheelAdaptation
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.serialise import from_plain, to_plain


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceArchive:
    """The file that a package is built from. It is fetched once, by the planner, and travels with the job.

    kind:         `sdist`: an archive by anyone; `tree`: a git checkout or a directory, packed by us;
                  `wheel`: a wheel that is taken instead of built.
    path, sha256: of the file.
    origin:       where it is from, without secrets; for git with the commit.
    version:      PEP 440, normalised.
    subdirectory: where in it the project is.
    yanked:       why the index has withdrawn it; empty if it has not.
    """

    kind: str
    path: str
    sha256: str
    origin: str
    version: str = ""
    subdirectory: str = ""
    yanked: str = ""

    @property
    def content_sha256(self) -> str:
        """The hash of what it contains; empty for git, whose times differ from one checkout to the next."""
        return "" if self.origin.startswith("git+") else self.sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One package to build, for one Python and one arch.

    requirement:    what to build: `numpy==1.26.4`.
    project:        its normalised name.
    python:         the path of the Python to build for.
    python_version: of that Python: `3.11`.
    arch:           as the ladder names it, or `generic`.
    layer:          the layer's name, or None.
    source:         what it is built from; None while it is planned.
    environment:    the Python of an environment with pip and nothing else, for builds that leave it as it is.
    """

    requirement: str
    project: str
    python: str
    python_version: str
    arch: str = GENERIC
    layer: str | None = None
    source: SourceArchive | None = None
    environment: str = ""

    @property
    def label(self) -> str:
        """A file name that is unique to it: `numpy-1.26.4-py3.11-gentoo-avx2`."""
        what = re.sub(r"[^A-Za-z0-9._+]+", "-", self.requirement).strip("-.")
        return f"{what[:80]}-py{self.python_version}-{self.layer or NO_LAYER}-{self.arch}"


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOptions:
    """How to build.

    site:       its ladder, flags, recipes and wheelhouse are used.
    work:       for temporary directories; any number of builds and nodes can share it.
    output:     for the wheel and its record; one for each arch, since wheels of two archs have the same name.
    logs:       for logs and records of all builds.
    verify:     the wheel must pass verification.
    keep:       keep the build directory.
    find_links: more directories of wheels and sources, used before the index.
    offline:    use no index.
    timeout:    of each command (s); None: no limit.
    network:    what a build runs can reach a network; else it uses no index either.
    cores:      to use; 0: as the recipe says.
    memory, time: what the commands that build may take together, in Slurm's words; empty: no limit.
    given:      what the command line says to all recipes.
    upstream:   how wheels of the index, which are taken instead of built, are adapted; None: it is built.
    """

    site: Site
    work: str
    output: str
    logs: str
    verify: bool = True
    keep: bool = False
    find_links: tuple[str, ...] = ()
    offline: bool = False
    timeout: float | None = None
    network: bool = True
    cores: int = 0
    memory: str = ""
    time: str = ""
    given: BuildSettings = NOTHING
    upstream: WheelAdaptation | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON. Of the site only its file and root: `from_dict` reads the file again.

        All paths are absolute: whoever reads them may be in another directory.
        """
        return {
            **to_plain(self, "verify", "keep", "offline", "timeout", "network", "cores", "memory", "time"),
            **to_plain(self, "given", "upstream"),
            **{name: os.path.abspath(getattr(self, name)) for name in ("work", "output", "logs")},
            "find_links": [os.path.abspath(each) for each in self.find_links],
            "config": os.path.abspath(self.site.source) if self.site.source is not None else None,
            "root": self.site.root,
        }

    @staticmethod
    def from_dict(data: Any) -> BuildOptions:
        """The inverse of `to_dict`. Raises `ValueError`, and what `Site.load` raises."""
        where = from_plain(_SiteFile, data)
        config, root = where.config, where.root
        site = Site.load(config, root=root) if config else Site.default(root).with_links()
        return from_plain(BuildOptions, {**data, "site": site})


@dataclass(frozen=True, kw_only=True, slots=True)
class _SiteFile:
    config: str | None
    root: str


def new_log(job: Job, logs: str) -> str:
    """A path in the directory *logs* for the log of a build of *job* that starts now: nobody else's."""
    now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    name = f"{job.label}-{now}-{os.uname().nodename}-{os.getpid()}-{time.monotonic_ns()}.log"
    return os.path.join(os.path.abspath(logs), name)


def phase_file(job: Job, logs: str) -> str:
    """The file in *logs* that contains the current phase of *job* while it runs."""
    return os.path.join(logs, f"{job.label}.phase")


def phase_of(job: Job, logs: str) -> str:
    """The current phase of *job*, to show progress; empty if it does not run."""
    try:
        with open(phase_file(job, logs), encoding="utf-8", errors="replace") as file:
            return file.read(80).strip()
    except OSError:
        return ""
