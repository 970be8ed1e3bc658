"""What is newer in the indexes than here, and what of here they have yanked or removed.

Decisions are pure functions of what is here and what the indexes said: `compared` has both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from enum import Enum
from functools import cache, partial
from typing import Any, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.available import Scope, avail
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.selection.wanted import Pattern, Wanted
from wheelhouse_resolver.tree.candidate import Installable, ending_of
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.upkeep.coverage import admits, coverage_of
from wheelhouse_resolver.upkeep.pages import SOURCE, Page, Release, Said, version_of

#: What asks the indexes about projects.
Ask = Callable[[list[str]], Mapping[str, Said]]

_DAY = 86400


class Age(Enum):
    """How what is here compares with the indexes; the value is its name in JSON."""

    OLDER = "older"
    HELD = "held back"
    CURRENT = "current"
    NEWER = "newer"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Upstream(NamedTuple):
    """A project as it is here, and as the indexes have it.

    name:     normalised.
    here:     the newest version that the host can install, without a local label.
    state:    how that compares.
    newest:   the newest version in the indexes that its Python can use; None: there is none.
    allowed:  the newest of them that the site's constraints let pass; None: none.
    kind:     what there is of *allowed*: `pure`, `abi3`, `platform`, or `source` to be built.
    uploaded: when *allowed* was, as a date; None: not known.
    yanked:   the versions here that are yanked, with the reason, which may be empty.
    removed:  the versions here that the indexes do not have, though they have the project.
    status:   what the project is there, such as `archived`; empty if it is active.
    problem:  why it is `absent` or `unknown`.
    """

    name: str
    here: str
    state: Age
    newest: str | None = None
    allowed: str | None = None
    kind: str = ""
    uploaded: str | None = None
    yanked: tuple[tuple[str, str], ...] = ()
    removed: tuple[str, ...] = ()
    status: str = ""
    problem: str = ""

    @property
    def matters(self) -> bool:
        """Whether there is anything to do or to know."""
        settled = self.state in (Age.CURRENT, Age.NEWER)
        return not settled or bool(self.yanked or self.removed or self.status)

    @property
    def requirement(self) -> str | None:
        """What to build; None where what is here is the newest that the site wants."""
        return f"{self.name}=={self.allowed}" if self.state is Age.OLDER else None

    @property
    def note(self) -> str:
        """What else is to be known of it, for people; empty for nothing."""
        parts = [self.problem] if self.problem else []
        parts += [f"{self.status} there"] if self.status else []
        parts += [f"{version} is yanked{f': {why}' if why else ''}" for version, why in self.yanked]
        parts += [f"not there: {', '.join(self.removed)}"] if self.removed else []
        return "; ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        own = self._asdict()
        yanked = [{"version": version, "reason": reason} for version, reason in self.yanked]
        more = {"state": self.state.value, "yanked": yanked, "removed": list(self.removed)}
        return {**own, **more, "requirement": self.requirement}


class Outdated(NamedTuple):
    """The answer.

    rows:      every project that was asked about, by name.
    unmatched: the patterns that match nothing that the host can install.
    warnings:  one line each.
    """

    rows: tuple[Upstream, ...]
    unmatched: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Rules(NamedTuple):
    """What counts on a page.

    policy: of the host. before: a release that was uploaded later (s since 1970) does not count, unless None.
    """

    policy: Policy
    before: float | None = None


def find_outdated(
    wheelhouse: Tree, host: Host, patterns: Iterable[str], ask: Ask, *, min_age: float = 0
) -> Outdated:
    """How what *host* can install compares with what *ask* says the indexes have.

    patterns: globs of project names; none: every project. min_age: of a release, in days.
    Raises what `avail` raises, and *ask*.
    """
    wanted = Wanted(tuple(Pattern(each, canonicalize_name(each)) for each in patterns))
    listing = avail(wheelhouse, host, wanted, Scope())
    here: dict[str, Installable] = {}
    for row in listing.rows:
        here.setdefault(row.name, row.wheels[0])
    before = time.time() - min_age * _DAY if min_age else None
    rules = Rules(Policy.of(wheelhouse.site, host, RequirementsFile()), before)
    compare = Comparing(rules)
    narrow = [NormalizedName(name) for name in here] if wanted.patterns else None
    catalogue = wheelhouse.catalogue(wheelhouse.site.search_path(host).directories, narrow)
    said = ask(list(here))
    return Outdated(
        rows=tuple(
            [
                compare.row(name, wheel.version, catalogue.versions(NormalizedName(name)), said[name])
                for name, wheel in here.items()
            ]
        ),
        unmatched=listing.unmatched,
        warnings=listing.warnings,
    )


class Comparing:
    """Compares one project after another, by *rules*."""

    def __init__(self, rules: Rules) -> None:
        self._policy, self._before = rules
        self._constrained = {each.name for each in rules.policy.constraints}
        self._admits = cache(partial(admits, rules.policy))
        priorities = rules.policy.priorities

        @cache
        def kind_of(ending: str) -> str:
            if ending == SOURCE:
                return SOURCE
            try:
                tags = ending_of(f"{ending}.whl")[1]
            except ValueError:
                return ""
            return coverage_of(tags, priorities).value if any(tag in priorities for tag in tags) else ""

        self._kind_of = kind_of

    def row(self, name: str, here: Version, versions: Iterable[str], said: Said) -> Upstream:
        """How *here*, the newest of *versions* (as file names spell them), compares with what was *said*."""
        public = here.public
        found = Upstream(name, public, Age.UNKNOWN)
        if said.problem or said.page is None:
            problem = said.problem or "the index does not have it"
            return found._replace(state=Age.UNKNOWN if said.problem else Age.ABSENT, problem=problem)
        page = said.page
        yanked, removed = _of_here(page, {_public(each) for each in versions})
        found = found._replace(yanked=yanked, removed=removed, status=page.status)
        try:
            newest = self._newest(page, SpecifierSet(), name)
            allowed = newest
            if name in self._constrained:
                allowed = self._newest(page, self._policy.narrowed(SpecifierSet(), name), name)
        except _AgeUnknownError:
            return found._replace(problem="the index does not say when its files were uploaded")
        if newest is None:
            return found._replace(state=Age.ABSENT, problem="the index has nothing for this Python")
        found = found._replace(newest=newest.version, state=_compared(public, newest, allowed))
        if allowed is None:
            return found
        kinds = {self._kind_of(ending) for ending, needs in allowed.files if self._admits(needs)}
        uploaded = None
        if allowed.uploaded is not None:
            uploaded = datetime.fromtimestamp(allowed.uploaded, timezone.utc).date().isoformat()
        return found._replace(
            allowed=allowed.version,
            kind=next((each for each in ("platform", "abi3", "pure", SOURCE) if each in kinds), ""),
            uploaded=uploaded,
        )

    def _newest(self, page: Page, specifier: SpecifierSet, name: str) -> Release | None:
        """The newest release that pip of the host's Python would take, built from source if need be."""
        allowed = self._policy.prereleases_of(name)
        if allowed is None:
            allowed = specifier.prereleases or None
        fallback = None
        for release in self._usable(page):
            version = version_of(release.version)
            early = version.is_prerelease
            if (early and (allowed is False or fallback is not None)) or not (
                not specifier or specifier.contains(version, prereleases=True)
            ):
                continue
            if not early or allowed:
                return release
            fallback = release  # there may be no final release (PEP 440)
        return fallback

    def _usable(self, page: Page) -> Iterator[Release]:
        """The releases of *page* that count, newest first."""
        for release in page.releases():
            if release.yanked is not None:
                continue
            if self._before is not None:
                if release.uploaded is None:
                    raise _AgeUnknownError
                if release.uploaded > self._before:
                    continue
            if any(self._kind_of(ending) and self._admits(needs) for ending, needs in release.files):
                yield release


class _AgeUnknownError(Exception):
    """A release without a time of upload, where that counts."""


def _compared(here: str, newest: Release, allowed: Release | None) -> Age:
    own = version_of(here)
    if allowed is not None and version_of(allowed.version) > own:
        return Age.OLDER
    if version_of(newest.version) > own:
        return Age.HELD
    return Age.CURRENT if version_of(newest.version) == own else Age.NEWER


@cache
def _public(text: str) -> str:
    try:
        return version_of(text).public
    except ValueError:  # not the name of a wheel
        return ""


def _of_here(page: Page, versions: set[str]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Which of *versions* are yanked on *page*, with the reasons, and which are not on it; newest first."""
    lines = page.by_version()
    if not versions <= lines.keys():  # 1.0 and 1.0.0 are equal
        known = {version_of(each): each for each in lines}
        versions = {known.get(version_of(each), each) for each in versions if each}
    ordered = sorted(versions, key=version_of, reverse=True)
    removed = tuple(each for each in ordered if each not in lines)
    found = []
    for each in ordered:
        if "\ty" in lines.get(each, "") and (reason := Release.of_line(lines[each]).yanked) is not None:
            found.append((each, reason))
    return tuple(found), removed
