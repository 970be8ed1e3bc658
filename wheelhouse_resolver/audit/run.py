"""Auditing: where an installer's order would differ from policy, and what else is wrong in a tree.

Read project by project: memory holds the file names and one project's wheels; findings are yielded as they
are found. Nothing is changed. Every finding names the command that fixes it.
"""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby

from packaging.utils import canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.audit import files
from wheelhouse_resolver.audit.archives import check_archives
from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.audit.order import OrderCheck
from wheelhouse_resolver.errors import UnreadableDirectoryError
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, SourceArchive, parse_archive, parse_candidate
from wheelhouse_resolver.utils import atomic


def audit(
    site: Site, *, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> Iterator[Finding]:
    """Everything that is wrong with *site*'s wheelhouse, project by project: see `Wheelhouse.audit`."""
    listing.check_root(site)
    wheels: _Entries = []
    for number, directory in enumerate(site.directories()):
        yield from _read_directory(site, directory, number, wheels)
    for path, count in listing.unsearched(site):
        wheel = "wheels" if count > 1 else "wheel"
        message = f"{count} {wheel} in a directory that is not one of the site's: no host searches it"
        fix = "publish them into a directory of the site, or add a [[layer]] with this one to the site file"
        yield Finding(FindingKind.OUTSIDE, message, (path,), fix)
    projects = [list(group) for _, group in groupby(sorted(wheels), key=lambda entry: entry[0])]
    done = 0
    for project, findings in zip(projects, _spread(_Look(site), projects, jobs), strict=True):
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

    def __init__(self, site: Site) -> None:
        self._site = site
        self._directories = site.directories()
        self._hosts = site.host_kinds()
        self._order = OrderCheck(site, self._hosts)

    def __call__(self, project: _Entries) -> Iterator[Finding]:
        site, hosts = self._site, self._hosts
        by_version: dict[Version, list[Candidate]] = defaultdict(list)
        archives: list[SourceArchive] = []
        for _, number, filename in project:
            directory = self._directories[number]
            if not filename.endswith(listing.SUFFIX):
                archives += filter(None, [parse_archive(filename, directory)])
                continue
            each = parse_candidate(filename, directory)
            if isinstance(each, Candidate):
                by_version[each.version].append(each)
            else:
                fix = withdraw_command(site, each.directory, each.filename)
                yield Finding(FindingKind.MISNAMED, each.problem, (each.path,), fix)
        if archives:
            yield from check_archives(site, archives, [*chain(*by_version.values())], hosts)
        contents: dict[str, files.Content] = {}
        for _, same in sorted(by_version.items()):
            there: list[Candidate] = []
            for candidate in same:
                exists = yield from files.check_file(site, candidate, contents)
                if exists:
                    there.append(candidate)
                    yield from files.check_stamp(site, candidate)
            if len(there) > 1:
                yield from self._order.check(there)
                known = [each for each in there if each.path in contents]
                yield from files.check_requires_python(site, known, hosts, contents)
                yield from files.check_names(site, known, hosts, contents)


def _spread(look: _Look, projects: list[_Entries], jobs: int) -> Iterator[Iterable[Finding]]:
    """What *look* says of each project, in order, looked at by *jobs* processes."""
    if jobs < 2:
        yield from map(look, projects)
        return
    import multiprocessing

    global _looking  # noqa: PLW0603 - how a forked process gets what cannot be pickled
    _looking = look  # forked processes inherit it
    try:
        pool = multiprocessing.get_context("fork").Pool(jobs)
    except (ImportError, OSError):  # no semaphores (/dev/shm is not writable) or no more processes: alone
        yield from map(look, projects)
        return
    many = _BATCH * len(projects) // max(1, sum(map(len, projects)))
    with pool:
        yield from pool.imap(_look, projects, chunksize=max(1, many))


_looking: _Look


def _look(project: _Entries) -> list[Finding]:
    return list(_looking(project))


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
        elif name.startswith(atomic.TEMPORARY_PREFIX):
            path = os.path.join(directory.path, name)
            message = "a temporary file of a publisher that is running or was killed"
            yield Finding(FindingKind.LEFTOVER, message, (path,), site.command("restamp"))
