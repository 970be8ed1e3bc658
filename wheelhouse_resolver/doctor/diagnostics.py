"""What the doctor says: diagnostics, and the checks that make them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.utils.serialise import to_plain


class DiagnosticSeverity(enum.Enum):
    """How bad it is. An error: installing fails, or installs what policy does not want."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


ERROR, WARNING, NOTE = DiagnosticSeverity


class Diagnostic(NamedTuple):
    """Something that is wrong with an environment, or worth knowing.

    message: what was found, on one line.
    fix:     the command line that fixes it; empty where there is nothing to fix.
    data:    the values in the message, for programs.
    why:     why it matters; empty: as the check says.
    check:   the name of the check that found it, which the check adds.
    """

    severity: DiagnosticSeverity
    message: str
    fix: str
    data: Mapping[str, Any]
    why: str = ""
    check: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**to_plain(self, "check", "severity", "message", "why", "data"), "fix": self.fix or None}


_Look = Callable[[EnvironmentFacts], Iterable[Diagnostic]]


class Check(NamedTuple):
    """One thing that the doctor looks at; docs/doctor.md describes each.

    name: of its diagnostics.
    why:  why what it finds matters.
    look: a pure function of the facts.
    """

    name: str
    why: str
    look: _Look

    def run(self, facts: EnvironmentFacts) -> list[Diagnostic]:
        """What it finds in *facts*."""
        return [each._replace(check=self.name, why=each.why or self.why) for each in self.look(facts)]


def check(name: str, why: str) -> Callable[[_Look], Check]:
    """Makes the function below it a `Check`."""
    return partial(Check, name, why)
