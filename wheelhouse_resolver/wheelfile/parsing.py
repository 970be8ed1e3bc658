"""packaging's parsers, for texts from anywhere: what they accept and then fail on is invalid, too."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

if TYPE_CHECKING:
    from packaging.requirements import Requirement  # packaging's parser takes 10 ms to import

#: A number of more digits than any version has. Python reads 4,300.
_LONG_NUMBER = re.compile(r"[0-9]{1000}")

#: What markers may name in lock files only (PEP 751).
_OF_LOCK_FILES = re.compile(r"extras|dependency_groups")


def parsed_requirement(text: str) -> Requirement:
    """The requirement that *text* spells out. Raises `InvalidRequirement`."""
    from packaging.markers import UndefinedEnvironmentName
    from packaging.requirements import InvalidRequirement, Requirement

    if _LONG_NUMBER.search(text):
        raise InvalidRequirement("it has a number of more than 1000 digits")
    try:
        found = Requirement(text)
    except RecursionError as error:
        raise InvalidRequirement("it is nested too deeply") from error
    if found.marker is not None and _OF_LOCK_FILES.search(text):
        try:
            found.marker.evaluate({"extra": ""})
        except UndefinedEnvironmentName as error:
            raise InvalidRequirement(f"its marker has {error}, which only lock files have") from error
        except ValueError:
            pass  # a comparison without a meaning: who evaluates it says so
    return found


def parsed_specifier(text: str) -> SpecifierSet:
    """The versions that *text* spells out. Raises `InvalidSpecifier`."""
    if _LONG_NUMBER.search(text):
        raise InvalidSpecifier("it has a number of more than 1000 digits")
    return SpecifierSet(text)
