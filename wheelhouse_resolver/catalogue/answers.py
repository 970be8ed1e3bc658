"""What the usual hosts get of many projects, and where one gets nothing, why not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from packaging.utils import NormalizedName

from wheelhouse_resolver.explain.why_not import why_not_each
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import other_version, running_python
from wheelhouse_resolver.selection.pick import ProjectFiles
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.reasons import place_of
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.site.layout import NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.workers import spread


class Outcome(NamedTuple):
    """What a host gets. wheel: as label/filename; empty: none. why: what `why-not` says then, in lines."""

    wheel: str
    why: tuple[str, ...] = ()


class Given(NamedTuple):
    """What several hosts, of these layers and Pythons, get alike."""

    hosts: str
    outcome: Outcome


def usual_hosts(site: Site, pythons: Sequence[str]) -> list[tuple[str, Host]]:
    """The usual hosts of *site*: without a layer, and with the highest arch of each; by what they are called.

    For each of *pythons*. Only those that run on the CPUs of this machine's family: of another one, nobody
    here knows which platforms its Python accepts.
    """
    found: list[tuple[str, Host]] = [(NO_LAYER, Host())]
    for layer in site.layers:
        for archs, kind in reversed(site.kinds_by_archs(layer).items()):
            if kind.family in (None, os.uname().machine):
                found.append((kind.label, Host(kind.arch, layer.name, archs)))
                break
    running = running_python()
    return [
        (f"{label}, Python {each}", host._replace(python=other_version(running, each)))
        for each in pythons
        for label, host in found
    ]


def outcomes(
    wheelhouse: Tree, names: Sequence[NormalizedName], hosts: Sequence[tuple[str, Host]], jobs: int = 1
) -> Mapping[str, list[Given]]:
    """What each of *hosts* gets of the projects *names*, worked out by *jobs* processes.

    Raises as `Wheelhouse.pick`.
    """
    found: dict[str, dict[Outcome, list[str]]] = {name: {} for name in names}
    work = partial(_of_host, wheelhouse, names)
    for (label, _), own in zip(hosts, spread(work, [host for _, host in hosts], jobs, 1), strict=True):
        for name, outcome in own.items():
            found[name].setdefault(outcome, []).append(label)
    return {
        name: [Given("; ".join(labels), outcome) for outcome, labels in those.items()]
        for name, those in found.items()
    }


def _of_host(wheelhouse: Tree, names: Sequence[NormalizedName], host: Host) -> dict[str, Outcome]:
    asked = RequirementsFile(tuple(map(parse_requirement, names)))
    policy = Policy.of(wheelhouse.site, host, asked)
    files = ProjectFiles(wheelhouse, host, names)
    picked = {str(each.name): files.decide(each, policy).best for each in asked.requirements}
    found = {name: Outcome(place_of(best)) for name, best in picked.items() if best is not None}
    lacking = tuple(each for each in asked.requirements if picked[each.name] is None)
    answers = why_not_each(wheelhouse, asked._replace(requirements=lacking), host) if lacking else ()
    return {**found, **{each.asked.name: Outcome("", tuple(each.lines())) for each in answers}}
