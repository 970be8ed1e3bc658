"""`restamp --undo`: every wheel gets its former name and bytes back, but where something changed since."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_wheel
from tests.wheelhouse import Done, WheelhouseFixture
from tests.whole import wheels_below
from wheelhouse_resolver import Wheelhouse
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.journal import Journal
from wheelhouse_resolver.utils import atomic

PURE = "demo-1.0-py3-none-any.whl"
LINUX = "demo-1.0-cp311-cp311-linux_x86_64.whl"
STAMPED = "demo-1.0-1000generic-py3-none-any.whl"
AVX2 = "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def one(mark: str) -> dict[str, dict[str, bytes]]:
    return {"files": {"demo.py": f"MARK = {mark!r}\n".encode()}}


def filled(house: WheelhouseFixture) -> Mapping[str, bytes]:
    """A tree of unstamped, stale, foreign and current wheels; all that is in it."""
    house.add("generic", PURE)
    house.add("gentoo/avx2", LINUX)
    house.add("gentoo/avx", "demo-1.0-7-cp311-cp311-linux_x86_64.whl")
    house.add("nix/avx", "demo-1.0-400004avx2-cp311-cp311-linux_x86_64.whl")
    house.add("nix/avx2", AVX2)
    # What another tool has compressed, and signed: made anew, it would not be the same.
    odd = house.add("generic", "odd-1.0-py3-none-any.whl", files={"odd.py": "x" * 9999})
    odd.write_bytes(odd.read_bytes() + b"\0" * 7)
    return bytes_of(house)


def bytes_of(house: WheelhouseFixture) -> Mapping[str, bytes]:
    return {str(path.relative_to(house.root)): path.read_bytes() for path in wheels_below(house.root)}


def undone(house: WheelhouseFixture) -> Done:
    """Run `restamp --undo`, which must succeed."""
    done = house.run("restamp", "--undo")
    assert (done.code, done.err) == (0, "")
    return done


def test_every_wheel_gets_its_name_and_bytes_back(house: WheelhouseFixture) -> None:
    before = filled(house)
    stamped = house.run("restamp").out
    after = bytes_of(house)
    assert before.keys() & after.keys() == {f"nix/avx2/{AVX2}"}
    lines = undone(house).out.splitlines()
    assert bytes_of(house) == before
    # In the other order, so that the tree is on the way what it was on the way there.
    moved = [line.split("/house/")[1].rpartition("/")[0] for line in stamped.splitlines()[:-2]]
    assert [line.split("/house/")[1].rpartition("/")[0] for line in lines[:-1]] == moved[::-1]
    assert lines[-1] == f"{len(moved)} restored"
    assert {line.split()[0] for line in lines[:-1]} == {"restored"}
    assert list(house.root.rglob(".trash/*/*")) == []
    assert house.run("restamp", "--undo") == (0, "nothing to undo\n", "")
    # And it can be done again.
    house.run("restamp")
    assert bytes_of(house) == after
    undone(house)
    assert bytes_of(house) == before


def test_the_times_of_the_files_stay_as_they_were(house: WheelhouseFixture) -> None:
    path = house.add("generic", PURE)
    os.utime(path, (1_000_000, 1_000_000))
    house.run("restamp")
    undone(house)
    assert path.stat().st_mtime == 1_000_000


def test_the_last_run_is_undone_then_the_one_before(house: WheelhouseFixture) -> None:
    states = []
    for name in ("one", "two"):
        house.add("generic", f"{name}-1.0-py3-none-any.whl")
        states.append(house.wheels())
        house.run("restamp")
    undone(house)
    assert house.wheels() == states[1]
    undone(house)
    assert house.wheels() == [*states[0], "generic/two-1.0-py3-none-any.whl"]
    assert house.run("restamp", "--undo").out == "nothing to undo\n"


def test_a_run_that_changes_nothing_is_none_to_undo(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    house.run("restamp")
    house.run("restamp")
    undone(house)
    assert house.wheels("generic") == [PURE]


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "absolute"])
def test_a_link_is_a_link_again(house: WheelhouseFixture, relative: bool) -> None:
    store = house.wheel(PURE)
    target = os.path.relpath(store, house.root / "generic") if relative else str(store)
    (house.root / "generic" / PURE).symlink_to(target)
    house.run("restamp")
    undone(house)
    assert house.wheels("generic") == [PURE]
    assert os.readlink(house.root / "generic" / PURE) == target


def test_new_tags_are_undone_with_the_stamp(house: WheelhouseFixture) -> None:
    house.add("generic", "demo-1.0-cp311-cp311-manylinux_2_17_x86_64.whl")
    house.add("gentoo/avx2", LINUX)
    before = bytes_of(house)
    assert house.run("restamp", "--retag").code == 0
    assert len(house.wheels()) == 2
    undone(house)
    assert bytes_of(house) == before
    assert list(house.root.rglob(".trash/*/*")) == []


def test_a_stamped_copy_that_was_there_before_stays(house: WheelhouseFixture) -> None:
    # As a run leaves it that was killed between the two, and that kept no journal.
    house.add("generic", PURE)
    house.run("restamp", "--no-undo")
    house.add("generic", PURE)
    before = bytes_of(house)
    house.run("restamp")
    assert house.wheels("generic") == [STAMPED]
    undone(house)
    assert bytes_of(house) == before


def test_a_dry_run_says_it_and_touches_nothing(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    house.run("restamp")
    before = bytes_of(house)
    line = f"would rename {house.root}/generic/{STAMPED} to {PURE}\n"
    for _ in range(2):
        assert house.run("restamp", "--undo", "--dry-run") == (0, line, "")
    assert bytes_of(house) == before
    undone(house)
    assert house.wheels("generic") == [PURE]


def test_for_programs(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    house.run("restamp")
    report = json.loads(house.run("restamp", "--undo", "--json").out)
    assert report["changes"] == [
        {
            "source": f"{house.root}/generic/{STAMPED}",
            "path": f"{house.root}/generic/{PURE}",
            "result": "restored",
        }
    ]
    assert report["errors"] == []


def test_the_library_undoes_it_in_one_call(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    wheelhouse = Wheelhouse(house.site)
    assert wheelhouse.restamp().ok
    report = wheelhouse.undo_restamp()
    assert [each.result for each in report.changes] == ["restored"]
    assert house.wheels("generic") == [PURE]
    wheelhouse.restamp()
    assert [each.result for each in wheelhouse.undo_restamp(forget=True).changes] == ["removed"]
    assert wheelhouse.undo_restamp().changes == ()


def test_options_that_say_nothing_together_are_refused(house: WheelhouseFixture) -> None:
    for more in (["--undo", "--retag"], ["--forget", "--no-undo"], ["--undo", "--forget"]):
        done = house.run("restamp", *more)
        assert done.code == 2
        assert "error: " in done.err


@pytest.mark.parametrize("shared", [True, False], ids=["a-restamp", "an-undoing"])
def test_an_undoing_waits_for_nobody_and_is_alone(house: WheelhouseFixture, shared: bool) -> None:
    house.add("generic", PURE)
    house.run("restamp")
    house.add("generic", "other-1.0-py3-none-any.whl")
    running = (
        f"error: {house.root}: another restamp, or an undoing of one, is running\n"
        "hint: wait until it has ended\n"
    )
    with atomic.holding(f"{house.root}/.trash/restamp.lock", shared=shared):
        before = bytes_of(house)
        for option in ("--undo", "--forget"):
            assert house.run("restamp", option) == (2, "", running)
        assert bytes_of(house) == before
        done = house.run("restamp")  # several may
        assert (done.code, done.err) == ((0, "") if shared else (2, running))
    undone(house)


def test_a_filesystem_without_locks(house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    before = filled(house)
    house.run("restamp")
    undone(house)
    assert bytes_of(house) == before


# -- what has changed since --------------------------------------------------------------------------------


def withdrawn(house: WheelhouseFixture) -> str:
    house.run("withdraw", AVX2)
    return (
        f"{house.root}/gentoo/avx2/{AVX2}: was withdrawn or removed since {LINUX} was restamped: not undone"
    )


def replaced(house: WheelhouseFixture) -> str:
    house.publish(house.wheel(LINUX, **one("other")), "--to", "gentoo/avx2", "--replace")
    return f"{house.root}/gentoo/avx2/{AVX2}: was replaced since {LINUX} was restamped: not undone"


def put_there(house: WheelhouseFixture) -> str:
    path = house.add("gentoo/avx2", LINUX, **one("other"))
    return f"{path}: was put there since, under the name of a wheel that was restamped: not undone"


def published(house: WheelhouseFixture) -> str:
    house.publish(house.wheel(LINUX, **one("other")), "--to", "gentoo/avx")
    path = f"{house.root}/gentoo/avx/demo-1.0-300000avx-cp311-cp311-linux_x86_64.whl"
    first = f"{house.root}/gentoo/avx2/{LINUX}"
    return f"{path}: published since {first} was restamped, and would win over it: not undone"


def forgotten(house: WheelhouseFixture) -> str:
    (kept,) = (house.root / "gentoo/avx2/.trash").rglob(LINUX)
    kept.unlink()
    return f"{house.root}/gentoo/avx2/{AVX2}: its former file {LINUX} is not in .trash/ any more: not undone"


@pytest.mark.parametrize("change", [withdrawn, replaced, put_there, published, forgotten])
def test_a_version_of_which_something_changed_stays_and_the_others_are_undone(
    house: WheelhouseFixture, change: Callable[[WheelhouseFixture], str]
) -> None:
    house.add("generic", PURE)
    house.add("gentoo/avx2", LINUX)
    house.add("gentoo/avx2", "other-1.0-py3-none-any.whl")
    house.run("restamp")
    problem = change(house)
    before = house.wheels()
    for more in (["--dry-run"], [], []):
        done = house.run("restamp", "--undo", *more)
        assert done.code == 1
        assert done.err.splitlines()[0] == f"error: {problem}"
        assert done.err.count("error: ") == 1
    other = "other-1.0-400000avx2-py3-none-any.whl"
    assert house.wheels() == sorted(each.replace(other, "other-1.0-py3-none-any.whl") for each in before)


@pytest.mark.parametrize("change", [withdrawn, put_there, published])
def test_the_command_in_the_hint_is_what_is_needed(
    house: WheelhouseFixture, change: Callable[[WheelhouseFixture], str]
) -> None:
    house.add("generic", PURE)
    house.add("gentoo/avx2", LINUX)
    before = bytes_of(house)
    house.run("restamp")
    change(house)
    hint = house.run("restamp", "--undo").err.splitlines()[1]
    ran = house.shell(hint.split("`")[1])
    assert (ran.returncode, ran.stderr) == (0, "")
    undone(house)
    assert bytes_of(house) == before


def test_what_was_there_beside_it_is_no_change(house: WheelhouseFixture) -> None:
    house.publish(house.wheel(LINUX, **one("first")), "--to", "gentoo/avx")
    house.add("gentoo/avx2", LINUX)
    before = bytes_of(house)
    house.run("restamp")
    undone(house)
    assert bytes_of(house) == before


def test_another_version_or_layer_is_no_change(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", LINUX)
    house.run("restamp")
    house.publish(house.wheel(LINUX, **one("nix")), "--to", "nix/avx")
    house.publish(house.wheel(LINUX.replace("1.0", "1.1")), "--to", "gentoo/avx")
    undone(house)
    assert house.wheels("gentoo/avx2") == [LINUX]


# -- the journal -------------------------------------------------------------------------------------------


def journal_of(house: WheelhouseFixture) -> Path:
    return Path(Journal(house.site).path)


def test_a_line_is_on_the_disk_before_its_wheel_is_renamed(
    house: WheelhouseFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("generic", PURE)
    seen = []
    link = os.link

    def watched(source: str, path: str, **options: Any) -> None:
        seen.append((os.path.basename(path), journal_of(house).read_text()))
        link(source, path, **options)

    monkeypatch.setattr(os, "link", watched)
    house.run("restamp")
    ((name, text),) = seen
    assert name == STAMPED
    assert json.loads(text)["old"] == PURE
    assert json.loads(text)["new"] == STAMPED


def test_a_line_cut_short_anywhere_says_nothing_and_spoils_nothing(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    house.run("restamp")
    journal = journal_of(house)
    whole = journal.read_bytes()
    tail = b'\n{"run": 2, "directory": "generic", "old": "x-1.0-py3-none-any.whl", "new": "y'
    for length in range(len(tail)):
        journal.write_bytes(whole + tail[:length])
        house.add("generic", "other-1.0-py3-none-any.whl")
        house.run("restamp")
        undone(house)
        assert sorted(house.wheels("generic")) == [STAMPED, "other-1.0-py3-none-any.whl"]
        (house.root / "generic/other-1.0-py3-none-any.whl").unlink()
    undone(house)
    assert house.wheels("generic") == [PURE]


def test_without_undo_nothing_is_kept(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    house.run("restamp", "--no-undo")
    assert list(house.root.rglob(".trash/*/*")) == []
    assert not journal_of(house).exists()
    assert house.run("restamp", "--undo").out == "nothing to undo\n"


def test_forget_removes_what_is_kept_and_no_other_withdrawn_wheel(house: WheelhouseFixture) -> None:
    old = house.add("generic", PURE)
    house.run("restamp")
    house.run("withdraw", STAMPED)
    house.publish(house.wheel("other-1.0-py3-none-any.whl"))
    house.run("withdraw", "other-1.0-1000generic-py3-none-any.whl")
    (kept,) = [each.path for each in trash.trashed(str(old.parent)) if each.filename == PURE]
    assert house.run("restamp", "--forget", "--dry-run") == (0, f"would remove {kept}\n", "")
    assert house.run("restamp", "--forget") == (0, f"removed  {kept}\n", "")
    assert not os.path.exists(kept)
    assert house.run("restamp", "--forget") == (0, "nothing to remove\n", "")
    assert house.run("restore", STAMPED, "other-1.0-1000generic-py3-none-any.whl").code == 0


def test_a_journal_that_cannot_be_written_stops_it_before_anything_is_done(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    (house.root / ".trash").write_text("in the way")
    done = house.run("restamp")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        f"error: cannot write {house.root}/.trash/restamp.journal: File exists\n"
        "hint: to do it without being able to undo it: "
        f"`{house.site.command('restamp', '--no-undo')}`\n"
    )
    assert house.wheels("generic") == [PURE]
    assert house.run("restamp", "--no-undo").code == 0


def test_a_hundred_old_wheels_are_in_one_place_of_the_trash(house: WheelhouseFixture) -> None:
    # To list the trash is what every publisher does: it must not grow with the tree.
    for number in range(100):
        make_wheel(house.root / "generic", f"demo{number}-1.0-py3-none-any.whl")
    house.run("restamp")
    assert len(os.listdir(house.root / "generic/.trash")) == 1
    undone(house)
    assert len(house.wheels("generic")) == 100
