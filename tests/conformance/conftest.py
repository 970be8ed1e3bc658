"""Fixtures of the conformance tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.uv import RELEASES
from tests.programs import Program, program_of


@pytest.fixture(params=[pytest.param(each, id=each, marks=pytest.mark.network) for each in RELEASES])
def uv(request: pytest.FixtureRequest, pips_directory: Path) -> Program:
    """A release of uv that obeys flat indexes."""
    return program_of(request.param, pips_directory)
