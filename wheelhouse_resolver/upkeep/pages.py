"""What an index says of a project: its releases, newest first, as far as they matter on Linux.

A page may have thousands of files, and a tree thousands of projects: so a page is kept as lines of text, one
for each release, and of each only its version is read until more is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from packaging.utils import parse_sdist_filename
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.errors import printable

#: The ending of a source archive, where wheels have their tags.
SOURCE = "source"

#: How the platform tags of other systems begin.
_ELSEWHERE = ("win", "macosx", "ios", "android", "pyodide", "emscripten")


class IndexFile(NamedTuple):
    """A file on a page. *yanked*: why, may be empty; None: it is not. *uploaded*: when (s since 1970)."""

    filename: str
    requires_python: str = ""
    yanked: str | None = None
    uploaded: float | None = None


class Release(NamedTuple):
    """A release.

    version:  normalised.
    uploaded: when its first file was (s since 1970); None: the index does not say.
    yanked:   why all of its files are yanked, may be empty; None: they are not.
    files:    (ending of the name, or `SOURCE`; Requires-Python) of those that are not yanked, each once.
    """

    version: str
    uploaded: float | None
    yanked: str | None
    files: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_line(cls, line: str) -> Release:
        """The one that a line of a page holds."""
        version, uploaded, yanked, files = line.split("\t", 3)
        return cls(
            version=version,
            uploaded=float(uploaded) if uploaded else None,
            yanked=yanked[1:] if yanked else None,
            files=tuple(
                (ending, needs) for needs, endings in json.loads(files).items() for ending in endings
            ),
        )

    def line(self) -> str:
        """The line that holds it."""
        by_python: dict[str, list[str]] = {}
        for ending, needs in self.files:
            by_python.setdefault(needs, []).append(ending)
        uploaded = "" if self.uploaded is None else f"{self.uploaded:.0f}"
        yanked = "" if self.yanked is None else f"y{printable(self.yanked)}"
        return "\t".join((self.version, uploaded, yanked, json.dumps(by_python)))


class Page(NamedTuple):
    """What an index, or several together, say of a project.

    lines:  its releases, newest first. status: what the project is (`archived`, ...); empty if it is active.
    """

    lines: tuple[str, ...] = ()
    status: str = ""

    @classmethod
    def of_files(cls, files: Iterable[IndexFile], status: str = "") -> Page:
        """The one with these *files*; of a release with files for other systems only, there are none on it.

        What is neither a wheel nor a source archive is left out.
        """
        found: dict[Version, list[tuple[str, IndexFile]]] = {}
        for file in files:
            parsed = _parsed(file.filename)
            if parsed is not None:
                found.setdefault(parsed[0], []).append((parsed[1], file))
        releases = (_release(version, several) for version, several in found.items())
        return cls(_newest_first(releases), status)

    @classmethod
    def of_text(cls, text: str) -> Page:
        """The one that `text` has written."""
        status, *lines = text.split("\n")
        return cls(tuple(lines), status)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join((printable(self.status), *self.lines))

    def releases(self) -> Iterator[Release]:
        """Its releases, newest first; each is read when its turn comes."""
        return map(Release.of_line, self.lines)

    def by_version(self) -> dict[str, str]:
        """Version -> the line of that release."""
        return {line.partition("\t")[0]: line for line in self.lines}

    def merge(self, other: Page) -> Page:
        """What both say: a release is yanked if it is so in each index that has it."""
        if not self.lines or not other.lines:
            return Page(self.lines or other.lines, self.status or other.status)
        found = {release.version: release for release in self.releases()}
        for release in other.releases():
            mine = found.get(release.version)
            found[release.version] = release if mine is None else _both(mine, release)
        return Page(_newest_first(found.values()), self.status or other.status)


class Said(NamedTuple):
    """The answer of the indexes about a project.

    page: None: no index has it. problem: why the answer is not known; empty if it is.
    """

    page: Page | None = None
    problem: str = ""


def _newest_first(releases: Iterable[Release]) -> tuple[str, ...]:
    ordered = sorted(releases, key=lambda release: version_of(release.version), reverse=True)
    return tuple(release.line() for release in ordered)


@lru_cache(maxsize=1 << 15)
def version_of(text: str) -> Version:
    """The version that *text* spells. Raises `InvalidVersion`."""
    return Version(text)


def _both(one: Release, other: Release) -> Release:
    times = [each.uploaded for each in (one, other) if each.uploaded is not None]
    return Release(
        version=one.version,
        uploaded=min(times, default=None),
        yanked=one.yanked if other.yanked is not None else None,
        files=tuple(dict.fromkeys((*one.files, *other.files))),
    )


def _release(version: Version, several: list[tuple[str, IndexFile]]) -> Release:
    left = [(ending, file) for ending, file in several if file.yanked is None]
    files = {(ending, file.requires_python): None for ending, file in left if _for_linux(ending)}
    times = [file.uploaded for _, file in several if file.uploaded is not None]
    yanked = None if left else next((file.yanked for _, file in several if file.yanked), "")
    return Release(str(version), min(times, default=None), yanked, tuple(files))


def _for_linux(ending: str) -> bool:
    return not ending.rpartition("-")[2].startswith(_ELSEWHERE)


def _parsed(filename: str) -> tuple[Version, str] | None:
    """The version of a file, and its ending; None for what no installer takes."""
    try:
        if filename.endswith(".whl"):
            parts = filename.removesuffix(".whl").split("-")
            return (version_of(parts[1]), "-".join(parts[-3:])) if len(parts) in (5, 6) else None
        return parse_sdist_filename(filename)[1], SOURCE
    except (InvalidVersion, ValueError):
        return None
