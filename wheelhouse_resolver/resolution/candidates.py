"""What a host's search path offers to the resolver: candidates, and what each of them requires.

The rules are pip's (read from pip 26.3, and held against it by tests): of each version only the best build is
a candidate, and what its METADATA must be is `selection.builds`' to say. Only where pip would choose a file
and fail, it is left out: what is locked can be installed. Every wheel is read once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

from packaging.requirements import Requirement as ParsedRequirement
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.host.target_python import python_version
from wheelhouse_resolver.selection.builds import examine, is_foreign, requires_python
from wheelhouse_resolver.selection.policy import Policy, builds_by_version, split_by_links
from wheelhouse_resolver.tree.candidate import Candidate, Installable, SourceArchive, TreeFile
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata, cached_metadata_of_many

#: The name of the target Python among the projects; no project can be called so.
PYTHON = NormalizedName("<Python>")

_NO_EXTRAS: frozenset[str] = frozenset()


#: Why a source archive is no candidate; pip would build it to learn what it requires.
_SOURCE = "a source archive, which pip would build: a lock has wheels alone"

#: Gets how many wheels were read, of how many projects so far, and how many rounds the search has had.
Progress: TypeAlias = Callable[[int, int, int], object]

#: So many rounds of the search pass between two reports.
_ROUNDS_TO_REPORT = 100


def _identifier(project: str, extras: frozenset[str]) -> str:
    return f"{project}[{','.join(sorted(extras))}]" if extras else project


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class ResolverCandidate:
    """Something that the resolver may choose: a wheel, a wheel with extras, or the target Python.

    Two are equal only if they are the same object; a `CandidateFactory` makes each only once.

    project:  the name without the extras, which are normalised.
    version:  of the wheel, or of Python, which has no *wheel*.
    requires: what METADATA lists as Requires-Dist.
    provides: the extras that METADATA lists, normalised.
    python:   its Requires-Python.
    """

    project: NormalizedName
    version: Version
    wheel: Candidate | None = None
    extras: frozenset[str] = _NO_EXTRAS
    requires: tuple[ParsedRequirement, ...] = ()
    provides: frozenset[str] = frozenset()
    python: SpecifierSet | None = None

    @property
    def identifier(self) -> str:
        """`name`, `name[extra,...]` or `PYTHON`: the resolver chooses one candidate for each identifier."""
        return _identifier(self.project, self.extras)


class ResolverRequirement(NamedTuple):
    """What a requirement means to the resolver.

    project:   the name of what is required, without the extras, which are normalised.
    specifier: the versions that will do.
    text:      the requirement as text: `numpy<2`, `Python >=3.9`.
    exactly:   the only candidate that will do: what an extra demands of the project itself.
    elsewhere: whether it names a file by URL, so that nothing here will do.
    """

    project: NormalizedName
    extras: frozenset[str]
    specifier: SpecifierSet
    text: str
    exactly: ResolverCandidate | None = None
    elsewhere: bool = False

    @property
    def identifier(self) -> str:
        """What is required: `name`, `name[extra,...]` or `PYTHON`."""
        return _identifier(self.project, self.extras)


def requirements_from(
    name: str, extras: Iterable[str], specifier: SpecifierSet, url: str | None = None
) -> Iterator[ResolverRequirement]:
    """What one requirement comes to for the resolver: with extras *and* a specifier two, as in pip.

    The first of them then requires the project itself, so that fewer candidates come into question.
    """
    project = canonicalize_name(name)
    normalised = frozenset(map(canonicalize_name, extras))
    label = _identifier(project, normalised)
    if url is not None:
        yield ResolverRequirement(project, _NO_EXTRAS, specifier, f"{label} @ {redact(url)}", elsewhere=True)
        return
    if normalised and specifier:
        yield ResolverRequirement(project, _NO_EXTRAS, specifier, f"{label}{specifier}")
    yield ResolverRequirement(project, normalised, specifier, f"{label}{specifier}")


class CandidateFactory:
    """The candidates that *catalogue* holds under *policy*, each made once, when it is asked for.

    broken:   path -> why that wheel cannot be used, of those that were read.
    warnings: one line each, about wheels that were left out or have invalid metadata.
    """

    def __init__(self, catalogue: Catalogue, policy: Policy, progress: Progress | None = None) -> None:
        self.catalogue, self.policy, self._progress = catalogue, policy, progress
        self._rounds = 0
        self.python = ResolverCandidate(project=PYTHON, version=python_version(policy.target))
        self.broken: dict[str, str] = {}
        self.warnings: dict[str, None] = {}
        self._metadata: dict[str, CoreMetadata] = {}
        self._made: dict[str, ResolverCandidate | None] = {}
        self._foreign: set[str] = set()
        self._parse = cache(ParsedRequirement)
        self.files = cache(self._files)
        self.constraints_on = cache(policy.constraints_on)
        self.with_extras = cache(self._with_extras)
        self.requirements_of = cache(self._requirements_of)
        self._versions = cache(self._allowed_versions)

    def _files(self, project: NormalizedName) -> tuple[list[Installable], list[TreeFile]]:
        """The files of *project* that pip may choose, newest and best first, and the others."""
        fit, unfit = self.policy.sort_candidates(self.catalogue.files(project))
        if links := self.policy.links_of(project):
            named, others = split_by_links(fit, links)
            return named, [*others, *unfit]
        return fit, unfit

    def candidates(
        self, project: NormalizedName, specifier: SpecifierSet, extras: frozenset[str]
    ) -> Iterator[ResolverCandidate]:
        """Those for *project* with *extras* that *specifier* lets pass: one a version, newest first.

        Wheels are read as the iteration comes to them.
        """
        for builds in self._versions(project, specifier):
            candidate = self.candidate_of(builds)
            if candidate is not None:
                yield self.with_extras(candidate, extras)

    def _allowed_versions(self, project: NormalizedName, specifier: SpecifierSet) -> list[list[Installable]]:
        return builds_by_version(self.policy.filter_versions(self.files(project)[0], specifier))

    def _with_extras(self, candidate: ResolverCandidate, extras: frozenset[str]) -> ResolverCandidate:
        """*candidate*, which is without extras, with *extras*."""
        return dataclasses.replace(candidate, extras=extras) if extras and candidate.wheel else candidate

    def prefetch(self, requirements: Iterable[ResolverRequirement]) -> None:
        """Read the wheels that *requirements* come to if the first of each will do, each generation at once.

        The search would read them one after the other, which takes long where every look at a file does.
        """
        passed: set[str] = {PYTHON}
        while requirements := [
            each
            for each in requirements
            if each.exactly is None and not each.elsewhere and each.identifier not in passed
        ]:
            likely: dict[str, tuple[list[Installable], frozenset[str]]] = {}
            for each in requirements:
                specifier = self.policy.narrowed(each.specifier, each.project)
                for builds in self._versions(each.project, specifier)[:1]:
                    likely.setdefault(each.identifier, (builds, each.extras))
            passed.update(each.identifier for each in requirements)
            firsts = (builds[0] for builds, _ in likely.values())
            paths = dict.fromkeys(each.path for each in firsts if isinstance(each, Candidate))
            self._metadata.update(
                cached_metadata_of_many(path for path in paths if path not in self._metadata)
            )
            made = [(self.candidate_of(builds), extras) for builds, extras in likely.values()]
            requirements = [
                requirement
                for candidate, extras in made
                if candidate is not None
                for requirement in self.requirements_of(self.with_extras(candidate, extras))
            ]

    def _requirements_of(self, candidate: ResolverCandidate) -> tuple[ResolverRequirement, ...]:
        """What *candidate* requires, in pip's order: Python first; with extras, the very same wheel first."""
        if candidate.wheel is None:
            return ()
        found: list[ResolverRequirement] = []
        if candidate.extras:
            base, text = self._made[candidate.wheel.path], f"{candidate.project}=={candidate.version}"
            found = [ResolverRequirement(candidate.project, _NO_EXTRAS, SpecifierSet(), text, exactly=base)]
        elif candidate.python:
            text = f"Python {candidate.python}"
            found = [ResolverRequirement(PYTHON, _NO_EXTRAS, candidate.python, text)]
        for each in candidate.requires if self.policy.dependencies else ():
            if self._applies(each, candidate.extras & candidate.provides, candidate.wheel):
                found += requirements_from(each.name, each.extras, each.specifier, each.url)
        return tuple(found)

    def _applies(self, requirement: ParsedRequirement, extras: frozenset[str], wheel: Candidate) -> bool:
        try:
            return self.policy.marker_applies(requirement.marker, extras)
        except ValueError as error:  # a comparison that has no meaning
            self._warn(f"{wheel.path}: the marker of {redact(str(requirement))} cannot be evaluated: {error}")
            return True

    def candidate_of(self, builds: Sequence[Installable]) -> ResolverCandidate | None:
        """The candidate that one version is: its best build; None if that cannot be used (see `broken`)."""
        for wheel in builds:
            if isinstance(wheel, SourceArchive):
                self._leave_out(wheel.path, _SOURCE)
                return None
            if wheel.path not in self._made:
                self._made[wheel.path] = self._make(wheel)
            if wheel.path not in self._foreign:
                return self._made[wheel.path]
        return None

    def _make(self, wheel: Candidate) -> ResolverCandidate | None:
        self._report(len(self._made) + 1)
        metadata, flaw = examine(wheel, self._metadata.get(wheel.path))
        if flaw is None:
            return self._parsed(wheel, metadata)
        if is_foreign(flaw):
            self._foreign.add(wheel.path)
        self._leave_out(wheel.path, str(flaw))
        return None

    def searched(self, rounds: int) -> None:
        """Report that the search has had so many *rounds*."""
        self._rounds = rounds
        if rounds and rounds % _ROUNDS_TO_REPORT == 0:
            self._report(len(self._made))

    def _report(self, number: int) -> None:
        if self._progress is not None:
            self._progress(number, max(self.files.cache_info().currsize, number), self._rounds)

    def _leave_out(self, path: str, problem: str) -> None:
        self.broken[path] = problem
        self._warn(f"left out {path}: {problem}")

    def _parsed(self, wheel: Candidate, metadata: CoreMetadata) -> ResolverCandidate:
        return ResolverCandidate(
            project=wheel.name,
            version=wheel.version,
            wheel=wheel,
            requires=tuple(map(self._parse, metadata.requires_dist)),
            provides=frozenset(map(canonicalize_name, metadata.provides_extra)),
            python=None if self.policy.any_python else requires_python(wheel, metadata, self._warn),
        )

    def _warn(self, warning: str) -> None:
        self.warnings[warning] = None
