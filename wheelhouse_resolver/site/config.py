"""Finding and reading the site file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from wheelhouse_resolver.errors import NoWheelhouseError, SiteFileError, reason_of
from wheelhouse_resolver.utils.appdirs import places
from wheelhouse_resolver.utils.filesystem import read_settings
from wheelhouse_resolver.utils.log import info
from wheelhouse_resolver.utils.text import invalid_character

#: The root of the site that the built-in layout comes from.
ORIGIN = "/cvmfs/soft.computecanada.ca/custom/python/wheelhouse"


class SiteFile(NamedTuple):
    """Where the site is described.

    path: of the file; None: the built-in site. by: what named it: `--config`, `WHEELHOUSE_CONFIG`,
    `directories` (where it was found), or `built-in`.
    """

    path: str | None
    by: str


def find_site_file(given: str | os.PathLike[str] | None, environ: Mapping[str, str]) -> SiteFile:
    """The site file: the one *given*, else the one that *environ* names, else the first that is there."""
    if given is not None:
        return SiteFile(os.fspath(given), "--config")
    if named := environ.get("WHEELHOUSE_CONFIG"):
        return SiteFile(named, "WHEELHOUSE_CONFIG")
    found = next((path for path in places().site_files if os.path.isfile(path)), None)
    return SiteFile(found, "directories" if found is not None else "built-in")


def load(
    path: str | os.PathLike[str] | None, *, root: str | os.PathLike[str] | None, environ: Mapping[str, str]
) -> dict[str, Any]:
    """The fields of the site that `Site.load` describes; the parameters are the same."""
    found = find_site_file(path, environ)
    info(__name__, "site file: %s (%s)", found.path or "none", found.by)
    root = os.fspath(root) if root is not None else environ.get("WHEELHOUSE_ROOT") or None
    options: list[str] = []
    if found.path is not None and found.by != "directories":
        options += ["--config", os.path.abspath(found.path)]
    if root is not None:
        root = os.path.abspath(root)
        if problem := invalid_character(root):
            raise NoWheelhouseError(root, f"the path cannot be used: {problem}")
        options += ["--root", root]
    if found.path is None:
        fields: dict[str, Any] = {"root": root if root is not None else _builtin_root()}
    else:
        from wheelhouse_resolver.site.document import parse

        fields = parse(_text_of(found.path), found.path, root=root)
    return {**fields, "options": tuple(options)}


def _text_of(file: str) -> str:
    try:
        return read_settings(file).decode("utf-8")
    except OSError as error:
        raise SiteFileError(file, f"cannot be read: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise SiteFileError(file, "is not UTF-8, as TOML must be") from error


def _builtin_root() -> str:
    tried = [ORIGIN, *places().wheelhouses]
    for root in tried:
        if os.path.isdir(root):
            return root
    raise NoWheelhouseError(None, f"no wheelhouse found (tried {', '.join(tried)})").with_hint(
        "name one with --root or WHEELHOUSE_ROOT, or make one: wheelhouse-resolver init --root DIR"
    )
