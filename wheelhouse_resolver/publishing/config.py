"""The `[publish]` table of the site file: wheels' local label, the command to run after they were placed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from packaging.version import Version

from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.publishing.errors import AfterHookError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.schema import Table, accepted_by, require, text, texts
from wheelhouse_resolver.wheelfile.rewrite import labelled

_LABEL = accepted_by(partial(labelled, Version("1")), "{error}")
_SCHEMA = Table({"after": texts(), "local-label": text(_LABEL)}, header="publish")


def after_command(site: Site) -> list[str]:
    """The site's `[publish] after` command; empty for none. Raises `SiteFileError`."""
    return list(_table(site).get("after", ()))


def local_label(site: Site) -> str:
    """The site's `[publish] local-label`; empty for none. Raises `SiteFileError`."""
    return str(_table(site).get("local-label", ""))


def _table(site: Site) -> Mapping[str, Any]:
    found: Mapping[str, Any] = require(_SCHEMA, site.tables.get("publish", {}), site.source or "site")
    return found


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
