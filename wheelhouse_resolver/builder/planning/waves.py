"""The order of builds: pure functions over who needs whom."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from graphlib import CycleError as _GraphCycle
from graphlib import TopologicalSorter
from typing import Any, TypeVar

from wheelhouse_resolver.errors import WheelhouseError, printable

Node = TypeVar("Node")


class CycleError(WheelhouseError, ValueError):
    """Packages that need each other, so that none can be built first. Attributes: *cycle*, ends included."""

    def __init__(self, cycle: Sequence[str]) -> None:
        super().__init__(tuple(cycle))
        self.cycle = tuple(cycle)

    def __str__(self) -> str:
        return (
            f"a cycle of requirements: {printable(' -> '.join(self.cycle))}; take one of them out with a "
            "recipe (`remove` under its edits), or build them without --recursive"
        )


def waves(needs: Mapping[Node, Collection[Node]], name: Callable[[Node], str] = str) -> list[list[Node]]:
    """The nodes of *needs* in waves: each node once, in the first wave after all the nodes that it needs.

    What is needed and is no node of *needs* is there already; a node's need of itself counts for nothing (a
    project's extra may name its other extras so). Within a wave the order is that of *needs*.

    Raises `CycleError`, which calls the nodes by *name*.
    """
    place = {node: number for number, node in enumerate(needs)}
    sorter = TopologicalSorter(
        {node: [each for each in needed if each in place and each != node] for node, needed in needs.items()}
    )
    try:
        sorter.prepare()
    except _GraphCycle as error:
        cycle: list[Any] = error.args[1]  # each is needed by the next
        raise CycleError([name(node) for node in reversed(cycle)]) from error
    found: list[list[Node]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append(sorted(ready, key=place.__getitem__))
        sorter.done(*ready)
    return found


def leaders(python: int, arch: int) -> list[tuple[int, int]]:
    """The builds of the same package to wait for, since their wheel may serve this one as well.

    A build is for the Python and the arch of these numbers in their orders, the oldest Python first. The
    first of all may turn out to be pure, which serves every Python and arch; the first Python's of an arch
    may turn out to be abi3, which serves the later Pythons of that arch.
    """
    if python > 0:
        return [(0, arch)]
    return [(0, 0)] if arch > 0 else []
