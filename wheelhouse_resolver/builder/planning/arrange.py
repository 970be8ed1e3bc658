"""The waves of a plan's builds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wheelhouse_resolver.builder.planning.model import Entry, Key
from wheelhouse_resolver.builder.planning.waves import CycleError, acyclic, sharing_order, waves
from wheelhouse_resolver.selection.requirements import Requirement

#: How a cycle through build requirements is broken.
BOOTSTRAP = (
    "publish a wheel of one of them (a build requirement that the wheelhouse has is not built), "
    "or build without --build-requires"
)


def arranged(
    entries: Iterable[Entry], *, build_requires: bool = False, finished: bool = False
) -> tuple[tuple[Entry, ...], ...]:
    """*entries* in waves: each after what it needs, and after builds whose wheel may serve it as well.

    build_requires: some are needed to build others.
    finished:       the sources are wheels: which of them are the same is known, and a cycle is none of ours.

    Raises `CycleError`.
    """
    found = {entry.key: entry for entry in entries}
    if finished:
        found = _without_cycles(found)
    order = {
        key: [
            *((*need, entry.target, entry.arch) for need in entry.needs),
            *(
                other
                for each in sharing_order(entry.target, entry.arch)
                if (other := (*key[:2], *each)) in found
                and (not finished or found[other].job.source == entry.job.source)
            ),
        ]
        for key, entry in found.items()
    }
    try:
        return tuple(tuple(found[key] for key in wave) for wave in waves(order, lambda key: key[0]))
    except CycleError as error:
        raise error.with_hint(BOOTSTRAP) if build_requires else error from None


def _without_cycles(entries: Mapping[Key, Entry]) -> dict[Key, Entry]:
    """*entries* with no cycle of needs: finished wheels may require each other."""
    kept = acyclic(
        {key: [(*need, *key[2:]) for need in sorted(entry.needs)] for key, entry in entries.items()}
    )
    return {
        key: replace(entry, needs=frozenset(need[:2] for need in kept[key])) for key, entry in entries.items()
    }


def built_below(
    name: str, entries: Mapping[str, Entry | None], edges: Mapping[str, Sequence[Requirement]]
) -> frozenset[tuple[str, str]]:
    """What is to be built that *name* requires, also by way of others that exist already (None). Pure."""
    seen: set[str] = set()
    waiting = [each.name for each in edges[name]]
    while waiting:
        each = waiting.pop()
        if each not in seen and entries[each] is None:
            waiting += [below.name for below in edges[each]]
        seen.add(each)
    found = (entries[each] for each in seen if each != name)
    return frozenset(entry.key[:2] for entry in found if entry is not None)
