"""Resolving: which wheels of the search path some requirements come to, dependencies and all.

The search is resolvelib's, which is also pip's. So that both find the same set where there are several,
projects are worked on in pip's order (pip 26.3: "Dependency Resolution" and "More on Dependency Resolution"
in its documentation, and its behaviour, which tests hold this one to).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.specifiers import SpecifierSet
from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep, Resolver

from wheelhouse_resolver.errors import TooComplexError
from wheelhouse_resolver.resolution.candidates import (
    PYTHON,
    CandidateFactory,
    ResolverCandidate,
    ResolverRequirement,
    wanted,
)
from wheelhouse_resolver.resolution.conflict import Conflict, Fact, Seen, explain
from wheelhouse_resolver.selection.policy import Policy

if TYPE_CHECKING:
    from resolvelib.resolvers import Result
    from resolvelib.structs import RequirementInformation

    from wheelhouse_resolver.host.detect import Host
    from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile
    from wheelhouse_resolver.tree.candidate import Candidate
    from wheelhouse_resolver.tree.reader import Tree

__all__ = ["Locked", "Resolution", "resolve"]

#: When to give up (pip: 200,000 rounds).
_ROUNDS = 200_000

#: When to give up on making an explanation shorter; what then stays in it is true as well.
_ROUNDS_TO_EXPLAIN = 300

#: So often must a project stand in the way, unchosen, before it is worked on before others (pip: 5).
_OFTEN = 5

_Information = Mapping[str, "Iterator[RequirementInformation[ResolverRequirement, ResolverCandidate]]"]


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
        return {
            **self.candidate.to_dict(),
            "dependencies": list(self.dependencies),
            "extras": sorted({extra for each in self.extras for extra in each}),
        }


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
        return {
            "requirements": list(self.requirements),
            "packages": [each.to_dict() for each in self.packages],
            "conflict": self.conflict.to_dict() if self.conflict is not None else None,
            "warnings": list(self.warnings),
        }


class _Provider(AbstractProvider[ResolverRequirement, ResolverCandidate, str]):
    """Answers resolvelib's questions.

    in_force: the facts that count; None: all.
    asked:    identifier -> its place among the requirements that the user gave.
    seen:     every fact that came up, with the options that stated it.
    """

    def __init__(self, stock: CandidateFactory, in_force: Container[Fact] | None = None) -> None:
        self.asked: dict[str, int] = {}
        self.seen: dict[Fact, dict[ResolverCandidate, None]] = {}
        self._stock = stock
        self._in_force = in_force
        self._in_the_way: Counter[str] = Counter()
        self._constraints: dict[str, SpecifierSet] = {}

    def identify(self, requirement_or_candidate: ResolverRequirement | ResolverCandidate) -> str:
        return requirement_or_candidate.identifier

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[str],
        resolutions: Mapping[str, ResolverCandidate],
        candidates: Mapping[str, Iterator[ResolverCandidate]],  # noqa: ARG002 - resolvelib's names
        information: _Information,  # noqa: ARG002 - resolvelib's names
        backtrack_causes: Sequence[RequirementInformation[ResolverRequirement, ResolverCandidate]],
    ) -> Iterable[str]:
        """Python first, then what took part in the last conflict, then what often stood in the way."""
        causes: set[str] = set()
        for want, parent in backtrack_causes:
            for identifier in (want.identifier, *([parent.identifier] if parent is not None else [])):
                causes.add(identifier)
                if identifier not in resolutions:
                    self._in_the_way[identifier] += 1
        all_of_them = list(identifiers)
        if PYTHON in all_of_them:
            return [PYTHON]
        return (
            [each for each in all_of_them if each in causes]
            or [each for each in all_of_them if self._in_the_way[each] >= _OFTEN]
            or all_of_them
        )

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, ResolverCandidate],  # noqa: ARG002 - resolvelib's names
        candidates: Mapping[str, Iterator[ResolverCandidate]],  # noqa: ARG002 - resolvelib's names
        information: _Information,
        backtrack_causes: Sequence[RequirementInformation[ResolverRequirement, ResolverCandidate]],  # noqa: ARG002 - resolvelib's names
    ) -> tuple[bool, bool, bool, bool, float, bool, str]:
        """The key by which pip 26.3 orders what remains to be chosen; the least is worked on first."""
        wants = [each.requirement for each in information[identifier]]
        clauses = [
            (clause.operator, clause.version)
            for want in wants
            if want.identifier != PYTHON
            for clause in want.specifier
        ]
        pinned = any(operator in ("==", "===") and "*" not in version for operator, version in clauses)
        capped = any(
            operator in ("<", "<=", "~=") or (operator == "==" and "*" in version)
            for operator, version in clauses
        )
        return (
            self._in_the_way[identifier] < _OFTEN,
            not any(want.exactly for want in wants),  # one wheel alone will do
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
        wants = list(requirements[identifier])
        refused = set(incompatibilities[identifier])
        if identifier == PYTHON:
            python = self._stock.python
            fits = python not in refused and all(self.is_satisfied_by(want, python) for want in wants)
            return [python] if fits else []
        if any(want.elsewhere for want in wants):
            return []
        project, extras = _parts(identifier)
        # What is wanted of the project itself counts for its extras, too: fewer come into question.
        more = list(requirements.get(project, ())) if extras else []
        specifier = self._constraint(project)
        for want in (*wants, *more):
            specifier &= want.specifier
        exactly = {want.exactly for want in (*wants, *more) if want.exactly is not None}
        if exactly:
            return [
                option
                for option in (self._stock.with_extras(each, extras) for each in exactly)
                if option not in refused
                and self._constraint(project).contains(option.version, prereleases=True)
                and all(self.is_satisfied_by(want, option) for want in wants)
            ]
        options = self._stock.options
        return lambda: (each for each in options(project, specifier, extras) if each not in refused)

    def is_satisfied_by(self, requirement: ResolverRequirement, candidate: ResolverCandidate) -> bool:
        if requirement.exactly is not None:
            return candidate is requirement.exactly
        return not requirement.elsewhere and requirement.specifier.contains(
            candidate.version, prereleases=True
        )

    def get_dependencies(self, candidate: ResolverCandidate) -> Iterator[ResolverRequirement]:
        for want in self._stock.wants(candidate):
            if want.exactly is not None or self.counts(Fact.of(want, candidate), candidate):
                yield want

    def counts(self, fact: Fact, option: ResolverCandidate | None = None) -> bool:
        """Whether *fact* is in force; if so, it has been seen now, stated by *option*."""
        if self._in_force is not None and fact not in self._in_force:
            return False
        stating = self.seen.setdefault(fact, {})
        if option is not None:
            stating[option] = None
        return True

    def _constraint(self, project: str) -> SpecifierSet:
        if project not in self._constraints:
            together = SpecifierSet()
            for each in self._stock.shelf(project).constraints:
                if self.counts(Fact.of_constraint(each)):
                    together &= each.specifier
            self._constraints[project] = together
        return self._constraints[project]


def _parts(identifier: str) -> tuple[str, frozenset[str]]:
    project, bracket, extras = identifier.rstrip("]").partition("[")
    return project, frozenset(extras.split(",")) if bracket else frozenset()


class _Problem(NamedTuple):
    """Requirements to be met out of a stock."""

    stock: CandidateFactory
    requirements: tuple[Requirement, ...]

    def prefetch(self) -> None:
        """Read what will likely be needed."""
        self.stock.prefetch(
            [want for each in self.requirements for want in wanted(each.name, each.extras, each.specifier)]
        )

    def search(self, provider: _Provider, rounds: int) -> Result[ResolverRequirement, ResolverCandidate, str]:
        """The solution. Raises `ResolutionImpossible` and `ResolutionTooDeep`."""
        roots: list[ResolverRequirement] = []
        for place, each in enumerate(self.requirements):
            wants = list(wanted(each.name, each.extras, each.specifier))
            if provider.counts(Fact.asked(wants[0])):
                provider.asked.setdefault(wants[0].identifier, place)
                roots += wants
        # As pip does: those with extras come last, when fewer options are left for them.
        roots.sort(key=lambda want: want.identifier != want.project)
        return Resolver(provider, BaseReporter()).resolve(roots, max_rounds=rounds)

    def seen_when_failing(self, in_force: Container[Fact]) -> Seen | None:
        """What is seen when the facts *in_force* alone rule out a solution; None when they don't."""
        provider = _Provider(self.stock, in_force)
        try:
            self.search(provider, _ROUNDS_TO_EXPLAIN)
        except ResolutionTooDeep:
            return None
        except ResolutionImpossible:
            return provider.seen
        return None


def resolve(
    wheelhouse: Tree,
    files: RequirementsFile,
    host: Host,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Resolution:
    """The wheels in *host*'s search path that the requirements in *files* come to, or why there are none.

    The constraints in *files* and those of the site restrict what is chosen, and add nothing. *progress* is
    told how many wheels were read, of how many projects so far.

    Raises `InvalidRequirementError`, `TooComplexError`, and what `Wheelhouse` and `Policy` raise.
    """
    policy = Policy(wheelhouse.site, host, files)
    catalogue = wheelhouse.catalogue(wheelhouse.site.search_path(host).directories)
    stock = CandidateFactory(catalogue, policy, progress)
    asked: list[Requirement] = []
    ignored: list[str] = []
    for each in files.merge().requirements:
        if policy.marker_applies(each.marker):
            asked.append(each)
        else:
            ignored.append(f"ignored {each}: its marker does not hold for this Python")
    problem = _Problem(stock, tuple(asked))
    problem.prefetch()
    provider = _Provider(stock)
    texts = tuple(map(str, asked))
    try:
        result = problem.search(provider, _ROUNDS)
    except ResolutionTooDeep as error:
        raise TooComplexError(texts, _ROUNDS) from error
    except ResolutionImpossible as error:
        causes = [
            Fact.asked(want) if parent is None else Fact.of(want, parent)
            for want, parent in error.causes
            if want.exactly is None
        ]
        conflict = explain(stock, provider.seen, causes, problem.seen_when_failing)
        return Resolution(texts, conflict=conflict, warnings=(*ignored, *stock.warnings))
    warnings = (*ignored, *stock.warnings, *_missing_extras(result))
    return Resolution(texts, _packages(result), warnings=warnings)


def _missing_extras(result: Result[ResolverRequirement, ResolverCandidate, str]) -> Iterator[str]:
    """A line for each extra that what was chosen does not have; pip warns, too, and goes on."""
    for option in result.mapping.values():
        if option.candidate is not None:
            for extra in sorted(option.extras - option.provides):
                yield f"{option.candidate.filename} does not provide the extra {extra!r}"


def _packages(result: Result[ResolverRequirement, ResolverCandidate, str]) -> tuple[Locked, ...]:
    """The wheels of a *result*; what is chosen with extras is one with the project itself."""
    chosen: dict[str, list[ResolverCandidate]] = {}
    needed: dict[str, set[str]] = {}
    for identifier, option in result.mapping.items():
        chosen.setdefault(option.project, []).append(option)
        children = {_parts(child)[0] for child in result.graph.iter_children(identifier) if child}
        needed.setdefault(option.project, set()).update(children - {option.project, PYTHON})
    return tuple(
        Locked(
            options[0].candidate,
            tuple(sorted(needed[project])),
            tuple(sorted(tuple(sorted(each.extras)) for each in options if each.extras)),
        )
        for project, options in sorted(chosen.items())
        if options[0].candidate is not None
    )
