"""The name of a wheel's file (binary distribution format, PEP 427)."""

from __future__ import annotations

from typing import NamedTuple

from packaging.tags import Tag
from packaging.utils import BuildTag, InvalidWheelFilename, NormalizedName, parse_wheel_filename
from packaging.version import Version

from wheelhouse_resolver.utils.text import invalid_character


class WheelName(NamedTuple):
    """The parts of a wheel's file name."""

    name: NormalizedName
    version: Version
    build: BuildTag
    tags: frozenset[Tag]

    @classmethod
    def parse(cls, filename: str) -> WheelName:
        """The parts of *filename*. Raises `ValueError`, whose text says what is wrong."""
        if problem := invalid_character(filename):
            raise ValueError(f"invalid wheel file name: {problem}")
        try:
            return cls(*parse_wheel_filename(filename))
        except InvalidWheelFilename as error:
            problem = str(error).removeprefix("Invalid wheel filename ").rpartition(": ")[0]
            raise ValueError(f"invalid wheel file name: {problem.strip('()')}") from error
