"""Reading METADATA out of a wheel, from files that may be anything."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

from wheelhouse_resolver.errors import TooLargeError, UnreadableWheelError, WheelhouseError, reason_of
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.bounds import open_wheel, read_entry

T = TypeVar("T")

#: The largest METADATA (bytes) that is unpacked; real ones are far smaller.
MOST_METADATA = 16 << 20


#: The most lines of headers, and characters of one whose value is parsed.
MOST_LINES, LONGEST_VALUE = 50_000, 16_000

#: Those whose value is not parsed: a text of any length.
_TEXTS = ("description", "license", "summary", "keywords")

#: What begins a header (RFC 822, section 3.1.2: a name has no blanks and no control characters).
_HEADER = re.compile(r"[!-9;-~]+:")


class HeadersTooLongError(WheelhouseError, ValueError):
    """Headers of more lines, or with longer values, than are parsed. *problem*: which."""

    _message = "{problem}"
    problem: str


class Metadata(NamedTuple):
    """The headers of a METADATA file: lower-case names with their values, in order.

    directory: the `.dist-info` directory that it is in; empty if it is in none.
    """

    headers: tuple[tuple[str, str], ...]
    directory: str = ""

    def get(self, name: str) -> str | None:
        """The value of the first header of that *name*, in any case; None if there is none."""
        return next(iter(self.get_all(name)), None)

    def get_all(self, name: str) -> list[str]:
        """The values of all headers of that *name*, in any case."""
        return [value for key, value in self.headers if key == name.lower()]


def parse_headers(text: str) -> Metadata:
    """The headers at the start of *text*, up to the first blank line (RFC 822, as core metadata has it).

    Not the email package's parser: importing that takes as long as starting Python, and core metadata uses
    nothing of it but `Name: value` and continuation lines (a test holds the two to the same answer).
    Raises `HeadersTooLongError`.
    """
    headers: list[tuple[str, str]] = []
    for header in header_lines(text):
        key, _, value = header.partition(":")
        if len(value) > LONGEST_VALUE and key.lower() not in _TEXTS:
            raise HeadersTooLongError(f"has {key} of {len(value)} characters: too long")
        first, newline, more = value.partition("\n")
        headers.append((key.lower(), first.strip(" \t") + newline + more))
    return Metadata(tuple(headers))


def header_lines(text: str) -> Iterator[str]:
    """The headers at the start of *text* as they are, each with the lines that continue it.

    Raises `HeadersTooLongError`.
    """
    header: list[str] = []  # joined at its end: a hostile one goes on for millions of lines
    # Not `splitlines`: form feeds and the like are part of a value.
    lines = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"))
    for number, line in enumerate(each.removesuffix("\n") for each in lines):
        if number > MOST_LINES:
            raise HeadersTooLongError(f"has more than {MOST_LINES} lines of headers")
        # A line of blanks continues a header: that is how old METADATA folds a description's empty lines.
        if line[:1] in (" ", "\t"):
            if header:
                header.append(line)
            continue
        if header:
            yield "\n".join(header)
        if not _HEADER.match(line):
            return
        header = [line]
    if header:
        yield "\n".join(header)


def read_metadata(path: str) -> Metadata:
    """The headers of the METADATA of the wheel at *path* (core metadata specification).

    Raises `UnreadableWheelError` when the file is not a valid zip with one METADATA, in UTF-8, of sensible
    size.
    """
    return _read(path, metadata_of)


def read_metadata_file(path: str) -> bytes:
    """The METADATA of the wheel at *path*, as it is. Raises `UnreadableWheelError`."""
    return _read(path, metadata_file_of)[1]


def _read(path: str, read: Callable[[zipfile.ZipFile, str], T]) -> T:
    try:
        with open_wheel(path) as file, zipfile.ZipFile(file) as archive:
            return read(archive, path)
    except UnreadableWheelError:
        raise
    except OSError as error:
        raise UnreadableWheelError(path, f"cannot be read: {reason_of(error)}") from error
    except BAD_ZIP as error:
        size = f"{os.path.getsize(path)} bytes" if os.path.exists(path) else "gone"
        raise UnreadableWheelError(path, f"invalid zip file ({size}): {error}") from error


def info_directory_of(archive: zipfile.ZipFile) -> str:
    """The `.dist-info` directory at the top of an open wheel; deeper ones belong to vendored projects.

    Raises `ValueError` if there is none, or there are several: pip fails on these, too.
    """
    tops = {each.filename.partition("/")[0] for each in archive.infolist()}
    found = [top for top in tops if top.endswith(".dist-info")]
    if len(found) != 1:
        raise ValueError(f"has {len(found)} .dist-info directories instead of one")
    return found[0]


def metadata_of(archive: zipfile.ZipFile, path: str) -> Metadata:
    """The headers of the METADATA in an open wheel; *path* is for the error.

    Raises `UnreadableWheelError`, and `BAD_ZIP` and `OSError` as they come.
    """
    return parsed_metadata(*metadata_file_of(archive, path), path)


def parsed_metadata(directory: str, content: bytes, path: str) -> Metadata:
    """The headers of the METADATA that has this *content*; *directory*, *path*: where it is.

    Raises `UnreadableWheelError`.
    """
    try:
        return parse_headers(content.decode())._replace(directory=directory)
    except UnicodeDecodeError as error:
        raise UnreadableWheelError(path, "its METADATA is not UTF-8") from error
    except HeadersTooLongError as error:
        raise TooLargeError(path, f"its METADATA {error}") from error


def metadata_file_of(archive: zipfile.ZipFile, path: str) -> tuple[str, bytes]:
    """The `.dist-info` directory of an open wheel, and the METADATA in it as it is; raises the same."""
    try:
        directory = info_directory_of(archive)
        found = archive.getinfo(f"{directory}/METADATA")
    except KeyError as error:
        raise UnreadableWheelError(path, "has no METADATA") from error
    except ValueError as error:
        raise UnreadableWheelError(path, str(error)) from error
    if found.file_size > MOST_METADATA:
        raise TooLargeError(path, f"its METADATA claims {found.file_size} bytes")
    content = read_entry(archive, found, MOST_METADATA)
    if len(content) > MOST_METADATA:
        raise TooLargeError(path, f"its METADATA exceeds {MOST_METADATA} bytes")
    return directory, content
