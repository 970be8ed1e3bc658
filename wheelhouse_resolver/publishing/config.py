"""The `[publish]` table of the site file: the command to run after wheels were placed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import SiteFileError, reason_of
from wheelhouse_resolver.publishing.errors import AfterHookError

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site

__all__ = ["after_command", "run_after_hook"]


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


def run_after_hook(command: Sequence[str]) -> None:
    """Run the site's `after` *command*, whose output is ours. Raises `AfterHookError` when it fails."""
    import subprocess

    if sys.stdout is not None:
        sys.stdout.flush()  # what we said comes before what it says
    try:
        code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        problem = f"exited with {code}" if code else ""
    except OSError as error:
        problem = reason_of(error)
    if problem:
        raise AfterHookError(shlex.join(command), problem)
