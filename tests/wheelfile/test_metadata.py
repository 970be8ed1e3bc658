from __future__ import annotations

import contextlib
import email.parser
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.factories import make_wheel
from wheelhouse_resolver.errors import UnreadableWheelError
from wheelhouse_resolver.wheelfile import metadata
from wheelhouse_resolver.wheelfile.metadata import parse_headers, read_metadata

_NAMES = st.sampled_from(
    ["Name", "Version", "Requires-Python", "requires-python", "Summary", "X-\x7f", "a b"]
)
_VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)
_LINES = st.one_of(
    st.tuples(_NAMES, st.sampled_from([":", ": ", ":\t", " :"]), _VALUES).map("".join),
    st.tuples(st.sampled_from([" ", "\t", "        "]), _VALUES).map("".join),
    st.tuples(st.sampled_from([" ", "        "]), st.just("")).map("".join),
    _VALUES.filter(lambda line: not line.startswith("From ")),
)


@given(lines=st.lists(_LINES, max_size=8), end=st.sampled_from(["\n", "\r\n", "\r"]))
@example(lines=["Summary: a\x0cb", "Requires-Python: >=3.9"], end="\n")
@example(lines=["Summary: a\u2028b\x85c", "Requires-Python: >=3.9"], end="\n")
@example(lines=["Description: a", "        ", "        b", "Requires-Python: >=3.9"], end="\n")
@example(lines=[" folded", "Requires-Python: >=3.9"], end="\n")
@example(lines=["Name:0\t", " 0"], end="\n")
def test_headers_are_read_as_the_email_package_reads_them(lines: list[str], end: str) -> None:
    text = end.join(lines) + end
    # An empty name is a defect there, which is skipped; here it ends the headers.
    if any(line.startswith(":") for line in lines):
        return
    expected = email.parser.HeaderParser().parsestr(text)
    found = parse_headers(text)

    def lines_of(values: Iterable[str]) -> list[list[str]]:
        return [[line.strip() for line in value.strip().splitlines()] for value in values]

    for name in {*expected, *(name for name, _ in found.headers)}:
        assert lines_of(found.get_all(name)) == lines_of(expected.get_all(name, []))


def test_headers_are_found_in_any_case_and_in_order() -> None:
    found = parse_headers("Requires-Dist: b\nREQUIRES-DIST: a\nName: x\n\nName: body\n")
    assert found.get_all("requires-dist") == ["b", "a"]
    assert found.get("Name") == "x"
    assert found.get("Version") is None
    assert found.get_all("Version") == []


def test_the_headers_of_a_wheel(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path, "demo-1.0-py3-none-any.whl", requires_python=">=3.8", extras=["fast", "small"]
    )
    found = read_metadata(str(wheel))
    assert found.get("Requires-Python") == ">=3.8"
    assert found.get_all("Provides-Extra") == ["fast", "small"]


def write(path: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_metadata_of_vendored_projects_is_not_the_wheels_own(tmp_path: Path) -> None:
    entries = {
        "demo/_vendor/other-2.dist-info/METADATA": b"Requires-Python: >=99\n",
        "METADATA": b"Requires-Python: >=98\n",
        "demo-1.dist-info/METADATA": b"Requires-Python: >=3.8\n",
    }
    assert read_metadata(str(write(tmp_path / "a.whl", **entries))).get("Requires-Python") == ">=3.8"


class TestUnreadable:
    """Files may be anything: each is one kind of error that names the file and says what is wrong."""

    def problem(self, path: Path) -> str:
        with pytest.raises(UnreadableWheelError) as raised:
            read_metadata(str(path))
        assert raised.value.path == str(path)
        assert str(raised.value) == f"{path}: {raised.value.problem}"
        assert "\n" not in str(raised.value)
        return raised.value.problem

    def test_missing(self, tmp_path: Path) -> None:
        assert self.problem(tmp_path / "gone.whl") == "cannot be read: No such file or directory"

    def test_a_dangling_link(self, tmp_path: Path) -> None:
        (tmp_path / "a.whl").symlink_to("gone.whl")
        assert self.problem(tmp_path / "a.whl") == "cannot be read: No such file or directory"

    def test_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "a.whl").mkdir()
        assert self.problem(tmp_path / "a.whl") == "cannot be read: Is a directory"

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>not found</html>" * 9])
    def test_no_zip_file(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / "a.whl").write_bytes(content)
        assert self.problem(tmp_path / "a.whl").startswith(f"invalid zip file ({len(content)} bytes)")

    def test_a_zip_file_cut_short(self, tmp_path: Path) -> None:
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
        wheel.write_bytes(wheel.read_bytes()[:-100])
        assert self.problem(wheel).startswith("invalid zip file")

    def test_no_metadata(self, tmp_path: Path) -> None:
        wheel = write(tmp_path / "a.whl", **{"demo-1.dist-info/WHEEL": b""})
        assert self.problem(wheel) == "has no METADATA"

    @pytest.mark.parametrize("names", [[], ["demo-1", "demo-2"]], ids=str)
    def test_not_one_dist_info_directory(self, names: list[str], tmp_path: Path) -> None:
        files = ["METADATA", "WHEEL"]
        entries = {f"{name}.dist-info/{file}": b"" for name, file in zip(names, files, strict=False)}
        problem = f"has {len(names)} .dist-info directories instead of one"
        assert self.problem(write(tmp_path / "a.whl", x=b"", **entries)) == problem

    @pytest.mark.parametrize("content", [b"Author: J\xf6rg\n", b"\nJ\xf6rg\n"], ids=["header", "description"])
    def test_not_utf_8(self, content: bytes, tmp_path: Path) -> None:
        wheel = write(tmp_path / "a.whl", **{"demo-1.dist-info/METADATA": b"Name: demo\n" + content})
        assert self.problem(wheel) == "its METADATA is not UTF-8"

    def test_metadata_of_absurd_size_is_not_unpacked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metadata, "MOST_METADATA", 1000)
        wheel = write(tmp_path / "a.whl", **{"demo-1.dist-info/METADATA": b"x" * 1001})
        assert self.problem(wheel) == "its METADATA claims 1001 bytes"

    def test_nor_when_the_archive_lies_about_the_size(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metadata, "MOST_METADATA", 1000)
        wheel = write(tmp_path / "a.whl", **{"demo-1.dist-info/METADATA": b"x" * 5000})
        content = wheel.read_bytes()
        size = struct.pack("<L", 5000)
        assert content.count(size) == 2  # in the local header and in the central directory
        wheel.write_bytes(content.replace(size, struct.pack("<L", 10)))
        self.problem(wheel)

    def test_encrypted(self, tmp_path: Path) -> None:
        wheel = write(tmp_path / "a.whl", **{"demo-1.dist-info/METADATA": b"Name: demo\n"})
        content = bytearray(wheel.read_bytes())
        content[6] |= 1  # the flags of the local header
        content[content.index(b"PK\x01\x02") + 8] |= 1  # and of the central directory
        wheel.write_bytes(content)
        assert "encrypted" in self.problem(wheel)

    @pytest.mark.parametrize(
        "method",
        [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
        ids=["stored", "deflated", "bzip2", "lzma"],
    )
    @settings(max_examples=50)
    @given(data=st.data())
    def test_any_damage(
        self, method: int, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        wheel = tmp_path_factory.getbasetemp() / f"damaged-{method}.whl"
        with zipfile.ZipFile(wheel, "w", method) as archive:
            archive.writestr("demo-1.dist-info/METADATA", b"Name: demo\nRequires-Python: >=3.8\n" * 5)
        content = bytearray(wheel.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] = data.draw(st.integers(0, 255))
        wheel.write_bytes(content)
        with contextlib.suppress(UnreadableWheelError):
            read_metadata(str(wheel))
