"""`restamp` mends an existing tree in place, in an order in which nothing gets worse on the way."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
import zipfile
from pathlib import Path

import pytest

from tests.factories import pack, wheel_files
from tests.wheelhouse import Done, WheelhouseFixture, everything_below
from tests.whole import assert_whole, content_of, wheels_below
from wheelhouse_resolver.publishing import trash

PURE = "demo-1.0-py3-none-any.whl"
PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"
STAMPED = "demo-1.0-1000generic-py3-none-any.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def kept_below(root: Path) -> list[Path]:
    """The old wheels that restamping has kept."""
    return sorted(root.rglob(".trash/*/*.whl"))


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
    *lines, totals, took = done.out.splitlines()
    assert [line.split()[0] for line in lines] == ["stamped"] * 4
    size = sum(path.stat().st_size for path in kept_below(house.root))
    assert totals == f"4 wheels rewritten ({size / 1000:.1f} kB), 0 with a current stamp already"
    assert took.startswith("it took a second or less (")


def test_the_most_specific_directory_comes_first(house: WheelhouseFixture) -> None:
    for label in ("generic", "gentoo/generic", "gentoo/avx512", "gentoo/sse3"):
        house.add(label, PLAIN)
    lines = house.run("restamp").out.splitlines()[:4]
    assert [line.split("/house/")[1].rpartition("/")[0] for line in lines] == [
        "gentoo/avx512", "gentoo/sse3", "gentoo/generic", "generic",
    ]  # fmt: skip


def test_a_second_run_changes_nothing(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    house.run("restamp")
    before = everything_below(house.root)
    done = house.run("restamp")
    assert done == (0, "0 wheels rewritten (0 bytes), 1 with a current stamp already\n", "")
    assert everything_below(house.root) == before


def test_a_dry_run_says_it_and_touches_nothing(house: WheelhouseFixture) -> None:
    path = house.add("generic", PURE)
    (house.root / "generic/.wheelhouse-draft-h-1-1-1.part").touch()
    before = everything_below(house.root)
    done = house.run("restamp", "--dry-run")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == [
        f"would rename {path} to {STAMPED}",
        f"1 wheel to rewrite ({path.stat().st_size} bytes), 0 with a current stamp already",
    ]
    assert re.fullmatch(
        rf"that takes about a second or less \(.*/s, measured by reading all and rewriting it in "
        rf"{tempfile.gettempdir()}\)",
        lines[2],
    )
    assert lines[3:] == ["the old wheels are kept in .trash/ for --undo, until --forget removes them"]
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


def test_a_stamped_wheel_with_other_content_is_reported_and_both_stay(house: WheelhouseFixture) -> None:
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


@pytest.mark.parametrize("kind", ["damaged", "hash", "pipe", "directory", "link", "build-number"])
def test_what_cannot_be_stamped_is_reported_and_the_others_are(house: WheelhouseFixture, kind: str) -> None:
    bad = house.root / "generic/bad-1.0-py3-none-any.whl"
    if kind == "damaged":
        bad.write_bytes(b"half")
    elif kind == "pipe":
        os.mkfifo(bad)
    elif kind == "directory":
        bad.mkdir()
    elif kind == "link":
        bad.symlink_to("nowhere")
    elif kind == "hash":
        pack(bad, {**wheel_files(bad.name), "bad.py": b"other"})
    else:
        house.add("generic", "bad-1.0-20240101-py3-none-any.whl")
    (house.root / "generic/not a wheel.whl").touch()
    path = house.add("generic", PURE)
    planned = house.run("restamp", "--dry-run")
    done = house.run("restamp")
    assert done.code == 1
    assert "bad-1.0-" in done.err
    assert done.err.count("error: ") == 1
    assert (planned.code, planned.err) == (done.code, done.err)
    assert f"would rename {path} to {STAMPED}\n1 wheel to rewrite" in planned.out
    assert STAMPED in house.wheels("generic")


def test_a_file_that_came_in_place_of_the_old_one_is_never_lost(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between being read and being removed, somebody puts another wheel of the name there.
    path = house.add("generic", PURE, **one("old"))
    keep = trash.keep_if_unchanged

    def meanwhile(what: str, known: tuple[int, ...], slot: str | None) -> trash.Trashed | None:
        path.unlink()
        house.add("generic", PURE, **one("new"))
        return keep(what, known, slot)

    monkeypatch.setattr(trash, "keep_if_unchanged", meanwhile)
    house.run("restamp")
    assert sorted(house.wheels("generic")) == [STAMPED, PURE]
    assert b"'new'" in zipfile.ZipFile(path).read("demo.py")
    assert b"'old'" in zipfile.ZipFile(house.root / "generic" / STAMPED).read("demo.py")


def test_a_wheel_that_changes_between_check_and_copy_is_reported_and_stays(
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
    assert "restamp.journal: No space left on device\n" in done.err
    done = house.run("restamp", "--no-undo")
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


def test_what_no_tags_can_fix_is_reported_and_stays(house: WheelhouseFixture) -> None:
    # To take on the lower one's tag would offer the higher one to Pythons that it is not for.
    house.add("generic", "demo-1.0-1000generic-cp311-abi3-linux_x86_64.whl")
    house.add("gentoo/avx2", "demo-1.0-400000avx2-cp311-none-any.whl")
    before = house.wheels()
    done = house.run("restamp", "--retag")
    assert done.code == 1
    assert done.out.startswith("inversion: policy wants gentoo/avx2/demo-1.0-400000avx2-cp311-none-any.whl, ")
    assert done.out.endswith(
        "\n0 wheels rewritten (0 bytes), 2 with a current stamp already\n"
        f"1 tag inversion left, which no stamp fixes; details: `{house.site.command('audit')}`\n"
    )
    assert "a tag inversion that new tags cannot fix: " in done.err
    assert "\nhint: withdraw one of the two: `" in done.err
    assert house.wheels() == before


def test_a_damaged_wheel_in_an_inversion_is_reported_and_the_others_are_fixed(
    house: WheelhouseFixture,
) -> None:
    for name in ("demo", "other"):
        house.add("generic", f"{name}-1.0-1000generic-cp311-cp311-manylinux_2_17_x86_64.whl")
        house.add("gentoo/avx2", f"{name}-1.0-400000avx2-cp311-cp311-linux_x86_64.whl")
    damaged = house.root / "gentoo/avx2/demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
    damaged.write_bytes(b"half")
    done = house.run("restamp", "--retag")
    assert done.code == 1
    assert done.err.startswith(f"error: {damaged}: invalid wheel: invalid zip file")
    withdraw = house.site.command("withdraw", "--to", "gentoo/avx2", damaged.name)
    assert f"\nhint: to withdraw it: `{withdraw}`\n" in done.err
    tags = "linux_x86_64.manylinux_2_17_x86_64"
    assert f"other-1.0-400000avx2-cp311-cp311-{tags}.whl" in house.wheels("gentoo/avx2")


# -- what restamping leaves --------------------------------------------------------------------------------


def inverted(house: WheelhouseFixture) -> list[str]:
    """Unstamped wheels, of which those in avx512 lose by their tags whatever their stamps; their projects."""
    projects = ["demo", "other"]
    for name in projects:
        for label in ("generic", "gentoo/avx2"):
            house.add(label, f"{name}-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
        house.add("gentoo/avx512", f"{name}-1.0-cp311-cp311-linux_x86_64.whl")
    house.add("gentoo/avx512", "fine-1.0-500000avx512-cp311-cp311-linux_x86_64.whl")
    return projects


def test_restamp_and_its_dry_run_say_which_inversions_stay(house: WheelhouseFixture) -> None:
    projects = inverted(house)
    planned = house.run("restamp", "--dry-run")
    done = house.run("restamp")
    for each in (planned, done):
        assert (each.code, each.err) == (0, "")
        lines = [line for line in each.out.splitlines() if line.startswith("inversion: ")]
        assert lines == [
            f"inversion: policy wants gentoo/avx512/{name}-1.0-500000avx512-cp311-cp311-linux_x86_64.whl, "
            f"pip 21.1 to 26.2, uv would take gentoo/avx2/{name}-1.0-400000avx2-cp311-cp311-"
            "manylinux_2_17_x86_64.whl: a better wheel tag"
            for name in projects
        ]
        command = house.site.command("restamp", "--retag")
        end = f"2 tag inversions left, which no stamp fixes; equal tags may: `{command}`\n"
        assert each.out.endswith(end)
        assert "1 with a current stamp already" in each.out
    found = json.loads(house.run("audit", "--json").out)
    assert [each["kind"] for each in found] == ["tag-inversion"] * 2
    assert house.run("restamp", "--retag").code == 0
    assert house.run("restamp").out == "0 wheels rewritten (0 bytes), 7 with a current stamp already\n"


def test_the_totals_and_what_is_left_are_there_for_programs(house: WheelhouseFixture) -> None:
    inverted(house)
    planned, done = (json.loads(house.run("restamp", "--json", *more).out) for more in (["--dry-run"], []))
    size = sum(path.stat().st_size for path in kept_below(house.root))
    for each, result in ((planned, "planned"), (done, "stamped")):
        assert [change["result"] for change in each["changes"]] == [result] * 6
        totals = each["totals"]
        assert (totals["wheels"], totals["current"], totals["size"]) == (6, 1, size)
        assert 0 < totals["seconds"] < 60
        assert [Path(left["wanted"]).name.partition("-")[0] for left in totals["left"]] == ["demo", "other"]
        assert totals["left"][0]["hosts"] == ["gentoo/avx512"]
    assert planned["totals"]["left"] == done["totals"]["left"]


def test_what_nobody_can_install_inverts_nothing(house: WheelhouseFixture) -> None:
    (house.root / "generic/demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl").symlink_to("nowhere")
    house.add("gentoo/avx2", PLAIN)
    for more in (["--dry-run"], []):
        assert "inversion" not in house.run("restamp", *more).out


def test_the_estimate_grows_with_the_bytes(house: WheelhouseFixture) -> None:
    # Ten times the wheels of the same size: about ten times the time of one.
    content = {"files": {"data": os.urandom(3_000_000)}}
    house.add("generic", "demo0-1.0-py3-none-any.whl", **content)
    alone = json.loads(house.run("restamp", "--json", "--dry-run").out)["totals"]
    for number in range(1, 10):
        house.add("generic", f"demo{number}-1.0-py3-none-any.whl", **content)
    many = json.loads(house.run("restamp", "--json", "--dry-run").out)["totals"]
    assert (alone["wheels"], many["wheels"]) == (1, 10)
    assert many["size"] == pytest.approx(10 * alone["size"], rel=0.01)
    assert many["seconds"] > alone["seconds"]


# -- names that were withdrawn -----------------------------------------------------------------------------


def withdrawn_earlier(house: WheelhouseFixture, mark: bytes) -> Path:
    """A wheel without a stamp, whose stamped name was withdrawn with that content."""
    name = "demo-1.0-py3-none-any.whl"
    house.publish(house.wheel(name, files={"demo.py": b"first"}))
    assert house.run("withdraw", "demo-1.0-1000generic-py3-none-any.whl").code == 0
    return house.add("generic", name, files={"demo.py": mark})


def hinted(house: WheelhouseFixture, done: Done) -> None:
    """Run the command that the hint names, as it is."""
    ran = house.shell(done.err.rpartition("hint: ")[2].split("`")[1])
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("how", ["restamp", "neighbour", "audit"])
def test_a_name_that_was_withdrawn_with_other_content_is_not_given_again(
    house: WheelhouseFixture, how: str
) -> None:
    path = withdrawn_earlier(house, b"second")
    better = house.wheel("demo-1.0-py3-none-any.whl", files={"demo.py": b"better"})
    publish = ("publish", better, "--to", "gentoo/generic")
    if how == "audit":
        (found,) = json.loads(house.run("audit", "--json").out)
        ran = house.shell(found["fix"])
        assert (found["kind"], ran.returncode, ran.stderr) == ("unstamped", 0, "")
    else:
        done = house.run(*(["restamp"] if how == "restamp" else publish))
        assert done.code == 1
        assert f"error: {path}: cannot be stamped: demo-1.0-1000generic-py3-none-any.whl: a wheel" in done.err
        assert house.wheels() == ["generic/demo-1.0-py3-none-any.whl"]
        done = house.run("restamp")
        hinted(house, done)
    assert house.wheels() == ["generic/demo-1.0-1001generic-py3-none-any.whl"]
    house.publish(*publish[1:])
    assert house.run("audit", "--json").code == 0
    assert house.run("restamp").code == 0


def test_a_name_that_was_withdrawn_with_the_same_content_is_given_again(house: WheelhouseFixture) -> None:
    withdrawn_earlier(house, b"first")
    (found,) = json.loads(house.run("audit", "--json").out)
    assert (found["kind"], found["fix"]) == ("unstamped", house.site.command("restamp"))
    assert house.run("restamp").code == 0
    assert house.wheels() == ["generic/demo-1.0-1000generic-py3-none-any.whl"]


def test_the_fix_of_a_wrong_order_with_such_a_name_works(house: WheelhouseFixture) -> None:
    withdrawn_earlier(house, b"second")
    name = "demo-1.0-py3-none-any.whl"
    house.add("gentoo/generic", name, files={"demo.py": b"other"})
    found = json.loads(house.run("audit", "--json").out)
    (order,) = [each for each in found if each["kind"] == "wrong-order"]
    ran = house.shell(order["fix"])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert house.run("restamp").code == 0
    assert json.loads(house.run("audit", "--json").out) == []
    assert f"generic/{name}" not in house.wheels()
