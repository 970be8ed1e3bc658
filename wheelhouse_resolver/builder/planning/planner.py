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

from wheelhouse_resolver.builder.config import settings_of
from wheelhouse_resolver.builder.fetch_config import check_hash
from wheelhouse_resolver.builder.planning.arrange import BOOTSTRAP, arranged, built_below
from wheelhouse_resolver.builder.planning.compiled import missing_compiler
from wheelhouse_resolver.builder.planning.model import Entry, Key, Link, Plan, PlanSettings, Satisfied
from wheelhouse_resolver.builder.planning.sources import SourceFetcher
from wheelhouse_resolver.builder.planning.waves import CycleError
from wheelhouse_resolver.builder.recipes.loader import RecipeFile, find_recipe, recipe_directories, resolved
from wheelhouse_resolver.builder.recipes.model import Recipe, pinned_version
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.records.output import built_wheels
from wheelhouse_resolver.builder.records.record import describe
from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.builder.toolchain.variables import constraint_lines
from wheelhouse_resolver.errors import DirectRequirementsError, WheelhouseError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import marker_environment
from wheelhouse_resolver.selection.pick import picks
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile, parse_requirement
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.filesystem import make_directory
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata
from wheelhouse_resolver.wheelfile.sbom import check_writable


@dataclass(kw_only=True, slots=True)
class _Want:
    """What is wanted of a project by all that require it; it only grows."""

    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    asked: bool = False

    def add(self, requirement: Requirement) -> None:
        self.specifier &= requirement.specifier
        self.extras |= requirement.extras
        self.hashes |= set(requirement.hashes)


class _Node(NamedTuple):
    """A project for one Python and arch: a build (*entry*) or a wheel (*path*); all that it *requires*.

    tools: what its build requires besides, and *limits* on that; *tests*: what its test requires.
    """

    entry: Entry | None
    path: str
    requires: tuple[Requirement, ...]
    tools: tuple[Requirement, ...] = ()
    limits: tuple[Requirement, ...] = ()
    tests: tuple[Requirement, ...] = ()

    @property
    def name(self) -> str:
        return self.entry.name if self.entry is not None else self.path


@dataclass(kw_only=True, slots=True)
class _Draft:
    """A plan that is being made of what is *asked* for; see `Plan` for the rest."""

    asked: RequirementsFile
    builds: dict[Key, _Node] = field(default_factory=dict)
    needs: dict[Key, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    satisfied: dict[Satisfied, None] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    links: dict[Link, None] = field(default_factory=dict)


_Say = Callable[[str], None]


def make_plan(
    asked: RequirementsFile, settings: PlanSettings, options: BuildOptions, *, say: _Say = lambda _: None
) -> Plan:
    """What to build so that every target on every arch has the requirements of *asked*.

    asked:   its constraints limit the versions of all that is built.
    options: of all builds; each arch gets a directory of its own below `output`.
    say:     called with what is being done.

    Raises `CycleError`, `DirectRequirementsError`; what invalid recipes raise; `PythonError`, `OutputError`.
    A source that cannot be fetched is a *problem* of its entry. Raises `MissingExtraError` where no wheel
    could be given its SBOM.
    """
    check_writable()
    return _Planner(settings, options, say).plan(asked)


class _Planner:
    def __init__(self, settings: PlanSettings, options: BuildOptions, say: _Say) -> None:
        self._settings = settings
        self._options = options
        self._say = say
        self._recipes = recipe_directories(options.site)
        self._settled = settings_of(options)
        self._wheelhouse = Tree(options.site)
        self._sources = SourceFetcher(settings.scratch)
        self._nodes: dict[tuple[str, str, int, int, bool], _Node] = {}

    def plan(self, asked: RequirementsFile) -> Plan:
        targets = range(len(self._settings.targets))
        direct = [each for each in asked.direct if any(self._applies(each, target, ()) for target in targets)]
        if direct:
            raise DirectRequirementsError([each.stated for each in direct])
        draft = _Draft(asked=asked)
        for arch, target in product(range(len(self._settings.archs)), targets):
            for part in self._apart(self._for_target(asked, target), target):
                self._add(draft, part, target, arch)
        looked_at: set[Key] = set()
        while left := [key for key in draft.builds if key not in looked_at]:
            for key in left:
                looked_at.add(key)
                self._add_tools(draft, key)
        entries = [
            replace(node.entry, needs=frozenset(draft.needs[key]))
            for key, node in draft.builds.items()
            if node.entry is not None
        ]
        for line in dict.fromkeys(entry.warning for entry in entries if entry.warning):
            self._say(f"warning: {line}")
        return Plan(
            settings=self._settings,
            waves=arranged(
                entries,
                build_requires=self._settings.build_requires,
                finished=self._options.upstream is not None,
            ),
            satisfied=tuple(draft.satisfied),
            ignored=tuple(draft.ignored),
            links=tuple(draft.links),
        )

    def _add(
        self, draft: _Draft, part: RequirementsFile, target: int, arch: int, by: _Node | None = None
    ) -> list[_Node]:
        """Add to *draft* what *part* leads to, and return that; *by*: the build that requires it, if any."""
        nodes, edges = self._closure(draft, part, target, arch, asked=by is None)
        for name, node in nodes.items():
            if node.entry is None:
                draft.satisfied[Satisfied(name, node.path)] = None
            else:
                draft.builds.setdefault(node.entry.key, node)
                draft.needs[node.entry.key] |= built_below(
                    name, {each: of.entry for each, of in nodes.items()}, edges
                )
            for each in edges[name]:
                draft.links[Link(node.name, nodes[each.name].name, "run", str(each))] = None
        for each in part.requirements:
            if each.name in nodes and self._applies(each, target, ()):
                kind = "asked" if by is None else "build"
                link = Link(by.name if by is not None else "", nodes[each.name].name, kind, str(each))
                draft.links[link] = None
        return list(nodes.values())

    def _for_target(self, asked: RequirementsFile, target: int) -> RequirementsFile:
        """*asked* without what is not built for that Python."""
        version = self._settings.targets[target].version
        wanted = [e for e in asked.requirements if version in self._settings.pythons.get(str(e), (version,))]
        return asked._replace(requirements=tuple(wanted))

    def _add_tools(self, draft: _Draft, key: Key) -> None:
        """Add to *draft* what the build *key* of it requires to be built, and to be tested."""
        node = draft.builds[key]
        for requirements, limits in ((node.tools, node.limits), (node.tests, ())):
            if not requirements:
                continue
            limits = (*draft.asked.constraints, *limits)
            part = RequirementsFile(requirements=requirements, constraints=limits)
            for each in self._add(draft, part, *key[2:], by=node):
                if each.entry is not None:
                    if each.entry.key == key:
                        raise CycleError([key[0], key[0]]).with_hint(BOOTSTRAP)
                    draft.needs[key].add(each.entry.key[:2])

    def _apart(self, asked: RequirementsFile, target: int) -> list[RequirementsFile]:
        """*asked* without the projects of which it pins several versions, then each of these alone.

        Two versions are two builds; what else is asked for takes the one that suits it.
        """
        pins = self._pins(asked, target)
        several = {name: versions for name, versions in pins.items() if len(versions) > 1}
        rest = [each for each in asked.requirements if each.name not in several]
        parts = [rest] if rest else []
        for name, versions in several.items():
            own = [each for each in asked.requirements if each.name == name]
            parts += [[each for each in own if _pinned(each) in (None, version)] for version in versions]
        return [asked._replace(requirements=tuple(part)) for part in parts]

    def _pins(self, asked: RequirementsFile, target: int) -> dict[str, list[str]]:
        """The versions of each project that *asked* pins for that Python."""
        pins: dict[str, list[str]] = defaultdict(list)
        for each in asked.requirements:
            version = _pinned(each)
            if version is not None and version not in pins[each.name] and self._applies(each, target, ()):
                pins[each.name].append(version)
        return pins

    def _closure(
        self, draft: _Draft, part: RequirementsFile, target: int, arch: int, *, asked: bool
    ) -> tuple[dict[str, _Node], dict[str, list[Requirement]]]:
        """The projects that *part* leads to, and what each requires. Wants grow until they agree.

        asked: what *part* requires itself is built, even if there is a wheel.
        """
        wants: dict[str, _Want] = defaultdict(_Want)
        for each in part.constraints:
            if self._applies(each, target, ()):
                wants[each.name].specifier &= each.specifier
        roots: dict[str, None] = {}
        for each in part.requirements:
            if self._applies(each, target, ()):
                wants[each.name].add(each)
                wants[each.name].asked = asked
                roots[each.name] = None
            elif asked:
                draft.ignored[str(each)] = None
        pins = self._pins(draft.asked, target)
        while True:
            before = {name: replace(want) for name, want in wants.items()}
            nodes: dict[str, _Node] = {}
            edges: dict[str, list[Requirement]] = {}
            waiting = list(roots)
            while waiting:
                name = waiting.pop(0)
                if name in nodes:
                    continue
                want = _pinned_want(wants[name], pins.get(name, ()))
                nodes[name] = node = self._node(name, want, target, arch)
                edges[name] = []
                for need in node.requires:
                    if self._applies(need, target, wants[name].extras):
                        wants[need.name].add(need)
                        edges[name].append(need)
                waiting += [each.name for each in edges[name]]
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
        best = self._find_candidate(name, want, target, arch)
        if best is not None or self._settings.publish:
            return best.path if best is not None else None
        fitting = [
            (Version(record.version), path)
            for path, record in built_wheels(self._output(arch), name)
            if record.version and want.specifier.contains(record.version) and fits(path, python)
        ]
        return max(fitting, default=(None, None))[1]

    def _find_candidate(self, name: str, want: _Want, target: int, arch: int) -> Candidate | None:
        """What policy chooses for *want* in the wheelhouse."""
        settings = self._settings
        host = Host(arch=settings.archs[arch], layer=settings.layer, python=settings.targets[target].python)
        asked = RequirementsFile((parse_requirement(f"{name}{want.specifier}"),))
        return picks(self._wheelhouse, asked, host)[0].best

    def _output(self, arch: int) -> str:
        """Wheels of two archs can have the same name, so each arch has a directory of its own."""
        parts = filter(None, [self._settings.layer, self._settings.archs[arch]])
        return os.path.join(self._options.output, *parts)

    def _resolve(self, file: RecipeFile | None, job: Job, version: str | None) -> Recipe:
        return resolved(file, job, version, *self._settled)

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
        recipe = self._resolve(file, job, pinned_version(job.requirement))
        entry = Entry(job=job, target=target, arch=arch, output=options.output, recipe=recipe)
        make_directory(options.logs)
        log = os.path.join(options.logs, f"{job.label}-plan.log")
        with suppress(FileNotFoundError):
            os.unlink(log)  # of a previous run
        phase = "source"
        try:
            if options.upstream is not None:
                return self._plan_wheel(entry, want, file, options, log)
            fetched = self._sources.fetch(recipe, job, options, log)
            job = replace(job, requirement=f"{name}=={fetched.version}")
            exact = self._resolve(file, job, fetched.version)
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
            node = _Node(entry, "", self._parse(requires, f"{name} {fetched.version}"))
            if self._settings.build_requires:
                phase = "build requirements"
                tools = self._sources.get_build_requires(fetched, exact, job, options, log)
                limits = constraint_lines(exact.build_requires, name) if exact.isolation else []
                tests = exact.test.requires if self._settings.tests else ()
                where = f"{name} {fetched.version}"
                node = node._replace(
                    tools=self._parse(tools, where),
                    limits=self._parse(limits, where),
                    tests=self._parse(tests, where),
                )
            return node
        except WheelhouseError as error:
            problem = f"{phase}: {describe(error)}"
            log = log if os.path.exists(log) else ""
            return _Node(replace(entry, problem=problem, log=log), "", ())

    def _plan_wheel(
        self, entry: Entry, want: _Want, file: RecipeFile | None, options: BuildOptions, log: str
    ) -> _Node:
        """The wheel of the index for *entry*, if it is newer than what the wheelhouse has for *want*."""
        job = entry.job
        found = self._sources.find_wheel(job, options, log)
        best = self._find_candidate(job.project, want, entry.target, entry.arch)
        if best is not None and best.version >= Version(found.version):
            job = replace(job, requirement=f"{job.project}=={best.version}")
            requires = self._parse(cached_metadata(best.path).requires_dist, best.path)
            return _Node(replace(entry, job=job, exists=best.path), "", requires)
        job = replace(job, requirement=f"{job.project}=={found.version}")
        fetched = self._sources.fetch_wheel(found, self._settings.forbidden, job, options, log)
        check_hash(fetched.path, want.hashes)
        # What the recipe says of resources is meant for a build.
        recipe = replace(self._resolve(file, job, fetched.version), resources=Resources())
        stated = self._sources.get_requires_dist(fetched, recipe, job, options, log)
        entry = replace(entry, job=replace(job, source=fetched.archive), recipe=recipe)
        return _Node(entry, "", self._parse(stated, f"{job.project} {fetched.version}"))


def _pinned(requirement: Requirement) -> str | None:
    return pinned_version(f"{requirement.name}{requirement.specifier}")


def _pinned_want(want: _Want, versions: Sequence[str]) -> _Want:
    """*want*; or of the *versions* that are asked for, and so built, the newest that satisfies it."""
    fitting = [each for each in versions if want.specifier.contains(each, prereleases=True)]
    if not fitting:
        return want
    return replace(want, specifier=SpecifierSet(f"=={max(fitting, key=Version)}"), asked=True)
