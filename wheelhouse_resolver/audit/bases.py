"""What is wrong in the bases of a site, where nothing can be fixed: what to do here instead."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.audit.order import without_stamps
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.site.layout import Base
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing

#: What is this site's own to fix: that a base is mounted, and an index, whatever its pages lead to.
_OWN = (
    FindingKind.MISSING_BASE,
    *(FindingKind.INDEX_LINK, FindingKind.INDEX_PAGE, FindingKind.INDEX_STALE),
)

#: What matters of a base only where it makes the order wrong, which is a finding of its own.
_STAMPS = (FindingKind.UNSTAMPED, FindingKind.STALE, FindingKind.OVERFLOW, FindingKind.SAME_NAME)

_ORDER = (FindingKind.ORDER, FindingKind.INVERSION)


def missing_bases(site: Site) -> Iterator[Finding]:
    """A finding for each base that is not there."""
    for error in listing.missing_bases(site):
        yield Finding(FindingKind.MISSING_BASE, error.problem, (str(error.root),), error.hint)


def with_bases(site: Site, findings: Iterable[Finding]) -> Iterator[Finding]:
    """*findings* with what to do about those in bases; where the order within one is wrong, a single one."""
    wrong: dict[str, list[Finding]] = {base.name: [] for base in site.bases}
    table = index_table(site)
    by_index = table is not None and not table.find_links
    for finding in findings:
        base = _base_of(site, finding)
        if base is None or finding.kind in _OWN:
            yield finding
        elif finding.kind in _ORDER:
            wrong[base.name] += [finding] * (not by_index)  # a page says itself which wheel to take
        elif finding.kind not in _STAMPS:
            fix = f"the staff of the base {base.name!r} can fix it; a build that is published here goes first"
            yield finding._replace(fix=fix)
    for base in site.bases:
        if wrong[base.name]:
            yield _order(site, base, wrong[base.name])


def _base_of(site: Site, finding: Finding) -> Base | None:
    """The base that the file which *finding* is about, the first of its paths, is in."""
    path = os.path.join(finding.paths[0], "")
    return next((base for base in site.bases if path.startswith(os.path.join(base.root, ""))), None)


def _order(site: Site, base: Base, findings: list[Finding]) -> Finding:
    versions = [*dict.fromkeys(f"{each.project} {each.version}" for each in findings)]
    count = "1 version" if len(versions) == 1 else f"{len(versions)} versions"
    message = (
        f"with find-links, installers would not take the most specific wheel of {count} in the base "
        f"{base.name!r}: {', '.join(versions[:3])}{', ...' * (len(versions) > 3)}"
    )
    return Finding(
        FindingKind.ORDER,
        message,
        (base.root,),
        without_stamps(site, by_tag=any(each.kind is FindingKind.INVERSION for each in findings)),
        hosts=tuple(dict.fromkeys(host for each in findings for host in each.hosts)),
        pythons=tuple(dict.fromkeys(python for each in findings for python in each.pythons)),
    )
