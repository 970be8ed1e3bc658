"""Publishing and withdrawing with a static index: at every instant, each link leads to a whole file."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.blows import Blow
from tests.faults.indexed import INDEXED
from tests.faults.runner import Runner

#: Those that go through most ways by which files come and go.
EVERYDAY = ("publish", "replace")

_EACH = pytest.mark.parametrize("make", INDEXED.values(), ids=list(INDEXED))


@pytest.mark.parametrize("make", [INDEXED[name] for name in EVERYDAY], ids=EVERYDAY)
def test_killed_before_some_steps(runner: Runner, tmp_path: Path, make: Callable[[Path], Blow]) -> None:
    _killed(runner, make(tmp_path), 4)


@pytest.mark.slow
@_EACH
def test_killed_before_more_steps(runner: Runner, tmp_path: Path, make: Callable[[Path], Blow]) -> None:
    _killed(runner, make(tmp_path), 10)


def _killed(runner: Runner, blow: Blow, often: int) -> None:
    blow.learn(runner, ())
    steps = range(blow.steps(runner, ()))
    for step in steps[:: len(steps) // often or 1]:
        blow.prepare()
        assert runner.run(*blow.command, kill_at=step).killed
        blow.verify(runner, ())


@pytest.mark.slow
@pytest.mark.parametrize("make", [INDEXED[name] for name in ("publish", "withdraw")])
def test_failing_at_some_steps(runner: Runner, tmp_path: Path, make: Callable[[Path], Blow]) -> None:
    blow = make(tmp_path)
    blow.learn(runner, ())
    steps = range(blow.steps(runner, ()))
    for number, step in enumerate(steps[:: len(steps) // 6 or 1]):
        blow.fail(runner, (), step, (errno.ENOSPC, errno.EROFS)[number % 2])
