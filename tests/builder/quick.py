"""Builds without virtual environments, for tests of what happens around them.

Sources are taken from a directory with no pip, and a build is one call of the package's own backend. The
wheels, the records and the task files are real.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from wheelhouse_resolver.builder.executors.base import Result, Task, TaskObserver
from wheelhouse_resolver.builder.pipeline.build_wheel import run_job
from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.records.job import Job, SourceArchive
from wheelhouse_resolver.builder.records.output import place_wheel
from wheelhouse_resolver.builder.records.record import FAILED, BuildRecord, Phase
from wheelhouse_resolver.builder.sources.fetch import check_archive, unpack_source
from wheelhouse_resolver.builder.sources.fetched import FetchContext, Fetched, SourceError, hashed_archive
from wheelhouse_resolver.builder.sources.index import FoundWheel
from wheelhouse_resolver.builder.worker import read_task
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.host.interpreters import target_of
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.wheelfile.name import WheelName

__all__ = ["InProcess", "QuickExecutor", "make_index", "make_quick"]


class QuickExecutor:
    """An `Executor` that runs a task by calling the backend of its source in *sources*. *ran*: names."""

    def __init__(self, sources: Path) -> None:
        self.sources = sources
        self.ran: list[str] = []
        self.waves: list[list[str]] = []

    def run(self, tasks: Sequence[Task], observer: TaskObserver) -> list[Result]:
        """See `Executor.run`."""
        results = []
        self.waves.append([task.name for task in tasks])
        for task in tasks:
            self.ran.append(task.name)
            self._build(task)
            results.append(Result(task=task))
            observer.waiting()
            observer.finished(results[-1])
        return results

    def _build(self, task: Task) -> None:
        job, options, result, log = read_task(task.argv[-1])
        scratch = Path(task.cwd) / f"quick-{len(self.ran)}"
        (scratch / "wheels").mkdir(parents=True)
        assert job.source is not None
        check_archive(job.source)
        source = unpack_source(job.source, str(scratch / "source"))
        call = f"import backend, sys; backend.build_wheel({str(scratch / 'wheels')!r})"
        done = run_logged([job.python, "-c", call], log=log, environ=os.environ, cwd=source.path)
        phases = [Phase(name="build", seconds=2.0, ok=done.ok)]
        if options.verify:
            phases.append(Phase(name="verify", seconds=1.0, ok=True))
        labels = [d.label for d in options.site.directories() if (d.layer, d.arch) == (job.layer, job.arch)]
        record = BuildRecord(
            project=job.project, requirement=job.requirement, python=job.python_version, arch=job.arch,
            layer=job.layer, result=FAILED, version=source.version, source_sha256=source.archive.sha256,
            directory=labels[0] if labels else None, log=log, phases=tuple(phases),
            problem=f"build: {done.problem}", tail=done.tail,
        )  # fmt: skip
        if done.ok:
            (wheel,) = (scratch / "wheels").glob("*.whl")
            record = place_wheel(str(wheel), options.output, replace(record, problem="", tail=""))
        record.write(result)


class _NothingError(WheelhouseError):
    pass


def taken(sources: Path, requirement: str, directory: Path) -> Fetched:
    """The newest source distribution in *sources* that satisfies *requirement*, unpacked into *directory*."""
    wanted = Requirement(requirement)
    found = [path for path in sources.glob(f"{wanted.name}-*.tar.gz") if _version(path) in wanted.specifier]
    if not found:
        raise _NothingError(f"nothing satisfies {requirement}")
    path = max(found, key=_version)
    directory.mkdir(exist_ok=True)
    archive = SourceArchive(
        kind="sdist",
        path=str(directory / path.name),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        origin=path.name,
        version=_version(path),
    )
    shutil.copy(path, archive.path)
    return unpack_source(archive, str(directory / "source"))


def _version(path: Path) -> str:
    return path.name.removesuffix(".tar.gz").rpartition("-")[2]


def make_quick(monkeypatch: pytest.MonkeyPatch, sources: Path) -> QuickExecutor:
    """Let planning take its sources from *sources*, and the local executor be the one that is returned."""

    def fetch(_: object, job: Job, context: FetchContext) -> Fetched:
        return taken(sources, job.requirement, Path(context.directory))

    executor = QuickExecutor(sources)
    monkeypatch.setattr("wheelhouse_resolver.builder.planning.sources.fetch", fetch)
    monkeypatch.setattr("wheelhouse_resolver.builder.executors.local.LocalExecutor", lambda _: executor)
    # Backends are asked in the environment of the tests.
    monkeypatch.setattr(
        "wheelhouse_resolver.builder.planning.sources.make_environment", lambda *_, **__: sys.executable
    )
    return executor


class InProcess:
    """An `Executor` that runs the builds themselves, in the process of the tests. *ran*: names."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, tasks: Sequence[Task], observer: TaskObserver) -> list[Result]:
        """See `Executor.run`."""
        results = []
        for task in tasks:
            self.ran.append(task.name)
            job, options, result, log = read_task(task.argv[-1])
            run_job(job, options, log).write(result)
            results.append(Result(task=task))
            observer.finished(results[-1])
        return results


def make_index(monkeypatch: pytest.MonkeyPatch, directory: Path) -> InProcess:
    """Let wheels be found in *directory* with no pip, and builds be run by the executor that is returned."""

    def find(job: Job, context: FetchContext) -> FoundWheel:
        wanted = Requirement(job.requirement)
        found = [
            (name.version, path)
            for path in sorted(directory.glob("*.whl"))
            if (name := WheelName.parse(path.name)).name == job.project
            and name.version in wanted.specifier
            and fits(str(path), target_of(job.python).python)
        ]
        if not found:
            raise SourceError(job.requirement, "no wheel found")
        version, path = max(found)
        return FoundWheel(path.as_uri(), job.project, str(version))

    def get(found: FoundWheel, job: Job, context: FetchContext) -> SourceArchive:
        copy = os.path.join(context.directory, found.url.rpartition("/")[2])
        shutil.copy(found.url.removeprefix("file://"), copy)
        return hashed_archive("wheel", copy, found.url, found.version)

    executor = InProcess()
    monkeypatch.setattr("wheelhouse_resolver.builder.planning.sources.find_wheel", find)
    monkeypatch.setattr("wheelhouse_resolver.builder.planning.sources.fetch_wheel", get)
    monkeypatch.setattr("wheelhouse_resolver.builder.executors.local.LocalExecutor", lambda _: executor)
    return executor
