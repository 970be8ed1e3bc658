"""Placing files: whole, readable, never over another, whatever the filesystem can do."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.filesystems import FILESYSTEMS, NAME, put, refuse_nameless, refused, weaken
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.atomic import AlreadyExistsError


@pytest.fixture(params=FILESYSTEMS)
def _filesystem(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filesystems with fewer and fewer abilities."""
    weaken(request.param, monkeypatch)


@pytest.fixture
def _no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", refused(errno.ENOLCK))


@pytest.fixture
def _umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def names_in(directory: Path) -> list[str]:
    """The names in *directory*, but for the place of drafts if that is empty."""
    return [name for name in os.listdir(directory) if name != ".trash" or os.listdir(directory / name)]


# -- placing -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_filesystem")
def test_a_file_is_placed_once_and_never_over_another(tmp_path: Path) -> None:
    assert put(tmp_path, b"first")
    with pytest.raises(AlreadyExistsError, match="already exists with different content") as error:
        put(tmp_path, b"second")
    assert (error.value.errno, error.value.filename) == (errno.EEXIST, str(tmp_path / NAME))
    assert not put(tmp_path, b"first")
    assert (tmp_path / NAME).read_bytes() == b"first"
    assert names_in(tmp_path) == [NAME]


@pytest.mark.usefixtures("_filesystem")
@pytest.mark.parametrize("kind", ["directory", "dangling-link", "pipe"])
def test_whatever_has_the_name_keeps_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / NAME
    if kind == "directory":
        path.mkdir()
    elif kind == "dangling-link":
        path.symlink_to("nothing")
    else:
        os.mkfifo(path)
    before = path.lstat()
    with pytest.raises(AlreadyExistsError):
        put(tmp_path)
    assert (path.lstat().st_ino, path.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.usefixtures("_umask")
def test_everybody_can_read_whatever_the_umask(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir(0o755)
    assert put(root / "gentoo" / "avx2")
    assert stat.S_IMODE((root / "gentoo" / "avx2" / NAME).stat().st_mode) == 0o644
    for directory in (root / "gentoo", root / "gentoo" / "avx2"):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o755


@pytest.mark.usefixtures("_filesystem")
@pytest.mark.parametrize("name", [NAME, "other"])
def test_no_name_comes_and_goes_in_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    put(tmp_path, b"old")
    seen: list[list[str]] = []

    def looking(module: Any, function: str) -> None:
        real = getattr(module, function)

        def look(*arguments: Any, **options: Any) -> Any:
            seen.append(os.listdir(tmp_path))
            return real(*arguments, **options)

        monkeypatch.setattr(module, function, look)

    for function in ("link", "rename", "unlink", "fsync", "close", "fchmod"):
        looking(os, function)
    with contextlib.suppress(AlreadyExistsError):
        put(tmp_path, b"new", name)
    assert len(seen) > 2
    assert {each for names in seen for each in names} <= {NAME, name, ".trash"}


@pytest.mark.parametrize("nameless", [True, False])
def test_nobody_else_reads_what_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    if not nameless:
        refuse_nameless(monkeypatch)
    with atomic.temporary(str(tmp_path)) as draft:
        draft.file.write(b"part")
        draft.file.flush()
        assert stat.S_IMODE(os.stat(draft.path).st_mode) == 0o600
        assert Path(draft.path).read_bytes() == b"part"
        assert len(os.listdir(tmp_path)) == (not nameless)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("kind", ["sticky", "unwritable", "link"])
def test_a_draft_is_not_where_others_could_exchange_it_or_one_may_not_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    refuse_nameless(monkeypatch)
    (house := tmp_path / "house").mkdir()
    trash = house / ".trash"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        trash.symlink_to(tmp_path / "elsewhere")
    else:
        trash.mkdir()
    if kind == "sticky":
        house.chmod(0o1777)
    elif kind == "unwritable":
        monkeypatch.setattr(os, "access", lambda path, _: path != str(trash))
    with atomic.temporary(str(house), hidden=True) as draft:
        assert os.path.dirname(draft.path) == str(house)
    assert os.listdir(house) == [".trash"]


def test_content_is_on_disk_before_the_name_and_the_name_before_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    fsync, link = os.fsync, os.link

    def noting_fsync(descriptor: int) -> None:
        told.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noting_link(source: str, target: str, **options: Any) -> None:
        assert Path(source).read_bytes() == b"new"
        told.append("link")
        link(source, target, **options)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "link", noting_link)
    assert put(tmp_path)
    assert told == ["file", "link", "directory"]


def test_a_directory_that_cannot_be_synced_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no such thing")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", only_files)
    assert put(tmp_path)


@pytest.mark.parametrize("failing", ["fsync", "link", "fchmod"])
def test_what_the_system_refuses_is_told_with_the_path_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setattr(os, failing, refused(errno.EIO))
    with pytest.raises(OutputError, match="Input/output error") as error:
        put(tmp_path)
    assert error.value.path == str(tmp_path / NAME)
    monkeypatch.undo()
    assert names_in(tmp_path) == []


def test_without_links_and_renames_and_locks_nothing_is_placed_rather_than_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refused(errno.EPERM))
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    monkeypatch.setattr(fcntl, "flock", refused(errno.ENOLCK))
    with pytest.raises(OutputError):
        put(tmp_path)
    assert names_in(tmp_path) == []


def test_a_file_without_a_name_that_cannot_get_one_goes_on_as_one_with_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with atomic.temporary(str(tmp_path), hidden=True) as draft:
        draft.file.write(b"first, ")
        draft.file.flush()
        os.fchmod(draft.file.fileno(), 0o640)
        before = os.fstat(draft.file.fileno())
        monkeypatch.setattr(os, "link", refused(errno.EPERM))
        draft.named()
        assert os.path.dirname(draft.path) == str(tmp_path / ".trash")
        after = os.stat(draft.path)
        assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
        draft.file.write(b"second")
        assert atomic.clear_temporary(str(tmp_path)) == 0  # it is locked
        assert atomic.commit(draft, str(tmp_path / NAME))
    assert (tmp_path / NAME).read_bytes() == b"first, second"
    assert os.listdir(tmp_path / ".trash") == []


@pytest.mark.usefixtures("_filesystem")
def test_of_many_who_want_one_name_one_gets_it(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    placed: list[bytes] = []

    def publish(content: bytes) -> None:
        with atomic.temporary(str(tmp_path)) as draft:
            draft.file.write(content)
            barrier.wait()
            with contextlib.suppress(AlreadyExistsError):
                if atomic.commit(draft, str(tmp_path / NAME)):
                    placed.append(content)

    threads = [threading.Thread(target=publish, args=(bytes([number]),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(tmp_path / NAME).read_bytes()] == placed
    assert names_in(tmp_path) == [NAME]


# -- drafts ------------------------------------------------------------------------------------------------


def left_behind(directory: Path) -> Path:
    path = directory / f"{atomic.TEMPORARY_PREFIX}host-1-1-1.part"
    path.write_bytes(b"half a whee")
    return path


def test_what_a_killed_publisher_left_is_cleared(tmp_path: Path) -> None:
    path = left_behind(tmp_path)
    (tmp_path / "other.part").touch()
    (tmp_path / f"{atomic.TEMPORARY_PREFIX}notes.txt").touch()
    assert atomic.temporary_files(str(tmp_path)) == [str(path)]
    assert atomic.clear_temporary(str(tmp_path)) == 1
    assert sorted(os.listdir(tmp_path)) == [f"{atomic.TEMPORARY_PREFIX}notes.txt", "other.part"]


@pytest.mark.parametrize("nameless", [True, False])
def test_what_a_running_publisher_writes_is_not_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    if not nameless:
        refuse_nameless(monkeypatch)
    with atomic.temporary(str(tmp_path), hidden=True) as draft:
        draft.named()
        assert atomic.temporary_files(str(tmp_path)) == [draft.path]
        assert atomic.clear_temporary(str(tmp_path)) == 0
        assert os.path.exists(draft.path)


def test_a_draft_that_is_taken_for_a_leftover_as_it_is_made_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Another publisher locks the new file first, and removes it a moment later.
    refuse_nameless(monkeypatch)
    flock = fcntl.flock
    cleaners: list[threading.Thread] = []

    def slowly(descriptor: int, operation: int) -> None:
        if not cleaners:
            (path,) = atomic.temporary_files(str(tmp_path))
            other = os.open(path, os.O_RDWR)
            flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)

            def clear() -> None:
                time.sleep(0.2)
                os.unlink(path)
                os.close(other)

            cleaners.append(threading.Thread(target=clear))
            cleaners[0].start()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", slowly)
    assert put(tmp_path)
    cleaners[0].join()
    assert names_in(tmp_path) == [NAME]


@pytest.mark.usefixtures("_no_locks")
def test_where_there_are_no_locks_a_draft_is_a_leftover_after_a_day(tmp_path: Path) -> None:
    path = left_behind(tmp_path)
    assert atomic.clear_temporary(str(tmp_path)) == 0
    assert put(tmp_path)
    a_day_ago = time.time() - 24 * 3600 - 60
    os.utime(path, (a_day_ago, a_day_ago))
    assert atomic.clear_temporary(str(tmp_path)) == 1
    assert names_in(tmp_path) == [NAME]


def test_clearing_follows_no_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    house = tmp_path / "house"
    house.mkdir()
    (house / f"{atomic.TEMPORARY_PREFIX}x.part").symlink_to(victim)
    atomic.clear_temporary(str(house))
    assert victim.read_bytes() == b"precious"


def test_clearing_a_directory_that_is_not_there_does_nothing(tmp_path: Path) -> None:
    assert atomic.clear_temporary(str(tmp_path / "nothing")) == 0
