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

from tests.factories import clean_environ
from tests.faults.runner import Runner
from tests.faults.trees import Case, contents, leftovers
from tests.whole import wheels_below
from wheelhouse_resolver import Site, Wheelhouse
from wheelhouse_resolver.publishing import trash

#: How often each case is killed at a random instant: every day, and in the stage of the slow tests.
EVERYDAY, SLOW = 8, 20

_FILESYSTEMS = [
    pytest.param((), id="links"),
    pytest.param(("renames",), id="no-renames"),
    pytest.param(("links",), id="no-links"),
    pytest.param(("links", "renames"), id="no-links-no-renames"),
]

Command = list[str | os.PathLike[str]]


def bytes_of(root: Path) -> dict[str, bytes]:
    """All wheels below *root* that installers see."""
    return {str(path.relative_to(root)): path.read_bytes() for path in wheels_below(root)}


class Blow:
    """A command, the tree that it works on, and what must hold after it was killed."""

    def __init__(self, case: Case, command: Command, replaced: tuple[str, ...] = ()) -> None:
        self.case = case
        self.command: Command = [*command, "--root", case.root]
        self.replaced = replaced
        self.expected: dict[str, str] = {}

    def prepare(self) -> None:
        self.case.again()

    def check(self) -> None:
        self.case.check(replaced=self.replaced)

    def check_done(self) -> None:
        """What must hold after the next run."""
        self.check()
        assert self.case.state() == self.expected
        assert leftovers(self.case.root) == []

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        """Run it undisturbed, to know what comes of it; returns how long it took."""
        self.prepare()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.expected = self.case.state()
        self.check_done()
        return ran.seconds

    def verify(self, runner: Runner, without: tuple[str, ...]) -> None:
        """What holds after a kill, and after the next run."""
        self.check()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.check_done()


def publish_blow(tmp_path: Path) -> Blow:
    """Wheels beside unstamped ones of the same version, which publish stamps in the same step."""
    case = Case(tmp_path)
    wheels: Command = []
    for number in range(3):
        name = f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl"
        wheels.append(case.given(name, size=20_000, mark=f"given {number}"))
        case.standing("generic", name, mark=f"generic {number}")
    case.standing("gentoo/avx512", "demo1-1.0-cp311-cp311-linux_x86_64.whl", mark="avx512")
    return Blow(case, ["publish", *wheels, "--to", "gentoo/avx2"])


def _replace_blow(tmp_path: Path, kind: type[Blow]) -> Blow:
    """Wheels in place of others with other content."""
    case = Case(tmp_path)
    wheels: Command = []
    names = []
    for number in range(3):
        wheels.append(case.given(f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"given {number}"))
        names.append(f"demo{number}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl")
        case.standing("gentoo/avx2", names[-1], mark=f"old {number}")
    return kind(case, ["publish", *wheels, "--to", "gentoo/avx2", "--replace"], tuple(names))


class VisibleBlow(Blow):
    """Some build of each is there at every moment, on any filesystem that can exchange or link names."""

    able = True

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        self.able = not {"links", "renames"} <= {*without}
        return super().learn(runner, without)

    def check(self) -> None:
        super().check()
        there = {*self.case.state()} if self.able else {f"gentoo/avx2/{name}" for name in self.replaced}
        assert {f"gentoo/avx2/{name}" for name in self.replaced} <= there


def replace_blow(tmp_path: Path) -> Blow:
    return _replace_blow(tmp_path, VisibleBlow)


def rebuild_blow(tmp_path: Path) -> Blow:
    """Corrected builds beside others: repeated after a kill, they are not added twice."""
    case = Case(tmp_path)
    wheels: Command = []
    for number in range(3):
        wheels.append(case.given(f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"given {number}"))
        name = f"demo{number}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
        case.standing("gentoo/avx2", name, mark=f"old {number}")
    return Blow(case, ["publish", *wheels, "--to", "gentoo/avx2", "--rebuild"])


#: Of one name in several directories, and of another.
NAMES = ("demo-1.0-1000generic-py3-none-any.whl", "other-1.0-1000generic-py3-none-any.whl")


def withdraw_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    for label in ("generic", "nix/generic", "gentoo/generic"):
        for name in NAMES:
            case.standing(label, name, mark=label)
    return Blow(case, ["withdraw", *NAMES])


class RestoreBlow(Blow):
    def prepare(self) -> None:
        super().prepare()
        for label in ("generic", "nix/generic", "gentoo/generic"):
            for name in NAMES:
                trash.move_to_trash(str(self.case.root / label / name))


def restore_blow(tmp_path: Path) -> Blow:
    case = withdraw_blow(tmp_path).case
    return RestoreBlow(case, ["restore", *NAMES])


class RemovingBlow(Blow):
    """Wheels that are removed from the inbox once they are placed: what is gone need not be given again."""

    def prepare(self) -> None:
        super().prepare()
        for path in (self.case.base / "kept").iterdir():
            (self.case.inbox / path.name).write_bytes(path.read_bytes())

    def check(self) -> None:
        super().check()
        everything = contents(self.case.base / "kept")
        assert everything <= contents(self.case.root, self.case.inbox), "something is lost"

    def verify(self, runner: Runner, without: tuple[str, ...]) -> None:
        self.check()
        still: Command = sorted(self.case.inbox.iterdir())  # type: ignore[assignment]
        if still:
            ran = runner.run("publish", *still, *self.command[4:], without=without)
            assert (ran.code, ran.err) == (0, "")
        assert self.case.state() == self.expected
        assert list(self.case.inbox.iterdir()) == []


def remove_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    wheels: Command = [
        case.given(f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"given {number}")
        for number in range(3)
    ]
    (tmp_path / "kept").mkdir()
    for path in case.inbox.iterdir():
        (tmp_path / "kept" / path.name).write_bytes(path.read_bytes())
    return RemovingBlow(case, ["publish", *wheels, "--to", "gentoo/avx2", "--remove-source"])


def restamp_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    for label in ("generic", "gentoo/avx", "gentoo/avx2", "nix/avx512"):
        for number in range(2):
            name = f"demo{number}-1.0-{number}-cp311-cp311-linux_x86_64.whl"
            case.standing(label, name, size=2_000, mark=f"{label} {number}")
    case.standing("gentoo/avx2", "other-1.0-999003avx2-py3-none-any.whl", mark="stale")
    return Blow(case, ["restamp"])


class UndoBlow(Blow):
    """A restamped tree that gets its former names back, to the byte."""

    def __init__(self, case: Case) -> None:
        super().__init__(case, ["restamp", "--undo"])
        self.first = bytes_of(case.start)
        assert Wheelhouse(Site.default(case.start)).restamp().ok
        assert not self.first.keys() & bytes_of(case.start).keys()

    def check_done(self) -> None:
        super().check_done()
        assert bytes_of(self.case.root) == self.first


def undo_blow(tmp_path: Path) -> Blow:
    case = restamp_blow(tmp_path).case
    return UndoBlow(case)


class UndoneBlow(Blow):
    """A restamping that is undone after it was killed."""

    def prepare(self) -> None:
        super().prepare()
        self.first = bytes_of(self.case.root)

    def verify(self, runner: Runner, without: tuple[str, ...]) -> None:
        self.check()
        undo: Command = ["restamp", "--undo", "--root", self.case.root]
        ran = runner.run(*undo, without=without)
        assert (ran.code, ran.err) == (0, "")
        assert bytes_of(self.case.root) == self.first
        assert leftovers(self.case.root) == []


def undone_blow(tmp_path: Path) -> Blow:
    return UndoneBlow(restamp_blow(tmp_path).case, ["restamp"])


class ViewBlow(Blow):
    """Links, some of which are there already, outdated or superfluous."""

    @property
    def view(self) -> Path:
        return self.case.base / "view"

    def prepare(self) -> None:
        if self.view.exists():
            for path in sorted(self.view.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        if not self.case.root.exists():
            self.case.again()
        place = self.view / "gentoo/avx2"
        place.mkdir(parents=True)
        (place / "gone-1.0-400000avx2-py3-none-any.whl").symlink_to(self.case.root / "gentoo/avx2/gone.whl")
        name = "demo0-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
        (place / name).symlink_to(self.case.root / "generic/elsewhere.whl")
        (place / "own.txt").write_text("mine")

    def check(self) -> None:
        for path in self.view.rglob("*.whl"):
            assert path.is_symlink()
        assert (self.view / "gentoo/avx2/own.txt").read_text() == "mine"
        assert self.case.state() == {
            str(path.relative_to(self.case.start)): content for path, content in self._first().items()
        }

    def _first(self) -> dict[Path, str]:
        from tests.whole import content_of, wheels_below

        return {path: content_of(path) for path in wheels_below(self.case.start)}

    def links(self) -> dict[str, str]:
        return {
            str(path.relative_to(self.view)): os.readlink(path)
            for path in sorted(self.view.rglob("*"))
            if path.is_symlink()
        }

    def learn(self, runner: Runner, without: tuple[str, ...]) -> float:
        self.prepare()
        ran = runner.run(*self.command, without=without)
        assert (ran.code, ran.err) == (0, "")
        self.expected = self.links()
        assert len(self.expected) == 30
        assert all(os.path.exists(target) for target in self.expected.values())
        return ran.seconds

    def check_done(self) -> None:
        self.check()
        assert self.links() == self.expected
        assert leftovers(self.view) == []


def view_blow(tmp_path: Path) -> Blow:
    case = Case(tmp_path)
    for number in range(15):
        for label in ("generic", "gentoo/avx2"):
            case.standing(label, f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"{label} {number}")
    return ViewBlow(case, ["view", "--output", tmp_path / "view"])


BLOWS = {
    "publish": publish_blow,
    "replace": replace_blow,
    "rebuild": rebuild_blow,
    "withdraw": withdraw_blow,
    "restore": restore_blow,
    "remove-source": remove_blow,
    "restamp": restamp_blow,
    "undo": undo_blow,
    "restamp-undone": undone_blow,
    "view": view_blow,
}
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


@pytest.mark.slow
@_EACH
@pytest.mark.parametrize("without", _FILESYSTEMS)
def test_killed_very_often(
    runner: Runner, tmp_path: Path, make: Callable[[Path], Blow], without: tuple[str, ...]
) -> None:
    strike(runner, make(tmp_path), without, SLOW, f"{make.__name__}{without}{time.time()}")


def steps_of(runner: Runner, blow: Blow, without: tuple[str, ...]) -> list[int]:
    """The steps of a run, of which each may be its last."""
    low, high = 0, 4096  # a run that is to be killed at a later step than it has ends by itself
    while low < high:
        middle = (low + high) // 2
        blow.prepare()
        if runner.run(*blow.command, without=without, kill_at=middle).killed:
            low = middle + 1
        else:
            high = middle
    assert 10 < low < 4096
    return list(range(low))


@_EACH
def test_killed_before_each_step(runner: Runner, tmp_path: Path, make: Callable[[Path], Blow]) -> None:
    blow = make(tmp_path)
    blow.learn(runner, ())
    steps = steps_of(runner, blow, ())
    for step in steps[:: len(steps) // 12 or 1]:
        blow.prepare()
        assert runner.run(*blow.command, kill_at=step).killed
        blow.verify(runner, ())


@pytest.mark.slow
@_EACH
@pytest.mark.parametrize("without", _FILESYSTEMS)
def test_killed_before_every_single_step(
    runner: Runner, tmp_path: Path, make: Callable[[Path], Blow], without: tuple[str, ...]
) -> None:
    blow = make(tmp_path)
    blow.learn(runner, without)
    for step in steps_of(runner, blow, without):
        blow.prepare()
        assert runner.run(*blow.command, without=without, kill_at=step).killed
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


def test_an_interrupted_run_leaves_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wheelhouse_resolver.cli.main import main

    blow = publish_blow(tmp_path)
    blow.prepare()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

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
