"""Tag inversions: two wheels of one version where the less specific directory has the better wheel tag.

Every installer puts the wheel tag before the build tag, so there no stamp helps. `publish` refuses to create
one, or gives the wheel tags that are as good (*retags* it); `audit` reports those that exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations, product
from typing import NamedTuple

from packaging.tags import Tag, parse_tag

from wheelhouse_resolver.installers.ordering import INSTALLERS, PythonKind, tag_priorities
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.wheelfile.tags import compressed_tags, machine_of, pythons_of

#: Wheels for all Pythons (py3, abi3) are compared as these see them, besides those that other wheels name.
_USUAL = tuple(((3, minor), "") for minor in range(8, 15))


class Inversion(NamedTuple):
    """A wheel that beats one of a more specific directory by its tag, on *python* with these *installers*."""

    lower: Candidate
    higher: Candidate
    python: PythonKind
    installers: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.lower.directory.label}/{self.lower.filename} has a better wheel tag than "
            f"{self.higher.directory.label}/{self.higher.filename} for Python {self.python}, "
            f"and wins with {', '.join(self.installers)}"
        )


def concerned_pythons(candidates: Iterable[Candidate]) -> list[PythonKind]:
    """The CPythons to compare *candidates* for: those that a wheel names, or the usual ones, per machine.

    A site's hosts have one C library: glibc, unless all compiled wheels are for musl.
    """
    tags = frozenset().union(*(candidate.tags for candidate in candidates))
    named = pythons_of(tags)
    if any(tag.interpreter.startswith("py") or tag.abi == "abi3" for tag in tags):
        named |= set(_USUAL)
    machines = {machine for tag in tags if (machine := machine_of(tag.platform))} or {"x86_64"}
    compiled = {tag.platform for tag in tags if tag.platform != "any"}
    musl = bool(compiled) and all(platform.startswith("musllinux") for platform in compiled)
    return [
        PythonKind(version, flags, machine, musl)
        for (version, flags), machine in product(sorted(named), sorted(machines))
    ]


def inversions(candidates: Sequence[Candidate], together: Sequence[frozenset[str]]) -> list[Inversion]:
    """The tag inversions among *candidates*, all of one project and version; one per pair of wheels.

    *together*: `searched_together` of the site; wheels that no host sees both of cannot invert.
    """
    platforms = frozenset(tag.platform for candidate in candidates for tag in candidate.tags)
    found: list[Inversion] = []
    for higher, lower in permutations(candidates, 2):
        if lower.directory.rank >= higher.directory.rank or lower.tags == higher.tags:
            continue
        if not any({lower.directory.path, higher.directory.path} <= paths for paths in together):
            continue
        for python in concerned_pythons([higher, lower]):
            winning = tuple(
                installer.name
                for installer in INSTALLERS
                if installer.tag_first
                and beats(lower, higher, tag_priorities(python, platforms, installer.linux_first))
            )
            if winning:
                found.append(Inversion(lower, higher, python, winning))
                break
    return found


def beats(lower: Candidate, higher: Candidate, priorities: Mapping[Tag, int]) -> bool:
    """Whether a Python with these tag *priorities* accepts both and finds *lower*'s tag the better one."""
    low = min((priorities[tag] for tag in lower.tags if tag in priorities), default=None)
    high = min((priorities[tag] for tag in higher.tags if tag in priorities), default=None)
    return low is not None and high is not None and low < high


def retagged(candidate: Candidate, rivals: Sequence[Candidate]) -> frozenset[Tag]:
    """Tags for *candidate* that leave no inversion with *rivals* of its version, where that can be done.

    Above a rival it takes on those of the rival's tags that let nobody install it who could not before.
    Below a rival whose platform is plain `linux_*` it gives up its manylinux tags for that. The caller
    checks whether that was enough. The result is what one compressed tag set can say (PEP 425).
    """
    tags = set(candidate.tags)
    for rival in rivals:
        if rival.directory.rank < candidate.directory.rank:
            tags |= {tag for tag in rival.tags if _adds_nobody(tag, candidate)}
    for rival in rivals:
        plain = {tag.platform for tag in rival.tags}
        if rival.directory.rank > candidate.directory.rank and all(p.startswith("linux_") for p in plain):
            many = {tag for tag in tags if tag.platform.startswith(("manylinux", "musllinux"))}
            tags -= many
            tags |= {Tag(tag.interpreter, tag.abi, each) for tag in many for each in plain}
    return parse_tag(compressed_tags(frozenset(tags)))


def _adds_nobody(tag: Tag, candidate: Candidate) -> bool:
    """Whether every Python that accepts *tag* accepts *candidate* already."""
    platforms = frozenset({tag.platform, *(each.platform for each in candidate.tags)})
    claimed = candidate._replace(tags=frozenset({tag}))
    accepted = (tag_priorities(each, platforms, True) for each in concerned_pythons([claimed, candidate]))
    return all(tag not in each or not candidate.tags.isdisjoint(each) for each in accepted)
