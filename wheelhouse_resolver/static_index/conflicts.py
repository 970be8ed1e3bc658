"""What a page cannot say: where an installer takes another wheel through it than policy wants, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from packaging.version import Version

from wheelhouse_resolver.static_index.pages import IndexedFile, IndexedWheel, PageEntry, comparable, wheels_of
from wheelhouse_resolver.static_index.rule import outranked
from wheelhouse_resolver.static_index.situations import (
    Case,
    Hosts,
    Need,
    Span,
    Wheel,
    allows,
    barred,
    bounds_allow,
    cases,
    fits,
    spans,
)
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.utils.text import version_key


class Conflict(NamedTuple):
    """A wheel that policy wants and that installers do not take through the page.

    taken:               what they take instead; None: an older version, or nothing.
    installers, pythons: each of them with each other is a case of it.
    """

    wanted: Candidate
    taken: Candidate | None
    installers: tuple[str, ...]
    pythons: tuple[str, ...]


class _Link(NamedTuple):
    """A link on the page. *number*: of its wheel; *place*: on the page."""

    number: int
    requires_python: str
    place: int


def conflicts(
    files: Iterable[IndexedFile],
    entries: Iterable[PageEntry],
    glibc: tuple[int, int] | None = None,
    machine: str | None = None,
) -> list[Conflict]:
    """Where a page with these *entries* does not give what policy wants of *files*, version by version.

    Pythons count that wheels name, and the usual ones; *glibc* and *machine* as for `page_entries`, and each
    older C library that a wheel asks for. Among wheels of one directory policy leaves it to the installer.
    """
    hosts = Hosts(glibc, machine)
    builds: dict[Version, list[IndexedWheel]] = defaultdict(list)
    for file in files:
        if isinstance(file, IndexedWheel):
            builds[file.candidate.version].append(file)
    on_page = {
        entry.file.candidate.path: (place, entry.requires_python) for place, entry in enumerate(entries)
    }
    found: list[Conflict] = []
    for version in sorted(builds):
        for group in comparable(builds[version]):
            if len(group) > 1 or group[0].candidate.path not in on_page:
                found += _conflicts(group, on_page, hosts)
    return found


def _conflicts(
    group: Sequence[IndexedWheel], on_page: dict[str, tuple[int, str]], hosts: Hosts
) -> Iterator[Conflict]:
    out = outranked(wheels_of(group))
    kept = [each for each, no in zip(group, out, strict=True) if not no or each.candidate.path in on_page]
    links = [
        _Link(number, on_page[each.candidate.path][1], on_page[each.candidate.path][0])
        for number, each in enumerate(kept)
        if each.candidate.path in on_page
    ]
    first = min((link.place for link in links), default=0)
    near = tuple(link._replace(place=link.place - first) for link in links)
    for difference in _differences(wheels_of(kept), near, hosts):
        taken = None if difference.taken is None else kept[difference.taken].candidate
        wanted = kept[difference.wanted].candidate
        if taken is None or taken.directory != wanted.directory:
            yield Conflict(wanted, taken, difference.installers, difference.pythons)


class _Difference(NamedTuple):
    """A `Conflict` of wheels that are known by their numbers."""

    wanted: int
    taken: int | None
    installers: tuple[str, ...]
    pythons: tuple[str, ...]


@lru_cache(maxsize=1 << 12)
def _differences(
    wheels: tuple[Wheel, ...], links: tuple[_Link, ...], hosts: Hosts
) -> tuple[_Difference, ...]:
    tags = tuple(each.tags for each in wheels)
    found: dict[tuple[int, int | None], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for span in spans(wheels, [link.requires_python for link in links]):
        fitting = (each for each in fits(tags, span.start[:2], hosts) if each.need is not Need.OTHERS)
        for case in cases(wheels, barred(wheels, span), fitting):
            wanted = next(iter(case.order), None)
            if wanted is not None and (taken := _taken(case, wheels, links, span)) != wanted:
                python = case.fit.kind.label(str(span), case.fit.libc)
                found[wanted, taken][python].append(case.fit.installer.name)
    alike: dict[tuple[int, int | None, tuple[str, ...]], list[str]] = defaultdict(list)
    for (wanted, taken), by_python in found.items():
        for python, installers in by_python.items():
            alike[wanted, taken, tuple(installers)].append(python)
    return tuple(
        _Difference(wanted, taken, installers, tuple(sorted(labels, key=version_key)))
        for (wanted, taken, installers), labels in alike.items()
    )


def _taken(case: Case, wheels: Sequence[Wheel], links: Sequence[_Link], span: Span) -> int | None:
    """What the installer of *case* takes of *links*."""
    release, hides = span.release, case.fit.installer.hides
    able = [each for each in links if case.takes(wheels, each.number)]
    if hides:
        able = [each for each in able if allows(each.requires_python, release)]
    # uv sorts them by file name, and so are the wheels sorted.
    taken = max(
        able,
        key=lambda each: case.key(wheels, each.number, each.place if hides else each.number),
        default=None,
    )
    if taken is None or not (hides or bounds_allow(taken.requires_python, release)):
        return None
    return taken.number
