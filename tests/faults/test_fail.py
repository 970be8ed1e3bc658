"""A disk that refuses at any step: a line says so, nothing is partial or lost, and the next run completes."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import campaign
from tests.faults.blows import BLOWS, FILESYSTEMS, Blow
from tests.faults.campaign import main
from tests.faults.runner import Runner

#: How many steps of each command fail every day; in the stage of the slow tests all do.
EVERYDAY = 5

_EACH = pytest.mark.parametrize("make", BLOWS.values(), ids=list(BLOWS))


def error_at(step: int) -> int:
    """What the disk answers: that it is broken, or full."""
    return (errno.EIO, errno.ENOSPC)[step % 2]


@_EACH
def test_some_steps_fail(runner: Runner, tmp_path: Path, make: Callable[[Path], Blow]) -> None:
    blow = make(tmp_path)
    blow.learn(runner, ())
    steps = blow.steps(runner, ())
    for number in range(EVERYDAY):
        step = (2 * number + 1) * steps // (2 * EVERYDAY)
        blow.fail(runner, (), step, error_at(number))


def test_a_campaign_of_a_few_kills(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kills", "4", "--seed", "1"]) == 0
    seed, totals = capsys.readouterr().out.splitlines()
    assert seed == "seed 1"
    assert totals.startswith("4 kills (")
    assert totals.endswith("; losses: 0")


def test_a_campaign_can_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def lossy(*_: object) -> str:
        raise AssertionError("something is lost")

    monkeypatch.setattr(campaign, "strike", lossy)
    assert main(["--seconds", "2"]) == 1
    captured = capsys.readouterr()
    assert "something is lost" in captured.err
    assert not captured.out.endswith("losses: 0\n")


@pytest.mark.slow
@_EACH
@pytest.mark.parametrize("without", [FILESYSTEMS["all"], FILESYSTEMS["no-links-no-renames"]], ids=str)
def test_steps_of_every_kind_fail(
    runner: Runner, tmp_path: Path, make: Callable[[Path], Blow], without: tuple[str, ...]
) -> None:
    blow = make(tmp_path)
    blow.learn(runner, without)
    # Every sixth: neighbours differ little, and the campaign by hand draws from all of them.
    for step in range(len(without), blow.steps(runner, without), 6):
        blow.fail(runner, without, step, error_at(step + bool(without)))
