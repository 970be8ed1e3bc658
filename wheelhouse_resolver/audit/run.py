"""Auditing: where an installer's order would differ from policy, and what else is wrong in a tree.

Read project by project: memory holds the file names and one project's wheels; findings are yielded as they
are found. Nothing is changed. Every finding names the command that fixes it.
"""

from __future__ import annotations

import functools
import os
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, groupby

from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.audit import files
from wheelhouse_resolver.audit.archives import check_archives
from wheelhouse_resolver.audit.bases import missing_bases, with_bases
from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.audit.ignored import ignore_patterns
from wheelhouse_resolver.audit.index import check_index
from wheelhouse_resolver.audit.order import check_labels, order_finding
from wheelhouse_resolver.audit.variants import check_variants
from wheelhouse_resolver.errors import UnreadableDirectoryError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.order import OrderCheck
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.selection.constraints import site_problems
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import (
    Candidate,
    SourceArchive,
    VariantWheel,
    parse_archive,
    parse_candidate,
)
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.workers import spread


def audit(
    site: Site,
    *,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    provenance: bool = False,
) -> Iterator[Finding]:
    """Everything that is wrong with *site*'s wheelhouse, project by project: see `Wheelhouse.audit`."""
    listing.check_root(site)
    patterns = ignore_patterns(site)
    for finding in with_bases(site, _all(site, jobs, progress, _Look(site, provenance))):
        ignored = any(each.matches(finding) for each in patterns)
        yield finding._replace(ignored=True) if ignored else finding


def _all(
    site: Site, jobs: int, progress: Callable[[int, int], None] | None, look: _Look
) -> Iterator[Finding]:
    for path, problem in site_problems(site, os.environ):
        yield Finding(FindingKind.CONSTRAINTS, str(problem), (path,), f"correct {path}: every pip reads it")
    yield from missing_bases(site)
    yield from check_index(site)
    wheels: _Entries = []
    closed = list(_closed(site))
    yield from closed
    for number, directory in enumerate(site.directories()):
        for finding in _read_directory(site, directory, number, wheels):
            if finding.kind is not FindingKind.UNREADABLE or not _is_below(directory, closed):
                yield finding
    for path, count in listing.unsearched(site):
        wheel = "wheels" if count > 1 else "wheel"
        message = f"{count} {wheel} in a directory that is not one of the site's: no host searches it"
        fix = "publish them into a directory of the site, or add a [[layer]] with this one to the site file"
        yield Finding(FindingKind.OUTSIDE, message, (path,), fix)
    projects = [list(group) for _, group in groupby(sorted(wheels), key=lambda entry: entry[0])]
    many = _BATCH * len(projects) // max(1, len(wheels))
    looked: Iterator[Iterable[Finding]] = (
        map(look, projects) if jobs < 2 else spread(lambda project: [*look(project)], projects, jobs, many)
    )
    done = 0
    for project, findings in zip(projects, looked, strict=True):
        yield from findings
        done += len(project)
        if progress is not None:
            progress(done, len(wheels))


#: Wheels as (project, number of the directory, file name).
_Entries = list[tuple[str, int, str]]

#: About how many wheels a process gets in one go: handing over fewer costs more than to look at them.
_BATCH = 200


class _Look:
    """Looks at one project after another, remembering what repeats."""

    def __init__(self, site: Site, provenance: bool) -> None:
        self._site = site
        self._provenance = provenance
        self._directories = site.directories()
        self._hosts = site.host_kinds()
        self._order = OrderCheck(site, self._hosts)
        self._latest = functools.cache(trash.latest)

    def __call__(self, project: _Entries) -> Iterator[Finding]:
        site, hosts = self._site, self._hosts
        by_version: dict[Version, list[Candidate]] = defaultdict(list)
        archives: list[SourceArchive] = []
        variants: list[VariantWheel] = []
        for _, number, filename in project:
            directory = self._directories[number]
            if not filename.endswith(listing.SUFFIX):
                archives += filter(None, [parse_archive(filename, directory)])
                continue
            each = parse_candidate(filename, directory)
            if isinstance(each, Candidate):
                by_version[each.version].append(each)
            elif isinstance(each, VariantWheel):
                variants.append(each)
            else:
                fix = withdraw_command(site, each.directory, each.filename)
                yield Finding(FindingKind.MISNAMED, each.problem, (each.path,), fix)
        yield from check_variants(site, variants, by_version, hosts)
        if archives:
            yield from check_archives(site, archives, [*chain(*by_version.values())], hosts)
        contents: dict[str, files.Content] = {}
        sound: list[Candidate] = []
        barred: set[str] = set()
        for _, same in sorted(by_version.items()):
            there: list[Candidate] = []
            for candidate in same:
                exists = yield from files.check_file(site, candidate, contents)
                if exists:
                    there.append(candidate)
                if candidate.path in contents:  # what cannot be read cannot be restamped either
                    own = candidate.directory.base is None
                    way = files.way_to_stamp(site, candidate, contents, self._latest) if own else ""
                    barred |= {candidate.path} if way else set()
                    yield from files.check_stamp(site, candidate, way)
            known = [each for each in there if each.path in contents]
            sound += known
            if self._provenance:
                yield from files.check_provenance(known, contents)
            if len(there) > 1:
                for case in self._order.check(there):
                    yield order_finding(site, case, contents.keys() - barred)
                yield from files.check_requires_python(site, known, hosts, contents)
                yield from files.check_names(site, known, hosts, contents)
        yield from check_labels(site, hosts, sound)


def _closed(site: Site) -> Iterator[Finding]:
    """What others cannot read, by a umask for one: pip passes over it, and does not say so.

    Of places below each other the uppermost; chmod goes on below it.
    """
    places = {site.source: 0o4} if site.source is not None else {}
    roots: dict[str | None, str] = {None: site.root, **{base.name: base.root for base in site.bases}}
    for directory in site.directories():
        root = roots[directory.base]
        inside = os.path.relpath(directory.path, root).split(os.sep)
        places |= {os.path.join(root, *inside[:depth]): 0o5 for depth in range(len(inside) + 1)}
    closed: list[str] = []
    for path, needed in sorted(places.items()):
        with suppress(OSError):  # not there, which is no fault
            if os.stat(path).st_mode & needed != needed and not path.startswith(tuple(closed)):
                closed.append(os.path.join(path, ""))
                fix = shlex.join(["chmod", "-R", "a+rX", path])
                yield Finding(FindingKind.UNREADABLE, "not readable for everybody", (path,), fix)


def _is_below(directory: Directory, closed: list[Finding]) -> bool:
    above = tuple(os.path.join(*each.paths, "") for each in closed)
    return os.path.join(directory.path, "").startswith(above)


def _read_directory(site: Site, directory: Directory, number: int, wheels: _Entries) -> Iterator[Finding]:
    """Add the wheels of *directory*, which has that *number*, to *wheels*; yield what else is there."""
    try:
        names = sorted(listing.all_names(directory))
    except UnreadableDirectoryError as error:
        message = f"the directory cannot be listed: {error.problem}"
        fix = shlex.join(["chmod", "a+rx", directory.path])
        yield Finding(FindingKind.UNREADABLE, message, (directory.path,), fix)
        return
    for name in names:
        if name.endswith(listing.SUFFIX):
            wheels.append((canonicalize_name(name.partition("-")[0]), number, name))
        elif name.endswith(listing.ARCHIVES):
            if archive := parse_archive(name, directory):
                wheels.append((archive.name, number, name))
        elif name.endswith(listing.OLD_ARCHIVES):
            path, fix = os.path.join(directory.path, name), withdraw_command(site, directory, name)
            message = "pip older than 24.0 takes it for a source archive, and may build it"
            yield Finding(FindingKind.SOURCE, message, (path,), fix)
    for path in atomic.temporary_files(directory.path):
        message = "a temporary file of a publisher that is running or was killed"
        yield Finding(FindingKind.LEFTOVER, message, (path,), site.command("restamp"))
