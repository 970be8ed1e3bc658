"""Why there is no solution, the way a person would put it: what requires what, who asked, what exists.

The search for a solution ends wherever it gave up, which need not be where the trouble is. So an explanation
is looked for by itself: the smallest set of facts found that rules out a solution already, each fact being
that something states a requirement (QuickXplain: U. Junker, AAAI 2004).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.resolution import candidates
from wheelhouse_resolver.selection.policy import builds_by_version
from wheelhouse_resolver.selection.requirements import Requirement
from wheelhouse_resolver.tree.candidate import InvalidFilename, SourceArchive
from wheelhouse_resolver.utils.serialise import to_plain

#: Facts, each with the candidates that state it.
Seen = Mapping["Fact", Iterable[candidates.ResolverCandidate]]

#: `by` of what the user asked for, and of what a constraint says; no project can be called so.
_USER = "<user>"
_CONSTRAINT = "<constraint>"


class Fact(NamedTuple):
    """That something states a requirement.

    by:          what states it: `name` or `name[extra]`, or the user, or a constraint.
    by_project:  its name without the extras.
    requirement: as text: `numpy<2`, `Python >=3.9`.
    project:     what is required.
    elsewhere:   whether the requirement names a file by URL.
    where:       of a constraint: the file and line that state it; else empty.
    """

    by: str
    by_project: str
    requirement: str
    project: NormalizedName
    elsewhere: bool = False
    where: str = ""

    @classmethod
    def of(cls, requirement: candidates.ResolverRequirement, by: candidates.ResolverCandidate) -> Fact:
        """That the METADATA of *by* states *requirement*."""
        return cls(by.identifier, by.project, requirement.text, requirement.project, requirement.elsewhere)

    @classmethod
    def asked(cls, requirement: candidates.ResolverRequirement) -> Fact:
        """That the user asked for *requirement*."""
        return cls(_USER, _USER, requirement.text, requirement.project)

    @classmethod
    def of_constraint(cls, constraint: Requirement) -> Fact:
        """That there is this *constraint*."""
        text = str(constraint) if constraint.url else f"{constraint.name}{constraint.specifier}"
        return cls(_CONSTRAINT, _CONSTRAINT, text, constraint.name, where=constraint.where or "")


class Asked(NamedTuple):
    """A step of how something came to be needed.

    requirement: as text.
    by:          what asked for it: `name` or `name[extra]`; None: the user.
    versions:    of that, those that asked, the oldest first.
    """

    requirement: str
    by: str | None = None
    versions: tuple[str, ...] = ()


class Demand(NamedTuple):
    """A requirement that takes part in a conflict.

    by:          what has it: `name` or `name[extra]`; None for what the user or a constraint says.
    versions:    of that project, those that have it, the oldest first.
    requirement: as text.
    asked:       how *by* came to be needed, step by step to the user.
    constraint:  whether a constraint says so.
    elsewhere:   whether it names a file by URL, which no wheelhouse can serve.
    where:       of a constraint: the file and line that state it.
    """

    by: str | None
    versions: tuple[str, ...]
    requirement: str
    asked: tuple[Asked, ...] = ()
    constraint: bool = False
    elsewhere: bool = False
    where: str | None = None

    def __str__(self) -> str:
        if self.constraint:
            return f"a constraint allows only {self.requirement}{f' ({self.where})' if self.where else ''}"
        if self.by is None:
            return f"{self.requirement} was asked for"
        verb = "needs" if len(self.versions) == 1 else "need"
        elsewhere = ", which is not a wheel of this wheelhouse" if self.elsewhere else ""
        return f"{_named(self.by, self.versions)} {verb} {self.requirement}{elsewhere} ({self._chain()})"

    def _chain(self) -> str:
        """How *by* came to be needed: `a was asked for by b 1.0, which was asked for`."""
        text, asking = "", None
        for step in self.asked:
            renamed = f" as {step.requirement}" if step.requirement != asking else ""
            text += f", which was asked for{renamed}" if asking else f"{step.requirement} was asked for"
            text += f" by {_named(step.by, step.versions)}" if step.by is not None else ""
            asking = step.by
        return text


class Exists(NamedTuple):
    """What there is of a project that is in dispute.

    versions: those that the host could use, the oldest first.
    unusable: (version, why not) of the others.
    close:    the names that are nearly the project's, when there is nothing of it.
    """

    project: str
    versions: tuple[str, ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()
    close: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """As text, a line for each reason."""
        found = []
        if self.project == candidates.PYTHON:
            return [f"the target is Python {', '.join(self.versions)}"]
        if self.versions:
            are = "is" if len(self.versions) == 1 else "are"
            found.append(f"there {are} {_named(self.project, self.versions)}")
        elif not self.unusable:
            close = f"; close names: {', '.join(self.close)}" if self.close else ""
            found.append(f"there is no {self.project} in the search path{close}")
        by_reason: dict[str, list[str]] = {}
        for version, reason in self.unusable:
            by_reason.setdefault(reason, []).append(version)
        for reason, versions in by_reason.items():
            found.append(f"{_named(self.project, versions)} cannot be used: {reason}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        unusable = [{"version": version, "reason": why} for version, why in self.unusable]
        return {**to_plain(self), "project": self.project.strip("<>"), "unusable": unusable}


class Conflict(NamedTuple):
    """Why there is no solution.

    demands:  what cannot be had together, or alone.
    exists:   what there is of each project that these want.
    complete: whether these demands alone rule out a solution; else the search merely ended with them.
    """

    demands: tuple[Demand, ...]
    exists: tuple[Exists, ...]
    complete: bool = True

    def lines(self) -> list[str]:
        """As text, each of them printable."""
        found = [str(each) for each in self.demands]
        found += [line for each in self.exists for line in each.lines()]
        if not self.complete:
            found.append("this is where the search ended; there are other combinations, which failed as well")
        return [printable(line) for line in found]

    def wants_more(self) -> list[str]:
        """The requirements of which `why-not` may say more: wheels may be elsewhere, or of no use here."""
        lacking = {each.project for each in self.exists if each.unusable or not each.versions}
        stated = [each.requirement for each in self.demands if not each.constraint]
        return [each for each in stated if canonicalize_name(re.split(r"[^\w.-]", each)[0]) in lacking]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**to_plain(self)}


def explain(
    factory: candidates.CandidateFactory,
    seen: Seen,
    causes: Iterable[Fact],
    seen_when_failing: Callable[[frozenset[Fact]], Seen | None],
) -> Conflict:
    """The conflict behind a search that found no solution.

    seen:              all that came up in it.
    causes:            what it ended with: reported when there is nothing better.
    seen_when_failing: what comes up when some facts alone rule out a solution; None when they don't, or when
                       that is not found out in time. It is called a few times for each fact that takes part.
    """

    def fails(some: Sequence[Fact]) -> bool:
        return seen_when_failing(frozenset(some)) is not None

    reported = list(dict.fromkeys(causes))
    core = list(seen)
    # What the search ended with and what led there is tried first: all facts may take too long.
    tried = (seen_when_failing(frozenset(some)) for some in (_led_to(reported, core), core))
    enough = next((found for found in tried if found is not None), None)
    if enough is not None:
        # Those nearest to the user come first: of several explanations one with short chains is found.
        core = _core([], [], _from_the_user(list(enough)), fails)
        seen = seen_when_failing(frozenset(core)) or seen
        reported = _reported(core)
    # What concerns one project together, constraints last.
    reported.sort(key=lambda fact: (fact.project, fact.by == _CONSTRAINT, fact))
    disputed = {fact.project for fact in reported if not fact.elsewhere}
    return Conflict(
        demands=tuple(_demand(fact, core, seen) for fact in reported),
        exists=tuple(_exists(factory, project) for project in sorted(disputed)),
        complete=enough is not None,
    )


def _core(
    given: list[Fact], added: list[Fact], facts: list[Fact], fails: Callable[[Sequence[Fact]], bool]
) -> list[Fact]:
    """Some of *facts*, none of which is superfluous, that rule out a solution together with *given*.

    *added* are the last of *given*: if there are none, nothing has changed since that was tried.
    """
    if added and fails(given):
        return []
    if len(facts) <= 1:
        return facts
    first, second = facts[: len(facts) // 2], facts[len(facts) // 2 :]
    of_second = _core([*given, *first], first, second, fails)
    of_first = _core([*given, *of_second], of_second, first, fails)
    return of_first + of_second


def _led_to(causes: Sequence[Fact], facts: Sequence[Fact]) -> list[Fact]:
    """*causes*, and those of *facts* by which what states them came to be needed; and the constraints."""
    found = dict.fromkeys(causes)
    projects = {fact.by_project for fact in causes}
    while more := [each for each in facts if each not in found and each.project in projects]:
        found.update(dict.fromkeys(more))
        projects.update(each.by_project for each in more)
    return [*found, *(each for each in facts if each.by == _CONSTRAINT and each not in found)]


def _from_the_user(facts: Sequence[Fact]) -> list[Fact]:
    """*facts* by how many steps they are away from what the user asked for."""
    steps = {_USER: 0, _CONSTRAINT: 0}
    waiting = facts
    while reached := [fact for fact in waiting if fact.by_project in steps]:
        waiting = [fact for fact in waiting if fact.by_project not in steps]
        for fact in reached:
            steps.setdefault(fact.project, steps[fact.by_project] + 1)
    # What a project states with an extra, it mostly states without it, too.
    return sorted(
        facts, key=lambda fact: (steps.get(fact.by_project, len(facts)), fact.by != fact.by_project)
    )


def _reported(core: Sequence[Fact]) -> list[Fact]:
    """The facts that are demands: the others only say how what has a demand came to be needed."""
    asking = {fact.by_project for fact in core}
    wanted = Counter(fact.project for fact in core)
    return [fact for fact in core if wanted[fact.project] > 1 or fact.project not in asking]


def _demand(fact: Fact, core: Sequence[Fact], seen: Seen) -> Demand:
    if fact.by in (_USER, _CONSTRAINT):
        return Demand(None, (), fact.requirement, constraint=fact.by == _CONSTRAINT, where=fact.where or None)
    asked = tuple(_chain(fact.by_project, core, seen))
    return Demand(fact.by, _versions(seen, fact), fact.requirement, asked, elsewhere=fact.elsewhere)


def _chain(project: str, core: Sequence[Fact], seen: Seen) -> Iterator[Asked]:
    """How *project* came to be needed, by the shortest way."""
    nearest = _from_the_user(core)
    links: dict[str, Fact] = {fact.project: fact for fact in reversed(nearest) if fact.by != _CONSTRAINT}
    while link := links.pop(project, None):
        by_user = link.by == _USER
        yield Asked(link.requirement) if by_user else Asked(link.requirement, link.by, _versions(seen, link))
        project = link.by_project


def _versions(seen: Seen, fact: Fact) -> tuple[str, ...]:
    return tuple(map(str, sorted({candidate.version for candidate in seen.get(fact, ())})))


def _named(name: str, versions: Sequence[str]) -> str:
    """`numpy 1.26.4, 2.0.0`; of many versions the first and the last."""
    if len(versions) > 6:
        return f"{name} {versions[0]} to {versions[-1]} ({len(versions)} versions)"
    return f"{name} {', '.join(versions)}"


def _exists(factory: candidates.CandidateFactory, project: NormalizedName) -> Exists:
    python = factory.python.version
    if project == candidates.PYTHON:
        return Exists(candidates.PYTHON, (str(python),))
    fit, unfit = factory.files(project)
    usable: list[Version] = []
    unusable: dict[Version, str] = {}
    for builds in reversed(builds_by_version(fit)):
        if factory.candidate_of(builds) is not None:
            usable.append(builds[0].version)
        else:
            unusable[builds[0].version] = factory.broken[builds[0].path]
    reason = "the site's [pip] table or a file says no-binary"
    if links := factory.policy.links_of(project):
        reason = f"pip takes what a constraint names: {', '.join(each.stated for each in links)}"
    elif factory.policy.allows_binary(project):
        reason = f"its wheels are not for Python {python.major}.{python.minor} here"
    for file in unfit:
        if not isinstance(file, InvalidFilename) and file.version not in usable:
            built = isinstance(file, SourceArchive) and not links
            unusable.setdefault(file.version, "a source archive, and only-binary is set" if built else reason)
    return Exists(
        project,
        tuple(map(str, usable)),
        tuple((str(version), unusable[version]) for version in sorted(unusable)),
        () if usable or unusable else tuple(factory.catalogue.close_to(project)),
    )
