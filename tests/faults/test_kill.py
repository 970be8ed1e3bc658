"""kill -9 at any instant: the tree holds whole wheels only, nothing is lost, and the next run completes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.factories import clean_environ
from tests.faults.blows import (
    BLOWS,
    FILESYSTEMS,
    Blow,
    Command,
    bytes_of,
    publish_blow,
    restamp_blow,
    undone_blow,
)
from tests.faults.runner import Runner
from tests.faults.trees import Case, leftovers
from tests.filesystems import refuse_nameless

#: How often each case is killed at a random instant: every day, and in the stage of the slow tests.
EVERYDAY, SLOW = 4, 10

#: Local ones, NFS, and those with nothing; `make test-faults` tries the others as well.
_FILESYSTEMS = ("all", "no-renames", "no-links-no-renames")
_EACH_FILESYSTEM = pytest.mark.parametrize(
    "without", [FILESYSTEMS[name] for name in _FILESYSTEMS], ids=_FILESYSTEMS
)
_EACH = pytest.mark.parametrize("make", BLOWS.values(), ids=list(BLOWS))


def strike(runner: Runner, blow: Blow, without: tuple[str, ...], wanted: int, seed: str) -> None:
    """Kill the command *wanted* times, each at a random instant of its life."""
    dice = random.Random(seed)
    lasts = min(blow.learn(runner, without) for _ in range(3))
    killed = 0
    for _ in range(wanted * 10):
        if killed == wanted:
            return
        blow.prepare()
        ran = runner.run(*blow.command, without=without, kill_after=dice.uniform(0, lasts))
        if not ran.killed:
            lasts = min(lasts, ran.seconds)
            continue
        killed += 1
        blow.verify(runner, without)
    pytest.fail(f"only {killed} of {wanted} kills came before the end")


@_EACH
def test_killed_at_random_instants(runner: Runner, tmp_path: Path, make: Callable[[Path], Blow]) -> None:
    strike(runner, make(tmp_path), (), EVERYDAY, make.__name__)


@pytest.mark.large
@_EACH
@_EACH_FILESYSTEM
def test_killed_very_often(
    runner: Runner, tmp_path: Path, make: Callable[[Path], Blow], without: tuple[str, ...]
) -> None:
    strike(runner, make(tmp_path), without, SLOW, f"{make.__name__}{without}{time.time()}")


@_EACH
def test_killed_before_each_step(runner: Runner, tmp_path: Path, make: Callable[[Path], Blow]) -> None:
    blow = make(tmp_path)
    blow.learn(runner, ())
    steps = range(blow.steps(runner, ()))
    for step in steps[:: len(steps) // 6 or 1]:
        blow.prepare()
        ran = runner.run(*blow.command, kill_at=step)
        assert ran.killed or (blow.varies and ran.code == 0)
        blow.verify(runner, ())


@pytest.mark.slow
@_EACH
@_EACH_FILESYSTEM
def test_killed_before_steps_of_every_kind(
    runner: Runner, tmp_path: Path, make: Callable[[Path], Blow], without: tuple[str, ...]
) -> None:
    blow = make(tmp_path)
    blow.learn(runner, without)
    # Every sixth: neighbours differ little, and the campaign by hand draws from all of them.
    for step in range(len(without), blow.steps(runner, without), 6):
        blow.prepare()
        ran = runner.run(*blow.command, without=without, kill_at=step)
        assert ran.killed or (blow.varies and ran.code == 0)
        blow.verify(runner, without)


def test_killed_again_and_again_it_gets_there(runner: Runner, tmp_path: Path) -> None:
    blow = restamp_blow(tmp_path)
    lasts = blow.learn(runner, ())
    blow.prepare()
    dice = random.Random(0)
    for _ in range(12):
        runner.run(*blow.command, kill_after=dice.uniform(0, lasts))
        blow.check()
    blow.verify(runner, ())


def test_restamped_and_undone_again_and_again_with_kills(runner: Runner, tmp_path: Path) -> None:
    blow = undone_blow(tmp_path)
    lasts = blow.learn(runner, ())
    blow.prepare()
    dice = random.Random(0)
    for number in range(12):
        more = ["--undo"] * (number % 3 == 2)
        runner.run(*blow.command, *more, kill_after=dice.uniform(0, lasts))
        blow.check()
    for _ in range(12):  # as many runs as there may have been
        assert runner.run(*blow.command, "--undo").code == 0
    assert bytes_of(blow.case.root) == bytes_of(blow.case.start)


def test_the_installed_program_is_killed_like_the_forked_one(runner: Runner, tmp_path: Path) -> None:
    blow = publish_blow(tmp_path)
    blow.learn(runner, ())
    command = [sys.executable, "-m", "wheelhouse_resolver", *(os.fspath(word) for word in blow.command)]
    started = time.monotonic()
    subprocess.run(command, env=clean_environ(), stdout=subprocess.DEVNULL, check=True)
    lasts = time.monotonic() - started
    dice = random.Random(0)
    for _ in range(4):
        blow.prepare()
        process = subprocess.Popen(
            command, env=clean_environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(dice.uniform(lasts * 0.3, lasts))
        process.send_signal(signal.SIGKILL)
        process.wait()
        blow.verify(runner, ())


@pytest.mark.parametrize("nameless", [True, False])
def test_an_interrupted_run_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    from wheelhouse_resolver.cli.main import main

    blow = publish_blow(tmp_path)
    blow.prepare()

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    if not nameless:
        refuse_nameless(monkeypatch)
    monkeypatch.setattr(os, "link", interrupted)
    assert main([os.fspath(word) for word in blow.command]) == 130
    assert leftovers(blow.case.root) == []


def test_these_tests_can_fail(tmp_path: Path) -> None:
    # A publisher that writes under the final name would be found out.
    case = Case(tmp_path)
    case.again()
    (case.root / "generic/demo-1.0-1000generic-py3-none-any.whl").write_bytes(b"PK half")
    with pytest.raises(Exception, match="not a zip file"):
        case.check()


@pytest.mark.slow
def test_a_build_that_publishes_is_killed_and_run_again(runner: Runner, tmp_path: Path) -> None:
    # What was built before is published: the steps are those of a build without its compiler.
    case = Case(tmp_path)
    case.again()
    for name in ("alpha", "beta"):
        make_package(tmp_path / "sources", name)
    command: Command = [
        "build", "alpha", "beta", "--offline", "--find-links", tmp_path / "sources", "--output",
        tmp_path / "built", "--arch", "generic", "--layer", "gentoo", "--root", case.root,
    ]  # fmt: skip
    assert runner.run(*command).code == 0
    built = bytes_of(tmp_path / "built")
    ran = runner.run(*command, "--publish", kill_at=-1)
    expected = case.state()
    assert (ran.code, len(expected)) == (0, 2)
    for step in range(ran.steps // 12, ran.steps, ran.steps // 6):
        case.again()
        ran = runner.run(*command, "--publish", kill_at=step)
        assert ran.killed or ran.code == 0
        case.check()
        assert case.state().items() <= expected.items()
        assert bytes_of(tmp_path / "built") == built
        assert runner.run(*command, "--publish").code == 0
        assert case.state() == expected
        assert leftovers(case.root) == []
