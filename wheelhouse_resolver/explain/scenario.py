"""What would be if: the policy asked again with one thing of it changed.

Everything is decided by `pick.decide`, a pure function of what a `Scenario` holds; only the METADATA of the
wheel that would win is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.errors import UnreadableWheelError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import marker_environment, python_version
from wheelhouse_resolver.selection.pick import decide
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import Requirement, parse_requirement
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata

__all__ = [
    "Scenario",
    "able_archs",
    "contradictory",
    "forbidding",
    "problem_of",
    "python_name",
    "reachable",
    "respecified",
]


class Scenario(NamedTuple):
    """All that the policy goes by, so that one thing of it can be changed.

    host:       as the site judges it.
    files:      the project's, in all directories of the site.
    problem_of: why pip fails on a wheel that it has chosen; empty if it doesn't.
    """

    site: Site
    host: Host
    asked: Requirement
    policy: Policy
    files: tuple[Candidate | InvalidFilename, ...]
    problem_of: Callable[[Candidate], str]

    def searched(self) -> list[Candidate | InvalidFilename]:
        """The files in the host's search path, as those of its layer: layers may share directories."""
        path = {directory.path: directory for directory in self.site.search_path(self.host)}
        return [
            each._replace(directory=path[each.directory.path])
            for each in self.files
            if each.directory.path in path
        ]

    def chosen(self) -> Candidate | None:
        """The wheel that policy chooses, sound or not."""
        return decide(self.asked, self.policy, self.searched()).best

    def gives(self) -> Candidate | None:
        """The wheel that is picked, if pip can go on with it."""
        best = self.chosen()
        return best if best is not None and not self.problem_of(best) else None

    def about(self, name: NormalizedName, files: Iterable[Candidate | InvalidFilename]) -> Scenario:
        """The same for the project *name*, which has *files*."""
        asked = respecified(self.asked, self.asked.specifier, name)
        return self._replace(asked=asked, files=tuple(files))

    def asking(self, specifier: SpecifierSet) -> Scenario:
        """The same for the versions that *specifier* allows."""
        return self._replace(asked=respecified(self.asked, specifier))


def problem_of(candidate: Candidate) -> str:
    """Why pip fails on *candidate* once it has chosen it; empty if it goes on.

    It reads the METADATA, and compares name and version with those of the file name.
    """
    try:
        needs = cached_metadata(candidate.path)
    except UnreadableWheelError as error:
        return error.problem
    if canonicalize_name(needs.name) != candidate.name:
        return f"its METADATA says that it is {needs.name or 'nothing'}"
    try:
        same = Version(needs.version) == candidate.version
    except InvalidVersion:
        same = False
    return "" if same else f"its METADATA says that it is version {needs.version or 'none'}"


def respecified(
    asked: Requirement, specifier: SpecifierSet, name: NormalizedName | None = None
) -> Requirement:
    """*asked* with another *specifier*, and with another *name* if one is given."""
    extras = f"[{','.join(sorted(asked.extras))}]" if asked.extras else ""
    marker = f"; {asked.marker}" if asked.marker is not None else ""
    return parse_requirement(f"{name or asked.name}{extras}{specifier}{marker}")


def contradictory(specifier: SpecifierSet) -> bool:
    """Whether two clauses of *specifier* rule each other out, such as `>=2,<1`: no version can satisfy it."""
    clauses = [
        (each.operator, Version(Version(each.version).public))
        for each in specifier
        if each.operator != "===" and "*" not in each.version
    ]
    # Of two equal bounds, one that excludes itself is enough.
    least = [
        (version, operator == ">") for operator, version in clauses if operator in (">", ">=", "~=", "==")
    ]
    most = [(version, operator == "<") for operator, version in clauses if operator in ("<", "<=", "==")]
    return any(
        low > high or (low == high and (above or below)) for low, above in least for high, below in most
    )


def python_name(policy: Policy) -> str:
    """The target Python as people call it: `3.11`, `3.13t` (free-threaded), `PyPy 3.10`."""
    version = python_version(policy.target)
    kind = marker_environment(policy.target)["platform_python_implementation"]
    threaded = any(tag.abi == f"cp{version.major}{version.minor}t" for tag in policy.priorities)
    prefix = "" if kind == "CPython" else f"{kind} "
    return f"{prefix}{version.major}.{version.minor}{'t' if threaded else ''}"


def able_archs(site: Site, host: Host) -> tuple[str, ...]:
    """The archs that *host* can run, low to high, as the ladder names them."""
    if host.archs:
        return host.archs
    highest = site.arch(host.arch, site.layer(host.layer))
    return site.lower(highest) if highest is not None else ()


def reachable(site: Site, layer: str | None) -> set[str]:
    """The directories that some host of *layer* searches: layers may share some."""
    archs = (GENERIC, *(arch.name for arch in site.ladder))
    return {each.path for arch in archs for each in site.search_path_for(layer, arch)}


def forbidding(candidate: Candidate, now: Scenario) -> list[str]:
    """The constraints that forbid *candidate*, each with where it stands."""
    against = [
        each
        for each in now.policy.constraints_on(candidate.name)
        if not each.specifier.contains(str(candidate.version), prereleases=True)
    ]
    return [f"{each} ({each.where})" if each.where else str(each) for each in against]
