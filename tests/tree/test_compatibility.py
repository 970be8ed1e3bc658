from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import make_wheel
from wheelhouse_resolver.host.target_python import target_python
from wheelhouse_resolver.tree.compatibility import fits


@pytest.mark.parametrize(
    ("requires", "expected"),
    [(None, True), (">=3.8", True), (">=3.99", False), ("3.6", True), (">=3.x", True)],
)
def test_an_invalid_requires_python_is_none_to_pip(
    requires: str | None, expected: bool, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", requires_python=requires)
    assert fits(str(wheel), target_python("3.11")[0]) is expected
