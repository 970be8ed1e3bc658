from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wheelhouse_resolver.builder.process.scratch import (
    Owner,
    clear_leftovers,
    is_over,
    remove_tree,
    scratch_directory,
    this_process,
)
from wheelhouse_resolver.errors import OutputError

NOBODY = 65534

HERE = Owner("node-1", "boot", "77", 10, "500")


@pytest.mark.parametrize(
    ("owner", "start", "over"),
    [
        (HERE._replace(pid=9), "", True),
        (HERE._replace(pid=9), "500", False),
        (HERE._replace(pid=9), "600", True),
        (HERE._replace(boot="before"), "500", True),
        (HERE._replace(boot=""), "", False),
        (HERE._replace(node="node-2"), "", False),
        (HERE._replace(space="88"), "", False),
    ],
    ids=[
        "ended",
        "runs",
        "number-used-again",
        "before-a-reboot",
        "unknown-boot",
        "other-node",
        "other-container",
    ],
)
def test_who_is_certainly_over(owner: Owner, start: str, over: bool) -> None:
    assert is_over(owner, HERE, start) is over


def test_a_scratch_directory_is_gone_afterwards(tmp_path: Path) -> None:
    with scratch_directory(str(tmp_path / "work")) as scratch:
        (Path(scratch) / "file").touch()
        assert os.listdir(tmp_path / "work") == [os.path.basename(scratch)]
    assert os.listdir(tmp_path / "work") == []


def test_a_scratch_directory_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_directory(str(tmp_path)):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_one_that_is_to_be_kept_is_nobodys_to_clear_away(tmp_path: Path) -> None:
    code = (
        "from wheelhouse_resolver.builder.process.scratch import *\n"
        f"with scratch_directory({str(tmp_path)!r}, keep=True): pass"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert clear_leftovers(str(tmp_path)) == []
    assert len(os.listdir(tmp_path)) == 1


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    with scratch_directory(str(tmp_path)) as first, scratch_directory(str(tmp_path)) as second:
        assert first != second
        assert os.path.isdir(first)
        assert clear_leftovers(str(tmp_path)) == []


def test_what_a_killed_build_leaves_is_cleared_away_by_the_next(tmp_path: Path) -> None:
    code = (
        "import os, signal\nfrom wheelhouse_resolver.builder.process.scratch import *\n"
        f"with scratch_directory({str(tmp_path)!r}) as scratch:\n"
        "    open(os.path.join(scratch, 'file'), 'w').close()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    elsewhere = left.replace(os.uname().nodename, "another-node")
    (tmp_path / elsewhere).mkdir()
    (tmp_path / "somebody's").mkdir()
    with scratch_directory(str(tmp_path)) as scratch:
        assert sorted(os.listdir(tmp_path)) == sorted([elsewhere, "somebody's", os.path.basename(scratch)])


def test_this_process_is_told_from_others() -> None:
    own = this_process()
    assert own.pid == os.getpid()
    assert own.start
    assert not is_over(own, own, own.start)


def test_read_only_directories_are_removed_too(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    outside.chmod(0o500)
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").touch()
    (tree / "a/link").symlink_to(outside)
    for each in (tree / "a/b", tree / "a"):
        each.chmod(0o500)
    child = os.fork()
    if child == 0:
        os.chdir(tmp_path)
        if os.geteuid() == 0:  # root may remove everything anyway
            for each in (tmp_path, *tmp_path.rglob("*")):
                os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        remove_tree("tree")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert not tree.exists()
    assert outside.stat().st_mode & 0o777 == 0o500


def test_a_work_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"file/work: Not a directory"),
        scratch_directory(f"{tmp_path}/file/work"),
    ):
        pass
