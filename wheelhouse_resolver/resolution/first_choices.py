"""The search for a set of wheels while each first choice will do: in steps that grow with the set only.

It is what resolvelib does (and in the same order, so that both find the same) until something conflicts. But
resolvelib looks at all that is required in every round, for it must be able to go back: that grows with the
square of the set. Here nothing goes back: at the first conflict there is no answer, and resolvelib is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Any, NamedTuple, Protocol

from packaging.specifiers import SpecifierSet

from wheelhouse_resolver.resolution.candidates import PYTHON, ResolverCandidate, ResolverRequirement


class Solution(NamedTuple):
    """What some requirements come to.

    mapping:  identifier -> the candidate that is chosen for it.
    children: identifier -> the identifiers of what its candidate requires.
    """

    mapping: Mapping[str, ResolverCandidate]
    children: Mapping[str, Iterable[str]]


class Provider(Protocol):
    """What the search asks; as resolvelib's provider, and of the same meaning."""

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[ResolverRequirement]],
        incompatibilities: Mapping[str, Iterator[ResolverCandidate]],
    ) -> Iterable[ResolverCandidate] | Callable[[], Iterator[ResolverCandidate]]:
        """The candidates for all *requirements*, the best first."""

    def is_satisfied_by(self, requirement: ResolverRequirement, candidate: ResolverCandidate) -> bool:
        """Whether *candidate* will do."""

    def get_dependencies(self, candidate: ResolverCandidate) -> Iterable[ResolverRequirement]:
        """What *candidate* requires, in pip's order."""

    def preference_of(self, requirement: ResolverRequirement) -> tuple[Any, ...]:
        """Its share in the order of its project: that has the least of each field; the least goes first."""


class _Open:
    """What is required of a project, each specifier once, and what comes of it."""

    def __init__(self) -> None:
        self.requirements: list[ResolverRequirement] = []
        self.specifiers: set[SpecifierSet] = set()
        self.preference: tuple[Any, ...] = ()
        self.first: ResolverCandidate | None = None

    def add(self, requirement: ResolverRequirement, share: tuple[Any, ...]) -> bool:
        """Whether this says anything that was not required before."""
        more = requirement.exactly is not None or requirement.elsewhere
        new = more or requirement.specifier not in self.specifiers
        if new:
            self.specifiers.add(requirement.specifier)
            self.requirements.append(requirement)
        self.preference = tuple(map(min, self.preference, share)) if self.preference else share
        return new


class _Search:
    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._open: dict[str, _Open] = {}
        self._queue: list[tuple[bool, tuple[Any, ...], str]] = []
        self.mapping: dict[str, ResolverCandidate] = {}
        self.children: dict[str, dict[str, None]] = {}

    def require(self, requirement: ResolverRequirement) -> bool:
        """Add it to what is required; whether that goes without changing what is chosen."""
        identifier = requirement.identifier
        state = self._open.setdefault(identifier, _Open())
        before = state.preference
        if identifier in self.mapping:
            # It counts for the extras that are still to be chosen.
            state.add(requirement, before)
            return self._provider.is_satisfied_by(requirement, self.mapping[identifier])
        if state.add(requirement, self._provider.preference_of(requirement)):
            state.first = self._first(identifier)
        if state.preference != before:
            heappush(self._queue, (identifier != PYTHON, state.preference, identifier))
        return state.first is not None

    def _first(self, identifier: str) -> ResolverCandidate | None:
        """The candidate to choose, by all that is required of it and, with extras, of the project itself."""
        project = identifier.partition("[")[0]
        together = {identifier, project}
        known = {each: iter(self._open[each].requirements) for each in together if each in self._open}
        found = self._provider.find_matches(identifier, known, {identifier: iter(())})
        return next(iter(found() if callable(found) else found), None)

    def next(self) -> str | None:
        """What is to be chosen first; None when all is."""
        while self._queue:
            _, preference, identifier = heappop(self._queue)
            if identifier not in self.mapping and preference == self._open[identifier].preference:
                return identifier
        return None

    def choose(self, identifier: str) -> bool:
        """Choose the first candidate; whether all that it requires fits what is chosen."""
        candidate = self._open[identifier].first
        assert candidate is not None
        required = [*self._provider.get_dependencies(candidate)]
        self.children[identifier] = dict.fromkeys(each.identifier for each in required)
        # A project may require itself, with an extra: that is asked of what is being chosen, too.
        if any(not self.require(each) for each in required):
            return False
        self.mapping[identifier] = candidate
        return self._open[identifier].first is candidate


def choose_first(provider: Provider, roots: Iterable[ResolverRequirement]) -> Solution | None:
    """The solution for *roots* if the first choice for each project will do; None: it takes a search."""
    search = _Search(provider)
    if not all(map(search.require, roots)):
        return None
    while (identifier := search.next()) is not None:
        if not search.choose(identifier):
            return None
    return Solution(search.mapping, search.children)
