"""Every test runs: each that is written is collected, and each that is collected is in a stage of `make`."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import COLLECTED
from tests.requires import requires

PROJECT = Path(__file__).parents[1]

#: The targets of `make` that run tests, and which: together all of them.
STAGES = {"test": "not slow and not large", "test-slow": "slow and not large", "test-large": "large"}

#: Those that only people run: what takes very long, and what draws at random what `test-slow` tries some of.
BY_HAND = {"test-large", "test-faults"}


def written() -> Iterator[str]:
    """Every test function in a file of tests, as pytest names it, without parameters."""
    for path in sorted(PROJECT.glob("tests/**/test_*.py")):
        yield from _within(ast.parse(path.read_bytes()).body, path.relative_to(PROJECT).as_posix())


def _within(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for each in body:
        if isinstance(each, ast.ClassDef) and each.name.startswith("Test"):
            yield from _within(each.body, f"{prefix}::{each.name}")
        elif isinstance(each, ast.FunctionDef) and each.name.startswith("test"):
            yield f"{prefix}::{each.name}"


def test_every_test_that_is_written_is_collected(pytestconfig: pytest.Config) -> None:
    """Asked of the run that this test is part of: to collect them all once more takes long."""
    asked = {Path(each).resolve() for each in pytestconfig.args}
    if asked != {PROJECT / "tests"} or pytestconfig.getoption("ignore"):
        pytest.skip("only some of the tests are asked for")
    names = pytestconfig.stash[COLLECTED]
    assert len(names) == len(set(names))
    assert {name.partition("[")[0] for name in names} == set(written())


@requires("make")
def test_every_test_is_in_one_stage() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "PYTEST_ARGS=", *STAGES],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [line for line in shown.splitlines() if " -m pytest " in line]
    stages = [shlex.split(line.partition(" -m pytest ")[2]) for line in lines]
    # No path, no other selection.
    assert [stage[:1] + stage[2:] for stage in stages] == [["-n", "-m", mark] for mark in STAGES.values()]


def test_no_file_of_another_name_has_tests() -> None:
    for path in PROJECT.glob("tests/**/*.py"):
        if not path.name.startswith("test_"):
            assert list(_within(ast.parse(path.read_bytes()).body, path.name)) == []


@pytest.mark.skipif(not (PROJECT / ".ci/run").exists(), reason="a source distribution has no .ci")
def test_all_checks_have_every_stage() -> None:
    text = (PROJECT / ".ci/run").read_text()
    stages = set(re.findall(r'^ *stage ".*" make (\S+)$', text, re.MULTILINE))
    assert set(STAGES) - BY_HAND <= stages
    assert not BY_HAND & stages


@requires("make")
def test_what_is_run_by_hand_runs_the_campaign_of_faults() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "test-faults", "FAULT_ARGS=--kills 7"],
        cwd=PROJECT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    lines = [line for line in shown.splitlines() if not line.startswith("make")]  # within make it says more
    assert lines[-1].endswith("/python -m tests.faults.campaign --kills 7")
    listed = subprocess.run(["make", "help"], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    assert {*STAGES, *BY_HAND} <= {line.split()[0] for line in listed.splitlines()}
