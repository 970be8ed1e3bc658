"""The policy: which wheels of a project are allowed on a host, and in which order.

`pick` chooses by it for one requirement, `resolve` for a whole closure. The order itself is `policy_key`, the
one place where it is written down. Everything here is a pure function of names and the target Python.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import TargetPython, marker_environment, supported_tags
from wheelhouse_resolver.selection.reasons import python_labels
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile, read_requirements
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, Installable, SourceArchive, TreeFile
from wheelhouse_resolver.utils.text import is_true

if TYPE_CHECKING:
    from packaging.markers import Marker  # packaging's parser takes 10 ms to import

#: Wheels alone, or source archives too.
T = TypeVar("T", Candidate, Installable)


def policy_key(
    candidate: Installable, priorities: Mapping[Tag, int]
) -> tuple[Version, bool, int, int, tuple[int, str]]:
    """The order of candidates: the greatest key is the one to pick. Total up to equal file names.

    *priorities*: the target Python's wheel tags, the best with the lowest number; the candidate must have
    one of them. pip's own key is (version, tag, build tag, URL): with the rank stamped into the
    build tag the two agree, except between different tags of one version. Source archives of one version have
    equal keys: pip goes by the URL.
    """
    if isinstance(candidate, SourceArchive):
        return (candidate.version, False, 0, 0, (-1, ""))
    number, text = candidate.build or (-1, "")
    return (
        candidate.version,  # the newest; a local label counts (PEP 440)
        True,  # of one version a wheel before a source archive
        candidate.directory.rank,  # of one version the most specific directory
        -min(priorities[tag] for tag in candidate.tags if tag in priorities),  # the best wheel tag
        (number, text),  # the highest build tag; any beats none (PEP 427)
    )


def builds_by_version(ordered: Iterable[T]) -> list[list[T]]:
    """*ordered* candidates, newest first, as one list for each version.

    Only the first of a list is a candidate for pip (>= 20.3): when that cannot be used, for its
    Requires-Python, say, the next older version is tried, not a lower build.
    """
    return [list(builds) for _, builds in groupby(ordered, lambda candidate: candidate.version)]


@lru_cache(maxsize=32)
def _priorities(target: TargetPython) -> Mapping[Tag, int]:
    return {tag: number for number, tag in enumerate(supported_tags(target))}


@lru_cache(maxsize=32)
def _platforms(target: TargetPython) -> frozenset[str]:
    return frozenset(tag.platform for tag in _priorities(target))


_environment = lru_cache(maxsize=32)(marker_environment)


def _pip_option(site: Site, name: str) -> Any:
    """What pip would take for an option of the site's [pip] table on install: True, texts, ()."""
    return site.pip.get("install", {}).get(name, site.pip.get(name, ()))


def _texts(value: Any) -> Iterable[str]:
    return (value,) if isinstance(value, str) else map(str, value)


def _projects(site: Site, option: str) -> frozenset[str]:
    """The normalised names that the [pip] table gives for *option*, and `:all:`."""
    words = [word.strip() for text in _texts(_pip_option(site, option)) for word in text.split(",")]
    return frozenset(word if word == ":all:" else canonicalize_name(word) for word in words if word)


class Policy(NamedTuple):
    """The rules in force on one host of a site.

    target:      the Python that wheels are chosen for.
    constraints: of the site and of the files given, whether or not they concern this Python.
    prereleases: True when the site or a file says `--pre`, else None: PEP 440 decides.
    no_binary:   of which projects pip takes no wheels on install, or `:all:`; only_binary: the exceptions.
    only_binary: of which it takes no source archives, likewise.
    prefer_binary: whether any wheel comes before every source archive.
    """

    target: TargetPython
    constraints: tuple[Requirement, ...]
    prereleases: bool | None
    no_binary: frozenset[str]
    only_binary: frozenset[str]
    prefer_binary: bool = False

    @classmethod
    def of(cls, site: Site, host: Host, files: RequirementsFile) -> Policy:
        """The rules on *host*: those of the [pip] table of *site*, as pip would obey it, and of *files*.

        Raises `RequirementsFileError` and `InvalidRequirementError` for the site's constraints.
        """
        environ: Mapping[str, str] = host.machine.environ if host.machine is not None else {}
        stated = [
            read_requirements(path, environ, constraints=True)
            for path in _texts(_pip_option(site, "constraint"))
        ]
        given = RequirementsFile().merge(*stated, files)
        return cls(
            target=host.python,
            constraints=given.constraints,
            prereleases=True if given.prereleases or is_true(_pip_option(site, "pre")) else None,
            no_binary=_projects(site, "no-binary"),
            only_binary=_projects(site, "only-binary"),
            prefer_binary=is_true(_pip_option(site, "prefer-binary")),
        )

    @property
    def priorities(self) -> Mapping[Tag, int]:
        """The wheel tags that the target Python accepts, the best with the lowest number."""
        return _priorities(self.target)

    @property
    def python_name(self) -> str:
        """The target Python as people call it: `3.11`, `3.13t` (free-threaded), `PyPy 3.10`."""
        return python_labels([next(iter(self.priorities))])[0]  # the best tag is the most specific one

    @property
    def platforms(self) -> frozenset[str]:
        """The platforms of the wheel tags that the target Python accepts."""
        return _platforms(self.target)

    def marker_applies(self, marker: Marker | None, extras: Iterable[str] = ()) -> bool:
        """Whether *marker* holds for the target Python, with one of *extras* (or none)."""
        if marker is None:
            return True
        environment = _environment(self.target)
        return any(marker.evaluate({**environment, "extra": extra}) for extra in tuple(extras) or ("",))

    def split_by_marker(
        self, requirements: Sequence[Requirement]
    ) -> tuple[list[Requirement], tuple[str, ...]]:
        """Those of *requirements* that concern the target Python, and a warning for each other one."""
        found = [each for each in requirements if self.marker_applies(each.marker)]
        ignored = [each for each in requirements if not self.marker_applies(each.marker)]
        return found, tuple(f"ignored {each}: its marker does not hold for this Python" for each in ignored)

    def constraints_on(self, project: str) -> list[Requirement]:
        """The constraints on the project of that normalised name that concern the target Python."""
        return [
            each for each in self.constraints if each.name == project and self.marker_applies(each.marker)
        ]

    def narrowed(self, specifier: SpecifierSet, project: str) -> SpecifierSet:
        """*specifier*, and what the constraints on *project* let pass of it."""
        for constraint in self.constraints_on(project):
            specifier &= constraint.specifier
        return specifier

    def allows_binary(self, project: str) -> bool:
        """Whether the site's [pip] table lets pip take wheels of *project* on install (`no-binary`)."""
        without = self.no_binary
        return project not in without and (":all:" not in without or project in self.only_binary)

    def allows_source(self, project: str) -> bool:
        """Whether the site's [pip] table lets pip build *project* on install (`only-binary`)."""
        only = self.only_binary
        return project not in only and (":all:" not in only or project in self.no_binary)

    def sort_candidates(self, files: Iterable[TreeFile]) -> tuple[list[Installable], list[TreeFile]]:
        """Those of *files* that pip could take for the target Python, the best first, and the others."""
        priorities, all_wheels = self.priorities, not self.no_binary
        fit: list[Installable] = []
        unfit: list[TreeFile] = []
        for each in files:
            if isinstance(each, Candidate):
                able = all_wheels or self.allows_binary(each.name)
                if able and any(tag in priorities for tag in each.tags):
                    fit.append(each)
                    continue
            elif isinstance(each, SourceArchive) and self.allows_source(each.name):
                fit.append(each)
                continue
            unfit.append(each)
        # Sorted by path first, so that equal keys keep one order, whatever the directory listing's.
        fit.sort(key=lambda candidate: candidate.path)
        fit.sort(key=lambda candidate: policy_key(candidate, priorities), reverse=True)
        if self.prefer_binary:
            # A version that has a wheel stays together: pip tries no version twice.
            wheels = {each.version for each in fit if isinstance(each, Candidate)}
            fit.sort(key=lambda candidate: candidate.version in wheels, reverse=True)
        return fit, unfit

    def filter_versions(self, candidates: Sequence[T], specifier: SpecifierSet) -> list[T]:
        """Those of one project's *candidates* that *specifier* lets pass, in the same order."""
        # All versions at once: pre-releases are let in when there is nothing else (PEP 440).
        versions = {id(candidate.version): candidate.version for candidate in candidates}
        passed = set(map(id, specifier.filter(versions.values(), prereleases=self.prereleases)))
        return [each for each in candidates if id(each.version) in passed]


def archives_outrank(site: Site, project: str) -> tuple[bool, bool]:
    """Whether (pip, uv) take a newer source archive of *project* over a wheel, by the [pip] table of *site*.

    `pip-conf` gives uv the `only-binary`; it has no `prefer-binary`.
    """
    only, without = _projects(site, "only-binary"), _projects(site, "no-binary")
    allowed = project not in only and (":all:" not in only or project in without)
    return allowed and not is_true(_pip_option(site, "prefer-binary")), allowed
