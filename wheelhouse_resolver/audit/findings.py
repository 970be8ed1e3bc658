"""What an audit reports."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

from wheelhouse_resolver.tree.candidate import Installable
from wheelhouse_resolver.utils.serialise import to_plain


class Severity(enum.Enum):
    """How bad a finding is: an error makes somebody install what policy does not want, or fail."""

    ERROR = "error"
    WARNING = "warning"


class FindingKind(enum.Enum):
    """What a finding is about; the value is its name in JSON."""

    ORDER = "wrong-order"
    INVERSION = "tag-inversion"
    LABEL = "label-over-better-arch"
    UNSTAMPED = "unstamped"
    STALE = "stale-stamp"
    OVERFLOW = "build-number-too-high"
    SAME_NAME = "same-name-other-content"
    REQUIRES_PYTHON = "builds-differ-in-requires-python"
    PURE = "pure-python-in-arch-directory"
    MACHINE = "wrong-machine"
    INVALID = "invalid-wheel"
    VARIANT = "wheel-variant"
    TAKEN_VARIANT = "wheel-variant-taken"
    MISNAMED = "misnamed"
    SOURCE = "source-archive"
    BUILT = "source-archive-taken"
    BROKEN = "broken"
    UNREADABLE = "unreadable"
    LEFTOVER = "leftover"
    OUTSIDE = "outside-the-site"
    CONSTRAINTS = "constraints-file"
    MISSING_BASE = "missing-base"
    INDEX_STALE = "index-out-of-date"
    INDEX_PAGE = "index-page"
    INDEX_LINK = "index-link"
    INDEX_ORDER = "index-order"
    PROVENANCE = "provenance"

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return Severity.ERROR if self.name in _ERRORS else Severity.WARNING


_ERRORS = frozenset(
    {"INDEX_LINK", "INDEX_ORDER", "INDEX_PAGE"}
    | {"ORDER", "INVERSION", "REQUIRES_PYTHON", "BUILT", "BROKEN", "INVALID", "UNREADABLE", "CONSTRAINTS"}
    | {"TAKEN_VARIANT"}
)


class Finding(NamedTuple):
    """Something that audit found.

    message: what is wrong.
    paths:   the files it is about.
    fix:     the command that fixes it, as a shell takes it; or what to do, where no command can.
    project, version: of the wheels, where it is about some.
    wanted:  the path of the wheel that policy wants, for a wrong order.
    chosen:  (installer, path of the wheel that it would take instead) pairs.
    hosts:   the hosts concerned, as `layer/arch`.
    pythons: the Pythons concerned.
    ignored: whether the site file says that it is to be ignored.
    """

    kind: FindingKind
    message: str
    paths: tuple[str, ...]
    fix: str
    project: str = ""
    version: str = ""
    wanted: str = ""
    chosen: tuple[tuple[str, str], ...] = ()
    hosts: tuple[str, ...] = ()
    pythons: tuple[str, ...] = ()
    ignored: bool = False

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.severity

    @classmethod
    def about(
        cls, candidates: Sequence[Installable], kind: FindingKind, message: str, fix: str, **more: Any
    ) -> Finding:
        """A finding about these files of one version."""
        paths = tuple(each.path for each in candidates)
        project, version = str(candidates[0].name), str(candidates[0].version)
        return cls(kind, message, paths, fix, project, version, **more)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**to_plain(self), "severity": self.severity.value, "chosen": dict(self.chosen)}
