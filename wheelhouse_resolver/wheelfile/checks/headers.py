"""METADATA and WHEEL: whether they agree with the file name, and installers can make use of them."""

from __future__ import annotations

import re
from itertools import product
from math import prod

from packaging.requirements import InvalidRequirement
from packaging.specifiers import InvalidSpecifier
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.utils.text import few
from wheelhouse_resolver.wheelfile.checks.opened import OpenWheel
from wheelhouse_resolver.wheelfile.metadata import Metadata
from wheelhouse_resolver.wheelfile.parsing import parsed_requirement, parsed_specifier


def same_version(text: str, version: Version) -> bool:
    """Whether *text* spells *version*."""
    try:
        return Version(text) == version
    except ValueError:  # invalid, or of more digits than Python reads
        return False


def check_identity(wheel: OpenWheel, metadata: Metadata) -> None:
    """Note another name or version in METADATA than in the file name."""
    name, version = metadata.get("Name") or "", metadata.get("Version") or ""
    if canonicalize_name(name) != wheel.stated.name:
        wheel.note(f"METADATA has name {name!r}, the file name {str(wheel.stated.name)!r}")
    if not same_version(version, wheel.stated.version):
        wheel.note(f"METADATA has version {version!r}, the file name {str(wheel.stated.version)!r}")


def check_tags(wheel: OpenWheel, headers: Metadata) -> None:
    """Note other tags or another build tag in WHEEL than in the file name."""
    own_tags = wheel.stated.tags
    stated: set[Tag] = set()
    others: list[str] = []
    for text in headers.get_all("Tag"):
        parts = [set(part.lower().split(".")) for part in text.split("-")]
        if len(parts) != 3:
            wheel.note(f"WHEEL has an invalid tag {text!r}")
        elif max(prod(map(len, parts)), len(stated)) > len(own_tags):  # not expanded: it may mean billions
            others.append(text)
        else:
            stated |= {Tag(*each) for each in product(*parts)}
    if others or stated != own_tags:
        shown = few([*map(str, stated), *others]) or "none"
        wheel.note(f"WHEEL has tags {shown}, the file name {few(map(str, own_tags))}")
    build = headers.get("Build") or ""
    own = "".join(map(str, wheel.stated.build))
    if build and build.lstrip("0") != own.lstrip("0"):
        wheel.note(f"WHEEL has build {build!r}, the file name {own!r}")


def check_requirements(wheel: OpenWheel, metadata: Metadata) -> None:
    """Note what pip 24.1 and newer cannot parse: they pass over the wheel, or ignore its Requires-Python."""
    for text in metadata.get_all("Requires-Dist"):
        try:
            parsed_requirement(text)
        except InvalidRequirement as error:
            problem = str(error).splitlines()[0]
            wheel.note(f"METADATA requires {text.strip()!r}, which is invalid: {problem}")
    if text := metadata.get("Requires-Python") or "":
        try:
            parsed_specifier(text)
        except InvalidSpecifier:
            wheel.note(f"METADATA has the invalid Requires-Python {text!r}")


def check_format(wheel: OpenWheel, headers: Metadata) -> None:
    """Note a version of the format that installers refuse, and what they put into different directories."""
    version = (headers.get("Wheel-Version") or "").strip()
    # pip wants numbers, uv a dot, and both a 1.
    if not re.fullmatch(r"1(\.[0-9]+)+", version):
        wheel.note(f"WHEEL has Wheel-Version {version!r}: installers support 1.x only, with a number for x")
    # pip takes `True` for true, uv and installer don't.
    pure = (headers.get("Root-Is-Purelib") or "").strip()
    if pure not in ("true", "false"):
        wheel.note(f"WHEEL has Root-Is-Purelib {pure!r}, not true or false")
