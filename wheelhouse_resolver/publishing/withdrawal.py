"""Withdrawing wheels from a wheelhouse by name, and restoring them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.tree import listing

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.site.model import Site

__all__ = ["restore", "withdraw"]


def withdraw(site: Site, filename: str, directory: Directory | None = None) -> list[trash.Trashed]:
    """Take the wheel *filename* out of every search path: out of *directory*, or of all that have it.

    Raises `PublishError` when none has.
    """
    listing.check_root(site)
    _check_plain(filename)
    directories = [directory] if directory is not None else list(site.directories())
    paths = [os.path.join(each.path, filename) for each in directories]
    found = [path for path in paths if os.path.lexists(path)]
    if not found:
        raise PublishError(filename, "stands in no directory of the wheelhouse")
    return [trash.withdraw(path) for path in found]


def restore(site: Site, filename: str, directory: Directory | None = None) -> list[str]:
    """Bring back the wheel *filename*, the one withdrawn last in each directory. Returns the paths.

    Raises `PublishError` when none was withdrawn, or when a wheel of that name stands there.
    """
    listing.check_root(site)
    _check_plain(filename)
    directories = [directory] if directory is not None else list(site.directories())
    restored: list[str] = []
    for each in directories:
        former = next((t for t in trash.trashed(each.path) if t.filename == filename), None)
        if former is None:
            continue
        path = os.path.join(each.path, filename)
        if not trash.restore(former):
            raise PublishError(path, "stands there; withdraw it first")
        restored.append(path)
    if not restored:
        raise PublishError(filename, "was withdrawn from no directory of the wheelhouse")
    return restored


def _check_plain(filename: str) -> None:
    if os.path.basename(filename) != filename or not filename.endswith(listing.SUFFIX):
        raise PublishError(filename, "give the file name of a wheel, without its directory")
