"""The pages of the site's static index and catalogue, kept in step with the files of the tree.

A file that goes, or whose content changes, is off its pages before; one that comes is on them afterwards. So
at every instant, whatever ends a run, each link leads to a whole file of that content. The catalogue
says what is there once it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.catalogue.config import catalogue_table
from wheelhouse_resolver.errors import OutputError, WheelhouseError
from wheelhouse_resolver.publishing.errors import (
    AfterwardsError,
    CatalogueNotUpdatedError,
    IndexNotUpdatedError,
)
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.site.model import Site

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from wheelhouse_resolver.publishing.report import Recorder
    from wheelhouse_resolver.static_index.run import IndexOptions

#: How many files may go together in a run of very many.
MANY = 64


class Pages:
    """The pages of the index of *site*, for one run; of a site without an index, nothing.

    at_once: how many files may go together: one after the other, each costs as much as all of them.
    """

    def __init__(self, site: Site, *, at_once: int = 1) -> None:
        self._site = site
        self._table = index_table(site)
        if self._table is not None:
            from wheelhouse_resolver.static_index.location import LOCK_NAME

            if not os.path.lexists(os.path.join(self._table.directory, LOCK_NAME)):
                self._table = None  # it is still to be written, as a whole
        self._catalogue = catalogue_table(site)
        if self._catalogue is not None and not self._catalogue.is_there:
            self._catalogue = None
        self._changed: set[NormalizedName] = set()
        self._at_once = at_once
        self._going: list[tuple[str, Callable[[], object]]] = []
        self._touched: set[NormalizedName] = set()

    def came(self, path: str) -> None:
        """Note that the file at *path* is there: it is on its pages when the block of `kept` is over."""
        self._changed |= (projects := self._project_of(path))
        self._touched |= projects if self._table is not None else set()

    def goes(self, path: str, remove: Callable[[], object]) -> None:
        """Take the file at *path* off its pages, then *remove* it; in `finish` at the latest.

        Raises `OutputError` when the pages cannot be written: the file stays. Raises what *remove* raises.
        """
        self._changed |= (projects := self._project_of(path))
        if self._table is None or not projects:
            remove()
            return
        self._going.append((path, remove))
        if len(self._going) >= self._at_once:
            self.finish()

    def finish(self) -> None:
        """Remove what is about to go."""
        going, self._going = self._going, []
        if going:
            with self._without([path for path, _ in going]):
                for _, remove in going:
                    remove()

    @contextlib.contextmanager
    def changing(self, path: str) -> Iterator[None]:
        """The file at *path* gets another content in the block: before that, it is off its pages.

        Raises `OutputError` when the pages cannot be written: nothing is changed.
        """
        self._changed |= (projects := self._project_of(path))
        if self._table is None or not projects:
            yield
            return
        with self._without([path]):
            yield
        with contextlib.suppress(OutputError):  # it is tried again when the block of `kept` is over
            self._update()

    @contextlib.contextmanager
    def kept(self, recorder: Recorder) -> Iterator[None]:
        """After the block, put on their pages the files that came in it.

        What fails then is an error of the run: the files are there all the same.
        """
        try:
            yield
            self.finish()
        except WheelhouseError:
            with contextlib.suppress(WheelhouseError):
                self._update()
                self._update_catalogue()
            raise
        with recorder.attempt(), _as(IndexNotUpdatedError, "[index]", OutputError, self._command("index")):
            self._update()
        command = self._command("catalogue")
        with recorder.attempt(), _as(CatalogueNotUpdatedError, "[catalogue]", WheelhouseError, command):
            self._update_catalogue()

    def _command(self, command: str) -> str:
        table = self._table if command == "index" else self._catalogue
        return self._site.command(command, "--output", table.directory) if table is not None else ""

    def _options(self) -> IndexOptions:
        from wheelhouse_resolver.static_index.run import IndexOptions

        assert self._table is not None
        return IndexOptions(self._table.metadata, self._table.glibc)

    def _update(self) -> None:
        if self._touched and self._table is not None:
            from wheelhouse_resolver.static_index.index import update

            update(self._site, self._table.directory, self._touched, self._options())
            self._touched = set()

    def _update_catalogue(self) -> None:
        if self._changed and self._catalogue is not None:
            from wheelhouse_resolver.catalogue.run import write_catalogue

            table, changed = self._catalogue, self._changed
            write_catalogue(self._site, table.directory, table, projects=changed)
            self._changed = set()

    @contextlib.contextmanager
    def _without(self, paths: list[str]) -> Iterator[None]:
        from wheelhouse_resolver.static_index.index import without

        assert self._table is not None
        with without(self._site, self._table.directory, paths, self._options()):
            yield
        self._touched = self._touched.union(*map(self._project_of, paths))

    def _project_of(self, path: str) -> set[NormalizedName]:
        """The project whose pages the file at *path* may be on; empty for none."""
        if self._table is None and self._catalogue is None:
            return set()
        from wheelhouse_resolver.static_index.reading import project_of

        above, filename = os.path.split(path)
        real = os.path.realpath(above)
        directories = (each for each in self._site.directories() if os.path.realpath(each.path) == real)
        found = {project_of(filename, each) for each in directories}
        return {each for each in found if each is not None}


@contextlib.contextmanager
def _as(
    kind: type[AfterwardsError], table: str, caught: type[WheelhouseError], command: str
) -> Iterator[None]:
    """What of *caught* is raised in the block becomes an error of this *kind*, about that *table*."""
    try:
        yield
    except caught as error:
        made = kind(table, f"not updated: {error}; the wheelhouse itself is")
        raise made.with_hint(f"to complete it: `{command}`") from error
