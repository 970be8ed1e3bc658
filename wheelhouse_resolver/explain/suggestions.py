"""What would help where a requirement gets no wheel: changes, each tried with the policy itself.

Nothing is suggested that has not been decided by `pick.decide` with the change made, so that each suggestion
comes with the wheel that it gives. What takes a single change is found first; only where there is no such
thing are changes combined.
"""

from __future__ import annotations

import enum
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from itertools import chain, combinations, product
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet

from wheelhouse_resolver.errors import UnreadableWheelError
from wheelhouse_resolver.explain.scenario import Scenario
from wheelhouse_resolver.host.target_python import other_version, python_version
from wheelhouse_resolver.selection.builds import at_fault
from wheelhouse_resolver.selection.outside import able_archs, reachable
from wheelhouse_resolver.selection.pick import forbidding
from wheelhouse_resolver.selection.requirements import Requirement
from wheelhouse_resolver.selection.together import contradictory
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.tree.candidate import Candidate, SourceArchive
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata
from wheelhouse_resolver.wheelfile.tags import pythons_of


class Action(enum.Enum):
    """A change that somebody can make, the most useful first: what a user can do alone and at once."""

    NAME = "other-name"
    VERSION = "other-version"
    PRE = "pre-releases"
    BINARY = "take-wheels"
    WHEELS = "take-no-source"
    PYTHON = "other-python"
    LAYER = "other-layer"
    LOWER = "lower-arch"
    NODE = "other-node"
    CONSTRAINT = "lift-constraint"
    WITHDRAW = "withdraw-source"
    REPLACE = "replace-file"
    BUILD = "build"


class Step(NamedTuple):
    """One change: the *action*, and the *values* that it goes to.

    NAME: the project. VERSION: the specifier. PYTHON: the versions that all do, newest first. LAYER, LOWER,
    NODE: the layer, the arch. CONSTRAINT: the constraints, each with its file and line. WITHDRAW and
    REPLACE: the files.
    onward: of PYTHON: the version from which on all others would do as well; else empty.
    """

    action: Action
    values: tuple[str, ...] = ()
    onward: str = ""


_PLACE = {action: place for place, action in enumerate(Action)}

#: So many broken versions are left out by name.
_MOST_LEFT_OUT = 10

#: What is an option or argument of pip.
_FOR_PIP = frozenset({Action.NAME, Action.VERSION, Action.PRE, Action.BINARY, Action.WHEELS})

#: Of those that differ in nothing else, one is suggested; but all Pythons.
_ONE_OF = frozenset({Action.PYTHON, Action.NODE, Action.LOWER, Action.VERSION})

#: What makes pip search other directories.
_ELSEWHERE = frozenset({Action.LAYER, Action.LOWER, Action.NODE})


class Suggestion(NamedTuple):
    """What would help.

    steps:       all of them are needed.
    requirement: what is asked for then.
    command:     the exact command, where there is one.
    gives:       the wheel that is picked then (of the first value of each step); None: it is yet to be made.
    """

    steps: tuple[Step, ...]
    requirement: Requirement
    command: str | None
    gives: Candidate | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON: steps, requirement, command, gives."""
        return {**to_plain(self), "requirement": str(self.requirement)}


def _suggestion(then: Scenario, steps: Iterable[Step], gives: Candidate | None) -> Suggestion:
    """The suggestion of *steps*, which lead to *then*."""
    steps = tuple(steps)
    actions = {step.action for step in steps}
    command = None
    if Action.REPLACE in actions and gives is not None:
        command = _withdraw(then, [gives.path])
    elif Action.WITHDRAW in actions:
        command = _withdraw(
            then, [path for step in steps if step.action is Action.WITHDRAW for path in step.values]
        )
    elif not actions.isdisjoint(_FOR_PIP):
        words = []
        if Action.PRE in actions:
            # pip refuses --pre where a configuration file has one of the other options.
            own = then.policy.all_releases or then.policy.only_final
            words += ["--all-releases", then.asked.name] if own else ["--pre"]
        if not actions.isdisjoint({Action.BINARY, Action.WHEELS}):
            words += ["--only-binary", then.asked.name]
        command = shlex.join(["pip", "install", *words, str(then.asked)])
    return Suggestion(steps, then.asked, command, gives)


def _withdraw(then: Scenario, paths: Iterable[str]) -> str | None:
    """The command that withdraws the files at *paths*; None where one is in a base."""
    labels = {each.path: each.label for each in then.site.own_directories()}
    found = [(labels.get(os.path.dirname(path)), os.path.basename(path)) for path in paths]
    commands = [then.site.command("withdraw", "--to", label, name) for label, name in found if label]
    return " && ".join(commands) if len(commands) == len(found) else None


def suggestions(now: Scenario, others: Sequence[Scenario] = ()) -> list[Suggestion]:
    """What would help in the scenario *now*, in which nothing sound is picked, most useful first.

    *others*: the same question about projects with close names, for when there is no such project.
    """
    found = _by_changes(now)
    for other in reversed(others):
        name = Step(Action.NAME, (other.asked.name,))
        if renamed := _tried(other, [], name) or _tried(other, [Step(Action.VERSION)], name):
            found.insert(0, renamed)
    for each in _faulty(now):
        found.append(_suggestion(now, [Step(Action.REPLACE, (each.path,))], each)._replace(gives=None))
    if not found and not contradictory(now.asked.specifier):
        found.append(_suggestion(now, [Step(Action.BUILD)], None))
    return found


def _faulty(now: Scenario) -> list[Candidate]:
    """The file that pip would choose if it were sound: what it fails on, or passes over first."""
    found = [
        each.file for each in now.decided().in_path if at_fault(each) and isinstance(each.file, Candidate)
    ]
    return found[:1]


def _by_changes(now: Scenario) -> list[Suggestion]:
    """What helps with the fewest changes."""
    own = now.policy.platforms
    wheels = [each for each in now.files if isinstance(each, Candidate)]
    fit = [each for each in wheels if any(tag.platform in own for tag in each.tags)]
    if not fit:
        return []
    archives = [each for each in now.files if isinstance(each, SourceArchive)]
    now = now._replace(files=(*fit, *archives))
    pythons, next_python = _pythons(now, fit)
    # A Python's tags take longest to work out, so that is the outermost loop.
    changes: list[list[Step]] = [
        [Step(Action.PYTHON, (each,)) for each in (*pythons, next_python)],
        [] if now.policy.prereleases_of(now.asked.name) else [Step(Action.PRE)],
        [] if now.policy.allows_binary(now.asked.name) else [Step(Action.BINARY)],
        _without_archives(now),
        [Step(Action.LAYER, (each,)) for each in _layers(now)],
        _archs(now),
        [Step(Action.CONSTRAINT)] if now.policy.constraints_on(now.asked.name) else [],
        [Step(Action.VERSION)],
    ]
    changes = [each for each in changes if each]
    for size in range(1, len(changes) + 1):
        found: dict[object, list[Suggestion]] = {}
        for steps in chain.from_iterable(product(*chosen) for chosen in combinations(changes, size)):
            if suggestion := _tried(now, steps):
                kinds = [
                    (step.action, () if step.action in _ONE_OF else step.values) for step in suggestion.steps
                ]
                found.setdefault(tuple(kinds), []).append(suggestion)
        if found:
            tidy = [_merged(alike, next_python) for alike in found.values()]
            tidy.sort(key=lambda each: [_PLACE[step.action] for step in each.steps])
            # Searching elsewhere for what is searched already only avoids what comes before it.
            near = {directory.path for directory in now.site.search_path(now.host)}
            direct = [
                each
                for each in tidy
                if each.gives is None
                or each.gives.directory.path not in near
                or _ELSEWHERE.isdisjoint(step.action for step in each.steps)
            ]
            return (direct or tidy)[: None if size == 1 else 3]  # of what takes several changes a few will do
    return []


def _tried(now: Scenario, steps: Iterable[Step], *before: Step) -> Suggestion | None:
    """The suggestion to take *steps*, if that leads to a pick; what is open in them is settled.

    *before*: the steps that led to *now*.
    """
    settled = list(before)
    changed = now
    for step in steps:
        if step.action is Action.VERSION:  # the last one: which versions there are depends on the others
            version = _version(changed)
            if version is None:
                return None
            step = version
        settled.append(step)
        changed = _after(changed, step)
    gives = changed.decided().best
    if gives is None:
        return None
    settled = [
        Step(Action.CONSTRAINT, forbidding(gives, now.policy)) if step.action is Action.CONSTRAINT else step
        for step in settled
    ]
    settled.sort(key=lambda step: _PLACE[step.action])
    return _suggestion(changed, settled, gives)


def _after(now: Scenario, step: Step) -> Scenario:
    """The scenario when *step* is taken."""
    host, policy = now.host, now.policy
    if step.action is Action.PRE:
        if not policy.all_releases and not policy.only_final:
            return now._replace(policy=policy._replace(prereleases=True))
        return now._replace(policy=policy._replace(all_releases=policy.all_releases | {now.asked.name}))
    if step.action in (Action.BINARY, Action.WHEELS):
        wheels = policy.only_binary | {now.asked.name}
        return now._replace(policy=policy._replace(no_binary=frozenset(), only_binary=wheels))
    if step.action is Action.WITHDRAW:
        return now._replace(files=tuple(each for each in now.files if each.path not in step.values))
    if step.action is Action.CONSTRAINT:
        return now._replace(policy=policy._replace(constraints=()))
    (value,) = step.values
    if step.action is Action.VERSION:
        return now.asking(SpecifierSet(value))
    if step.action is Action.PYTHON:
        python = other_version(policy.target, value)
        return now._replace(host=host._replace(python=python), policy=policy._replace(target=python))
    if step.action is Action.LAYER:
        return now._replace(host=host._replace(layer=None if value == NO_LAYER else value))
    arch = now.site.arch(value)
    lower = now.site.archs_up_to(arch) if arch is not None else ()
    return now._replace(host=host._replace(arch=value, archs=lower))


def _version(now: Scenario) -> Step | None:
    """The step to versions of which something sound is picked.

    They are all that were asked for but the broken ones, if those are few; else the newest that there is.
    """
    best, broken = now.sound()
    if best is not None and len(broken) <= _MOST_LEFT_OUT:
        without = SpecifierSet(",".join(f"!={version}" for version in broken))
        return Step(Action.VERSION, (str(now.asked.specifier & without),)) if broken else None
    newest = best
    if newest is None and now.asked.specifier:
        any_version = now.asking(SpecifierSet())
        # Whoever names a pre-release gets it, though there are final versions that do not fit.
        newest = any_version.sound()[0] or _after(any_version, Step(Action.PRE)).sound()[0]
    if newest is None:
        return None
    for sign in ("==", "==="):  # the first takes versions with a local label, too, and they may be broken
        exactly = SpecifierSet(f"{sign}{newest.version}")
        if now.asking(exactly).decided().best is not None:
            return Step(Action.VERSION, (str(exactly),))
    return None


def _pythons(now: Scenario, wheels: Iterable[Candidate]) -> tuple[list[str], str]:
    """The other CPythons that may do, newest first, and the one after all of them.

    They are those that the names and the Requires-Python of *wheels* mention, and all between these.
    """
    own = python_version(now.policy.target)
    mentioned = {(own.major, own.minor)}
    threaded: set[str] = set()
    for wheel in wheels:
        for (major, minor), flags in pythons_of(wheel.tags):
            mentioned.add((major, minor))
            if flags == "t":
                threaded.add(f"{major}.{minor}t")
        kinds = {tag.interpreter for tag in wheel.tags}
        if any(tag.abi == "abi3" or tag.interpreter.startswith("py") for tag in wheel.tags):
            mentioned |= {(2, 7)} if "py2" in kinds else set()
            mentioned |= {(int(kind[2]), int(kind[3:])) for kind in kinds if re.fullmatch(r"py\d\d+", kind)}
            mentioned |= _required(wheel)
    minors = [minor for major, minor in mentioned if major == 3] or [0]
    others = {(3, minor) for minor in range(max(min(minors) - 1, 0), max(minors) + 1)}
    others |= {each for each in mentioned if each[0] != 3}
    names = [f"{major}.{minor}" for major, minor in sorted(others, reverse=True)]
    mine = now.policy.python_name
    return [each for each in (*names, *sorted(threaded)) if each != mine], f"3.{max(minors) + 1}"


def _without_archives(now: Scenario) -> list[Step]:
    """What keeps pip from building a source archive, if it would: one way for users, one for the staff."""
    inway: list[str] = []
    files = now.files
    while now.policy.allows_binary(now.asked.name) and (source := now._replace(files=files).decided().source):
        inway.append(source.path)
        files = tuple(each for each in files if each.path != source.path)
    return [Step(Action.WHEELS), Step(Action.WITHDRAW, tuple(inway))] if inway else []


def _required(file: Candidate) -> set[tuple[int, int]]:
    """The versions of Python 3 that the Requires-Python of *file* mentions."""
    try:
        stated = cached_metadata(file.path).requires_python
    except UnreadableWheelError:
        return set()
    return {(3, int(minor)) for minor in re.findall(r"(?<![\d.])3\.(\d{1,3})", stated)}


def _layers(now: Scenario) -> list[str]:
    """The other layers that have a file of the project, and the absence of one."""
    own = now.site.search_path(now.host).layer
    paths = {each.directory.path for each in now.files} - reachable(now.site, None)
    names = [
        each.name
        for each in now.site.layers
        if each.name != own and not paths.isdisjoint(reachable(now.site, each.name))
    ]
    return names if own is None else [*names, NO_LAYER]


def _archs(now: Scenario) -> list[Step]:
    """The archs below the host's, highest first, and those of other nodes of its CPU family, lowest first."""
    able = able_archs(now.site, now.host)
    highest = now.site.arch(now.host.arch, now.site.layer(now.host.layer))
    family = now.host.cpu.family if now.host.cpu is not None else highest.family if highest else None
    lower = [name for name in (GENERIC, *able) if highest is None or name != highest.name]
    higher = [
        arch.name
        for arch in now.site.ladder
        if arch.name not in able and (family is None or arch.family in (None, family))
    ]
    return [
        *(Step(Action.LOWER, (name,)) for name in reversed(lower) if highest is not None),
        *(Step(Action.NODE, (name,)) for name in higher),
    ]


def _merged(alike: Sequence[Suggestion], next_python: str) -> Suggestion:
    """The first of *alike*, with all Pythons that would do as well in its place.

    The Python after all others is their `onward`.
    """

    def but_python(suggestion: Suggestion) -> list[Step]:
        return [step for step in suggestion.steps if step.action is not Action.PYTHON]

    def merged(step: Step) -> Step:
        if step.action is not Action.PYTHON:
            return step
        same = [each for each in alike if but_python(each) == but_python(alike[0])]
        values = [step.values[0] for each in same for step in each.steps if step.action is Action.PYTHON]
        if next_python not in values:
            return step._replace(values=tuple(values))
        minor = int(next_python.removeprefix("3."))
        while f"3.{minor - 1}" in values:
            minor -= 1
        known = tuple(each for each in values if each != next_python)
        return step._replace(values=known or step.values, onward=f"3.{minor}")

    return alike[0]._replace(steps=tuple(map(merged, alike[0].steps)))
