"""What a project can be installed together with, of all that a host or others have: resolvelib's answers.

Imported only where a requirement rules out a version that the host has or is to get.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName

from wheelhouse_resolver.resolution.candidates import (
    PYTHON,
    CandidateFactory,
    ResolverCandidate,
    ResolverRequirement,
)
from wheelhouse_resolver.resolution.resolver import solve
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import Requirement
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.upkeep.order import reached

#: When to give up on one project, and on all: so many rounds of the search.
_ROUNDS, _ALL_ROUNDS = 300, 3_000


class Closure(NamedTuple):
    """What some projects, each by itself, come to with what they need.

    projects: whose it is.
    wheels:   of each project in it, the one that says what that version requires; where several share it, of
              those alone of which another version counts than elsewhere, and of what these need.
    below:    what each of them requires.
    unmet:    the requirements that cannot be met together; then it has no wheels.
    """

    projects: tuple[str, ...]
    wheels: Mapping[str, Candidate] = {}
    below: Mapping[str, Collection[str]] = {}
    unmet: tuple[str, ...] = ()

    def requires(
        self, elsewhere: Mapping[str, Collection[str]], key_of: Callable[[Candidate], str]
    ) -> Callable[[str], Iterable[str]]:
        """What says what each version requires, both by their keys; *elsewhere*: of projects not in it."""
        keys = {name: key_of(wheel) for name, wheel in self.wheels.items()}
        own = {keys[name]: self.below[name] for name in keys}
        return lambda key: [keys.get(each, each) for each in own.get(key, elsewhere.get(key, ()))]


class Solver:
    """Finds closures.

    choices: the wheels that may be of a project, those to be preferred first.
    best:    the version of a project to ask for; empty: it cannot be asked for.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        policy: Policy,
        choices: Callable[[NormalizedName], Sequence[Candidate]],
        best: Callable[[str], str],
    ) -> None:
        self._factory = _Factory(catalogue, policy, choices)
        self._best, self._left = best, _ALL_ROUNDS

    def closures(
        self,
        projects: Iterable[str],
        below: Mapping[str, Collection[str]],
        excluding: Mapping[str, Collection[str]],
        against: Callable[[Candidate], Collection[str]],
    ) -> list[Closure]:
        """Those of *projects* that need others than the best versions.

        below:     what each project requires in its best version.
        excluding: of which projects each rules out that version itself.
        against:   what cannot go with a wheel that is not of it.

        resolvelib is asked about these; about what needs them only if what they come to does not suit it.
        """
        above: dict[str, list[str]] = {}
        for name, required in below.items():
            for each in required:
                above.setdefault(each, []).append(name)
        found = {name: self._solved(name) for name in sorted(excluding)}
        causes: dict[str, list[str]] = {}
        unclear: set[str] = set()
        for name, closure in found.items():
            over = reached([name], lambda each: above.get(each, ()))
            for each in over:
                causes.setdefault(each, []).append(name)
            against_it = {each for wheel in closure.wheels.values() for each in against(wheel)}
            far = reached(against_it, lambda each: above.get(each, ())) if closure.wheels else over
            unclear |= over & far
        shared: dict[tuple[str, ...], list[str]] = {}
        answers = []
        for name in sorted(causes.keys() & set(projects)):
            if name in found or name in unclear:
                answers.append(found.get(name) or self._solved(name))
            else:
                shared.setdefault(tuple(causes[name]), []).append(name)
        for names, several in shared.items():
            merged = _merged([found[name] for name in names])
            answers += [self._solved(name) for name in several] if merged is None else []
            answers += [] if merged is None else [merged._replace(projects=tuple(several))]
        return answers

    def _solved(self, name: str) -> Closure:
        project, version = NormalizedName(name), self._best(name)
        if not version:
            return Closure((name,))
        asked = Requirement(f"{name}=={version}", project, SpecifierSet(f"=={version}"))
        self._factory.rounds = 0
        found = solve(self._factory, [asked], min(_ROUNDS, self._left))
        self._left -= self._factory.rounds
        if isinstance(found, list):
            return Closure((name,), unmet=tuple(found))
        wheels: dict[str, Candidate] = {}
        below: dict[str, set[str]] = {}
        for identifier, chosen in found.mapping.items():
            if chosen.wheel is not None:
                wheels[chosen.project] = chosen.wheel
                children = {each.partition("[")[0] for each in found.children[identifier]}
                below.setdefault(chosen.project, set()).update(children - {chosen.project, PYTHON})
        return Closure((name,), wheels, below)


def _merged(closures: Sequence[Closure]) -> Closure | None:
    """One of all *closures*; None if two of them have different versions of something."""
    wheels: dict[str, Candidate] = {}
    below: dict[str, set[str]] = {}
    for closure in sorted(closures, key=lambda each: -len(each.wheels)):
        if closure.projects[0] in wheels:
            continue  # with all that it needs
        for name, wheel in closure.wheels.items():
            if wheels.setdefault(name, wheel) is not wheel:
                return None
            below.setdefault(name, set()).update(closure.below[name])
    return Closure((), wheels, below)


def not_at_hand(
    closures: Iterable[Closure],
    at_hand: Callable[[Candidate], bool],
    excluding: Mapping[str, Collection[str]],
) -> dict[Candidate, set[str]]:
    """The wheels of *closures* that are not *at_hand*, each with what requires it.

    excluding: by project, those of which it needs another version than is at hand.
    """
    wanted: dict[Candidate, set[str]] = {}
    for closure in closures:
        for name, wheel in closure.wheels.items():
            if not at_hand(wheel):
                parents = {each for each, required in closure.below.items() if name in required}
                direct = {each for each in parents if name in excluding.get(each, ())}
                wanted.setdefault(wheel, set()).update(direct or parents)
    return wanted


class _Factory(CandidateFactory):
    """Candidates whatever the tags of their wheels, which are yet to be built."""

    def __init__(
        self, catalogue: Catalogue, policy: Policy, choices: Callable[[NormalizedName], Sequence[Candidate]]
    ) -> None:
        super().__init__(catalogue, policy)
        self.files = cache(lambda project: ([*choices(project)], []))

    rounds = 0

    def searched(self, rounds: int) -> None:
        """See `CandidateFactory`."""
        self.rounds = rounds

    def _requirements_of(self, candidate: ResolverCandidate) -> tuple[ResolverRequirement, ...]:
        """Those that anything here can meet: what nobody has comes from elsewhere, if at all."""
        found = super()._requirements_of(candidate)
        return tuple(each for each in found if each.project == PYTHON or each.exactly or self._can_meet(each))

    def _can_meet(self, requirement: ResolverRequirement) -> bool:
        specifier = self.policy.narrowed(requirement.specifier, requirement.project)
        wheels = self.policy.filter_versions(self.files(requirement.project)[0], specifier)
        return bool(wheels) and not requirement.elsewhere
