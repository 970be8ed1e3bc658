"""What a static index remembers of the tree, as readers see it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.factories import make_tree
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.tree.index_state import (
    FILE_COLUMNS,
    SCHEMA,
    STATE_NAME,
    FileRow,
    IndexState,
    is_recorded,
    key_of,
)

WHEEL = "Foo.Bar-1.0-py3-none-any.whl"
#: Not UTF-8, misnamed, and a source archive: all that the reader looks at.
NAMES = (WHEEL, "foo-bar.whl", "foo_bar-2.0-\udcff.whl", "foo_bar-1.0.tar.gz", "other-1.0.zip", "nodash.whl")


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    site = make_tree(tmp_path / "house", {"generic": [WHEEL]})
    return site.directories()[-1]


def write_state(place: Path, directory: Directory, names: Sequence[str] = NAMES) -> Path:
    """A state in *place* of *directory*, which holds *names*."""
    place.mkdir(exist_ok=True)
    path = place / STATE_NAME
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
        mtime_ns = os.stat(directory.path).st_mtime_ns
        connection.execute("INSERT INTO directory VALUES (7, ?, ?)", (directory.label, mtime_ns))
        for name in names:
            there = os.path.join(directory.path, name)
            status = os.stat(there if name == WHEEL else directory.path)
            file = FileRow(name, status.st_size, status.st_mtime_ns, status.st_ino, "ab" * 32, "cd" * 32)
            if name == WHEEL:
                file = file._replace(requires_python=">=3.9 \udcff", problem="none")
            row = (7, key_of(name), *file.row())
            connection.execute(
                f"INSERT INTO file (directory, key, {FILE_COLUMNS}) VALUES ({'?, ' * 9}?)", row
            )
    connection.close()
    return path


def test_names_are_found_by_what_precedes_the_dash(tmp_path: Path, directory: Directory) -> None:
    # The path needs quoting in the URL that SQLite takes.
    write_state(tmp_path / "a %?#b", directory)
    state = IndexState.open(str(tmp_path / "a %?#b"))
    assert state is not None
    assert state.names(directory, ["foo-bar", "foo"]) == sorted(NAMES[:4])
    assert state.names(directory, ["other"]) == ["other-1.0.zip"]
    assert state.names(directory, ["demo"]) == []
    assert sorted(state.all_names(directory) or ()) == sorted(NAMES)
    assert all(map(is_recorded, NAMES))
    assert not any(map(is_recorded, (".trash", "demo-1.0-py3-none-any.whl.metadata", "demo-1.0.tgz")))
    elsewhere = directory._replace(label="gentoo/avx2")
    assert (state.names(elsewhere, ["foo-bar"]), state.all_names(elsewhere)) == ([], [])


def test_a_directory_is_fresh_while_its_time_is_the_same(tmp_path: Path, directory: Directory) -> None:
    path = write_state(tmp_path, directory)
    state = IndexState.open(str(tmp_path))
    assert state is not None
    assert state.fresh(directory)
    assert not state.fresh(directory._replace(label="nix/avx"))
    os.utime(directory.path, ns=(1, 1))
    assert not state.fresh(directory)
    gone = directory._replace(path=f"{directory.path}/none")
    assert not state.fresh(gone)
    state.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE directory SET mtime_ns = NULL")
    connection.close()
    state = IndexState.open(str(tmp_path))
    assert state is not None
    assert state.fresh(gone)
    assert not state.fresh(directory)


def test_a_wheel_is_known_while_the_file_is_the_same(tmp_path: Path, directory: Directory) -> None:
    write_state(tmp_path, directory)
    state = IndexState.open(str(tmp_path))
    assert state is not None
    found = state.wheel(directory, WHEEL)
    assert found is not None
    assert found[4:] == ("ab" * 32, "cd" * 32, ">=3.9 ?", "none")
    assert state.wheel(directory, "foo_bar-1.0.tar.gz") is None  # not there
    assert state.wheel(directory, "demo-1.0-py3-none-any.whl") is None
    os.utime(os.path.join(directory.path, WHEEL), ns=(1, 1))
    assert state.wheel(directory, WHEEL) is None


def test_nothing_but_a_state_of_this_shape_is_one(tmp_path: Path, directory: Directory) -> None:
    path = write_state(tmp_path, directory, [WHEEL, *(f"demo-{n}-py3-none-any.whl" for n in range(400))])
    whole = path.read_bytes()
    cut = whole[: len(whole) // 2]
    for content in (b"", b"something else" * 20, whole[:70], whole[:60] + b"\0\0\0\2" + whole[64:], cut):
        path.write_bytes(content)
        state = IndexState.open(str(tmp_path))
        assert state is None or state.all_names(directory) is None
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE x (y)")
    connection.close()
    (tmp_path / "other").rename(path)
    assert IndexState.open(str(tmp_path)) is None
    path.unlink()
    assert IndexState.open(str(tmp_path)) is None
    os.mkfifo(path)
    assert IndexState.open(str(tmp_path)) is None  # and does not wait for a writer
    assert IndexState.open(str(directory.path)) is None


def test_what_is_damaged_further_on_is_no_answer(tmp_path: Path, directory: Directory) -> None:
    names = [WHEEL, *(f"demo-{n}-py3-none-any.whl" for n in range(2000))]
    path = write_state(tmp_path, directory, names)
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size - size // 2))
    state = IndexState.open(str(tmp_path))
    assert state is not None
    assert state.all_names(directory) is None
    assert state.names(directory, ["demo"]) is None


def test_a_reader_needs_no_right_to_write(tmp_path: Path, directory: Directory) -> None:
    path = write_state(tmp_path / "index", directory)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        state = IndexState.open(str(path.parent))
        assert state is not None
        assert state.names(directory, ["other"]) == ["other-1.0.zip"]
        assert os.listdir(path.parent) == [STATE_NAME]
    finally:
        path.parent.chmod(0o755)
