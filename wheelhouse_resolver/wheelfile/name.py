"""The name of a wheel's file (binary distribution format, PEP 427)."""

from __future__ import annotations

import re
from typing import NamedTuple

from packaging.tags import Tag
from packaging.utils import BuildTag, InvalidWheelFilename, NormalizedName
from packaging.version import Version

from wheelhouse_resolver.utils.text import invalid_character
from wheelhouse_resolver.wheelfile.tags import parse_wheel_name

#: What installers make of the name of a wheel variant (pip 20.3.4 to 26.3, uv 0.13.9).
VARIANT_PROBLEM = (
    "a wheel variant (PEP 825): pip ignores it, uv takes it with its preview wheel-variants only"
)

#: What follows the platform tag of a wheel variant, after a dash.
_LABEL = re.compile(r"[a-z0-9._]{1,16}")

#: How the Python tag of a wheel begins.
_PYTHON = re.compile(r"[a-z]+\d")


def is_variant(filename: str) -> bool:
    """Whether *filename* is that of a wheel variant: a wheel's, with a variant label (PEP 825)."""
    stem, _, label = filename.removesuffix(".whl").rpartition("-")
    if not filename.endswith(".whl") or not _LABEL.fullmatch(label):
        return False
    try:
        tags = parse_wheel_name(f"{stem}.whl")[3]
    except ValueError:
        return False
    # Otherwise it is a wheel with an invalid build tag.
    return all(_PYTHON.match(t.interpreter) and (t.platform == "any" or "_" in t.platform) for t in tags)


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
            return cls(*parse_wheel_name(filename))
        except InvalidWheelFilename as error:
            if is_variant(filename):
                raise ValueError(VARIANT_PROBLEM) from error
            problem = str(error).removeprefix("Invalid wheel filename ").rpartition(": ")[0]
            raise ValueError(f"invalid wheel file name: {problem.strip('()')}") from error
