"""The state of an index, for who writes it: read from the file that is there, changed in a draft."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress

from wheelhouse_resolver.static_index.location import Location
from wheelhouse_resolver.static_index.page_files import PageFile
from wheelhouse_resolver.tree.index_state import (
    FILE_COLUMNS,
    SCHEMA,
    STATE_NAME,
    FileRow,
    IndexState,
    connected,
    decoded,
    key_of,
)
from wheelhouse_resolver.utils.filesystem import share, sync_directory

#: A file as (label of its directory, name).
Place = tuple[str, str]


class StateFile:
    """The state of the index at *place*, while its lock is held.

    What is changed is in a draft until it is saved. *missing*: whether there is no state so far.
    Its methods raise `OSError`, and `sqlite3.Error` for a file that is damaged.
    """

    def __init__(self, place: Location) -> None:
        self._path = os.path.join(place.path, STATE_NAME)
        self._draft = os.path.join(place.drafts, f"state-{os.uname().nodename}-{os.getpid()}")
        there = IndexState.open(place.path)
        self.missing = there is None
        self._changed = False
        if there is not None:
            there.close()
            self._connection = connected(self._path)
        else:
            self._begin()

    def forget(self) -> None:
        """Start with nothing: what is there is damaged."""
        self._connection.close()
        self.missing = True
        self._begin()

    def close(self) -> None:
        """Drop what was not saved."""
        self._connection.close()
        with suppress(OSError):
            os.unlink(self._draft)

    def is_sound(self) -> bool:
        """Whether all of it can be read."""
        try:
            return [*self._connection.execute("PRAGMA quick_check(1)")] == [("ok",)]
        except sqlite3.Error:
            return False

    def _begin(self) -> None:
        """Go on in a draft."""
        if self._changed:
            return
        with suppress(FileNotFoundError):
            os.unlink(self._draft)
        if not self.missing:
            self._connection.close()
            shutil.copyfile(self._path, self._draft)
        os.close(os.open(self._draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644))
        self._connection = sqlite3.connect(self._draft)
        # Nobody else sees the draft; what becomes of it is decided by whether it gets its name.
        self._connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        if self.missing:
            self._connection.executescript(SCHEMA)
        self._changed = True

    def save(self) -> None:
        """Give what was changed the name of the state, whole and on the disk."""
        if not self._changed:
            return
        self._connection.commit()
        self._connection.close()
        descriptor = os.open(self._draft, os.O_RDWR | os.O_CLOEXEC)
        try:
            share(self._draft)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(self._draft, self._path)
        sync_directory(os.path.dirname(self._path))
        self._changed = self.missing = False
        self._connection = connected(self._path)

    def _change(self, query: str, rows: Iterable[tuple[object, ...]]) -> None:
        if rows := [*rows]:
            self._begin()
            self._connection.executemany(query, rows)

    # -- what applies to all of it -------------------------------------------------------------------------

    def setting(self, name: str) -> str:
        """The setting of that *name*; empty if there is none."""
        found = self._connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def set_setting(self, name: str, value: str) -> None:
        """Give the setting *name* this *value*."""
        if self.setting(name) != value:
            self._change("REPLACE INTO setting VALUES (?, ?)", [(name, value)])

    def due(self) -> set[str]:
        """The projects whose pages an earlier run was about to write."""
        return {project for (project,) in self._connection.execute("SELECT project FROM due")}

    def set_due(self, projects: Iterable[str]) -> None:
        """Note whose pages are about to be written."""
        new = {*projects}
        if new != self.due():
            self._change("DELETE FROM due WHERE ?", [(1,)])
            self._change("INSERT INTO due VALUES (?)", [(each,) for each in new])

    # -- directories and files -----------------------------------------------------------------------------

    def directories(self) -> dict[str, int | None]:
        """The modification times of the directories by label; None for one that was not there."""
        return dict(self._connection.execute("SELECT label, mtime_ns FROM directory"))

    def set_directory(self, label: str, mtime_ns: int | None) -> None:
        """Note that the files of a directory are complete as of this time; -1: they may not be."""
        found = self.directories()
        if label not in found:
            self._change("INSERT INTO directory (label, mtime_ns) VALUES (?, ?)", [(label, mtime_ns)])
        elif found[label] != mtime_ns:
            self._change("UPDATE directory SET mtime_ns = ? WHERE label = ?", [(mtime_ns, label)])

    def remove_directory(self, label: str) -> None:
        """Forget a directory and its files."""
        number = self._number(label)
        self._change("DELETE FROM file WHERE directory = ?", [(number,)])
        self._change("DELETE FROM directory WHERE number = ?", [(number,)])

    def known(self, label: str) -> dict[str, tuple[int, int, int]]:
        """The files of a directory: name -> size, mtime_ns, inode."""
        query = "SELECT filename, size, mtime_ns, inode FROM file WHERE directory = ?"
        rows = self._connection.execute(query, (self._number(label),)).fetchall()
        return dict(zip(decoded(row[:1] for row in rows), (row[1:] for row in rows), strict=True))

    def names(self, label: str) -> set[str]:
        """The names of the files of a directory."""
        query = "SELECT filename FROM file WHERE directory = ?"
        return {*decoded(self._connection.execute(query, (self._number(label),)))}

    def rows(self, label: str, key: str) -> list[FileRow]:
        """The files of a directory that have this *key*."""
        query = f"SELECT {FILE_COLUMNS} FROM file WHERE directory = ? AND key = ?"
        return [FileRow.of_row(row) for row in self._connection.execute(query, (self._number(label), key))]

    def row(self, label: str, name: str) -> FileRow | None:
        """The file of that *name* in a directory."""
        return next((row for row in self.rows(label, key_of(name)) if row.filename == name), None)

    def problems(self) -> Iterator[tuple[str, str, str]]:
        """(label, name, problem) of each file that has one."""
        files = "file JOIN directory ON number = directory"
        rows = self._connection.execute(f"SELECT label, filename, problem FROM {files} WHERE problem != ''")
        for label, name, problem in rows:
            yield label, os.fsdecode(name), problem

    def set_files(self, files: Iterable[tuple[str, FileRow]]) -> None:
        """Remember these: (label, what is known of the file) each."""
        columns = f"REPLACE INTO file (directory, key, {FILE_COLUMNS}) VALUES ({'?, ' * 9}?)"
        self._change(
            columns, [(self._number(label), key_of(row.filename), *row.row()) for label, row in files]
        )

    def remove_files(self, files: Iterable[Place]) -> None:
        """Forget these."""
        query = "DELETE FROM file WHERE directory = ? AND key = ? AND filename = ?"
        rows = [(self._number(label), key_of(name), os.fsencode(name)) for label, name in files]
        self._change(query, rows)

    def totals(self) -> tuple[int, int]:
        """How many projects have pages, and how many files have been read and may be listed."""
        of_projects = "SELECT count(DISTINCT project) FROM page WHERE project != ''"
        of_files = "SELECT count(*) FROM file WHERE sha256 != x'' AND problem = ''"
        projects, files = (self._connection.execute(each).fetchone()[0] for each in (of_projects, of_files))
        return int(projects), int(files)

    def _number(self, label: str) -> int:
        query = "SELECT number FROM directory WHERE label = ?"
        found = self._connection.execute(query, (label,)).fetchone()
        return int(found[0]) if found else -1

    # -- pages ---------------------------------------------------------------------------------------------

    def pages(self, project: str | None = None) -> Iterator[PageFile]:
        """The files of the pages of *project*; None: of all, and those that name all."""
        query = "SELECT project, classes, size, mtime_ns, inode FROM page"
        if project is None:
            rows = self._connection.execute(query)
        else:
            rows = self._connection.execute(f"{query} WHERE project = ?", (project,))
        return map(PageFile._make, rows.fetchall())

    def set_pages(self, project: str, pages: Iterable[PageFile]) -> bool:
        """Make *pages* those of *project*; whether other classes have one now."""
        new, old = {*pages}, {*self.pages(project)}
        if new != old:
            self._change("DELETE FROM page WHERE project = ?", [(project,)])
            self._change("INSERT INTO page VALUES (?, ?, ?, ?, ?)", sorted(new))
        return {name for each in new for name in each.names} != {name for each in old for name in each.names}
