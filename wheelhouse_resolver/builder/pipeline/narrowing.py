"""What a built wheel requires of what it was compiled against, and the label that tells builds apart."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.builder.records.output import built_wheels
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.wheelfile.edit import Edits, edited_requirements, requirements_of
from wheelhouse_resolver.wheelfile.name import WheelName

#: What pip prints of an installation, also of one for an isolated build.
_INSTALLED = re.compile(rb"\s*Successfully installed (.+)$")

#: Bytes of a line of a log that are read at once: a build may print hundreds of megabytes in one line.
_LINE = 1 << 20

#: The project whose release is named in the local label where the plain name is taken.
_LABELLED = "torch"


def installed_by(log: str, offset: int = 0) -> dict[str, str]:
    """The versions (by normalised name) of what pip says in the file *log* that it has installed.

    offset: how much of it (bytes) is of earlier attempts.
    """
    found: dict[str, str] = {}
    with open(log, "rb") as file:
        file.seek(offset)
        for line in map(_INSTALLED.match, iter(partial(file.readline, _LINE), b"")):
            for each in line[1].decode("utf-8", "replace").split() if line else ():
                name, _, version = each.rpartition("-")
                found[canonicalize_name(name)] = version
    return found


def told_apart(wheel: str, edits: Edits, site: Site, output: str) -> Edits:
    """*edits* of *wheel* with a local label that names its torch (`torch210`) if its plain name is taken.

    Taken: by a wheel in *site* or *output* of the same version and tags, built against another torch.
    """
    torch = _requirement_on(_LABELLED, edits.narrow)
    if torch is None:
        return edits
    name, version, _, tags = WheelName.parse(os.path.basename(wheel))
    version = edits.version_of(version)
    others = [each for each in _others(site, output, edits.name or name) if each[1:] == (version, tags)]
    wanted = edited_requirements(wheel, requirements_of(wheel), edits)
    if all(_on(_LABELLED, requirements_of(path)) == _on(_LABELLED, wanted) for path, _, _ in others):
        return edits
    major, minor = Version(next(iter(torch.specifier)).version).release[:2]
    label = ".".join(filter(None, [f"{_LABELLED}{major}{minor}", edits.local_label]))
    return edits._replace(local_label=label)


def _others(site: Site, output: str, project: str) -> Iterable[tuple[str, Version, object]]:
    """The wheels of *project* in the wheelhouse and in *output*: path, version, tags."""
    for each in Tree(site).read(project, site.directories()) if os.path.isdir(site.root) else ():
        if isinstance(each, Candidate):
            yield each.path, each.version, each.tags
    for path, _ in built_wheels(output, project):
        name = WheelName.parse(os.path.basename(path))
        yield path, name.version, name.tags


def _on(project: str, requirements: Iterable[str]) -> set[str]:
    found = (_requirement_on(project, [each]) for each in requirements)
    return {str(each.specifier) for each in found if each is not None}


def _requirement_on(project: str, requirements: Iterable[str]) -> Requirement | None:
    for text in requirements:
        with suppress(InvalidRequirement):
            requirement = Requirement(text)
            if canonicalize_name(requirement.name) == project:
                return requirement
    return None
