"""Placing one planned wheel."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.journal import Journal
from wheelhouse_resolver.publishing.pages import Pages
from wheelhouse_resolver.publishing.plan import PlannedWheel, no_number_left, publish_command, rebuild_command
from wheelhouse_resolver.publishing.report import FileChange
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.drafts import Draft
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.build_tag import BAND
from wheelhouse_resolver.wheelfile.rewrite import rewrite


def place(site: Site, planned: PlannedWheel, pages: Pages, journal: Journal | None = None) -> FileChange:
    """Write, sync and name *planned*; then, if it is for the place of its source, remove that.

    *pages*: hears of what comes and goes. *journal*: notes the change first, and keeps that source.
    Publishing again what is there with the same content is a success, and so is what another run has
    done meanwhile. Raises `PublishError` when the wheel changed since it was checked, its name was withdrawn,
    or no build number is left; `AlreadyExistsError`; `OutputError`.
    """
    if planned.latest is not None:
        before = planned._replace(own=planned.latest)
        with _written(before) as (temporary, _):
            if atomic.same_content(before.path, temporary):
                pages.came(before.path)
                return FileChange(planned.wheel.path, before.path, "present")
    while True:
        try:
            return _place(site, planned, pages, journal)
        except atomic.AlreadyExistsError:
            if not planned.options.rebuild or planned.in_place:
                raise
        # Another publisher has taken that number.
        planned = planned._replace(own=planned.own + 1, former=None)
        if planned.own >= BAND:
            raise no_number_left(planned)


def _place(site: Site, planned: PlannedWheel, pages: Pages, journal: Journal | None) -> FileChange:
    try:
        with _written(planned, journal) as (temporary, source):
            result = _commit(site, planned, temporary, pages)
    except PublishError:
        if planned.in_place and os.path.exists(planned.path) and not os.path.lexists(planned.wheel.path):
            return FileChange(planned.wheel.path, planned.path, "present")  # another run has stamped it
        raise
    pages.came(planned.path)
    if planned.in_place:
        remove = trash.remove_if_unchanged if journal is None else journal.keep
        pages.goes(planned.wheel.path, lambda: remove(planned.wheel.path, source))
        result = "stamped"
    return FileChange(planned.wheel.path, planned.path, result, source)


@contextlib.contextmanager
def _written(
    planned: PlannedWheel, journal: Journal | None = None
) -> Iterator[tuple[Draft, tuple[int, ...]]]:
    """The wheel that *planned* makes, in a temporary file, and the `trash.file_id` of its source."""
    with atomic.temporary(planned.directory.path, hidden=True) as temporary:
        try:
            source = trash.file_id(planned.wheel.path)
            rewrite(planned.wheel, planned.change, temporary.file)
            if journal is not None:
                journal.record(planned.wheel.path, source, planned.filename, temporary)
        except (*BAD_ZIP, FileNotFoundError) as error:  # ChangedWhileReadError is a ValueError
            problem = f"changed while it was read ({error}); nothing placed"
            raise PublishError(planned.wheel.path, problem) from error
        except OutputError:
            raise
        except OSError as error:
            raise OutputError.from_os(planned.path, error) from error
        yield temporary, source


def _commit(site: Site, planned: PlannedWheel, temporary: Draft, pages: Pages) -> str:
    """Give the finished file its name; what came of it."""
    replace = planned.options.replace
    if planned.former and not replace and not atomic.same_content(planned.former, temporary):
        problem = "a wheel of this name with different content was withdrawn, and uv may have it cached"
        if planned.in_place:
            rebuild = rebuild_command(site, planned.directory, planned.wheel.path)
            problem = f"cannot be stamped: {planned.filename}: {problem}"
            hint = f"to stamp it as a corrected build: `{rebuild}`"
            raise PublishError(planned.wheel.path, problem).with_hint(hint)
        raise PublishError(planned.filename, problem).with_hint(_ways_out(site, planned))
    while True:
        try:
            return "placed" if atomic.commit(temporary, planned.path) else "present"
        except atomic.AlreadyExistsError as error:
            if planned.in_place:
                problem = f"cannot be stamped: {planned.filename} already exists with different content"
                command = withdraw_command(site, planned.directory, planned.wheel.filename)
                hint = f"installers take the stamped one; to withdraw the other: `{command}`"
                raise PublishError(planned.wheel.path, problem).with_hint(hint) from None
            if not replace:
                raise error.with_hint(_ways_out(site, planned)) from None
        with contextlib.suppress(atomic.AlreadyExistsError), pages.changing(planned.path):
            trash.replace_at(planned.path, temporary)
            return "replaced"


def _ways_out(site: Site, planned: PlannedWheel) -> str:
    rebuild = publish_command(site, planned, "--rebuild")
    replace = publish_command(site, planned, "--replace")
    return f"to add it as a corrected build: `{rebuild}`; to move the old one to .trash/: `{replace}`"
