"""What is wrong with the site's static index: pages not as written, dead links, what no page can say."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.conflicts import Conflict, conflicts
from wheelhouse_resolver.static_index.location import PAGE, Location, classes
from wheelhouse_resolver.static_index.page_files import PageFile, links_in
from wheelhouse_resolver.static_index.pages import IndexedFile, page_entries
from wheelhouse_resolver.static_index.reading import indexed
from wheelhouse_resolver.tree.candidate import Installable
from wheelhouse_resolver.tree.index_state import FileRow, IndexState


def check_index(site: Site) -> Iterator[Finding]:
    """Everything that is wrong with the index that *site* names, if it names one."""
    table = index_table(site)
    if table is None:
        return
    place, fix = Location(table.directory), site.command("index", "--output", table.directory)
    state = IndexState.open(table.directory)
    if state is None:
        message = "no index that can be read, though the site file names it"
        yield Finding(FindingKind.INDEX_PAGE, message, (table.directory,), fix)
        return
    names = list(classes(site))
    yield from _pages(state, place, names, fix)
    yield from _links(site, state, fix)
    yield from _order(site, state, table.glibc)


def _pages(state: IndexState, place: Location, names: Sequence[str], fix: str) -> Iterator[Finding]:
    """Pages that are missing, changed, or of nobody."""
    known: dict[str, set[str]] = {name: set() for name in names}
    links = {name: _links_of(place, name) for name in names}
    pages = list(map(PageFile._make, state.pages()))
    for page in pages:
        for name in page.names:
            known.setdefault(name, set()).add(page.project)
            alone = page._replace(classes=name)
            linked = {"", page.project} & links.get(name, set())  # which is said of the link
            if not linked and not alone.is_there(place):
                message = "a page that is missing, or not as it was written"
                yield Finding(FindingKind.INDEX_PAGE, message, (place.page(name, page.project),), fix)
    for name in names:
        yield from _linked(place, name, links[name], known[name], fix)
        if "" not in known[name]:
            message = f"the hosts of class {name} have no pages"
            yield Finding(FindingKind.INDEX_PAGE, message, (place.page(name),), fix)
            continue
        try:
            there = os.listdir(os.path.join(place.path, name))
        except OSError:
            continue
        for other in sorted({*there} - known[name] - {PAGE}):
            page_file = place.page(name, other)
            if os.path.isfile(page_file) and not os.path.islink(os.path.dirname(page_file)):
                message = "a page of a project that the wheelhouse does not have"
                yield Finding(FindingKind.INDEX_PAGE, message, (page_file,), fix)


def _links_of(place: Location, name: str) -> set[str]:
    """The names of the links in the directory of the class *name*; only "" if that is one itself."""
    above = os.path.join(place.path, name)
    return {""} if os.path.islink(above) else {*links_in(above)}


def _linked(place: Location, name: str, links: set[str], known: set[str], fix: str) -> Iterator[Finding]:
    """*links* in the place of the directory of a class, or of a project that has a page or seems to."""
    for each in sorted(links):
        link = os.path.join(place.path, name, each).rstrip(os.sep)
        if not each or each in known or os.path.isfile(os.path.join(link, PAGE)):
            message = "a link in the place of a directory of pages: they are what is there, not as written"
            yield Finding(FindingKind.INDEX_PAGE, message, (link,), f"rm {shlex.quote(link)} && {fix}")


def _links(site: Site, state: IndexState, fix: str) -> Iterator[Finding]:
    """Files that are gone or others now, and directories in which something has changed."""
    for directory in site.directories():
        dead = unread = 0
        for row in state.rows(directory):
            if row.problem or not row.sha256:
                unread += not row.problem
                continue
            path = os.path.join(directory.path, row.filename)
            try:
                changed = "" if _is_same(row, os.stat(path), directory) else "has changed since"
            except OSError:
                changed = "is gone"
            if changed:
                dead += 1
                message = f"pages link to a file that {changed}: installers fail on it"
                yield Finding(FindingKind.INDEX_LINK, message, (path,), fix)
        known = (state.fresh(directory) and not unread) or not os.path.isdir(directory.path)
        if not dead and not known:
            message = "the index does not know what has come into the directory; questions list it meanwhile"
            yield Finding(FindingKind.INDEX_STALE, message, (directory.path,), fix)


def _is_same(row: FileRow, status: os.stat_result, directory: Directory) -> bool:
    """Whether the file is the one of *row*; of one that was new when it was read, its time says nothing."""
    if row.mtime_ns < 0:
        row = row._replace(mtime_ns=status.st_mtime_ns)
    return row.is_same(status, directory)


def _order(site: Site, state: IndexState, glibc: tuple[int, int] | None) -> Iterator[Finding]:
    """Where an installer takes another wheel through the pages than policy wants."""
    projects: dict[str, dict[str, list[IndexedFile]]] = defaultdict(lambda: defaultdict(list))
    for directory in site.directories():
        for row in state.rows(directory):
            file = indexed(row, directory, metadata=False)
            if file is not None:
                projects[file.candidate.name][directory.label].append(file)
    kinds = {
        (kind.family, *(each.label for each in kind.search_path)): name
        for name, kind in reversed(classes(site).items())
    }
    for project in sorted(projects):
        by_label = projects[project]
        seen: set[tuple[str | None, ...]] = set()
        found: dict[Conflict, list[str]] = defaultdict(list)
        for (machine, *labels), name in kinds.items():
            own = [label for label in labels if label in by_label]
            files = [file for label in own for file in by_label[label]]
            if len(files) < 2 or (machine, *own) in seen:
                continue
            seen.add((machine, *own))
            for conflict in conflicts(files, page_entries(files, glibc, machine), glibc, machine):
                found[conflict].append(name)
        builds = [file.candidate for each in by_label.values() for file in each]
        for conflict, hosts in found.items():
            same = [each for each in builds if each.version == conflict.wanted.version]
            best = max(same, key=lambda each: each.directory.rank)  # as for builds that require other Pythons
            yield _order_finding(site, conflict, hosts, best)


def _order_finding(site: Site, conflict: Conflict, hosts: Sequence[str], goes: Installable) -> Finding:
    wanted, taken = conflict.wanted, conflict.taken
    who = ", ".join(conflict.installers)
    what = (
        f"{taken.directory.label}/{taken.filename}" if taken is not None else "an older version, or nothing"
    )
    message = (
        f"through its page {who} would take {what} instead of {wanted.directory.label}/{wanted.filename}"
    )
    return Finding.about(
        [wanted, taken] if taken is not None else [wanted],
        FindingKind.INDEX_ORDER,
        f"{message}: no page can say it",
        withdraw_command(site, goes.directory, goes.filename),
        hosts=tuple(hosts),
        pythons=conflict.pythons,
    )
