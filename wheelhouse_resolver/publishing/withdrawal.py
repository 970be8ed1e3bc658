"""Withdrawing wheels from a wheelhouse by name, and restoring them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver, PublishReport, Recorder
from wheelhouse_resolver.tree import listing

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.site.model import Site


def withdraw(
    site: Site,
    filenames: Iterable[str],
    to: Directory | str | None = None,
    *,
    observer: PublishObserver | None = None,
) -> PublishReport:
    """Take *filenames* out of the directory *to*, or of all; nothing unless all are there."""
    found: list[str] = []
    directories = _directories(site, to)
    for filename in _checked(filenames):
        paths = [os.path.join(each.path, filename) for each in directories]
        there = [path for path in paths if os.path.lexists(path)]
        if not there:
            raise PublishError(filename, f"not in {_meant(directories)}")
        found += there
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
    found: list[trash.Trashed] = []
    directories = _directories(site, to)
    withdrawn = [trash.trashed(each.path) for each in directories]
    for filename in _checked(filenames):
        latest = [next((one for one in each if one.filename == filename), None) for each in withdrawn]
        if not any(latest):
            raise PublishError(filename, f"was not withdrawn from {_meant(directories)}")
        found += [each for each in latest if each is not None]
    recorder = Recorder(observer)
    for each in found:
        if not trash.put_back(each):
            (directory,) = (one for one in directories if one.path == each.directory)
            command = withdraw_command(site, directory, each.filename)
            raise PublishError(each.origin, "already exists").with_hint(f"to withdraw that one: `{command}`")
        recorder.changed(FileChange(each.path, each.origin, "restored"))
    return recorder.report()


def withdraw_command(site: Site, directory: Directory, filename: str) -> str:
    """The command that takes *filename* out of *directory*, and no other file of that name."""
    end = ["--"] if filename.startswith("-") else []  # of the options
    return site.command("withdraw", "--to", directory.label, *end, filename)


def _directories(site: Site, to: Directory | str | None) -> list[Directory]:
    listing.check_root(site)
    directory = destination(site, to)
    return [directory] if directory is not None else list(site.directories())


def _meant(directories: list[Directory]) -> str:
    return directories[0].label if len(directories) == 1 else "any directory of the wheelhouse"


def _checked(filenames: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(filenames))
    for filename in found:
        if os.path.basename(filename) != filename or not filename.endswith(listing.SUFFIX):
            raise PublishError(filename, "not the file name of a wheel (without its directory)")
    return found
