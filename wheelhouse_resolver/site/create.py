"""Making the empty tree of a wheelhouse, and a site file to start from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import NamedTuple

from wheelhouse_resolver.site.config import find_site_file
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.appdirs import places
from wheelhouse_resolver.utils.filesystem import make_directory, write_text


class CreatedWheelhouse(NamedTuple):
    """What `create_wheelhouse` did.

    paths:     each path, and whether it was made: what exists is left as it is.
    site_file: the one to edit; None: the site has one elsewhere.
    """

    paths: tuple[tuple[str, bool], ...]
    site_file: str | None


def create_wheelhouse(
    config: str | None = None, *, root: str | None = None, environ: Mapping[str, str] | None = None
) -> CreatedWheelhouse:
    """Make the directories of the site; and a `site.toml` in its root, where no file describes the site.

    The parameters are those of `Site.load`. Where they name neither a file nor a root, it is the user's own
    place for a wheelhouse. Raises `OutputError`, and what `Site.load` raises.
    """
    environ = os.environ if environ is None else environ
    root = root or environ.get("WHEELHOUSE_ROOT")
    if not root and find_site_file(config, environ).path is None:
        root = places().wheelhouses[-1]
    site = Site.load(config, root=root, environ=environ)
    paths = [(each.path, make_directory(each.path, shared=True)) for each in reversed(site.own_directories())]
    if site.source is not None:
        return CreatedWheelhouse(tuple(paths), None)
    file = os.path.join(site.root, "site.toml")
    missing = not os.path.lexists(file)
    if missing:
        write_text(file, site_template(site.root), shared=True)
    return CreatedWheelhouse((*paths, (file, missing)), file)


def site_template(root: str) -> str:
    """The text of a site file for a wheelhouse at *root*, with every other key commented out."""
    with open(os.path.join(os.path.dirname(__file__), "templates", "site.toml"), encoding="utf-8") as file:
        text = file.read()
    # Without control characters (`root` was checked), a JSON string is a TOML string.
    return text.replace('"@root@"', json.dumps(root, ensure_ascii=False), 1)
