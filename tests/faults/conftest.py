"""Fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.runner import Runner


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Runs commands in processes that can be killed."""
    found = Runner()
    yield found
    found.close()
