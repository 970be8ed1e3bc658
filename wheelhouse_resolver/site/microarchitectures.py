"""What archspec knows: the names of microarchitectures and features that a ladder may use.

archspec (the library that Spack uses) is the one source of what a CPU level needs. This module is the
only place that asks it for its vocabulary; `host.cpu` asks it about a CPU.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from wheelhouse_resolver.utils import cache


class Vocabulary(NamedTuple):
    """archspec's names: each microarchitecture's family, and the families that have each feature."""

    families: dict[str, str]
    features: dict[str, list[str]]

    def family_of(self, target: str | None, features: tuple[str, ...]) -> str | None:
        """The CPU family (`x86_64`, `aarch64`, ...) that *target* or *features* belong to, if it is one."""
        if target is not None:
            return self.families.get(target)
        common = set(self.families.values())
        for feature in features:
            common &= set(self.features.get(feature, ()))
        if "x86_64" in common:
            common.discard("x86")  # its 32-bit forebear has the older features, too
        return common.pop() if len(common) == 1 else None


def archspec_identity() -> list[object]:
    """What archspec's answers depend on besides the CPU: its installation, and its two overrides."""
    import os

    overrides = ("ARCHSPEC_CPU_DIR", "ARCHSPEC_EXTENSION_CPU_DIR")
    return [*cache.identity_of("archspec"), *(os.environ.get(name) for name in overrides)]


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """archspec's vocabulary, remembered between runs (see `memo`)."""
    answer = cache.get("archspec", archspec_identity(), _ask_archspec)
    return Vocabulary(families=answer["families"], features=answer["features"])


def _ask_archspec() -> dict[str, object]:
    from archspec.cpu import TARGETS, Microarchitecture

    families = {name: str(target.family) for name, target in TARGETS.items()}
    features: dict[str, set[str]] = {}
    for name, target in TARGETS.items():
        aliases = [alias for alias in Microarchitecture.feature_aliases if alias in target]
        for feature in [*target.features, *aliases]:
            features.setdefault(feature, set()).add(families[name])
    return {
        "families": families,
        "features": {feature: sorted(having) for feature, having in sorted(features.items())},
    }
