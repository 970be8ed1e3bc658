"""What a killed run has left running is stopped, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builder.tasks import is_alive
from wheelhouse_resolver.builder.executors import earlier
from wheelhouse_resolver.builder.executors.array_job import job_name
from wheelhouse_resolver.builder.process import orphans
from wheelhouse_resolver.builder.process.scratch import clear_leftovers, scratch_directory, this_process

#: A number that no process has.
NOBODY = 2**22 + 1

Start = Callable[..., int]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program that sleeps, with what marks a process of a run."""
    running: list[subprocess.Popen[bytes]] = []

    def made(*arguments: str, **environ: str) -> int:
        code = "import time; time.sleep(600)"
        words = [sys.executable, "-c", code, *arguments]
        running.append(subprocess.Popen(words, env={**os.environ, **environ}))
        return running[-1].pid

    yield made
    for each in running:
        each.kill()
        each.wait()


@pytest.fixture
def left(tmp_path: Path) -> str:
    """The directory of a run that was killed on this machine."""
    path = tmp_path / f"build-{this_process()._replace(pid=NOBODY)}-abc"
    path.mkdir()
    return str(path)


def test_what_belongs_to_it_is_stopped_and_what_only_speaks_of_it_is_not(
    start: Start, left: str, tmp_path: Path
) -> None:
    mine = {
        "marked": start(WHEELHOUSE_BUILD_DIRECTORY=left),
        "worker": start("-m", orphans.WORKER, f"{left}/t"),
    }
    with scratch_directory(str(tmp_path / "other")) as alive:
        others = {
            "of-another": start(WHEELHOUSE_BUILD_DIRECTORY=alive),
            "worker-of-another": start("-m", orphans.WORKER, f"{alive}/t"),
            "longer": start(WHEELHOUSE_BUILD_DIRECTORY=f"{left}d"),
            "looks-at-it": start("tail", "-f", f"{left}/log", TMPDIR=left),
        }
        time.sleep(0.3)  # until all have their own memory
        assert [os.path.basename(left)] == clear_leftovers(str(tmp_path))
        assert {name for name, pid in mine.items() if is_alive(pid)} == set()
        assert {name for name, pid in others.items() if not is_alive(pid)} == set()
    assert not os.path.exists(left)


def test_a_number_that_another_process_has_by_now_is_not_signalled(start: Start) -> None:
    pid = start()
    orphans._signal(pid, "1", signal.SIGKILL)
    time.sleep(0.05)
    assert is_alive(pid)
    orphans._signal(pid, orphans.start_of(pid), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(pid)


def test_jobs_are_cancelled_only_where_name_and_directory_are_theirs(
    left: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = f"{left}/{orphans.JOBS}/wave-x"
    os.makedirs(wave)
    assert clear_leftovers(str(tmp_path)) == [os.path.basename(left)]
    assert os.path.exists(wave)  # until they are cancelled
    asked: list[tuple[str, ...]] = []
    queue = [f"7|{wave}", "8|/somewhere/else", f"7|{wave}"]

    def ask(*command: str) -> str:
        asked.append(command)
        if command[0] == "scancel":
            queue.clear()
        return "\n".join(queue)

    monkeypatch.setattr(earlier, "ask", ask)
    assert earlier.cancel_earlier_jobs(str(tmp_path)) == ["7"]
    assert [command for command in asked if command[0] == "scancel"] == [("scancel", "7")]
    assert f"--name={job_name(wave)}" in asked[0]
    clear_leftovers(str(tmp_path))
    assert not os.path.exists(left)
