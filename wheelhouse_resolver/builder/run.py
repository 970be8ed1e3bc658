"""Carrying a plan out: wave after wave through an executor, each build's outcome told when it is known.

Nothing of a run is kept but what it builds: a run that was killed is simply run again, and finds in the
output directory what the first one finished.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

from wheelhouse_resolver.builder.config import SlurmSettings, resources_for
from wheelhouse_resolver.builder.executors.base import Executor, Result, Task
from wheelhouse_resolver.builder.planning.planner import Entry, Plan
from wheelhouse_resolver.builder.process.commands import tail_of
from wheelhouse_resolver.builder.records.job import BuildOptions
from wheelhouse_resolver.builder.records.output import place_wheel
from wheelhouse_resolver.builder.records.previous import same_wheel
from wheelhouse_resolver.builder.records.record import BUILT, FAILED, PRESENT, BuildRecord
from wheelhouse_resolver.builder.worker import task_text
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.wheelfile.validate import check_wheel

#: The result of a build that was not tried, because something that it needs failed.
SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of an entry of the plan.

    result:  `built`; `present`: a wheel that an earlier run or another build has made serves it; `failed`;
             or `skipped`, since something that it needs failed.
    record:  of the build; None if there was none.
    wheel:   the path of the wheel; empty without one.
    problem: what went wrong, the phase first. *log*: where to read on.
    places:  where in the wheelhouse it was published. *placed*: those that were not there before.
    """

    entry: Entry
    result: str
    record: BuildRecord | None = None
    wheel: str = ""
    problem: str = ""
    log: str = ""
    places: tuple[str, ...] = ()
    placed: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a wheel, and it is where it should be."""
        return self.result in (BUILT, PRESENT)

    @property
    def seconds(self) -> float:
        """How long it was being built (s)."""
        if self.record is None or self.result == PRESENT:
            return 0.0
        return sum(phase.seconds for phase in self.record.phases)

    @property
    def tail(self) -> list[str]:
        """Of a failed build: the last lines of its log."""
        if self.record is not None:
            return self.record.tail.splitlines()
        with suppress(OSError):
            return tail_of(self.log).splitlines() if self.result == FAILED else []
        return []

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what was asked for, what became of it, and the build's record."""
        job = self.entry.job
        return {
            "project": job.project,
            "version": self.entry.version,
            "python": job.python_version,
            "arch": job.arch,
            "layer": job.layer,
            "result": self.result,
            "problem": self.problem,
            "log": self.log,
            "wheel": self.wheel,
            "places": list(self.places),
            "record": self.record.to_dict() if self.record is not None else None,
        }


class Report(Protocol):
    """What is told of a run while it lasts."""

    def began(self, entries: Sequence[Entry]) -> None:
        """A wave begins, and these are given to the executor."""

    def ended(self, outcome: Outcome) -> None:
        """An outcome is final but for its publication. Called once for each entry of the plan."""

    def published(self, outcome: Outcome) -> None:
        """It was published, or that failed."""

    def waiting(self) -> None:
        """Called every second or so while a wave runs."""


class Publish(Protocol):
    """Publishes a wheel."""

    def __call__(self, wheel: str, record: BuildRecord, /) -> Mapping[str, bool]:
        """Publish the *wheel* (a path) with that *record*.

        Returns where it then is, and for each of these paths whether it was placed there only now.
        """


def carry_out(
    plan: Plan,
    executor: Executor,
    options: BuildOptions,
    report: Report,
    *,
    scratch: str,
    slurm: SlurmSettings | None = None,
    publish: Publish | None = None,
) -> list[Outcome]:
    """Build all of *plan*; returns what became of each entry, in the plan's order.

    options: of all builds. *scratch*: a directory for what is handed to the tasks, on a file system that the
    executor's nodes share. *slurm*: says what each arch needs of a node. *publish*: called after each wave
    for each of its wheels, so that what later waves need is in the wheelhouse.

    Raises what the executor raises, `KeyboardInterrupt` included, and `OutputError`.
    """
    run = _Run(plan, executor, options, report, scratch, slurm or SlurmSettings(), publish)
    for wave in plan.waves:
        run.wave(wave)
    return [run.outcomes[entry.key] for entry in plan.entries]


class _Run:
    def __init__(
        self,
        plan: Plan,
        executor: Executor,
        options: BuildOptions,
        report: Report,
        scratch: str,
        slurm: SlurmSettings,
        publish: Publish | None,
    ) -> None:
        self._plan = plan
        self._executor = executor
        self._options = options
        self._report = report
        self._scratch = scratch
        self._slurm = slurm
        self._publish = publish
        self._published: dict[tuple[str, str | None], tuple[str, ...]] = {}
        self.outcomes: dict[tuple[str, int, int], Outcome] = {}

    def wave(self, wave: Sequence[Entry]) -> None:
        """Build a wave, all of whose needs were dealt with."""
        tasks: dict[str, Entry] = {}
        given: list[Task] = []
        for entry in wave:
            outcome = self._without_building(entry)
            if outcome is not None:
                self._ended(outcome)
            else:
                task = self._task(entry)
                tasks[task.result] = entry
                given.append(task)
        self._report.began(list(tasks.values()))
        if given:
            self._executor.run(given, _Watching(self, tasks))
        if self._publish is not None:
            for entry in wave:
                self._publish_one(self.outcomes[entry.key], self._publish)

    def finished(self, entry: Entry, result: Result) -> None:
        """Take note of what a task left."""
        self._ended(_outcome(entry, result))

    def waiting(self) -> None:
        """Tell so."""
        self._report.waiting()

    def _ended(self, outcome: Outcome) -> None:
        self.outcomes[outcome.entry.key] = outcome
        self._report.ended(outcome)

    def _without_building(self, entry: Entry) -> Outcome | None:
        """The outcome of *entry* if nothing has to be run for it."""
        if entry.problem:
            return Outcome(entry=entry, result=FAILED, problem=entry.problem, log=entry.log)
        for need in sorted(entry.needs):
            other = self.outcomes[need, entry.target, entry.arch]
            if not other.ok:
                return Outcome(entry=entry, result=SKIPPED, problem=f"{need} {other.result}", log=other.log)
        python = self._plan.targets[entry.target].python
        found = same_wheel(
            entry.output,
            entry.job.project,
            (entry.version, entry.source_sha256, entry.recipe.digest),
            python,
            verified=self._options.verify,
        )
        if found is not None:
            return Outcome(entry=entry, result=PRESENT, wheel=found[0], record=found[1])
        for target, arch in ((entry.target, 0), (0, entry.arch), (0, 0)):
            other_outcome = self.outcomes.get((entry.job.project, target, arch))
            if other_outcome is not None and self._serves(other_outcome, entry):
                return self._shared(other_outcome, entry)
        return None

    def _serves(self, other: Outcome, entry: Entry) -> bool:
        """Whether the wheel that another build of the package made serves *entry* as well."""
        same = (other.entry.version, other.entry.source_sha256) == (entry.version, entry.source_sha256)
        if not (other.ok and same and other.wheel):
            return False
        if other.entry.arch != entry.arch and any(
            tag.platform != "any" for tag in check_wheel(other.wheel).tags
        ):
            return False
        return fits(other.wheel, self._plan.targets[entry.target].python)

    def _shared(self, other: Outcome, entry: Entry) -> Outcome:
        """The outcome of *entry*, served by the wheel of *other*, which then stands with its arch's too."""
        wheel, record = other.wheel, other.record
        if other.entry.output != entry.output and record is not None:
            make_directory(entry.output)
            placed = place_wheel(wheel, entry.output, record)
            wheel = os.path.join(entry.output, placed.wheel)
        return Outcome(entry=entry, result=PRESENT, wheel=wheel, record=record)

    def _task(self, entry: Entry) -> Task:
        options = replace(self._options, output=os.path.abspath(entry.output))
        below = {}
        for name in ("tasks", "results"):
            below[name] = os.path.join(self._scratch, name)
            make_directory(below[name])
        logs = options.logs or os.path.join(options.work, "logs")
        make_directory(logs)
        label = entry.job.label
        file = os.path.join(below["tasks"], f"{label}.json")
        result = os.path.join(below["results"], f"{label}.json")
        write_text(file, task_text(entry.job, options, result))
        return Task(
            name=entry.label,
            argv=(sys.executable, "-m", "wheelhouse_resolver.builder.worker", file),
            cwd=self._scratch,
            result=result,
            log=os.path.join(logs, f"{label}.task.log"),
            resources=resources_for(entry.recipe.resources, entry.job.arch, self._slurm),
        )

    def _publish_one(self, outcome: Outcome, publish: Publish) -> None:
        """Publish the wheel of *outcome*, once if several share it."""
        record = outcome.record
        if not outcome.ok or record is None:
            return
        try:
            key = (record.wheel_sha256, record.directory)
            placed: tuple[str, ...] = ()
            if key not in self._published:
                found = publish(outcome.wheel, record)
                self._published[key] = tuple(found)
                placed = tuple(path for path, new in found.items() if new)
            outcome = replace(outcome, places=self._published[key], placed=placed)
        except WheelhouseError as error:
            problem = f"publish: {error}" + (f"; {error.hint}" if error.hint else "")
            outcome = replace(outcome, result=FAILED, problem=problem, log=record.log)
        self.outcomes[outcome.entry.key] = outcome
        self._report.published(outcome)


class _Watching:
    """A `TaskObserver` that passes on what an executor tells."""

    def __init__(self, run: _Run, tasks: dict[str, Entry]) -> None:
        self._run = run
        self._tasks = tasks

    def finished(self, result: Result) -> None:
        self._run.finished(self._tasks[result.task.result], result)

    def waiting(self) -> None:
        self._run.waiting()


def _outcome(entry: Entry, result: Result) -> Outcome:
    """What the result file says; a file that says nothing is as good as none."""
    problem = result.vanished
    if not problem:
        try:
            with open(result.task.result, "rb") as file:
                record = BuildRecord.from_dict(json.load(file))
        except (OSError, ValueError) as error:
            problem = f"its result cannot be read: {error}"
        else:
            _discard_empty(result.task.log)
            return Outcome(
                entry=entry,
                result=record.result,
                record=record,
                wheel=os.path.join(entry.output, record.wheel) if record.wheel else "",
                problem=record.problem,
                log=record.log,
            )
    return Outcome(entry=entry, result=FAILED, problem=problem, log=result.task.log)


def _discard_empty(log: str) -> None:
    """Remove the log of a task that printed nothing: what the build printed is in the build's own."""
    with suppress(OSError):
        if os.path.getsize(log) == 0:
            os.unlink(log)
