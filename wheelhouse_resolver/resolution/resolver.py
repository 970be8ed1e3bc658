"""Resolving: which wheels of the search path some requirements come to, dependencies and all.

The search is resolvelib's, which is also pip's. So that both find the same set where there are several,
projects are worked on in pip's order (pip 26.3: "Dependency Resolution" and "More on Dependency Resolution"
in its documentation, and its behaviour, which tests hold this one to).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, groupby
from typing import Any, NamedTuple, TypeAlias

from packaging.specifiers import Specifier, SpecifierSet
from packaging.utils import NormalizedName
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep
from resolvelib.resolvers import Resolution as Search
from resolvelib.structs import RequirementInformation

from wheelhouse_resolver.errors import DirectRequirementsError, TooComplexError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.resolution.candidates import (
    PYTHON,
    CandidateFactory,
    Progress,
    ResolverCandidate,
    ResolverRequirement,
    requirements_from,
)
from wheelhouse_resolver.resolution.conflict import Conflict, Fact, Seen, explain
from wheelhouse_resolver.resolution.first_choices import Solution, choose_first
from wheelhouse_resolver.selection.pick import missing_extras
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.serialise import to_plain

#: When to give up (pip: 200,000 rounds).
_ROUNDS = 200_000

#: When to give up on making an explanation shorter; what then stays in it is true as well.
_ROUNDS_TO_EXPLAIN = 300

#: How many of the requirements that conflict are named when the search gives up.
_TO_NAME = 5

#: So often must a project be in the way, unchosen, before it is worked on before others (pip: 5).
_OFTEN = 5

_Information = Mapping[str, "Iterator[RequirementInformation[ResolverRequirement, ResolverCandidate]]"]

#: How resolvelib is to order what remains to be chosen.
_Preference: TypeAlias = tuple[Any, ...]


class Locked(NamedTuple):
    """A wheel that was chosen.

    candidate:    the wheel.
    dependencies: the projects among those chosen that it needs, sorted; for its extras, too.
    extras:       each set of extras that it was chosen with, sorted.
    """

    candidate: Candidate
    dependencies: tuple[str, ...] = ()
    extras: tuple[tuple[str, ...], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what the candidate says, the dependencies, and all extras."""
        extras = set(chain.from_iterable(self.extras))
        return {**self.candidate.to_dict(), **to_plain(self, "dependencies"), "extras": sorted(extras)}


class Resolution(NamedTuple):
    """The answer to some requirements.

    requirements: those that concern the host, as they were given.
    packages:     the wheels that they come to, by name; none when there is a conflict.
    conflict:     why there is no solution; None when there is one.
    warnings:     one line each.
    """

    requirements: tuple[str, ...]
    packages: tuple[Locked, ...] = ()
    conflict: Conflict | None = None
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**to_plain(self)}


class _Provider(AbstractProvider[ResolverRequirement, ResolverCandidate, str]):
    """Answers resolvelib's questions.

    in_force: the facts that count; None: all.
    asked:    identifier -> its place among the requirements that the user gave.
    seen:     every fact that came up, with the candidates that stated it.
    """

    def __init__(self, factory: CandidateFactory, in_force: Container[Fact] | None = None) -> None:
        self.asked: dict[str, int] = {}
        self.seen: dict[Fact, dict[ResolverCandidate, None]] = {}
        self._factory = factory
        self._in_force = in_force
        self._causes: Sequence[RequirementInformation[ResolverRequirement, ResolverCandidate]] = ()
        self._in_the_way: Counter[str] = Counter()
        self._conflicting: Counter[str] = Counter()
        self._constraint = cache(self._constraint_on)
        self._preferences: dict[Any, tuple[Sequence[ResolverRequirement], _Preference]] = {}
        self._satisfied: dict[Any, tuple[ResolverRequirement, ResolverCandidate, bool]] = {}

    def conflicting(self) -> str | None:
        """What took part in conflicts most often; None without any."""
        return ", ".join(text for text, _ in self._conflicting.most_common(_TO_NAME)) or None

    def identify(self, requirement_or_candidate: ResolverRequirement | ResolverCandidate) -> str:
        return requirement_or_candidate.identifier

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[str],
        resolutions: Mapping[str, ResolverCandidate],
        candidates: Mapping[str, Iterator[ResolverCandidate]],  # noqa: ARG002 - resolvelib's names
        information: _Information,
        backtrack_causes: Sequence[RequirementInformation[ResolverRequirement, ResolverCandidate]],
    ) -> Iterable[str]:
        """Python first, then what took part in the last conflict, then what was often in the way.

        Of these the one that is preferred: resolvelib would ask for all preferences anew in every round.
        """
        causes = [
            each.identifier
            for requirement, parent in backtrack_causes
            for each in (requirement, parent)
            if each is not None
        ]
        self._in_the_way.update(each for each in causes if each not in resolutions)
        if backtrack_causes is not self._causes:  # the same until the next conflict
            self._causes = backtrack_causes
            self._conflicting.update({_demand(each) for each in backtrack_causes})
        all_of_them = list(identifiers)
        if PYTHON in all_of_them:
            return [PYTHON]
        narrowed = (
            [each for each in all_of_them if each in causes]
            or [each for each in all_of_them if self._in_the_way[each] >= _OFTEN]
            or all_of_them
        )
        return [min(narrowed, key=lambda each: self._preference(each, information))]

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, ResolverCandidate],  # noqa: ARG002 - resolvelib's names
        candidates: Mapping[str, Iterator[ResolverCandidate]],  # noqa: ARG002 - resolvelib's names
        information: _Information,
        backtrack_causes: Sequence[RequirementInformation[ResolverRequirement, ResolverCandidate]],  # noqa: ARG002 - resolvelib's names
    ) -> _Preference:
        return self._preference(identifier, information)

    def _preference(self, identifier: str, information: _Information) -> _Preference:
        """The key by which pip 26.3 orders what remains to be chosen; the least is worked on first."""
        requirements = [each.requirement for each in information[identifier]]
        key = (identifier, *map(id, requirements))
        if key not in self._preferences:  # it keeps them, so that no other gets their ids
            # Nothing may be required of it any more, when a search has gone back.
            none = self._share(identifier, free=True)
            shares = zip(none, *map(self.preference_of, requirements), strict=True)
            self._preferences[key] = (requirements, tuple(map(min, shares)))
        return self._in_the_way[identifier] < _OFTEN, *self._preferences[key][1]

    def preference_of(self, requirement: ResolverRequirement) -> _Preference:
        """See `first_choices.Provider`."""
        identifier = requirement.identifier
        specifier = () if identifier == PYTHON else requirement.specifier
        return self._share(identifier, specifier, free=requirement.exactly is None)

    def _share(self, identifier: str, specifier: Iterable[Specifier] = (), *, free: bool) -> _Preference:
        """What a *specifier* says of the order; not *free*: one wheel alone will do."""
        clauses = [(clause.operator, "*" in clause.version) for clause in specifier]
        pinned = any(operator in ("==", "===") and not prefix for operator, prefix in clauses)
        capped = any(
            operator in ("<", "<=", "~=") or (operator == "==" and prefix) for operator, prefix in clauses
        )
        return (
            free,
            not pinned,
            not capped,  # rules out what cannot be before it is tried
            self.asked.get(identifier, float("inf")),  # as the user has ordered them
            not clauses,
            identifier,  # so that the answer is always the same
        )

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[ResolverRequirement]],
        incompatibilities: Mapping[str, Iterator[ResolverCandidate]],
    ) -> Iterable[ResolverCandidate] | Callable[[], Iterator[ResolverCandidate]]:
        own = list(requirements[identifier])
        refused = set(incompatibilities[identifier])
        if any(each.elsewhere for each in own):
            return []
        project, extras = _parts(identifier)
        # What is required of the project itself counts for its extras, too: fewer come into question.
        all_of_them = [*own, *(requirements.get(project, ()) if extras else ())]
        specifier = self._constraint(project)
        for each in all_of_them:
            specifier &= each.specifier
        exactly = {each.exactly for each in all_of_them if each.exactly is not None}
        if identifier == PYTHON:
            exactly = {self._factory.python}
        if exactly:
            return [
                candidate
                for candidate in (self._factory.with_extras(each, extras) for each in exactly)
                if candidate not in refused
                and self._constraint(project).contains(candidate.version, prereleases=True)
                and all(self.is_satisfied_by(each, candidate) for each in own)
            ]
        candidates = self._factory.candidates
        return lambda: (each for each in candidates(project, specifier, extras) if each not in refused)

    def is_satisfied_by(self, requirement: ResolverRequirement, candidate: ResolverCandidate) -> bool:
        if requirement.exactly is not None:
            return candidate is requirement.exactly
        key = (id(requirement), id(candidate))
        if key not in self._satisfied:  # it keeps them, so that no others get their ids
            allowed = requirement.specifier.contains(candidate.version, prereleases=True)
            self._satisfied[key] = (requirement, candidate, allowed and not requirement.elsewhere)
        return self._satisfied[key][2]

    def get_dependencies(self, candidate: ResolverCandidate) -> Iterator[ResolverRequirement]:
        for each in self._factory.requirements_of(candidate):
            if each.exactly is not None or self.counts(Fact.of(each, candidate), candidate):
                yield each

    def counts(self, fact: Fact, candidate: ResolverCandidate | None = None) -> bool:
        """Whether *fact* is in force; if so, it has been seen now, stated by *candidate*."""
        if self._in_force is not None and fact not in self._in_force:
            return False
        stating = self.seen.setdefault(fact, {})
        if candidate is not None:
            stating[candidate] = None
        return True

    def _constraint_on(self, project: str) -> SpecifierSet:
        together = SpecifierSet()
        for each in self._factory.constraints_on(project):
            if self.counts(Fact.of_constraint(each)):
                together &= each.specifier
        return together


def _parts(identifier: str) -> tuple[NormalizedName, frozenset[str]]:
    project, bracket, extras = identifier.rstrip("]").partition("[")
    return NormalizedName(project), frozenset(extras.split(",")) if bracket else frozenset()


def _demand(cause: RequirementInformation[ResolverRequirement, ResolverCandidate]) -> str:
    return cause.requirement.text + (f" (of {cause.parent.identifier})" if cause.parent is not None else "")


class _Reporter(BaseReporter[ResolverRequirement, ResolverCandidate, str]):
    """Tells a factory how far the search is."""

    def __init__(self, factory: CandidateFactory) -> None:
        self._factory = factory

    def starting_round(self, index: int) -> None:
        """See `BaseReporter.starting_round`."""
        self._factory.searched(index)


class _Problem:
    """Requirements to be met by the candidates of a factory."""

    def __init__(self, factory: CandidateFactory, requirements: Sequence[Requirement]) -> None:
        self._factory = factory
        self._roots = [[*requirements_from(each.name, each.extras, each.specifier)] for each in requirements]
        factory.prefetch(chain.from_iterable(self._roots))

    def search(self, provider: _Provider, rounds: int) -> Solution:
        """The solution. Raises `ResolutionImpossible` and `ResolutionTooDeep`."""
        roots: list[ResolverRequirement] = []
        for place, several in enumerate(self._roots):
            if provider.counts(Fact.asked(several[0])):
                provider.asked.setdefault(several[0].identifier, place)
                roots += several
        # As pip does: those with extras come last, when fewer candidates are left for them.
        roots.sort(key=lambda each: bool(each.extras))
        if found := choose_first(provider, roots):
            return found
        state = Search(provider, _Reporter(self._factory)).resolve(roots, max_rounds=rounds)
        # Not resolvelib's `Resolver`, whose last walk never ends on a cycle left behind (1.2.1).
        required: list[str] = []
        children: dict[str, list[str]] = {each: [] for each in state.mapping}
        for identifier, criterion in state.criteria.items():
            for parent in criterion.iter_parent():
                if parent is None:
                    required.append(identifier)
                elif state.mapping.get(parent.identifier) is parent:
                    children[parent.identifier].append(identifier)
        connected: set[str] = set()
        while required:
            if (identifier := required.pop()) not in connected:
                connected.add(identifier)
                required += children[identifier]
        mapping = {each: chosen for each, chosen in state.mapping.items() if each in connected}
        return Solution(mapping, children)

    def seen_when_failing(self, in_force: Container[Fact]) -> Seen | None:
        """What is seen when the facts *in_force* alone rule out a solution; None when they don't."""
        provider = _Provider(self._factory, in_force)
        try:
            self.search(provider, _ROUNDS_TO_EXPLAIN)
        except ResolutionTooDeep:
            return None
        except ResolutionImpossible:
            return provider.seen
        return None


def resolve(
    wheelhouse: Tree, files: RequirementsFile, host: Host, *, progress: Progress | None = None
) -> Resolution:
    """The wheels in *host*'s search path that the requirements in *files* come to, or why there are none.

    The constraints in *files* and those of the site restrict what is chosen, and add nothing.

    Raises `DirectRequirementsError`, `InvalidRequirementError`, `TooComplexError`, and what `Wheelhouse` and
    `Policy` raise.
    """
    policy = Policy.of(wheelhouse.site, host, files)
    elsewhere, ignored_direct = policy.split_by_marker(files.direct)
    if elsewhere:
        raise DirectRequirementsError([each.stated for each in elsewhere])
    catalogue = wheelhouse.catalogue(wheelhouse.site.search_path(host).directories)
    factory = CandidateFactory(catalogue, policy, progress)
    asked, ignored = policy.split_by_marker(files.merge(RequirementsFile(policy.required)).requirements)
    ignored += ignored_direct
    if not policy.dependencies:
        ignored = (*ignored, "the site's [pip] table says no-deps: what these need is left out")
    problem = _Problem(factory, asked)
    provider = _Provider(factory)
    texts = tuple(dict.fromkeys(map(str, asked)))
    try:
        result = problem.search(provider, _ROUNDS)
    except ResolutionTooDeep as error:
        raise TooComplexError(texts, _ROUNDS, provider.conflicting()) from error
    except ResolutionImpossible as error:
        causes = [
            Fact.asked(requirement) if parent is None else Fact.of(requirement, parent)
            for requirement, parent in error.causes
            if requirement.exactly is None
        ]
        conflict = explain(factory, provider.seen, causes, problem.seen_when_failing)
        return Resolution(texts, conflict=conflict, warnings=(*policy.warnings, *ignored, *factory.warnings))
    chosen = [(each.wheel, each) for each in result.mapping.values() if each.wheel is not None]
    missing = chain.from_iterable(missing_extras(wheel, each.extras, each.provides) for wheel, each in chosen)
    warnings = (*policy.warnings, *ignored, *factory.warnings, *missing)
    return Resolution(texts, _packages(chosen, result.children), warnings=warnings)


def solve(factory: CandidateFactory, asked: Sequence[Requirement], rounds: int) -> Solution | list[str]:
    """What *asked* comes to of the candidates of *factory*; if nothing, what is in conflict."""
    problem, provider = _Problem(factory, asked), _Provider(factory)
    try:
        return problem.search(provider, rounds)
    except ResolutionTooDeep:
        return [provider.conflicting() or "the search was given up"]
    except ResolutionImpossible as error:
        return sorted({_demand(each) for each in error.causes if each.requirement.exactly is None})


def _packages(
    chosen: Iterable[tuple[Candidate, ResolverCandidate]], children: Mapping[str, Iterable[str]]
) -> tuple[Locked, ...]:
    """The wheels that were *chosen*; what is chosen with extras is one with the project itself."""
    found = []
    for wheel, same in groupby(sorted(chosen, key=lambda each: each[0].name), key=lambda each: each[0]):
        several = [each for _, each in same]
        needs = chain.from_iterable(children[each.identifier] for each in several)
        needed = {_parts(child)[0] for child in needs} - {wheel.name, PYTHON}
        extras = sorted(tuple(sorted(each.extras)) for each in several if each.extras)
        found.append(Locked(wheel, tuple(sorted(needed)), tuple(extras)))
    return tuple(found)
