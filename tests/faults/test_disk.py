"""Disks that are full, small, read-only, or of a kind that lacks what others have."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.faults.runner import Runner
from tests.faults.trees import Case, leftovers
from tests.whole import assert_whole, wheels_below

NOBODY = 65534
PURE = "demo-1.0-py3-none-any.whl"
STAMPED = "demo-1.0-1000generic-py3-none-any.whl"


class Mounted:
    """A filesystem of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)


def mounted(path: Path, *how: str) -> Iterator[Mounted]:
    """Mount at *path*, or skip where this machine does not let us."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount")
    path.mkdir()
    done = subprocess.run(["mount", *how, path], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    try:
        yield Mounted(path)
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mounted]:
    yield from mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs")


@pytest.fixture
def disk_without_links(tmp_path: Path) -> Iterator[Mounted]:
    if shutil.which("mkfs.vfat") is None:
        pytest.skip("there is no mkfs.vfat")
    image = tmp_path / "image"
    image.write_bytes(bytes(8 << 20))
    subprocess.run(["mkfs.vfat", image], check=True, capture_output=True)
    yield from mounted(tmp_path / "disk", "-o", "loop", str(image))


def big(case: Case, count: int = 4) -> list[Path]:
    """Wheels of a third of the small disk each."""
    return [case.given(f"demo{n}-1.0-py3-none-any.whl", size=300_000, mark=f"{n}") for n in range(count)]


def test_a_full_disk_leaves_whole_wheels_and_one_line(runner: Runner, small_disk: Mounted) -> None:
    case = Case(small_disk.path)
    case.root.mkdir()
    inbox = Case(small_disk.path.parent)
    wheels = big(inbox)
    ran = runner.run("publish", *wheels, "--root", case.root)
    assert ran.code == 2
    assert ran.err.startswith(f"error: cannot write {case.root}/generic/demo")
    assert ran.err.endswith(": No space left on device\n")
    assert ran.err.count("\n") == 1
    placed = wheels_below(case.root)
    assert 0 < len(placed) < 4
    for path in placed:
        assert_whole(path)
    assert leftovers(case.root) == []
    small_disk.remount("size=8m")
    assert runner.run("publish", *wheels, "--root", case.root).code == 0
    assert len(wheels_below(case.root)) == 4


def test_a_full_disk_stops_a_restamp_that_goes_on_later(runner: Runner, small_disk: Mounted) -> None:
    root = small_disk.path / "house"
    standing = [
        make_wheel(root / "generic", f"demo{n}-1.0-py3-none-any.whl", files={"data": os.urandom(220_000)})
        for n in range(4)
    ]
    before = {path.name: path.read_bytes() for path in standing}
    filler = small_disk.path / "filler"
    filler.write_bytes(bytes(60_000))
    ran = runner.run("restamp", "--root", root)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith(": No space left on device\n")
    assert {path.name: path.read_bytes() for path in wheels_below(root)} == before
    small_disk.remount("size=2m")
    assert runner.run("restamp", "--root", root).code == 0
    assert [path.name for path in wheels_below(root)] == [
        f"demo{n}-1.0-1000generic-py3-none-any.whl" for n in range(4)
    ]


def test_a_view_on_a_disk_without_inodes_is_one_line(
    runner: Runner, small_disk: Mounted, tmp_path: Path
) -> None:
    case = Case(tmp_path)
    for number in range(30):
        case.standing("generic", f"demo{number}-1.0-py3-none-any.whl")
    case.again()
    small_disk.remount("nr_inodes=20")
    ran = runner.run("view", "--output", small_disk.path / "view", "--root", case.root)
    assert ran.code == 2
    assert ran.err.endswith(": No space left on device\n")
    small_disk.remount("nr_inodes=200")
    assert runner.run("view", "--output", small_disk.path / "view", "--root", case.root).code == 0
    assert leftovers(small_disk.path / "view") == []


@pytest.mark.parametrize("limit", [1000, 20_000, 299_000])
def test_a_limit_to_the_size_of_files_is_told(runner: Runner, tmp_path: Path, limit: int) -> None:
    case = Case(tmp_path)
    case.again()
    (wheel,) = big(case, 1)
    ran = runner.run("publish", wheel, "--root", case.root, file_size=limit)
    assert ran.code == 2
    assert (
        ran.err
        == f"error: cannot write {case.root}/generic/demo0-1.0-1000generic-py3-none-any.whl: File too large\n"
    )
    assert wheels_below(case.root) == []
    assert leftovers(case.root) == []
    assert runner.run("publish", wheel, "--root", case.root).code == 0
    case.check()


def test_a_read_only_filesystem_is_one_line(runner: Runner, small_disk: Mounted, tmp_path: Path) -> None:
    case = Case(tmp_path)
    root = small_disk.path / "house"
    make_wheel(root / "generic", PURE)
    (root / "generic/.wheelhouse-draft-h-1-1-1.part").touch()
    before = sorted(os.listdir(root / "generic"))
    wheel = case.given("other-1.0-py3-none-any.whl")
    small_disk.remount("ro")
    for command in (
        ["publish", wheel],
        ["publish", wheel, "--to", "gentoo/avx2"],
        ["restamp"],
        ["withdraw", PURE],
    ):
        ran = runner.run(*command, "--root", root)
        assert (ran.code, ran.out) == (2, ""), command
        assert ran.err.startswith("error: cannot write ")
        assert ran.err.endswith(": Read-only file system\n")
        assert ran.err.count("\n") == 1
    assert sorted(os.listdir(root / "generic")) == before
    # What needs no writing there works.
    assert runner.run("publish", wheel, "--dry-run", "--root", root).code == 0
    assert runner.run("view", "--output", tmp_path / "view", "--root", root).code == 0
    small_disk.remount("rw")


@pytest.mark.usefixtures("others_may_run_us")
def test_a_directory_that_one_may_not_write_is_one_line(runner: Runner, open_directory: Path) -> None:
    case = Case(open_directory)
    wheel = case.given("other-1.0-py3-none-any.whl")
    case.standing("generic", PURE)
    case.again()
    user = NOBODY if os.geteuid() == 0 else None
    for each in (case.root, case.root / "generic"):
        each.chmod(0o555)
    commands: list[list[str | Path]] = [["publish", wheel], ["restamp"], ["withdraw", PURE]]
    for command in commands:
        ran = runner.run(*command, "--root", case.root, user=user)
        assert (ran.code, ran.out) == (2, ""), command
        assert ran.err.startswith("error: cannot write ")
        message, *hint = ran.err.splitlines()
        assert message.endswith(": Permission denied")
        assert len(hint) == (command == ["restamp"])
    assert [path.name for path in wheels_below(case.root)] == [PURE]
    assert leftovers(case.root) == []


@pytest.mark.usefixtures("others_may_run_us")
def test_anothers_draft_that_one_may_not_remove_is_no_obstacle(runner: Runner, open_directory: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can be two users")
    case = Case(open_directory)
    wheel = case.given(PURE)
    case.again()
    draft = case.root / "generic/.wheelhouse-draft-h-1-1-1.part"
    draft.write_bytes(b"half")
    draft.chmod(0o600)
    (case.root / "generic").chmod(0o1777)
    ran = runner.run("publish", wheel, "--root", case.root, user=NOBODY)
    assert (ran.code, ran.err) == (0, "")
    assert [path.name for path in wheels_below(case.root)] == [STAMPED]
    assert draft.exists()


@pytest.mark.usefixtures("others_may_run_us")
def test_a_wheel_that_one_may_not_read_is_refused(runner: Runner, open_directory: Path) -> None:
    case = Case(open_directory)
    wheel = case.given(PURE)
    case.again()
    (case.root / "generic").chmod(0o777)
    wheel.chmod(0)
    ran = runner.run("publish", wheel, "--root", case.root, user=NOBODY if os.geteuid() == 0 else None)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(f"refused {wheel}: cannot be read: Permission denied\n")


@pytest.mark.usefixtures("others_may_run_us")
def test_a_source_that_one_may_not_remove_is_told(runner: Runner, open_directory: Path) -> None:
    case = Case(open_directory)
    wheel = case.given(PURE)
    case.again()
    (case.root / "generic").chmod(0o777)
    case.inbox.chmod(0o555)
    user = NOBODY if os.geteuid() == 0 else None
    ran = runner.run("publish", wheel, "--remove-source", "--root", case.root, user=user)
    assert (ran.code, ran.err) == (1, f"error: {wheel}: placed, but not removed: Permission denied\n")
    assert [path.name for path in wheels_below(case.root)] == [STAMPED]


def all_commands(runner: Runner, case: Case, root: Path, without: tuple[str, ...]) -> None:
    """Publish, refuse, replace, rebuild, withdraw, restore, restamp: the whole life of a wheel."""

    def run(*command: str | Path) -> tuple[int, str]:
        ran = runner.run(*command, "--root", root, without=without)
        return ran.code, ran.err

    first = case.given(PURE, mark="first")
    assert run("publish", first) == (0, "")
    assert run("publish", first) == (0, "")
    second = make_wheel(case.base / "second", PURE, files={"m.py": b"second"})
    code, told = run("publish", second)
    assert code == 1
    assert "already exists with different content" in told
    assert run("publish", second, "--rebuild") == (0, "")
    assert run("publish", second, "--replace") == (0, "")
    assert run("withdraw", STAMPED) == (0, "")
    assert run("restore", STAMPED) == (0, "")
    assert run("restore", STAMPED)[0] == 2
    make_wheel(root / "gentoo/avx2", PURE)
    assert run("restamp") == (0, "")
    assert [str(path.relative_to(root)) for path in wheels_below(root)] == [
        "generic/demo-1.0-1000generic-py3-none-any.whl",
        "generic/demo-1.0-1001generic-py3-none-any.whl",
        "gentoo/avx2/demo-1.0-400000avx2-py3-none-any.whl",
    ]
    for path in wheels_below(root):
        assert_whole(path)
    assert leftovers(root) == []


@pytest.mark.parametrize(
    "without",
    [(), ("locks",), ("links",), ("links", "locks"), ("links", "renames")],
    ids=lambda lacking: "-".join(["no", *lacking]) if lacking else "all",
)
def test_everything_works_whatever_the_filesystem_lacks(
    runner: Runner, tmp_path: Path, without: tuple[str, ...]
) -> None:
    case = Case(tmp_path)
    case.again()
    all_commands(runner, case, case.root, without)


def test_everything_works_on_a_real_filesystem_without_links(
    runner: Runner, disk_without_links: Mounted, tmp_path: Path
) -> None:
    root = disk_without_links.path / "house"
    root.mkdir()
    with pytest.raises(OSError, match=r".*"):
        os.link(make_wheel(root / "x", PURE), root / "x/other")
    shutil.rmtree(root / "x")
    all_commands(runner, Case(tmp_path), root, ())


def test_without_links_renames_and_locks_it_refuses_rather_than_risks(runner: Runner, tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.again()
    ran = runner.run("publish", case.given(PURE), "--root", case.root, without=("links", "renames", "locks"))
    assert ran.code == 2
    assert ran.err.endswith(": No locks available\n")
    assert wheels_below(case.root) == []
    assert leftovers(case.root) == []


def test_a_full_disk_takes_no_part_of_an_edited_wheel(
    runner: Runner, small_disk: Mounted, tmp_path: Path
) -> None:
    content = {"demo.bin": os.urandom(1_200_000)}
    wheel = make_wheel(tmp_path, PURE, files=content, requires_dist=["a"])
    done = runner.run("relabel", wheel, "--remove-requires", "a", "--output-dir", small_disk.path)
    assert done.code == 2
    assert done.err == f"error: cannot write {small_disk.path / PURE}: No space left on device\n"
    assert os.listdir(small_disk.path) == []
    assert_whole(wheel)
