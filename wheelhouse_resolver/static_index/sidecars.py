"""The `.metadata` files beside wheels (PEP 658), for installers that read them instead of the wheels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from wheelhouse_resolver.errors import UnreadableWheelError
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.static_index.pages import IndexedFile, IndexedWheel
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.filesystem import read_head
from wheelhouse_resolver.wheelfile.metadata import MOST_METADATA, read_metadata_file

#: What follows the name of the wheel.
ENDING = ".metadata"

_BESIDE = listing.SUFFIX + ENDING


def write(files: Iterable[IndexedFile]) -> None:
    """Write the `.metadata` file of each wheel among *files*, unless it is right.

    Raises `OutputError`.
    """
    for file in files:
        if not isinstance(file, IndexedWheel):
            continue
        path = file.candidate.path + ENDING
        if hashlib.sha256(read_head(path, MOST_METADATA)).hexdigest() == file.metadata_sha256:
            continue
        try:
            content = read_metadata_file(file.candidate.path)
        except UnreadableWheelError:  # it went, or changed, since it was read
            continue
        with (
            atomic.writing(path),
            atomic.temporary(file.candidate.directory.path, hidden=True) as draft,
        ):
            draft.file.write(content)
            atomic.sync(draft, 0o644)
            os.replace(draft.named(), path)


def missing(names: Collection[str]) -> Iterator[str]:
    """The wheels among the *names* in a directory that have no `.metadata` file there."""
    there = {*names}
    return (name for name in names if name.endswith(listing.SUFFIX) and name + ENDING not in there)


def remove_orphans(directory: Directory, names: Collection[str]) -> None:
    """Remove the `.metadata` files in *directory*, which holds *names*, of wheels that are gone."""
    there = {*names}
    for name in names:
        if name.endswith(_BESIDE) and name.removesuffix(ENDING) not in there:
            with suppress(FileNotFoundError), atomic.writing(directory.path):
                os.unlink(os.path.join(directory.path, name))


def count(names: Iterable[str]) -> int:
    """How many `.metadata` files of wheels are among *names*."""
    return sum(name.endswith(_BESIDE) for name in names)
