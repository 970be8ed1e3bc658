"""Why a requirement gets the wheel that it gets, or none: what stops each file anywhere in the tree.

The rules are those of `pick`, asked for every file: one outside the search path is stopped by that, and
is also judged as if its directory were searched, so that it is known whether it would be of use there.
What would help is worked out in `suggestions`.
"""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from packaging.tags import Tag
from packaging.utils import NormalizedName

from wheelhouse_resolver.explain.scenario import (
    Scenario,
    able_archs,
    contradictory,
    forbidding,
    problem_of,
    python_name,
    reachable,
)
from wheelhouse_resolver.explain.suggestions import Suggestion, suggestions
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.pick import Rejection, Rule, decide
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile, parse_requirement
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel

__all__ = [
    "Answer",
    "Exclusion",
    "FileStatus",
    "Group",
    "Verdict",
    "grouped",
    "python_labels",
    "standings",
    "why_not",
]

#: Rules whose grounds differ from file to file; a group tells all of them.
_MERGED = frozenset({Rule.TAG, Rule.FILENAME})

_LOST = frozenset({Rule.LOST_VERSION, Rule.LOST_RANK, Rule.LOST_TAG, Rule.LOST_BUILD, Rule.LOST_NAME})


class Verdict(enum.Enum):
    """The answer to one requirement; the value is its name in JSON."""

    PICKED = "picked"
    BROKEN = "broken"
    IGNORED = "ignored"
    NOTHING = "nothing"
    UNKNOWN = "unknown-project"


class Exclusion(NamedTuple):
    """What stops a file: the *rule*, its *kind* where a rule has several, and what it is *about*.

    OUTSIDE:         `layer`, `arch` (above the host's) or `search` (the site says no), and its name.
    TAG:             `python` and the Pythons that it is for, or `platform` and its platforms.
    REQUIRES_PYTHON: `own` and the specifier; or `build`, the specifier, and the higher build that has it.
    SPECIFIER, CONSTRAINT: the specifier; the constraints and where each stands.
    LOST_...:        the winner, as label/filename.
    FILENAME:        the problem.
    """

    rule: Rule
    kind: str = ""
    about: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON: rule, kind, about."""
        return {"rule": self.rule.value, "kind": self.kind, "about": list(self.about)}


class FileStatus(NamedTuple):
    """A file that was not picked. *stops*: the rule that stopped it, then those that would have otherwise.

    What is outside the search path may have several, and what is for another Python: so it is known
    whether searching it, or that Python, would be enough.
    """

    file: Candidate | InvalidFilename
    stops: tuple[Exclusion, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: filename, path, layer, arch, version, rule, kind, about, otherwise."""
        where = self.file.directory
        return {
            "filename": self.file.filename,
            "path": self.file.path,
            "layer": where.layer,
            "arch": where.arch,
            "version": str(self.file.version) if isinstance(self.file, Candidate) else None,
            **self.stops[0].to_dict(),
            "otherwise": [each.to_dict() for each in self.stops[1:]],
        }


class Group(NamedTuple):
    """Files that are stopped alike, in the order that they came in."""

    stops: tuple[Exclusion, ...]
    files: tuple[Candidate | InvalidFilename, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer to one requirement.

    asked:     the requirement.
    policy:    the rules that were in force.
    host:      on which host.
    verdict:   what came of it.
    best:      what pip would choose; broken if the verdict says so.
    problem:   what is wrong with it, why the requirement is ignored, or that no version can satisfy it.
    standings: everything else of the project anywhere in the tree, the nearest miss first.
    helps:     what would help, most useful first.
    close:     close names of projects, when there is no such project.
    warnings:  one line each.
    """

    asked: Requirement
    policy: Policy
    host: Host
    verdict: Verdict
    best: Candidate | None = None
    problem: str = ""
    standings: tuple[FileStatus, ...] = ()
    helps: tuple[Suggestion, ...] = ()
    close: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def positive(self) -> bool:
        """Whether pip would go on: something that it can read is picked, or it does not care."""
        return self.verdict in (Verdict.PICKED, Verdict.IGNORED)

    @property
    def python(self) -> str:
        """The target Python as people call it."""
        return python_name(self.policy)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "requirement": str(self.asked),
            "host": {"python": self.python, "layer": self.host.layer, "arch": self.host.arch},
            "verdict": self.verdict.value,
            "best": self.best.to_dict() if self.best is not None else None,
            "problem": self.problem,
            "help": [each.to_dict() for each in self.helps],
            "close_names": list(self.close),
            "files": [each.to_dict() for each in self.standings],
            "warnings": list(self.warnings),
        }


def why_not(
    wheelhouse: Tree,
    requirement: str | Requirement,
    host: Host,
    *,
    files: RequirementsFile | None = None,
    catalogue: Catalogue | None = None,
) -> Answer:
    """Why *requirement* gets what it gets on *host*; *files* as for `pick`.

    *catalogue* of all the site's directories, if the caller has one; it is read for close names only.
    Raises what `pick` raises.
    """
    site = wheelhouse.site
    host = host.for_site(site)
    asked = parse_requirement(requirement) if isinstance(requirement, str) else requirement
    policy = Policy(site, host, files)
    found = tuple(wheelhouse.read(asked.name, site.directories()))
    now = Scenario(
        site=site, host=host, asked=asked, policy=policy, files=found, problem_of=cache(problem_of)
    )
    picked = decide(asked, policy, now.searched())
    if picked.ignored:
        return Answer(asked=asked, policy=policy, host=host, verdict=Verdict.IGNORED, problem=picked.ignored)
    verdict, problem, best = Verdict.NOTHING, "", picked.best
    warnings = list(picked.warnings)
    close: list[NormalizedName] = []
    others: list[Scenario] = []
    if best is not None:
        problem = now.problem_of(best)
        verdict = Verdict.BROKEN if problem else Verdict.PICKED
        if problem:  # the verdict says it
            warnings = [each for each in warnings if best.path not in each]
        else:
            warnings += [*_damages(best), *_needs_pre(asked, best, policy)]
    elif contradictory(asked.specifier):
        problem = f"no version can satisfy {asked.specifier}"
    elif not found:
        verdict = Verdict.UNKNOWN
        catalogue = catalogue or wheelhouse.catalogue(site.directories())
        close = catalogue.close_to(asked.name)
        others = [now.about(each, catalogue.files(each)) for each in close]
    return Answer(
        asked=asked,
        policy=policy,
        host=host,
        verdict=verdict,
        best=best,
        problem=problem,
        standings=tuple(standings(now)),
        helps=tuple(suggestions(now, others)),
        close=tuple(close),
        warnings=tuple(warnings),
    )


def _needs_pre(asked: Requirement, best: Candidate, policy: Policy) -> list[str]:
    """A warning when older releases of pip do not take the pre-release that newer ones take.

    Before pip 26 a specifier that names no pre-release lets none in, even if there is nothing else; and what
    stands behind `<`, `>` or `!=` counts for nothing.
    """
    named = any(each.prereleases for each in asked.specifier if each.operator not in ("<", ">", "!="))
    if policy.prereleases or named or not asked.specifier or not best.version.is_prerelease:
        return []
    command = shlex.join(["pip", "install", "--pre", str(asked)])
    return [f"only a pre-release meets {asked}: pip older than 26 takes it by `{command}` only"]


def _damages(best: Candidate) -> list[str]:
    """A warning when the file that pip would choose is damaged where pip looks only when it unpacks."""
    try:
        check_wheel(best.path)
    except InvalidWheelError as error:
        found = "; ".join(error.findings)
        return [f"{best.path} is not sound, installing it may fail: {found}"]
    return []


def standings(now: Scenario) -> list[FileStatus]:
    """What stops each file that is not picked, wherever it is: those in the search path first."""
    searched = {directory.path for directory in now.site.search_path(now.host)}
    inside = decide(now.asked, now.policy, now.searched())
    found = [FileStatus(each.file, _obstacles(each, now)) for each in inside.in_path]
    for directory in now.site.directories():
        if directory.path in searched:
            continue
        files = [each for each in now.files if each.directory == directory]
        if not files:
            continue
        outside = _outside(now.site, now.host, files[0])
        alone = decide(now.asked, now.policy, files)
        stopped = {each.path: _obstacles(each, now) for each in alone.in_path if each.rule not in _LOST}
        found += [FileStatus(each, (*outside, *stopped.get(each.path, ()))) for each in files]
    return found


def _outside(site: Site, host: Host, file: Candidate | InvalidFilename) -> tuple[Exclusion, ...]:
    """Why *host* does not search the directory of *file*."""
    where = file.directory
    found: list[Exclusion] = []
    own = site.search_path(host).layer
    if where.layer not in (None, own) and where.path not in reachable(site, own):
        found.append(Exclusion(Rule.OUTSIDE, "layer", (str(where.layer),)))
        host = host._replace(layer=where.layer)
    if where.path not in {each.path for each in site.search_path(host)}:
        kind = "search" if where.arch in (GENERIC, *able_archs(site, host)) else "arch"
        found.append(Exclusion(Rule.OUTSIDE, kind, (where.arch,)))
    return tuple(found)


def _obstacles(rejection: Rejection, now: Scenario) -> tuple[Exclusion, ...]:
    """What *rejection* says; and of a wheel for another Python, whether its version is allowed."""
    first = _obstacle(rejection, now)
    if rejection.rule is not Rule.TAG or not isinstance(rejection.file, Candidate):
        return (first,)
    if not now.asked.specifier.contains(str(rejection.file.version), prereleases=True):
        return first, Exclusion(Rule.SPECIFIER, about=(str(now.asked.specifier),))
    against = forbidding(rejection.file, now)
    return (first, Exclusion(Rule.CONSTRAINT, about=tuple(against))) if against else (first,)


def _obstacle(rejection: Rejection, now: Scenario) -> Exclusion:
    """What *rejection* says, as data."""
    file, rule = rejection.file, rejection.rule
    if isinstance(file, InvalidFilename):
        about = (file.problem,) if rule is Rule.FILENAME else ()
        return Exclusion(rule, about=about)
    rival = rejection.rival
    against = f"{rival.directory.label}/{rival.filename}" if rival is not None else ""
    if rule is Rule.TAG:
        own = {tag.platform for tag in now.policy.priorities}
        platforms = {tag.platform for tag in file.tags}
        if own.isdisjoint(platforms):
            return Exclusion(rule, "platform", tuple(sorted(platforms)))
        return Exclusion(rule, "python", tuple(python_labels(file.tags)))
    if rule is Rule.REQUIRES_PYTHON:
        kind = "build" if against else "own"
        return Exclusion(rule, kind, (rejection.needs, against) if against else (rejection.needs,))
    if rule is Rule.SPECIFIER:
        return Exclusion(rule, about=(str(now.asked.specifier),))
    if rule is Rule.CONSTRAINT:
        return Exclusion(rule, about=tuple(forbidding(file, now)))
    return Exclusion(rule, about=(against,) if against else ())


def python_labels(tags: Iterable[Tag]) -> list[str]:
    """The Pythons that *tags* are for, in words, oldest first: `3.11`, `3.8 and newer`, `PyPy 3.10`."""
    found = set()
    for tag in tags:
        match = re.fullmatch(r"(cp|pp|py)(\d)(\d*)", tag.interpreter)
        if match is None:
            found.add(tag.interpreter)
            continue
        kind, major, minor = match.groups()
        version = f"{major}.{minor}" if minor else major
        threaded = "t" if kind == "cp" and tag.abi == f"{tag.interpreter}t" else ""
        newer = " and newer" if minor and (kind == "py" or tag.abi == "abi3") else ""
        found.add(f"{'PyPy ' if kind == 'pp' else ''}{version}{threaded}{newer}")
    return sorted(found, key=_age)


def grouped(found: Sequence[FileStatus]) -> list[Group]:
    """*found* in groups of those that are stopped alike, in the order of each group's first."""
    groups: dict[tuple[object, ...], list[FileStatus]] = {}
    for each in found:
        key = tuple(stop._replace(about=()) if stop.rule in _MERGED else stop for stop in each.stops)
        groups.setdefault(key, []).append(each)
    return [
        Group(
            stops=tuple(map(_merged, zip(*(each.stops for each in members), strict=True))),
            files=tuple(each.file for each in members),
        )
        for members in groups.values()
    ]


def _merged(stops: Sequence[Exclusion]) -> Exclusion:
    """One obstacle about all that *stops*, which are of one kind, are about; Pythons oldest first."""
    about = dict.fromkeys(each for stop in stops for each in stop.about)
    if stops[0].kind == "python":
        return stops[0]._replace(about=tuple(sorted(about, key=_age)))
    return stops[0]._replace(about=tuple(about))


def _age(label: str) -> tuple[list[int], str]:
    """The place of a label of `python_labels` among others."""
    return [int(number) for number in re.findall(r"\d+", label)], label
