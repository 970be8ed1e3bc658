"""The `[publish]` table of the site file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse_resolver.utils.schema import Table, require, texts

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site

__all__ = ["after_command"]

_SCHEMA = Table({"after": texts()}, header="publish")


def after_command(site: Site) -> list[str]:
    """The site's `[publish] after` command; empty for none. Raises `SiteFileError`."""
    table = require(_SCHEMA, site.tables.get("publish", {}), site.source or "site")
    return list(table.get("after", ()))
