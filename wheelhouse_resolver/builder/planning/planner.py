"""Planning: what to build for each Python and arch, in waves.

Sources are fetched, since only they say which version there is and what it requires; nothing is built.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from wheelhouse_resolver.builder.planning.compiled import missing_compiler
from wheelhouse_resolver.builder.planning.model import Entry, Key, Plan, PlanSettings, Satisfied
from wheelhouse_resolver.builder.planning.sources import SourceFetcher
from wheelhouse_resolver.builder.planning.waves import sharing_order, waves
from wheelhouse_resolver.builder.recipes.loader import RecipeFile, find_recipe, recipe_directories
from wheelhouse_resolver.builder.recipes.model import Recipe, no_recipe, pinned_version
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.records.output import built_wheels
from wheelhouse_resolver.builder.records.record import describe
from wheelhouse_resolver.errors import DirectRequirementsError, WheelhouseError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import marker_environment
from wheelhouse_resolver.selection.pick import picks
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile, parse_requirement
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.filesystem import make_directory
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata


@dataclass(kw_only=True, slots=True)
class _Want:
    """What is wanted of a project by all that require it; it only grows."""

    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: frozenset[str] = frozenset()
    asked: bool = False

    def add(self, requirement: Requirement) -> None:
        self.specifier &= requirement.specifier
        self.extras |= requirement.extras


class _Node(NamedTuple):
    """A project for one Python and arch: a build (*entry*) or a wheel (*path*); all that it *requires*."""

    entry: Entry | None
    path: str
    requires: tuple[Requirement, ...]


_Say = Callable[[str], None]


def make_plan(
    asked: RequirementsFile, settings: PlanSettings, options: BuildOptions, *, say: _Say = lambda _: None
) -> Plan:
    """What to build so that every target on every arch has the requirements of *asked*.

    asked:   its constraints limit the versions of all that is built.
    options: of all builds; each arch gets a directory of its own below `output`.
    say:     called with what is being done.

    Raises `CycleError`, `DirectRequirementsError`; what invalid recipes raise; `PythonError`, `OutputError`.
    A source that cannot be fetched is a *problem* of its entry.
    """
    return _Planner(settings, options, say).plan(asked)


class _Planner:
    def __init__(self, settings: PlanSettings, options: BuildOptions, say: _Say) -> None:
        self._settings = settings
        self._options = options
        self._say = say
        self._recipes = recipe_directories(options.site)
        self._wheelhouse = Tree(options.site)
        self._sources = SourceFetcher(settings.scratch)
        self._nodes: dict[tuple[str, str, int, int, bool], _Node] = {}

    def plan(self, asked: RequirementsFile) -> Plan:
        targets = range(len(self._settings.targets))
        direct = [each for each in asked.direct if any(self._applies(each, target, ()) for target in targets)]
        if direct:
            raise DirectRequirementsError([each.stated for each in direct])
        entries: dict[Key, Entry] = {}
        satisfied: dict[Satisfied, None] = {}
        ignored: dict[str, None] = {}
        for arch, target in product(range(len(self._settings.archs)), targets):
            for part in self._apart(asked, target):
                nodes, edges = self._closure(part, target, arch, ignored)
                for name, node in nodes.items():
                    if node.entry is None:
                        satisfied[Satisfied(name, node.path)] = None
                    else:
                        known = entries.get(node.entry.key, node.entry)
                        needs = known.needs | _built_below(name, nodes, edges)
                        entries[node.entry.key] = replace(node.entry, needs=needs)
        order = {
            key: [
                *((*need, entry.target, entry.arch) for need in entry.needs),
                *((*key[:2], *each) for each in sharing_order(entry.target, entry.arch)),
            ]
            for key, entry in entries.items()
        }
        return Plan(
            settings=self._settings,
            waves=tuple(tuple(entries[key] for key in wave) for wave in waves(order, lambda key: key[0])),
            satisfied=tuple(satisfied),
            ignored=tuple(ignored),
        )

    def _apart(self, asked: RequirementsFile, target: int) -> list[RequirementsFile]:
        """*asked*, once for each of the versions that it pins of one project: two versions are two builds.

        What else is asked for goes with the first of them.
        """
        pins: dict[str, dict[str | None, None]] = defaultdict(dict)
        for each in asked.requirements:
            if (version := _pinned(each)) is not None and self._applies(each, target, ()):
                pins[each.name][version] = None
        several = {name: list(versions) for name, versions in pins.items() if len(versions) > 1}
        parts = []
        for number in range(max(map(len, several.values()), default=1)):
            own = {name: versions[number] for name, versions in several.items() if number < len(versions)}
            taken = (
                each
                for each in asked.requirements
                if (_pinned(each) in (None, own[each.name]) if each.name in own else number == 0)
            )
            parts.append(asked._replace(requirements=tuple(taken)))
        return parts

    def _closure(
        self, asked: RequirementsFile, target: int, arch: int, ignored: dict[str, None]
    ) -> tuple[dict[str, _Node], dict[str, list[str]]]:
        """The projects that *asked* leads to, and what each requires. Wants grow until they agree."""
        wants: dict[str, _Want] = defaultdict(_Want)
        for each in asked.constraints:
            if self._applies(each, target, ()):
                wants[each.name].specifier &= each.specifier
        for each in asked.requirements:
            if self._applies(each, target, ()):
                wants[each.name].add(each)
                wants[each.name].asked = True
            else:
                ignored[str(each)] = None
        while True:
            before = {name: replace(want) for name, want in wants.items()}
            nodes: dict[str, _Node] = {}
            edges: dict[str, list[str]] = {}
            waiting = [name for name, want in wants.items() if want.asked]
            while waiting:
                name = waiting.pop(0)
                if name in nodes:
                    continue
                nodes[name] = node = self._node(name, wants[name], target, arch)
                edges[name] = []
                for need in node.requires:
                    if self._applies(need, target, wants[name].extras):
                        wants[need.name].add(need)
                        edges[name].append(need.name)
                waiting += edges[name]
            if wants == before:
                return nodes, edges

    def _applies(self, requirement: Requirement, target: int, extras: Collection[str]) -> bool:
        """Whether its marker holds for that Python, for a wheel wanted with *extras* (PEP 508)."""
        if requirement.marker is None:
            return True
        environment = marker_environment(self._settings.targets[target].python)
        return any(
            requirement.marker.evaluate({**environment, "extra": extra}) for extra in ("", *sorted(extras))
        )

    def _node(self, name: str, want: _Want, target: int, arch: int) -> _Node:
        key = (name, str(want.specifier), target, arch, want.asked)
        if key not in self._nodes:
            wheel = None if want.asked else self._find_wheel(name, want, target, arch)
            self._nodes[key] = (
                _Node(None, wheel, self._parse(cached_metadata(wheel).requires_dist, wheel))
                if wheel is not None
                else self._plan_build(name, want, target, arch)
            )
        return self._nodes[key]

    def _parse(self, requirements: Sequence[str], where: str) -> tuple[Requirement, ...]:
        if not self._settings.recursive:
            return ()
        return tuple(parse_requirement(each, where) for each in requirements)

    def _find_wheel(self, name: str, want: _Want, target: int, arch: int) -> str | None:
        """The existing wheel that satisfies *want*: of the wheelhouse, else of a previous run."""
        python = self._settings.targets[target].python
        host = Host(arch=self._settings.archs[arch], layer=self._settings.layer, python=python)
        asked = RequirementsFile((parse_requirement(f"{name}{want.specifier}"),))
        best = picks(self._wheelhouse, asked, host)[0].best
        if best is not None or self._settings.publish:
            return best.path if best is not None else None
        fitting = [
            (Version(record.version), path)
            for path, record in built_wheels(self._output(arch), name)
            if record.version and want.specifier.contains(record.version) and fits(path, python)
        ]
        return max(fitting, default=(None, None))[1]

    def _output(self, arch: int) -> str:
        """Wheels of two archs can have the same name, so each arch has a directory of its own."""
        parts = filter(None, [self._settings.layer, self._settings.archs[arch]])
        return os.path.join(self._options.output, *parts)

    def _plan_build(self, name: str, want: _Want, target: int, arch: int) -> _Node:
        python = self._settings.targets[target]
        options = replace(self._options, output=self._output(arch))
        job = Job(
            requirement=f"{name}{want.specifier}",
            project=name,
            python=python.path,
            python_version=python.version,
            arch=self._settings.archs[arch],
            layer=self._settings.layer,
        )
        self._say(f"looking at {job.requirement} for Python {python.version}")
        file = find_recipe(name, self._recipes)
        recipe = _resolve(file, job, pinned_version(job.requirement))
        entry = Entry(job=job, target=target, arch=arch, output=options.output, recipe=recipe)
        make_directory(options.logs)
        log = os.path.join(options.logs, f"{job.label}-plan.log")
        with suppress(FileNotFoundError):
            os.unlink(log)  # of a previous run
        phase = "source"
        try:
            fetched = self._sources.fetch(recipe, job, options, log)
            job = replace(job, requirement=f"{name}=={fetched.version}")
            exact = _resolve(file, job, fetched.version)
            if (exact.source, exact.takes_wheel) != (recipe.source, recipe.takes_wheel):
                fetched = self._sources.fetch(exact, job, options, log)
            entry = replace(entry, job=replace(job, source=fetched.archive), recipe=exact)
            if fetched.archive.kind != "wheel" and self._settings.here:
                phase = "prepare"
                environ = self._sources.build_environ(fetched, exact, job, options)
                entry = replace(entry, note=missing_compiler(fetched.path, environ))
            phase = "metadata"
            requires: list[str] = []
            if self._settings.recursive:
                requires = self._sources.get_requires_dist(fetched, exact, job, options, log)
            return _Node(entry, "", self._parse(requires, f"{name} {fetched.version}"))
        except WheelhouseError as error:
            problem = f"{phase}: {describe(error)}"
            log = log if os.path.exists(log) else ""
            return _Node(replace(entry, problem=problem, log=log), "", ())


def _resolve(file: RecipeFile | None, job: Job, version: str | None) -> Recipe:
    """The recipe of *job*, as far as the *version* is known."""
    if file is None:
        return no_recipe(job.project)
    known = Version(version) if version is not None else None
    return file.resolve(known, job.python_version, job.layer, job.arch)


def _pinned(requirement: Requirement) -> str | None:
    return pinned_version(f"{requirement.name}{requirement.specifier}")


def _built_below(
    name: str, nodes: dict[str, _Node], edges: dict[str, list[str]]
) -> frozenset[tuple[str, str]]:
    """What is to be built that *name* requires, also by way of others that exist already. Pure."""
    seen: set[str] = set()
    waiting = list(edges[name])
    while waiting:
        each = waiting.pop()
        if each not in seen and nodes[each].entry is None:
            waiting += edges[each]
        seen.add(each)
    found = (nodes[each].entry for each in seen if each != name)
    return frozenset(entry.key[:2] for entry in found if entry is not None)
