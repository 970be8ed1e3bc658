"""Which wheels of one version a page lists, and for which Pythons.

For each Python what policy chooses is listed. Anything else is listed where no installer takes it instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from wheelhouse_resolver.static_index.situations import (
    Case,
    Hosts,
    Need,
    Release,
    Span,
    Wheel,
    barred,
    cases,
    distinct_fits,
    spans,
)

#: No release of CPython had so many patch levels.
_PATCHES = 40


class Listed(NamedTuple):
    """A wheel that the page lists. *number*: its place among those given. *clauses*: for Requires-Python."""

    number: int
    clauses: tuple[str, ...]


def outranked(wheels: Sequence[Wheel]) -> list[bool]:
    """Which of *wheels*, all of one version, policy has for no Python: another one outranks them on each.

    Quick: of most wheels that are in several directories only one is left.
    """
    return [
        any(
            lower.tags <= higher.tags
            and higher.requires_python in ("", lower.requires_python)
            and (higher.rank, higher.build, -i) > (lower.rank, lower.build, -j)
            for i, higher in enumerate(wheels)
        )
        for j, lower in enumerate(wheels)
    ]


@lru_cache(maxsize=1 << 14)
def listing(wheels: tuple[Wheel, ...], hosts: Hosts) -> tuple[Listed, ...]:
    """Those of *wheels*, all of one version in the order of the page, that it lists."""
    left = [i for i, out in enumerate(outranked(wheels)) if not out]
    if len(left) == 1:
        return (Listed(left[0], ()),)
    table = _Table([wheels[i] for i in left], hosts)
    return tuple(
        Listed(i, tuple(table.clauses(number)))
        for number, i in enumerate(left)
        if any(number in shown for shown in table.shown) or not table.fits_anywhere(number)
    )


class _Table:
    """Which of *wheels* are shown to which Pythons. *shown*: to each of the `spans`."""

    def __init__(self, wheels: Sequence[Wheel], hosts: Hosts) -> None:
        self._wheels = wheels
        self._spans: list[Span] = []
        self._cases: list[list[Case]] = []
        self._fitting: list[set[int]] = []
        tags = tuple(each.tags for each in wheels)
        before: object = None
        for span in spans(wheels):
            fitting, out = distinct_fits(tags, span.start[:2], hosts), barred(wheels, span)
            if (fitting, out) == before:  # nothing tells them apart
                self._spans[-1] = self._spans[-1]._replace(end=span.end)
                continue
            before = (fitting, out)
            self._spans.append(span)
            self._cases.append(cases(wheels, out, fitting))
            numbers = range(len(wheels))
            self._fitting.append(
                {i for i in numbers if any(fit.priorities[i] is not None for fit in fitting)}
            )
            self._fitting[-1] -= out
        self.shown: list[set[int]] = [set() for _ in self._spans]
        #: What each case takes of what is shown, by its place.
        self._taken: dict[tuple[int, int], int] = {}
        every = [(case, number) for number, each in enumerate(self._cases) for case in each]
        for case, number in sorted(every, key=lambda each: each[0].fit.need):
            self._serve(case, number)

    def _serve(self, case: Case, span: int) -> None:
        """Show to *span* what *case* is to take; if that would harm others, what comes next in policy."""
        for number in case.order:
            if number in self.shown[span]:
                return
            if case.fit.need is Need.ALWAYS or self._is_harmless(number, span):
                self.shown[span].add(number)
                for place, concerned in self._concerned(number, span):
                    if self._prefers(concerned, number, self._taken.get(place)):
                        self._taken[place] = number
                return

    def _concerned(self, number: int, span: int) -> Iterator[tuple[tuple[int, int], Case]]:
        """The cases, with their places, that see that wheel if it is shown to *span*, and could take it."""
        for other, each in enumerate(self._cases):
            for i, case in enumerate(each):
                if (other == span or not case.fit.installer.hides) and case.takes(self._wheels, number):
                    yield (other, i), case

    def _prefers(self, case: Case, number: int, now: int | None) -> bool:
        return now is None or case.key(self._wheels, number, number) > case.key(self._wheels, now, now)

    def _is_harmless(self, number: int, span: int) -> bool:
        """Whether all who take what policy wants still do when that wheel is shown to *span*."""
        return not any(
            now is not None and now in case.order[:1] and self._prefers(case, number, now)
            for place, case in self._concerned(number, span)
            for now in (self._taken.get(place),)
        )

    def fits_anywhere(self, number: int) -> bool:
        """Whether that wheel has a tag that some Python accepts."""
        return any(case.fit.priorities[number] is not None for each in self._cases for case in each)

    def clauses(self, number: int) -> Iterator[str]:
        """What bars the Pythons that the wheel is not shown to, beside its own Requires-Python."""
        shown = [i for i, each in enumerate(self.shown) if number in each]
        hidden = [i for i, each in enumerate(self._fitting) if number in each and i not in shown]
        if not shown:
            return
        before = [i for i in hidden if i < shown[0]]
        after = [i for i in hidden if i > shown[-1]]
        between = [i for i in hidden if shown[0] < i < shown[-1]]
        if before and self._is_taken_unseen(number, before):
            between = before + between
        elif before:
            yield f">={_short(self._spans[shown[0]].start)}"
        if after:
            yield f"<{_short(self._spans[after[0]].start)}"
        yield from _without([self._spans[i] for i in between], [self._spans[i] for i in shown])

    def _is_taken_unseen(self, number: int, hidden: Sequence[int]) -> bool:
        """Whether an installer takes the wheel for Pythons that it is hidden from.

        With a lower bound it would then give up the whole version.
        """
        unseeing = ((span, i) for span in hidden for i, _ in enumerate(self._cases[span]))
        return any(self._taken.get(place) == number for place in unseeing)


def _short(release: Release) -> str:
    return ".".join(map(str, release if release[2] else release[:2]))


def _without(hidden: Sequence[Span], shown: Sequence[Span]) -> list[str]:
    """Clauses that bar *hidden*, and none of *shown*."""
    also_shown = {minor for span in shown for minor, _, _ in _minors(span)}
    found: list[str] = []
    for span in hidden:
        for minor, first, end in _minors(span):
            name = f"!={minor[0]}.{minor[1]}"
            if minor in also_shown:
                found += (f"{name}.{patch}" for patch in range(first, end))
            else:
                found.append(f"{name}.*")
    return list(dict.fromkeys(found))


def _minors(span: Span) -> Iterator[tuple[tuple[int, int], int, int]]:
    """The X.Y that *span* touches, each with the first and the end of its patch levels."""
    (major, minor, patch), end = span
    # Python 2 ended with 2.7. Of all later ones the last span only says that it has its first.
    last = end[1] if end[0] == major else max(minor, 7)
    for each in range(minor, last + 1):
        beyond = end[2] if (major, each) == end[:2] else _PATCHES
        first = patch if each == minor else 0
        if first < beyond:
            yield (major, each), first, beyond
