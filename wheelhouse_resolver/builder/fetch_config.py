"""The `[fetch]` table of the site file: what becomes of wheels that are taken from an index."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from wheelhouse_resolver.builder.records.upstream import WheelAdaptation
from wheelhouse_resolver.errors import FileProblemError
from wheelhouse_resolver.publishing.config import local_label as site_label
from wheelhouse_resolver.site.layout import NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils import schema
from wheelhouse_resolver.utils.safe_io import CHUNK
from wheelhouse_resolver.wheelfile.elf import elf_files


class ForbiddenLibraryError(FileProblemError, ValueError):
    """A wheel that contains a library which the site does not want twice. *path*: the wheel's file name."""

    _hint = "build it against the site's own (`build`), or change [fetch] forbidden in the site file"


class WrongHashError(FileProblemError, ValueError):
    """A wheel that is not the one whose hash was stated. *path*: the wheel's file name."""


class FetchSettings(NamedTuple):
    """`[fetch]`, for one layer.

    upstream:  how wheels are adapted.
    forbidden: patterns of the names of libraries that no wheel may contain.
    """

    upstream: WheelAdaptation
    forbidden: tuple[str, ...] = ()


def _absolute(path: str) -> str | None:
    return None if os.path.isabs(path) else f"{path!r} is not an absolute path"


def fetch_settings(site: Site, layer: str | None, local_label: str | None = None) -> FetchSettings:
    """What *site* says in `[fetch]` of *layer*, and of labels in `[publish]`, unless *local_label* does.

    Raises `SiteFileError`.
    """
    name = schema.one_of("layer", [NO_LAYER, *(each.name for each in site.layers)])
    table = schema.require(
        schema.Table(
            {
                "forbidden": schema.lines(),
                "interpreter": schema.Pairs(schema.line(_absolute), name, header="fetch.interpreter"),
                "rpath": schema.Pairs(schema.lines(_absolute), name, header="fetch.rpath"),
            },
            header="fetch",
        ),
        site.tables.get("fetch", {}),
        site.source or "site",
    )
    key = layer or NO_LAYER
    upstream = WheelAdaptation(
        interpreter=table.get("interpreter", {}).get(key, ""),
        rpath=tuple(table.get("rpath", {}).get(key, ())),
        local_label=site_label(site) if local_label is None else local_label,
    )
    return FetchSettings(upstream, tuple(table.get("forbidden", ())))


def check_hash(wheel: str, hashes: Collection[str]) -> None:
    """Raise `WrongHashError` if *wheel* has none of *hashes* (`sha256:...`), of which there are some."""
    kinds = sorted({each.partition(":")[0] for each in hashes})
    found = {kind: hashlib.new(kind) for kind in kinds}
    if hashes:
        with open(wheel, "rb") as file:
            while chunk := file.read(CHUNK):
                for each in found.values():
                    each.update(chunk)
    digests = [f"{kind}:{each.hexdigest()}" for kind, each in found.items()]
    if hashes and not set(digests) & set(hashes):
        problem = f"has the hash {digests[0]}, which is not the stated one"
        raise WrongHashError(os.path.basename(wheel), problem)


def check_allowed(wheel: str, forbidden: Sequence[str]) -> None:
    """Raise `ForbiddenLibraryError` if *wheel* contains a library that matches one of *forbidden*.

    By its file name (also `libmpi-1a2b3c4d.so.12`, as auditwheel names it) or its soname.
    """
    found = []
    for file in elf_files(wheel) if forbidden else ():
        names = (os.path.basename(file.path), file.soname)
        pattern = next((each for each in forbidden if any(fnmatchcase(name, each) for name in names)), None)
        if pattern is not None:
            found.append(f"{file.path} ({pattern})")
    if found:
        problem = f"contains what this site forbids: {', '.join(found)}"
        raise ForbiddenLibraryError(os.path.basename(wheel), problem)
