"""What a test needs of the machine, in one place: where it is missing, the test is skipped and says so."""

from __future__ import annotations

import os
import shutil
import sysconfig
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import pytest

__all__ = ["browses", "compiles", "need", "requires"]


def requires(*programs: str) -> pytest.MarkDecorator:
    """Skip the test where one of *programs* is not on PATH."""
    missing = _missing(programs)
    return pytest.mark.skipif(bool(missing), reason=missing)


def need(*programs: str) -> None:
    """The same for helpers of tests, in the middle of one."""
    if missing := _missing(programs):
        pytest.skip(missing)


def _missing(programs: Sequence[str]) -> str:
    missing = [each for each in programs if shutil.which(each) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


def compiles(test: Any) -> Any:
    """A slow test that compiles C modules of Python, which takes a compiler and Python's own headers."""
    headers = os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
    without = pytest.mark.skipif(not headers, reason="the headers of this Python are not installed")
    return pytest.mark.slow(requires("gcc")(without(test)))


def browses(test: Any) -> Any:
    """A slow test in a real browser: Debian's, with its driver."""
    without = pytest.mark.skipif(find_spec("selenium") is None, reason="not installed: selenium")
    return pytest.mark.slow(requires("chromium", "chromedriver")(without(test)))
