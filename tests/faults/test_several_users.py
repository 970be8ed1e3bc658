"""Several people of one group look after one wheelhouse: none is in another's way."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.faults.runner import Runner
from tests.faults.trees import Case

ANNA, BEN, GROUP = 54321, 54322, 54300

NAME = "demo{}-1.0-cp311-cp311-linux_x86_64.whl"
STAMPED = "demo{}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")


@pytest.fixture
def case(open_directory: Path, others_may_run_us: None) -> Case:
    """A wheelhouse whose directories belong to the group, and an inbox that everybody can read."""
    found = Case(open_directory)
    found.again()
    for path in (found.root, *found.root.rglob("*")):
        if path.is_dir():
            os.chown(path, 0, GROUP)
            path.chmod(0o2775)
    return found


def run(runner: Runner, case: Case, user: int, *command: str | os.PathLike[str]) -> str:
    """What the *command* of that *user*, who has the usual umask, prints; it must succeed."""
    ran = runner.run(*command, "--root", case.root, user=user, group=GROUP)
    assert (ran.code, ran.err) == (0, "")
    return ran.out


def publish(runner: Runner, case: Case, user: int, number: int, mark: str, *more: str) -> str:
    shutil.rmtree(case.inbox, ignore_errors=True)
    wheel = case.given(NAME.format(number), mark=mark)
    return run(runner, case, user, "publish", wheel, "--to", "gentoo/avx2", *more)


def test_each_can_replace_withdraw_and_restore_whatever_the_other_did(runner: Runner, case: Case) -> None:
    publish(runner, case, ANNA, 1, "one")
    publish(runner, case, ANNA, 1, "another", "--replace")
    trash = case.root / "gentoo/avx2/.trash"
    for path in (trash, *trash.iterdir()):
        if path.is_dir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o2775
        assert path.stat().st_gid == GROUP
    publish(runner, case, BEN, 2, "one")
    publish(runner, case, BEN, 2, "another", "--replace")
    publish(runner, case, BEN, 1, "a third", "--replace")
    for user in (ANNA, BEN):
        for number in (1, 2):
            run(runner, case, user, "withdraw", STAMPED.format(number))
            run(runner, case, user, "restore", STAMPED.format(number))
    case.check_whole()


def test_each_can_go_on_with_the_index_whatever_the_others_umask(runner: Runner, case: Case) -> None:
    index, site = case.root / "index", case.root / "site.toml"
    site.write_text(f'root = "{case.root}"\n[index]\ndirectory = "{index}"\n')
    site.chmod(0o644)

    def does(user: int, umask: int, *command: str | os.PathLike[str]) -> str:
        ran = runner.run(*command, "--config", site, user=user, group=GROUP, umask=umask)
        assert (ran.code, ran.err) == (0, ""), (user, command)
        return ran.out

    def listed() -> list[str]:
        return sorted(page.parent.name for page in index.glob("avx2-gentoo/*/index.html"))

    does(ANNA, 0o077, "index")
    for user, umask, number in ((BEN, 0o022, 1), (ANNA, 0o077, 2), (BEN, 0o077, 3)):
        wheel = case.given(NAME.format(number))
        wheel.chmod(0o644)
        does(user, umask, "publish", wheel, "--to", "gentoo/avx2")
    assert listed() == ["demo1", "demo2", "demo3"]
    does(ANNA, 0o022, "withdraw", STAMPED.format(1))
    does(BEN, 0o077, "withdraw", STAMPED.format(2))
    does(BEN, 0o022, "restore", STAMPED.format(1))
    assert listed() == ["demo1", "demo3"]
    assert "0 read; 0 pages written, 0 removed" in does(ANNA, 0o077, "index")
    for path in (index, *index.rglob("*")):
        mode, group = stat.S_IMODE(path.stat().st_mode), path.stat().st_gid
        wanted = 0o2775 if path.is_dir() else 0o664
        assert (oct(mode), group) == (oct(wanted), GROUP), path


def test_each_can_stamp_the_others_wheels(runner: Runner, case: Case) -> None:
    for number, user in ((1, ANNA), (2, BEN)):
        (path := case.given(NAME.format(number))).rename(case.root / "gentoo/avx2" / path.name)
        os.chown(case.root / "gentoo/avx2" / path.name, user, GROUP)
    publish(runner, case, ANNA, 3, "one")
    publish(runner, case, ANNA, 3, "another", "--replace")
    run(runner, case, BEN, "restamp")
    assert {*case.state()} == {f"gentoo/avx2/{STAMPED.format(number)}" for number in (1, 2, 3)}


def test_replacing_is_one_step_for_each_where_names_cannot_be_exchanged(runner: Runner, case: Case) -> None:
    for user, mark in ((ANNA, "one"), (BEN, "two"), (ANNA, "three")):
        shutil.rmtree(case.inbox, ignore_errors=True)
        wheel = case.given(NAME.format(1), mark=mark)
        more = ["--to", "gentoo/avx2", "--replace", "--root", str(case.root)]
        ran = runner.run("publish", wheel, *more, user=user, group=GROUP, without=["renames"])
        assert (ran.code, ran.err) == (0, "")
    lock = case.root / "gentoo/avx2/.trash/lock"
    assert stat.S_IMODE(lock.stat().st_mode) == 0o664


def test_the_directory_that_is_in_the_way_is_named(runner: Runner, case: Case) -> None:
    publish(runner, case, ANNA, 1, "one")
    trash = case.root / "gentoo/avx2/.trash"
    trash.mkdir()
    ran = runner.run("withdraw", STAMPED.format(1), "--root", case.root, user=BEN, group=GROUP)
    assert (ran.code, ran.err) == (2, f"error: cannot write {trash}: Permission denied\n")
    case.check_whole()
