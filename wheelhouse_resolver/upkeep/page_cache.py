"""The pages of indexes, kept between runs: one SQLite file in the user's cache directory.

It is never changed in place: whoever writes puts a new one over it, so that readers need no locks, which home
directories on a network lack. Of two runs that write at once, one is forgotten; it is only a cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing, suppress
from typing import Any, NamedTuple

from wheelhouse_resolver.tree.index_state import connected
from wheelhouse_resolver.utils import cache

#: The file's name; a change of its shape is another name.
_NAME = "index-pages-1.sqlite"

_SCHEMA = """
    CREATE TABLE IF NOT EXISTS page (
        source TEXT, project TEXT, asked REAL, fresh REAL, etag TEXT, modified TEXT, text TEXT,
        PRIMARY KEY (source, project)
    )
"""

#: A page that was not asked for so long (s) is dropped.
_FORGOTTEN_AFTER = 180 * 86400

#: More projects than these are looked up one by one no longer.
_FEW = 500

#: After this long (s) a file that is being written is what a killed run left.
_DEAD_AFTER = 3600


class Kept(NamedTuple):
    """What is kept of an index's answer about a project.

    asked: when it was last asked (s since 1970). fresh: until when it need not be asked again.
    etag, modified: what to ask with. text: of the page; None: it had none.
    """

    asked: float
    fresh: float = 0
    etag: str = ""
    modified: str = ""
    text: str | None = None


#: (index, project) -> what is kept of it.
Pages = Mapping[tuple[str, str], Kept]


def load(sources: Iterable[str], projects: Collection[str]) -> dict[tuple[str, str], Kept]:
    """What is kept of *projects* in the indexes *sources*; nothing of a file that cannot be read."""
    path = cache.private_file(_NAME)
    if path is None or not os.path.exists(path):
        return {}
    found: dict[tuple[str, str], Kept] = {}
    with suppress(*_errors()), closing(connected(path)) as connection:
        for source in sources:
            query = "SELECT project, asked, fresh, etag, modified, text FROM page WHERE source = ?"
            if len(projects) > _FEW:
                wanted = frozenset(projects)
                rows = (row for row in connection.execute(query, (source,)) if row[0] in wanted)
                found.update({(source, project): Kept(*rest) for project, *rest in rows})
                continue
            for name in projects:
                for project, *rest in connection.execute(f"{query} AND project = ?", (source, name)):
                    found[source, project] = Kept(*rest)
    return found


def save(pages: Pages) -> None:
    """Keep *pages* as well. Where that is not possible, nothing is kept."""
    import glob
    import tempfile

    path = cache.private_file(_NAME, make=True)
    if path is None or not pages:
        return
    start = f"{path}."
    for left in glob.glob(f"{glob.escape(start)}*~"):
        with suppress(OSError):
            if time.time() - os.stat(left).st_mtime > _DEAD_AFTER:
                os.unlink(left)
    draft = ""
    try:
        descriptor, draft = tempfile.mkstemp("~", os.path.basename(start), os.path.dirname(path))
        os.close(descriptor)
        _write(path, draft, pages)
        os.replace(draft, path)
    except _errors():
        if draft:
            with suppress(OSError):
                os.unlink(draft)


def _write(path: str, draft: str, pages: Pages) -> None:
    import shutil
    import sqlite3

    if os.path.exists(path):
        shutil.copyfile(path, draft)
    try:
        _add(draft, pages)
    except sqlite3.DatabaseError:  # what was there is damaged
        os.truncate(draft, 0)
        _add(draft, pages)


def _add(draft: str, pages: Pages) -> None:
    import sqlite3

    with closing(sqlite3.connect(draft)) as connection, connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute(_SCHEMA)
        rows: list[Any] = [(*key, *kept) for key, kept in pages.items()]
        connection.executemany("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("DELETE FROM page WHERE asked < ?", (time.time() - _FORGOTTEN_AFTER,))


def _errors() -> tuple[type[Exception], ...]:
    """What reading and writing may raise, also on a Python that was built without SQLite."""
    try:
        import sqlite3
    except ImportError:
        return (OSError, ValueError, ImportError)
    return (OSError, ValueError, TypeError, sqlite3.Error)
