"""Whether a wheel fits a target Python."""

from __future__ import annotations

import os

from wheelhouse_resolver.host.target_python import TargetPython, python_version, supported_tags
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata
from wheelhouse_resolver.wheelfile.parsing import parsed_specifier
from wheelhouse_resolver.wheelfile.tags import parse_wheel_name


def fits(wheel: str, python: TargetPython) -> bool:
    """Whether the wheel at the path *wheel* can be installed for *python*: its tags, its Requires-Python."""
    try:
        tags = parse_wheel_name(os.path.basename(wheel))[3]
    except ValueError:
        return False
    if tags.isdisjoint(supported_tags(python)):
        return False
    try:
        needs = parsed_specifier(cached_metadata(wheel).requires_python)
    except ValueError:  # pip warns and installs it
        return True
    return needs.contains(python_version(python), prereleases=True)
