"""Tasks that a real Slurm requeues, preempts, holds and gives up."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builder.tasks import Told, make_task
from tests.slurm import BROKEN, CPUS, Cluster, wait_until
from wheelhouse_resolver.builder.executors.slurm import SlurmExecutor
from wheelhouse_resolver.builder.resources import Resources

pytestmark = pytest.mark.slow

#: Says in which job it runs, and ends well the second time.
CODE = """
runs = here / f"{result.stem}.runs"
with runs.open("a") as file:
    file.write(os.environ["SLURM_JOB_ID"] + "\\n")
count = len(runs.read_text().split())
if count == 1:
    time.sleep(600)
write(str(count))
"""


def command(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True).stdout


class Does(Told):
    """Does one thing after the other, each when it can: a step returns whether it was done."""

    def __init__(self, *steps: Callable[[Told], object]) -> None:
        super().__init__()
        self.steps = list(steps)
        self.requeued: dict[str, float] = {}

    def waiting(self) -> None:
        if self.steps and self.steps[0](self):
            del self.steps[0]
        # What it has requeued Slurm starts after two minutes; within a second or two the node takes it for
        # the run that was ended ("Job credential revoked").
        now = time.monotonic()
        for line in command("squeue", "--noheader", "--array", "--format=%i|%r").splitlines():
            name, _, reason = line.strip().partition("|")
            if reason == "BeginTime" and now - self.requeued.setdefault(name, now) > 3:
                command("scontrol", "update", f"jobid={name}", "starttime=now")


def executor(directory: Path, slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> SlurmExecutor:
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    return SlurmExecutor(
        jobs=CPUS, directory=str(directory / "slurm"), options=("--requeue",), grace=1.0, poll=0.2, look=1.0
    )


def test_what_is_requeued_preempted_or_held_counts_once_and_its_last_run_counts(
    slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions = {"requeued": "debug", "held": "debug", "preempted": "debug", "cancelled": "cancel"}
    tasks = [make_task(tmp_path, name, CODE, Resources(partition=each)) for name, each in partitions.items()]

    def job(name: str) -> str:
        return (tmp_path / f"{name}.runs").read_text().split()[0]

    def all_run(_: Told) -> bool:
        return all((tmp_path / f"{name}.runs").exists() for name in partitions)

    def requeue(_: Told) -> str:
        command("scontrol", "requeue", job("requeued"))
        return command("scontrol", "requeuehold", job("held")) or "done"

    def release(told: Told) -> bool:
        if told.holds:
            subprocess.run(["sh", "-c", told.holds[0][1].partition("release with: ")[2]], check=True)
        return bool(told.holds)

    def preempt(told: Told) -> str:
        """When the others are over: what is urgent takes the whole node."""
        if len(told.results) < 2:
            return ""
        return command("sbatch", "--partition=urgent", f"--cpus-per-task={CPUS}", "-o/dev/null", "--wrap=:")

    told = Does(all_run, requeue, release, preempt)
    results = executor(tmp_path, slurm, monkeypatch).run(tasks, told)
    assert told.steps == []
    assert {result.task.name: result.vanished for result in results} == dict.fromkeys(partitions, "")
    assert {task.name: Path(task.result).read_text() for task in tasks} == dict.fromkeys(partitions, "2")
    assert Counter(told.starts) == dict.fromkeys(partitions, 2)
    assert Counter(result.task.name for result in told.results) == dict.fromkeys(partitions, 1)
    ((names, why),) = told.holds
    assert names == ["held"]
    assert why.startswith("Slurm says job requeued in held state; release with: scontrol release ")
    jobs = {name: (tmp_path / f"{name}.runs").read_text().split() for name in partitions}
    # Slurm does not requeue that one: it is another job of ours.
    assert {name for name, (first, last) in jobs.items() if first != last} == {"cancelled"}


def test_what_slurm_gives_up_and_holds_is_run_once_more_and_then_has_failed(
    slurm: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = slurm.state / BROKEN
    broken.touch()

    class Resumes(Told):
        def waiting(self) -> None:
            """Slurm takes no more jobs for a node that cannot start one."""
            command("scontrol", "update", "nodename=ALL", "state=resume")

    told = Resumes()
    try:
        (result,) = executor(tmp_path, slurm, monkeypatch).run([make_task(tmp_path, "never")], told)
        assert "its job ended twice without a result (launch failed requeued held)" in result.vanished
        assert (told.starts, told.holds, told.results) == ([], [], [result])
        wait_until(lambda: command("squeue", "--noheader") == "", "empty queue")
    finally:
        broken.unlink()
        told.waiting()
