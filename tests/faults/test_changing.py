"""Wheels that are written to, cut or exchanged while they are being published."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.faults.runner import Runner
from tests.faults.trees import Case, leftovers
from tests.whole import assert_whole, content_of, wheels_below

PURE = "demo-1.0-py3-none-any.whl"


def _cut(path: Path, versions: list[bytes], dice: random.Random) -> None:
    os.truncate(path, dice.randrange(path.stat().st_size + 1))


def _overwrite(path: Path, versions: list[bytes], dice: random.Random) -> None:
    with open(path, "r+b") as file:
        file.write(dice.choice(versions))
        file.truncate()


def _scribble(path: Path, versions: list[bytes], dice: random.Random) -> None:
    with open(path, "r+b") as file:
        file.seek(dice.randrange(len(versions[0])))
        file.write(dice.randbytes(20))


def _exchange(path: Path, versions: list[bytes], dice: random.Random) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_bytes(dice.choice(versions))
    temporary.rename(path)


def _vanish(path: Path, versions: list[bytes], dice: random.Random) -> None:
    path.unlink()
    time.sleep(0.002)
    path.write_bytes(dice.choice(versions))


Change = Callable[[Path, list[bytes], random.Random], None]


def _meddle(change: Change, path: Path, versions: list[bytes]) -> None:
    dice = random.Random(0)
    while True:
        with contextlib.suppress(FileNotFoundError):
            change(path, versions, dice)
        time.sleep(dice.uniform(0, 0.02))
        path.write_bytes(dice.choice(versions))
        time.sleep(dice.uniform(0, 0.02))


@contextlib.contextmanager
def meddling(change: Change, path: Path, versions: list[bytes]) -> Iterator[None]:
    """Somebody at work on *path*."""
    process = multiprocessing.get_context("fork").Process(
        target=_meddle, args=(change, path, versions), daemon=True
    )
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("change", [_cut, _overwrite, _scribble, _exchange, _vanish])
def test_what_is_placed_was_given_whole_whatever_happens_to_the_source(
    runner: Runner, tmp_path: Path, change: Change
) -> None:
    case = Case(tmp_path)
    path = case.inbox / PURE
    versions: list[bytes] = []
    known: set[str] = set()
    for number in range(3):
        case.given(PURE, size=100_000, mark=str(number))
        versions.append(path.read_bytes())
        known.add(content_of(path))
    outcomes = set()
    with meddling(change, path, versions):
        for _ in range(15):
            case.again()
            ran = runner.run("publish", path, "--root", case.root)
            outcomes.add(ran.code)
            placed = wheels_below(case.root)
            assert len(placed) == (ran.code == 0)
            for each in placed:
                assert_whole(each)
                assert content_of(each) in known
            if ran.code:
                assert ran.err
                assert "fault in" not in ran.err
                assert all(
                    line.startswith(("refused ", "error: ", "hint: ")) for line in ran.err.splitlines()
                )
            assert leftovers(case.root) == []
    assert outcomes <= {0, 1, 2}


def test_a_wheel_that_changes_between_check_and_copy_is_not_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from wheelhouse_resolver.cli.main import main
    from wheelhouse_resolver.publishing import trash

    case = Case(tmp_path)
    case.again()
    wheel = case.given(PURE, mark="first")
    file_id = trash.file_id

    def meanwhile(path: str) -> tuple[int, ...]:
        found = file_id(path)
        make_wheel(case.inbox, PURE, files={"module.py": b"second", "data": b"", "pkg/x": b""})
        return found

    monkeypatch.setattr(trash, "file_id", meanwhile)
    assert main(["publish", str(wheel), "--root", str(case.root)]) == 1
    assert capsys.readouterr().err == (
        f"error: {wheel}: changed while it was read (module.py); nothing placed\n"
    )
    assert wheels_below(case.root) == []
    assert leftovers(case.root) == []


@pytest.mark.parametrize("what", ["gone", "pipe", "directory", "empty", "half"])
def test_a_wheel_that_is_something_else_by_then_is_not_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    from wheelhouse_resolver.cli.main import main
    from wheelhouse_resolver.publishing import trash

    case = Case(tmp_path)
    case.again()
    wheel = case.given(PURE)
    file_id = trash.file_id

    def meanwhile(path: str) -> tuple[int, ...]:
        found = file_id(path)
        content = wheel.read_bytes()
        wheel.unlink()
        if what == "pipe":
            os.mkfifo(wheel)
        elif what == "directory":
            wheel.mkdir()
        elif what != "gone":
            wheel.write_bytes(content[: len(content) // 2 if what == "half" else 0])
        return found

    monkeypatch.setattr(trash, "file_id", meanwhile)
    assert main(["publish", str(wheel), "--root", str(case.root)]) != 0
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert wheels_below(case.root) == []
    assert leftovers(case.root) == []
