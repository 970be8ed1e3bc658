"""The pick: which wheel of one project is the one, and for every other why it is not.

The order of candidates and what is allowed at all is `policy`'s; here it is applied to one requirement. Pure,
except that the METADATA of the wheel about to win is read.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.host.target_python import python_version
from wheelhouse_resolver.selection.policy import Policy, builds_by_version, policy_key, site_constraints
from wheelhouse_resolver.selection.requirements import Requirement, RequirementsFile, parse_requirement
from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata

if TYPE_CHECKING:
    from packaging.tags import Tag

    from wheelhouse_resolver.host.detect import Host

__all__ = ["Pick", "Rejection", "Rule", "decide", "pick", "policy_key", "requires_python", "site_constraints"]


class Rule(enum.Enum):
    """The rule that stopped a candidate; the value is its name in JSON."""

    FILENAME = "filename"
    OUTSIDE = "outside-search-path"
    TAG = "python-tag"
    NO_BINARY = "no-binary"
    SPECIFIER = "specifier"
    CONSTRAINT = "constraint"
    PRERELEASE = "pre-release"
    REQUIRES_PYTHON = "requires-python"
    LOST_VERSION = "lost-version"
    LOST_RANK = "lost-rank"
    LOST_TAG = "lost-tag"
    LOST_BUILD = "lost-build"
    LOST_NAME = "lost-name"


class Rejection(NamedTuple):
    """A file that was not picked: which *rule* stopped it, and the *reason* in words.

    needs: the Requires-Python that stopped it, if that did.
    rival: the wheel that it lost to, or of which it is a lower build.
    """

    file: Candidate | InvalidFilename
    rule: Rule
    reason: str
    needs: str = ""
    rival: Candidate | None = None

    @property
    def filename(self) -> str:
        """The name of the file."""
        return self.file.filename

    @property
    def path(self) -> str:
        """The path of the file."""
        return self.file.path

    def to_dict(self) -> dict[str, Any]:
        """For JSON: filename, path, layer, arch, rule, reason."""
        return {
            "filename": self.filename,
            "path": self.path,
            "layer": self.file.directory.layer,
            "arch": self.file.directory.arch,
            "rule": self.rule.value,
            "reason": self.reason,
        }


_Rejections = Callable[[], Sequence[Rejection]]


class Pick:
    """The answer to one requirement. Immutable.

    requirement: as it was given.
    best:        the wheel that policy chooses; None when there is none.
    ignored:     why the requirement does not concern this host (its marker); empty if it does.
    warnings:    one line each.

    What was rejected is worked out when it is first asked for, so that a pick alone costs nothing that
    grows with what the host cannot use.
    """

    __slots__ = ("_elsewhere", "_inside", "_known", "best", "ignored", "requirement", "warnings")

    requirement: str
    best: Candidate | None
    ignored: str
    warnings: tuple[str, ...]
    _inside: _Rejections
    _elsewhere: _Rejections
    _known: dict[_Rejections, tuple[Rejection, ...]]

    def __init__(
        self,
        *,
        requirement: str,
        best: Candidate | None,
        ignored: str = "",
        warnings: Sequence[str] = (),
        inside: _Rejections = tuple,
        elsewhere: _Rejections = tuple,
    ) -> None:
        values: dict[str, object] = {
            "requirement": requirement,
            "best": best,
            "ignored": ignored,
            "warnings": tuple(warnings),
            "_inside": inside,
            "_elsewhere": elsewhere,
            "_known": {},
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Pick is immutable: cannot set {name!r}")

    def __repr__(self) -> str:
        return f"Pick(requirement={self.requirement!r}, best={self.best!r})"

    def _asked(self, rejections: _Rejections) -> tuple[Rejection, ...]:
        if rejections not in self._known:
            self._known[rejections] = tuple(rejections())
        return self._known[rejections]

    @property
    def in_path(self) -> tuple[Rejection, ...]:
        """The rejected files in the search path, the nearest miss first, each with its reason."""
        return self._asked(self._inside)

    @property
    def rejected(self) -> tuple[Rejection, ...]:
        """Every file of the project that was not picked, each with its reason.

        Those in the site's other directories are among them; these are read for it.
        """
        return self.in_path + self._asked(self._elsewhere)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: requirement, best, rejected, ignored, warnings."""
        return {
            "requirement": self.requirement,
            "best": self.best.to_dict() if self.best is not None else None,
            "rejected": [rejection.to_dict() for rejection in self.rejected],
            "ignored": self.ignored,
            "warnings": list(self.warnings),
        }


def pick(
    wheelhouse: Tree,
    requirement: str | Requirement,
    host: Host,
    *,
    files: RequirementsFile | None = None,
) -> Pick:
    """The wheel in *wheelhouse* that policy chooses for *requirement* on *host*.

    *files* adds constraints and `--pre` from requirements files; the site's own constraints always count.

    pip's rules hold where pip has one: an extra or marker in the requirement, pre-releases only when asked
    for or when there is nothing else (PEP 440), `===`, Requires-Python read only of the wheel that would
    win, and of a version whose best build is incompatible no lower build is taken (pip >= 20.3).

    Raises `InvalidRequirementError`, and what `Wheelhouse` and `supported_tags` raise.
    """
    asked = parse_requirement(requirement) if isinstance(requirement, str) else requirement
    policy = Policy(wheelhouse.site, host, files)
    search_path = wheelhouse.site.search_path(host)

    def elsewhere() -> tuple[Rejection, ...]:
        inside = {directory.path for directory in search_path}
        others = [d for d in wheelhouse.site.directories() if d.path not in inside]
        return tuple(
            Rejection(file=each, rule=Rule.OUTSIDE, reason=_outside(each, host, search_path.layer))
            for each in wheelhouse.read(asked.name, others)
        )

    return decide(asked, policy, wheelhouse.read(asked.name, search_path.directories), elsewhere)


def decide(
    asked: Requirement,
    policy: Policy,
    found: Sequence[Candidate | InvalidFilename],
    elsewhere: _Rejections = tuple,
) -> Pick:
    """The pick for *asked* when *found* are the project's files in the search path.

    *elsewhere*: the rejections of the files outside of it, asked for only when they are wanted.
    """
    if not policy.marker_applies(asked.marker):
        reason = f"its marker does not hold for this Python: {asked.marker}"
        return Pick(requirement=str(asked), best=None, ignored=reason)
    if not policy.allows_binary(asked.name):
        reason = "the site's [pip] table says no-binary: pip takes no wheel of it"
        return Pick(
            requirement=str(asked),
            best=None,
            inside=lambda: [Rejection(file=each, rule=Rule.NO_BINARY, reason=reason) for each in found],
            elsewhere=elsewhere,
        )
    chooser = _Chooser(asked, policy)
    best = chooser.choose(found)
    return Pick(
        requirement=str(asked),
        best=best,
        inside=chooser.rejections,
        warnings=(*chooser.warnings, *(_extras(asked, best) if best is not None else ())),
        elsewhere=elsewhere,
    )


class _Chooser:
    """Applies the rules in their order, and keeps what each one stops; words are made when asked for."""

    def __init__(self, asked: Requirement, policy: Policy) -> None:
        self._specifier = asked.specifier
        self._constraints = policy.constraints_on(asked.name)
        self._policy = policy
        self._best: Candidate | None = None
        self._lost: list[Candidate] = []
        self._refused: list[Rejection] = []
        self._barred: list[Candidate] = []
        self._unfit: list[Candidate | InvalidFilename] = []
        self.warnings: list[str] = []

    def choose(self, files: Iterable[Candidate | InvalidFilename]) -> Candidate | None:
        python = python_version(self._policy.target)
        versions = builds_by_version(self._allowed(files))
        while versions:
            first, *lower = versions.pop(0)
            needs = requires_python(first, self.warnings)
            if needs.contains(python, prereleases=True):
                self._best = first
                self._lost = lower
                break
            reason = f"Requires-Python: {needs}, the target is {python}"
            self._refused.append(
                Rejection(file=first, rule=Rule.REQUIRES_PYTHON, reason=reason, needs=str(needs))
            )
            self._refused += [
                Rejection(
                    file=each,
                    rule=Rule.REQUIRES_PYTHON,
                    reason=f"a lower build of the version of {first.filename}, which needs Python {needs}: "
                    "installers then go to the next older version",
                    needs=str(needs),
                    rival=first,
                )
                for each in lower
            ]
        self._lost += chain.from_iterable(versions)
        return self._best

    def rejections(self) -> list[Rejection]:
        """Everything that was not chosen: the nearest miss first."""
        best = self._best
        return [
            *(_lost(each, best, self._policy.priorities) for each in self._lost if best is not None),
            *self._refused,
            *map(self._unfitting, self._unfit),
            *map(self._barring, self._barred),
        ]

    def _allowed(self, files: Iterable[Candidate | InvalidFilename]) -> list[Candidate]:
        candidates, self._unfit = self._policy.sort_candidates(files)
        whole = self._specifier
        for constraint in self._constraints:
            whole &= constraint.specifier
        allowed = self._policy.filter_versions(candidates, whole)
        passed = set(allowed)
        self._barred = [each for each in candidates if each not in passed]
        return allowed

    def _unfitting(self, file: Candidate | InvalidFilename) -> Rejection:
        if isinstance(file, InvalidFilename):
            reason = f"no valid wheel name: {file.problem}"
            return Rejection(file=file, rule=Rule.FILENAME, reason=reason)
        tags = ", ".join(sorted(str(tag) for tag in file.tags))
        reason = f"its tags do not fit the target Python: {tags}"
        return Rejection(file=file, rule=Rule.TAG, reason=reason)

    def _barring(self, candidate: Candidate) -> Rejection:
        version = str(candidate.version)
        if not self._specifier.contains(version, prereleases=True):
            reason = f"version {version} is not {self._specifier}"
            return Rejection(file=candidate, rule=Rule.SPECIFIER, reason=reason)
        against = [c for c in self._constraints if not c.specifier.contains(version, prereleases=True)]
        if against:
            stated = ", ".join(str(constraint) for constraint in against)
            reason = f"version {version} is not allowed by constraint {stated}"
            return Rejection(file=candidate, rule=Rule.CONSTRAINT, reason=reason)
        reason = (
            f"version {version} is a pre-release, and there is a final one; ask for it by ==, or with --pre"
        )
        return Rejection(file=candidate, rule=Rule.PRERELEASE, reason=reason)


def requires_python(candidate: Candidate, warnings: list[str]) -> SpecifierSet:
    """The Pythons that *candidate* says it runs on: it is opened, unless it is remembered (see `needs`).

    A wheel that says nothing usable runs on all, as far as the choice goes; *warnings* gets a line about it.
    """
    try:
        return SpecifierSet(cached_metadata(candidate.path).requires_python)
    except WheelhouseError as error:
        warnings.append(f"{error}; pip would choose this file and fail (Requires-Python was not checked)")
    except InvalidSpecifier:
        warnings.append(f"{candidate.path}: its Requires-Python is invalid and was not checked")
    return SpecifierSet()


def _lost(candidate: Candidate, best: Candidate, priorities: Mapping[Tag, int]) -> Rejection:
    mine = policy_key(candidate, priorities)
    theirs = policy_key(best, priorities)
    winner = f"lost to {best.directory.label}/{best.filename}: "
    if mine[0] != theirs[0]:
        rule, why = (
            Rule.LOST_VERSION,
            f"version {candidate.version} is older than {best.version}",
        )
    elif mine[1] != theirs[1]:
        rule = Rule.LOST_RANK
        why = (
            f"rank {candidate.directory.rank} ({candidate.directory.label}) is below "
            f"{best.directory.rank} ({best.directory.label})"
        )
    elif mine[2] != theirs[2]:
        rule, why = Rule.LOST_TAG, "its wheel tag is less specific for this Python"
    elif mine[3] != theirs[3]:
        mine_build = "".join(map(str, candidate.build)) or "none"
        theirs_build = "".join(map(str, best.build))
        rule, why = Rule.LOST_BUILD, f"build {mine_build} is below {theirs_build}"
    else:
        rule, why = Rule.LOST_NAME, "the same in all respects, later by name"
    return Rejection(file=candidate, rule=rule, reason=winner + why, rival=best)


def _extras(asked: Requirement, best: Candidate) -> list[str]:
    """A warning for every extra that the winner does not provide; pip warns too, and goes on."""
    if not asked.extras:
        return []
    try:
        provided = cached_metadata(best.path).provides_extra
    except WheelhouseError:
        return []
    known = {canonicalize_name(extra) for extra in provided}
    missing = [extra for extra in sorted(asked.extras) if canonicalize_name(extra) not in known]
    return [f"{best.filename} does not provide the extra {extra!r}" for extra in missing]


def _outside(file: Candidate | InvalidFilename, host: Host, layer: str | None) -> str:
    where = file.directory
    if where.layer is not None and where.layer != layer:
        return f"outside the search path: layer {where.layer}, the host's is {layer or 'none'}"
    return f"outside the search path: arch {where.arch}, the host's is {host.arch}"
