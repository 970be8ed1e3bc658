"""Withdrawing wheels and source archives from a wheelhouse by name, and restoring them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterable, Sequence

from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.pages import Pages
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver, PublishReport, Recorder
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing

#: What may be withdrawn: all that any installer takes.
_WITHDRAWN = (listing.SUFFIX, *listing.ARCHIVES, *listing.OLD_ARCHIVES)


def withdraw(
    site: Site,
    filenames: Iterable[str],
    to: Directory | str | None = None,
    *,
    observer: PublishObserver | None = None,
) -> PublishReport:
    """Take *filenames* out of the directory *to*, or of all; nothing unless all are there, or were.

    What is withdrawn already is a success: a run that was killed is repeated.
    """
    found = _found(site, filenames, to, (_present, _latest), "not in")
    recorder, pages = Recorder(observer), Pages(site, at_once=len(found))

    def remove(path: str) -> None:
        recorder.changed(FileChange(path, trash.move_to_trash(path).path, "withdrawn"))

    with pages.kept(recorder):
        for each in found:
            if isinstance(each, trash.Trashed):
                recorder.changed(FileChange(each.origin, each.path, "withdrawn"))
            else:
                pages.goes(each, functools.partial(remove, each))
    return recorder.report()


def restore(
    site: Site,
    filenames: Iterable[str],
    to: Directory | str | None = None,
    *,
    observer: PublishObserver | None = None,
) -> PublishReport:
    """Put back *filenames*, each as it was withdrawn last from *to*, or from all; nothing unless all were.

    What is there and was not withdrawn is a success, as of `withdraw`.
    """
    found = _found(site, filenames, to, (_latest, _present), "was not withdrawn from")
    recorder, pages = Recorder(observer), Pages(site)
    with pages.kept(recorder):
        for each in found:
            if isinstance(each, str):
                pages.came(each)
                recorder.changed(FileChange(each, each, "present"))
                continue
            if not trash.put_back(each):
                directory = next(d for d in site.directories() if d.path == each.directory)
                hint = f"to withdraw that one: `{withdraw_command(site, directory, each.filename)}`"
                raise PublishError(each.origin, "already exists").with_hint(hint)
            pages.came(each.origin)
            recorder.changed(FileChange(each.path, each.origin, "restored"))
    return recorder.report()


def _present(directory: Directory, filename: str) -> str | None:
    path = os.path.join(directory.path, filename)
    return path if os.path.lexists(path) else None  # a link to nothing can be withdrawn, too


def _latest(directory: Directory, filename: str) -> trash.Trashed | None:
    return trash.latest(directory.path).get(filename)


def withdraw_command(site: Site, directory: Directory, filename: str) -> str:
    """The command that takes *filename* out of *directory*, and no other file of that name."""
    end = ["--"] if filename.startswith("-") else []  # of the options
    return site.command("withdraw", "--to", directory.label, *end, filename)


def _found(
    site: Site,
    filenames: Iterable[str],
    to: Directory | str | None,
    looks: Sequence[Callable[[Directory, str], str | trash.Trashed | None]],
    problem: str,
) -> list[str | trash.Trashed]:
    """Each file in *to*, or in every directory, by the first of *looks* that finds it anywhere.

    Raises `PublishError` where none does.
    """
    listing.check_root(site)
    listing.check_own(site)
    directory = destination(site, to)
    directories = [directory] if directory is not None else site.own_directories()
    found: list[str | trash.Trashed] = []
    for filename in dict.fromkeys(filenames):
        if os.path.basename(filename) != filename or not filename.endswith(_WITHDRAWN):
            raise PublishError(
                filename, "not the file name of a wheel or source archive (without its directory)"
            )
        for look in looks:
            if here := [there for each in directories if (there := look(each, filename)) is not None]:
                found += here
                break
        else:
            where = directories[0].label if len(directories) == 1 else "any directory of the wheelhouse"
            error = PublishError(filename, f"{problem} {where}")
            for each in site.directories():
                if each.base is not None and _present(each, filename):
                    raise error.with_hint(f"it is in {each.label}: the base {each.base!r} is read-only")
            raise error
    return found
