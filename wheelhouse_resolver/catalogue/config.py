"""The `[catalogue]` table of the site file: where the catalogue is, and what is in it."""

from __future__ import annotations

import os
from typing import NamedTuple

from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.schema import Table, line, lines, not_absolute, require

#: The lock of those who write, which also tells a catalogue from any other directory.
LOCK_NAME = ".wheelhouse-catalogue"


class CatalogueTable(NamedTuple):
    """What a site says of its catalogue.

    directory: where it is, absolute; empty: not said.
    title:     of its first page; empty: names the root.
    pythons:   of the hosts whose answers are on the pages, such as `3.12`; none: the newest in the tree.
    """

    directory: str = ""
    title: str = ""
    pythons: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether there is a catalogue to keep current."""
        return bool(self.directory) and os.path.lexists(os.path.join(self.directory, LOCK_NAME))


def catalogue_table(site: Site) -> CatalogueTable | None:
    """The site's `[catalogue]`; None: it has none. Raises `SiteFileError`."""
    if "catalogue" not in site.tables:
        return None
    keys = {
        "directory": line(not_absolute),
        "title": line(),
        "pythons": lines(_not_python),
    }
    place = os.path.join(site.root, "catalogue")
    hint = f'such as: directory = "{place}"; also title, pythons = ["3.12"]'
    schema = Table(keys, header="catalogue")
    table = require(schema, site.tables["catalogue"], site.source or "site", hint)
    directory = table.get("directory", "")
    return CatalogueTable(
        os.path.normpath(os.path.expanduser(directory)) if directory else "",
        table.get("title", ""),
        tuple(table.get("pythons", ())),
    )


def _not_python(text: str) -> str | None:
    from wheelhouse_resolver.host.target_python import is_version

    return None if is_version(text) else f"{text!r} must be a version of Python, such as 3.12"
