"""The order in which projects can be built: what is needed first. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def building_waves(needs: Mapping[str, Collection[str]]) -> list[list[tuple[str, ...]]]:
    """The projects of *needs* in waves, each after all that it needs; those that need each other as one.

    A need that is not a key exists already. Everything is sorted by name.
    """
    leader = {name: name for name in needs}
    while True:
        graph: dict[str, set[str]] = {each: set() for each in leader.values()}
        for name, needed in needs.items():
            below = (leader[each] for each in needed if each in leader)
            graph[leader[name]] |= {each for each in below if each != leader[name]}
        sorter = TopologicalSorter(graph)
        try:
            sorter.prepare()
            break
        except CycleError as error:
            cycle = set(error.args[1])
            first = min(cycle)
            leader = {name: first if each in cycle else each for name, each in leader.items()}
    members: dict[str, list[str]] = {}
    for name in sorted(leader):
        members.setdefault(leader[name], []).append(name)
    found = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append(sorted(tuple(members[each]) for each in ready))
        sorter.done(*ready)
    return found


#: A project, and what it requires: projects with the extras that it wants of them.
_Needs = tuple[str, Iterable[tuple[str, frozenset[str]]]]


def required_from(
    projects: Iterable[str], needs: Callable[[Collection[tuple[str, frozenset[str]]]], Iterable[_Needs]]
) -> dict[str, set[str]]:
    """What each of *projects* requires itself, and each of those, and so on, with the extras that are wanted.

    needs: what each of some (project, extras) requires, as (project, requires): many at once, for wheels are
    read for it. What it leaves out requires nothing.
    """
    below: dict[str, set[str]] = {}
    extras: dict[str, frozenset[str]] = {name: frozenset() for name in projects}
    asked = dict(extras)
    while asked:
        found = {name: [*required] for name, required in needs([*asked.items()])}
        asked = {}
        for name, required in found.items():
            below.setdefault(name, set()).update(each for each, _ in required if each != name)
            for each, more in required:
                known = extras.get(each)
                if known is None or not more <= known:
                    asked[each] = extras[each] = more | (known or frozenset())
    return below


def needed_among(
    projects: Collection[str], name: str, below: Callable[[str], Iterable[str]]
) -> frozenset[str]:
    """Which of *projects* the project *name* needs, also by way of others; *below*: what each requires."""
    seen = reached(below(name), lambda each: () if each in projects else below(each))
    return frozenset(each for each in seen if each in projects and each != name)


def reached(names: Iterable[str], beyond: Callable[[str], Iterable[str]]) -> set[str]:
    """*names*, and what is *beyond* them, and so on."""
    seen: set[str] = set()
    waiting = [*names]
    while waiting:
        each = waiting.pop()
        if each not in seen:
            seen.add(each)
            waiting += beyond(each)
    return seen
