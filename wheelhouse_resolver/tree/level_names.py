"""What the names of directories say: CPU levels and families as HPC sites, archspec and EESSI write them."""

from __future__ import annotations

import re
from typing import NamedTuple

from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.microarchitectures import vocabulary

#: What directories of wheels that run anywhere are called.
_GENERIC = frozenset((GENERIC, "common", "noarch", "any", "pure", "universal"))

_FAMILIES = {
    **{family: family for family in ("x86_64", "aarch64", "ppc64le", "riscv64")},
    "amd64": "x86_64",
    "arm64": "aarch64",
}

#: Directories that only sort others.
_VENDORS = frozenset(("intel", "amd", "arm", "nvidia", "ibm", "fujitsu", "ampere", "apple"))

#: Names for archspec's microarchitectures that it does not know.
_ALIASES = {"grace": "neoverse_v2", **{f"power{n}": f"power{n}le" for n in (8, 9, 10, 11)}}

#: The levels of the built-in ladder that have another name as well, by archspec's.
_BUILTIN = {"x86_64_v3": "avx2", "x86_64_v4": "avx512"}

#: The bit of the linker's mark -> archspec's name of the level.
LEVEL_OF_BIT = {2: "x86_64_v2", 4: "x86_64_v3", 8: "x86_64_v4"}


class CpuLevel(NamedTuple):
    """An arch, before there is a ladder. The fields are those of `Arch`; *target* or *features* is empty."""

    name: str
    target: str = ""
    features: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """The CPU family."""
        return vocabulary().families[self.target] if self.target else "x86_64"

    @property
    def place(self) -> tuple[object, ...]:
        """A sort key for ladders: families first, then what more and more is asked for."""
        from archspec.cpu import TARGETS

        if not self.target:
            return (True, self.family, self.bit, 99, self.name)
        depth = len(TARGETS[self.target].ancestors)
        return (self.target != self.family, self.family, self.bit, depth, self.name)

    @property
    def bit(self) -> int:
        """The highest level that its CPUs have, as the bit of the linker's mark; 1 for none."""
        from archspec.cpu import TARGETS

        if not self.target:
            return 2 if "avx" in self.features else 1
        known = {self.target, *(str(each.name) for each in TARGETS[self.target].ancestors)}
        return max([1, *(bit for bit, name in LEVEL_OF_BIT.items() if name in known)])


def level_of_target(target: str) -> CpuLevel:
    """The level of archspec's microarchitecture *target*, by the name that the built-in ladder has for it."""
    return CpuLevel(_BUILTIN.get(target, target.replace("x86_64_v2", "x86-64-v2")), target)


def level_of(parts: list[str]) -> CpuLevel | str | None:
    """What a directory is whose path ends in *parts*: a level, `generic`, or None: the names do not say.

    The last part with a meaning of its own counts; a vendor's name has none.
    """
    found: CpuLevel | str | None = None
    family = ""
    for part in parts:
        word = part.lower().replace("-", "_")
        if word in _FAMILIES:
            family = _FAMILIES[word]
            found = CpuLevel(family, family)
        elif (level := _named(word, family)) is not None:
            found = level
        elif word in _GENERIC and not isinstance(found, CpuLevel):
            found = GENERIC
    return found


def has_meaning(part: str, family: bool) -> bool:
    """Whether the name *part* of a directory says something; *family*: below a directory of a CPU family."""
    word = part.lower().replace("-", "_")
    named = _named(word, "x86_64" if family else "") is not None
    return named or word in _FAMILIES or word in _GENERIC or word in _VENDORS


def _named(word: str, family: str) -> CpuLevel | None:
    if word in ("sse3", "avx"):
        return CpuLevel(word, features=(word,))
    if word in _BUILTIN.values():
        return next(CpuLevel(name, target) for target, name in _BUILTIN.items() if name == word)
    if family == "x86_64" and re.fullmatch("v[234]", word):
        word = f"x86_64_{word}"
    word = _ALIASES.get(word, word)
    return level_of_target(word) if word in vocabulary().families and word not in _FAMILIES else None
