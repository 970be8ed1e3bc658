"""The journal of restamping: what each wheel was called before.

A line of JSON for each wheel is on disk before the wheel gets another name. A line that a kill has cut
short says nothing, and nothing was done then. A killed run and those that go on with its work have one
number, so that they are undone together.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.drafts import Draft, lock
from wheelhouse_resolver.utils.filesystem import make_directory, sync_directory

#: What tells whether a file is still the same: its size and time of modification, which a backup keeps.
Identity = tuple[int, int]


def identity(path: str) -> Identity | None:
    """What identifies the file or link at *path*; None where there is none. Raises `OSError`."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size, status.st_mtime_ns


class Renaming(NamedTuple):
    """One wheel that was given another name, or was about to be.

    directory: its label. old, new: the file names.
    former:    the identity of the old file.
    made:      the identity of the file made for the new name.
    found:     the identity of the file that had the new name already, if one had.
    beside:    all wheels of its version then, as label/filename; stated with the first one of a version.
    """

    directory: str
    old: str
    new: str
    former: Identity
    made: Identity
    found: Identity | None = None
    beside: tuple[str, ...] = ()


class Journal:
    """The journal of the tree of *site*; nothing is written before the first renaming.

    *beside*: by path of a wheel, all wheels of its version.
    """

    def __init__(self, site: Site, beside: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._site = site
        self.path = os.path.join(site.root, trash.TRASH, "restamp.journal")
        self._beside = beside or {}
        self._stated: set[tuple[str, ...]] = set()
        self._slots: dict[str, str] = {}
        self._run = 0

    @contextlib.contextmanager
    def running(self, *, shared: bool) -> Iterator[None]:
        """The time of one run; *shared*: others may restamp as well, but nobody undo it.

        Raises `PublishError` when somebody else does, and `OutputError`.
        """
        with contextlib.ExitStack() as stack:
            try:
                lock = os.path.join(os.path.dirname(self.path), "restamp.lock")
                held = stack.enter_context(atomic.holding(lock, shared=shared))
            except OSError as error:
                raise self._unwritable(error) from error
            if not held:
                problem = "another restamp, or an undoing of one, is running"
                raise PublishError(self._site.root, problem).with_hint("wait until it has ended")
            numbers = {number: closed for number, closed, _ in self._runs()}
            last = max(numbers, default=0)
            self._run = last + 1 if numbers.get(last, True) else last
            yield

    def record(self, path: str, known: tuple[int, ...], new: str, temporary: Draft) -> None:
        """Note that the wheel at *path* is to be called *new*, and be what *temporary* is.

        *known*: the `file_id` of the wheel. Raises `OutputError`.
        """
        temporary.file.flush()
        os.fsync(temporary.file.fileno())  # a server may set its own time when it has it all
        made = os.fstat(temporary.file.fileno())
        directory, old = os.path.split(path)
        beside = self._beside.get(path, ())
        if beside in self._stated:
            beside = ()
        self._stated.add(beside)
        label = os.path.relpath(directory, self._site.root)
        found = identity(os.path.join(directory, new))
        size, modified = known[2:]
        made_id = (made.st_size, made.st_mtime_ns)
        self._append(Renaming(label, old, new, (size, modified), made_id, found, beside)._asdict())

    def keep(self, path: str, known: tuple[int, ...]) -> None:
        """Take the file at *path* out of sight, to where `--undo` finds it, if it is what was *known*."""
        directory = os.path.dirname(path)
        slot = self._slots.get(directory)
        moved = trash.keep_if_unchanged(path, known, slot)
        if moved is not None:
            self._slots[directory] = moved.slot

    def end(self) -> None:
        """Note that all is done: the next run is another one."""
        if any(number == self._run and not closed for number, closed, _ in self._runs()):
            self._append({"end": "done"})

    def undone(self, run: int) -> None:
        """Note that all renamings of the *run* are undone, or never will be."""
        self._run = run
        self._append({"end": "undone"})

    def undoable(self) -> list[tuple[int, list[Renaming]]]:
        """The renamings of each run that can be undone, in the order of time."""
        return [(number, steps) for number, _, steps in self._runs() if steps]

    def _runs(self) -> Iterator[tuple[int, bool, list[Renaming]]]:
        """Each run: its number, whether it came to an end, and its renamings; none if they were undone."""
        steps: dict[int, list[Renaming]] = {}
        closed: set[int] = set()
        for line in self._lines():
            try:
                entry = json.loads(line)
                number = int(entry.pop("run"))
                of_run = steps.setdefault(number, [])
                if "end" not in entry:
                    of_run.append(_renaming(entry))
                    continue
                closed.add(number)
                if entry["end"] == "undone":
                    of_run.clear()
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # cut short by a kill
        return ((number, number in closed, steps[number]) for number in sorted(steps))

    def _lines(self) -> list[bytes]:
        try:
            with open(self.path, "rb") as file:
                return file.read().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise OutputError.from_os(self.path, error, "cannot be read") from error

    def _append(self, entry: dict[str, Any]) -> None:
        """Write *entry*, and wait until it is on the disk."""
        # What a kill has cut short ends where this line begins.
        data = ("\n" + json.dumps({"run": self._run, **entry}) + "\n").encode()
        try:
            make_directory(os.path.dirname(self.path), shared=True)
            is_new = not os.path.exists(self.path)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o666)
            try:
                lock(descriptor, wait=True)  # over a network, appending alone is not one step
                while data:
                    data = data[os.write(descriptor, data) :]
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                sync_directory(os.path.dirname(self.path))
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputError:
        found = OutputError.from_os(self.path, error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return found
        command = self._site.command("restamp", "--no-undo")
        return found.with_hint(f"to do it without being able to undo it: `{command}`")


def _renaming(entry: dict[str, Any]) -> Renaming:
    pairs = {key: tuple(entry[key]) if entry.get(key) else None for key in ("former", "made", "found")}
    return Renaming(**{**entry, **pairs, "beside": tuple(entry["beside"])})
