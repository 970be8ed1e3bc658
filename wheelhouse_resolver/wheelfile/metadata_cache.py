"""The METADATA of wheels, read once and cached.

Apart from `metadata`, which opens wheels: it is not imported for a wheel that is cached.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.utils import cache

#: What the cache calls them.
_KIND = "metadata"


class CoreMetadata(NamedTuple):
    """Some fields of a wheel's METADATA, unparsed (core metadata specification); "" for a missing one."""

    name: str
    version: str
    requires_python: str
    requires_dist: tuple[str, ...]
    provides_extra: tuple[str, ...]

    def mismatch(self, project: str, version: Version) -> str:
        """What is said of another wheel than that of *project* (normalised) and *version*; else empty."""
        if canonicalize_name(self.name) != project:
            return f"its METADATA has the name {self.name or '(none)'}"
        try:
            same = Version(self.version) == version
        except InvalidVersion:
            same = False
        return "" if same else f"its METADATA has the version {self.version or '(none)'}"


def cached_metadata(path: str) -> CoreMetadata:
    """The cached metadata of the wheel at *path*. Raises `UnreadableWheelError`."""
    return _of(cache.get_for_file(_KIND, path, partial(_read, path)))


def cached_metadata_of_many(paths: Iterable[str]) -> dict[str, CoreMetadata]:
    """The metadata of the wheels at *paths*, several read at once; without those that cannot be read."""
    return {path: _of(answer) for path, answer in cache.get_for_files(_KIND, paths, _read).items()}


def _read(path: str) -> list[Any]:
    from wheelhouse_resolver.wheelfile.metadata import read_metadata

    found = read_metadata(path)
    single = [found.get(name) or "" for name in ("Name", "Version", "Requires-Python")]
    return [*single, found.get_all("Requires-Dist"), found.get_all("Provides-Extra")]


def _of(answer: list[Any]) -> CoreMetadata:
    return CoreMetadata(*answer[:3], *map(tuple, answer[3:]))
