from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.builder.tasks import Told, is_alive, make_task
from tests.builder.test_commands import escaping
from wheelhouse_resolver.builder.executors.array_job import ArrayJob, Held, most_tasks
from wheelhouse_resolver.builder.executors.base import Executor, ExecutorError, Task
from wheelhouse_resolver.builder.executors.local import LocalExecutor
from wheelhouse_resolver.builder.executors.slurm import SlurmExecutor
from wheelhouse_resolver.builder.process.commands import subreaper
from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.errors import OutputError


class FakeJob(ArrayJob):
    """A job of `FakeSlurm`. *left*: how often it is asked before it is over."""

    def __init__(self, left: int, after: Callable[[], None]) -> None:
        self.left = left
        self.after = after
        self.cancelled = False
        self.released = False
        self.told: dict[int, str] = {}
        self.holds: list[Held] = []

    def held(self) -> list[Held]:
        return self.holds

    def cancel_tasks(self, tasks: Sequence[Held]) -> None:
        self.holds = [each for each in self.holds if each not in tasks]

    def is_over(self) -> bool:
        self.left -= 1
        if self.left == 0:
            self.after()
        return self.left <= 0

    def states(self) -> dict[int, str]:
        return self.told

    def cancel(self) -> None:
        self.cancelled = True

    def release(self) -> None:
        self.released = True


class FakeSlurm:
    """A scheduler that runs a job's script at once, for the tasks whose number *runs* says yes to.

    It notes what it was given. *late*: what is done when the job's end is told, `lasts` questions later.
    """

    def __init__(self, lasts: int = 1) -> None:
        self.given: list[list[str]] = []
        self.jobs: list[FakeJob] = []
        self.lasts = lasts
        self.runs: Callable[[int, int], bool] = lambda _job, _number: True
        self.refuses = False
        self.late: Callable[[], None] = lambda: None

    def submit(self, options: Sequence[str], directory: str, script: str) -> FakeJob:
        if self.refuses and self.jobs:
            raise ExecutorError("sbatch", "Invalid feature specification")
        self.given.append(list(options))
        numbers = range(int(self.option("--array").partition("%")[0].partition("-")[2]) + 1)
        for number in numbers:
            if self.runs(len(self.jobs), number):
                with open(os.path.join(directory, f"{number}.out"), "ab") as out:
                    subprocess.run(
                        ["sh", script],
                        cwd=directory,
                        env={**os.environ, "SLURM_ARRAY_TASK_ID": str(number)},
                        stdout=out,
                        stderr=out,
                    )
        self.jobs.append(FakeJob(self.lasts, self.late))
        return self.jobs[-1]

    def option(self, name: str, job: int = -1) -> str:
        (value,) = [each.partition("=")[2] for each in self.given[job] if each.startswith(f"{name}=")]
        return value


def slurm_executor(directory: Path, slurm: FakeSlurm, grace: float = 0.0, jobs: int = 2) -> SlurmExecutor:
    return SlurmExecutor(
        jobs=jobs, directory=str(directory / "slurm"), grace=grace, poll=0.01, submit=slurm.submit
    )


@pytest.fixture(params=["local", "slurm"])
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> Executor:
    return LocalExecutor(2) if request.param == "local" else slurm_executor(tmp_path, FakeSlurm())


class TestEvery:
    """What holds of every executor."""

    def test_each_task_runs_once_and_results_are_in_the_order_of_the_tasks(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        code = "(here / f'{result.stem}.ran').open('a').write('x'); write(result.stem)"
        slow = f"time.sleep(0.4); {code}"
        tasks = [make_task(tmp_path, n, slow if n == "a" else code) for n in ("a", "b", "c", "d")]
        told = Told()
        results = executor.run(tasks, told)
        assert [result.task for result in results] == tasks
        assert [result.vanished for result in results] == ["", "", "", ""]
        assert [Path(task.result).read_text() for task in tasks] == ["a", "b", "c", "d"]
        assert [(tmp_path / f"{task.name}.ran").read_text() for task in tasks] == ["x"] * 4
        assert sorted(told.results, key=lambda result: result.task.name) == results

    def test_no_tasks(self, executor: Executor) -> None:
        assert executor.run([], Told()) == []

    def test_a_task_that_leaves_no_result_has_vanished_and_the_others_go_on(
        self, executor: Executor, tmp_path: Path
    ) -> None:
        tasks = [
            make_task(tmp_path, "killed", "print('at work', flush=True); os.kill(os.getpid(), 9)"),
            make_task(tmp_path, "good"),
        ]
        killed, good = executor.run(tasks, Told())
        assert good.vanished == ""
        assert "at work" in killed.vanished
        assert len(killed.vanished.splitlines()) == 1

    def test_an_exit_code_means_nothing_where_a_result_is(self, executor: Executor, tmp_path: Path) -> None:
        (result,) = executor.run([make_task(tmp_path, "a", "write('failed'); sys.exit(3)")], Told())
        assert result.vanished == ""

    def test_an_old_result_is_not_taken_for_a_new_one(self, executor: Executor, tmp_path: Path) -> None:
        task = make_task(tmp_path, "a", "pass")
        Path(task.result).write_text("old")
        (result,) = executor.run([task], Told())
        assert result.vanished
        assert not Path(task.result).exists()

    def test_an_old_result_that_cannot_be_removed(self, executor: Executor, tmp_path: Path) -> None:
        task = make_task(tmp_path, "a")
        Path(task.result).mkdir()
        with pytest.raises(OutputError, match=r"a\.json: Is a directory|Operation not permitted"):
            executor.run([task], Told())

    def test_nothing_in_a_command_is_read_by_a_shell(self, executor: Executor, tmp_path: Path) -> None:
        directory = tmp_path / 'it\'s; touch "$HOME" `x` %a \\ ü\n#'
        directory.mkdir()
        task = make_task(directory, "a", "write('\\n'.join(sys.argv[3:]) + os.getcwd())")
        words = ("$(touch evil)", "two\nlines", "'", "*", "", "%a")
        task = Task(name=task.name, argv=(*task.argv, *words), cwd=task.cwd, result=task.result, log=task.log)
        (result,) = executor.run([task], Told())
        assert result.vanished == ""
        assert Path(task.result).read_text() == "\n".join(words) + str(directory)

    def test_what_it_prints_goes_into_its_log(self, executor: Executor, tmp_path: Path) -> None:
        task = make_task(tmp_path, "a", "print('out'); print('err', file=sys.stderr); write('')")
        Path(task.log).write_text("before\n")
        executor.run([task], Told())
        assert sorted(Path(task.log).read_text().splitlines()) == ["before", "err", "out"]


class TestLocal:
    def test_as_many_at_once_as_were_allowed(self, tmp_path: Path) -> None:
        code = """
mine = here / f"running.{os.getpid()}"
mine.touch()
time.sleep(0.3)
count = len(list(here.glob("running.*")))
mine.unlink()
write(str(count))
"""
        tasks = [make_task(tmp_path, f"t{n}", code) for n in range(6)]
        LocalExecutor(2).run(tasks, Told())
        counts = [int(Path(task.result).read_text()) for task in tasks]
        assert max(counts) == 2

    def test_how_a_task_ended_that_left_no_result(self, tmp_path: Path) -> None:
        tasks = [
            make_task(tmp_path, "a", "os.kill(os.getpid(), 9)"),
            make_task(tmp_path, "b", "sys.exit(3)"),
            make_task(tmp_path, "c", "pass"),
            Task(
                name="d",
                argv=("/nowhere/python",),
                cwd=str(tmp_path),
                result=str(tmp_path / "d"),
                log=str(tmp_path / "d.log"),
            ),
        ]
        assert [result.vanished for result in LocalExecutor(1).run(tasks, Told())] == [
            "ended by SIGKILL",
            "exited with 3",
            "exited with 0, but left no result",
            "/nowhere/python: No such file or directory",
        ]

    def test_an_interrupt_stops_all_with_what_they_started(self, tmp_path: Path) -> None:
        code = (
            "import subprocess;"
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
            "(here / f'{result.stem}.pid~').write_text(f'{os.getpid()} {child.pid}');"
            "os.rename(here / f'{result.stem}.pid~', here / f'{result.stem}.pid'); time.sleep(600)"
        )
        tasks = [make_task(tmp_path, name, code) for name in ("b", "a", "never")]
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            LocalExecutor(2).run(tasks, Told(tmp_path / "a.pid"))
        assert time.monotonic() - start < 60
        pids = [int(pid) for file in tmp_path.glob("?.pid") for pid in file.read_text().split()]
        assert len(pids) >= 2
        deadline = time.monotonic() + 10
        while any(map(is_alive, pids)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not any(map(is_alive, pids))
        assert not (tmp_path / "never.pid").exists()

    @pytest.mark.slow
    def test_what_a_killed_task_leaves_is_killed_and_the_other_tasks_are_not(self, tmp_path: Path) -> None:
        escape = escaping(tmp_path / "pids", "os.kill(os.getpid(), 9)")
        tasks = [make_task(tmp_path, "a", escape), make_task(tmp_path, "b", "time.sleep(3); write('')")]
        with subreaper():
            results = LocalExecutor(2).run(tasks, Told())
        assert [result.vanished for result in results] == ["ended by SIGKILL", ""]
        assert not any(is_alive(int(pid)) for pid in (tmp_path / "pids").read_text().split())


class TestSlurm:
    def test_one_array_job_for_a_wave(self, tmp_path: Path) -> None:
        slurm = FakeSlurm()
        slurm_executor(tmp_path, slurm).run([make_task(tmp_path, f"t{n}") for n in range(3)], Told())
        assert len(slurm.given) == 1
        assert slurm.option("--array") == "0-2%2"
        assert slurm.option("--cpus-per-task") == "1"
        assert {"--no-requeue", "--export=ALL"} <= set(slurm.given[0])
        assert not [each for each in slurm.given[0] if each.startswith(("--mem", "--time", "--constraint"))]
        assert slurm.jobs[0].released

    def test_one_job_for_each_set_of_resources_all_submitted_at_once(self, tmp_path: Path) -> None:
        slurm = FakeSlurm(lasts=3)
        big = Resources(cores=8, memory="32G", time="2:00:00", constraint="skylake", partition="build")
        tasks = [
            make_task(tmp_path, "a"),
            make_task(tmp_path, "b", resources=big),
            make_task(tmp_path, "c"),
        ]
        results = slurm_executor(tmp_path, slurm).run(tasks, Told())
        assert [result.task.name for result in results] == ["a", "b", "c"]
        assert [slurm.option("--array", job) for job in (0, 1)] == ["0-1%2", "0-0%2"]
        assert {
            "--cpus-per-task=8", "--mem=32G", "--time=2:00:00", "--constraint=skylake", "--partition=build"
        } <= set(slurm.given[1])  # fmt: skip

    def test_a_task_that_was_preempted_is_run_again_as_often_as_it_takes(self, tmp_path: Path) -> None:
        """It has not failed by itself; one whose time is over would end so again."""
        slurm = FakeSlurm()
        slurm.runs = lambda job, number: job == 3 and number == 0
        ends = iter(
            [{0: "PREEMPTED", 1: "NODE_FAIL", 2: "TIMEOUT"}, *[{0: "PREEMPTED", 1: "OUT_OF_MEMORY"}] * 2]
        )
        slurm.late = lambda: slurm.jobs[-1].told.update(next(ends, {}))
        told = Told()
        tasks = [make_task(tmp_path, name) for name in ("preempted", "lost", "slow")]
        results = slurm_executor(tmp_path, slurm).run(tasks, told)
        assert [slurm.option("--array", job) for job in range(len(slurm.given))] == [
            "0-2%2", "0-1%2", "0-0%2", "0-0%2"
        ]  # fmt: skip
        assert [result.vanished for result in results] == [
            "",
            "its job ended twice without a result (OUT_OF_MEMORY)",
            "its time is over (TIMEOUT)",
        ]

    @pytest.mark.parametrize(
        ("count", "command"),
        [(2, "scontrol release 7_0 7_1"), (4, "scontrol release 7")],
        ids=["few", "many"],
    )
    def test_what_somebody_holds_is_told_once_and_waited_for(
        self, count: int, command: str, tmp_path: Path
    ) -> None:
        slurm = FakeSlurm(lasts=10**6)
        slurm.runs = lambda _job, _number: False
        tasks = [make_task(tmp_path, f"t{n}") for n in range(count)]
        ticks = iter(range(1000))

        def waiting() -> None:
            tick = next(ticks)
            held = [Held(n, f"7_{n}", "7", "JobHeldUser") for n in range(count)]
            slurm.jobs[0].holds = held if tick < 3 or tick == 5 else []
            if tick == 7:
                for task in tasks:
                    Path(task.result).write_text("released")

        told = Told()
        told.waiting = waiting  # type: ignore[method-assign]
        executor = SlurmExecutor(
            jobs=1, directory=str(tmp_path / "s"), poll=0.001, look=0.0, submit=slurm.submit
        )
        results = executor.run(tasks, told)
        assert [result.vanished for result in results] == [""] * count
        why = f"Slurm says JobHeldUser; release with: {command}"
        assert told.holds == [([task.name for task in tasks], why)] * 2  # and when it is held again

    def test_a_requeued_task_starts_again_and_one_that_slurm_gave_up_is_run_again(
        self, tmp_path: Path
    ) -> None:
        slurm = FakeSlurm(lasts=10**6)
        slurm.runs = lambda _job, _number: False
        tasks = [make_task(tmp_path, "requeued"), make_task(tmp_path, "given-up")]
        ticks = iter(range(1000))

        def waiting() -> None:
            tick = next(ticks)
            wave = Path(slurm.option("--output")).parent
            if tick in (0, 2):
                with (wave / "0.started").open("a") as file:
                    file.write("12\n")
            if tick == 3:
                slurm.jobs[0].holds = [Held(1, "7_1", "7", "JobHoldMaxRequeue")]
            if tick == 4:
                Path(tasks[0].result).write_text("last")
            if len(slurm.jobs) == 2:
                Path(tasks[1].result).write_text("once more")

        told = Told()
        told.waiting = waiting  # type: ignore[method-assign]
        executor = SlurmExecutor(
            jobs=1, directory=str(tmp_path / "s"), poll=0.001, look=0.0, submit=slurm.submit
        )
        assert [result.vanished for result in executor.run(tasks, told)] == ["", ""]
        assert told.starts == ["requeued", "requeued"]
        assert told.holds == []
        assert [slurm.option("--array", job) for job in range(2)] == ["0-1%1", "0-0%1"]

    def test_each_task_is_told_when_it_starts(self, tmp_path: Path) -> None:
        told = Told()
        slurm_executor(tmp_path, FakeSlurm()).run([make_task(tmp_path, f"t{n}") for n in range(12)], told)
        assert told.starts == [f"t{n}" for n in range(12)]

    def test_more_tasks_than_an_array_holds(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wheelhouse_resolver.builder.executors.array_job._MOST_TASKS", 2)
        slurm = FakeSlurm()
        tasks = [make_task(tmp_path, f"t{n}") for n in range(5)]
        slurm_executor(tmp_path, slurm).run(tasks, Told())
        assert [slurm.option("--array", job) for job in range(3)] == ["0-1%2", "0-1%2", "0-0%2"]

    def test_the_sites_options_come_last_so_that_they_count(self, tmp_path: Path) -> None:
        slurm = FakeSlurm()
        executor = SlurmExecutor(
            jobs=1, directory=str(tmp_path / "s"), options=("--qos=low",), poll=0.01, submit=slurm.submit
        )
        executor.run([make_task(tmp_path, "a")], Told())
        assert slurm.given[0][-1] == "--qos=low"

    def test_a_task_that_vanished_is_run_once_more_and_then_counts_as_failed(self, tmp_path: Path) -> None:
        slurm = FakeSlurm()
        slurm.runs = lambda job, number: number == 0 and job == 0
        told = Told()
        good, gone = slurm_executor(tmp_path, slurm).run(
            [make_task(tmp_path, "good"), make_task(tmp_path, "gone")], told
        )
        assert [slurm.option("--array", job) for job in range(len(slurm.given))] == ["0-1%2", "0-0%2"]
        assert good.vanished == ""
        assert "twice" in gone.vanished
        assert told.results == [good, gone]

    def test_the_second_time_can_be_good(self, tmp_path: Path) -> None:
        slurm = FakeSlurm()
        slurm.runs = lambda job, _: job == 1
        told = Told()
        (result,) = slurm_executor(tmp_path, slurm).run([make_task(tmp_path, "a")], told)
        assert result.vanished == ""
        assert told.results == [result]

    def test_a_result_may_become_visible_after_its_job_is_over(self, tmp_path: Path) -> None:
        slurm = FakeSlurm()
        slurm.runs = lambda _job, _number: False
        task = make_task(tmp_path, "a")
        told = Told()
        ticks = iter(range(1000))

        def waiting() -> None:
            if next(ticks) == 3:  # as a shared file system does that shows it late
                Path(task.result).write_text("late")

        told.waiting = waiting  # type: ignore[method-assign]
        (result,) = slurm_executor(tmp_path, slurm, grace=30.0).run([task], told)
        assert result.vanished == ""
        assert len(slurm.given) == 1

    def test_a_directory_in_whose_name_slurm_would_read_a_pattern(self, tmp_path: Path) -> None:
        slurm = FakeSlurm()
        slurm_executor(tmp_path / "100%", slurm).run([make_task(tmp_path, "a")], Told())
        assert f"{tmp_path}/100%%/slurm/wave-" in slurm.option("--output")
        with pytest.raises(OutputError, match="backslash"):
            slurm_executor(tmp_path / "a\\b", slurm).run([make_task(tmp_path, "a")], Told())

    def test_an_interrupt_cancels_every_job(self, tmp_path: Path) -> None:
        slurm = FakeSlurm(lasts=10**6)
        slurm.runs = lambda _job, _number: False
        (tmp_path / "now").touch()
        tasks = [make_task(tmp_path, "a"), make_task(tmp_path, "b", resources=Resources(cores=2))]
        with pytest.raises(KeyboardInterrupt):
            slurm_executor(tmp_path, slurm).run(tasks, Told(tmp_path / "now"))
        assert [job.cancelled for job in slurm.jobs] == [True, True]

    def test_a_job_that_is_refused_cancels_the_others(self, tmp_path: Path) -> None:
        slurm = FakeSlurm(lasts=10**6)
        slurm.refuses = True
        slurm.runs = lambda _job, _number: False
        tasks = [make_task(tmp_path, "a"), make_task(tmp_path, "b", resources=Resources(cores=2))]
        with pytest.raises(ExecutorError, match="sbatch: Invalid feature specification"):
            slurm_executor(tmp_path, slurm).run(tasks, Told())
        assert [job.cancelled for job in slurm.jobs] == [True]


class TestSlurmsCommands:
    """The edges of the real `submit` and its jobs, with programs of our own in place of Slurm's."""

    @pytest.fixture
    def commands(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SlurmExecutor]:
        directory = tmp_path / "bin"
        directory.mkdir()
        monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
        monkeypatch.setattr("wheelhouse_resolver.builder.executors.array_job._ASK_AGAIN", 0.05)

        def made(**scripts: str) -> SlurmExecutor:
            for name, script in scripts.items():
                path = directory / name
                path.write_text(f"#!/bin/sh\n{script}\n")
                path.chmod(0o755)
            return SlurmExecutor(jobs=1, directory=str(tmp_path / "s"), grace=0.0, poll=0.02)

        return made

    def test_sbatch_is_missing(
        self, commands: Callable[..., SlurmExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        executor = commands()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        with pytest.raises(ExecutorError, match=r"^sbatch: No such file or directory$") as caught:
            executor.run([make_task(tmp_path, "a")], Told())
        assert caught.value.hint == "--executor slurm needs Slurm's commands on PATH"

    def test_sbatch_refuses_in_its_own_words(
        self, commands: Callable[..., SlurmExecutor], tmp_path: Path
    ) -> None:
        executor = commands(
            sbatch="echo 'sbatch: error: Batch job submission failed: Invalid account' >&2; exit 1",
            scancel="",
            squeue="",
        )
        with pytest.raises(ExecutorError, match=r"^sbatch: Batch job submission failed: Invalid account$"):
            executor.run([make_task(tmp_path, "a")], Told())

    @pytest.mark.parametrize(
        ("says", "most"),
        [
            ("MaxArraySize            = 3", 3),
            ("MaxArraySize = 1001\nSchedulerParameters = bf_max=1,max_array_tasks=2", 2),
            ("MaxArraySize = 0", 1000),
        ],
    )
    def test_how_much_an_array_holds_is_what_slurm_says(
        self, says: str, most: int, commands: Callable[..., SlurmExecutor]
    ) -> None:
        commands(scontrol=f"echo '{says}'")
        assert most_tasks() == most
        commands(scontrol="exit 1")
        assert most_tasks() == 1000

    def test_a_scheduler_that_comes_back_is_waited_for(
        self, commands: Callable[..., SlurmExecutor], tmp_path: Path
    ) -> None:
        """It went before it took the job, which is submitted again, and goes once more while the job runs."""
        submitted, asked, task = tmp_path / "submitted", tmp_path / "asked", make_task(tmp_path, "a")
        away = (
            "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1"
        )
        executor = commands(
            sbatch=f"echo x >>{submitted}; [ $(wc -l <{submitted}) = 2 ] && echo 12 || {{ {away}; }}",
            squeue=f"""echo x >>{asked}
                case $(wc -l <{asked}) in 2) ;; 5) echo done >{task.result}; echo 12_0;; *) {away};; esac""",
        )
        told = Told()
        (result,) = executor.run([task], told)
        assert result.vanished == ""
        assert len(submitted.read_text().splitlines()) == 2
        assert len(asked.read_text().splitlines()) == 5

    def test_an_sbatch_that_stops_waiting_does_not_end_the_job(
        self, commands: Callable[..., SlurmExecutor], tmp_path: Path
    ) -> None:
        asked = tmp_path / "asked"
        task = make_task(tmp_path, "a")
        executor = commands(
            sbatch="echo 12; echo 'sbatch: error: lost the controller' >&2; exit 1",
            squeue=f"echo x >>{asked}; [ $(wc -l <{asked}) = 3 ] && echo done >{task.result}; echo 12_0",
        )
        (result,) = executor.run([task], Told())
        assert result.vanished == ""
        assert len(asked.read_text().splitlines()) >= 3

    def test_a_scheduler_that_no_longer_answers(
        self, commands: Callable[..., SlurmExecutor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wheelhouse_resolver.builder.executors.array_job._PATIENCE", 0.1)
        executor = commands(
            sbatch="echo 12", squeue="echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1", scancel=""
        )
        with pytest.raises(ExecutorError, match=r"squeue: .*Unable to contact"):
            executor.run([make_task(tmp_path, "a")], Told())

    def test_a_job_that_cannot_be_cancelled_is_told(
        self, commands: Callable[..., SlurmExecutor], tmp_path: Path
    ) -> None:
        executor = commands(
            sbatch="echo 12; exec sleep 600", scancel="echo 'scancel: error: no access' >&2; exit 1"
        )
        (tmp_path / "now").touch()
        with pytest.raises(ExecutorError, match="scancel: no access"):
            executor.run([make_task(tmp_path, "a")], Told(tmp_path / "now"))


def test_executors_know_nothing_of_wheels() -> None:
    """Neither they nor what they import read or describe one."""
    code = (
        "import sys; from wheelhouse_resolver.builder.executors import base, local, slurm; "
        "print(*(name for name in sys.modules if name.startswith('wheelhouse_resolver.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "wheelhouse_resolver.builder.executors.slurm" in loaded
    allowed = ("builder.executors", "builder.process", "builder.resources", "errors", "utils")
    prefixes = tuple(f"wheelhouse_resolver.{each}" for each in (*allowed, "builder"))
    others = [name for name in loaded if not name.startswith(prefixes[:-1]) and name != prefixes[-1]]
    assert others == []
