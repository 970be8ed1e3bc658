"""Rewriting a wheel: its version's local label, build tag and wheel tags, everywhere they stand.

The result holds the same files byte for byte, but for METADATA (the version), WHEEL (`Build` and `Tag`) and
RECORD; it depends on nothing but the input, so doing it twice gives the same bytes.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import stat
import zipfile
from collections.abc import Callable
from typing import IO, NamedTuple

from packaging.tags import Tag

from wheelhouse_resolver.metadata import header_lines, open_regular
from wheelhouse_resolver.wheel_check import CheckedWheel, is_signature

__all__ = ["ChangedWhileReadError", "Rewrite", "rewrite"]

_CHUNK = 1 << 20


class ChangedWhileReadError(ValueError):
    """The wheel is not any more what was checked. Its text is the entry that differs."""


class Rewrite(NamedTuple):
    """What to change in a wheel.

    version: the whole new version; None keeps it.
    build:   the new build tag as text; empty removes it.
    tags:    the new wheel tags; None keeps them.
    """

    version: str | None
    build: str
    tags: frozenset[Tag] | None = None


def rewrite(wheel: CheckedWheel, change: Rewrite, output: IO[bytes]) -> None:
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
    if change.version is not None:
        version = change.version
        edits[f"{old_info}/METADATA"] = lambda text: _metadata_text(text, version)

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
            digest = hashlib.sha256()
            size = 0
            edit = edits.get(info.filename)
            entry = _entry(info, name)
            if edit is not None:
                old = source.read(info)
                _compare(wheel, info.filename, hashlib.sha256(old))
                data = edit(old)
                entry.file_size = len(data)
                target.writestr(entry, data, compress_type=info.compress_type)
                digest.update(data)
                size = len(data)
            else:
                entry.file_size = info.file_size
                with source.open(info) as reader, target.open(entry, "w") as writer:
                    while chunk := reader.read(_CHUNK):
                        digest.update(chunk)
                        size += len(chunk)
                        writer.write(chunk)
                _compare(wheel, info.filename, digest)
            rows.append((name, "sha256=" + _base64(digest.digest()), str(size)))
        if record is None or unseen:
            raise ChangedWhileReadError(min(unseen, default=f"{old_info}/RECORD"))
        rows.append((record.filename, "", ""))
        target.writestr(record, _csv(rows), compress_type=zipfile.ZIP_DEFLATED)


def _compare(wheel: CheckedWheel, filename: str, digest: hashlib._Hash) -> None:
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


def _metadata_text(text: bytes, version: str) -> bytes:
    """The METADATA file with another `Version`, and nothing else changed."""
    return _VERSION.sub(b"Version: " + version.encode("ascii"), text, count=1)
