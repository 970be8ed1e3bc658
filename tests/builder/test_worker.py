from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.builder.test_commands import escaping, is_alive
from tests.builder.workshop import Workshop
from tests.whole import assert_whole
from wheelhouse_resolver.builder.records.job import Job
from wheelhouse_resolver.builder.records.record import BuildRecord, record_of
from wheelhouse_resolver.builder.worker import _OURS_TOO, BuildTask, main, read_task, task_text

WHEEL = "demo-1.0-py3-none-any.whl"


class Tasks:
    """Builds of a workshop's package in processes of their own."""

    def __init__(self, directory: Path) -> None:
        self.workshop = Workshop(directory, unpacked=True)
        self.file = directory / "task.json"
        self.result = directory / "result.json"
        self.log = directory / "logs/demo.log"
        # The recipes of a site are in its file, which a task reads anew.
        site = directory / "site.toml"
        site.write_text(
            f'root = "{self.workshop.site.root}"\n[build]\nrecipes = ["{self.workshop.recipes}"]\n'
        )
        self.workshop.site = type(self.workshop.site).load(site)

    def write(self, job: Job | None = None) -> Job:
        job = job or self.workshop.plan()
        task = BuildTask(job, self.workshop.options(), str(self.result), str(self.log))
        self.file.write_text(task_text(task))
        return job

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "wheelhouse_resolver.builder.worker", str(self.file)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self) -> tuple[int | None, str, str]:
        process = self.start()
        out, err = process.communicate()
        return process.returncode, out, err

    def record(self) -> BuildRecord:
        return BuildRecord.from_dict(json.loads(self.result.read_bytes()))


@pytest.fixture
def tasks(tmp_path: Path) -> Tasks:
    return Tasks(tmp_path)


def test_a_task_survives_the_way_through_its_file(tasks: Tasks) -> None:
    job = tasks.write(tasks.workshop.lost())
    task = read_task(str(tasks.file))
    assert task == (job, tasks.workshop.options(), str(tasks.result), str(tasks.log))


def test_a_task_builds_and_writes_its_result(tasks: Tasks) -> None:
    tasks.workshop.package(build="os.umask(mask := os.umask(0)); print('told umask', oct(mask))")
    tasks.write()
    before = os.umask(0o077)
    try:
        assert tasks.run() == (0, "", "")
    finally:
        os.umask(before)
    record = tasks.record()
    assert record.result == "built"
    # Wheels are for everybody to read, whoever builds them.
    assert "told umask 0o22\n" in tasks.workshop.log(record)
    assert (tasks.workshop.output / WHEEL).stat().st_mode & 0o777 == 0o644
    assert record_of(str(tasks.workshop.output / WHEEL)) == record


def test_a_task_whose_build_fails_says_so_in_one_line(tasks: Tasks) -> None:
    job = tasks.write(tasks.workshop.lost())
    code, out, err = tasks.run()
    record = tasks.record()
    assert (code, out) == (1, "")
    assert err == f"error: {job.label}: {record.problem}\n"
    assert record.problem.startswith("source: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "not a valid task file: "),
        ("[]", "not a valid task file: result is missing"),
        ('{"log": "l", "result": "r"}', "not a valid task file: it is a NoneType, not a dict"),
        (
            '{"log": "l", "result": "", "job":'
            ' {"requirement": "", "project": "", "python": "", "python_version": ""}}',
            "not a valid task file: job.source is missing",
        ),
        (
            '{"log": "l", "result": "r", "job": {"requirement": 1}}',
            "not a valid task file: requirement is a int, not a str",
        ),
        ("[" * 100_000, "not a valid task file: "),
        ("\x00\udcff", "not a valid task file: "),
    ],
    ids=["missing", "empty", "list", "nothing", "no-source", "wrong", "deep", "bytes"],
)
def test_a_file_that_is_no_task_is_bad_input(tasks: Tasks, text: str | None, problem: str) -> None:
    if text is not None:
        tasks.file.write_bytes(text.encode("utf-8", "surrogateescape"))
    code, out, err = tasks.run()
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {tasks.file}: {problem}")
    assert err.count("\n") == 1
    assert not tasks.result.exists()


def test_a_site_file_that_is_gone_is_bad_input(tasks: Tasks) -> None:
    tasks.write(tasks.workshop.lost())
    (tasks.workshop.directory / "site.toml").unlink()
    code, _, err = tasks.run()
    assert code == 2
    assert err == f"error: {tasks.workshop.directory}/site.toml: cannot be read: No such file or directory\n"


def test_a_result_that_cannot_be_written_is_told(tasks: Tasks) -> None:
    tasks.result = tasks.workshop.directory / "missing/result.json"
    tasks.write(tasks.workshop.lost())
    code, _, err = tasks.run()
    assert (code, err) == (1, f"error: cannot write {tasks.result}: No such file or directory\n")


@pytest.mark.slow
def test_a_task_that_is_told_to_stop_stops_with_all_that_it_started(tasks: Tasks) -> None:
    pid, escaped = tasks.workshop.directory / "pid", tasks.workshop.directory / "escaped"
    body = f"open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    tasks.workshop.package(build=escaping(escaped, body))
    tasks.write()
    process = tasks.start()
    while not (pid.exists() and pid.read_text()):
        time.sleep(0.05)
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.endswith(": build: interrupted\n")
    assert not tasks.result.exists()  # it may be run again
    assert BuildRecord.from_dict(json.loads(tasks.log.with_suffix(".json").read_bytes())).problem == (
        "build: interrupted"
    )
    assert not is_alive(int(pid.read_text()))
    assert not any(is_alive(int(each)) for each in escaped.read_text().split())
    assert (tasks.workshop.placed(), tasks.workshop.left()) == ([], [])


@pytest.mark.parametrize(
    ("environ", "left"), [({"SLURM_JOB_ID": "1"}, False), ({}, True)], ids=["job", "here"]
)
def test_a_build_that_slurm_ends_has_not_failed_though_its_compiler_ends_first(
    environ: dict[str, str], left: bool, tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.write(tasks.workshop.lost())
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    sleep = time.sleep

    def sent(seconds: float) -> None:
        """What ends the job comes to its commands first, and to us meanwhile."""
        if seconds == _OURS_TOO:
            os.kill(os.getpid(), signal.SIGTERM)
        sleep(seconds)

    monkeypatch.setattr("time.sleep", sent)
    assert main([str(tasks.file)]) == 1
    assert tasks.result.exists() == left


@pytest.mark.slow
def test_very_much_output_is_in_the_log_and_not_in_memory(tasks: Tasks) -> None:
    tasks.workshop.package()
    noise = "for ((i = 0; i < 100; i++)); do head -c 999999 /dev/zero | tr '\\\\\\\\0' x; echo; done"
    tasks.workshop.recipe("demo", f'[phases]\nbefore-build = ["{noise}"]')
    tasks.write()
    code = (
        "import re, sys; from wheelhouse_resolver.builder.worker import main; code = main(sys.argv[1:]);"
        # Not ru_maxrss, which begins with the size of the process that this one was forked from.
        r"print(re.search(r'VmHWM:\s*(\d+)', open('/proc/self/status').read())[1]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, tasks.file], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert os.path.getsize(tasks.record().log) > 100_000_000
    assert int(done.stdout) < 80_000  # kB


@pytest.mark.slow
def test_killed_at_any_instant_it_leaves_nothing_partial_and_is_simply_run_again(tasks: Tasks) -> None:
    workshop = tasks.workshop
    workshop.package(build="open('big.py', 'w').write('#' * (1 << 20))")
    tasks.write()
    started = time.monotonic()
    assert tasks.run()[0] == 0
    lasts = time.monotonic() - started
    dice = random.Random(0)
    for _ in range(8):
        for name in workshop.placed():
            (workshop.output / name).unlink()
        tasks.result.unlink(missing_ok=True)
        process = tasks.start()
        # The end, where the wheel is placed, is worth most of the blows.
        time.sleep(lasts * dice.triangular(0.1, 1.0, 0.95))
        process.kill()
        process.communicate()
        if tasks.result.exists():
            assert tasks.record().ok
        for name in workshop.placed():
            if name.endswith(".whl"):
                assert_whole(workshop.output / name)
                assert record_of(str(workshop.output / name)) is not None
    assert tasks.run()[0] == 0
    assert workshop.placed() == [WHEEL, f"{WHEEL}.build.json"]
    assert record_of(str(workshop.output / WHEEL)) is not None
    assert tasks.record().ok
