"""The order of builds: pure functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from graphlib import CycleError as _GraphCycle
from graphlib import TopologicalSorter
from typing import Any, TypeVar

from wheelhouse_resolver.errors import WheelhouseError, printable

Node = TypeVar("Node")


class CycleError(WheelhouseError, ValueError):
    """Packages that need each other, so that none can be built first. *cycle*: with both ends."""

    _hint = (
        "remove one of these requirements with a recipe (wheel.remove-requires), or build without --recursive"
    )
    cycle: Sequence[str]

    @property
    def message(self) -> str:
        """The cycle."""
        return f"a cycle of requirements: {printable(' -> '.join(self.cycle))}"


def waves(needs: Mapping[Node, Collection[Node]], name: Callable[[Node], str] = str) -> list[list[Node]]:
    """The nodes of *needs* in waves: each once, in the first wave after all the nodes that it needs.

    A need that is not a node exists already; a node's need of itself is ignored (a project's extra may refer
    to its other extras so). Within a wave the order is that of *needs*. Raises `CycleError`, with the nodes'
    *name*.
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


def acyclic(needs: Mapping[Node, Collection[Node]]) -> dict[Node, list[Node]]:
    """*needs*, as far as they are nodes, without those that close a cycle. A node's need of itself is one."""
    left = {node: [each for each in needed if each in needs] for node, needed in needs.items()}
    while True:
        try:
            TopologicalSorter(left).prepare()
            return left
        except _GraphCycle as error:
            needed, by = error.args[1][:2]  # each is needed by the next
            left[by].remove(needed)


def sharing_order(python: int, arch: int) -> list[tuple[int, int]]:
    """The builds of the same package to wait for, since their wheel may fit this one too.

    Builds are identified by the indexes of their Python, oldest first, and arch. The very first wheel may be
    pure and fit every Python and arch; that of an arch's first Python may be abi3 and fit its later ones.
    """
    if python > 0:
        return [(0, arch)]
    return [(0, 0)] if arch > 0 else []
