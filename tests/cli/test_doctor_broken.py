"""`doctor` in environments that are really broken: each is found, and the fix fixes it, run as printed."""

from __future__ import annotations

import pytest

from tests.environments import BREAKS, Environment
from wheelhouse_resolver.doctor.diagnose import diagnose
from wheelhouse_resolver.doctor.diagnostics import Diagnostic
from wheelhouse_resolver.doctor.probes.gather import Overrides


def findings(env: Environment) -> list[Diagnostic]:
    """All that is found about the Python in use."""
    return [*diagnose(Overrides(), env.environ).diagnostics]


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_found_and_nothing_else(name: str, env: Environment) -> None:
    check, severity, break_it = BREAKS[name]
    break_it(env)
    found = findings(env)
    assert [(each.check, each.severity.value) for each in found if each.severity.value != "note"] == (
        [(check, severity)] if severity != "note" else []
    )
    assert check in {each.check for each in found}


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKS)
def test_the_fix_fixes_it(name: str, env: Environment) -> None:
    check, severity, break_it = BREAKS[name]
    break_it(env)
    (finding,) = [each for each in findings(env) if each.check == check]
    env.do(finding.fix, quiet=check != "half-removed")  # of that pip itself warns until it is gone
    assert (check, severity) not in {(each.check, each.severity.value) for each in findings(env)}
