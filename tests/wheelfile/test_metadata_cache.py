from __future__ import annotations

import os
from pathlib import Path
from zipfile import ZIP_STORED

import packaging
import pytest

from tests.factories import make_wheel, pack, wheel_files
from wheelhouse_resolver.errors import UnreadableWheelError
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.wheelfile import metadata
from wheelhouse_resolver.wheelfile.metadata_cache import (
    CoreMetadata,
    cached_metadata,
    cached_metadata_of_many,
)

NAME = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The wheels that were opened."""
    paths: list[str] = []
    read = metadata.read_metadata

    def counted(path: str) -> metadata.Metadata:
        paths.append(path)
        return read(path)

    monkeypatch.setattr(metadata, "read_metadata", counted)
    return paths


def test_what_metadata_says_unparsed_and_read_once(tmp_path: Path, opened: list[str]) -> None:
    options = {"requires_python": ">=3.8", "requires_dist": ["b ; extra=='x'", "(no"], "extras": ["X"]}
    path = str(make_wheel(tmp_path, NAME, **options))
    requires = ("b ; extra=='x'", "(no")
    expected = CoreMetadata("demo", "1.0", ">=3.8", "demo-1.0.dist-info", requires, ("X",), ("(no",))
    assert [cached_metadata(path) for _ in range(3)] == [expected] * 3
    assert opened == [path]


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    expected = CoreMetadata("demo", "1.0", "", "demo-1.0.dist-info", (), (), ())
    assert cached_metadata(str(make_wheel(tmp_path, NAME))) == expected


@pytest.mark.parametrize("text", ["b>=1.0.*", "b (>dev)", "", "b c", "b; os_name = 'x'", "b>=1-x"])
def test_requirements_that_are_not_valid(text: str, tmp_path: Path, opened: list[str]) -> None:
    path = str(make_wheel(tmp_path, NAME, requires_dist=["b>=1,", text, "b (>=1)"]))
    assert [cached_metadata(path).invalid for _ in range(2)] == [(text,)] * 2
    assert opened == [path]


def test_what_an_older_release_has_remembered_is_not_taken(tmp_path: Path, opened: list[str]) -> None:
    path = make_wheel(tmp_path, NAME, requires_dist=["(no"])
    cache.get_for_file("metadata", str(path), lambda: ["demo", "1.0", "", ["(no"], []])
    assert cached_metadata(str(path)).invalid == ("(no",)
    assert opened == [str(path)]


def test_what_is_valid_is_asked_of_the_packaging_that_is_there(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(make_wheel(tmp_path, NAME))
    cached_metadata(path)
    monkeypatch.setattr(packaging, "__version__", "99")
    cached_metadata(path)
    assert opened == [path, path]


@pytest.mark.parametrize("grown", [True, False], ids=["another size", "another time"])
def test_a_file_that_was_changed_is_read_anew(grown: bool, tmp_path: Path, opened: list[str]) -> None:
    def content(requirement: str) -> bytes:
        files = wheel_files(NAME, requires_dist=[requirement])
        return pack(tmp_path / "new.whl", files, compression=ZIP_STORED).read_bytes()

    path = tmp_path / NAME
    path.write_bytes(content("old"))
    status = path.stat()
    assert cached_metadata(str(path)).requires_dist == ("old",)
    path.write_bytes(content("older" if grown else "new"))  # the same inode
    assert (path.stat().st_size != status.st_size) == grown
    assert cached_metadata(str(path)).requires_dist == (("older",) if grown else ("new",))
    assert len(opened) == 2


def test_many_at_once_without_those_that_cannot_be_read(tmp_path: Path, opened: list[str]) -> None:
    wheels = [str(make_wheel(tmp_path, f"p{number}-1-py3-none-any.whl")) for number in range(40)]
    cached_metadata(wheels[0])
    (tmp_path / "broken.whl").write_bytes(b"")
    gone = str(tmp_path / "gone.whl")
    found = cached_metadata_of_many([*wheels, str(tmp_path / "broken.whl"), gone])
    assert {path: needs.name for path, needs in found.items()} == {
        path: f"p{number}" for number, path in enumerate(wheels)
    }
    assert sorted(opened) == sorted([*wheels, str(tmp_path / "broken.whl"), gone])
    assert cached_metadata_of_many(wheels) == found
    assert len(opened) == len(wheels) + 2
    with pytest.raises(UnreadableWheelError):
        cached_metadata(gone)


def test_without_a_home_nothing_is_remembered_and_all_works(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    wheels = [str(make_wheel(tmp_path, f"p{number}-1-py3-none-any.whl")) for number in range(3)]
    for _ in range(2):
        assert [needs.name for needs in cached_metadata_of_many(wheels).values()] == ["p0", "p1", "p2"]
    assert len(opened) == 6
