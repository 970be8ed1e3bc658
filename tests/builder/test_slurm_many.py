"""Many builds through a real Slurm that fails meanwhile."""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.quick import taken
from tests.builder.test_run import Heard, Workplace
from tests.factories import make_wheel
from tests.slurm import ARRAY, Cluster
from wheelhouse_resolver.builder.executors.slurm import SlurmExecutor
from wheelhouse_resolver.builder.records.job import Job, SourceArchive
from wheelhouse_resolver.builder.run import BuildOutcome, execute
from wheelhouse_resolver.builder.sources.fetch import unpack_source
from wheelhouse_resolver.builder.sources.fetched import FetchContext, Fetched

pytestmark = pytest.mark.slow

#: How many: fewer (`MANY_BUILDS=50`) while one works at this.
BUILDS = int(os.environ.get("MANY_BUILDS", "500"))

#: How many of them pip builds, which takes 1.4 s of a processor: three times what a wheel takes that the same
#: program places as it is.
COMPLETE = BUILDS // 50


class Interferes(Heard):
    """A reporter that ends a daemon of *cluster* when so many builds have ended, and starts it again."""

    def __init__(self, cluster: Cluster, when: dict[int, str]) -> None:
        super().__init__()
        self._cluster, self._when = cluster, when
        self._down: tuple[str, float] | None = None
        self.killed: list[str] = []

    def waiting(self) -> None:
        """Called every second or so."""
        if self._down is not None and time.monotonic() - self._down[1] > 3:
            self._cluster.start(self._down[0])
            self._down = None
        for number, name in list(self._when.items()):
            if self._down is None and len(self.outcomes) >= number:
                del self._when[number]
                self._cluster.end(name)
                self.killed.append(name)
                self._down = (name, time.monotonic())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slurm: Cluster) -> Workplace:
    """Sources of packages and of pure wheels, which are taken from their directory without pip."""

    def fetch(_: object, job: Job, context: FetchContext) -> Fetched:
        directory = Path(context.directory)
        wheel = tmp_path / f"sources/{job.project}-1.0-py3-none-any.whl"
        if not wheel.exists():
            return taken(tmp_path / "sources", job.requirement, directory)
        archive = SourceArchive(
            kind="wheel", path=str(wheel), sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
            origin=wheel.name, version="1.0",
        )  # fmt: skip
        return unpack_source(archive, str(directory / "source"))

    monkeypatch.setattr("wheelhouse_resolver.builder.planning.sources.fetch", fetch)
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    # Else each task compiles all of the program anew, which takes longer than its build.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    executor = SlurmExecutor(jobs=16, directory=str(tmp_path / "slurm"), grace=3.0, poll=0.5)
    return Workplace(tmp_path, executor)  # type: ignore[arg-type]


def test_none_is_lost_when_the_scheduler_is_restarted_and_the_node_fails(
    place: Workplace, slurm: Cluster, tmp_path: Path
) -> None:
    for number in range(BUILDS):
        if number < COMPLETE:
            make_package(tmp_path / "sources", f"p{number}")
        else:
            make_wheel(tmp_path / "sources", f"p{number}-1.0-py3-none-any.whl")
    plan = place.plan(*(f"p{number}" for number in range(BUILDS)))
    told = Interferes(slurm, {BUILDS // 10: "slurmctld", BUILDS // 2: "slurmd"})
    options = replace(place.options, verify=False, offline=True)
    outcomes = execute(plan, place.executor, options, told)
    assert told.killed == ["slurmctld", "slurmd"]
    assert Counter(each.result for each in outcomes) == {"built": BUILDS}, problems(outcomes)
    assert len(told.outcomes) == BUILDS
    wheels = {path.name.partition("-")[0] for path in (tmp_path / "out").rglob("*.whl")}
    assert wheels == {f"p{number}" for number in range(BUILDS)}
    arrays = [len(list(wave.glob("[0-9]*.out"))) for wave in sorted((tmp_path / "slurm").glob("wave-*"))]
    assert max(arrays) <= ARRAY
    assert sum(arrays) >= BUILDS


def problems(outcomes: list[BuildOutcome]) -> list[str]:
    """Of those that failed."""
    return [f"{each.entry.label}: {each.problem}" for each in outcomes if not each.ok]
