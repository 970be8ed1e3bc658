"""The Slurm executor under a real Slurm."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.tasks import Told, is_alive, make_task
from tests.factories import clean_environ, make_tree, make_wheel
from tests.slurm import FEATURES, queue, wait_until
from wheelhouse_resolver.builder.executors.base import ExecutorError
from wheelhouse_resolver.builder.executors.slurm import SlurmExecutor
from wheelhouse_resolver.builder.resources import Resources

pytestmark = pytest.mark.slow


@pytest.fixture
def executor(slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SlurmExecutor:
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    return SlurmExecutor(jobs=2, directory=str(tmp_path / "slurm jobs %a"), grace=2.0, poll=0.2)


@pytest.fixture(autouse=True)
def bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each task compiles all of the program anew."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)


def wait_until_empty() -> None:
    wait_until(lambda: queue() == "", "empty queue")


def test_a_wave_one_of_whose_tasks_fails(executor: SlurmExecutor, tmp_path: Path) -> None:
    tasks = [
        make_task(tmp_path, "good", "print('hello'); write(os.environ['SLURM_ARRAY_TASK_ID'])"),
        make_task(tmp_path, "bad", "write('failed'); sys.exit(3)"),
        make_task(tmp_path, "third", "write(os.getcwd())"),
    ]
    told = Told()
    results = executor.run(tasks, told)
    assert [(result.task.name, result.vanished) for result in results] == [
        ("good", ""),
        ("bad", ""),
        ("third", ""),
    ]
    assert [Path(task.result).read_text() for task in tasks] == ["0", "failed", str(tmp_path)]
    assert Path(tasks[0].log).read_text() == "hello\n"
    assert len(told.results) == 3
    wait_until_empty()


def test_each_set_of_resources_reaches_slurm(executor: SlurmExecutor, tmp_path: Path) -> None:
    code = (
        "import subprocess; write(subprocess.run(['scontrol', 'show', 'job', '--oneliner',"
        " os.environ['SLURM_JOB_ID']], capture_output=True, text=True).stdout)"
    )
    both = f"({FEATURES[0]}|{FEATURES[1]})&{FEATURES[1]}"
    tasks = [
        make_task(tmp_path, "plain", code),
        make_task(tmp_path, "skylake", code, Resources(constraint=FEATURES[1], memory="50M", time="0:05:00")),
        make_task(tmp_path, "both", code, Resources(constraint=both, partition="debug", cores=1)),
    ]
    assert [result.vanished for result in executor.run(tasks, Told())] == ["", "", ""]
    plain, skylake, either = (Path(task.result).read_text() for task in tasks)
    assert "Features=(null)" in plain
    assert f"Features={FEATURES[1]} " in skylake
    assert "TimeLimit=00:05:00" in skylake
    assert "MinMemoryNode=50M" in skylake
    assert f"Features={both} " in either
    wait_until_empty()


def test_a_feature_that_no_node_has(executor: SlurmExecutor, tmp_path: Path) -> None:
    with pytest.raises(ExecutorError, match=r"sbatch: .*Invalid feature specification"):
        executor.run([make_task(tmp_path, "a", resources=Resources(constraint="sapphire"))], Told())
    assert queue() == ""


def test_a_task_that_vanishes_is_run_once_more(executor: SlurmExecutor, tmp_path: Path) -> None:
    # Killed as by a node that fails: nothing of the task is left that could write a result.
    kill = (
        "seen = here / f'{result.stem}.seen'\n"
        "if '{how}' == 'always' or not seen.exists():\n"
        "    seen.open('a').write('x'); os.kill(os.getpid(), 9)\n"
        "write('at last')"
    )
    tasks = [
        make_task(tmp_path, "once", kill.replace("{how}", "once")),
        make_task(tmp_path, "always", kill.replace("{how}", "always")),
        make_task(tmp_path, "good"),
    ]
    once, always, good = executor.run(tasks, Told())
    assert (once.vanished, good.vanished) == ("", "")
    assert Path(tasks[0].result).read_text() == "at last"
    assert "twice" in always.vanished
    assert (tmp_path / "always.seen").read_text() == "xx"
    wait_until_empty()


def test_slurms_own_words_about_a_task_are_told(executor: SlurmExecutor, tmp_path: Path) -> None:
    task = make_task(
        tmp_path, "a", "here.joinpath(f'{os.environ[\"SLURM_JOB_ID\"]}.job').touch(); time.sleep(600)"
    )
    cancelled: set[str] = set()

    class Scancels(Told):
        def waiting(self) -> None:
            for file in tmp_path.glob("*.job"):
                if file.stem not in cancelled:
                    cancelled.add(file.stem)
                    subprocess.run(["scancel", file.stem], check=True)

    (result,) = executor.run([task], Scancels())
    assert "CANCELLED" in result.vanished
    assert len(cancelled) == 2


#: What a task of a build does, whose command starts a process that leaves its group and session.
_BUILDS = """
import signal
from wheelhouse_resolver.builder.process.commands import run_logged, subreaper
from wheelhouse_resolver.utils.process import interrupted_by
command = '''
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)
with open(f'{sys.argv[1]}~', 'w') as file:
    file.write(f'{os.getpid()} {child.pid}')
os.rename(f'{sys.argv[1]}~', sys.argv[1])
time.sleep(600)
'''
with interrupted_by(signal.SIGTERM), subreaper():
    log, pids = str(result) + ".log", str(here / f"{result.stem}.pids")
    run_logged([sys.executable, "-c", command, pids], log=log, environ=os.environ)
"""


def test_an_interrupt_leaves_no_job_and_no_process(executor: SlurmExecutor, tmp_path: Path) -> None:
    """Slurm lists the processes of a job, and signals those: it misses what is started in between.

    So a task stops what it has started itself, before Slurm takes its job to be over. One of the two that run
    is likely to be starting its own just then.
    """
    tasks = [make_task(tmp_path, f"t{n}", _BUILDS) for n in range(4)]
    with pytest.raises(KeyboardInterrupt):
        executor.run(tasks, Told(tmp_path / "t0.pids"))
    assert queue() == ""
    pids = [int(pid) for file in tmp_path.glob("*.pids") for pid in file.read_text().split()]
    assert len(pids) >= 2
    assert not [pid for pid in pids if is_alive(pid)]


class TestBuild:
    """The command itself, with builds as array jobs."""

    @pytest.fixture
    def command(
        self, slurm: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., list[str]]:
        for name, value in slurm.items():
            monkeypatch.setenv(name, value)
        make_tree(tmp_path / "house", {})
        config = tmp_path / "site.toml"
        config.write_text(
            f'root = "{tmp_path}/house"\n'
            "[build.slurm]\ngrace = 2\nmemory = '200M'\n"
            f"constraint = {{ sse3 = '{FEATURES[1]}' }}\noptions = ['--comment=wheels']\n"
        )

        def made(*arguments: str, does: str = "build") -> list[str]:
            return [
                sys.executable, "-m", "wheelhouse_resolver", does, *arguments, "--config", str(config),
                "--layer", "gentoo", "--find-links", str(tmp_path / "sources"), "--offline", "--no-verify",
                "--output", str(tmp_path / "wheels"), "--executor", "slurm", "--jobs", "2",
            ]  # fmt: skip

        return made

    def test_packages_for_two_archs_each_on_a_node_that_suits_it(
        self, command: Callable[..., list[str]], slurm: dict[str, str], tmp_path: Path
    ) -> None:
        look = (
            "job = os.environ['SLURM_JOB_ID'];"
            "said = subprocess.run(['scontrol', 'show', 'job', job], capture_output=True, text=True).stdout;"
            f"open({str(tmp_path)!r} + f'/job.{{job}}', 'w').write(said)"
        )
        make_package(tmp_path / "sources", "app", requires=["fast"])
        make_package(tmp_path / "sources", "fast", tag="OWN-OWN-linux_x86_64", code=look)
        done = subprocess.run(
            command("app", "--recursive", "--publish", "--arch", "generic,sse3", "--json"),
            env=clean_environ(**slurm),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        told = [(each["project"], each["arch"], each["result"]) for each in json.loads(done.stdout)]
        assert sorted(told) == [
            ("app", "generic", "built"),
            ("app", "sse3", "present"),
            ("fast", "generic", "built"),
            ("fast", "sse3", "built"),
        ]
        jobs = [file.read_text() for file in tmp_path.glob("job.*")]
        assert sorted(f"Features={FEATURES[1]}" in job for job in jobs) == [False, True]
        assert all("MinMemoryNode=200M" in job and "Comment=wheels" in job for job in jobs)
        placed = {str(path.relative_to(tmp_path / "house")) for path in (tmp_path / "house").rglob("*.whl")}
        assert len([path for path in placed if path.startswith("gentoo/sse3/fast-1.0-200000sse3-")]) == 1
        assert "generic/app-1.0-1000generic-py3-none-any.whl" in placed
        wait_until_empty()

    def test_wheels_of_an_index_are_fetched_by_jobs(
        self, command: Callable[..., list[str]], slurm: dict[str, str], tmp_path: Path
    ) -> None:
        before = queue("--states=all", "--format=%k").split().count("wheels")
        make_wheel(tmp_path / "sources", "app-1.0-py3-none-any.whl", requires_dist=["base"])
        make_wheel(tmp_path / "sources", "base-2.0-py3-none-any.whl")
        done = subprocess.run(
            command("app", "--json", does="fetch"), env=clean_environ(**slurm), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        told = {each["project"]: each for each in json.loads(done.stdout)}
        assert {name: (each["result"], each["attempts"]) for name, each in told.items()} == {
            "app": ("fetched", 1),
            "base": ("fetched", 1),
        }
        assert sorted(path.name for path in (tmp_path / "house").rglob("*.whl")) == [
            "app-1.0-1000generic-py3-none-any.whl",
            "base-2.0-1000generic-py3-none-any.whl",
        ]
        assert queue("--states=all", "--format=%k").split().count("wheels") == before + 2
        wait_until_empty()

    def test_the_jobs_of_a_run_that_was_killed_are_cancelled_by_the_next(
        self, command: Callable[..., list[str]], slurm: dict[str, str], tmp_path: Path
    ) -> None:
        flag = tmp_path / "sleeping"
        asleep = f"open({str(flag)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
        make_package(tmp_path / "sources", "demo", code=f"if not os.path.exists({str(flag)!r}): {asleep}")
        environ = clean_environ(**slurm)
        process = subprocess.Popen(command("demo", "--arch", "generic"), env=environ)
        wait_until(lambda: flag.exists() and flag.read_text(), "build")
        process.kill()
        process.wait()
        others = subprocess.run(
            ["sbatch", "--parsable", "--output=/dev/null", "--wrap=sleep 600"], capture_output=True, text=True
        )
        try:
            again = subprocess.run(
                command("demo", "--arch", "generic"), env=environ, capture_output=True, text=True
            )
            assert again.returncode == 0, again.stderr
            assert "cancelled the job " in again.stderr
            assert not is_alive(int(flag.read_text()))
            assert queue().split()[0] == others.stdout.strip()
            assert [path.name for path in (tmp_path / "wheels/.build").iterdir()] == ["logs"]
        finally:
            subprocess.run(["scancel", others.stdout.strip()])
        wait_until_empty()

    def test_ctrl_c_leaves_no_job_and_the_next_run_goes_on(
        self, command: Callable[..., list[str]], slurm: dict[str, str], tmp_path: Path
    ) -> None:
        flag = tmp_path / "sleeping"
        wait = f"if not os.path.exists({str(flag)!r}): open({str(flag)!r}, 'w').close(); time.sleep(600)"
        make_package(tmp_path / "sources", "demo", code=wait)
        environ = clean_environ(**slurm)
        process = subprocess.Popen(
            command("demo", "--arch", "generic"), env=environ, stderr=subprocess.PIPE, text=True
        )
        wait_until(flag.exists, "build")
        assert queue()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 130, err
        assert "interrupted: 0 done" in err
        assert queue() == ""
        again = subprocess.run(
            command("demo", "--arch", "generic"), env=environ, capture_output=True, text=True
        )
        assert again.returncode == 0, again.stderr
        wait_until_empty()

    def test_what_slurm_refuses_is_one_line_of_bad_input(
        self, command: Callable[..., list[str]], slurm: dict[str, str], tmp_path: Path
    ) -> None:
        make_package(tmp_path / "sources", "demo")
        config = tmp_path / "site.toml"
        config.write_text(config.read_text() + "partition = 'nowhere'\n")
        done = subprocess.run(
            command("demo", "--arch", "generic"), env=clean_environ(**slurm), capture_output=True, text=True
        )
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("error: sbatch: ")
        assert "partition" in done.stderr.splitlines()[-1]
