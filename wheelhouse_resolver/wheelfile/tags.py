"""What the tags of a wheel require."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import prod

from packaging.tags import Tag
from packaging.utils import BuildTag, NormalizedName, parse_wheel_filename
from packaging.version import Version

#: More tags than any real file name expands to.
_MOST_TAGS = 1000


def parse_wheel_name(filename: str) -> tuple[NormalizedName, Version, BuildTag, frozenset[Tag]]:
    """packaging's `parse_wheel_filename`, where the tags are not so many that they would fill the memory.

    Raises `ValueError`: `InvalidWheelFilename`, or that they are.
    """
    number = prod(part.count(".") + 1 for part in filename.removesuffix(".whl").split("-")[-3:])
    if number > _MOST_TAGS:
        raise ValueError(f"its name expands to {number} tags: too many")
    return parse_wheel_filename(filename)


def compressed_tags(tags: frozenset[Tag]) -> str:
    """*tags* as a compressed tag set (PEP 425), which may expand to more tags than these."""
    return "-".join(
        ".".join(sorted({getattr(tag, part) for tag in tags})) for part in ("interpreter", "abi", "platform")
    )


MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(.+)")

_LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


def machine_of(platform: str) -> str | None:
    """The machine of a platform tag (`x86_64` of `manylinux2014_x86_64`); None for `any`, or another OS."""
    if platform.startswith("linux_"):
        return platform.removeprefix("linux_")
    if found := re.fullmatch(r"(?:manylinux|musllinux)_\d+_\d+_(.+)", platform):
        return found[1]
    name, _, machine = platform.partition("_")
    return machine if name in _LEGACY else None


def pythons_of(tags: Iterable[Tag]) -> set[tuple[tuple[int, int], str]]:
    """The CPythons that *tags* name: (version, ABI flags) each."""
    found: set[tuple[tuple[int, int], str]] = set()
    for tag in tags:
        if match := re.fullmatch(r"cp(\d)(\d+)", tag.interpreter):
            flags = tag.abi.removeprefix(tag.interpreter) if tag.abi.startswith(tag.interpreter) else ""
            version = (int(match[1]), int(match[2]))
            found.add((version, flags or ("m" if version < (3, 8) else "")))
    return found


def glibc_of(platform: str) -> tuple[int, int] | None:
    """The glibc that a manylinux *platform* asks for (PEP 600, and the three names before it); else None."""
    found = MANYLINUX.fullmatch(platform)
    return (int(found[1]), int(found[2])) if found else _LEGACY.get(platform.partition("_")[0])
