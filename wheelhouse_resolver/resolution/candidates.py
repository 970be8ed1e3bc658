"""What a host's search path offers to the resolver: options, and what each of them wants.

The rules are pip's (read from pip 26.3, and held against it by tests): of each version only the best build is
an option; a version whose METADATA is broken is none; a wheel whose METADATA names another project or version
than its file name does not count. Every wheel is read once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as ParsedRequirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.host.target_python import python_version
from wheelhouse_resolver.selection.policy import builds_by_version
from wheelhouse_resolver.wheelfile.metadata_cache import (
    CoreMetadata,
    cached_metadata,
    cached_metadata_of_many,
)

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from wheelhouse_resolver.selection.policy import Policy
    from wheelhouse_resolver.selection.requirements import Requirement
    from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
    from wheelhouse_resolver.tree.catalogue import Catalogue

__all__ = [
    "PYTHON",
    "CandidateFactory",
    "ProjectCandidates",
    "ResolverCandidate",
    "ResolverRequirement",
    "wanted",
]

#: What stands for the target Python among the projects; no project can be called so.
PYTHON = "<Python>"


_NO_EXTRAS: frozenset[str] = frozenset()


class ResolverCandidate:
    """Something that the resolver may choose: a wheel, a wheel with extras, or the target Python.

    Two options are equal only if they are the same object; a `CandidateFactory` makes each only once.

    identifier: `name`, `name[extra,...]` or `PYTHON`: the resolver chooses one option for each identifier.
    project:    the name without the extras.
    extras:     normalised.
    version:    of the wheel, or of Python.
    candidate:  the wheel; None for Python.
    requires:   what METADATA lists as Requires-Dist.
    provides:   the extras that METADATA lists, normalised.
    python:     its Requires-Python.
    """

    __slots__ = ("candidate", "extras", "identifier", "project", "provides", "python", "requires", "version")

    def __init__(
        self,
        project: str,
        version: Version,
        candidate: Candidate | None = None,
        *,
        extras: frozenset[str] = _NO_EXTRAS,
        requires: tuple[ParsedRequirement, ...] = (),
        provides: frozenset[str] = frozenset(),
        python: SpecifierSet | None = None,
    ) -> None:
        self.identifier = _identifier(project, extras)
        self.project = project
        self.extras = extras
        self.version = version
        self.candidate = candidate
        self.requires = requires
        self.provides = provides
        self.python = python

    def __repr__(self) -> str:
        return f"ResolverCandidate({self.identifier!r}, {str(self.version)!r})"


class ResolverRequirement(NamedTuple):
    """What a requirement means to the resolver.

    project:    the name of what is wanted, without the extras.
    extras:     normalised.
    specifier:  the versions that will do.
    text:       the requirement in words: `numpy<2`, `Python >=3.9`.
    exactly:    the only option that will do: what an extra demands of the project itself.
    elsewhere:  whether it names a file by URL, so that nothing here will do.
    """

    project: str
    extras: frozenset[str]
    specifier: SpecifierSet
    text: str
    exactly: ResolverCandidate | None = None
    elsewhere: bool = False

    @property
    def identifier(self) -> str:
        """What is wanted: `name`, `name[extra,...]` or `PYTHON`."""
        return _identifier(self.project, self.extras)


class ProjectCandidates(NamedTuple):
    """The files of one project.

    versions:    the builds of each version that the target Python can install, newest and best first.
    constraints: those that concern it.
    unfit:       the files that it cannot install.
    refused:     whether the site lets pip take none of its wheels (`no-binary`).
    """

    versions: tuple[tuple[Candidate, ...], ...]
    constraints: tuple[Requirement, ...]
    unfit: tuple[Candidate | InvalidFilename, ...]
    refused: bool = False


def _identifier(project: str, extras: frozenset[str]) -> str:
    return f"{project}[{','.join(sorted(extras))}]" if extras else project


def wanted(
    name: str, extras: Iterable[str], specifier: SpecifierSet, url: str | None = None
) -> Iterator[ResolverRequirement]:
    """The wants that a requirement comes to: with extras *and* a specifier two, as in pip.

    The first of them then wants the project itself, so that fewer options come into question.
    """
    project = canonicalize_name(name)
    normalised = frozenset(map(canonicalize_name, extras))
    told = _identifier(project, normalised)
    if url is not None:
        yield ResolverRequirement(project, _NO_EXTRAS, specifier, f"{told} @ {url}", elsewhere=True)
        return
    text = f"{told}{specifier}"
    if normalised and specifier:
        yield ResolverRequirement(project, _NO_EXTRAS, specifier, text)
    yield ResolverRequirement(project, normalised, specifier, text)


class CandidateFactory:
    """The options that *catalogue* holds under *policy*, made when they are asked for.

    broken: path -> why that wheel cannot be used, of those that were read.

    *progress* is told how many wheels were read, of how many projects so far.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        policy: Policy,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.policy = policy
        self.python = ResolverCandidate(PYTHON, python_version(policy.target))
        self.broken: dict[str, str] = {}
        self._progress = progress
        self._warnings: dict[str, None] = {}
        self._shelves: dict[str, ProjectCandidates] = {}
        self._allowed: dict[tuple[str, SpecifierSet], list[tuple[Candidate, ...]]] = {}
        self._options: dict[str, ResolverCandidate | None] = {}
        self._foreign: set[str] = set()
        self._with_extras: dict[tuple[str, frozenset[str]], ResolverCandidate] = {}
        self._wants: dict[ResolverCandidate, tuple[ResolverRequirement, ...]] = {}
        self._needs: dict[str, CoreMetadata] = {}
        self._parsed: dict[str, ParsedRequirement] = {}

    @property
    def warnings(self) -> list[str]:
        """One line each, about wheels that were left out or say what makes no sense."""
        return list(self._warnings)

    def shelf(self, project: str) -> ProjectCandidates:
        """The files of the project of that normalised name."""
        if project not in self._shelves:
            name: NormalizedName = canonicalize_name(project)
            refused = not self.policy.allows_binary(name)
            fit, unfit = self.policy.sort_candidates(self.catalogue.files(name))
            self._shelves[project] = ProjectCandidates(
                versions=() if refused else tuple(map(tuple, builds_by_version(fit))),
                constraints=tuple(self.policy.constraints_on(name)),
                unfit=tuple([*fit, *unfit] if refused else unfit),
                refused=refused,
            )
        return self._shelves[project]

    def options(
        self, project: str, specifier: SpecifierSet, extras: frozenset[str]
    ) -> Iterator[ResolverCandidate]:
        """The options for *project* with *extras* that *specifier* lets pass: one a version, newest first.

        Wheels are read as the iteration comes to them.
        """
        for builds in self._versions(project, specifier):
            option = self.option(builds)
            if option is not None:
                yield self.with_extras(option, extras)

    def _versions(self, project: str, specifier: SpecifierSet) -> list[tuple[Candidate, ...]]:
        key = (project, specifier)
        if key not in self._allowed:
            versions = self.shelf(project).versions
            candidates = [each for builds in versions for each in builds]
            allowed = self.policy.filter_versions(candidates, specifier)
            self._allowed[key] = list(map(tuple, builds_by_version(allowed)))
        return self._allowed[key]

    def with_extras(self, option: ResolverCandidate, extras: frozenset[str]) -> ResolverCandidate:
        """*option*, which is without extras, with *extras*."""
        if not extras or option.candidate is None:
            return option
        key = (option.candidate.path, extras)
        if key not in self._with_extras:
            self._with_extras[key] = ResolverCandidate(
                option.project,
                option.version,
                option.candidate,
                extras=extras,
                requires=option.requires,
                provides=option.provides,
                python=option.python,
            )
        return self._with_extras[key]

    def prefetch(self, wants: Iterable[ResolverRequirement]) -> None:
        """Read the wheels that *wants* come to if the first of each will do, each generation at once.

        The search would read them one after the other, which takes long where every look at a file does.
        """
        passed: set[str] = set()
        while wants := [want for want in wants if _is_open(want) and want.identifier not in passed]:
            likely: dict[str, tuple[tuple[Candidate, ...], frozenset[str]]] = {}
            for want in wants:
                specifier = want.specifier
                for constraint in self.shelf(want.project).constraints:
                    specifier &= constraint.specifier
                for builds in self._versions(want.project, specifier)[:1]:
                    likely.setdefault(want.identifier, (builds, want.extras))
            passed.update(want.identifier for want in wants)
            paths = dict.fromkeys(builds[0].path for builds, _ in likely.values())
            self._needs.update(cached_metadata_of_many(path for path in paths if path not in self._needs))
            options = [(self.option(builds), extras) for builds, extras in likely.values()]
            wants = [
                want
                for option, extras in options
                if option is not None
                for want in self.wants(self.with_extras(option, extras))
            ]

    def wants(self, option: ResolverCandidate) -> tuple[ResolverRequirement, ...]:
        """What *option* wants, in pip's order: Python first; with extras, the very same wheel first."""
        if option not in self._wants:
            self._wants[option] = tuple(self._wants_of(option))
        return self._wants[option]

    def _wants_of(self, option: ResolverCandidate) -> Iterator[ResolverRequirement]:
        if option.candidate is None:
            return
        if option.extras:
            base = self._options[option.candidate.path]
            text = f"{option.project}=={option.version}"
            yield ResolverRequirement(option.project, _NO_EXTRAS, SpecifierSet(), text, exactly=base)
        elif option.python:
            yield ResolverRequirement(PYTHON, _NO_EXTRAS, option.python, f"Python {option.python}")
        extras = option.extras & option.provides
        for each in option.requires:
            if self._holds(each, extras, option.candidate):
                yield from wanted(each.name, each.extras, each.specifier, each.url)

    def _holds(self, requirement: ParsedRequirement, extras: frozenset[str], candidate: Candidate) -> bool:
        try:
            return self.policy.marker_applies(requirement.marker, extras)
        except ValueError as error:  # a comparison that has no meaning
            self._warn(f"{candidate.path}: the marker of {requirement} cannot be evaluated: {error}")
            return True

    def option(self, builds: tuple[Candidate, ...]) -> ResolverCandidate | None:
        """The option that one version is: its best build; None if that cannot be used (see `broken`)."""
        for candidate in builds:
            if candidate.path in self._options:
                return self._options[candidate.path]
            if candidate.path in self._foreign:
                continue
            if self._progress is not None:
                self._progress(len(self._options) + 1, max(len(self._shelves), len(self._options) + 1))
            try:
                needs = self._needs.get(candidate.path) or cached_metadata(candidate.path)
                if not _is_of(needs, candidate):
                    self._foreign.add(candidate.path)
                    self._leave_out(candidate, f"its METADATA is of {needs.name} {needs.version}")
                    continue
                option = self._read(candidate, needs)
            except InvalidRequirement as error:
                option = None
                self._leave_out(
                    candidate, f"its METADATA holds an invalid requirement: {error}".splitlines()[0]
                )
            except WheelhouseError as error:
                option = None
                self._leave_out(candidate, getattr(error, "problem", str(error)))
            self._options[candidate.path] = option
            return option
        return None

    def _read(self, candidate: Candidate, needs: CoreMetadata) -> ResolverCandidate:
        python: SpecifierSet | None = None
        try:
            python = SpecifierSet(needs.requires_python)
        except InvalidSpecifier:
            self._warn(f"{candidate.path}: its Requires-Python is invalid and was not checked")
        return ResolverCandidate(
            candidate.name,
            candidate.version,
            candidate,
            requires=tuple(map(self._parse, needs.requires_dist)),
            provides=frozenset(map(canonicalize_name, needs.provides_extra)),
            python=python,
        )

    def _parse(self, text: str) -> ParsedRequirement:
        if text not in self._parsed:
            self._parsed[text] = ParsedRequirement(text)
        return self._parsed[text]

    def _leave_out(self, candidate: Candidate, problem: str) -> None:
        self.broken[candidate.path] = problem
        self._warn(f"left out {candidate.path}: {problem}")

    def _warn(self, warning: str) -> None:
        self._warnings[warning] = None


def _is_open(want: ResolverRequirement) -> bool:
    """Whether there is a choice of wheels for *want*."""
    return want.project != PYTHON and want.exactly is None and not want.elsewhere


def _is_of(needs: CoreMetadata, candidate: Candidate) -> bool:
    try:
        return canonicalize_name(needs.name) == candidate.name and Version(needs.version) == candidate.version
    except InvalidVersion:
        return False
