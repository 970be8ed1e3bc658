"""What was placed and withdrawn, as the catalogue has seen it from one run to the next."""

from __future__ import annotations

import json
import time
import uuid
from calendar import timegm
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.tree.candidate import (
    Candidate,
    SourceArchive,
    TreeFile,
    parse_archive,
    parse_candidate,
)
from wheelhouse_resolver.tree.listing import SUFFIX

#: So many are kept, the latest; and so many are in the feed.
KEPT, IN_FEED = 1000, 100


class Event(NamedTuple):
    """A wheel or source archive came or went. time: when (s). what: `placed` or `withdrawn`."""

    time: int
    what: str
    name: str
    version: str
    directory: str
    filename: str

    @property
    def when(self) -> str:
        """The time, as ISO 8601 and Atom have it."""
        return instant(self.time)

    @property
    def id(self) -> str:
        """What identifies it in the feed."""
        return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(self))}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: time, event, name, version, directory, filename."""
        return {"time": self.when, "event": self.what, **dict(list(self._asdict().items())[2:])}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Event:
        """The inverse of `to_dict`. Raises `LookupError`, `TypeError`, `ValueError`."""
        seconds = timegm(time.strptime(data["time"], "%Y-%m-%dT%H:%M:%SZ"))
        return cls(seconds, data["event"], *(str(data[each]) for each in cls._fields[2:]))


def instant(seconds: float) -> str:
    """*seconds* since the epoch in ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def changes(before: Mapping[str, int], now: Mapping[str, int]) -> list[Event]:
    """What happened between two states of a project: label/filename -> when it was placed (s).

    A wheel that only got another build tag, by a restamp, was neither placed nor withdrawn.
    """
    gone = {each: _parsed(each) for each in before if each not in now}
    came = {each: _parsed(each) for each in now if each not in before}
    stamped = {_wheel(each) for each in gone.values()} & {_wheel(each) for each in came.values()}
    again = {each: _parsed(each) for each, placed in now.items() if before.get(each, placed) != placed}
    seconds = int(time.time())
    return [
        Event(when, what, file.name, str(file.version), file.directory.label, file.filename)
        for what, files in (("withdrawn", gone), ("placed", {**came, **again}))
        for path, file in files.items()
        for when in (now.get(path, seconds),)
        if isinstance(file, (Candidate, SourceArchive)) and _wheel(file) not in stamped
    ]


def _parsed(path: str) -> TreeFile | None:
    label, _, filename = path.rpartition("/")
    directory = Directory("", label, None, "", 0)
    return (parse_candidate if filename.endswith(SUFFIX) else parse_archive)(filename, directory)


def _wheel(file: TreeFile | None) -> tuple[object, ...] | None:
    """What of a wheel stays when it is restamped."""
    if not isinstance(file, Candidate):
        return None
    return (file.directory.label, file.name, file.version, file.tags)


def joined(old: Iterable[Event], new: Iterable[Event]) -> list[Event]:
    """*old* and *new*, the latest first; what a run that was killed has noted already is not noted twice."""
    kept = {*old}
    gone = {each[2:] for each in kept if each.what == "withdrawn"}
    last = {each[2:]: each.what for each in sorted(kept)}
    kept |= {e for e in new if e.what == "placed" or e[2:] not in gone or last[e[2:]] != "withdrawn"}
    return sorted(kept, key=lambda each: (-each.time, each[1:]))[:KEPT]
