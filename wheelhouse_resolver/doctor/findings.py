"""What the doctor says: findings, and the checks that make them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import Facts

__all__ = ["Check", "Finding", "Severity", "Symptom"]


class Severity(enum.Enum):
    """How bad a finding is. An error: installing fails, or installs what policy does not want."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something that is wrong with an environment, or worth knowing.

    check:    the name of the check that found it.
    severity: how bad it is.
    what:     what was found, in one line.
    why:      why it matters.
    mend:     the command line that mends it; empty where there is nothing to mend.
    data:     the values that it speaks of, for programs.
    """

    check: str
    severity: Severity
    what: str
    why: str
    mend: str
    data: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "check": self.check,
            "severity": self.severity.value,
            "what": self.what,
            "why": self.why,
            "mend": self.mend or None,
            "data": dict(self.data),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Symptom:
    """What one check saw; with the check's name it becomes a `Finding`. *why*: empty for the check's own."""

    severity: Severity
    what: str
    mend: str = ""
    why: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Check(NamedTuple):
    """One thing that the doctor looks at.

    name:  of its findings.
    what:  what it looks for, in words.
    why:   why that matters.
    mend:  what mends it, in words; a finding has the exact command.
    look:  a pure function of the facts.
    """

    name: str
    what: str
    why: str
    mend: str
    look: Callable[[Facts], Iterable[Symptom]]

    def findings(self, facts: Facts) -> list[Finding]:
        """What it finds in *facts*."""
        return [
            Finding(
                check=self.name,
                severity=each.severity,
                what=each.what,
                why=each.why or self.why,
                mend=each.mend,
                data=each.data,
            )
            for each in self.look(facts)
        ]
