"""One run that brings a catalogue up to date with its tree, while no other does."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

from packaging.utils import NormalizedName

from wheelhouse_resolver.catalogue import pages
from wheelhouse_resolver.catalogue.answers import Given, outcomes, usual_hosts
from wheelhouse_resolver.catalogue.config import LOCK_NAME, CatalogueTable
from wheelhouse_resolver.catalogue.facts import WheelFacts, read_facts
from wheelhouse_resolver.catalogue.history import Event, changes, joined
from wheelhouse_resolver.catalogue.project import Entry, ProjectFiles, pythons_of
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.policy import Policy
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.location import DRAFTS, PAGE, Kind, Location, check_no_links, location
from wheelhouse_resolver.static_index.page_files import PageWriter
from wheelhouse_resolver.static_index.report import IndexObserver
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, Installable, InvalidFilename
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.utils.filesystem import read_head
from wheelhouse_resolver.utils.text import version_key
from wheelhouse_resolver.utils.workers import spread
from wheelhouse_resolver.wheelfile.metadata_cache import cached_metadata_of_many

CATALOGUE = Kind("catalogue", LOCK_NAME)

#: The pages of the projects, the history, and what is remembered, in the catalogue's directory.
PROJECTS, HISTORY, STATE = "projects", "history.json", ".state.json"

#: Another number, and all pages are written again. So many Pythons are taken for the usual ones; so many
#: projects are worked on at once, and up to so many by one process; so long are files that are read (bytes).
_RULES, _PYTHONS, _BATCH, _FEW, _LARGEST = 1, 2, 2000, 20, 1 << 28

#: What tells a file from another of its name: size, mtime (ns).
_Files = dict[str, list[int]]


class CatalogueReport(NamedTuple):
    """What a run did.

    output:   the directory of the catalogue. projects, files: how many it has.
    changed:  of how many projects the pages were looked at. written, removed: how many files.
    problems: what could not be read of the wheels that were opened: (path, problem) each.
    """

    output: str
    projects: int
    files: int
    changed: int
    written: int
    removed: int
    problems: tuple[tuple[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON: all of it."""
        problems = [{"path": path, "problem": problem} for path, problem in self.problems]
        return {**self._asdict(), "problems": problems}


class _State(NamedTuple):
    """What is remembered. *recipe*: what else the pages depend on; *files*, *entries*: by project."""

    recipe: str = ""
    files: Mapping[str, _Files] = {}
    entries: Mapping[str, Entry] = {}

    @classmethod
    def read(cls, place: Location) -> _State:
        """What is there; nothing if it cannot be read."""
        with suppress(ValueError, LookupError, TypeError, RecursionError):
            data = json.loads(read_head(os.path.join(place.path, STATE), _LARGEST))
            return cls(data["recipe"], data["files"], {e[0]: Entry.of(e) for e in data["entries"]})
        return cls()

    def text(self) -> bytes:
        """What `read` reads."""
        data = {"recipe": self.recipe, "files": self.files, "entries": [*self.entries.values()]}
        return json.dumps(data, separators=(",", ":")).encode()


def write_catalogue(
    site: Site,
    output: str,
    table: CatalogueTable = CatalogueTable(),  # noqa: B008 - immutable
    *,
    projects: Collection[str] | None = None,
    observer: IndexObserver | None = None,
    jobs: int = 1,
) -> CatalogueReport:
    """Make the catalogue of *site* in the directory *output*, or bring it up to date.

    projects: normalised names: whose files may have changed in place; None: any. jobs: processes that read.
    Raises `OutputError`, `MissingExtraError`, `RequirementsFileError`, `WorkerKilledError`.
    """
    listing.check_root(site)
    listing.check_bases(site)
    templates = pages.templates_hash()  # before anything is made
    place, observer = location(site, output, CATALOGUE), observer or IndexObserver()
    check_no_links(place, [DRAFTS, CATALOGUE.lock, PROJECTS])
    with place.held(observer.waiting):
        run = _Run(site, place, table, templates)
        return run.run(projects, observer, jobs)


class _Run:
    """Writes what differs from what is there."""

    def __init__(self, site: Site, place: Location, table: CatalogueTable, templates: str) -> None:
        self._tree = Tree(site)
        self._place = place
        self._title = table.title or f"Wheels in {site.root}"
        self._writer = PageWriter(place)
        self._old = _State.read(place)
        self._files = self._tree.catalogue(site.directories())
        self._kinds = site.host_kinds()
        self._table, self._templates = table, templates
        self._hosts: list[tuple[str, Host]] = []
        self._problems: list[tuple[str, str]] = []

    def _recipe_with(self, found: Iterable[Mapping[Installable, int]], kept: Iterable[Entry]) -> str:
        """What all pages depend on. The usual hosts are those for the newest Pythons of what is there."""
        site = self._tree.site
        labels = {*chain.from_iterable(map(pythons_of, found)), *chain.from_iterable(e.pythons for e in kept)}
        newest = sorted((each for each in labels if re.fullmatch(r"3\.\d+", each)), key=version_key)
        self._hosts = usual_hosts(site, self._table.pythons or newest[-_PYTHONS:])
        limits = [repr(Policy.of(site, host, RequirementsFile()).constraints) for _, host in self._hosts[:1]]
        named = [label for label, _ in self._hosts]
        recipe = [_RULES, self._templates, repr(site[:-1]), self._table, named, limits]
        return hashlib.sha256(json.dumps(recipe).encode()).hexdigest()

    def run(self, asked: Collection[str] | None, observer: IndexObserver, jobs: int) -> CatalogueReport:
        """Do it all; see `write_catalogue`."""
        old = self._old
        now: dict[str, _Files] = {}
        found: dict[NormalizedName, dict[Installable, int]] = {}
        for name in self._files.projects:
            if asked is not None and name not in asked and name in old.files:
                now[name] = old.files[name]
                continue
            placed, states = self._looked_at(name)
            if placed:
                found[name], now[name] = placed, states
        recipe = self._recipe_with(found.values(), (old.entries[each] for each in now.keys() - found.keys()))
        there = {*self._there()}
        came_or_went = now.keys() ^ old.files.keys()
        due = [
            name
            for name in now
            if recipe != old.recipe
            or now[name] != old.files.get(name)
            or not {f"{name}.html", f"{name}.json"} <= there
            or not came_or_went.isdisjoint(old.entries[name].needs)
        ]
        for each in map(NormalizedName, due):
            if each not in found:  # its own files are as they were
                found[each] = self._looked_at(each)[0]
        events = self._history(now)
        entries = {name: entry for name, entry in old.entries.items() if name in now}
        for start in range(0, len(due), _BATCH):
            batch = [NormalizedName(name) for name in due[start : start + _BATCH]]
            projects = [ProjectFiles.of(name, found[name]) for name in batch]
            for entry in self._write_projects(projects, now.keys(), jobs):
                entries[entry.name] = entry
                observer.progress(start := start + 1, len(due))
        self._finish(_State(recipe, now, entries), events, there)
        files = sum(map(len, now.values()))
        written, removed = self._writer.written, self._writer.removed
        return CatalogueReport(
            self._place.path, len(now), files, len(due), written, removed, tuple(self._problems)
        )

    def _looked_at(self, name: NormalizedName) -> tuple[dict[Installable, int], _Files]:
        """When each file of the project was placed (s), and how each is; without those that are gone."""
        placed: dict[Installable, int] = {}
        states: _Files = {}
        for each in self._files.files(name):
            if not isinstance(each, InvalidFilename):
                with suppress(OSError):
                    status = os.stat(each.path)
                    placed[each] = int(status.st_mtime)
                    states[f"{each.directory.label}/{each.filename}"] = [status.st_size, status.st_mtime_ns]
        return placed, states

    def _there(self) -> list[str]:
        with suppress(OSError):
            return os.listdir(os.path.join(self._place.path, PROJECTS))
        return []

    # -- writing -------------------------------------------------------------------------------------------

    def _write_projects(
        self, projects: list[ProjectFiles], known: Collection[str], jobs: int
    ) -> Iterator[Entry]:
        """Write the pages of *projects*; their entries, as it goes on. *known*: all that have a page."""
        wheels = [wheel for each in projects for wheel in each.shown]
        paths = [each.path for each in wheels]
        facts = dict(
            zip(paths, spread(read_facts, paths, jobs if len(projects) > _FEW else 1, 20), strict=True)
        )
        self._problems += [(path, each.problem) for path, each in facts.items() if each.problem]
        cached_metadata_of_many(path for each in projects for path in each.in_question)  # many at once
        names = [NormalizedName(each.name) for each in projects]
        answers = outcomes(self._tree, names, self._hosts, jobs if len(names) > _FEW else 1)
        for each in projects:
            its = [(wheel, facts[wheel.path]) for wheel in each.shown]
            self._write_project(each, its, answers[each.name], known)
            yield each.entry(its[0][1] if its else WheelFacts())

    def _write_project(
        self,
        project: ProjectFiles,
        facts: list[tuple[Candidate, WheelFacts]],
        answers: list[Given],
        known: Collection[str],
    ) -> None:
        page = pages.project_page(self._title, project, facts, answers, self._kinds, known)
        self._put(f"{PROJECTS}/{project.name}.html", page)
        self._put(f"{PROJECTS}/{project.name}.json", pages.data_file(project))

    def _history(self, now: Mapping[str, _Files]) -> list[Event]:
        """What happened so far; it is written before the pages, so that nothing is forgotten."""
        old: list[Event] = []
        with suppress(ValueError, LookupError, TypeError, RecursionError):
            content = read_head(os.path.join(self._place.path, HISTORY), _LARGEST)
            old = [Event.of(each) for each in json.loads(content)["events"]]
        new: list[Event] = []
        for name in {*now, *self._old.files}:
            before, after = self._old.files.get(name, {}), now.get(name, {})
            if before != after:
                new += changes(_seconds(before), _seconds(after))
        events = joined(old, new)
        self._put(HISTORY, pages.history_file(events))
        return events

    def _finish(self, state: _State, events: list[Event], there: Iterable[str]) -> None:
        """Write what is about all projects, and remove the pages of what is gone: no link leads nowhere."""
        self._put("feed.xml", pages.feed(self._title, self._tree.site.root, events))
        self._put(PAGE, pages.first_page(self._title, state.entries.values()))
        for name in sorted(there):
            stem, ending = os.path.splitext(name)
            if ending in (".html", ".json") and stem not in state.files:
                os.unlink(os.path.join(self._place.path, PROJECTS, name))
                self._writer.removed += 1
        if state != self._old:
            self._put(STATE, state.text())

    def _put(self, name: str, content: bytes) -> None:
        self._writer.put(os.path.join(self._place.path, *name.split("/")), content)


def _seconds(files: _Files) -> dict[str, int]:
    return {path: mtime_ns // 1_000_000_000 for path, (_, mtime_ns) in files.items()}
