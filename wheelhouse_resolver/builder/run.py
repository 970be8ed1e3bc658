"""Executing a plan: wave after wave, through an executor.

A run keeps no state but what it builds: one that was killed is run again, and finds in the output directory
what the first one finished.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from wheelhouse_resolver.builder.config import SlurmSettings, resources_for
from wheelhouse_resolver.builder.executors.base import Executor, Result, Task
from wheelhouse_resolver.builder.planning.model import Entry, Key, Plan
from wheelhouse_resolver.builder.process.commands import tail_of
from wheelhouse_resolver.builder.process.virtualenvs import make_environment
from wheelhouse_resolver.builder.records.job import BuildOptions, new_log
from wheelhouse_resolver.builder.records.output import place_wheel, same_wheel
from wheelhouse_resolver.builder.records.record import BUILT, FAILED, FETCHED, PRESENT, BuildRecord, describe
from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.builder.toolchain.build_python import is_pip_able
from wheelhouse_resolver.builder.toolchain.variables import base_environ
from wheelhouse_resolver.builder.worker import BuildTask, task_text
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.publishing.report import FileChange
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.wheelfile.validate import check_wheel


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildOutcome:
    """The outcome of an entry of the plan.

    result:  `built`; `fetched`; `present`: there is a suitable wheel of a previous run, of another build or
             in the wheelhouse; `failed`; or `skipped`, because something that it needs failed.
    record:  of the build; None if there was none.
    wheel:   the path of the wheel; empty without one.
    problem: what went wrong, the phase first. *log*: with the details.
    places:  where in the wheelhouse it is published. *placed*: those that are new.
    attempts: how often it was started: again after it was preempted, requeued or lost; 0: nothing was run.
    """

    entry: Entry
    result: str
    record: BuildRecord | None = None
    wheel: str = ""
    problem: str = ""
    log: str = ""
    places: tuple[str, ...] = ()
    placed: tuple[str, ...] = ()
    attempts: int = 0

    @property
    def ok(self) -> bool:
        """Whether there is a wheel, published if that was asked for."""
        return self.result in (BUILT, FETCHED, PRESENT)

    @property
    def seconds(self) -> float:
        """How long the build took (s)."""
        phases = self.record.phases if self.record is not None and self.result != PRESENT else ()
        return sum(phase.seconds for phase in phases)

    @property
    def tail(self) -> list[str]:
        """Of a failed build: the last lines of its log."""
        if self.record is not None:
            return self.record.tail.splitlines()
        with suppress(OSError):
            return tail_of(self.log).splitlines() if self.result == FAILED else []
        return []

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        job = self.entry.job
        return {
            "project": job.project,
            "version": self.entry.version,
            "python": job.python_version,
            **to_plain(job, "arch", "layer"),
            **to_plain(self, "result", "problem", "log", "wheel", "places", "attempts", "record"),
        }


class BuildReporter(Protocol):
    """Is called while a plan is executed."""

    def began(self, entries: Sequence[Entry]) -> None:
        """A wave begins; these are given to the executor."""

    def started(self, entry: Entry, log: str) -> None:
        """A build has started, perhaps not for the first time; it writes its output into the file *log*."""

    def held(self, entries: Sequence[Entry], why: str) -> None:
        """These wait until somebody releases them, as *why* says."""

    def ended(self, outcome: BuildOutcome) -> None:
        """An outcome is final but for its publication. Called once for each entry of the plan."""

    def published(self, outcome: BuildOutcome) -> None:
        """It was published, or that failed."""

    def waiting(self) -> None:
        """Called every second or so while a wave runs."""


#: Publishes the wheel at a path, built as the record says, into a site's wheelhouse; returns what changed.
Publish = Callable[[str, Site, BuildRecord], Sequence[FileChange]]


def execute(
    plan: Plan,
    executor: Executor,
    options: BuildOptions,
    reporter: BuildReporter,
    *,
    slurm: SlurmSettings | None = None,
    publish: Publish | None = None,
) -> list[BuildOutcome]:
    """Build all of *plan*; returns the outcome of each entry, in the plan's order.

    options: of all builds. *slurm*: what each arch needs of a node. *publish*: called after each wave for
    each of its wheels, so that what later waves need is in the wheelhouse.

    Raises what the executor raises, `KeyboardInterrupt` included, and `OutputError`.
    """
    run = _Run(plan, executor, options, reporter, slurm or SlurmSettings(), publish)
    for wave in plan.waves:
        run.build_wave(wave)
    return [run.outcomes[entry.key] for entry in plan.entries]


@dataclass(slots=True)
class _Run:
    """The execution of a plan; also the `TaskObserver` of each wave."""

    plan: Plan
    executor: Executor
    options: BuildOptions
    reporter: BuildReporter
    slurm: SlurmSettings
    publish: Publish | None
    running: dict[str, Entry] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    environments: dict[str, str] = field(default_factory=dict)
    published: dict[tuple[str, str | None], tuple[str, ...]] = field(default_factory=dict)
    outcomes: dict[Key, BuildOutcome] = field(default_factory=dict)

    def build_wave(self, wave: Sequence[Entry]) -> None:
        """Build *wave*; everything that it needs has an outcome."""
        tasks: list[Task] = []
        self.running = {}
        for entry in wave:
            outcome = self._without_building(entry)
            if outcome is not None:
                self._end(outcome)
            else:
                tasks.append(self._make_task(entry))
                self.running[tasks[-1].result] = entry
        self.reporter.began(list(self.running.values()))
        if tasks:
            self.executor.run(tasks, self)
        if self.publish is not None:
            for entry in wave:
                self._publish_one(self.outcomes[entry.key], self.publish)

    def started(self, task: Task) -> None:
        """See `TaskObserver.started`."""
        self.attempts[task.result] = self.attempts.get(task.result, 0) + 1
        self.reporter.started(self.running[task.result], self.logs[task.result])

    def held(self, tasks: Sequence[Task], why: str) -> None:
        """See `TaskObserver.held`."""
        self.reporter.held([self.running[task.result] for task in tasks], why)

    def finished(self, result: Result) -> None:
        """See `TaskObserver.finished`."""
        outcome = _read_outcome(self.running[result.task.result], result)
        self._end(replace(outcome, attempts=self.attempts.get(result.task.result, 1)))

    def waiting(self) -> None:
        """See `TaskObserver.waiting`."""
        self.reporter.waiting()

    def _end(self, outcome: BuildOutcome) -> None:
        self.outcomes[outcome.entry.key] = outcome
        self.reporter.ended(outcome)

    def _without_building(self, entry: Entry) -> BuildOutcome | None:
        """The outcome of *entry* if nothing has to be run for it."""
        if entry.exists:
            return BuildOutcome(entry=entry, result=PRESENT, wheel=entry.exists, places=(entry.exists,))
        if entry.problem:
            return BuildOutcome(entry=entry, result=FAILED, problem=entry.problem, log=entry.log)
        for need in sorted(entry.needs):
            other = self.outcomes[need[0], need[1], entry.target, entry.arch]
            if not other.ok:
                why = f"{need[0]} {other.result}"
                return BuildOutcome(entry=entry, result="skipped", problem=why, log=other.log)
        found = same_wheel(
            entry.output,
            entry.job.project,
            (entry.version, _source_id(entry), entry.recipe.digest, self.options.upstream),
            self.plan.settings.targets[entry.target].python,
            verified=self.options.verify,
        )
        if found is not None:
            return BuildOutcome(entry=entry, result=PRESENT, wheel=found[0], record=found[1])
        for target, arch in ((entry.target, 0), (0, entry.arch), (0, 0)):
            shared = self.outcomes.get((*entry.key[:2], target, arch))
            if shared is not None and self._fits(shared, entry):
                return self._share(shared, entry)
        return None

    def _fits(self, other: BuildOutcome, entry: Entry) -> bool:
        """Whether the wheel of another build of the package is good for *entry* as well."""
        same = (other.entry.version, _source_id(other.entry)) == (entry.version, _source_id(entry))
        if not (other.ok and same and other.wheel):
            return False
        return (
            other.entry.arch == entry.arch
            or all(tag.platform == "any" for tag in check_wheel(other.wheel).tags)
        ) and fits(other.wheel, self.plan.settings.targets[entry.target].python)

    def _share(self, other: BuildOutcome, entry: Entry) -> BuildOutcome:
        """The outcome of *entry* with the wheel of *other*, placed with those of its own arch too."""
        wheel, record = other.wheel, other.record
        if other.entry.output != entry.output and record is not None:
            make_directory(entry.output)
            placed = place_wheel(wheel, entry.output, record)
            wheel = os.path.join(entry.output, placed.wheel)
        return BuildOutcome(entry=entry, result=PRESENT, wheel=wheel, record=record)

    def _make_task(self, entry: Entry) -> Task:
        options = replace(self.options, output=os.path.abspath(entry.output))
        stated = Resources(cores=options.cores, memory=options.memory, time=options.time)
        resources = resources_for(entry.recipe.resources, entry.job.arch, self.slurm).beaten_by(stated)
        if not self.plan.settings.here:  # the scheduler limits it
            options = replace(options, cores=resources.cores, memory="", time="")
        if self.plan.settings.build_requires or not options.network:
            options = replace(options, offline=True)
        scratch, label = self.plan.settings.scratch, entry.job.label
        file, result = (os.path.join(scratch, name, f"{label}.json") for name in ("tasks", "results"))
        for directory in (options.logs, os.path.dirname(file), os.path.dirname(result)):
            make_directory(directory)
        log = self.logs[result] = new_log(entry.job, options.logs)
        job = replace(entry.job, environment=self._environment(entry))
        write_text(file, task_text(BuildTask(job, options, result, log)))
        return Task(
            name=entry.label,
            argv=(os.path.abspath(sys.executable), "-m", "wheelhouse_resolver.builder.worker", file),
            cwd=scratch,
            result=result,
            log=os.path.join(options.logs, f"{label}.task.log"),
            resources=resources,
        )

    def _environment(self, entry: Entry) -> str:
        """The Python of the environment that builds for that Python share; empty: each makes its own.

        To make one, and to compile its pip, takes longer than most builds of pure Python.
        """
        python = entry.job.python
        if not entry.recipe.leaves_environment or entry.job.source is None:
            return ""
        if python not in self.environments:
            scratch = os.path.join(self.plan.settings.scratch, f"shared-{len(self.environments)}")
            log = os.path.join(self.options.logs, "environment.log")
            self.environments[python] = ""
            with suppress(WheelhouseError, OSError):  # each build then says what is wrong
                make_directory(os.path.join(scratch, "tmp"))
                environ = base_environ(os.environ, scratch)
                place = os.path.join(scratch, "environment")
                made = make_environment(python, place, log=log, environ=environ)
                if is_pip_able(made, environ):
                    self.environments[python] = made
        return self.environments[python]

    def _publish_one(self, outcome: BuildOutcome, publish: Publish) -> None:
        """Publish the wheel of *outcome*, once if several outcomes share it."""
        record = outcome.record
        if not outcome.ok or record is None:
            return
        try:
            key = (record.wheel_sha256, record.directory)
            placed: tuple[str, ...] = ()
            if key not in self.published:
                changes = publish(outcome.wheel, self.options.site, record)
                self.published[key] = tuple(each.path for each in changes)
                placed = tuple(each.path for each in changes if each.result != "present")
            outcome = replace(outcome, places=self.published[key], placed=placed)
        except WheelhouseError as error:
            outcome = replace(outcome, result=FAILED, problem=f"publish: {describe(error)}", log=record.log)
        self.outcomes[outcome.entry.key] = outcome
        self.reporter.published(outcome)


def _source_id(entry: Entry) -> str:
    """What `BuildRecord.source_id` will be."""
    source = entry.job.source
    return source.content_sha256 or source.origin if source is not None else ""


def _read_outcome(entry: Entry, result: Result) -> BuildOutcome:
    """The outcome in the result file, if there is one and it is valid."""
    log = result.task.log
    failed = BuildOutcome(entry=entry, result=FAILED, problem=result.vanished, log=log)
    if result.vanished:
        return failed
    try:
        with open(result.task.result, "rb") as file:
            record = BuildRecord.from_dict(json.load(file))
    except (OSError, ValueError) as error:
        return replace(failed, problem=f"cannot read its result: {error}")
    with suppress(OSError):
        if os.path.getsize(log) == 0:  # the build has a log of its own
            os.unlink(log)
    return BuildOutcome(
        entry=entry,
        result=record.result,
        record=record,
        wheel=os.path.join(entry.output, record.wheel) if record.wheel else "",
        problem=record.problem,
        log=record.log,
    )
