"""Auditing: where an installer's order would differ from policy, and what else is wrong in a tree.

Read project by project: memory holds the file names and one project's wheels; findings are yielded as they
are found. Nothing is changed. Every finding names the command that fixes it.
"""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from wheelhouse_resolver.audit.files import (
    Content,
    check_file,
    check_names,
    check_requires_python,
    check_stamp,
)
from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.audit.order import Memory, check_order
from wheelhouse_resolver.errors import UnreadableDirectoryError
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.utils import atomic

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelhouse_resolver.site.layout import Directory, HostKind
    from wheelhouse_resolver.site.model import Site

__all__ = ["audit"]


def audit(
    site: Site, *, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> Iterator[Finding]:
    """Everything that is wrong with *site*'s wheelhouse, project by project.

    *jobs*: how many processes look into the wheels (more than one are forked, so call it early then).
    *progress* is called with how many of how many wheels have been looked at. Raises `NoWheelhouseError`.
    """
    listing.check_root(site)
    directories = site.directories()
    wheels: list[tuple[str, str, int]] = []
    for number, directory in enumerate(directories):
        yield from _read_directory(site, directory, number, wheels)
    yield from _outside(site)
    wheels.sort(key=lambda entry: (entry[0], entry[2], entry[1]))
    projects = (list(group) for _, group in groupby(wheels, key=lambda entry: entry[0]))
    look = _Look(site)
    done = 0
    for count, findings in _spread(look, _batches(projects), jobs):
        yield from findings
        done += count
        if progress is not None:
            progress(done, len(wheels))


_Entries = list[tuple[str, str, int]]


#: About how many wheels are looked at in one go.
_BATCH = 200


def _batches(projects: Iterator[_Entries]) -> Iterator[list[_Entries]]:
    """Whole projects together, so many that handing them to a process is worth it."""
    batch: list[_Entries] = []
    for project in projects:
        batch.append(project)
        if sum(map(len, batch)) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


class _Look:
    """Looks at batches of projects, remembering what repeats."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._directories = site.directories()
        self._hosts = site.host_kinds()
        self._memory = Memory()

    def __call__(self, batch: list[_Entries]) -> tuple[int, list[Finding]]:
        """How many wheels *batch* has, and the findings about them."""
        found: list[Finding] = []
        for project in batch:
            files = [(name, self._directories[at]) for _, name, at in project]
            found += _project(self._site, files, self._hosts, self._memory)
        return sum(map(len, batch)), found


def _spread(look: _Look, batches: Iterator[list[_Entries]], jobs: int) -> Iterator[tuple[int, list[Finding]]]:
    """What *look* says of each batch, in order, looked at by *jobs* processes."""
    if jobs < 2:
        yield from map(look, batches)
        return
    import multiprocessing

    global _looking  # noqa: PLW0603 - how a forked process gets what cannot be pickled
    _looking = look  # forked processes inherit it
    try:
        pool = multiprocessing.get_context("fork").Pool(jobs)
    except (ImportError, OSError):  # no semaphores (/dev/shm is not writable) or no more processes: alone
        yield from map(look, batches)
        return
    with pool:
        yield from pool.imap(_look, batches)


_looking: _Look


def _look(batch: list[_Entries]) -> tuple[int, list[Finding]]:
    return _looking(batch)


def _read_directory(
    site: Site, directory: Directory, number: int, wheels: list[tuple[str, str, int]]
) -> Iterator[Finding]:
    """Add the wheels of *directory* to *wheels* as (project, file name, number); yield what else is there."""
    try:
        names = sorted(listing.all_names(directory))
    except UnreadableDirectoryError as error:
        message = f"the directory cannot be listed: {error.problem}"
        fix = shlex.join(["chmod", "a+rx", directory.path])
        yield Finding(FindingKind.UNREADABLE, message, (directory.path,), fix)
        return
    for name in names:
        if name.endswith(listing.SUFFIX):
            wheels.append((canonicalize_name(name.partition("-")[0]), name, number))
        elif name.startswith(atomic.TEMPORARY_PREFIX):
            path = os.path.join(directory.path, name)
            message = "a temporary file of a publisher that is running or was killed"
            yield Finding(FindingKind.LEFTOVER, message, (path,), site.command("restamp"))


def _outside(site: Site) -> Iterator[Finding]:
    """Wheels in directories of the tree that no host searches."""
    for path, count in listing.unsearched(site):
        yield Finding(
            FindingKind.OUTSIDE,
            f"{count} wheel{'s' * (count > 1)} in a directory that is not one of the site's: "
            "no host searches it",
            (path,),
            "publish them into a directory of the site, or add a [[layer]] with this one to the site file",
        )


def _project(
    site: Site, files: Sequence[tuple[str, Directory]], hosts: Sequence[HostKind], memory: Memory
) -> Iterator[Finding]:
    """The findings about one project's wheels."""
    parsed = [parse_candidate(filename, directory) for filename, directory in files]
    by_version: dict[Version, list[Candidate]] = defaultdict(list)
    for each in parsed:
        if isinstance(each, Candidate):
            by_version[each.version].append(each)
        else:
            fix = withdraw_command(site, each.directory, each.filename)
            yield Finding(FindingKind.MISNAMED, each.problem, (each.path,), fix)
    contents: dict[str, Content] = {}
    for version in sorted(by_version):
        same = by_version[version]
        there: list[Candidate] = []
        for candidate in same:
            exists = yield from check_file(site, candidate, contents, several=len(same) > 1)
            if exists:
                there.append(candidate)
                yield from check_stamp(site, candidate)
        if len(there) > 1:
            yield from check_order(there, site, hosts, memory)
            yield from check_requires_python(site, there, hosts, contents)
            yield from check_names(site, there, hosts, contents)
