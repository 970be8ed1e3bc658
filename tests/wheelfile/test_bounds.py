from __future__ import annotations

import bz2
import re
import zipfile
from pathlib import Path

import pytest

from tests.factories import make_tree, make_wheel, pack, run_cli, wheel_files
from wheelhouse_resolver.errors import TooLargeError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import InvalidFilename, parse_candidate
from wheelhouse_resolver.wheelfile import bounds, metadata
from wheelhouse_resolver.wheelfile.checks import record
from wheelhouse_resolver.wheelfile.metadata import read_metadata
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel

NAME = "demo-1.0-py3-none-any.whl"
INFO = "demo-1.0.dist-info"


def edited(directory: Path, file: str, more: bytes) -> Path:
    """A wheel to whose *file* in the `.dist-info` directory *more* was added at the front."""
    files = wheel_files(NAME)
    files[f"{INFO}/{file}"] = more + files[f"{INFO}/{file}"]
    path = directory / NAME
    pack(path, files)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(InvalidWheelError) as caught:
        check_wheel(str(path))
    return str(caught.value)


def test_an_archive_of_too_many_entries_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_wheel(tmp_path, NAME, files={f"demo/{number}.py": b"" for number in range(60)})
    check_wheel(str(path))
    monkeypatch.setattr(bounds, "MOST_ENTRIES", 50)
    with pytest.raises(TooLargeError, match="it has more than 50 entries"):
        read_metadata(str(path))
    assert "invalid wheel: it has more than 50 entries" in refusal(path)
    monkeypatch.setattr(bounds, "MOST_DIRECTORY", 1000)
    with pytest.raises(TooLargeError, match="its directory has more than 1000 bytes"):
        read_metadata(str(path))


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (b"Requires-Dist: a" + b" " * 16_000, "METADATA has Requires-Dist of 16002 characters: too long"),
        (b"Requires-Python: " + b">=3," * 5000, "METADATA has Requires-Python of 20001 characters: too long"),
        (b"X: a\n" * 50_001, "METADATA has more than 50000 lines of headers"),
        (b"X: a\n" + b" a\n" * 50_001, "METADATA has more than 50000 lines of headers"),
    ],
    ids=["requires-dist", "requires-python", "headers", "folded"],
)
def test_headers_that_are_too_long_are_not_parsed(more: bytes, problem: str, tmp_path: Path) -> None:
    path = edited(tmp_path, "METADATA", more.rstrip(b"\n") + b"\n")
    with pytest.raises(TooLargeError, match=re.escape(problem)):
        read_metadata(str(path))
    assert problem in refusal(path)


def test_a_description_may_be_long(tmp_path: Path) -> None:
    path = edited(tmp_path, "METADATA", b"Description: " + b"a " * 50_000 + b"\n")
    assert read_metadata(str(path)).get("Name") == "demo"


def test_a_line_of_record_that_is_all_commas_is_not_parsed(tmp_path: Path) -> None:
    path = edited(tmp_path, "RECORD", b"," * record._LONGEST_LINE + b"\n")
    assert "RECORD cannot be read: a line of more than 16384 bytes" in refusal(path)
    path = edited(tmp_path, "RECORD", b'"' + b'\n","' * record._LONGEST_LINE + b'"\n')
    assert "RECORD cannot be read: a line of more than 16384 bytes" in refusal(path)


def test_tags_in_wheel_that_multiply_are_not_all_made(tmp_path: Path) -> None:
    name = "demo-1.0-py3.py2-none-any.whl"
    files = wheel_files(name)
    tags = "".join(f"Tag: a{number}.b{number}-none-any\n" for number in range(1000))
    files[f"{INFO}/WHEEL"] += tags.encode()
    path = tmp_path / name
    pack(path, files)
    assert "WHEEL has tags a0-none-any" in refusal(path)


def test_what_unpacks_to_all_memory_at_once_is_unpacked_in_small_parts(tmp_path: Path) -> None:
    content = b"Name: demo\nVersion: 1.0\n\n" + b"\n" * (metadata.MOST_METADATA + 5)
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(f"{INFO}/METADATA", content)
        info = archive.infolist()[0]
    assert len(bz2.compress(content)) < 4096
    assert bounds.chunk_of(info) == 4096
    with zipfile.ZipFile(path) as archive:
        assert len(bounds.read_entry(archive, info, 100)) == 101
    with pytest.raises(TooLargeError, match="its METADATA claims"):
        read_metadata(str(path))


def test_a_file_name_whose_tags_multiply_is_not_expanded() -> None:
    tags = ".".join(f"py3{number}" for number in range(40))
    directory = Site.default("/w").directories()[0]
    for version in ("1.0", "1.0-1"):
        found = parse_candidate(f"demo-{version}-{tags}-{tags}-any.whl", directory)
        assert isinstance(found, InvalidFilename)
        assert found.problem == "its name expands to 1600 tags: too many"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (f"Version: {'9' * 5000}", "METADATA has version '999"),
        (f"Requires-Python: >={'9' * 5000}", "METADATA has the invalid Requires-Python '>=999"),
        (f"Requires-Dist: a>={'9' * 5000}", "METADATA requires 'a>=999"),
        ("Requires-Dist: a; 'x' in extras", "METADATA requires \"a; 'x' in extras\", which is invalid"),
        ("Requires-Dist: a; " + "(" * 5000, "METADATA requires 'a; (((("),
    ],
    ids=["version", "requires-python", "requires-dist", "extras", "deep"],
)
def test_what_packaging_fails_on_is_invalid(more: str, problem: str, tmp_path: Path) -> None:
    assert problem in refusal(edited(tmp_path, "METADATA", f"{more}\n".encode()))


def test_readers_pass_over_what_is_too_large(tmp_path: Path) -> None:
    root = tmp_path
    make_tree(root, {"generic": ["demo-0.9-py3-none-any.whl"]})
    edited(root / "generic", "METADATA", b"Requires-Dist: a" + b" " * 16_000 + b"\n")
    problem = "not read, and so passed over: its METADATA has Requires-Dist of 16002 characters: too long"
    for command in (("pick", "demo"), ("avail", "demo"), ("lock", "demo")):
        done = run_cli(*command, "--root", str(root))
        assert done.returncode == 0, done
        assert "0.9" in done.stdout
        assert problem in done.stderr
    assert "too long" in run_cli("why-not", "demo==1.0", "--root", str(root)).stdout
    assert "too long" in run_cli("audit", "--root", str(root)).stdout
