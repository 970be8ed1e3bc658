"""The graph of a plan: what is built, and what for; kept as JSON, drawn with Graphviz, and planned again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from wheelhouse_resolver.builder.planning.arrange import arranged
from wheelhouse_resolver.builder.planning.model import Entry, Key, Link, Plan, PlanSettings, Satisfied
from wheelhouse_resolver.builder.planning.planner import make_plan
from wheelhouse_resolver.builder.records.job import BuildOptions, SourceArchive
from wheelhouse_resolver.errors import FileProblemError
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.utils.serialise import from_plain, to_plain

#: Of the file; greater once a reader would misunderstand it.
_FORMAT = 1


class GraphFileError(FileProblemError, ValueError):
    """An invalid file with a graph."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """A build, or a wheel that exists.

    name:        as `Entry.name`; of a wheel its path.
    requirement: what is built: `numpy==1.26.4`. python, arch: what for. *python_path*: of that Python.
    source:      without its *path*. *recipe*, *recipe_sha256*: its file, and the hash of that.
    needs:       the builds before it.
    why:         from what was asked for to this, by what each requires of the next.
    wheel:       the path of one that exists; else empty.
    """

    name: str
    project: str
    requirement: str = ""
    python: str = ""
    python_path: str = ""
    arch: str = ""
    source: SourceArchive | None = None
    recipe: str | None = None
    recipe_sha256: str = ""
    needs: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    problem: str = ""
    wheel: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Edge:
    by: str
    to: str
    kind: str
    requirement: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """What `graph.json` holds. *build_requires*: the builds' own requirements are among the *nodes*."""

    nodes: tuple[Node, ...]
    links: tuple[_Edge, ...]
    layer: str | None = None
    build_requires: bool = False
    format: int = _FORMAT

    @classmethod
    def of(cls, plan: Plan) -> Graph:
        """The graph of *plan*."""
        reasons = _reasons(plan.links)
        names = {entry.key: entry.name for entry in plan.entries}
        wheels = [
            Node(name=each.path, project=each.requirement, wheel=each.path, why=reasons.get(each.path, ()))
            for each in plan.satisfied
        ]
        builds = [_node(entry, names, reasons.get(entry.name, ())) for entry in plan.entries]
        return cls(
            nodes=(*builds, *wheels),
            links=tuple(_Edge(**each._asdict()) for each in plan.links),
            layer=plan.settings.layer,
            build_requires=plan.settings.build_requires,
        )

    @staticmethod
    def read(path: str) -> Graph:
        """The graph in the JSON file at *path*. Raises `GraphFileError`."""
        try:
            with open(path, "rb") as file:
                found = from_plain(Graph, json.load(file))
        except OSError as error:
            raise GraphFileError.from_os(path, error, "cannot be read") from error
        except (ValueError, RecursionError) as error:
            raise GraphFileError(path, f"not a valid graph: {error}") from error
        if found.format != _FORMAT:
            raise GraphFileError(path, f"format {found.format} is unknown: this release knows {_FORMAT}")
        return found

    @property
    def builds(self) -> dict[str, Node]:
        """The nodes that are built, by name."""
        return {node.name: node for node in self.nodes if not node.wheel}

    def text(self) -> str:
        """As JSON."""
        return json.dumps(to_plain(self), indent=1) + "\n"

    def dot(self) -> str:
        """For Graphviz: builds are boxes, wheels that exist have no frame; what is for builds is dashed."""
        lines = ["digraph builds {", "  rankdir=LR;", "  node [shape=box];"]
        for node in self.nodes:
            shown = os.path.basename(node.wheel) if node.wheel else node.name
            more = ", shape=plaintext" if node.wheel else ", color=red" if node.problem else ""
            lines.append(f"  {_quoted(node.name)} [label={_quoted(shown)}{more}];")
        for each in self.links:
            if each.by:
                style = ", style=dashed" if each.kind == "build" else ""
                label = _quoted(each.requirement)
                lines.append(f"  {_quoted(each.by)} -> {_quoted(each.to)} [label={label}{style}];")
        return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _node(entry: Entry, names: Mapping[Key, str], why: tuple[str, ...]) -> Node:
    job = entry.job
    return Node(
        name=entry.name,
        project=job.project,
        requirement=job.requirement,
        python=job.python_version,
        python_path=job.python,
        arch=job.arch,
        source=replace(job.source, path="") if job.source is not None else None,
        recipe=entry.recipe.path,
        recipe_sha256=entry.recipe.digest,
        needs=tuple(names[need[0], need[1], entry.target, entry.arch] for need in sorted(entry.needs)),
        why=why,
        problem=entry.problem,
    )


def _reasons(links: tuple[Link, ...]) -> dict[str, tuple[str, ...]]:
    """For each thing the shortest way to it from what was asked for: the requirements. Pure."""
    found: dict[str, tuple[str, ...]] = {}
    below: dict[str, list[Link]] = {}
    for link in links:
        below.setdefault(link.by, []).append(link)
    waiting = [""]
    for by in waiting:
        for link in below.get(by, ()):
            if link.to not in found:
                found[link.to] = (*found.get(by, ()), link.requirement)
                waiting.append(link.to)
    return found


def replayed(
    graph: Graph, settings: PlanSettings, options: BuildOptions, *, say: Callable[[str], None]
) -> Plan:
    """The plan of *graph* again: the same versions, sources and order, whatever there is by now.

    A source that is not the same any more, and a build that needs a wheel that is gone, is a *problem* of its
    entry. *settings*: for the Pythons, archs and layer of the graph. Raises what `make_plan` raises.
    """
    builds = graph.builds
    asked = dict.fromkeys(node.requirement for node in builds.values())
    plan = make_plan(
        RequirementsFile(requirements=tuple(map(parse_requirement, asked))),
        replace(settings, recursive=False, build_requires=False),
        options,
        say=say,
    )
    gone = {each.wheel for each in graph.nodes if each.wheel and not os.path.exists(each.wheel)}
    entries = []
    for entry in plan.entries:
        node = builds.get(entry.name)
        if node is None:  # of a Python or arch that did not need it
            continue
        needs = frozenset((builds[each].project, builds[each].requirement) for each in node.needs)
        lost = [each.to for each in graph.links if each.by == node.name and each.to in gone]
        problem = entry.problem or _changed(entry, node)
        if lost and not problem:
            problem = f"graph: {lost[0]} is gone, which it needs"
        if node.recipe_sha256 != entry.recipe.digest:
            say(f"{entry.label}: its recipe has changed since")
        entries.append(replace(entry, needs=needs, problem=problem))
    wheels = [Satisfied(each.project, each.wheel) for each in graph.nodes if each.wheel]
    return Plan(
        settings=replace(settings, build_requires=graph.build_requires),
        waves=arranged(entries),
        satisfied=tuple(each for each in wheels if each.path not in gone),
        links=tuple(Link(each.by, each.to, each.kind, each.requirement) for each in graph.links),
    )


def _changed(entry: Entry, node: Node) -> str:
    """What is not as it was of its source; empty if it is the same."""
    now, then = entry.job.source, node.source
    if now is None or then is None:
        return ""
    for what, new, old in (
        ("sha256", now.content_sha256, then.content_sha256),
        ("origin", "" if now.content_sha256 else now.origin, "" if now.content_sha256 else then.origin),
    ):
        if new != old:
            return f"source: it is not that of the graph: its {what} is {new}, not {old}"
    return ""
