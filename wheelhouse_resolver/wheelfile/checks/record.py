"""RECORD: whether it lists every file in a form that all readers take, and every hash is right."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.utils.text import few
from wheelhouse_resolver.wheelfile.bounds import chunk_of
from wheelhouse_resolver.wheelfile.checks.opened import OpenWheel, text_of

#: Strong enough to be trusted (the specification names sha256 or better).
_HASHES = frozenset({"sha256", "sha384", "sha512"})

#: The longest line (bytes): a path has at most 4 kB, and every comma of a longer one would be a field.
_LONGEST_LINE = 1 << 14


class Record(NamedTuple):
    """What RECORD says. *lines*: file in the wheel -> its line. *blank*: the first blank line, or 0."""

    lines: Mapping[str, Sequence[str]]
    blank: int


def is_signature(filename: str, info_directory: str) -> bool:
    """Whether an entry is a signature of RECORD, which RECORD does not list (PEP 427)."""
    return filename in (f"{info_directory}/RECORD.jws", f"{info_directory}/RECORD.p7s")


def record_digest(digest: bytes) -> str:
    """A *digest* as RECORD has it."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def read_record(wheel: OpenWheel) -> Record | None:
    """RECORD, with notes of what it lists and is not there, or the other way round; None if unreadable."""
    data = wheel.content("RECORD")
    if data is None:
        return None
    entries = [info.filename for info in wheel.entries if not info.is_dir()]
    there, listed, blank = {*entries}, dict[str, Sequence[str]](), 0
    # Line by line: a hostile one has more of them than memory holds.
    held = 0

    def lines() -> Iterator[str]:
        nonlocal held
        for line in io.BytesIO(data):
            held += len(line)
            if held > _LONGEST_LINE:
                raise csv.Error(f"a line of more than {_LONGEST_LINE} bytes")
            # A lone carriage return ends a line, too.
            yield from io.StringIO(line.decode("utf-8"), newline="")

    reader = csv.reader(lines())
    try:
        for row in reader:
            held = 0
            if not row:
                blank = blank or reader.line_num
                continue
            if len(row) != 3:
                wheel.note(f"RECORD has a line of {len(row)} fields: {row[0]!r}")
            elif row[0] in listed:
                wheel.note(f"RECORD lists {row[0]!r} twice")
            if row[0] in there:
                listed[row[0]] = row
            elif not row[0].endswith("/"):  # no installer minds a directory
                wheel.note(f"RECORD lists {row[0]!r}, which is missing")
    except (UnicodeDecodeError, csv.Error) as error:
        wheel.note(f"RECORD cannot be read: {error}")
        return None
    for name in entries:
        if name not in listed and not _is_apart(wheel, name):
            wheel.note(f"RECORD does not list {name!r}")
    return Record(listed, blank)


def _is_apart(wheel: OpenWheel, name: str) -> bool:
    """Whether *name* is RECORD or a signature of it: files without a hash in it."""
    return name == f"{wheel.info_directory}/RECORD" or is_signature(name, wheel.info_directory)


def check_form(wheel: OpenWheel, record: Record) -> None:
    """Note what makes an installer stop, or call the wheel invalid, although the hashes are right.

    pip fails on a blank line; PyPA's `installer` refuses the rest (validate_record).
    """
    lines, own = record.lines, f"{wheel.info_directory}/RECORD"
    if record.blank:
        wheel.note(f"RECORD has a blank line (line {record.blank}), on which pip fails")
    if own not in lines:
        wheel.note("RECORD does not list itself")
    elif any(lines[own][1:]):
        wheel.note("RECORD lists itself with a hash or a size")
    whole = [row for row in lines.values() if len(row) == 3]
    if signatures := [name for name in lines if is_signature(name, wheel.info_directory)]:
        wheel.note(f"RECORD lists its own signature, {few(signatures)}")
    files = [row for row in whole if not _is_apart(wheel, row[0]) and row[1]]
    if sizeless := [name for name, _, size in files if not size]:
        wheel.note(f"RECORD has no size of {few(sizeless)}")
    if padded := [name for name, digest, _ in files if digest.endswith("=")]:
        wheel.note(f"RECORD pads the hash of {few(padded)} with `=`")


def check_contents(
    wheel: OpenWheel, record: Record, look: Callable[[OpenWheel, str, bytes], object]
) -> dict[str, str]:
    """Note files that are not what RECORD says; returns the sha256 of the others by name (hex).

    look: is called with each file's name and first bytes.
    """
    digests: dict[str, str] = {}
    for info in wheel.entries:
        row = record.lines.get(info.filename, ())
        if info.is_dir() or len(row) != 3 or _is_apart(wheel, info.filename):
            continue
        algorithm, _, expected = row[1].partition("=")
        if algorithm not in _HASHES:
            wheel.note(f"RECORD has no sha256 (or better) for {info.filename!r}")
            continue
        hashes = {name: hashlib.new(name) for name in {algorithm, "sha256"}}
        length = 0
        try:
            with wheel.archive.open(info) as file:
                while chunk := file.read(chunk_of(info)):
                    if not length:
                        look(wheel, info.filename, chunk)
                    length += len(chunk)
                    for each in hashes.values():
                        each.update(chunk)
        except (*BAD_ZIP, OSError) as error:  # bz2 calls damaged data an OSError
            wheel.note(f"{info.filename!r} is damaged: {text_of(error)}")
            continue
        if problem := _differs(info, row, length, hashes[algorithm].digest(), expected):
            wheel.note(f"{info.filename!r} {problem}")
        digests[info.filename] = hashes["sha256"].hexdigest()
    return digests


def _differs(info: zipfile.ZipInfo, row: Sequence[str], length: int, digest: bytes, expected: str) -> str:
    if record_digest(digest) != expected.rstrip("="):
        return f"does not match its {row[1].partition('=')[0]} in RECORD"
    if row[2] and row[2] != str(length):
        return f"has {length} bytes, RECORD says {row[2]}"
    return f"has {length} bytes, the zip file says {info.file_size}" if length != info.file_size else ""
