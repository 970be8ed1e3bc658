"""Fixtures of the fault tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.runner import Runner


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    """Runs commands in processes that can be killed."""
    found = Runner()
    yield found
    found.close()


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that every user reaches, unlike that of the tests."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    for each in [path, *path.rglob("*")]:
        if each.is_dir() and not each.is_symlink():
            each.chmod(0o755)
    shutil.rmtree(path)
