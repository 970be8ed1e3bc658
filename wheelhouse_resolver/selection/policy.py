"""The policy: which wheels of a project are allowed on a host, and in which order.

`pick` chooses by it for one requirement, `resolve` for a whole closure. The order itself is `policy_key`, the
one place where it is written down. Everything here is a pure function of names and the target Python.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag
from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_pip import pip_version, release_of
from wheelhouse_resolver.host.target_python import (
    TargetPython,
    marker_environment,
    python_version,
    supported_tags,
)
from wheelhouse_resolver.selection.constraints import Trouble, problems_in
from wheelhouse_resolver.selection.reasons import python_labels
from wheelhouse_resolver.selection.requirements import FileOption, Requirement, RequirementsFile
from wheelhouse_resolver.selection.requirements_file import read_requirements
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.pip_table import constraint_files, install_settings, words_of
from wheelhouse_resolver.tree.candidate import Candidate, Installable, SourceArchive, TreeFile
from wheelhouse_resolver.utils.text import is_true

if TYPE_CHECKING:
    from packaging.markers import Marker  # packaging's parser takes 10 ms to import

#: Wheels alone, or source archives too.
T = TypeVar("T", Candidate, Installable)

#: Some kind of file in the tree, or any.
F = TypeVar("F", bound=TreeFile)


#: The first release of pip that knows all-releases and only-final.
KNOWS_RELEASES = (26, 0)

#: The first release of pip that passes over a version whose Requires-Python bars the Python.
GOES_ON = (20, 3)


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


def split_by_links(files: Iterable[F], links: Iterable[Requirement]) -> tuple[list[F], list[F]]:
    """Those of *files* that the constraints *links* name, and the others, each in the order given."""
    named = {each.file for each in links}
    kept: list[F] = []
    others: list[F] = []
    for each in files:
        (kept if each.path in named else others).append(each)
    return kept, others


@lru_cache(maxsize=32)
def _priorities(target: TargetPython) -> Mapping[Tag, int]:
    return {tag: number for number, tag in enumerate(supported_tags(target))}


@lru_cache(maxsize=32)
def _platforms(target: TargetPython) -> frozenset[str]:
    return frozenset(tag.platform for tag in _priorities(target))


_environment = lru_cache(maxsize=32)(marker_environment)
_version = lru_cache(maxsize=32)(python_version)


class _Control(NamedTuple):
    """A pair of options of pip that each collect names of projects: what one gets, the other loses."""

    names: set[str]
    others: set[str]

    def collect(self, value: Any) -> None:
        """Obey one option (pip: `handle_mutual_excludes`): `:all:` empties both, `:none:` this one."""
        words = words_of(value)
        if ":all:" in words:
            last = len(words) - words[::-1].index(":all:")
            self.names.clear()
            self.others.clear()
            self.names.add(":all:")
            words = words[last:] if ":none:" in words[last:] else []
        for word in words:
            if word == ":none:":
                self.names.clear()
            else:
                name = canonicalize_name(word)
                self.others.discard(name)
                self.names.add(name)


def _settings_of(site: Site) -> tuple[dict[str, _Control], dict[str, bool]]:
    """What the [pip] table of *site* comes to: by option what collects names, and which flags are on."""
    formats, releases = _Control(set(), set()), _Control(set(), set())
    controls = {
        "no-binary": formats,
        "only-binary": _Control(*reversed(formats)),
        "all-releases": releases,
        "only-final": _Control(*reversed(releases)),
    }
    on: dict[str, bool] = {}
    for _, option, value in install_settings(site.pip):
        if option in controls:
            controls[option].collect(value)
        else:
            on[option] = is_true(value)
    return controls, on


def _chosen(project: str, names: Container[str], others: Container[str]) -> bool | None:
    """Which of two options that collect names is for *project*: True: *names*; None: neither.

    The project's own name goes before `:all:`, and *names* before *others*.
    """
    for word in (project, ":all:"):
        if word in names:
            return True
        if word in others:
            return False
    return None


def _warnings(
    on: Mapping[str, bool], stated: RequirementsFile, releases: _Control, target: TargetPython
) -> Iterator[str]:
    """What pip makes of the flags that are *on* and of what files *stated*, beyond the choice of wheels."""
    unhashed = on.get("no-require-hashes")  # from pip 26.1 on
    for problem in problems_in(stated):
        if problem.trouble is not Trouble.HASHES or not unhashed:
            yield str(problem)
    if on.get("require-hashes"):
        yield "the site's [pip] table says require-hashes: pip installs nothing without == and --hash"
    if any(releases):
        pip = pip_version(target)
        if pip is not None and release_of(pip) < KNOWS_RELEASES:
            yield f"pip {pip} of this Python ignores all-releases and only-final: 26.0 and later obey"


class Policy(NamedTuple):
    """The rules in force on one host of a site.

    target:        the Python that wheels are chosen for.
    constraints:   of the site and of the files given, whether or not they concern this Python.
    prereleases:   True when the site or a file says `--pre`, else None: PEP 440 decides.
    no_binary:     of which projects pip takes no wheels on install, or `:all:`; only_binary: nothing else.
    prefer_binary: whether any wheel comes before every source archive.
    all_releases:  of which projects pip takes pre-releases, or `:all:`; only_final: takes none.
    any_python:    whether Requires-Python does not count.
    dependencies:  whether what a project needs is installed, too.
    required:      what pip installs with everything, because a constraints file of the site requires it.
    pages:         whether pip is pointed at the site's static index, and not at the directories.
    warnings:      what else pip makes of the settings, a line each.
    """

    target: TargetPython
    constraints: tuple[Requirement, ...]
    prereleases: bool | None
    no_binary: frozenset[str]
    only_binary: frozenset[str]
    prefer_binary: bool = False
    all_releases: frozenset[str] = frozenset()
    only_final: frozenset[str] = frozenset()
    any_python: bool = False
    dependencies: bool = True
    required: tuple[Requirement, ...] = ()
    pages: bool = False
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, site: Site, host: Host, files: RequirementsFile) -> Policy:
        """The rules on *host*: those of the [pip] table of *site*, as pip would obey it, and of *files*.

        Raises `RequirementsFileError` and `InvalidRequirementError` for the site's constraints.
        """
        environ: Mapping[str, str] = host.machine.environ if host.machine is not None else {}
        read = [read_requirements(each, environ, constraints=True) for each in constraint_files(site.pip)]
        stated = RequirementsFile().merge(*read)
        required = (*stated.requirements, *stated.direct)
        given = RequirementsFile(constraints=files.constraints)
        limits = RequirementsFile(constraints=(*files.constraints, *required))
        controls, on = _settings_of(site)
        index = index_table(site)
        obeyed = (*stated.settings, *files.settings)
        pre = bool(on.get("pre")) or (files.prereleases and FileOption("pre") not in obeyed)
        for option, value in obeyed:
            if option in controls:
                controls[option].collect(value)
            ends = {"only-final": ":all:", "all-releases": ":none:"}.get(option)  # what ends an earlier --pre
            pre = option == "pre" or (pre and ends not in words_of(value))
        return cls(
            target=host.python,
            constraints=stated.merge(limits).constraints,
            prereleases=True if pre else None,
            no_binary=frozenset(controls["no-binary"].names),
            only_binary=frozenset(controls["only-binary"].names),
            prefer_binary=on.get("prefer-binary", False) or FileOption("prefer-binary") in obeyed,
            all_releases=frozenset(controls["all-releases"].names),
            only_final=frozenset(controls["only-final"].names),
            any_python=on.get("ignore-requires-python", False),
            dependencies=not on.get("no-deps"),
            required=stated.requirements,
            pages=index is not None and not index.find_links,
            warnings=tuple(_warnings(on, stated.merge(given), controls["all-releases"], host.python)),
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

    def links_of(self, project: str) -> list[Requirement]:
        """The constraints that name the one file that pip takes for *project*; most have none."""
        return [each for each in self.constraints_on(project) if each.url]

    def allows_binary(self, project: str) -> bool:
        """Whether the settings let pip take wheels of *project* on install (`no-binary`)."""
        return _chosen(project, self.only_binary, self.no_binary) is not False

    def allows_source(self, project: str) -> bool:
        """Whether they let pip build *project* on install (`only-binary`)."""
        return not _chosen(project, self.only_binary, self.no_binary)

    def prereleases_of(self, project: str) -> bool | None:
        """Whether pre-releases of *project* are taken; None: as PEP 440 says."""
        if not self.all_releases and not self.only_final:
            return self.prereleases
        every = {":all:"} if self.prereleases else set()
        return _chosen(project, self.all_releases | every, self.only_final)

    def admits(self, requires_python: SpecifierSet) -> bool:
        """Whether a wheel that says so of its Pythons can be installed into the target."""
        return self.any_python or requires_python.contains(_version(self.target), prereleases=True)

    def stops_at(self, wheel: Installable, requires_python: str) -> list[str]:
        """A warning when the target's own pip fails on *wheel* for its *requires_python*; newer ones go on.

        Older releases read Requires-Python of what they have chosen, and then choose nothing else.
        """
        pip = pip_version(self.target)
        if pip is None or release_of(pip) >= GOES_ON:
            return []
        return [
            f"pip {pip} of this Python fails on {wheel.filename} (Requires-Python {requires_python}); "
            "pip 20.3 and later go on to older versions"
        ]

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
        if not candidates:
            return []
        # All versions at once: pre-releases are let in when there is nothing else (PEP 440).
        versions = {id(candidate.version): candidate.version for candidate in candidates}
        prereleases = self.prereleases_of(candidates[0].name)
        passed = set(map(id, specifier.filter(versions.values(), prereleases=prereleases)))
        return [each for each in candidates if id(each.version) in passed]


def archives_outrank(site: Site, project: str) -> tuple[bool, bool]:
    """Whether (pip, uv) take a newer source archive of *project* over a wheel, by the [pip] table of *site*.

    `pip-conf` gives uv the `only-binary`; it has no `prefer-binary`.
    """
    controls, on = _settings_of(site)
    allowed = not _chosen(project, controls["only-binary"].names, controls["no-binary"].names)
    return allowed and not on.get("prefer-binary"), allowed
