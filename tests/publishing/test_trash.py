"""Withdrawing files: restorable, never over another, whatever the filesystem can do."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.filesystems import FILESYSTEMS, NAME, NoRename, put, weaken
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.utils import atomic


@pytest.fixture(params=FILESYSTEMS)
def _filesystem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filesystems with fewer and fewer abilities."""
    weaken(request.param, monkeypatch)


@pytest.fixture
def _umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


# -- withdrawing -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_filesystem")
def test_what_is_withdrawn_is_out_of_sight_and_comes_back(tmp_path: Path) -> None:
    put(tmp_path, b"content")
    taken = trash.move_to_trash(str(tmp_path / NAME))
    assert os.listdir(tmp_path) == [trash.TRASH]
    assert trash.trashed(str(tmp_path)) == [taken]
    assert trash.put_back(taken)
    assert (tmp_path / NAME).read_bytes() == b"content"
    assert trash.trashed(str(tmp_path)) == []
    assert os.listdir(tmp_path / trash.TRASH) == []


@pytest.mark.usefixtures("_filesystem")
def test_what_comes_back_takes_no_others_place(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    taken = trash.move_to_trash(str(tmp_path / NAME))
    put(tmp_path, b"new")
    assert not trash.put_back(taken)
    assert (tmp_path / NAME).read_bytes() == b"new"
    assert Path(taken.path).read_bytes() == b"old"


def test_everything_ever_withdrawn_is_kept_the_latest_first(tmp_path: Path) -> None:
    for content in (b"1", b"2", b"3"):
        put(tmp_path, content)
        trash.move_to_trash(str(tmp_path / NAME))
    assert [Path(each.path).read_bytes() for each in trash.trashed(str(tmp_path))] == [b"3", b"2", b"1"]


@pytest.mark.parametrize("step", [0, 1], ids=["stands-still", "goes-back"])
def test_the_latest_is_first_whatever_the_clock_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    years = iter([2001, 2001 - step, 2001 - 2 * step])
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    monkeypatch.setattr(time, "gmtime", lambda *_: time.struct_time((next(years), 1, 1, 0, 0, 0, 0, 1, 0)))
    for content in (b"1", b"2", b"3"):
        put(tmp_path, content)
        trash.move_to_trash(str(tmp_path / NAME))
    assert [Path(each.path).read_bytes() for each in trash.trashed(str(tmp_path))] == [b"3", b"2", b"1"]


def test_a_file_in_the_place_of_the_trash_is_told_and_kept(tmp_path: Path) -> None:
    put(tmp_path, b"content")
    (tmp_path / trash.TRASH).write_bytes(b"a file")
    with pytest.raises(OutputError, match="Not a directory"):
        trash.move_to_trash(str(tmp_path / NAME))
    assert (tmp_path / NAME).read_bytes() == b"content"
    assert (tmp_path / trash.TRASH).read_bytes() == b"a file"
    assert trash.trashed(str(tmp_path)) == []


def test_empty_slots_go_once_nobody_can_be_using_them(tmp_path: Path) -> None:
    slot = tmp_path / trash.TRASH / "20010101T000000-0-1"
    slot.mkdir(parents=True)
    trash.clear(str(tmp_path))
    assert slot.is_dir()
    os.utime(slot, (1, 1))
    trash.clear(str(tmp_path))
    assert not slot.exists()


@pytest.mark.usefixtures("_umask")
def test_everybody_can_read_the_trash_whatever_the_umask(tmp_path: Path) -> None:
    put(tmp_path)
    trash.move_to_trash(str(tmp_path / NAME))
    assert stat.S_IMODE((tmp_path / trash.TRASH).stat().st_mode) == 0o755


def test_clearing_removes_dead_drafts_too_and_counts_them(tmp_path: Path) -> None:
    (tmp_path / f"{atomic.TEMPORARY_PREFIX}host-1-1.part").touch()
    assert trash.clear(str(tmp_path)) == 1
    assert os.listdir(tmp_path) == []


# -- discarding --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_filesystem")
def test_what_is_known_is_discarded_for_good(tmp_path: Path) -> None:
    put(tmp_path)
    path = str(tmp_path / NAME)
    assert trash.remove_if_unchanged(path, trash.file_id(path))
    assert os.listdir(tmp_path) == [trash.TRASH]
    assert os.listdir(tmp_path / trash.TRASH) == []


@pytest.mark.usefixtures("_filesystem")
def test_what_came_into_its_place_is_never_discarded(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    path = str(tmp_path / NAME)
    known = trash.file_id(path)
    os.unlink(path)
    put(tmp_path, b"new")
    assert not trash.remove_if_unchanged(path, known)
    assert (tmp_path / NAME).read_bytes() == b"new"


def test_what_was_written_to_meanwhile_is_never_discarded(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    path = str(tmp_path / NAME)
    known = trash.file_id(path)
    with open(path, "ab") as file:
        file.write(b" and more")
    assert not trash.remove_if_unchanged(path, known)
    assert (tmp_path / NAME).read_bytes() == b"old and more"


def test_what_is_gone_already_needs_no_discarding(tmp_path: Path) -> None:
    put(tmp_path)
    path = str(tmp_path / NAME)
    known = trash.file_id(path)
    os.unlink(path)
    assert not trash.remove_if_unchanged(path, known)


def test_a_relative_link_is_discarded_without_looking_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / NAME).write_bytes(b"content")
    house = tmp_path / "house"
    house.mkdir()
    (house / NAME).symlink_to(f"../store/{NAME}")
    path = str(house / NAME)
    assert trash.remove_if_unchanged(path, trash.file_id(path))
    assert not os.path.lexists(path)
    assert (tmp_path / "store" / NAME).read_bytes() == b"content"


# -- replacing ---------------------------------------------------------------------------------------------


def replaced(directory: Path, content: bytes) -> bool:
    with atomic.temporary(str(directory)) as temporary:
        temporary.file.write(content)
        atomic.sync(temporary, 0o644)
        return trash.replace_at(str(directory / NAME), temporary)


def test_what_is_replaced_is_in_the_trash(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    assert replaced(tmp_path, b"new")
    assert (tmp_path / NAME).read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644
    assert [Path(each.path).read_bytes() for each in trash.trashed(str(tmp_path))] == [b"old"]
    assert sorted(os.listdir(tmp_path)) == [trash.TRASH, NAME]


def test_a_reader_finds_one_or_the_other_at_every_moment(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    over = threading.Event()
    seen: set[bytes] = set()

    def read() -> None:
        while not over.is_set():
            try:
                seen.add((tmp_path / NAME).read_bytes())
            except FileNotFoundError:
                seen.add(b"missing")

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(100):
        assert replaced(tmp_path, b"new %d" % number)
    over.set()
    reader.join()
    assert seen
    assert b"missing" not in seen
    assert len(trash.trashed(str(tmp_path))) == 100


@pytest.mark.parametrize("answer", [errno.EIO, errno.EINVAL], ids=["error", "cannot"])
def test_when_it_cannot_be_replaced_the_old_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    put(tmp_path, b"old")
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: NoRename(answer))
    if answer == errno.EIO:
        with pytest.raises(OutputError, match="Input/output error"):
            replaced(tmp_path, b"new")
    else:
        assert not replaced(tmp_path, b"new")
    assert (tmp_path / NAME).read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == [trash.TRASH, NAME]
    assert trash.trashed(str(tmp_path)) == []
    assert os.listdir(tmp_path / trash.TRASH) == []
