"""A source that has been fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wheelhouse_resolver.builder.records.job import SourceArchive
from wheelhouse_resolver.errors import WheelhouseError, printable


class SourceError(WheelhouseError, RuntimeError):
    """A source that cannot be fetched."""

    _message = "{source}: {problem}"
    source: str
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchContext:
    """Where and how to fetch a source.

    directory:     for the archive and what is unpacked from it; empty.
    log:           the output of commands is appended to this file.
    environ:       of all commands.
    wheels_config: the PIP_CONFIG_FILE to find pure-Python wheels with, if another: pip must not find those
                   that the site itself has built.
    """

    directory: str
    log: str
    environ: Mapping[str, str]
    wheels_config: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """A source to build from.

    archive: what was fetched.
    root:    the directory that it was unpacked to; a wheel stays as it is.
    path:    of the project in it, or of the wheel.
    """

    archive: SourceArchive
    root: str
    path: str

    @property
    def version(self) -> str:
        """PEP 440, normalised."""
        return self.archive.version


def log_line(log: str, line: str) -> None:
    """Append *line* to the file *log*."""
    with open(log, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{printable(line)}\n")
