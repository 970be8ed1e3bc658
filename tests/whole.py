"""Whether wheels are whole, as a program that is not ours sees it: the `installer` project's reader."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import zipfile
from pathlib import Path

from installer.sources import WheelFile
from packaging.utils import parse_wheel_filename

__all__ = ["MARKS", "assert_whole", "content_of", "headers_of", "wheels_below"]

#: What a publisher adds to a wheel, and so what differs between a wheel and the placed one.
MARKS = ("RECORD", "WHEEL")


def assert_whole(path: Path) -> None:
    """Assert that *path* is a wheel with a right RECORD, and says in WHEEL what its name says."""
    with WheelFile.open(path) as wheel:
        wheel.validate_record(validate_contents=True)
    _, _, build, tags = parse_wheel_filename(path.name)
    headers = headers_of(path, "WHEEL")
    assert {value for key, value in headers if key == "Tag"} == set(map(str, tags))
    assert [value for key, value in headers if key == "Build"] == ["".join(map(str, build))][: len(build)]


def headers_of(path: Path, name: str) -> list[tuple[str, str]]:
    """The headers of METADATA or WHEEL in the wheel at *path*."""
    with zipfile.ZipFile(path) as archive:
        end = f".dist-info/{name}"
        (found,) = [each for each in archive.namelist() if each.count("/") == 1 and each.endswith(end)]
        text = archive.read(found).decode()
    lines = text.replace("\r\n", "\n").partition("\n\n")[0].splitlines()
    return [(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines]


def content_of(path: Path, *, but: str = "") -> str:
    """What tells the content of a wheel apart from others, whatever stamp it has: its files' hashes.

    but: in the names of files that do not count.
    """
    with zipfile.ZipFile(path) as archive:
        (record,) = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        rows = csv.reader(io.StringIO(archive.read(record).decode()))
        told = sorted(row[1] for row in rows if not (row[0].endswith(MARKS) or (but and but in row[0])))
    return base64.b16encode(hashlib.sha256("\n".join(told).encode()).digest()).decode()


def wheels_below(root: Path) -> list[Path]:
    """Every file and link below *root* whose name installers would take for a wheel's, but for the trash."""
    found: list[Path] = []
    for path, below, names in os.walk(root):
        below[:] = [name for name in below if name != ".trash"]
        found += [Path(path, name) for name in names if name.endswith(".whl")]
    return sorted(found)
