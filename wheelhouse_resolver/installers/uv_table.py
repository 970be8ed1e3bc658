"""The `[uv]` table of the site file: what static module files set for uv, where users have not set it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wheelhouse_resolver.utils.schema import Problem, Table, line, one_of, require

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site

#: `$NAME` or `${NAME}`; split by it, every other part is a name, maybe in braces.
_REFERENCE = re.compile(r"\$(\{[A-Za-z_]\w*\}|[A-Za-z_]\w*)", re.ASCII)


def _choice(*values: str) -> Problem:
    return one_of("value", values)


def _path_problem(value: str) -> str | None:
    """Why a module file cannot make a path of *value*; None when it can."""
    if "$" in "".join(_REFERENCE.split(value)[::2]):
        return "holds a $ that is not of $NAME or ${NAME}"
    if not value.startswith(("/", "$")):
        return f"{value!r} is not an absolute path, and does not begin with a variable such as $HOME"
    return None


_SCHEMA = Table(
    {
        "cache-dir": line(_path_problem),
        "link-mode": line(_choice("clone", "copy", "hardlink", "symlink")),
        "python-downloads": line(_choice("automatic", "manual", "never")),
    },
    header="uv",
)


_EXAMPLE = (
    'such as: cache-dir = "$HOME/.cache/uv"; also link-mode (clone, copy, hardlink, symlink) and '
    "python-downloads (automatic, manual, never)"
)


def offered_variables(site: Site) -> dict[str, tuple[str, ...]]:
    """The variables of uv that *site* sets, each with its value: text, the name of a variable, text, ...

    Raises `SiteFileError`.
    """
    table = require(_SCHEMA, site.tables.get("uv", {}), site.source or "site", _EXAMPLE)
    return {
        "UV_" + key.upper().replace("-", "_"): tuple(
            part.strip("{}") if number % 2 else part for number, part in enumerate(_REFERENCE.split(value))
        )
        for key, value in table.items()
    }
