"""By what a wheel serves a Python, and whether it may."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import Enum

from packaging.tags import Tag

from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.wheelfile.parsing import parsed_specifier


class Coverage(Enum):
    """What a host has of the newest version that others have; the value is its name in JSON.

    NEEDED: of another version that others have, which something requires, it has none.
    """

    MISSING = "missing"
    OLDER = "older"
    NEEDED = "needed"
    PURE = "pure"
    ABI3 = "abi3"
    PLATFORM = "platform"

    @property
    def is_gap(self) -> bool:
        """Whether there is no wheel of that version."""
        return self in (Coverage.MISSING, Coverage.OLDER, Coverage.NEEDED)


def coverage_of(tags: Iterable[Tag], priorities: Collection[Tag]) -> Coverage:
    """By what a wheel with these *tags* serves a Python that accepts *priorities*."""
    fitting = [tag for tag in tags if tag in priorities]
    if any(tag.platform == "any" for tag in fitting):
        return Coverage.PURE
    return Coverage.ABI3 if any(tag.abi == "abi3" for tag in fitting) else Coverage.PLATFORM


def admits(policy: Policy, requires_python: str) -> bool:
    """Whether the target of *policy* is among the Pythons that *requires_python* spells out."""
    try:
        return not requires_python or policy.admits(parsed_specifier(requires_python))
    except ValueError:  # invalid: pip takes such a wheel
        return True
