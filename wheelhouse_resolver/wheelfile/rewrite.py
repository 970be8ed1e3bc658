"""Rewriting a wheel: its local label, build tag, wheel tags and requirements, everywhere they stand.

The result holds the same files byte for byte, but for METADATA (version and requirements), WHEEL (`Build` and
`Tag`), RECORD and what the caller replaces; it depends on nothing but the input, so doing it twice gives
the same bytes.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import stat
import zipfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import IO, NamedTuple

from packaging.tags import Tag
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.utils.safe_io import open_regular
from wheelhouse_resolver.wheelfile.metadata import header_lines
from wheelhouse_resolver.wheelfile.validate import ValidatedWheel, is_signature

__all__ = ["ChangedWhileReadError", "Rewrite", "labelled", "rewrite"]

_CHUNK = 1 << 20


class ChangedWhileReadError(ValueError):
    """The wheel is not any more what was checked. Its text is the entry that differs."""


class Rewrite(NamedTuple):
    """What to change in a wheel.

    version:  the whole new version; None keeps it.
    build:    the new build tag as text; empty removes it.
    tags:     the new wheel tags; None keeps them.
    requires: all the requirements that it shall have (`Requires-Dist`); None keeps them.
    replaced: file in the wheel -> the path of a file with its new content.
    """

    version: str | None
    build: str
    tags: frozenset[Tag] | None = None
    requires: tuple[str, ...] | None = None
    replaced: Mapping[str, str] = MappingProxyType({})


def labelled(version: Version, label: str) -> str | None:
    """*version* with *label* appended to its local label (PEP 440); None when it ends so already.

    Raises `ValueError` when *label* is none.
    """
    parts = version.local.split(".") if version.local else []
    try:
        new = Version(f"{version.public}+{'.'.join([*parts, label])}")
    except InvalidVersion as error:
        raise ValueError(f"{label!r} is no local label (letters, digits, dots)") from error
    assert new.local is not None
    added = new.local.split(".")[len(parts) :]
    return None if parts[-len(added) :] == added else str(new)


def rewrite(wheel: ValidatedWheel, change: Rewrite, output: IO[bytes]) -> None:
    """Write *wheel*, changed as *change* says, to *output*.

    Every file is hashed on the way, and must be what RECORD said when the wheel was checked: raises
    `ChangedWhileReadError` otherwise, and `OSError` and `zipfile.BadZipFile` as they come.
    """
    old_info, new_info = wheel.info_directory, wheel.info_directory
    if change.version is not None:
        stem = wheel.info_directory.removesuffix(".dist-info").rpartition("-")[0]
        new_info = f"{stem}-{change.version}.dist-info"
    moved = {
        old_info: new_info,
        old_info.removesuffix(".dist-info") + ".data": new_info.removesuffix(".dist-info") + ".data",
    }
    if any(name.startswith(f"{new_info.removesuffix('.dist-info')}.data/") for name in wheel.digests):
        moved = {old_info: new_info}  # what moved there could meet a file of the same name
    edits: dict[str, Callable[[bytes], bytes]] = {
        f"{old_info}/WHEEL": lambda text: _wheel_text(text, change),
    }
    unseen = set(wheel.digests)
    if change.version is not None or change.requires is not None:
        edits[f"{old_info}/METADATA"] = lambda text: _metadata_text(text, change)

    rows: list[tuple[str, str, str]] = []
    record: zipfile.ZipInfo | None = None
    with (
        open_regular(wheel.path) as file,
        zipfile.ZipFile(file) as source,
        zipfile.ZipFile(output, "w") as target,
    ):
        for info in source.infolist():
            if info.is_dir() or is_signature(info.filename, old_info):
                continue  # a signature is one of the old RECORD
            top, slash, rest = info.filename.partition("/")
            name = moved.get(top, top) + slash + rest
            if info.filename == f"{old_info}/RECORD":
                record = _entry(info, f"{new_info}/RECORD")
                continue
            if info.filename not in unseen:
                raise ChangedWhileReadError(info.filename)
            unseen.remove(info.filename)
            edit = edits.get(info.filename)
            entry = _entry(info, name)
            if edit is not None:
                old = source.read(info)
                _compare(wheel, info.filename, hashlib.sha256(old))
                data = edit(old)
                entry.file_size = len(data)
                target.writestr(entry, data, compress_type=info.compress_type)
                digest, size = hashlib.sha256(data), len(data)
            elif info.filename in change.replaced:
                with open(change.replaced[info.filename], "rb") as replacement:
                    entry.file_size = os.fstat(replacement.fileno()).st_size
                    digest, size = _copy(replacement, target, entry)
            else:
                entry.file_size = info.file_size
                with source.open(info) as reader:
                    digest, size = _copy(reader, target, entry)
                _compare(wheel, info.filename, digest)
            rows.append((name, "sha256=" + _base64(digest.digest()), str(size)))
        if record is None or unseen:
            raise ChangedWhileReadError(min(unseen, default=f"{old_info}/RECORD"))
        rows.append((record.filename, "", ""))
        target.writestr(record, _csv(rows), compress_type=zipfile.ZIP_DEFLATED)


def _copy(reader: IO[bytes], target: zipfile.ZipFile, entry: zipfile.ZipInfo) -> tuple[hashlib._Hash, int]:
    """Write what *reader* gives as *entry* of *target*; returns its digest and size."""
    digest, size = hashlib.sha256(), 0
    with target.open(entry, "w") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
            writer.write(chunk)
    return digest, size


def _compare(wheel: ValidatedWheel, filename: str, digest: hashlib._Hash) -> None:
    if wheel.digests[filename] != digest.hexdigest():
        raise ChangedWhileReadError(filename)


def _entry(info: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    """A new entry like *info*: its time, type and permissions, without what depends on how it was written."""
    entry = zipfile.ZipInfo(name, info.date_time)
    entry.compress_type = info.compress_type
    entry.create_system = 3  # Unix: so that the permissions count
    mode = info.external_attr >> 16
    executable = 0o111 if mode & 0o111 else 0
    entry.external_attr = (stat.S_IFREG | 0o644 | executable) << 16
    return entry


def _base64(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _csv(rows: list[tuple[str, str, str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8")


def _wheel_text(text: bytes, change: Rewrite) -> bytes:
    """The WHEEL file with `Build` and `Tag` as *change* has them; what no reader takes for a header goes."""
    dropped = ("build:",) if change.tags is None else ("build:", "tag:")
    kept = [each for each in header_lines(text.decode("utf-8")) if not each.lower().startswith(dropped)]
    if change.tags is not None:
        kept += sorted(f"Tag: {tag.interpreter}-{tag.abi}-{tag.platform}" for tag in change.tags)
    if change.build:
        kept.append(f"Build: {change.build}")
    return ("\n".join(kept) + "\n").encode("utf-8")


#: The first `Version` header, with the lines that continue it.
_VERSION = re.compile(rb"(?:\A|(?<=[\r\n]))version:[^\r\n]*(?:(?:\r\n|\r|\n)[ \t][^\r\n]*)*", re.IGNORECASE)


#: Lines with what ends them, as `header_lines` tells them apart.
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_REQUIRES = b"requires-dist:"


def _metadata_text(text: bytes, change: Rewrite) -> bytes:
    """The METADATA file with another `Version` or `Requires-Dist`, and nothing else changed."""
    if change.requires is not None:
        text = _with_requires(text, change.requires)
    if change.version is not None:
        text = _VERSION.sub(b"Version: " + change.version.encode("ascii"), text, count=1)
    return text


def _with_requires(text: bytes, requires: tuple[str, ...]) -> bytes:
    """*text* with these requirements where the first one stood, or behind the last header."""
    count = len(list(header_lines(text.decode("utf-8"))))
    lines = _LINE.findall(text)
    newline = b"\r\n" if lines[0].endswith(b"\r\n") else b"\n"
    new = [b"Requires-Dist: " + each.encode("utf-8") + newline for each in requires]
    kept: list[bytes] = []
    place: int | None = None
    inside = False
    for number, line in enumerate(lines):
        if line[:1] not in (b" ", b"\t"):
            if count == 0:  # the headers end here
                place = len(kept) if place is None else place
                kept += lines[number:]
                break
            count -= 1
            inside = line.lower().startswith(_REQUIRES)
            if inside and place is None:
                place = len(kept)
        if not inside:
            kept.append(line)
    if place is None:
        place = len(kept)
    if place and new and not kept[place - 1].endswith((b"\n", b"\r")):
        kept[place - 1] += newline
    return b"".join([*kept[:place], *new, *kept[place:]])
