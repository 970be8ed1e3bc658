"""Questions about one requirement, to the functions that answer many."""

from __future__ import annotations

from wheelhouse_resolver.explain.answer import Answer
from wheelhouse_resolver.explain.why_not import why_not_each
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.pick import Pick, picks
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile, parse_requirement
from wheelhouse_resolver.tree.reader import Tree


def _asked(requirement: str | Requirement, files: RequirementsFile | None) -> RequirementsFile:
    asked = parse_requirement(requirement) if isinstance(requirement, str) else requirement
    return (files or RequirementsFile())._replace(requirements=(asked,))


def pick(
    wheelhouse: Tree, requirement: str | Requirement, host: Host, *, files: RequirementsFile | None = None
) -> Pick:
    (found,) = picks(wheelhouse, _asked(requirement, files), host)
    return found


def why_not(
    wheelhouse: Tree, requirement: str | Requirement, host: Host, *, files: RequirementsFile | None = None
) -> Answer:
    (found,) = why_not_each(wheelhouse, _asked(requirement, files), host)
    return found
