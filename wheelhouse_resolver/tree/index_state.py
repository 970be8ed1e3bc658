"""What a static index remembers of the tree: the names in each directory, and what is in each file.

One SQLite file in the index's directory. It is never changed in place: whoever writes it puts a new one over
it, so that a reader, who may be on a read-only or network filesystem without locks, opens it as immutable.
Without a file of this shape there is no state: the directories are listed instead.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from packaging.utils import NormalizedName, canonicalize_name

from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.filesystem import read_head
from wheelhouse_resolver.utils.urls import file_url

if TYPE_CHECKING:
    from sqlite3 import Connection

    from wheelhouse_resolver.site.layout import Directory

T = TypeVar("T")

#: The file's name, which also tells that a directory holds an index of ours.
STATE_NAME = ".state.sqlite"

#: What tells the file from other SQLite files, and its shape from others; both are in its first 100 bytes.
APPLICATION, SHAPE = 0x57684978, 1

#: Names are bytes: they may be anything. Labels are relative to the root, so that the tree can be moved.
#: directory.mtime_ns: NULL for one that is not there, -1 for one whose names may be incomplete.
#: page: one for each file; *classes*: the names of those that it belongs to, separated by `/`.
#: due: the projects whose pages were about to be written.
SCHEMA = f"""
    PRAGMA application_id = {APPLICATION};
    PRAGMA user_version = {SHAPE};
    CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
    CREATE TABLE directory (number INTEGER PRIMARY KEY, label TEXT UNIQUE, mtime_ns INTEGER);
    CREATE TABLE file (
        directory INTEGER, key TEXT, filename BLOB, size INTEGER, mtime_ns INTEGER, inode INTEGER,
        sha256 BLOB, metadata BLOB, requires_python TEXT, problem TEXT,
        PRIMARY KEY (directory, key, filename)
    ) WITHOUT ROWID;
    CREATE TABLE page (
        project TEXT, classes TEXT, size INTEGER, mtime_ns INTEGER, inode INTEGER,
        PRIMARY KEY (project, classes)
    ) WITHOUT ROWID;
    CREATE TABLE due (project TEXT PRIMARY KEY) WITHOUT ROWID;
"""

_ENDINGS = (listing.SUFFIX, *listing.ARCHIVES)

#: The columns of `file` that make an `FileRow`, in its order.
FILE_COLUMNS = "filename, size, mtime_ns, inode, sha256, metadata, requires_python, problem"


class FileRow(NamedTuple):
    """What is remembered of a file.

    size, mtime_ns, inode: of the file that was read; mtime_ns is -1 if it may have changed since.
    sha256:          of its content (hex); empty if it could not be read.
    metadata:        the SHA-256 of its METADATA (hex); empty if there is none.
    requires_python: as METADATA has it.
    problem:         why it is on no page; empty if it may be on one.
    """

    filename: str
    size: int
    mtime_ns: int
    inode: int
    sha256: str = ""
    metadata: str = ""
    requires_python: str = ""
    problem: str = ""

    @classmethod
    def of_row(cls, row: tuple[bytes, int, int, int, bytes, bytes, str, str]) -> FileRow:
        """The one that a row of `FILE_COLUMNS` holds."""
        name, size, mtime_ns, inode, sha256, metadata, python, problem = row
        return cls(os.fsdecode(name), size, mtime_ns, inode, sha256.hex(), metadata.hex(), python, problem)

    def row(self) -> tuple[bytes, int, int, int, bytes, bytes, str, str]:
        """The row that holds it. A text of METADATA may be anything as well."""
        python, problem = (each.encode("utf-8", "replace").decode() for each in self[6:])
        sha256, metadata = bytes.fromhex(self.sha256), bytes.fromhex(self.metadata)
        return (os.fsencode(self.filename), *self[1:4], sha256, metadata, python, problem)

    def is_same(self, status: os.stat_result, directory: Directory) -> bool:
        """Whether a file with this *status* in *directory* is the one that was read.

        The inodes in a base are not compared: CernVM-FS gives files others at each mount.
        """
        inode = status.st_ino if directory.base is None else self.inode
        return self[1:4] == (status.st_size, status.st_mtime_ns, inode)


def key_of(filename: str) -> NormalizedName:
    """What the rows of a file are found by: what precedes the first `-` of its name, normalised."""
    return canonicalize_name(filename.partition("-")[0])


def is_recorded(filename: str) -> bool:
    """Whether a file of that name has a row: those that the reader looks at."""
    return filename.endswith(_ENDINGS)


def decoded(names: Iterable[tuple[bytes]]) -> list[str]:
    """The file names in rows of nothing else: `os.fsdecode` of each, in a fraction of the time."""
    encoding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
    return [str(name, encoding, errors) for (name,) in names]


def connected(path: str) -> Connection:
    """A connection for reading to the state file at *path*, which nobody changes in place.

    Raises `sqlite3.Error`; `ValueError` for a path that has no URL.
    """
    import sqlite3

    return sqlite3.connect(f"{file_url(path)}?mode=ro&immutable=1", uri=True, check_same_thread=False)


class IndexState:
    """The state of an index, for readers. A method that could not read the file returns None."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._directories: dict[str, tuple[int, int | None]] = {}

    @classmethod
    def open(cls, directory: str) -> IndexState | None:
        """The state of the index in *directory*; None if there is none that can be read."""
        path = os.path.join(os.path.abspath(directory), STATE_NAME)
        head = read_head(path, 100)
        numbers = (int.from_bytes(head[start : start + 4], "big") for start in (68, 60))
        if not head.startswith(b"SQLite format 3\0") or tuple(numbers) != (APPLICATION, SHAPE):
            return None
        try:
            import sqlite3
        except ImportError:  # a Python that was built without it
            return None
        try:
            state = cls(connected(path))
            rows = state._connection.execute("SELECT label, number, mtime_ns FROM directory")
            state._directories = {label: (number, mtime_ns) for label, number, mtime_ns in rows}
        except (ValueError, sqlite3.Error):
            return None
        return state

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    #: As a file is: from Python 3.13 on, a connection that is dropped open is a warning.
    __del__ = close

    def fresh(self, directory: Directory) -> bool:
        """Whether the names of *directory* are those that it has now, by its modification time."""
        if directory.label not in self._directories:
            return False
        recorded = self._directories[directory.label][1]
        try:
            return os.stat(directory.path).st_mtime_ns == recorded
        except (FileNotFoundError, NotADirectoryError):
            return recorded is None
        except OSError:
            return False

    def names(self, directory: Directory, keys: Iterable[str]) -> list[str] | None:
        """The names in *directory* of the files that have one of *keys* (see `key_of`), sorted.

        All that the reader looks at are there: wheels, also those with an invalid name, and source archives.
        """
        query = "SELECT filename FROM file WHERE directory = ? AND key = ?"
        number = self._number(directory)
        return self._ask(lambda: sorted(
            name for key in {*keys} for name in decoded(self._connection.execute(query, (number, key)))
        ))  # fmt: skip

    def all_names(self, directory: Directory) -> list[str] | None:
        """The names of all files in *directory* that the reader looks at, in any order."""
        query = "SELECT filename FROM file WHERE directory = ?"
        return self._ask(lambda: decoded(self._connection.execute(query, (self._number(directory),))))

    def wheel(self, directory: Directory, filename: str) -> FileRow | None:
        """What is remembered of that file in *directory*; None: nothing, or the file is another one now."""
        query = f"SELECT {FILE_COLUMNS} FROM file WHERE directory = ? AND key = ? AND filename = ?"
        values = (self._number(directory), key_of(filename), os.fsencode(filename))
        row = self._ask(lambda: self._connection.execute(query, values).fetchone())
        if row is not None:
            with suppress(OSError):
                found = FileRow.of_row(row)
                if found.is_same(os.stat(os.path.join(directory.path, filename)), directory):
                    return found
        return None

    def rows(self, directory: Directory) -> list[FileRow]:
        """What is remembered of all files in *directory*, as they were; nothing if it cannot be read."""
        query = f"SELECT {FILE_COLUMNS} FROM file WHERE directory = ?"
        rows = self._ask(lambda: self._connection.execute(query, (self._number(directory),)).fetchall())
        return [FileRow.of_row(row) for row in rows or ()]

    def pages(self) -> list[tuple[str, str, int, int, int]]:
        """The pages as they were written: project, classes, size, mtime_ns, inode; none if not known."""
        query = "SELECT project, classes, size, mtime_ns, inode FROM page"
        return self._ask(lambda: self._connection.execute(query).fetchall()) or []

    def _number(self, directory: Directory) -> int:
        return self._directories.get(directory.label, (-1, None))[0]

    def _ask(self, question: Callable[[], T]) -> T | None:
        import sqlite3

        try:
            return question()
        except (sqlite3.Error, ValueError):  # damaged, or replaced on a server that keeps no open files
            return None
