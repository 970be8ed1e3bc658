"""What the tests of all commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from tests.environments import Environment, make_venv
from wheelhouse_resolver.cli.main import main

__all__ = ["Cli", "Outcome"]


class Outcome(NamedTuple):
    """The exit code of a command and what it wrote to stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The error of a command that failed: its one line, and its hint on the next one if it has one.

        Of `--json`, the same out of the JSON on stderr.
        """
        assert (self.code, self.out) == (2, "")
        lines = self.err.splitlines()
        if self.err.startswith("{"):
            (line,) = lines
            found = json.loads(line)
            assert set(found) == {"error", "message", "hint"}
            assert found["error"].isidentifier()
            lines = [f"error: {found['message']}", *([f"hint: {found['hint']}"] if found["hint"] else [])]
        first, *rest = lines
        assert first.startswith("error: ")
        assert not rest or rest[0].startswith("hint: ")
        assert len(rest) <= 1
        assert all(line.isprintable() and not line.endswith(": ") for line in lines)
        return " ".join(lines)


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line in this process: a process of its own for each test would take long."""

    def run(*arguments: str | os.PathLike[str]) -> Outcome:
        capsys.readouterr()
        code = main([os.fspath(each) for each in arguments])
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def as_nobody(others_may_run_us: None) -> Callable[[Callable[[], Outcome]], Outcome]:
    """Run something as a user to whom permissions apply, which they don't to root."""

    def run(action: Callable[[], Outcome]) -> Outcome:
        if os.geteuid() != 0:
            return action()
        os.setresuid(65534, 65534, 0)
        try:
            return action()
        finally:
            os.setresuid(0, 0, 0)

    return run


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A temporary directory that other users may enter, as they may not pytest's."""
    with TemporaryDirectory() as path:
        os.chmod(path, 0o755)
        yield Path(path)


@pytest.fixture(scope="session")
def shared_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment that no test changes."""
    return make_venv(tmp_path_factory.mktemp("venv") / "env")


@pytest.fixture
def env(tmp_path: Path, shared_venv: Path) -> Environment:
    return Environment(tmp_path, shared_venv)
