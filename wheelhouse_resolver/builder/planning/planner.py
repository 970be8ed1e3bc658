"""What is to be built: the packages asked for, what they need, for each Python and arch, in waves.

Nothing is built here, but sources are fetched: only they know which version there is, and what it requires.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from wheelhouse_resolver.builder.planning.source_metadata import requirements_of_source
from wheelhouse_resolver.builder.planning.waves import leaders, waves
from wheelhouse_resolver.builder.recipes.loader import RecipeFile, find_recipe, recipe_directories
from wheelhouse_resolver.builder.recipes.model import Recipe, no_recipe
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.records.previous import built_wheels
from wheelhouse_resolver.builder.sources.fetch import fetch
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.builder.toolchain.command_environment import command_environment
from wheelhouse_resolver.builder.toolchain.provenance import host_facts
from wheelhouse_resolver.builder.toolchain.variables import base_environ, pip_text
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.interpreters import Target
from wheelhouse_resolver.host.target_python import marker_environment
from wheelhouse_resolver.selection.pick import picks
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile, parse_requirement
from wheelhouse_resolver.tree.compatibility import fits
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata

#: pip's configuration without what the site itself has made.
_UPSTREAM = "upstream.conf"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One build of the plan.

    job:     what is to be built, with its version pinned.
    target, arch: its places in the orders of the Pythons and archs.
    output:  the directory for wheels of its layer and arch.
    version, source_sha256: of the source.
    recipe:  resolved for it.
    needs:   the projects of the plan that it requires, for the same Python and arch.
    problem: why it cannot be built; empty if it can be tried. *log*: of that.
    """

    job: Job
    target: int
    arch: int
    output: str
    version: str = ""
    source_sha256: str = ""
    recipe: Recipe
    needs: frozenset[str] = frozenset()
    problem: str = ""
    log: str = ""

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from the other entries of the plan."""
        return self.job.project, self.target, self.arch

    @property
    def label(self) -> str:
        """For people: `numpy 1.26.4 cp311 avx2`."""
        what = f"{self.job.project} {self.version}" if self.version else self.job.requirement
        return f"{what} cp{self.job.python_version.replace('.', '')} {self.job.arch}"


class Satisfied(NamedTuple):
    """A requirement that needs no build: its *requirement*, and the *path* of the wheel that satisfies it."""

    requirement: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to build, in waves, and for which Pythons; what is there already; what was left out and why."""

    targets: tuple[Target, ...]
    waves: tuple[tuple[Entry, ...], ...]
    satisfied: tuple[Satisfied, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def entries(self) -> list[Entry]:
        """All builds, in an order in which each comes after what it needs."""
        return [entry for wave in self.waves for entry in wave]


@dataclass(kw_only=True, slots=True)
class _Want:
    """What is wanted of a project by all who require it; it only grows."""

    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    extras: set[str] = field(default_factory=set)
    asked: bool = False


class _Node(NamedTuple):
    """A project for one Python and arch: to be built (*entry*), or there (*path*); all that it *requires*."""

    entry: Entry | None
    path: str
    requires: tuple[Requirement, ...]


Say = Callable[[str], None]


def make_plan(
    asked: RequirementsFile,
    targets: Sequence[Target],
    archs: Sequence[str],
    layer: str | None,
    options: BuildOptions,
    *,
    recursive: bool,
    scratch: str,
    publish: bool = False,
    say: Say = lambda _: None,
) -> Plan:
    """What is to be built so that every target on every arch has the requirements of *asked*.

    asked:     its constraints limit the versions of all that is built.
    targets:   in the order of their versions.
    archs:     names of the ladder, or `generic`.
    options:   of all builds; each arch gets a directory of its own below `output`.
    recursive: also what the built wheels require, and the wheelhouse and the output directory have not.
    scratch:   a directory for sources, to be removed afterwards.
    publish:   what is not in the wheelhouse yet is in the plan, so that it gets there, whoever has built it.
    say:       is told what is being looked at.

    Raises `CycleError`; what recipes raise that are wrong; `PythonError`, `OutputError`. A source that cannot
    be had is a *problem* of its entry.
    """
    planner = _Planner(list(targets), list(archs), layer, options, recursive, scratch, publish, say)
    return planner.plan(asked)


class _Planner:
    def __init__(
        self,
        targets: list[Target],
        archs: list[str],
        layer: str | None,
        options: BuildOptions,
        recursive: bool,
        scratch: str,
        publish: bool,
        say: Say,
    ) -> None:
        self._targets = targets
        self._archs = archs
        self._layer = layer
        self._options = options
        self._recursive = recursive
        self._scratch = scratch
        self._publish = publish
        self._say = say
        self._recipes = recipe_directories(options.site)
        self._wheelhouse = Tree(options.site)
        self._fetched: dict[tuple[str, str, int], Fetched | WheelhouseError] = {}
        self._nodes: dict[tuple[str, str, int, int, bool], _Node] = {}

    def plan(self, asked: RequirementsFile) -> Plan:
        entries: dict[tuple[str, int, int], Entry] = {}
        satisfied: dict[Satisfied, None] = {}
        ignored: dict[str, None] = {}
        for arch in range(len(self._archs)):
            for target in range(len(self._targets)):
                nodes, edges = self._closure(asked, target, arch, ignored)
                for name, node in nodes.items():
                    if node.entry is None:
                        satisfied[Satisfied(name, node.path)] = None
                    else:
                        needs = frozenset(_built_below(name, nodes, edges))
                        entries[node.entry.key] = replace(node.entry, needs=needs)
        order = {
            key: [
                *((need, entry.target, entry.arch) for need in entry.needs),
                *((entry.job.project, *each) for each in leaders(entry.target, entry.arch)),
            ]
            for key, entry in entries.items()
        }
        return Plan(
            targets=tuple(self._targets),
            waves=tuple(tuple(entries[key] for key in wave) for wave in waves(order, lambda key: key[0])),
            satisfied=tuple(satisfied),
            ignored=tuple(ignored),
        )

    # -- what is needed ------------------------------------------------------------------------------

    def _closure(
        self, asked: RequirementsFile, target: int, arch: int, ignored: dict[str, None]
    ) -> tuple[dict[str, _Node], dict[str, list[str]]]:
        """The projects that *asked* leads to, and what each requires. Wants grow until they agree."""
        wants: dict[str, _Want] = defaultdict(_Want)
        for each in asked.constraints:
            if self._concerns(each, target, ()):
                wants[each.name].specifier &= each.specifier
        for each in asked.requirements:
            if self._concerns(each, target, ()):
                _add(wants, each).asked = True
            else:
                ignored[str(each)] = None
        while True:
            before = _snapshot(wants)
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
                    if self._concerns(need, target, wants[name].extras):
                        _add(wants, need)
                        edges[name].append(need.name)
                waiting += edges[name]
            if _snapshot(wants) == before:
                return nodes, edges

    def _concerns(self, requirement: Requirement, target: int, extras: Collection[str]) -> bool:
        """Whether its marker holds for that Python, for a wheel wanted with *extras* (PEP 508)."""
        if requirement.marker is None:
            return True
        environment = marker_environment(self._targets[target].python)
        return any(
            requirement.marker.evaluate({**environment, "extra": extra}) for extra in ("", *sorted(extras))
        )

    def _node(self, name: str, want: _Want, target: int, arch: int) -> _Node:
        key = (name, str(want.specifier), target, arch, want.asked)
        if key not in self._nodes:
            there = None if want.asked else self._there(name, want, target, arch)
            if there is not None:
                needs = cached_metadata(there).requires_dist
                self._nodes[key] = _Node(None, there, self._parsed(needs, there))
            else:
                self._nodes[key] = self._to_build(name, want, target, arch)
        return self._nodes[key]

    def _parsed(self, requirements: Sequence[str], where: str) -> tuple[Requirement, ...]:
        return tuple(parse_requirement(each, where) for each in requirements) if self._recursive else ()

    def _there(self, name: str, want: _Want, target: int, arch: int) -> str | None:
        """The wheel that satisfies *want* already: of the wheelhouse, else of an earlier run."""
        python = self._targets[target].python
        host = Host(arch=self._archs[arch], layer=self._layer, python=python)
        asked = RequirementsFile((parse_requirement(f"{name}{want.specifier}"),))
        best = picks(self._wheelhouse, asked, host)[0].best
        if best is not None or self._publish:
            return best.path if best is not None else None
        fitting = [
            (Version(record.version), path)
            for path, record in built_wheels(self._output(arch), name)
            if record.version and want.specifier.contains(record.version) and fits(path, python)
        ]
        return max(fitting)[1] if fitting else None

    # -- sources -------------------------------------------------------------------------------------

    def _output(self, arch: int) -> str:
        """Wheels of two archs can have one name, so each arch has a directory of its own."""
        return os.path.join(self._options.output, *filter(None, [self._layer, self._archs[arch]]))

    def _to_build(self, name: str, want: _Want, target: int, arch: int) -> _Node:
        python = self._targets[target]
        requirement = f"{name}{want.specifier}"
        self._say(f"looking at {requirement} for Python {python.version}")
        file = find_recipe(name, self._recipes)
        job = Job(
            requirement=requirement,
            project=name,
            python=python.path,
            python_version=python.version,
            arch=self._archs[arch],
            layer=self._layer,
        )
        entry = Entry(job=job, target=target, arch=arch, output=self._output(arch), recipe=no_recipe(name))
        logs = self._options.logs or os.path.join(self._options.work, "logs")
        log = os.path.join(logs, f"{job.label}-plan.log")
        make_directory(logs)
        with suppress(FileNotFoundError):
            os.unlink(log)  # what an earlier run said
        environ = self._environ(job, entry.output)
        try:
            fetched = self._source(job, file, target, log, environ)
        except WheelhouseError as error:
            return _failed(entry, f"source: {error}", log)
        entry = replace(
            entry,
            job=replace(job, requirement=f"{name}=={fetched.version}"),
            version=fetched.version,
            source_sha256=fetched.sha256,
        )
        if file is not None:
            recipe = file.resolve(Version(fetched.version), python.version, self._layer, job.arch)
            entry = replace(entry, recipe=recipe)
        if not self._recursive:
            return _Node(entry, "", ())
        try:
            needs = self._needs(entry, fetched, log, environ)
            return _Node(entry, "", self._parsed(needs, f"{name} {fetched.version}"))
        except WheelhouseError as error:
            return _failed(entry, f"metadata: {error}", log)

    def _needs(self, entry: Entry, fetched: Fetched, log: str, environ: dict[str, str]) -> list[str]:
        recipe = entry.recipe
        scratch = os.path.dirname(environ["TMPDIR"])
        environ, _ = command_environment(
            recipe, fetched, entry.job, self._options.site, environ=environ, scratch=scratch
        )
        return requirements_of_source(fetched, recipe, python=entry.job.python, log=log, environ=environ)

    def _source(
        self, job: Job, file: RecipeFile | None, target: int, log: str, environ: dict[str, str]
    ) -> Fetched:
        """The source, fetched once for all archs unless a recipe may say otherwise."""
        key = (job.requirement, job.arch if file is not None else "", target)
        if key not in self._fetched:
            directory = os.path.join(self._scratch, f"source-{len(self._fetched)}")
            os.mkdir(directory)
            try:
                self._fetched[key] = fetch(
                    file if file is not None else no_recipe(job.project),
                    job.requirement,
                    python=job.python,
                    directory=directory,
                    log=log,
                    environ=environ,
                    python_version=job.python_version,
                    layer=job.layer,
                    arch=job.arch,
                    wheels_config=os.path.join(os.path.dirname(environ["TMPDIR"]), _UPSTREAM),
                )
            except WheelhouseError as error:
                self._fetched[key] = error
        found = self._fetched[key]
        if isinstance(found, WheelhouseError):
            raise found
        return found

    def _environ(self, job: Job, output: str) -> dict[str, str]:
        """The environment that the builds will have, too."""
        directory = os.path.join(self._scratch, f"environ-{job.python_version}-{job.arch}")
        if not os.path.isdir(directory):
            make_directory(os.path.join(directory, "tmp"))
            _, runnable = host_facts(self._options.site, job.python, os.environ)
            options = replace(self._options, output=output)
            for name in ("pip.conf", _UPSTREAM):
                text = pip_text(job, options, runnable, upstream=name == _UPSTREAM)
                write_text(os.path.join(directory, name), text)
        return base_environ(os.environ, directory)


def _failed(entry: Entry, problem: str, log: str) -> _Node:
    """*entry* with what stops it, and with the *log* if anything was run that wrote one."""
    return _Node(replace(entry, problem=problem, log=log if os.path.exists(log) else ""), "", ())


def _add(wants: dict[str, _Want], requirement: Requirement) -> _Want:
    want = wants[requirement.name]
    want.specifier &= requirement.specifier
    want.extras |= requirement.extras
    return want


def _snapshot(wants: dict[str, _Want]) -> dict[str, tuple[str, frozenset[str]]]:
    return {name: (str(want.specifier), frozenset(want.extras)) for name, want in wants.items()}


def _built_below(name: str, nodes: dict[str, _Node], edges: dict[str, list[str]]) -> set[str]:
    """The projects to be built that *name* requires, also by way of others that are there already. Pure."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = list(edges[name])
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        if nodes[each].entry is not None:
            found.add(each)
        else:
            waiting.extend(edges[each])
    return found - {name}
