"""Which versions are in several directories without the stamps that make pip keep to policy.

By names alone: no wheel is opened.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from packaging.tags import Tag
from packaging.version import Version

from wheelhouse_resolver.doctor.facts import Tie
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.wheelfile.build_tag import StampState, stamping


def unstamped_ties(catalogue: Catalogue, site: Site, tags: Collection[Tag] | None = None) -> tuple[Tie, ...]:
    """The versions in *catalogue* that are in more than one directory, and not all with a current stamp.

    *tags*: only wheels that have one of these count (those of the target Python); None: all. The wheels of
    bases count where there is none of the site's own: its stamps are above all of theirs.
    """
    found: list[Tie] = []
    accepted = frozenset(tags) if tags is not None else None
    for project in catalogue.projects:
        by_version: dict[Version, list[Candidate]] = defaultdict(list)
        for each in catalogue.candidates(project):
            if accepted is None or not accepted.isdisjoint(each.tags):
                by_version[each.version].append(each)
        for version, same in by_version.items():
            labels = tuple(dict.fromkeys(each.directory.label for each in same))
            judged = [each for each in same if each.directory.base is None] or same
            if len(labels) > 1 and any(
                each.directory.shift
                or stamping(each.build, each.directory, site).state is not StampState.CURRENT
                for each in judged
            ):
                found.append(Tie(project, str(version), labels))
    return tuple(found)
