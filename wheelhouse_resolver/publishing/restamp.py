"""Which wheels of a tree have stale stamps or wrong tags, and the steps that correct them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.installers.inversion import Inversion, inversions, retagged
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.plan import Step, involving, is_current, restamp_step
from wheelhouse_resolver.site.model import searched_together
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.wheelfile.build_tag import StampError, renamed
from wheelhouse_resolver.wheelfile.tags import compressed_tags
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelhouse_resolver.site.model import Site

__all__ = ["outdated", "retag_steps"]


def outdated(site: Site) -> list[Candidate]:
    """The wheels without a current stamp, the most specific directory first.

    Mended in that order, a tree that is half done has no tie that was right before and is wrong now.
    """
    return [each for each in _standing(site) if not is_current(site, each)]


def _standing(site: Site) -> Iterator[Candidate]:
    """Every well-named wheel of the tree, the most specific directory first."""
    listing.check_root(site)
    for directory in site.directories():
        for filename in listing.wheel_names(directory, lambda name: name.endswith(listing.SUFFIX)):
            each = parse_candidate(filename, directory)
            if isinstance(each, Candidate):
                yield each


def retag_steps(site: Site) -> tuple[list[Step], list[WheelhouseError]]:
    """How to mend the tag inversions of the tree, and those that new tags cannot mend."""
    together = searched_together(site)
    versions: dict[tuple[str, Version], list[Candidate]] = {}
    for each in _standing(site):
        versions.setdefault((each.name, each.version), []).append(each)
    steps: list[Step] = []
    hopeless: list[WheelhouseError] = []
    for same in versions.values():
        found = inversions(same, together) if len(same) > 1 else []
        higher: dict[str, list[Inversion]] = {}
        for inversion in found:
            higher.setdefault(inversion.higher.path, []).append(inversion)
        for cases in higher.values():
            wheel = cases[0].higher
            tags = retagged(wheel, [case.lower for case in cases])
            rivals = [each for each in same if each.path != wheel.path]
            if involving(wheel._replace(tags=tags), rivals, together, above=True):
                problem = f"a tag inversion that new tags cannot mend: {cases[0]}; withdraw one of the two"
                hopeless.append(PublishError(wheel.path, problem))
                continue
            try:
                step = restamp_step(site, wheel)
            except (InvalidWheelError, StampError) as error:
                hopeless.append(error)
                continue
            filename = renamed(step.filename, tags=compressed_tags(tags))
            steps.append(step._replace(filename=filename, change=step.change._replace(tags=tags)))
    return steps, hopeless
