"""The pages of an index on disk: each is written atomically, and stored once where it is equal."""

from __future__ import annotations

import itertools
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from wheelhouse_resolver.static_index.location import PAGE, Location, check_no_links
from wheelhouse_resolver.utils.drafts import NO_LINKS
from wheelhouse_resolver.utils.filesystem import open_regular, share

#: More pages than these are not brought to the disk one by one: whoever writes many can write them again.
_FEW = 50


class PageFile(NamedTuple):
    """A file that is the page of *project* for some classes. *classes*: their names; `/` separates them."""

    project: str
    classes: str
    size: int
    mtime_ns: int
    inode: int

    @property
    def names(self) -> list[str]:
        """The names of its classes."""
        return self.classes.split("/")

    def is_there(self, place: Location) -> bool:
        """Whether the file is as it was when it was written, for each of its classes."""
        known = (self.size, self.mtime_ns, self.inode)
        join, top, project = os.path.join, place.path, self.project
        try:
            for name in self.classes.split("/"):
                found = os.lstat(join(top, name, project, PAGE))
                if (found.st_size, found.st_mtime_ns, found.st_ino) != known or ~found.st_mode & 0o444:
                    return False
        except OSError:
            return False
        return True


class PageWriter:
    """Writes the pages of the index at *place*. *written*, *removed*: how many names of pages, so far.

    It writes and removes nothing by way of a link. Its methods raise `OSError`, `OutputError` among them.
    """

    def __init__(self, place: Location) -> None:
        self._place = place
        self._numbers = itertools.count()
        self._made = 0
        self.written = 0
        self.removed = 0

    def write(self, project: str, texts: Mapping[str, str]) -> list[PageFile]:
        """Make *texts*, by class, the pages of *project*; the files that they are in. No other is touched."""
        check_no_links(self._place, (os.path.join(name, project) for name in texts if project))
        by_text: defaultdict[str, list[str]] = defaultdict(list)
        for name, text in texts.items():
            by_text[text].append(name)
        found: list[PageFile] = []
        for text, names in by_text.items():
            self._write(project, names, text.encode())
            by_file: defaultdict[tuple[int, int, int], list[str]] = defaultdict(list)
            for name in names:
                status = os.lstat(self._place.page(name, project))
                by_file[(status.st_size, status.st_mtime_ns, status.st_ino)].append(name)
            found += [PageFile(project, "/".join(those), *file) for file, those in by_file.items()]
        return found

    def remove(self, project: str, names: Collection[str]) -> None:
        """Remove the pages of *project* for the classes of these *names*, and their directories."""
        for name in names:
            page = self._place.page(name, project)
            if project and os.path.islink(os.path.dirname(page)):
                continue  # what it leads to is not ours
            try:
                os.unlink(page)
                self.removed += 1
            except (FileNotFoundError, NotADirectoryError):
                pass
            with suppress(OSError):  # somebody keeps other files in it
                os.rmdir(os.path.dirname(page))

    def remove_others(self, name: str, projects: Collection[str]) -> None:
        """Remove the pages for the class of that *name* that are of none of these *projects*."""
        with suppress(FileNotFoundError, NotADirectoryError):
            there = os.listdir(os.path.join(self._place.path, name))
            for other in sorted({*there} - {*projects, PAGE}):
                self.remove(other, [name])

    def linked(self, names: Iterable[str]) -> set[str]:
        """The names of the links among the directories of projects, for the classes of these *names*."""
        return {link for name in names for link in links_in(os.path.join(self._place.path, name))}

    def _write(self, project: str, names: Sequence[str], content: bytes) -> None:
        paths = [self._place.page(name, project) for name in names]
        right = [path for path in paths if _holds(path, content)]
        for path in paths:
            if path not in right:
                self._replace(path, content, right[:1])
                right.append(path)

    def put(self, path: str, content: bytes) -> None:
        """Make *content* that of the file at *path*, atomically; one that holds it already is not touched."""
        if not _holds(path, content):
            self._replace(path, content)

    def _replace(self, path: str, content: bytes, equal: Sequence[str] = ()) -> None:
        """Put a file of that *content* at *path*: another name of the one at *equal*, if it can be."""
        self._make_directory(os.path.dirname(path))
        draft = os.path.join(self._place.drafts, f"{_host()}-{os.getpid()}-{next(self._numbers)}")
        if not equal or not _linked(equal[0], draft):
            self._draft(draft, content)
        os.replace(draft, path)
        self.written += 1

    def _make_directory(self, path: str) -> None:
        try:
            os.mkdir(path)
        except FileExistsError:
            return
        except FileNotFoundError:
            self._make_directory(os.path.dirname(path))
            os.mkdir(path)
        share(path)

    def _draft(self, path: str, content: bytes) -> None:
        with open(path, "wb") as file:
            file.write(content)
            file.flush()
            share(path)
            self._made += 1
            if self._made <= _FEW:
                os.fsync(file.fileno())


def links_in(directory: str) -> list[str]:
    """The names of the links in *directory*, if it is there."""
    try:
        with os.scandir(directory) as entries:
            return [each.name for each in entries if each.is_symlink()]
    except OSError:
        return []


def _host() -> str:
    return os.uname().nodename


def _holds(path: str, content: bytes) -> bool:
    """Whether the file at *path* is a page that holds *content*, for all to read."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return False
        with open_regular(path) as file:
            readable = os.fstat(file.fileno()).st_mode & 0o444 == 0o444
            return readable and file.read(len(content) + 1) == content
    except OSError:
        return False


def _linked(source: str, path: str) -> bool:
    """Give the file at *source* the name *path* as well; False where that cannot be done."""
    try:
        os.link(source, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        return False
    return True
