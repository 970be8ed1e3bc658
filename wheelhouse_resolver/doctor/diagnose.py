"""The doctor's checks: the one table of them, and `diagnose`, which runs them all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor.checks.machine import MACHINE_CHECKS
from wheelhouse_resolver.doctor.checks.pip import PIP_CHECKS
from wheelhouse_resolver.doctor.checks.python import PYTHON_CHECKS
from wheelhouse_resolver.doctor.checks.site import SITE_CHECKS
from wheelhouse_resolver.doctor.findings import Finding, Severity

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import Facts

__all__ = ["CHECKS", "diagnose"]

#: Every check, in the order in which findings of one severity are told.
CHECKS = (*SITE_CHECKS, *PIP_CHECKS, *PYTHON_CHECKS, *MACHINE_CHECKS)


def diagnose(facts: Facts) -> list[Finding]:
    """All findings about *facts*, the worst first."""
    found = [finding for check in CHECKS for finding in check.findings(facts)]
    order = list(Severity)
    return sorted(found, key=lambda each: order.index(each.severity))
