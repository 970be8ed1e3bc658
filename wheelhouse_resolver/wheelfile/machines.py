"""The CPU families that wheels are for, as archspec calls them."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.tags import Tag

from wheelhouse_resolver.wheelfile.tags import machine_of

#: The machines of platform tags whose family has another name.
_FAMILIES = {
    **dict.fromkeys(("i386", "i486", "i586", "i686"), "x86"),
    **dict.fromkeys(("armv5tel", "armv6l", "armv7l", "armv8l"), "arm"),
}

#: The family whose programs a 64-bit CPU also runs (packaging: the tags of a 32-bit Python there).
_ALSO = {"x86_64": "x86", "aarch64": "arm"}


def families_of(platforms: Iterable[str]) -> frozenset[str]:
    """The CPU families that wheels with these platform tags are for; empty if one of them is `any`."""
    found = set(platforms)
    machines = {machine_of(each) for each in found} - {None}
    return frozenset(_FAMILIES.get(str(each), str(each)) for each in machines if "any" not in found)


def problem_with(tags: Iterable[Tag], family: str | None) -> str:
    """Why a wheel with these *tags* is not for CPUs of *family* (None: not known); empty if it is."""
    own = families_of(tag.platform for tag in tags)
    if family is None or not own or any(runs(family, each) for each in own):
        return ""
    return f"its tags are for {', '.join(sorted(own))} CPUs"


def runs(cpu: str, program: str) -> bool:
    """Whether a CPU of the family *cpu* runs what is made for the family *program*."""
    return program in (cpu, _ALSO.get(cpu))
