"""Correcting the stamps and the tags of a tree in place."""

from __future__ import annotations

import os
from collections.abc import Iterator

from packaging.tags import Tag
from packaging.version import Version

from wheelhouse_resolver.installers.inversion import Inversion, inversions, retagged
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.place import place
from wheelhouse_resolver.publishing.plan import involving, is_current, restamped
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver, PublishReport, Recorder
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.model import Site, searched_together
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.reader import wheels_in
from wheelhouse_resolver.wheelfile.build_tag import renamed, stamped_name


def restamp(
    site: Site, *, retag: bool = False, dry_run: bool = False, observer: PublishObserver | None = None
) -> PublishReport:
    """Give every wheel of the tree the stamp of its directory, the most specific directory first.

    In that order a tree that is half done has no tie that was right before and is wrong now. The plan of a
    dry run is made from the names alone. More: see `Wheelhouse.restamp`.
    """
    recorder = Recorder(observer)

    def work(candidate: Candidate, tags: frozenset[Tag] | None = None) -> None:
        if not dry_run:
            if planned := restamped(site, candidate, tags):
                recorder.changed(place(site, planned))
            return
        name = stamped_name(candidate.filename, candidate.build, candidate.directory, site)
        path = os.path.join(candidate.directory.path, renamed(name, tags=tags))
        recorder.changed(FileChange(candidate.path, path, "planned"))

    outdated = [each for each in _wheels(site) if not is_current(site, each)]
    for directory in site.directories() if not dry_run else ():
        trash.clear(directory.path)
    for candidate in recorder.observer.progress(outdated, "restamping"):
        with recorder.attempt():
            work(candidate)
    for case, tags in _inverted(site) if retag else ():
        with recorder.attempt():
            if tags is None:
                problem = f"a tag inversion that new tags cannot fix: {case}"
                command = withdraw_command(site, case.lower.directory, case.lower.filename)
                hint = f"withdraw one of the two: `{command}`"
                raise PublishError(case.higher.path, problem).with_hint(hint)
            work(case.higher, tags)
    return recorder.report()


def _wheels(site: Site) -> Iterator[Candidate]:
    """Every well-named wheel of the tree, the most specific directory first."""
    listing.check_root(site)
    for directory in site.directories():
        yield from (each for each in wheels_in(directory) if isinstance(each, Candidate))


def _inverted(site: Site) -> Iterator[tuple[Inversion, frozenset[Tag] | None]]:
    """A tag inversion of each wheel that has some, and the tags that fix them; None: no tags can."""
    together = searched_together(site)
    versions: dict[tuple[str, Version], list[Candidate]] = {}
    for each in _wheels(site):
        versions.setdefault((each.name, each.version), []).append(each)
    for same in versions.values():
        higher: dict[str, list[Inversion]] = {}
        for inversion in inversions(same, together) if len(same) > 1 else ():
            higher.setdefault(inversion.higher.path, []).append(inversion)
        for cases in higher.values():
            wheel = cases[0].higher
            tags = retagged(wheel, [case.lower for case in cases])
            rivals = [each for each in same if each.path != wheel.path]
            fixed = not involving(wheel._replace(tags=tags), rivals, together, above=True)
            yield cases[0], tags if fixed else None
