"""A wheel that is being checked: its archive, and what was found wrong so far."""

from __future__ import annotations

import zipfile

from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.bounds import read_entry
from wheelhouse_resolver.wheelfile.metadata import MOST_METADATA
from wheelhouse_resolver.wheelfile.name import WheelName

#: The largest ones that are read (bytes).
_MOST_TEXT = {"METADATA": MOST_METADATA, "WHEEL": 1 << 20, "RECORD": 64 << 20, "entry_points.txt": 1 << 20}

#: A hostile wheel may have a million faults: after so many, and so many characters of one, it is enough.
_MOST_FINDINGS, _LONGEST_FINDING = 100, 1000


class Enough(Exception):
    """There are findings enough."""


class OpenWheel:
    """One archive of *size* bytes, called as *stated*, whose faults are collected.

    findings: what is wrong. info_directory: its `.dist-info` directory, once that is found.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int, stated: WheelName) -> None:
        self.archive, self.size, self.stated = archive, size, stated
        self.entries = archive.infolist()
        self.findings: list[str] = []
        self.info_directory = ""

    def note(self, finding: str) -> None:
        """Add *finding*, without the passwords of URLs in it. Raises `Enough`."""
        finding = redact(finding[: 2 * _LONGEST_FINDING])
        more = "..." if len(finding) > _LONGEST_FINDING else ""
        self.findings.append(finding[:_LONGEST_FINDING] + more)
        if len(self.findings) >= _MOST_FINDINGS:
            raise Enough

    def content(self, name: str) -> bytes | None:
        """The file *name* of its `.dist-info` directory; None, and a finding, if it cannot be read."""
        path, most = f"{self.info_directory}/{name}", _MOST_TEXT[name]
        try:
            info = self.archive.getinfo(path)
            problem = f"claims {info.file_size} bytes: too large"
            if info.file_size <= most:
                data = read_entry(self.archive, info, most)
                if len(data) <= most:
                    return data
                problem = "is too large"
        except KeyError:
            problem = "is missing"
        except (*BAD_ZIP, OSError) as error:  # bz2 calls damaged data an OSError
            problem = f"is damaged: {text_of(error)}"
        self.note(f"{path} {problem}")
        return None

    def text(self, name: str) -> str | None:
        """The same as text."""
        data = self.content(name)
        try:
            return data.decode("utf-8") if data is not None else None
        except UnicodeDecodeError:
            self.note(f"{self.info_directory}/{name} is not UTF-8")
            return None


def text_of(error: BaseException) -> str:
    """What *error* says, or what it is."""
    return str(error) or type(error).__name__
