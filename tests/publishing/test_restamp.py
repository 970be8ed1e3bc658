"""`restamp` mends an existing tree in place, in an order in which nothing gets worse on the way."""

from __future__ import annotations

import errno
import os
import zipfile
from pathlib import Path

import pytest

from tests.wheelhouse import WheelhouseFixture, everything_below
from tests.whole import assert_whole, content_of, wheels_below
from wheelhouse_resolver.publishing import trash

PURE = "demo-1.0-py3-none-any.whl"
PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"
STAMPED = "demo-1.0-1000generic-py3-none-any.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def one(marks: str) -> dict[str, dict[str, bytes]]:
    return {"files": {"demo.py": f"MARK = {marks!r}\n".encode()}}


def test_every_wheel_gets_the_stamp_of_its_directory(house: WheelhouseFixture) -> None:
    standing = [
        house.add("generic", "demo-1.0-py3-none-any.whl"),
        house.add("gentoo/avx", "demo-1.0-2-cp311-cp311-linux_x86_64.whl"),
        house.add("gentoo/avx2", "demo-1.0-999003avx2-cp311-cp311-linux_x86_64.whl"),
        house.add("nix/avx512", "demo-1.0-400004avx2-cp311-cp311-linux_x86_64.whl"),
    ]
    contents = sorted(map(content_of, standing))
    done = house.run("restamp")
    assert (done.code, done.err) == (0, "")
    assert house.wheels() == [
        "generic/demo-1.0-1000generic-py3-none-any.whl",
        "gentoo/avx/demo-1.0-300002avx-cp311-cp311-linux_x86_64.whl",
        "gentoo/avx2/demo-1.0-400003avx2-cp311-cp311-linux_x86_64.whl",
        "nix/avx512/demo-1.0-500004avx512-cp311-cp311-linux_x86_64.whl",
    ]
    for path in wheels_below(house.root):
        assert_whole(path)
    assert sorted(map(content_of, wheels_below(house.root))) == contents
    assert [line.split()[0] for line in done.out.splitlines()] == ["stamped"] * 4


def test_the_most_specific_directory_comes_first(house: WheelhouseFixture) -> None:
    for label in ("generic", "gentoo/generic", "gentoo/avx512", "gentoo/sse3"):
        house.add(label, PLAIN)
    lines = house.run("restamp").out.splitlines()
    assert [line.split("/house/")[1].rpartition("/")[0] for line in lines] == [
        "gentoo/avx512", "gentoo/sse3", "gentoo/generic", "generic",
    ]  # fmt: skip


def test_a_second_run_changes_nothing(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    house.run("restamp")
    before = everything_below(house.root)
    done = house.run("restamp")
    assert done == (0, "", "")
    assert everything_below(house.root) == before


def test_a_dry_run_says_it_and_touches_nothing(house: WheelhouseFixture) -> None:
    path = house.add("generic", PURE)
    (house.root / "generic/.wheelhouse-draft-h-1-1-1.part").touch()
    before = everything_below(house.root)
    done = house.run("restamp", "--dry-run")
    assert done == (0, f"would rename {path} to {STAMPED}\n", "")
    assert everything_below(house.root) == before


def test_what_a_killed_run_left_is_finished_and_cleared(house: WheelhouseFixture) -> None:
    # The stamped one was placed, and the unstamped one not yet removed.
    house.add("generic", PURE)
    house.publish(house.wheel(PURE))
    house.add("generic", PURE)
    (house.root / "gentoo/avx/.wheelhouse-draft-h-1-1-1.part").write_bytes(b"half")
    assert sorted(house.wheels("generic")) == [STAMPED, PURE]
    assert house.run("restamp").code == 0
    assert house.wheels() == [f"generic/{STAMPED}"]
    assert os.listdir(house.root / "gentoo/avx") == []


def test_a_stamped_wheel_with_other_content_is_told_and_both_stay(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(PURE, **one("stamped")))
    unstamped = house.add("generic", PURE, **one("unstamped"))
    house.add("gentoo/avx", "other-1.0-cp311-cp311-linux_x86_64.whl")
    done = house.run("restamp")
    assert done.code == 1
    assert done.err == (
        f"error: {unstamped}: cannot be stamped: {STAMPED} already exists with different content\n"
        "hint: installers take the stamped one; to withdraw the other: "
        f"`{house.site.command('withdraw', '--to', 'generic', PURE)}`\n"
    )
    assert sorted(house.wheels("generic")) == [STAMPED, PURE]
    assert house.wheels("gentoo") == ["avx/other-1.0-300000avx-cp311-cp311-linux_x86_64.whl"]


@pytest.mark.parametrize("kind", ["damaged", "pipe", "directory", "build-number"])
def test_what_cannot_be_stamped_is_told_and_the_others_are(house: WheelhouseFixture, kind: str) -> None:
    bad = house.root / "generic/bad-1.0-py3-none-any.whl"
    if kind == "damaged":
        bad.write_bytes(b"half")
    elif kind == "pipe":
        os.mkfifo(bad)
    elif kind == "directory":
        bad.mkdir()
    else:
        house.add("generic", "bad-1.0-20240101-py3-none-any.whl")
    (house.root / "generic/not a wheel.whl").touch()
    house.add("generic", PURE)
    done = house.run("restamp")
    assert done.code == 1
    assert "bad-1.0-" in done.err
    assert done.err.count("error: ") == 1
    assert STAMPED in house.wheels("generic")


def test_a_file_that_came_in_place_of_the_old_one_is_never_lost(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between being read and being removed, somebody puts another wheel of the name there.
    path = house.add("generic", PURE, **one("old"))
    remove = trash.remove_if_unchanged

    def meanwhile(what: str, known: tuple[int, ...]) -> bool:
        path.unlink()
        house.add("generic", PURE, **one("new"))
        return remove(what, known)

    monkeypatch.setattr(trash, "remove_if_unchanged", meanwhile)
    house.run("restamp")
    assert sorted(house.wheels("generic")) == [STAMPED, PURE]
    assert b"'new'" in zipfile.ZipFile(path).read("demo.py")
    assert b"'old'" in zipfile.ZipFile(house.root / "generic" / STAMPED).read("demo.py")


def test_a_wheel_that_changes_between_check_and_copy_is_told_and_stays(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = house.add("generic", PURE, **one("old"))
    file_id = trash.file_id

    def meanwhile(what: str) -> tuple[int, ...]:
        found = file_id(what)
        house.add("generic", PURE, **one("new"))
        return found

    monkeypatch.setattr(trash, "file_id", meanwhile)
    done = house.run("restamp")
    assert done.code == 1
    assert done.err == f"error: {path}: changed while it was read (demo.py); nothing placed\n"
    assert house.wheels("generic") == [PURE]
    assert b"'new'" in zipfile.ZipFile(path).read("demo.py")


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_a_link_is_replaced_by_a_stamped_wheel_and_its_target_stays(
    house: WheelhouseFixture, tmp_path: Path, relative: bool
) -> None:
    store = house.wheel(PURE)
    target = os.path.relpath(store, house.root / "generic") if relative else str(store)
    (house.root / "generic" / PURE).symlink_to(target)
    assert house.run("restamp").code == 0
    assert house.wheels("generic") == [STAMPED]
    assert not (house.root / "generic" / STAMPED).is_symlink()
    assert_whole(house.root / "generic" / STAMPED)
    assert store.exists()


def test_a_full_disk_ends_the_run_at_once_with_one_line(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("generic", PURE)
    house.add("gentoo/avx2", PLAIN)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    done = house.run("restamp")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: cannot write {house.root}/gentoo/avx2/demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl: "
        "No space left on device\n"
    )
    assert house.wheels() == [f"generic/{PURE}", f"gentoo/avx2/{PLAIN}"]


# -- tag inversions ----------------------------------------------------------------------------------------


def test_retag_gives_wheels_tags_that_leave_no_inversion(house: WheelhouseFixture) -> None:
    house.add("generic", "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
    house.add("gentoo/avx2", PLAIN)
    assert house.run("restamp").code == 0
    assert house.run("audit").code == 1
    done = house.run("restamp", "--retag")
    assert (done.code, done.err) == (0, "")
    assert house.wheels("gentoo/avx2") == [
        "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.manylinux_2_17_x86_64.whl"
    ]
    assert_whole(wheels_below(house.root / "gentoo")[0])
    assert house.run("audit").code == 0


def test_what_no_tags_can_mend_is_told_and_stays(house: WheelhouseFixture) -> None:
    # To take on the lower one's tag would offer the higher one to Pythons that it is not for.
    house.add("generic", "demo-1.0-1000generic-cp311-abi3-linux_x86_64.whl")
    house.add("gentoo/avx2", "demo-1.0-400000avx2-cp311-none-any.whl")
    before = house.wheels()
    done = house.run("restamp", "--retag")
    assert (done.code, done.out) == (1, "")
    assert "a tag inversion that new tags cannot fix: " in done.err
    assert "\nhint: withdraw one of the two: `" in done.err
    assert house.wheels() == before


def test_a_damaged_wheel_in_an_inversion_is_told_and_the_others_are_mended(house: WheelhouseFixture) -> None:
    for name in ("demo", "other"):
        house.add("generic", f"{name}-1.0-1000generic-cp311-cp311-manylinux_2_17_x86_64.whl")
        house.add("gentoo/avx2", f"{name}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl")
    damaged = house.root / "gentoo/avx2/demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
    damaged.write_bytes(b"half")
    done = house.run("restamp", "--retag")
    assert done.code == 1
    assert done.err.startswith(f"error: {damaged}: invalid wheel: invalid zip file")
    tags = "linux_x86_64.manylinux_2_17_x86_64"
    assert f"other-1.0-400000avx2-cp311-cp311-{tags}.whl" in house.wheels("gentoo/avx2")
