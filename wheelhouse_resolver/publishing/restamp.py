"""Correcting the stamps and the tags of a tree in place."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from packaging.tags import Tag
from packaging.version import Version

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.installers.inversion import Inversion, inversions, retagged
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.journal import Journal
from wheelhouse_resolver.publishing.order import OrderCheck, WrongOrder
from wheelhouse_resolver.publishing.pages import MANY, Pages
from wheelhouse_resolver.publishing.place import place
from wheelhouse_resolver.publishing.plan import involving, is_current, restamped
from wheelhouse_resolver.publishing.report import (
    FileChange,
    PublishObserver,
    PublishReport,
    Recorder,
    Totals,
)
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.model import Site, searched_together
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.tree.reader import wheels_in
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError

#: The largest wheel that is rewritten only to know how long that takes (bytes).
_SAMPLE = 64 << 20


def restamp(
    site: Site,
    *,
    retag: bool = False,
    dry_run: bool = False,
    keep: bool = True,
    observer: PublishObserver | None = None,
) -> PublishReport:
    """Give every wheel of the tree the stamp of its directory, the most specific directory first.

    In that order a tree that is half done has no tie that was right before and is wrong now. A dry run reads
    every wheel that would be stamped, as the run does. More: see `Wheelhouse.restamp`.
    """
    recorder = Recorder(observer)
    wheels = list(_wheels(site))
    outdated = [each for each in wheels if each.directory.base is None and not is_current(site, each)]
    meter, pages = _Meter(site), Pages(site, at_once=MANY)
    with contextlib.ExitStack() as stack:
        journal = None
        if keep and not dry_run and (outdated or retag):
            journal = Journal(site, _beside(wheels))
            stack.enter_context(journal.running(shared=True))
        stack.enter_context(pages.kept(recorder))
        for directory in site.own_directories() if not dry_run else ():
            trash.clear(directory.path)

        latest = functools.cache(trash.latest)

        def work(candidate: Candidate, tags: frozenset[Tag] | None = None) -> None:
            with recorder.attempt(), meter.measured(candidate, tags) as done:
                try:
                    planned = restamped(site, candidate, tags, latest)
                except InvalidWheelError as error:
                    command = withdraw_command(site, candidate.directory, candidate.filename)
                    raise error.with_hint(f"to withdraw it: `{command}`") from None
                if planned is None:
                    return
                change = FileChange(candidate.path, planned.path, "planned")
                recorder.changed(change if dry_run else place(site, planned, pages, journal))
                done()

        for candidate in recorder.observer.progress(outdated, "checking" if dry_run else "restamping"):
            work(candidate)
        pages.finish()
        now = wheels if dry_run else _wheels(site)
        for case, tags in _inverted(now, searched_together(site)) if retag else ():
            if tags is not None:
                work(case.higher, tags)
                continue
            with recorder.attempt():
                raise _not_fixable(site, case)
        pages.finish()
        if journal is not None:
            journal.end()
    seconds, measured = meter.estimate() if dry_run else (meter.seconds, "this very run")
    renamed = {each.source: each.path for each in recorder.changes} if dry_run else {}
    left = _left(site, _renamed(wheels, renamed) if dry_run else _wheels(site), renamed)
    count, current = len(recorder.changes), len(wheels) - len(outdated)
    totals = Totals(count, current, meter.size, seconds, measured, tuple(left))
    return recorder.report()._replace(totals=totals)


def _not_fixable(site: Site, case: Inversion) -> PublishError:
    problem = f"a tag inversion that new tags cannot fix: {case}"
    ours = case.lower if case.lower.directory.base is None else case.higher
    command = withdraw_command(site, ours.directory, ours.filename)
    return PublishError(case.higher.path, problem).with_hint(f"withdraw one of the two: `{command}`")


def _wheels(site: Site) -> Iterator[Candidate]:
    """Every well-named wheel of the tree, the most specific directory first."""
    listing.check_root(site)
    listing.check_bases(site)
    for directory in site.directories():
        yield from (each for each in wheels_in(directory) if isinstance(each, Candidate))


def _by_version(wheels: Iterable[Candidate]) -> list[list[Candidate]]:
    versions: dict[tuple[str, Version], list[Candidate]] = {}
    for each in wheels:
        versions.setdefault((each.name, each.version), []).append(each)
    return list(versions.values())


def _beside(wheels: Iterable[Candidate]) -> dict[str, tuple[str, ...]]:
    """By path of a wheel, all wheels of its version."""
    found: dict[str, tuple[str, ...]] = {}
    for same in _by_version(wheels):
        names = tuple(f"{each.directory.label}/{each.filename}" for each in same)
        found.update((each.path, names) for each in same)
    return found


def _inverted(
    wheels: Iterable[Candidate], together: Sequence[frozenset[str]]
) -> Iterator[tuple[Inversion, frozenset[Tag] | None]]:
    """A tag inversion of each wheel that has some, and the tags that fix them; None: no tags can."""
    for same in _by_version(wheels):
        higher: dict[str, list[Inversion]] = {}
        for inversion in inversions(same, together) if len(same) > 1 else ():
            if inversion.higher.directory.base is None:
                higher.setdefault(inversion.higher.path, []).append(inversion)
        for cases in higher.values():
            wheel = cases[0].higher
            tags = retagged(wheel, [case.lower for case in cases])
            rivals = [each for each in same if each.path != wheel.path]
            fixed = not involving(wheel._replace(tags=tags), rivals, together, above=True)
            yield cases[0], tags if fixed else None


def _renamed(wheels: Iterable[Candidate], names: dict[str, str]) -> Iterator[Candidate]:
    """*wheels* as they would be with the new paths *names*."""
    for each in wheels:
        new = parse_candidate(os.path.basename(names.get(each.path, each.path)), each.directory)
        if isinstance(new, Candidate):
            yield new


def _left(site: Site, wheels: Iterable[Candidate], names: dict[str, str]) -> Iterator[WrongOrder]:
    """What is wrong in the order of *wheels*, some of which are yet to get these *names*."""
    former = {new: old for old, new in names.items()}
    check = OrderCheck(site, site.host_kinds())
    for same in _by_version(wheels):
        if len(same) > 1 and any(check.check(same)):
            # A link to nothing and a directory are no wheels for anybody.
            there = [e for e in same if os.path.isfile(former.get(e.path, e.path))]
            yield from (case for case in check.check(there) if case.wanted.directory.base is None)


class _Meter:
    """Measures how many bytes are rewritten, and how long that takes."""

    def __init__(self, site: Site) -> None:
        self.size = 0
        self.seconds = 0.0
        self._site = site
        self._wheels: list[_Measured] = []

    @contextlib.contextmanager
    def measured(self, candidate: Candidate, tags: frozenset[Tag] | None) -> Iterator[Callable[[], None]]:
        """Measure what the block does with *candidate*; it calls what it is given when it has succeeded."""
        started, size = time.monotonic(), 0
        with contextlib.suppress(OSError):
            size = os.stat(candidate.path).st_size

        def done() -> None:
            self.size += size
            self._wheels.append(_Measured(size, candidate, tags))

        try:
            yield done
        finally:
            self.seconds += time.monotonic() - started

    def estimate(self) -> tuple[float | None, str]:
        """How long it takes to restamp what was only read, and how that is known.

        Nothing is written into the tree: two wheels, a small one and a typical one, are rewritten elsewhere.
        """
        if not self._wheels:
            return 0.0, ""
        by_size = sorted(self._wheels, key=lambda each: each.size)
        by_size = [each for each in by_size if each.size <= _SAMPLE] or by_size[:1]
        middle, half = 0, sum(each.size for each in by_size) / 2
        while (half := half - by_size[middle].size) > 0:
            middle += 1
        samples = list({each.candidate.path: each for each in (by_size[0], by_size[middle])}.values())
        try:
            took = [self._rewriting(each) for each in samples]
        except (WheelhouseError, OSError, ValueError):  # it has changed, or there is no room
            return None, ""
        small, typical = samples[0].size, samples[-1].size
        each_byte = took[-1] / max(typical, 1)
        if typical > 2 * small and took[-1] > took[0]:
            each_byte = (took[-1] - took[0]) / (typical - small)
        each_wheel = max(0.0, took[0] - each_byte * small)
        seconds = self.seconds + each_wheel * len(self._wheels) + each_byte * self.size
        what = f"{len(samples)} of them" if len(self._wheels) > 1 else "it"
        return seconds, f"reading all and rewriting {what} in {tempfile.gettempdir()}"

    def _rewriting(self, wheel: _Measured) -> float:
        planned = restamped(self._site, wheel.candidate, wheel.tags)
        if planned is None:
            raise FileNotFoundError(wheel.candidate.path)
        with tempfile.TemporaryDirectory() as scratch:
            directory = planned.directory._replace(path=scratch)
            started = time.monotonic()
            elsewhere = planned._replace(directory=directory, in_place=False, former=None)
            made = place(self._site, elsewhere, Pages(self._site))
            trash.move_to_trash(made.path)  # as long as it takes to move the old one
            return time.monotonic() - started


class _Measured(NamedTuple):
    """One wheel that is to be rewritten."""

    size: int
    candidate: Candidate
    tags: frozenset[Tag] | None
