"""A wheel that other tools changed, with a RECORD of what it holds now."""

from __future__ import annotations

import calendar
import hashlib
import os
import time
import zipfile

from wheelhouse_resolver.utils.filesystem import open_regular
from wheelhouse_resolver.utils.safe_io import BAD_ZIP, CHUNK
from wheelhouse_resolver.wheelfile.build_tag import build_text
from wheelhouse_resolver.wheelfile.checks.record import is_signature
from wheelhouse_resolver.wheelfile.metadata import info_directory_of
from wheelhouse_resolver.wheelfile.name import WheelName
from wheelhouse_resolver.wheelfile.rewrite import Rewrite, rewrite
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, ValidatedWheel, check_wheel


def renewed(path: str, directory: str, epoch: int) -> str:
    """The wheel at *path* if it is valid; else one in *directory* with the same files and a new RECORD.

    epoch: the time of every file in that (s since 1970): tools write the time of the build.

    Raises `InvalidWheelError` for what a new RECORD does not make valid, and `OSError`.
    """
    try:
        return check_wheel(path).path
    except InvalidWheelError as error:
        invalid = error
    target = os.path.join(directory, os.path.basename(path))
    with open(target, "xb") as file:
        try:
            wheel = _hashed(path)
            when = time.gmtime(epoch)[:6]
            rewrite(wheel, Rewrite(version=None, build=build_text(wheel.build), time=when), file)
        except (ValueError, *BAD_ZIP):  # of a file that is no wheel, has no RECORD, or names twice
            raise invalid from None
    return check_wheel(target).path


def newest_in(path: str) -> int:
    """The time of the newest file in the wheel at *path* (s since 1970, as if its times were UTC)."""
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        return max((calendar.timegm((*each.date_time, 0, 0, 0)) for each in archive.infolist()), default=0)


def _hashed(path: str) -> ValidatedWheel:
    """The wheel at *path* as if RECORD said what is in it. Raises `ValueError` and `BAD_ZIP`."""
    stated = WheelName.parse(os.path.basename(path))
    digests: dict[str, str] = {}
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        top = info_directory_of(archive)
        for info in archive.infolist():
            name = info.filename
            if info.is_dir() or name == f"{top}/RECORD" or is_signature(name, top):
                continue
            found = hashlib.sha256()
            with archive.open(info) as reader:
                while chunk := reader.read(CHUNK):
                    found.update(chunk)
            digests[name] = found.hexdigest()
    return ValidatedWheel(path, *stated, top, digests)
