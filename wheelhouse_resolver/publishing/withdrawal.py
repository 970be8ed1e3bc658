"""Withdrawing wheels and source archives from a wheelhouse by name, and restoring them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver, PublishReport, Recorder
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing

T = TypeVar("T")

#: What may be withdrawn: all that any installer takes.
_WITHDRAWN = (listing.SUFFIX, *listing.ARCHIVES, *listing.OLD_ARCHIVES)


def withdraw(
    site: Site,
    filenames: Iterable[str],
    to: Directory | str | None = None,
    *,
    observer: PublishObserver | None = None,
) -> PublishReport:
    """Take *filenames* out of the directory *to*, or of all; nothing unless all are there."""

    def here(directory: Directory, filename: str) -> str | None:
        path = os.path.join(directory.path, filename)
        return path if os.path.lexists(path) else None

    found = _found(site, filenames, to, here, "not in")
    recorder = Recorder(observer)
    for path in found:
        recorder.changed(FileChange(path, trash.move_to_trash(path).path, "withdrawn"))
    return recorder.report()


def restore(
    site: Site,
    filenames: Iterable[str],
    to: Directory | str | None = None,
    *,
    observer: PublishObserver | None = None,
) -> PublishReport:
    """Put back *filenames*, each as it was withdrawn last from *to*, or from all; nothing unless all were."""

    def latest(directory: Directory, filename: str) -> tuple[Directory, trash.Trashed] | None:
        there = trash.trashed(directory.path)
        return next(((directory, each) for each in there if each.filename == filename), None)

    found = _found(site, filenames, to, latest, "was not withdrawn from")
    recorder = Recorder(observer)
    for directory, each in found:
        if not trash.put_back(each):
            command = withdraw_command(site, directory, each.filename)
            raise PublishError(each.origin, "already exists").with_hint(f"to withdraw that one: `{command}`")
        recorder.changed(FileChange(each.path, each.origin, "restored"))
    return recorder.report()


def withdraw_command(site: Site, directory: Directory, filename: str) -> str:
    """The command that takes *filename* out of *directory*, and no other file of that name."""
    end = ["--"] if filename.startswith("-") else []  # of the options
    return site.command("withdraw", "--to", directory.label, *end, filename)


def _found(
    site: Site,
    filenames: Iterable[str],
    to: Directory | str | None,
    look: Callable[[Directory, str], T | None],
    problem: str,
) -> list[T]:
    """What *look* finds of each file in *to*, or in every directory. Raises `PublishError` if nothing."""
    listing.check_root(site)
    directory = destination(site, to)
    directories = [directory] if directory is not None else site.directories()
    found: list[T] = []
    for filename in dict.fromkeys(filenames):
        if os.path.basename(filename) != filename or not filename.endswith(_WITHDRAWN):
            problem = "not the file name of a wheel or source archive (without its directory)"
            raise PublishError(filename, problem)
        here = [there for each in directories if (there := look(each, filename)) is not None]
        if not here:
            where = directories[0].label if len(directories) == 1 else "any directory of the wheelhouse"
            raise PublishError(filename, f"{problem} {where}")
        found += here
    return found
