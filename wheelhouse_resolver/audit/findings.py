"""What an audit reports."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

__all__ = ["Finding", "Kind", "Severity"]


class Severity(enum.Enum):
    """How bad a finding is: an error makes somebody install what policy does not want, or fail."""

    ERROR = "error"
    WARNING = "warning"


class Kind(enum.Enum):
    """What a finding is about; the value is its name in JSON."""

    ORDER = "wrong-order"
    INVERSION = "tag-inversion"
    UNSTAMPED = "unstamped"
    STALE = "stale-stamp"
    OVERFLOW = "build-number-too-high"
    SAME_NAME = "same-name-other-content"
    REQUIRES_PYTHON = "builds-differ-in-requires-python"
    PURE = "pure-python-in-arch-directory"
    MISNAMED = "misnamed"
    BROKEN = "broken"
    UNREADABLE = "unreadable"
    LEFTOVER = "leftover"
    OUTSIDE = "outside-the-site"


class Finding(NamedTuple):
    """Something that audit found.

    kind, severity: what it is and how bad.
    message: in words.
    paths:   the files it is about.
    mend:    the command that mends it, or what to do.
    project, version: of the wheels, where it is about some.
    wanted:  the path of the wheel that policy wants, for a wrong order.
    chosen:  (installer, path of the wheel that it would take instead) pairs.
    hosts:   the hosts concerned, as `layer/arch`.
    pythons: the Pythons concerned.
    """

    kind: Kind
    severity: Severity
    message: str
    paths: tuple[str, ...]
    mend: str
    project: str = ""
    version: str = ""
    wanted: str = ""
    chosen: tuple[tuple[str, str], ...] = ()
    hosts: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self._asdict(),
            "kind": self.kind.value,
            "severity": self.severity.value,
            "paths": list(self.paths),
            "chosen": dict(self.chosen),
            "hosts": list(self.hosts),
            "pythons": list(self.pythons),
        }
