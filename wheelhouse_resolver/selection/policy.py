"""The policy: which wheels of a project are allowed on a host, and in which order.

`pick` chooses by it for one requirement, `resolve` for a whole closure. The order itself is `policy_key`, the
one place where it is written down. Everything here is a pure function of names and the target Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse_resolver.host.target_python import marker_environment, supported_tags
from wheelhouse_resolver.selection.reasons import python_labels
from wheelhouse_resolver.selection.requirements import RequirementsFile, read_requirements
from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
from wheelhouse_resolver.utils.text import is_true

if TYPE_CHECKING:
    from packaging.markers import Marker
    from packaging.specifiers import SpecifierSet
    from packaging.tags import Tag
    from packaging.version import Version

    from wheelhouse_resolver.host.detect import Host
    from wheelhouse_resolver.host.target_python import TargetPython
    from wheelhouse_resolver.selection.requirements import Requirement
    from wheelhouse_resolver.site.model import Site

__all__ = ["Policy", "builds_by_version", "policy_key", "site_constraints"]


def policy_key(
    candidate: Candidate, priorities: Mapping[Tag, int]
) -> tuple[Version, int, int, tuple[int, str]]:
    """The order of candidates: the greatest key is the one to pick. Total up to equal file names.

    *priorities*: the target Python's wheel tags, the best with the lowest number; the candidate must have
    one of them. pip's own key is (version, tag, build tag, URL): with the rank stamped into the
    build tag the two agree, except between different tags of one version.
    """
    number, text = candidate.build or (-1, "")
    return (
        candidate.version,  # the newest; a local label counts (PEP 440)
        candidate.directory.rank,  # of one version the most specific directory
        -min(priorities[tag] for tag in candidate.tags if tag in priorities),  # the best wheel tag
        (number, text),  # the highest build tag; any beats none (PEP 427)
    )


def site_constraints(site: Site, environ: Mapping[str, str]) -> RequirementsFile:
    """The constraints and the `pre` of the site's [pip] table, as pip would obey them on install."""
    install = site.pip.get("install", {})
    found = RequirementsFile(prereleases=is_true(install.get("pre", site.pip.get("pre", False))))
    stated = install.get("constraint", site.pip.get("constraint", ()))
    for path in (stated,) if isinstance(stated, str) else stated:
        found = found.merge(read_requirements(str(path), environ, constraints=True))
    return found


def builds_by_version(ordered: Iterable[Candidate]) -> list[list[Candidate]]:
    """*ordered* candidates, newest first, as one list for each version.

    Only the first of a list is a candidate for pip (>= 20.3): when that cannot be used, for its
    Requires-Python, say, the next older version is tried, not a lower build.
    """
    return [list(builds) for _, builds in groupby(ordered, lambda candidate: candidate.version)]


@lru_cache(maxsize=32)
def _priorities(target: TargetPython) -> Mapping[Tag, int]:
    return {tag: number for number, tag in enumerate(supported_tags(target))}


@lru_cache(maxsize=32)
def _python_name(target: TargetPython) -> str:
    return python_labels([next(iter(_priorities(target)))])[0]  # the best tag is the most specific one


@lru_cache(maxsize=32)
def _platforms(target: TargetPython) -> frozenset[str]:
    return frozenset(tag.platform for tag in _priorities(target))


class Policy:
    """The rules in force on one host of a site.

    site:        whose [pip] table counts.
    target:      the Python that wheels are chosen for.
    priorities:  its wheel tags, the best with the lowest number.
    constraints: of the site and of the files given, whether or not they concern this Python.
    prereleases: True when the site or a file says `--pre`, else None: PEP 440 decides.

    Raises what `site_constraints` and `supported_tags` raise.
    """

    __slots__ = ("_environment", "_formats", "constraints", "prereleases", "priorities", "site", "target")

    def __init__(self, site: Site, host: Host, files: RequirementsFile | None = None) -> None:
        environ: Mapping[str, str] = host.machine.environ if host.machine is not None else {}
        given = site_constraints(site, environ).merge(files or RequirementsFile())
        self.site = site
        self.target = host.python
        self.priorities = _priorities(host.python)
        self.constraints = given.constraints
        self.prereleases = True if given.prereleases else None
        self._environment: dict[str, str] | None = None
        self._formats: dict[str, frozenset[str]] = {}

    @property
    def python_name(self) -> str:
        """The target Python as people call it: `3.11`, `3.13t` (free-threaded), `PyPy 3.10`."""
        return _python_name(self.target)

    @property
    def platforms(self) -> frozenset[str]:
        """The platforms of the wheel tags that the target Python accepts."""
        return _platforms(self.target)

    def replace(
        self,
        *,
        site: Site | None = None,
        target: TargetPython | None = None,
        constraints: tuple[Requirement, ...] | None = None,
        prereleases: bool | None = None,
    ) -> Policy:
        """The same rules but for what is given: for asking what would be if."""
        from copy import copy

        other = copy(self)
        other.site, other.target = site or self.site, target or self.target
        other.priorities = _priorities(other.target)
        other.constraints = self.constraints if constraints is None else constraints
        other.prereleases = self.prereleases if prereleases is None else prereleases
        other._environment, other._formats = None, {}
        return other

    def marker_applies(self, marker: Marker | None, extras: Iterable[str] = ()) -> bool:
        """Whether *marker* holds for the target Python, with one of *extras* (or none)."""
        if marker is None:
            return True
        if self._environment is None:
            self._environment = marker_environment(self.target)
        environment = self._environment
        return any(marker.evaluate({**environment, "extra": extra}) for extra in tuple(extras) or ("",))

    def split_by_marker(
        self, requirements: Iterable[Requirement]
    ) -> tuple[list[Requirement], tuple[str, ...]]:
        """Those of *requirements* that concern the target Python, and a warning for each other one."""
        found: list[Requirement] = []
        ignored: list[str] = []
        for each in requirements:
            if self.marker_applies(each.marker):
                found.append(each)
            else:
                ignored.append(f"ignored {each}: its marker does not hold for this Python")
        return found, tuple(ignored)

    def constraints_on(self, project: str) -> list[Requirement]:
        """The constraints on the project of that normalised name that concern the target Python."""
        return [
            each for each in self.constraints if each.name == project and self.marker_applies(each.marker)
        ]

    def allows_binary(self, project: str) -> bool:
        """Whether the site's [pip] table lets pip take wheels of *project* on install (`no-binary`)."""
        without = self._named("no-binary")
        return project not in without and (":all:" not in without or project in self._named("only-binary"))

    def _named(self, option: str) -> frozenset[str]:
        """What the [pip] table gives for *option*: normalised names, and `:all:`."""
        if option not in self._formats:
            stated = self.site.pip.get("install", {}).get(option, self.site.pip.get(option, ()))
            texts = [stated] if isinstance(stated, str) else stated
            words = [word.strip() for text in texts for word in str(text).split(",")]
            self._formats[option] = frozenset(
                word if word == ":all:" else canonicalize_name(word) for word in words if word
            )
        return self._formats[option]

    def sort_candidates(
        self, files: Iterable[Candidate | InvalidFilename]
    ) -> tuple[list[Candidate], list[Candidate | InvalidFilename]]:
        """Those of *files* that the target Python can install, the best first, and the others."""
        fit: list[Candidate] = []
        unfit: list[Candidate | InvalidFilename] = []
        for each in files:
            if isinstance(each, InvalidFilename) or not any(tag in self.priorities for tag in each.tags):
                unfit.append(each)
            else:
                fit.append(each)
        # Sorted by path first, so that equal keys keep one order, whatever the directory listing's.
        fit.sort(key=lambda candidate: candidate.path)
        fit.sort(key=lambda candidate: policy_key(candidate, self.priorities), reverse=True)
        return fit, unfit

    def filter_versions(self, candidates: Sequence[Candidate], specifier: SpecifierSet) -> list[Candidate]:
        """Those of one project's *candidates* that *specifier* lets pass, in the same order."""
        # All versions at once: pre-releases are let in when there is nothing else (PEP 440).
        versions = {id(candidate.version): candidate.version for candidate in candidates}
        passed = set(map(id, specifier.filter(versions.values(), prereleases=self.prereleases)))
        return [each for each in candidates if id(each.version) in passed]
