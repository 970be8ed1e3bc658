"""The name of a wheel's file (binary distribution format, PEP 427)."""

from __future__ import annotations

import re
from typing import NamedTuple

from packaging.tags import Tag
from packaging.utils import BuildTag, InvalidWheelFilename, NormalizedName
from packaging.version import Version

from wheelhouse_resolver.utils.text import invalid_character
from wheelhouse_resolver.wheelfile.tags import parse_wheel_name

#: What installers make of the name of a wheel variant (pip 19.3.1 to 26.3, uv 0.13.9).
VARIANT_PROBLEM = (
    "a wheel variant (PEP 825): pip ignores it, uv takes it with its preview wheel-variants only"
)

#: The same of one that gives several platforms: old pips split at the dots, so the last part has the label.
TAKEN_VARIANT_PROBLEM = (
    "a wheel variant (PEP 825) for several platforms: pip before 22.3 takes it for a plain wheel,"
    " uv takes it with its preview wheel-variants only"
)

#: How the name of the file ends that says what the variants of one version are for: `NAME-VERSION-...`.
VARIANTS_INDEX = "-variants.json"

#: What follows the platform tag of a wheel variant, after a dash.
_LABEL = re.compile(r"[a-z0-9._]+")

#: How the Python tag of a wheel begins.
_PYTHON = re.compile(r"[a-z]+\d")


class VariantName(NamedTuple):
    """The parts of a wheel variant's file name (PEP 825); *problem*: as above."""

    name: NormalizedName
    version: Version
    label: str
    problem: str

    @classmethod
    def parse(cls, filename: str) -> VariantName | None:
        """The parts of *filename*; None if it is not the name of a wheel with a variant label."""
        stem, _, label = filename.removesuffix(".whl").rpartition("-")
        if not filename.endswith(".whl") or not _LABEL.fullmatch(label):
            return None
        try:
            name, version, _, tags = parse_wheel_name(f"{stem}.whl")
        except ValueError:
            return None
        # Otherwise it is a wheel with an invalid build tag.
        if not all(_PYTHON.match(t.interpreter) and _is_platform(t.platform) for t in tags):
            return None
        parts = filename.removesuffix(".whl").rsplit("-", 2)[1:]
        alone = [part for part in "-".join(parts).split(".") if "-" not in part and _is_platform(part)]
        return cls(name, version, label, TAKEN_VARIANT_PROBLEM if alone else VARIANT_PROBLEM)


def _is_platform(tag: str) -> bool:
    return tag == "any" or "_" in tag


def variants_index_of(filename: str) -> tuple[NormalizedName, Version] | None:
    """The project and version that *filename* is a `NAME-VERSION-variants.json` of; None if it is none."""
    stem = filename.removesuffix(VARIANTS_INDEX)
    if stem == filename or stem.count("-") != 1:
        return None
    try:
        return parse_wheel_name(f"{stem}-py3-none-any.whl")[:2]
    except ValueError:
        return None


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
            if variant := VariantName.parse(filename):
                raise ValueError(variant.problem) from error
            if variants_index_of(filename):
                raise ValueError("says what wheel variants are for (PEP 825), and is not a wheel") from error
            problem = str(error).removeprefix("Invalid wheel filename ").rpartition(": ")[0]
            raise ValueError(f"invalid wheel file name: {problem.strip('()')}") from error
