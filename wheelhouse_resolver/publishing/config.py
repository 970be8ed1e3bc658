"""The `[publish]` table of the site file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import SiteFileError

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site

__all__ = ["after_command"]


def after_command(site: Site) -> list[str]:
    """The site's `[publish] after` command; empty for none. Raises `SiteFileError`."""
    table = site.tables.get("publish", {})
    unknown = [key for key in table if key != "after"]
    if unknown:
        raise SiteFileError(site.source or "site", f"[publish] {unknown[0]}: unknown key (known: after)")
    command = table.get("after", ())
    if not isinstance(command, tuple) or not all(isinstance(word, str) and word for word in command):
        raise SiteFileError(site.source or "site", "[publish] after: must be an array of strings")
    return list(command)
