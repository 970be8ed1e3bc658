"""What is wrong with an environment: `diagnose`, and all the checks that it runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from wheelhouse_resolver.doctor.checks import installed, links, machine, pip, site, uv
from wheelhouse_resolver.doctor.checks import python as target
from wheelhouse_resolver.doctor.diagnostics import Check, Diagnostic, DiagnosticSeverity
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.doctor.probes.gather import Overrides, gather

#: Every check, in the order in which diagnostics of one severity are listed.
CHECKS = tuple(
    each
    for module in (site, pip, links, uv, target, installed, machine)
    for each in vars(module).values()
    if isinstance(each, Check)
)


class Diagnosis(NamedTuple):
    """An environment, and all that was found about it, the worst first."""

    facts: EnvironmentFacts
    diagnostics: tuple[Diagnostic, ...]

    @property
    def has_errors(self) -> bool:
        """Whether something must be fixed."""
        return any(each.severity is DiagnosticSeverity.ERROR for each in self.diagnostics)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"facts": self.facts.to_dict(), "findings": [each.to_dict() for each in self.diagnostics]}


def diagnose(overrides: Overrides, environ: Mapping[str, str] | None = None) -> Diagnosis:
    """What is wrong with this environment. Nothing is changed.

    *environ* is used instead of `os.environ`. Raises `PythonError`, `UnknownArchError`, `UnknownLayerError`
    for *overrides* that do not exist.
    """
    facts = gather(overrides, os.environ if environ is None else environ)
    return Diagnosis(facts=facts, diagnostics=tuple(run_checks(facts)))


def run_checks(facts: EnvironmentFacts) -> list[Diagnostic]:
    """What the checks find in *facts*, the worst first."""
    order = list(DiagnosticSeverity)
    found = [each for check in CHECKS for each in check.run(facts)]
    return sorted(found, key=lambda each: order.index(each.severity))
