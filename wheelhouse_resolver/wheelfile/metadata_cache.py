"""The METADATA of wheels, read once and cached.

Apart from `metadata`, which opens wheels: it is not imported for a wheel that is cached.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import packaging

from wheelhouse_resolver.errors import UnreadableWheelError
from wheelhouse_resolver.utils import cache

if TYPE_CHECKING:
    from wheelhouse_resolver.wheelfile.metadata import Metadata


class CoreMetadata(NamedTuple):
    """Some fields of a wheel's METADATA, unparsed (core metadata specification); "" for a missing one.

    directory: the `.dist-info` directory.
    invalid:   those of `requires_dist` that are not valid requirements.
    """

    name: str
    version: str
    requires_python: str
    directory: str
    requires_dist: tuple[str, ...]
    provides_extra: tuple[str, ...]
    invalid: tuple[str, ...]

    @classmethod
    def of(cls, found: Metadata) -> CoreMetadata:
        """Those of the headers *found*."""
        name, version, python = (found.get(each) or "" for each in ("Name", "Version", "Requires-Python"))
        requires = tuple(each.strip() for each in found.get_all("Requires-Dist"))
        invalid = tuple(each for each in requires if not _is_requirement(each))
        extras = tuple(found.get_all("Provides-Extra"))
        return cls(name, version, python, found.directory, requires, extras, invalid)


#: path -> which file there this process could not read, and why: `why-not` asks again and again.
_failed: dict[str, tuple[list[Any] | None, UnreadableWheelError]] = {}


def _kind() -> str:
    """What the cache calls them: entries of other fields, or of another view of what is valid, are others."""
    return f"metadata-{len(CoreMetadata._fields)}-{packaging.__version__}"


def cached_metadata(path: str) -> CoreMetadata:
    """The cached metadata of the wheel at *path*. Raises `UnreadableWheelError`."""
    failed = _failed.get(path)
    key = cache.file_key(path)
    if failed is not None and failed[0] == key:
        raise failed[1].with_traceback(None)
    try:
        return _of(cache.get_for_file(_kind(), path, partial(_read, path)))
    except UnreadableWheelError as error:
        _failed[path] = (key, error)
        raise


def cached_metadata_of_many(paths: Iterable[str]) -> dict[str, CoreMetadata]:
    """The metadata of the wheels at *paths*, several read at once; without those that cannot be read."""
    return {path: _of(answer) for path, answer in cache.get_for_files(_kind(), paths, _read).items()}


def _read(path: str) -> list[Any]:
    from wheelhouse_resolver.wheelfile.metadata import read_metadata

    return list(CoreMetadata.of(read_metadata(path)))


def _of(answer: list[Any]) -> CoreMetadata:
    return CoreMetadata(*answer[:4], *map(tuple, answer[4:]))


@lru_cache(maxsize=1 << 13)
def _is_requirement(text: str) -> bool:
    from packaging.requirements import InvalidRequirement  # only where a wheel has been opened

    from wheelhouse_resolver.wheelfile.parsing import parsed_requirement

    try:
        parsed_requirement(text)
    except InvalidRequirement:
        return False
    return True
