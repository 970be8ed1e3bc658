"""The doctor: what is wrong with an environment, why it matters, and the command that mends it.

`gather` finds the facts, through thin probes; every check is a pure function of them.
"""

from __future__ import annotations

from wheelhouse_resolver.doctor.checks import CHECKS, diagnose
from wheelhouse_resolver.doctor.facts import Facts
from wheelhouse_resolver.doctor.findings import Check, Finding, Severity
from wheelhouse_resolver.doctor.probes import Asked, gather

__all__ = ["CHECKS", "Asked", "Check", "Facts", "Finding", "Severity", "diagnose", "gather"]
