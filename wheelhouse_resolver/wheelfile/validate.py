"""Checking a wheel before it enters the wheelhouse. The file may be anything, and hostile.

Every finding is collected before a wheel is refused (binary distribution format, PEP 427; core metadata).
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
from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import product
from math import prod
from typing import NamedTuple

from packaging.tags import Tag
from packaging.utils import (
    BuildTag,
    InvalidWheelFilename,
    NormalizedName,
    canonicalize_name,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.errors import WheelhouseError, printable, reason_of
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, CHUNK, open_regular
from wheelhouse_resolver.utils.text import invalid_character
from wheelhouse_resolver.wheelfile.metadata import MOST_METADATA, Metadata, parse_headers
from wheelhouse_resolver.wheelfile.tags import machine_of

#: The largest ones that are read (bytes).
_MOST_TEXT = {"METADATA": MOST_METADATA, "WHEEL": 1 << 20, "RECORD": 64 << 20}

#: More tags than any real file name expands to.
_MOST_TAGS = 1000

#: So much, and so many times the file's own size, no real wheel unpacks to (bytes, times).
_LARGE, _MOST_RATIO = 1 << 30, 200

#: A hostile wheel may have a million faults: after so many, and so many characters of one, it is enough.
_MOST_FINDINGS, _LONGEST_FINDING = 1000, 1000

#: Strong enough to be trusted (the specification names sha256 or better).
_HASHES = frozenset({"sha256", "sha384", "sha512"})

#: The interpreters that have wheels: Python itself, CPython, PyPy, GraalPy, ...
_INTERPRETER = re.compile(r"(py|cp|pp|ip|jy|graalpy)\d+(_\w+)?")


class InvalidWheelError(WheelhouseError, ValueError):
    """An invalid wheel, with everything that is wrong with it."""

    _message = "{path}: invalid wheel: {findings:; }"
    path: str
    findings: Sequence[str]


class WheelName(NamedTuple):
    """The parts of a wheel's file name (PEP 427)."""

    name: NormalizedName
    version: Version
    build: BuildTag
    tags: frozenset[Tag]

    @classmethod
    def parse(cls, filename: str) -> WheelName:
        """The parts of *filename*. Raises `ValueError`, whose text says what is wrong."""
        if problem := invalid_character(filename):
            raise ValueError(f"invalid wheel file name: {problem}")
        try:
            return cls(*parse_wheel_filename(filename))
        except InvalidWheelFilename as error:
            problem = str(error).removeprefix("Invalid wheel filename ").rpartition(": ")[0]
            raise ValueError(f"invalid wheel file name: {problem.strip('()')}") from error


class ValidatedWheel(NamedTuple):
    """A wheel in which nothing is wrong.

    path:            of the file.
    name, version, build, tags: of its file name.
    info_directory:  its `.dist-info` directory.
    digests:         file in it -> sha256 (hex), all but RECORD.
    """

    path: str
    name: NormalizedName
    version: Version
    build: BuildTag
    tags: frozenset[Tag]
    info_directory: str
    digests: dict[str, str]

    @property
    def filename(self) -> str:
        """The name of the file."""
        return os.path.basename(self.path)


def is_signature(filename: str, info_directory: str) -> bool:
    """Whether an entry is a signature of RECORD, which RECORD does not list (PEP 427)."""
    return filename in (f"{info_directory}/RECORD.jws", f"{info_directory}/RECORD.p7s")


def record_digest(digest: bytes) -> str:
    """A *digest* as RECORD has it."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def check_wheel(path: str, filename: str = "") -> ValidatedWheel:
    """The wheel at *path*, if it is valid: its name, structure, metadata and every RECORD hash.

    *filename*: the name that it will have, if that is not its own yet. Raises `InvalidWheelError` with
    everything that is wrong.
    """
    named = filename or path
    try:
        stated = WheelName.parse(os.path.basename(named))
    except ValueError as error:
        raise InvalidWheelError(named, [str(error)]) from error
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise InvalidWheelError(named, ["empty file"])
            with zipfile.ZipFile(file) as archive:
                check = _Check(archive, size, stated)
                check.run()
    except OSError as error:
        raise InvalidWheelError(named, [f"cannot be read: {reason_of(error)}"]) from error
    except InvalidWheelError:
        raise
    except BAD_ZIP as error:
        raise InvalidWheelError(named, [f"invalid zip file: {_text_of(error)}"]) from error
    if check.findings:
        raise InvalidWheelError(named, check.findings)
    return ValidatedWheel(path, *stated, check.info_directory, check.digests)


def _few(items: Iterable[str]) -> str:
    """The first of *items*, sorted, for people to read."""
    ordered = sorted(items)
    return ", ".join(ordered[:5]) + (", ..." if len(ordered) > 5 else "")


def _text_of(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _same_version(text: str, version: Version) -> bool:
    try:
        return Version(text) == version
    except InvalidVersion:
        return False


class _Enough(Exception):
    """There are findings enough."""


class _Check:
    """Looks at one archive of *size* bytes, called as *stated*, and collects what is wrong with it."""

    def __init__(self, archive: zipfile.ZipFile, size: int, stated: WheelName) -> None:
        self._archive = archive
        self._size = size
        self._stated = stated
        self.findings: list[str] = []
        self.info_directory = ""
        self.digests: dict[str, str] = {}

    def run(self) -> None:
        try:
            self._check_tags()
            self._check_names()
            self._check_sizes()
            if not self.findings:  # what leaves the archive, or never ends, is not read any further
                self._find_info_directory()
            if self.info_directory:
                for name, check in (("METADATA", self._check_metadata), ("WHEEL", self._check_wheel)):
                    if (headers := self._headers(name)) is not None:
                        check(headers)
                self._check_record()
        except _Enough:
            self.findings.append("and more, not checked")

    def _note(self, finding: str) -> None:
        more = "..." if len(finding) > _LONGEST_FINDING else ""
        self.findings.append(finding[:_LONGEST_FINDING] + more)
        if len(self.findings) >= _MOST_FINDINGS:
            raise _Enough

    def _check_tags(self) -> None:
        if len(self._stated.tags) > _MOST_TAGS:
            self._note(f"its name expands to {len(self._stated.tags)} tags: too many")
            return
        for tag in self._stated.tags:
            known = tag.platform == "any" or machine_of(tag.platform) is not None
            if known and _INTERPRETER.fullmatch(tag.interpreter):
                return
        self._note(f"no Python on Linux can use its tags ({_few(map(str, self._stated.tags))})")

    def _check_names(self) -> None:
        seen: set[str] = set()
        for info in self._archive.infolist():
            shown = printable(info.filename)
            parts = info.filename.removesuffix("/").split("/")
            # zipfile cuts a name at its first NUL; other readers may not.
            if problem := invalid_character(info.orig_filename):
                self._note(f"invalid name of entry {shown!r}: {problem}")
            if info.filename.startswith("/") or ".." in parts or "\\" in info.filename:
                self._note(f"entry {shown!r} is outside of the archive")
            elif "" in parts or "." in parts:
                self._note(f"entry {shown!r} is not a normalised path")
            name = "/".join(parts)
            if name in seen:
                self._note(f"duplicate entry {shown!r}")
            seen.add(name)
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                what = "a symbolic link" if kind == stat.S_IFLNK else "not a regular file"
                self._note(f"entry {shown!r} is {what}")
            if info.flag_bits & 1:
                self._note(f"entry {shown!r} is encrypted")
        files = sorted(name for info in self._archive.infolist() if (name := info.filename)[-1:] != "/")
        for name in files:
            below = bisect(files, f"{name}/")
            if below < len(files) and files[below].startswith(f"{name}/"):
                self._note(f"entry {printable(files[below])!r} is below {printable(name)!r}, which is a file")

    def _check_sizes(self) -> None:
        packed = sum(info.compress_size for info in self._archive.infolist())
        unpacked = sum(info.file_size for info in self._archive.infolist())
        if packed > self._size:
            self._note(f"its entries overlap: they claim {packed} bytes of a file of {self._size}")
        if unpacked > max(_LARGE, _MOST_RATIO * self._size):
            self._note(f"zip bomb: its {self._size} bytes claim to unpack to {unpacked}")

    def _find_info_directory(self) -> None:
        tops = {info.filename.partition("/")[0] for info in self._archive.infolist()}
        found = sorted(top for top in tops if top.endswith(".dist-info"))
        if len(found) != 1:
            self._note(f"it has {len(found)} .dist-info directories instead of one")
            return
        name, _, version = found[0].removesuffix(".dist-info").rpartition("-")
        if canonicalize_name(name) != self._stated.name or not _same_version(version, self._stated.version):
            self._note(f"{found[0]} does not match the file name")
        self.info_directory = found[0]

    def _text(self, name: str) -> bytes | None:
        path, most = f"{self.info_directory}/{name}", _MOST_TEXT[name]
        try:
            info = self._archive.getinfo(path)
            problem = f"claims {info.file_size} bytes: too large"
            if info.file_size <= most:
                with self._archive.open(info) as file:
                    data = file.read(most + 1)  # the size in the archive's directory may be wrong
                if len(data) <= most:
                    return data
                problem = "is too large"
        except KeyError:
            problem = "is missing"
        except BAD_ZIP as error:
            problem = f"is damaged: {_text_of(error)}"
        self._note(f"{path} {problem}")
        return None

    def _headers(self, name: str) -> Metadata | None:
        data = self._text(name)
        try:
            return parse_headers(data.decode("utf-8")) if data is not None else None
        except UnicodeDecodeError:
            self._note(f"{self.info_directory}/{name} is not UTF-8")
            return None

    def _check_metadata(self, metadata: Metadata) -> None:
        name, version = metadata.get("Name") or "", metadata.get("Version") or ""
        if canonicalize_name(name) != self._stated.name:
            self._note(f"METADATA has name {name!r}, the file name {str(self._stated.name)!r}")
        if not _same_version(version, self._stated.version):
            self._note(f"METADATA has version {version!r}, the file name {str(self._stated.version)!r}")

    def _check_wheel(self, wheel: Metadata) -> None:
        format_version = wheel.get("Wheel-Version") or ""
        if format_version.partition(".")[0] != "1":
            self._note(f"WHEEL has Wheel-Version {format_version!r}: installers support 1.x only")
        stated: set[Tag] = set()
        others: list[str] = []
        for text in wheel.get_all("Tag"):
            parts = [set(part.lower().split(".")) for part in text.split("-")]
            if len(parts) != 3:
                self._note(f"WHEEL has an invalid tag {text!r}")
            elif prod(map(len, parts)) > len(self._stated.tags):  # not expanded: it may mean billions
                others.append(text)
            else:
                stated |= {Tag(*each) for each in product(*parts)}
        if others or stated != self._stated.tags:
            shown = _few([*map(str, stated), *others]) or "none"
            self._note(f"WHEEL has tags {shown}, the file name {_few(map(str, self._stated.tags))}")
        build = wheel.get("Build") or ""
        own = "".join(map(str, self._stated.build))
        if build and build.lstrip("0") != own.lstrip("0"):
            self._note(f"WHEEL has build {build!r}, the file name {own!r}")

    def _check_record(self) -> None:
        data = self._text("RECORD")
        if data is None:
            return
        entries = {info.filename: info for info in self._archive.infolist() if not info.is_dir()}
        listed: dict[str, Sequence[str]] = {}
        try:
            # Line by line: a hostile one has more of them than memory holds.
            for row in csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", newline="")):
                if not row:
                    continue
                if len(row) != 3:
                    self._note(f"RECORD has a line of {len(row)} fields: {row[0]!r}")
                elif row[0] in listed:
                    self._note(f"RECORD lists {row[0]!r} twice")
                if row[0] in entries:
                    listed[row[0]] = row
                else:
                    self._note(f"RECORD lists {row[0]!r}, which is missing")
        except (UnicodeDecodeError, csv.Error) as error:
            self._note(f"RECORD cannot be read: {error}")
            return
        record = f"{self.info_directory}/RECORD"
        for name, info in entries.items():
            if name == record or is_signature(name, self.info_directory):
                continue
            if name not in listed:
                self._note(f"RECORD does not list {name!r}")
            elif len(listed[name]) == 3:
                self._check_row(info, listed[name][1], listed[name][2])

    def _check_row(self, info: zipfile.ZipInfo, stated: str, size: str) -> None:
        algorithm, _, expected = stated.partition("=")
        if algorithm not in _HASHES:
            self._note(f"RECORD has no sha256 (or better) for {info.filename!r}")
            return
        hashes = {name: hashlib.new(name) for name in {algorithm, "sha256"}}
        length = 0
        try:
            with self._archive.open(info) as file:
                while chunk := file.read(CHUNK):
                    length += len(chunk)
                    for each in hashes.values():
                        each.update(chunk)
        except (*BAD_ZIP, OSError) as error:  # bz2 calls damaged data an OSError
            self._note(f"{info.filename!r} is damaged: {_text_of(error)}")
            return
        if record_digest(hashes[algorithm].digest()) != expected.rstrip("="):
            self._note(f"{info.filename!r} does not match its {algorithm} in RECORD")
        elif size and size != str(length):
            self._note(f"{info.filename!r} has {length} bytes, RECORD says {size}")
        elif length != info.file_size:
            self._note(f"{info.filename!r} has {length} bytes, the zip file says {info.file_size}")
        self.digests[info.filename] = hashes["sha256"].hexdigest()
