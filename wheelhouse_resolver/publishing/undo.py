"""Undoing the last restamping: every wheel gets its former name and its former bytes back.

What is there decides what is left to do, so it may be killed and run again, and several may run at once. The
wheels of a version of which something has changed since keep their names, all of them: their order is right.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Sequence

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.journal import Identity, Journal, Renaming, identity
from wheelhouse_resolver.publishing.pages import MANY, Pages
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver, PublishReport, Recorder
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site, searched_together
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.tree.reader import wheels_in


class _Wheel:
    """One wheel of a run: the name that it had, and those that it got, each with what may have it."""

    def __init__(self, directory: Directory, name: str) -> None:
        self.directory = directory
        self.name = name
        self.former: set[Identity] = set()
        self.made: dict[str, set[Identity]] = {}
        self.found: set[Identity | None] = set()
        self.beside: set[str] = set()

    @property
    def path(self) -> str:
        """The path that it had."""
        return os.path.join(self.directory.path, self.name)

    def later(self) -> Iterator[tuple[str, Identity | None, set[Identity]]]:
        """Each path that it got, what is there, and what the run made there."""
        for name, made in self.made.items():
            path = os.path.join(self.directory.path, name)
            yield path, identity(path), made

    @property
    def is_back(self) -> bool:
        """Whether it has its name, and no other."""
        return identity(self.path) in self.former and not any(is_ in made for _, is_, made in self.later())


def undo(site: Site, *, dry_run: bool = False, observer: PublishObserver | None = None) -> PublishReport:
    """Undo what the last run of `restamp` that is not undone has renamed: see `Wheelhouse.restamp`."""
    listing.check_root(site)
    listing.check_own(site)
    recorder = Recorder(observer)
    journal, pages = Journal(site), Pages(site, at_once=MANY)
    for directory in site.own_directories() if not dry_run else ():
        trash.clear(directory.path)
    if not journal.undoable():
        return recorder.report()
    with contextlib.nullcontext() if dry_run else journal.running(shared=False), pages.kept(recorder):
        run, steps = max(journal.undoable(), default=(0, []))
        wheels = _wheels_of(site, steps)
        kept = _Kept(wheels)
        barred: set[object] = set()
        for error, version in _problems(site, wheels, kept):
            barred.add(version)
            with recorder.attempt():
                raise error
        # The other way round, so that the tree is on the way what it was on the way there.
        todo = [each for each in reversed(wheels) if _version_of(each) not in barred and not each.is_back]
        for wheel in recorder.observer.progress(todo, "undoing"):
            with recorder.attempt():
                stamped = next((path for path, is_, made in wheel.later() if is_ in made), wheel.path)
                if not dry_run:
                    _put_back(wheel, kept, pages)
                recorder.changed(FileChange(stamped, wheel.path, "planned" if dry_run else "restored"))
        pages.finish()
        if run and recorder.report().ok and not dry_run:
            journal.undone(run)
    return recorder.report()


def forget(site: Site, *, dry_run: bool = False, observer: PublishObserver | None = None) -> PublishReport:
    """Remove for good what `undo` would put back, of all runs: see `Wheelhouse.restamp`."""
    listing.check_root(site)
    listing.check_own(site)
    recorder = Recorder(observer)
    journal = Journal(site)
    if not journal.undoable():
        return recorder.report()
    with contextlib.nullcontext() if dry_run else journal.running(shared=False):
        for run, steps in journal.undoable():
            for each in _Kept(_wheels_of(site, steps)).all():
                if not dry_run:
                    trash.discard(each)
                recorder.changed(FileChange(each.origin, each.path, "planned" if dry_run else "removed"))
            if not dry_run:
                journal.undone(run)
    return recorder.report()


def _wheels_of(site: Site, steps: Iterable[Renaming]) -> list[_Wheel]:
    """The wheels that *steps* are about, in the order of the first of each."""
    directories = {each.label: each for each in site.own_directories()}
    by_name: dict[tuple[str, str], _Wheel] = {}
    found: list[_Wheel] = []
    for step in steps:
        directory = directories.get(step.directory)
        if directory is None:  # the site file has changed since
            path = os.path.join(site.root, step.directory)
            directory = Directory(path, step.directory, None, "", 0)
        wheel = by_name.get((step.directory, step.old))
        if wheel is None:
            wheel = by_name[step.directory, step.old] = _Wheel(directory, step.old)
            found.append(wheel)
        if wheel.name == step.old:
            wheel.former.add(step.former)
        wheel.made.setdefault(step.new, set()).add(step.made)
        wheel.found.add(step.found)
        wheel.beside.update(step.beside)
        by_name[step.directory, step.new] = wheel
    return found


class _Kept:
    """The former files of *wheels* in the trash, and what was made of them and then made anew."""

    def __init__(self, wheels: Sequence[_Wheel]) -> None:
        known: dict[tuple[str, str], set[Identity]] = {}
        for wheel in wheels:
            known.setdefault((wheel.directory.path, wheel.name), set()).update(wheel.former)
            for name, made in [*wheel.made.items()][:-1]:  # the last one was not restamped, if it is here
                known.setdefault((wheel.directory.path, name), set()).update(made)
        self._found: dict[tuple[str, str], trash.Trashed] = {}
        for path in dict.fromkeys(wheel.directory.path for wheel in wheels):
            for each in trash.trashed(path):
                if identity(each.path) in known.get((path, each.filename), ()):
                    self._found.setdefault((path, each.filename), each)

    def get(self, wheel: _Wheel, name: str = "") -> trash.Trashed | None:
        """The former file of *wheel*, or the one that it was when it had that *name*."""
        return self._found.get((wheel.directory.path, name or wheel.name))

    def all(self) -> list[trash.Trashed]:
        """All of them."""
        return list(self._found.values())


def _version_of(wheel: _Wheel) -> object:
    candidate = parse_candidate(wheel.name, wheel.directory)
    return (candidate.name, candidate.version) if isinstance(candidate, Candidate) else wheel.path


def _problems(site: Site, wheels: Sequence[_Wheel], kept: _Kept) -> Iterator[tuple[PublishError, object]]:
    """What has changed since, so that a version cannot be undone: what it is, and the version."""
    for wheel in wheels:
        if not wheel.is_back and (changed := _problem(site, wheel, kept)):
            yield changed, _version_of(wheel)
    # A wheel that was published meanwhile is stamped, and would win over those that are then not.
    of_version: dict[object, list[_Wheel]] = {}
    for wheel in wheels:
        of_version.setdefault(_version_of(wheel), []).append(wheel)
    together = searched_together(site)
    for directory in site.own_directories():
        for each in wheels_in(directory):
            same = of_version.get((each.name, each.version)) if isinstance(each, Candidate) else None
            if not same or all(wheel.is_back for wheel in same):
                continue
            own = {os.path.join(w.directory.path, name) for w in same for name in (w.name, *w.made)}
            if each.path in own or any(f"{directory.label}/{each.filename}" in w.beside for w in same):
                continue
            rivals = frozenset(wheel.directory.path for wheel in same)
            if any(directory.path in paths and rivals & paths for paths in together):
                withdraw = withdraw_command(site, directory, each.filename)
                text = f"published since {same[0].path} was restamped, and would win over it: not undone"
                error = PublishError(each.path, text).with_hint(f"withdraw it first: `{withdraw}`")
                yield error, _version_of(same[0])


def _problem(site: Site, wheel: _Wheel, kept: _Kept) -> PublishError | None:
    """What has changed about *wheel*, so that it cannot get its former name back."""
    at = identity(wheel.path)
    restore = site.command("restore", "--to", wheel.directory.label, wheel.name)
    if at is not None and at not in wheel.former:
        withdraw = withdraw_command(site, wheel.directory, wheel.name)
        problem = "was put there since, under the name of a wheel that was restamped: not undone"
        return PublishError(wheel.path, problem).with_hint(f"withdraw it first: `{withdraw}`")
    here = list(wheel.later())
    for path, is_, made in here:
        if is_ is not None and is_ not in made and is_ not in wheel.found:
            problem = f"was replaced since {wheel.name} was restamped: not undone"
            return PublishError(path, problem).with_hint(f"to have the former wheel, too: `{restore}`")
    if at is not None:
        return None
    path = here[-1][0]
    if kept.get(wheel) is None:
        return PublishError(path, f"its former file {wheel.name} is not in .trash/ any more: not undone")
    if all(is_ is None for _, is_, _ in here):
        problem = f"was withdrawn or removed since {wheel.name} was restamped: not undone"
        return PublishError(path, problem).with_hint(f"to have the former wheel: `{restore}`")
    return None


def _put_back(wheel: _Wheel, kept: _Kept, pages: Pages) -> None:
    """Give *wheel* its former name, then take away what was made of it. Another run may do so at once."""
    former = kept.get(wheel)
    if identity(wheel.path) is None and former is not None:
        try:
            trash.put_back(former)
        except OutputError:
            if identity(wheel.path) is None:
                raise
    if identity(wheel.path) not in wheel.former:
        raise PublishError(wheel.path, "was put there just now, under the name of a wheel that was restamped")
    pages.came(wheel.path)
    for path, is_, made in wheel.later():
        between = kept.get(wheel, os.path.basename(path))
        if is_ in made:
            pages.goes(path, functools.partial(_remove, path, between))
        elif between is not None:
            trash.discard(between)


def _remove(path: str, between: trash.Trashed | None) -> None:
    """Remove what was made at *path*, then what that was made anew of."""
    with contextlib.suppress(FileNotFoundError):
        trash.remove_if_unchanged(path, trash.file_id(path))
        if between is not None:
            trash.discard(between)
