"""Checking a wheel before it enters the wheelhouse. The file may be anything, and hostile.

Every finding is collected before a wheel is refused (binary distribution format, PEP 427; core metadata).
`checks` has what is checked: whether the wheel is whole and what it says it is, and whether all installers
install it, and alike.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

from packaging.tags import Tag
from packaging.utils import BuildTag, NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.errors import TooLargeError, WheelhouseError, reason_of
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.bounds import open_wheel
from wheelhouse_resolver.wheelfile.checks import archive, headers, layout, libraries, record
from wheelhouse_resolver.wheelfile.checks.opened import Enough, OpenWheel, text_of
from wheelhouse_resolver.wheelfile.machines import unusable
from wheelhouse_resolver.wheelfile.metadata import (
    HeadersTooLongError,
    Metadata,
    info_directory_of,
    parse_headers,
)
from wheelhouse_resolver.wheelfile.name import WheelName


class InvalidWheelError(WheelhouseError, ValueError):
    """An invalid wheel, with everything that is wrong with it."""

    _message = "{path}: invalid wheel: {findings:; }"
    path: str
    findings: Sequence[str]


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


def check_wheel(path: str, filename: str = "", *, installable: bool = True) -> ValidatedWheel:
    """The wheel at *path*, if it is valid: its name, structure, metadata and every RECORD hash.

    filename:    the name that it will have, if that is not its own yet.
    installable: whether all installers must install it, and alike; else it need only be whole, so that it can
                 be edited or stamped.

    Raises `InvalidWheelError` with everything that is wrong.
    """
    named = filename or path
    try:
        stated = WheelName.parse(os.path.basename(named))
    except ValueError as error:
        raise InvalidWheelError(named, [str(error)]) from error
    try:
        with open_wheel(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise InvalidWheelError(named, ["empty file"])
            with zipfile.ZipFile(file) as opened:
                wheel = OpenWheel(opened, size, stated)
                digests = _check(wheel, installable=installable)
    except TooLargeError as error:
        raise InvalidWheelError(named, [error.problem]) from error
    except OSError as error:
        raise InvalidWheelError(named, [f"cannot be read: {reason_of(error)}"]) from error
    except InvalidWheelError:
        raise
    except BAD_ZIP as error:
        raise InvalidWheelError(named, [f"invalid zip file: {text_of(error)}"]) from error
    if wheel.findings:
        raise InvalidWheelError(named, wheel.findings)
    return ValidatedWheel(path, *stated, wheel.info_directory, digests)


def installer_problems(opened: zipfile.ZipFile, size: int, stated: WheelName) -> Sequence[str]:
    """What installers would refuse in a wheel called *stated* of *size* bytes, or install differently.

    Of its files, only what installers read and the starts of libraries are read: no hash is checked, and
    METADATA is left to who reads it anyway.
    """
    wheel = OpenWheel(opened, size, stated)
    try:
        archive.check_names(wheel)
        archive.check_sizes(wheel)
        archive.check_bounds(wheel)
        if not wheel.findings:
            _find_info_directory(wheel)
        if wheel.info_directory:
            _check_texts(wheel, installable=True)
            libraries.check_libraries(wheel)
    except Enough:
        pass
    return wheel.findings


def _check(wheel: OpenWheel, *, installable: bool) -> dict[str, str]:
    """Collect what is wrong with *wheel*; returns the sha256 of its files."""
    try:
        if problem := unusable(wheel.stated.tags):
            wheel.note(problem)
        archive.check_names(wheel)
        archive.check_sizes(wheel)
        if installable:
            archive.check_bounds(wheel)
        if wheel.findings:  # what leaves the archive, or never ends, is not read any further
            return {}
        _find_info_directory(wheel)
        if not wheel.info_directory:
            return {}
        if (metadata := _headers(wheel, "METADATA")) is not None:
            headers.check_identity(wheel, metadata)
            if installable:
                headers.check_requirements(wheel, metadata)
        listed = _check_texts(wheel, installable=installable)
        if listed is None:
            return {}
        return record.check_contents(wheel, listed, libraries.check_start if installable else lambda *_: None)
    except Enough:
        wheel.findings.append("and more, not checked")
        return {}


def _check_texts(wheel: OpenWheel, *, installable: bool) -> record.Record | None:
    """Check WHEEL, where files go, and RECORD, whose lines are returned."""
    if (stated := _headers(wheel, "WHEEL")) is not None:
        headers.check_tags(wheel, stated)
        if installable:
            headers.check_format(wheel, stated)
    if installable:
        archive.check_compression(wheel)
        layout.check_layout(wheel)
    listed = record.read_record(wheel)
    if installable and listed is not None:
        record.check_form(wheel, listed)
    return listed


def _headers(wheel: OpenWheel, name: str) -> Metadata | None:
    text = wheel.text(name)
    try:
        return parse_headers(text) if text is not None else None
    except HeadersTooLongError as error:
        wheel.note(f"{name} {error}")
        return None


def _find_info_directory(wheel: OpenWheel) -> None:
    try:
        found = info_directory_of(wheel.archive)
    except ValueError as error:
        wheel.note(str(error))
        return
    name, _, version = found.removesuffix(".dist-info").rpartition("-")
    stated = wheel.stated
    if canonicalize_name(name) != stated.name or not headers.same_version(version, stated.version):
        wheel.note(f"{found} does not match the file name")
    wheel.info_directory = found
