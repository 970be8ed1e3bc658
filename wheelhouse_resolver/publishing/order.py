"""Where an installer's order differs from policy: what `audit` reports, and what `restamp` leaves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import permutations
from typing import Any, NamedTuple, TypeVar

from packaging.tags import Tag

from wheelhouse_resolver.installers.inversion import beats, concerned_pythons
from wheelhouse_resolver.installers.ordering import (
    INSTALLERS,
    Installer,
    PythonKind,
    accepted_by,
    choice,
    tag_priorities,
)
from wheelhouse_resolver.selection.policy import policy_key
from wheelhouse_resolver.site.layout import HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, SourceArchive
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.utils.text import version_key
from wheelhouse_resolver.wheelfile.build_tag import StampState, stamping

_T = TypeVar("_T", Candidate, SourceArchive)


def visible(candidates: Sequence[_T], host: HostKind) -> list[_T]:
    """Those of *candidates* that *host* searches."""
    searched = {directory.path for directory in host.search_path}
    return [each for each in candidates if each.directory.path in searched]


def policy_choice(
    candidates: Sequence[Candidate], python: PythonKind, installer: Installer
) -> Candidate | None:
    """What policy wants of *candidates*, all of one version; the same key as `pick` uses.

    Only what *installer* can install on *python* by its wheel tags is a choice.
    """
    able, priorities = accepted_by(installer, candidates, python)
    by_path = sorted(able, key=lambda each: each.path)  # of equal ones the first
    return max(by_path, key=lambda each: policy_key(each, priorities)[1:], default=None)


@lru_cache(maxsize=1 << 15)
def accepts(python: PythonKind, tags: frozenset[Tag]) -> bool:
    """Whether *python* accepts a wheel with these *tags*."""
    accepted = tag_priorities(python, frozenset(tag.platform for tag in tags), linux_first=True)
    return any(tag in accepted for tag in tags)


def situations(
    candidates: Sequence[Candidate], hosts: Sequence[HostKind], *, least: int = 2
) -> Iterator[tuple[HostKind, PythonKind, list[Candidate]]]:
    """Each of *hosts* that searches *least* of *candidates*, with each Python, and those that it accepts."""
    pythons = concerned_pythons(candidates)
    for host in hosts:
        seen = visible(candidates, host)
        for python in pythons if len(seen) >= least else ():
            if host.family in (None, python.machine):
                yield host, python, [each for each in seen if accepts(python, each.tags)]


class _Difference(NamedTuple):
    """One case in which an installer's choice is not policy's."""

    wanted: Candidate
    chosen: Candidate
    installer: Installer
    host: str
    python: PythonKind


class WrongOrder(NamedTuple):
    """A wheel that installers would take instead of the one that policy wants.

    wanted, chosen: the two. installers, hosts, pythons: each of them with each other is a case of it.
    by_tag:         a tag inversion: the wheel tag of *chosen* is better, so that no stamp helps.
    """

    wanted: Candidate
    chosen: Candidate
    installers: tuple[str, ...]
    hosts: tuple[str, ...]
    pythons: tuple[str, ...]
    by_tag: bool

    def __str__(self) -> str:
        wanted, chosen = self.wanted, self.chosen
        return (
            f"policy wants {wanted.directory.label}/{wanted.filename}, "
            f"{', '.join(self.installers)} would take {chosen.directory.label}/{chosen.filename}"
            + ": a better wheel tag"
            * self.by_tag
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the paths of the two, and the rest."""
        paths = {"wanted": self.wanted.path, "chosen": self.chosen.path}
        return {**paths, **to_plain(self, "installers", "hosts", "pythons", "by_tag")}


class OrderCheck:
    """Compares installers' choices with policy; what holds for every wheel in the same situation is kept.

    Most trees have few such situations.
    """

    def __init__(self, site: Site, hosts: Sequence[HostKind]) -> None:
        self._site = site
        self._hosts = hosts
        self._differences: dict[tuple[object, ...], list[tuple[int, int, Installer]]] = {}
        self._invertible: dict[tuple[frozenset[Tag], frozenset[Tag]], bool] = {}

    def check(self, candidates: Sequence[Candidate]) -> Iterator[WrongOrder]:
        """Where an installer would take another of *candidates*, all of one version, than policy."""
        if self._in_order(candidates):
            return
        found: dict[tuple[str, str], list[_Difference]] = defaultdict(list)
        for host, python, able in situations(candidates, self._hosts):
            for wanted, chosen, installer in self._differing(able, python):
                case = _Difference(able[wanted], able[chosen], installer, host.label, python)
                found[case.wanted.path, case.chosen.path].append(case)
        for cases in found.values():
            for alike in _alike(cases):
                yield _wrong_order(alike)

    def _in_order(self, candidates: Sequence[Candidate]) -> bool:
        """Whether a quick check finds nothing wrong: current stamps throughout, and no tag in their way.

        So it is in every tree that was published or restamped: build tags then say what policy says.
        """
        states = (stamping(each.build, each.directory, self._site).state for each in candidates)
        if any(state is not StampState.CURRENT for state in states):
            return False
        if any(each.directory.shift for each in candidates):  # a base whose stamps do not follow its rank
            return False
        if len({each.tags for each in candidates}) == 1:
            return True
        return not any(
            lower.directory.rank < higher.directory.rank
            and lower.tags != higher.tags
            and self._may_invert(lower, higher)
            for lower, higher in permutations(candidates, 2)
        )

    def _may_invert(self, lower: Candidate, higher: Candidate) -> bool:
        """Whether there is a Python, and an installer, that finds the tag of *lower* the better one."""
        key = (lower.tags, higher.tags)
        if key not in self._invertible:
            platforms = frozenset(tag.platform for tag in lower.tags | higher.tags)
            self._invertible[key] = any(
                beats(lower, higher, tag_priorities(python, platforms, linux_first))
                for python in concerned_pythons([lower, higher])
                for linux_first in (False, True)
            )
        return self._invertible[key]

    def _differing(self, able: Sequence[Candidate], python: PythonKind) -> list[tuple[int, int, Installer]]:
        """`_differences` of *able*, which must be sorted by directory and file name."""
        alike = {(each.directory.label, each.build, each.tags) for each in able}
        if len(alike) < len(able):  # their names decide, and those are not in the key
            return _differences(able, python)
        # The tags as the name spells them: uv goes by their order there.
        spelled = ((each.directory.label, each.build, *each.filename.rsplit("-", 3)[1:]) for each in able)
        key = (python, *spelled)
        if key not in self._differences:
            self._differences[key] = _differences(able, python)
        return self._differences[key]


def _differences(able: Sequence[Candidate], python: PythonKind) -> list[tuple[int, int, Installer]]:
    """Where an installer's choice among *able* is not policy's: (wanted, chosen) by their places."""
    found = []
    for installer in INSTALLERS:
        wanted = policy_choice(able, python, installer)
        chosen = choice(installer, able, python)
        # Within one directory the installers differ among each other, and policy leaves it to the tag.
        if wanted and chosen and wanted.directory != chosen.directory:
            found.append((able.index(wanted), able.index(chosen), installer))
    return found


def _alike(cases: Sequence[_Difference]) -> list[list[_Difference]]:
    """*cases* in groups, in each of which every installer, host and Python named concerns every other.

    A finding names each of them once, so it would otherwise claim what is not so.
    """
    installers: dict[tuple[str, PythonKind], list[str]] = defaultdict(list)
    for case in cases:
        installers[case.host, case.python].append(case.installer.name)
    pythons: dict[tuple[str, tuple[str, ...]], list[PythonKind]] = defaultdict(list)
    for (host, python), names in installers.items():
        pythons[host, tuple(names)].append(python)
    groups: dict[tuple[object, ...], list[_Difference]] = defaultdict(list)
    for case in cases:
        those = tuple(installers[case.host, case.python])
        groups[those, tuple(pythons[case.host, those])].append(case)
    return list(groups.values())


def _wrong_order(cases: Sequence[_Difference]) -> WrongOrder:
    wanted, chosen = cases[0].wanted, cases[0].chosen
    platforms = frozenset(tag.platform for tag in wanted.tags | chosen.tags)
    priorities = (tag_priorities(each.python, platforms, each.installer.linux_first) for each in cases)
    return WrongOrder(
        wanted,
        chosen,
        tuple({case.installer.name: None for case in cases}),
        tuple({case.host: None for case in cases}),
        tuple(sorted({str(case.python) for case in cases}, key=version_key)),
        any(beats(chosen, wanted, each) for each in priorities),
    )
