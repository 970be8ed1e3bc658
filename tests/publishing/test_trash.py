"""Withdrawing files: restorable, never over another, whatever the filesystem can do."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from tests.filesystems import FILESYSTEMS, NAME, NoRename, put, refused, weaken
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


def test_what_a_killed_run_had_put_back_comes_back(tmp_path: Path) -> None:
    put(tmp_path, b"content")
    taken = trash.move_to_trash(str(tmp_path / NAME))
    os.link(taken.path, taken.origin)
    assert trash.put_back(taken)
    assert (tmp_path / NAME).read_bytes() == b"content"
    assert trash.trashed(str(tmp_path)) == []


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
    with pytest.raises(OutputError, match="File exists"):
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


def replace(directory: Path, content: bytes) -> None:
    with atomic.temporary(str(directory)) as temporary:
        temporary.file.write(content)
        atomic.sync(temporary, 0o644)
        trash.replace_at(str(directory / NAME), temporary)


def in_the_trash(directory: Path) -> list[bytes]:
    return [Path(each.path).read_bytes() for each in trash.trashed(str(directory))]


@pytest.fixture(params=["exchange", "links", "neither"])
def _replacing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filesystems that can exchange two names, that have links instead (NFS), and that have neither."""
    if request.param == "exchange":
        return
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: NoRename(errno.EINVAL))
    if request.param == "neither":
        monkeypatch.setattr(os, "link", refused(errno.EPERM))


@pytest.mark.usefixtures("_replacing")
def test_what_is_replaced_is_in_the_trash(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    replace(tmp_path, b"new")
    replace(tmp_path, b"newer")
    assert (tmp_path / NAME).read_bytes() == b"newer"
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o644
    assert in_the_trash(tmp_path) == [b"new", b"old"]
    assert sorted(os.listdir(tmp_path)) == [trash.TRASH, NAME]


@pytest.mark.usefixtures("_replacing")
def test_what_is_gone_meanwhile_needs_no_replacing(tmp_path: Path) -> None:
    replace(tmp_path, b"new")
    assert (tmp_path / NAME).read_bytes() == b"new"
    assert in_the_trash(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("able", ["exchange", "links"])
def test_a_reader_finds_one_or_the_other_at_every_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, able: str
) -> None:
    if able == "links":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: NoRename(errno.EINVAL))
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
    for number in range(1000):
        replace(tmp_path, b"new %d" % number)
    over.set()
    reader.join()
    assert len(seen) > 1
    assert b"missing" not in seen
    assert len(in_the_trash(tmp_path)) == 1000


@pytest.mark.usefixtures("_replacing")
def test_of_many_who_replace_at_once_each_is_kept(tmp_path: Path) -> None:
    put(tmp_path, b"old")
    contents = [b"new %d" % number for number in range(24)]

    def attempt(content: bytes) -> None:
        while True:
            with suppress(atomic.AlreadyExistsError):  # where it takes two steps, somebody may come between
                replace(tmp_path, content)
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(attempt, contents))
    assert sorted([(tmp_path / NAME).read_bytes(), *in_the_trash(tmp_path)]) == sorted([b"old", *contents])


@pytest.mark.usefixtures("_replacing")
@pytest.mark.parametrize("step", ["rename", "link", "replace"])
def test_when_it_cannot_be_replaced_the_old_one_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    put(tmp_path, b"old")
    real = getattr(os, step)

    def failing(source: str, target: str, **options: object) -> None:
        if target == str(tmp_path / NAME) and not source.startswith(str(tmp_path / trash.TRASH)):
            raise OSError(errno.EIO, os.strerror(errno.EIO), source)
        real(source, target, **options)

    monkeypatch.setattr(os, step, failing)
    with suppress(OutputError):
        replace(tmp_path, b"new")
        assert (tmp_path / NAME).read_bytes() == b"new"
        return
    assert (tmp_path / NAME).read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == [trash.TRASH, NAME]
    assert in_the_trash(tmp_path) == []


def test_an_error_of_the_exchange_is_no_reason_to_try_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, b"old")
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: NoRename(errno.EIO))
    with pytest.raises(OutputError, match="Input/output error"):
        replace(tmp_path, b"new")
    assert (tmp_path / NAME).read_bytes() == b"old"
    assert in_the_trash(tmp_path) == []
