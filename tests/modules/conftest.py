"""What the tests of modules share."""

from __future__ import annotations

import pytest

from tests.modules.engines import Engine, engine_of


@pytest.fixture(params=["lmod", "modules"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The real module systems, one after the other."""
    return engine_of(request.param)
