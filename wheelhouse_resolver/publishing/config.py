"""The `[publish]` table of the site file: the command to run after wheels were placed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence

from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.publishing.errors import AfterHookError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.schema import Table, require, texts

_SCHEMA = Table({"after": texts()}, header="publish")


def after_command(site: Site) -> list[str]:
    """The site's `[publish] after` command; empty for none. Raises `SiteFileError`."""
    table = require(_SCHEMA, site.tables.get("publish", {}), site.source or "site")
    return list(table.get("after", ()))


def run_after_hook(command: Sequence[str]) -> None:
    """Run the site's `after` *command*, whose output is ours. Raises `AfterHookError` when it fails."""
    import subprocess

    if sys.stdout is not None:
        sys.stdout.flush()  # its output comes after ours
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        problem = f"exited with {code}" if code else ""
    except OSError as error:
        problem = reason_of(error)
    if problem:
        problem = f"`{shlex.join(command)}` {problem}; the wheels are published"
        raise AfterHookError("[publish] after", problem)
