"""The `[index]` table of the site file: where the static index is, and what is in it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site


class IndexTable(NamedTuple):
    """What a site says of its static index.

    directory:  where it is, absolute.
    metadata:   whether `.metadata` files are written beside the wheels.
    glibc:      the C library of the hosts, as (2, 28); None: new enough for every wheel.
    find_links: whether configurations name the directories of the search path as well.
    """

    directory: str
    metadata: bool = False
    glibc: tuple[int, int] | None = None
    find_links: bool = False


def index_table(site: Site) -> IndexTable | None:
    """The site's `[index]`; None: it has no index. Raises `SiteFileError`."""
    if "index" not in site.tables:
        return None
    from wheelhouse_resolver.utils.schema import Table, flag, line, not_absolute, require

    keys = {"directory": line(not_absolute), "metadata": flag, "glibc": line(_not_glibc), "find-links": flag}
    schema = Table(keys, needed=["directory"], header="index")
    place = os.path.join(site.root, "index")
    hint = f'such as: directory = "{place}"; also metadata and find-links (true or false), glibc = "2.28"'
    table = require(schema, site.tables["index"], site.source or "site", hint)
    directory = os.path.normpath(os.path.expanduser(table["directory"]))
    glibc = parse_glibc(table["glibc"]) if "glibc" in table else None
    return IndexTable(directory, table.get("metadata", False), glibc, table.get("find-links", False))


def parse_glibc(text: str) -> tuple[int, int]:
    """The version of glibc that *text* names, such as 2.28. Raises `ValueError`."""
    if problem := _not_glibc(text):
        raise ValueError(problem)
    major, minor = text.split(".")
    return int(major), int(minor)


def _not_glibc(text: str) -> str | None:
    right = re.fullmatch(r"\d{1,4}\.\d{1,4}", text, re.ASCII)
    return None if right else f"{text!r} must be a version of glibc, such as 2.28"
