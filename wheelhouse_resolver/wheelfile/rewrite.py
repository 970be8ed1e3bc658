"""Rewriting a wheel: its local label, build tag, wheel tags and requirements, everywhere they are written.

The result holds the same files byte for byte, but for METADATA (version and requirements), WHEEL (`Build` and
`Tag`), RECORD and what the caller replaces or adds; it depends on nothing but the input, so doing it twice
gives the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import stat
import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import IO, NamedTuple

from packaging.tags import Tag
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.utils.filesystem import open_regular
from wheelhouse_resolver.utils.safe_io import CHUNK
from wheelhouse_resolver.wheelfile.checks.record import is_signature, record_digest
from wheelhouse_resolver.wheelfile.metadata import header_lines
from wheelhouse_resolver.wheelfile.provenance import SBOMS, next_sbom, sbom_names
from wheelhouse_resolver.wheelfile.validate import ValidatedWheel

#: A line of RECORD: file, digest, size.
_Row = tuple[str, str, str]


class ChangedWhileReadError(ValueError):
    """The wheel has changed since it was checked. Its text is the entry that differs."""


class Rewrite(NamedTuple):
    """What to change in a wheel.

    version:  the whole new version; None keeps it.
    build:    the new build tag as text; empty removes it.
    tags:     the new wheel tags; None keeps them.
    requires: all the requirements that it shall have (`Requires-Dist`); None keeps them.
    replaced: file in the wheel -> the path of a file with its new content.
    time:     of every file (year to second), in the order of their names; None keeps both.
    name:     what the project is called; empty keeps it.
    sbom:     the text of a new SBOM, beside those in it; empty for none.
    info:     file in its `.dist-info` -> content that it gets, whatever there was.
    """

    version: str | None
    build: str
    tags: frozenset[Tag] | None = None
    requires: tuple[str, ...] | None = None
    replaced: Mapping[str, str] = MappingProxyType({})
    time: tuple[int, int, int, int, int, int] | None = None
    name: str = ""
    sbom: bytes = b""
    info: Mapping[str, bytes] = MappingProxyType({})

    @property
    def stem(self) -> str:
        """The name as file names have it."""
        return self.name.replace("-", "_")


def labelled(version: Version, label: str) -> str | None:
    """*version* with *label* appended to its local label (PEP 440); None when it ends so already.

    Raises `ValueError` for an invalid *label*.
    """
    parts = version.local.split(".") if version.local else []
    try:
        new = Version(f"{version.public}+{'.'.join([*parts, label])}")
    except InvalidVersion as error:
        raise ValueError(f"invalid local label {label!r} (letters, digits, dots)") from error
    assert new.local is not None
    added = new.local.split(".")[len(parts) :]
    return None if parts[-len(added) :] == added else str(new)


def rewrite(wheel: ValidatedWheel, change: Rewrite, output: IO[bytes]) -> None:
    """Write *wheel*, changed as *change* says, to *output*.

    Every file is hashed, and must be what RECORD said when the wheel was checked: raises
    `ChangedWhileReadError` otherwise, and `OSError` and `zipfile.BadZipFile` as they come.
    """
    target = zipfile.ZipFile(output, "w")
    try:
        _rewrite(wheel, change, target)
        target.close()
    except BaseException:
        # An interrupt may leave it half written: to close it there raises another error.
        if target.fp is not None:  # else closing it is what failed
            target.fp = io.BytesIO()
        raise


def _rewrite(wheel: ValidatedWheel, change: Rewrite, target: zipfile.ZipFile) -> None:
    info_directory, moved = wheel.info_directory, _moved(wheel, change)
    edits = {f"{info_directory}/WHEEL": _wheel_text}
    if change.version is not None or change.requires is not None or change.name:
        edits[f"{info_directory}/METADATA"] = _metadata_text
    added = {f"{info_directory}/{name}": data for name, data in change.info.items()}
    unseen = wheel.digests.keys() - added.keys()
    rows: list[_Row] = []
    record: zipfile.ZipInfo | None = None
    with open_regular(wheel.path) as file, zipfile.ZipFile(file) as source:
        for info in _ordered(source, info_directory, change):
            if info.is_dir() or is_signature(info.filename, info_directory):
                continue  # a signature is one of the old RECORD
            top, slash, rest = info.filename.partition("/")
            entry = _entry(info, moved.get(top, top) + slash + rest)
            entry.date_time = change.time or entry.date_time
            if info.filename == f"{info_directory}/RECORD":
                record = entry
                continue
            if info.filename in added:
                continue
            if info.filename not in unseen:
                raise ChangedWhileReadError(info.filename)
            unseen.remove(info.filename)
            digest = wheel.digests[info.filename]
            if edit := edits.get(info.filename):
                data = source.read(info)
                if hashlib.sha256(data).hexdigest() != digest:
                    raise ChangedWhileReadError(info.filename)
                data = edit(data, change)
                rows.append(_copy(io.BytesIO(data), len(data), target, entry))
            elif info.filename in change.replaced:
                with open(change.replaced[info.filename], "rb") as reader:
                    rows.append(_copy(reader, os.fstat(reader.fileno()).st_size, target, entry))
            else:
                with source.open(info) as reader:
                    rows.append(_copy(reader, info.file_size, target, entry))
                if record_digest(bytes.fromhex(digest)) != rows[-1][1].removeprefix("sha256="):
                    raise ChangedWhileReadError(info.filename)
        if record is None or unseen:
            raise ChangedWhileReadError(min(unseen, default=f"{info_directory}/RECORD"))
        if change.sbom:
            name = next_sbom(sbom_names(source.namelist(), info_directory))
            added[f"{info_directory}/{SBOMS}{name}"] = change.sbom
        for name, data in added.items():
            top, slash, rest = name.partition("/")
            entry = _entry(record, moved.get(top, top) + slash + rest)
            rows.append(_copy(io.BytesIO(data), len(data), target, entry))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, (record.filename, "", "")])
        target.writestr(record, text.getvalue(), compress_type=zipfile.ZIP_DEFLATED)


def _ordered(source: zipfile.ZipFile, info_directory: str, change: Rewrite) -> list[zipfile.ZipInfo]:
    """The files of *source*, in the order to write them."""
    found = source.infolist()
    if change.time is None:
        return found
    # Last what describes the others (PEP 427).
    return sorted(found, key=lambda i: (i.filename.startswith(f"{info_directory}/"), i.filename))


def _moved(wheel: ValidatedWheel, change: Rewrite) -> dict[str, str]:
    """The top-level directories that are named after the project and version: old name -> new name."""
    if change.version is None and not change.name:
        return {}
    stem = wheel.info_directory.removesuffix(".dist-info")
    name, _, version = stem.rpartition("-")
    new = f"{change.stem or name}-{change.version or version}"
    moved = {f"{stem}.dist-info": f"{new}.dist-info"}
    # Where there is such a data directory already, files of the same name could meet.
    if not any(name.startswith(f"{new}.data/") for name in wheel.digests):
        moved[f"{stem}.data"] = f"{new}.data"
    return moved


def _copy(reader: IO[bytes], size: int, target: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _Row:
    """Write the *size* bytes of *reader* as *entry* of *target*; returns its line in RECORD."""
    entry.file_size = size
    found, count = hashlib.sha256(), 0
    with target.open(entry, "w") as writer:
        while chunk := reader.read(CHUNK):
            found.update(chunk)
            count += len(chunk)
            writer.write(chunk)
    return entry.filename, "sha256=" + record_digest(found.digest()), str(count)


def _entry(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    """A new entry like *info*: its time, type and permissions, without what depends on how it was written."""
    entry = zipfile.ZipInfo(name, info.date_time)
    # Not every installer unpacks anything else.
    stored = info.compress_type == zipfile.ZIP_STORED
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    entry.create_system = 3  # Unix: so that the permissions count
    executable = 0o111 if info.external_attr >> 16 & 0o111 else 0
    entry.external_attr = (stat.S_IFREG | 0o644 | executable) << 16
    return entry


def _wheel_text(text: bytes, change: Rewrite) -> bytes:
    """The WHEEL file with `Build` and `Tag` as *change* has them, and nothing but headers."""
    dropped = ("build:",) if change.tags is None else ("build:", "tag:")
    kept = [each for each in header_lines(text.decode("utf-8")) if not each.lower().startswith(dropped)]
    if change.tags is not None:
        kept += sorted(f"Tag: {tag.interpreter}-{tag.abi}-{tag.platform}" for tag in change.tags)
    if change.build:
        kept.append(f"Build: {change.build}")
    return ("\n".join(kept) + "\n").encode("utf-8")


#: The first `Version` header, with the lines that continue it.
_VERSION = re.compile(rb"(?:\A|(?<=[\r\n]))version:[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*", re.IGNORECASE)


#: Likewise `Name`.
_NAME = re.compile(_VERSION.pattern.replace(b"version", b"name"), re.IGNORECASE)

#: A header with the lines that continue it, as in `header_lines`; blanks begin one at the top only.
_HEADER = re.compile(rb"(?:[!-9;-~]+:|[ \t])[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*(?:\r\n|\r|\n|\Z)")


def _metadata_text(text: bytes, change: Rewrite) -> bytes:
    """The METADATA file with another `Name`, `Version` or `Requires-Dist`, and nothing else changed."""
    if change.requires is not None:
        text = _with_requires(text, change.requires)
    if change.name:
        text = _NAME.sub(b"Name: " + change.name.encode("ascii"), text, count=1)
    if change.version is not None:
        text = _VERSION.sub(b"Version: " + change.version.encode("ascii"), text, count=1)
    return text


def _with_requires(text: bytes, requires: tuple[str, ...]) -> bytes:
    """*text* with these requirements in the place of the first one, or after the last header."""
    headers: list[bytes] = []
    end = 0
    while header := _HEADER.match(text, end):
        headers.append(header[0])
        end = header.end()
    old = {number for number, header in enumerate(headers) if header.lower().startswith(b"requires-dist:")}
    place = min(old, default=len(headers))
    newline = b"\r\n" if text.splitlines(keepends=True)[0].endswith(b"\r\n") else b"\n"
    new = [b"Requires-Dist: " + each.encode("utf-8") + newline for each in requires]
    before, after = headers[:place], [each for n, each in enumerate(headers) if n > place and n not in old]
    if before and new and not before[-1].endswith((b"\n", b"\r")):
        before[-1] += newline
    return b"".join([*before, *new, *after, text[end:]])
