"""A place to build in, with sources that do what a test wants, and with no index."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.builder.extensions import level_source
from tests.builder.sources import TIME, make_sdist, pack_source, sdist_files
from tests.factories import make_tree
from wheelhouse_resolver.builder.pipeline.build_wheel import run_job
from wheelhouse_resolver.builder.planning.sources import SourceFetcher
from wheelhouse_resolver.builder.recipes.loader import find_recipe
from wheelhouse_resolver.builder.recipes.model import no_recipe, pinned_version
from wheelhouse_resolver.builder.records.job import BuildOptions, Job, SourceArchive, new_log
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.site.model import Site

__all__ = ["Workshop"]

#: The files of a C extension that says what it was compiled for, built by setuptools.
_C_EXTENSION = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
""",
    "PKG-INFO": "Metadata-Version: 2.1\nName: fast\nVersion: 1.0\n",
    "setup.py": """\
from setuptools import Extension, setup

setup(name="fast", version="1.0", ext_modules=[Extension("fast", ["fast.c"])])
""",
    "fast.c": level_source("fast"),
}


class Workshop:
    """Where a test builds: *house* is the wheelhouse, *sources* the sdists and wheels that pip finds.

    unpacked: packages are directories that their recipes name; that saves the time of asking pip for them.
    """

    def __init__(self, directory: Path, *, unpacked: bool = False) -> None:
        self.directory = directory
        self.unpacked = unpacked
        self.sources = directory / "sources"
        self.recipes = directory / "recipes"
        self.work = directory / "work"
        self.output = directory / "output"
        for each in (self.sources, self.recipes):
            each.mkdir()
        tables = {"build": {"recipes": (str(self.recipes),)}}
        self.site: Site = make_tree(directory / "house", {})._replace(tables=tables)

    def c_extension(self) -> Path:
        """The sdist `fast`, a C extension that setuptools builds."""
        return pack_source(self.sources / "fast-1.0.tar.gz", _C_EXTENSION, top="fast-1.0")

    def package(self, name: str = "demo", version: str = "1.0", **options: Any) -> Path:
        """A source whose own backend makes a wheel of it; *options* as for `make_sdist`."""
        if not self.unpacked:
            return make_sdist(self.sources, name, version, **options)
        for filename, text in sdist_files(name, version, **options).items():
            path = self.sources / name / filename
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            os.utime(path, (TIME, TIME))
        self.recipe(name, "")
        return self.sources / name

    def recipe(self, name: str, text: str) -> Path:
        """A recipe of the site."""
        path = self.recipes / f"{name}.toml"
        unpacked = self.sources / name
        path.write_text((f'source.directory = "{unpacked}"\n' if unpacked.is_dir() else "") + text)
        return path

    def job(self, requirement: str = "demo", *, arch: str = "generic", layer: str | None = None) -> Job:
        """A job for the Python of the tests."""
        return Job(
            requirement=requirement,
            project=canonicalize_name(Requirement(requirement).name),
            python=sys.executable,
            python_version=f"{sys.version_info[0]}.{sys.version_info[1]}",
            arch=arch,
            layer=layer,
        )

    def options(self, **changes: Any) -> BuildOptions:
        """Options to build with: no index, no verification unless a test says so."""
        found: dict[str, Any] = {
            "site": self.site,
            "work": str(self.work),
            "output": str(self.output),
            "logs": str(self.work / "logs"),
            "find_links": (str(self.sources), *seeds()),
            "offline": True,
            "verify": False,
            **changes,
        }
        return BuildOptions(**found)

    def plan(self, job: Job | str = "demo", **changes: Any) -> Job:
        """The job with its source, fetched as planning does."""
        job = job if isinstance(job, Job) else self.job(job)
        scratch = self.directory / f"plan-{len(list(self.directory.glob('plan-*')))}"
        scratch.mkdir()
        file = find_recipe(job.project, [str(self.recipes)])
        pinned = pinned_version(job.requirement)
        recipe = no_recipe(job.project)
        if file is not None:
            version = Version(pinned) if pinned is not None else None
            recipe = file.resolve(version, job.python_version, job.layer, job.arch)
        fetched = SourceFetcher(str(scratch)).fetch(
            recipe, job, self.options(**changes), str(scratch / "log")
        )
        return replace(job, source=fetched.archive)

    def lost(self, job: Job | str = "demo") -> Job:
        """The job with a source whose archive does not exist any more."""
        job = job if isinstance(job, Job) else self.job(job)
        archive = str(self.directory / "lost.tar.gz")
        return replace(
            job,
            source=SourceArchive(
                kind="sdist", path=archive, sha256="00", origin="lost.tar.gz", version="1.0"
            ),
        )

    def build(self, job: Job | str = "demo", **changes: Any) -> BuildRecord:
        """The record of a build, which is planned first unless *job* is."""
        if not isinstance(job, Job) or job.source is None:
            job = self.plan(job, **changes)
        options = self.options(**changes)
        return run_job(job, options, new_log(job, options.logs))

    def log(self, record: BuildRecord) -> str:
        """What stands in the log of a build."""
        return Path(record.log).read_text(errors="replace")

    def left(self) -> list[str]:
        """The names of what builds left in the work directory, but for the logs."""
        return sorted(path.name for path in self.work.iterdir() if path.name != "logs")

    def placed(self) -> list[str]:
        """The names in the output directory, but for hidden ones."""
        return sorted(path.name for path in self.output.glob("[!.]*"))


def seeds() -> tuple[str, ...]:
    """The directory of the wheels of pip and setuptools that virtualenv brings along."""
    spec = importlib.util.find_spec("virtualenv")
    assert spec is not None
    assert spec.origin is not None
    return (str(Path(spec.origin).parent / "seed/wheels/embed"),)
