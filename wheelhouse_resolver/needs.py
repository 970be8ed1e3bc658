"""What a wheel needs, in its own words: its METADATA, read once and remembered.

Apart from `metadata`, which opens wheels: for a wheel that is known already, what opens one is not imported.
"""

from __future__ import annotations

from typing import NamedTuple

from wheelhouse_resolver import memo

__all__ = ["Needs", "remembered_needs"]


class Needs(NamedTuple):
    """What a wheel's METADATA says of itself and of what it needs, unparsed (core metadata specification).

    A single value that METADATA does not have is "".
    """

    name: str
    version: str
    requires_python: str
    requires_dist: tuple[str, ...]
    provides_extra: tuple[str, ...]


def remembered_needs(path: str) -> Needs:
    """The needs of the wheel at *path*, remembered while the file is the same (see `memo`).

    Raises `UnreadableWheelError`.
    """

    def read() -> list[object]:
        from wheelhouse_resolver.metadata import read_metadata

        found = read_metadata(path)
        single = [found.get(name) or "" for name in ("Name", "Version", "Requires-Python")]
        return [*single, found.get_all("Requires-Dist"), found.get_all("Provides-Extra")]

    name, version, requires_python, requires_dist, extras = memo.recall_of_file("metadata", path, read)
    return Needs(name, version, requires_python, tuple(requires_dist), tuple(extras))
