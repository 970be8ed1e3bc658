"""One run that brings an index up to date with its tree, while no other does."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index import sidecars
from wheelhouse_resolver.static_index.location import (
    DRAFTS,
    LOCK_NAME,
    Location,
    check_no_links,
    check_same_tree,
    classes,
    location,
    way_to_root,
)
from wheelhouse_resolver.static_index.page_files import PageWriter
from wheelhouse_resolver.static_index.pages import IndexedFile, page_entries, project_page, root_page
from wheelhouse_resolver.static_index.reading import (
    COARSE,
    FINE,
    indexed,
    project_of,
    read_file,
    unsettled,
)
from wheelhouse_resolver.static_index.report import IndexObserver, IndexReport, LeftOut
from wheelhouse_resolver.static_index.state_file import Place, StateFile
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Installable
from wheelhouse_resolver.tree.index_state import STATE_NAME, FileRow, is_recorded
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.workers import spread

#: The rules of the pages: another number, and all are compared with what they ought to be.
_RULES = 3

#: What has been read so far is saved this often (s).
_SAVE_EVERY = 30

#: So many files are noted at once; of fewer, a single process reads all.
_BATCH = 200

_GONE = "went while the index was written"


class IndexOptions(NamedTuple):
    """How an index is written.

    metadata: write a `.metadata` file beside each wheel (PEP 658), and say so on the pages.
    glibc:    the C library of the hosts; None: new enough for all wheels.
    jobs:     how many processes read wheels.
    """

    metadata: bool = False
    glibc: tuple[int, int] | None = None
    jobs: int = 1


@contextmanager
def running(
    site: Site, output: str, options: IndexOptions, observer: IndexObserver | None
) -> Iterator[IndexRun]:
    """A run for the index of *site* in *output*, for which other writers wait. Raises `OutputError`."""
    listing.check_root(site)
    listing.check_bases(site)  # else their wheels would be taken off every page
    place, observer = location(site, output), observer or IndexObserver()
    check_no_links(place, [DRAFTS, LOCK_NAME, *classes(site)])  # before anything is made
    with place.held(observer.waiting):
        run = None
        try:
            run = IndexRun(site, place, options, observer)
            yield run
        except sqlite3.Error as error:
            raise OutputError(os.path.join(place.path, STATE_NAME), str(error)) from error
        finally:
            if run is not None:
                run.state.close()


class IndexRun:
    """Writes what differs from what is there."""

    def __init__(self, site: Site, place: Location, options: IndexOptions, observer: IndexObserver) -> None:
        self.state = StateFile(place)
        self._site = site
        self._place, self._options, self._observer = place, options, observer
        self._directories = {each.label: each for each in site.directories()}
        self._own = site.own_directories()
        self._classes = {
            name: ([each.label for each in kind.search_path], kind.family)
            for name, kind in classes(site).items()
        }
        self._way = way_to_root(site, place)
        self._pages = PageWriter(place)
        self._times: dict[str, int | None] = {}
        self._read = 0
        self._left_out: list[LeftOut] = []
        self._saved = time.monotonic()
        recipe = [_RULES, self._classes, self._way, options.metadata, options.glibc]
        recipe += [[base.name, base.root] for base in site.bases]
        self._recipe = json.dumps(recipe)

    # -- the two ways --------------------------------------------------------------------------------------

    def whole(self, without: Collection[Place] = ()) -> IndexReport:
        """All pages as the tree is now, but *without* these files, which are about to go."""
        state = self.state
        if not state.missing and not state.is_sound():
            state.forget()
        check_same_tree(self._site, self._place, state.setting("way"))
        for label in state.directories().keys() - self._directories.keys():
            state.remove_directory(label)
        if self._options.metadata:
            for directory in self._own:
                atomic.clear_temporary(directory.path)
        names = {label: self._listed(each, COARSE) for label, each in self._directories.items()}
        todo, due = self._compared(names)
        due |= state.due()
        if state.setting("recipe") != self._recipe:
            due |= {page.project for page in state.pages()} - {""}
            for label, directory in self._directories.items():
                due |= {each for name in state.known(label) if (each := project_of(name, directory))}
        due |= self._read_all(todo, due)
        linked = self._pages.linked(self._classes)
        due |= {e.project for e in state.pages() if e.project in linked or not e.is_there(self._place)}
        if self._options.metadata:
            due |= self._without_sidecar(names)
        self._write(due, without, everywhere=True)
        self._end(names, self._projects_of(without))
        for label, name, problem in state.problems():
            self._left_out.append(LeftOut(os.path.join(self._directories[label].path, name), problem))
        projects, files = state.totals()
        here = (names[each.label] for each in self._own)
        beside = sum(map(sidecars.count, here)) if not self._options.metadata else 0
        return self._report()._replace(projects=projects, files=files, metadata=beside)

    def some(self, projects: Collection[str], without: Collection[Place] = ()) -> IndexReport:
        """The pages of *projects*, as the tree is now, but *without* these files, which are about to go."""
        state = self.state
        if state.missing or state.setting("recipe") != self._recipe:
            return self.whole(without)
        todo: list[Place] = []
        due = {*projects}
        names: dict[str, list[str]] = {}
        times = state.directories()
        for label, directory in self._directories.items():
            if label in times and times[label] == _time_of(directory):
                self._times[label] = times[label]
                continue
            names[label] = self._listed(directory, FINE)
            known = state.names(label)
            gone = known - {*names[label]}
            state.remove_files([(label, name) for name in gone])
            due |= {each for name in gone if (each := project_of(name, directory))}
            if label not in times:
                state.set_directory(label, -1)
            new = [name for name in names[label] if is_recorded(name) and name not in known]
            state.set_files([(label, FileRow(name, 0, -1, 0)) for name in new])
        for project in projects:
            for label, row in self._rows(project):
                if (label, row.filename) not in without and self._differs(label, row.filename, row[1:4]):
                    todo.append((label, row.filename))
        due |= self._read_all(todo, due)
        self._write(due, without)
        self._end(names, (state.due() - due) | self._projects_of(without))
        for project in projects:
            for label, row in self._rows(project):
                if row.problem:
                    path = os.path.join(self._directories[label].path, row.filename)
                    self._left_out.append(LeftOut(path, row.problem))
        return self._report()

    # -- the tree ------------------------------------------------------------------------------------------

    def _listed(self, directory: Directory, patience: int) -> list[str]:
        """The names in *directory*; its time is noted if no other names can have the same.

        *patience*: how long may be waited until that is so (ns).
        """
        before = _time_of(directory)
        left = unsettled(before) if before is not None else 0
        if 0 < left <= patience:
            time.sleep(left / 1e9)
        names = listing.all_names(directory)
        sure = left <= patience and before == _time_of(directory)
        self._times[directory.label] = before if sure else -1
        return names

    def _differs(self, label: str, name: str, known: tuple[int, int, int] | None) -> bool:
        """Whether the file is not the one that is *known*."""
        directory = self._directories[label]
        try:
            found = os.stat(f"{directory.path}/{name}")
        except OSError:
            return True
        return known is None or not FileRow(name, *known).is_same(found, directory)

    def _compared(self, names: dict[str, list[str]]) -> tuple[list[Place], set[str]]:
        """The files to read, and the projects of those that are gone."""
        todo: list[Place] = []
        due: set[str] = set()
        for label, directory in self._directories.items():
            known = self.state.known(label)
            there = [name for name in names[label] if is_recorded(name)]
            todo += [(label, name) for name in there if self._differs(label, name, known.get(name))]
            gone = known.keys() - {*there}
            due |= {each for name in gone if (each := project_of(name, directory))}
            self.state.remove_files([(label, name) for name in gone])
        return todo, due

    def _read_all(self, todo: list[Place], due: Collection[str]) -> set[str]:
        """Read these files; the projects whose pages differ by that."""
        jobs = self._options.jobs if len(todo) > _BATCH else 1
        files = [(self._directories[label], name) for label, name in todo]
        differing: set[str] = set()
        times = self.state.directories()
        for label in {label for label, _ in todo} - times.keys():
            self.state.set_directory(label, -1)
        batch: list[tuple[str, FileRow]] = []
        rows = spread(read_file, files, jobs, max(1, min(50, len(files) // (4 * jobs))))
        for number, ((label, name), row) in enumerate(zip(todo, rows, strict=True), 1):
            self._read += 1
            project = project_of(name, self._directories[label])
            if row is None:
                self.state.remove_files([(label, name)])
                self._left_out.append(LeftOut(os.path.join(self._directories[label].path, name), _GONE))
                differing |= {project} if project else set()
            elif row != self.state.row(label, name):
                batch.append((label, row))
                differing |= {project} if project else set()
            if len(batch) == _BATCH or number == len(todo):
                self.state.set_files(batch)
                batch = []
                self._save_now_and_then({*due, *differing})
            self._observer.progress(number, len(todo))
        return differing

    def _save_now_and_then(self, due: set[str]) -> None:
        if time.monotonic() - self._saved > _SAVE_EVERY:
            self.state.set_due(due)
            self.state.save()
            self._saved = time.monotonic()

    def _rows(self, project: str) -> Iterator[tuple[str, FileRow]]:
        """(label, row) of all files of *project*, in the order of the directories."""
        words = project.split("-")
        keys = ["-".join(words[:number]) for number in range(1, len(words) + 1)]
        for label, directory in self._directories.items():
            for key in keys:
                for row in self.state.rows(label, key):
                    if project_of(row.filename, directory) == project:
                        yield label, row

    # -- the pages -----------------------------------------------------------------------------------------

    def _write(
        self, projects: Collection[str], without: Collection[Place] = (), *, everywhere: bool = False
    ) -> None:
        """Write the pages of *projects*, then those that name all, then remove those of what has none.

        *everywhere*: remove also what a killed run, or somebody else, has left. A project's directory is
        there as long as it is named.
        """
        state, gone = self.state, []
        moved = "" in projects or state.missing
        for project in sorted({*projects} - {""}):
            texts = self._texts(project, without)
            before = {name for page in state.pages(project) for name in page.names}
            moved |= state.set_pages(project, self._pages.write(project, texts))
            gone.append((project, (before if everywhere else self._classes.keys()) - texts.keys()))
        former = {*filter(None, state.setting("classes").split("/"))} if everywhere else set()
        if moved or (everywhere and state.setting("recipe") != self._recipe):
            self._write_roots()
        for project, names in gone:
            self._pages.remove(project, names)
        if everywhere:
            projects_of: dict[str, set[str]] = {name: set() for name in {*former, *self._classes}}
            for page in state.pages():
                for name in page.names:
                    projects_of.setdefault(name, set()).add(page.project)
            for name, found in projects_of.items():
                self._pages.remove_others(name, found if name in self._classes else ())
            for name in former - self._classes.keys():
                self._pages.remove("", [name])

    def _write_roots(self) -> None:
        found: dict[str, set[str]] = {name: set() for name in self._classes}
        for page in self.state.pages():
            for name in page.names if page.project else ():
                found.setdefault(name, set()).add(page.project)
        texts = {name: root_page(found[name]) for name in self._classes}
        self.state.set_pages("", self._pages.write("", texts))

    def _texts(self, project: str, without: Collection[Place]) -> dict[str, str]:
        """The pages of *project* by class; classes that have none of its files have no page."""
        files: dict[str, list[IndexedFile]] = {}
        for label, row in self._rows(project):
            directory = self._directories[label]
            metadata = self._options.metadata and directory.base is None
            file = indexed(row, directory, metadata=metadata)
            if file is not None and (label, row.filename) not in without:
                files.setdefault(label, []).append(file)
        if self._options.metadata:
            sidecars.write(each for own in self._own for each in files.get(own.label, ()))
        texts: dict[str, str] = {}
        known: dict[tuple[object, ...], str] = {}
        for name, (labels, machine) in self._classes.items():
            own = [label for label in labels if label in files]
            key = (machine, *own)
            if own and key not in known:
                found = [each for label in own for each in files[label]]
                entries = page_entries(found, self._options.glibc, machine)
                known[key] = project_page(project, entries, self._href) if entries else ""
            if own and known[key]:
                texts[name] = known[key]
        return texts

    def _href(self, file: Installable) -> str:
        if file.directory.base is not None:  # it stays where it is, wherever this wheelhouse is moved to
            return file.path
        return f"{self._way}/{file.directory.label}/{file.filename}"

    # -- the end -------------------------------------------------------------------------------------------

    def _without_sidecar(self, names: dict[str, list[str]]) -> set[str]:
        """The projects of wheels that lack their `.metadata` file."""
        broken = {(label, name) for label, name, _ in self.state.problems()}
        return {
            project
            for own in self._own
            for name in sidecars.missing(names[own.label])
            if (own.label, name) not in broken and (project := project_of(name, own))
        }

    def _projects_of(self, files: Collection[Place]) -> set[str]:
        found = (project_of(name, self._directories[label]) for label, name in files)
        return {each for each in found if each}

    def _end(self, names: dict[str, list[str]], due: Collection[str]) -> None:
        """Remove what is left of wheels that are gone; note as of when the directories are known; save.

        *due*: the projects that the next run has to look at.
        """
        state = self.state
        for label, directory in self._directories.items():
            if self._options.metadata and label in names and directory.base is None:
                sidecars.remove_orphans(directory, names[label])
            if self._times[label] != _time_of(directory):
                there = {name for name in self._listed(directory, FINE) if is_recorded(name)}
                if there != state.names(label):
                    self._times[label] = -1
            state.set_directory(label, self._times[label])
        state.set_setting("recipe", self._recipe)
        state.set_setting("way", self._way)
        state.set_setting("classes", "/".join(self._classes))
        state.set_due(due)
        state.save()

    def _report(self) -> IndexReport:
        return IndexReport(
            self._place.path,
            classes=len(self._classes),
            read=self._read,
            written=self._pages.written,
            removed=self._pages.removed,
            left_out=tuple(sorted({*self._left_out})),
        )


def _time_of(directory: Directory) -> int | None:
    """The modification time of *directory* (ns); None if it is not there, -1 if that cannot be said."""
    try:
        return os.stat(directory.path).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return -1
