from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.filesystems import refuse_nameless
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.utils.filesystem import make_directory, write_text


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """Let no file grow beyond *free* bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def umask() -> Iterator[int]:
    """A umask that keeps the group from writing."""
    before = os.umask(0o022)
    yield 0o022
    os.umask(before)


def test_a_new_file_is_written_as_utf_8(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "pip.conf"
    assert write_text(str(path), "ü\n") is True
    assert path.read_bytes() == b"\xc3\xbc\n"
    assert oct(path.stat().st_mode & 0o777) == "0o644"


def test_a_relative_path_is_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert write_text("pip.conf", "new") is True
    assert (tmp_path / "pip.conf").read_text() == "new"


@pytest.mark.parametrize("before", ["", "old", "new and more", "ne"])
def test_another_content_is_replaced(before: str, tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text(before)
    assert write_text(str(path), "new") is True
    assert path.read_text() == "new"


def test_the_same_content_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    write_text(str(path), "same")
    os.utime(path, ns=(1, 1))
    before = path.stat()
    assert write_text(str(path), "same") is False
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_ctime_ns) == (1, before.st_ino, before.st_ctime_ns)
    assert [each.name for each in tmp_path.iterdir()] == ["pip.conf"]


def test_a_reader_sees_the_old_content_or_the_new(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("old")
    with path.open() as reader:
        write_text(str(path), "new")
        assert reader.read() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["pip.conf"]


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444], ids=oct)
def test_a_replaced_file_keeps_its_permissions_whatever_the_umask(
    mode: int, tmp_path: Path, umask: int
) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("old")
    path.chmod(mode)
    write_text(str(path), "new")
    assert oct(path.stat().st_mode & 0o777) == oct(mode)


def test_a_symbolic_link_stays_one_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "pip.conf", tmp_path / "pip.conf"
    target.write_text("old")
    link.symlink_to("real/pip.conf")
    assert write_text(str(link), "new") is True
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_symbolic_link_to_nothing_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_text(str(tmp_path / "link"), "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(path.read_text()), daemon=True)
    reader.start()
    assert write_text(str(path), "new") is True
    reader.join(10)
    assert read == ["new"]
    assert path.is_fifo()


def test_a_device_is_written_to_and_stays_one() -> None:
    # Were it replaced, root would break the machine.
    assert write_text("/dev/null", "new") is True
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        pytest.param("missing/pip.conf", "No such file or directory", id="directory-missing"),
        pytest.param("file/pip.conf", "Not a directory", id="directory-is-a-file"),
        pytest.param("directory", "Is a directory", id="a-directory"),
        pytest.param("loop", "Too many levels of symbolic links", id="a-link-to-itself"),
        pytest.param("x" * 256, "File name too long", id="a-name-too-long"),
    ],
)
def test_what_cannot_be_written_is_an_error_and_leaves_nothing(
    name: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError) as caught:
        write_text(str(tmp_path / name), "new")
    assert str(caught.value) == f"cannot write {tmp_path / name}: {problem}"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_is_an_error_and_leaves_the_old_content_alone(tmp_path: Path) -> None:
    path = tmp_path / "pip.conf"
    path.write_text("old")
    with full_disk(100), pytest.raises(OutputError, match="File too large"):
        write_text(str(path), "new" * 100)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["pip.conf"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_is_not_ours_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_text(str(tmp_path / "pip.conf"), "new")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("nameless", [True, False], ids=["nameless", "named"])
@pytest.mark.parametrize("planted", ["file", "link", "pipe"])
def test_what_somebody_put_in_the_way_is_neither_followed_nor_waited_for(
    planted: str, nameless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even by one who could foresee the name."""
    monkeypatch.setattr(os, "urandom", bytes)
    if not nameless:
        refuse_nameless(monkeypatch)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    way = tmp_path / f".pip.conf.{bytes(8).hex()}~"
    if planted == "file":
        way.touch()
    elif planted == "link":
        way.symlink_to(precious)
    else:
        os.mkfifo(way)
    path = tmp_path / "pip.conf"
    if nameless or planted == "file":
        assert write_text(str(path), "new")
    else:
        with pytest.raises(OutputError):
            write_text(str(path), "new")
    assert path.exists() == (nameless or planted == "file")
    assert precious.read_text() == "precious"
    assert os.path.lexists(way) == (planted != "file")  # that could be a killed run's


def drafts_in(directory: Path) -> list[str]:
    return sorted(name for name in os.listdir(directory) if name.endswith("~"))


@pytest.mark.parametrize("old", [False, True], ids=["new", "replaced"])
@pytest.mark.parametrize("nameless", [True, False], ids=["nameless", "named"])
def test_what_a_killed_run_has_left_goes_when_the_same_name_is_written(
    nameless: bool, old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        refuse_nameless(monkeypatch)
    path = tmp_path / "pip.conf"
    if old:
        path.write_text("old")
    child = os.fork()
    if child == 0:
        for function in ("replace", "link"):
            monkeypatch.setattr(os, function, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        write_text(str(path), "killed")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(drafts_in(tmp_path)) == (not nameless)
    others = {f".pip.conf.{'0' * 15}~", f".pip.config.{'0' * 16}~", ".pip.conf.swp", "pip.conf~"}
    for name in others:
        (tmp_path / name).touch()
    assert write_text(str(path), "new")
    assert path.read_text() == "new"
    assert {*os.listdir(tmp_path)} == {"pip.conf", *others}


@pytest.mark.parametrize("nameless", [True, False], ids=["nameless", "named"])
def test_writers_of_one_name_do_not_take_each_others_drafts(
    nameless: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not nameless:
        refuse_nameless(monkeypatch)
    path = tmp_path / "pip.conf"
    texts = [str(number) * 1000 for number in range(8)]
    problems: list[BaseException] = []

    def write(text: str) -> None:
        try:
            for number in range(20):
                write_text(str(path), f"{text}{number}")
        except BaseException as error:  # noqa: BLE001 - the test is to see it
            problems.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert path.read_text() in {f"{text}19" for text in texts}
    assert os.listdir(tmp_path) == ["pip.conf"]


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o027, 0o077], ids=oct)
def test_all_can_read_what_is_shared_whatever_the_umask(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        make_directory(str(tmp_path / "a" / "b"), shared=True)
        write_text(str(tmp_path / "a" / "b" / "new"), "", shared=True)
        write_text(str(tmp_path / "a" / "b" / "own"), "")
    finally:
        os.umask(before)
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/new", "a/b/own")}
    directory, file = 0o777 & ~mask | 0o555, 0o666 & ~mask
    assert modes == {"a": directory, "a/b": directory, "a/b/new": file | 0o444, "a/b/own": file}


# -- directories -----------------------------------------------------------------------------------------


def test_a_directory_is_made_with_those_above_it(tmp_path: Path) -> None:
    assert make_directory(str(tmp_path / "a" / "b")) is True
    assert (tmp_path / "a" / "b").is_dir()
    assert make_directory(str(tmp_path / "a" / "b")) is False


@pytest.mark.parametrize(
    ("name", "problem"),
    [("file", "File exists"), ("file/below", "Not a directory")],
    ids=["file", "below-file"],
)
def test_a_directory_where_a_file_is_cannot_be_made(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        make_directory(str(tmp_path / name))
    assert str(caught.value) == f"cannot write {tmp_path / name}: {problem}"
