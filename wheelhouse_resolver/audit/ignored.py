"""The `[audit]` table of the site file: the findings that the site knows of and leaves as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.schema import Findings, Table, Tables, line, one_of, require


class IgnorePattern(NamedTuple):
    """Which findings are ignored: of that *kind*, about files below *root* that *path* matches; or either."""

    root: str
    kind: str = ""
    path: str = ""

    def matches(self, finding: Finding) -> bool:
        """Whether *finding* is ignored: not if only some of its files match."""
        if self.kind and self.kind != finding.kind.value:
            return False
        return not self.path or all(map(self._covers, finding.paths))

    def _covers(self, path: str) -> bool:
        if not os.path.isabs(self.path):
            path = os.path.relpath(path, self.root)
        pattern = self.path.rstrip("/")
        return fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*")


def ignore_patterns(site: Site) -> tuple[IgnorePattern, ...]:
    """The patterns of the site file. Raises `SiteFileError`."""
    table = require(_SCHEMA, site.tables.get("audit", {}), site.source or "site")
    return tuple(IgnorePattern(site.root, **entry) for entry in table.get("ignore", ()))


def _not_everything(found: Findings, value: Mapping[str, Any], key: str) -> None:
    if not value:
        found.note(key, "needs `kind`, `path` or both")


_PATTERN = Table(
    {"kind": line(one_of("kind", [kind.value for kind in FindingKind])), "path": line()},
    then=_not_everything,
)

_SCHEMA = Table({"ignore": Tables(_PATTERN)}, header="audit")
