"""How the archs of a ladder compare: what a CPU of one runs too, and which of them one CPU can run together.

A ladder's order is that of its ranks, not one of subsets: Neoverse V2 lacks what V1 has, and no AMD CPU is a
Haswell. So this goes by what archspec says of each pair, and of every CPU that /proc/cpuinfo could show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from wheelhouse_resolver.errors import InvalidSiteError
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, Arch

#: Of what is computed here: another number for other answers, which are remembered between releases.
_RULES = 1

#: Sets of archs, each with a file of its own. All x86 microarchitectures that archspec 0.2.7 knows make 157.
_MOST = 1000


@lru_cache(maxsize=32)
def archs_below(ladder: tuple[Arch, ...]) -> Mapping[str, tuple[str, ...]]:
    """For each arch of *ladder* the lower ones that every CPU of it runs too, low to high.

    "Every CPU" is every microarchitecture that archspec knows; of an arch that none of them has, every CPU
    with just its features.
    """
    if ladder == BUILTIN_LADDER:
        names = [arch.name for arch in ladder]
        return {name: tuple(names[:place]) for place, name in enumerate(names)}
    answer = _remembered("below", ladder, lambda: _archs_below(ladder))
    return {name: tuple(below) for name, below in answer.items()}


@lru_cache(maxsize=64)
def combinations(ladder: tuple[Arch, ...], names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Every set of *names*, archs of *ladder*, that a host can have; each low to high.

    That is what some CPU can run, whatever its flags, and what an override leaves of it. Raises
    `InvalidSiteError` where they are too many.
    """
    if ladder == BUILTIN_LADDER:
        chain = [tuple(arch.name for arch in ladder[:count]) for count in range(len(ladder) + 1)]
        return tuple(dict.fromkeys(tuple(name for name in each if name in names) for each in chain))
    answer = _remembered("together", ladder, lambda: _combinations(ladder, names), *names)
    return tuple(tuple(each) for each in answer)


def _remembered(question: str, ladder: tuple[Arch, ...], compute: Any, *more: str) -> Any:
    from wheelhouse_resolver.site.microarchitectures import archspec_identity
    from wheelhouse_resolver.utils import cache

    archs = [[arch.name, arch.target, arch.features, arch.family] for arch in ladder]
    return cache.get("ladder", [_RULES, question, archs, more, archspec_identity()], compute)


class _Shown(NamedTuple):
    """What /proc/cpuinfo shows of a CPU; the fields are as of `CpuRequirement`."""

    family: str
    vendor: str = ""
    name: str = ""
    part: str = ""
    flags: frozenset[str] = frozenset()
    generation: int = 0

    def might(self, way: Any) -> bool:
        """Whether this CPU, given more flags or a higher generation, meets *way*."""
        return (
            self.family == way.family
            and (not way.vendors or self.vendor in way.vendors)
            and (not way.names or self.name in way.names)
            and self.part not in way.other_parts
        )

    def meets(self, way: Any) -> bool:
        """Whether this CPU shows all of *way*."""
        shown = all(not self.flags.isdisjoint(group) for group in way.flags)
        return shown and self.generation >= way.generation and self.might(way)

    def with_all_of(self, ways: Sequence[Any]) -> _Shown:
        """This CPU with what *ways* want, too: of each group the first flag, as good as the others."""
        flags = self.flags.union(*(group[:1] for way in ways for group in way.flags))
        return self._replace(flags=flags, generation=max([self.generation, *(w.generation for w in ways)]))


_Table = Mapping[str, Sequence[Any]]


def _table(ladder: Sequence[Arch]) -> _Table:
    from wheelhouse_resolver.site.cpu_requirements import requirements_for

    return {arch.name: requirements_for(arch) for arch in ladder}


def _runs(cpu: _Shown, table: _Table) -> frozenset[str]:
    return frozenset(name for name, ways in table.items() if any(map(cpu.meets, ways)))


def _archs_below(ladder: tuple[Arch, ...]) -> dict[str, list[str]]:
    from archspec.cpu import TARGETS

    table, names = _table(ladder), [arch.name for arch in ladder]
    known = [
        _Shown(
            str(target.family),
            target.vendor if target.vendor != "generic" else "",
            target.name,
            target.cpu_part,
            frozenset(target.features),
            target.generation,
        )
        for target in TARGETS.values()
    ]
    run = {_runs(cpu, table) for cpu in known}
    found = {}
    for place, name in enumerate(names):
        having = [each for each in run if name in each]
        for way in table[name] if not having else ():
            vendor, own = (*way.vendors, "")[0], (*way.names, "")[0]
            having.append(_runs(_Shown(way.family, vendor, own).with_all_of([way]), table))
        below = frozenset.intersection(*having) if having else ()
        found[name] = [each for each in names[:place] if each in below]
    return found


def _combinations(ladder: tuple[Arch, ...], names: Sequence[str]) -> list[list[str]]:
    below, order = archs_below(ladder), [arch.name for arch in ladder]
    wanted = {each for name in names for each in (name, *below[name])}
    table = _table([arch for arch in ladder if arch.name in wanted])
    found = {frozenset[str]()} | {frozenset((name, *below[name])).intersection(names) for name in order}
    for cpu in _identities(table):
        for runs in _reachable(cpu, table, names, below):
            found.add(frozenset(name for name in names if runs.issuperset((name, *below[name]))))
            if len(found) > _MOST:
                problem = f"there can be hosts with more than {_MOST} different sets of these archs"
                raise InvalidSiteError([("[[arch]]", problem)])
    sets = [[name for name in order if name in each] for each in found]
    return sorted(sets, key=lambda each: (*(order.index(name) for name in each[-1:]), -1, len(each), each))


def _identities(table: _Table) -> Iterator[_Shown]:
    """Every CPU that *table* can tell from others by more than flags: without any flag."""
    ways = [way for each in table.values() for way in each]
    for family in sorted({way.family for way in ways}):
        own = [way for way in ways if way.family == family]
        vendors = {way.vendors[:1] for way in own} | {()}
        names = {way.names[:1] for way in own} | {()}
        parts = {part for way in own for part in way.other_parts} | {""}
        for vendor, name, part in product(sorted(vendors), sorted(names), sorted(parts)):
            yield _Shown(family, "".join(vendor), "".join(name), part)


def _reachable(
    cpu: _Shown, table: _Table, names: Sequence[str], below: Mapping[str, Sequence[str]]
) -> Iterator[frozenset[str]]:
    """What *cpu* runs of *table*, with the flags of any of *names* and what is below them."""
    possible = {name: [way for way in ways if cpu.might(way)] for name, ways in table.items()}
    steps: list[Sequence[Any]] = []
    for name in names:
        for way in possible[name]:
            so_far = cpu.with_all_of([way])
            rest = [possible[b] for b in below[name] if not any(map(so_far.meets, possible[b]))]
            steps += [(way, *more) for more in product(*rest)]
    waiting, seen = [cpu], set()
    while waiting:
        now = waiting.pop()
        met = frozenset((name, way) for name, ways in possible.items() for way in ways if now.meets(way))
        if met not in seen:
            seen.add(met)
            yield frozenset(name for name, _ in met)
            waiting += [now.with_all_of(step) for step in steps]
