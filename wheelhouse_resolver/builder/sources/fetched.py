"""A source that has been fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wheelhouse_resolver.builder.records.job import SourceArchive
from wheelhouse_resolver.errors import FileProblemError
from wheelhouse_resolver.utils.redact import presentable
from wheelhouse_resolver.utils.safe_io import sha256_of


class SourceError(FileProblemError, RuntimeError):
    """A source that cannot be fetched. *path*: or its URL, or the requirement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchContext:
    """Where and how to fetch a source.

    directory:     for the archive and what is unpacked from it; empty.
    log:           the output of commands is appended to this file.
    environ:       of all commands.
    wheels_config: the PIP_CONFIG_FILE to find pure-Python wheels with, if another: pip must not find those
                   that the site itself has built.
    prepared:      whether *environ* has the recipe's modules and variables already.
    """

    directory: str
    log: str
    environ: Mapping[str, str]
    wheels_config: str = ""
    prepared: bool = False


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


def hashed_archive(kind: str, path: str, origin: str, version: str = "", yanked: str = "") -> SourceArchive:
    """The file at *path*, which is of that *kind* and *origin*."""
    digest = sha256_of(path)
    return SourceArchive(kind=kind, path=path, sha256=digest, origin=origin, version=version, yanked=yanked)


def log_line(log: str, line: str) -> None:
    """Append *line* to the file *log*, without secrets."""
    with open(log, "a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{presentable(line)}\n")
