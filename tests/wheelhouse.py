"""A wheelhouse to publish into, worked by the real command line within the tests' process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.factories import clean_environ, make_tree, make_wheel
from tests.whole import wheels_below
from wheelhouse_resolver.cli.main import main

__all__ = ["Done", "WheelhouseFixture", "everything_below"]


class Done(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str


class WheelhouseFixture:
    """A wheelhouse at *root*, and an *inbox* of wheels to publish."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root = directory / "house"
        self.inbox = directory / "inbox"
        self.site = make_tree(self.root, {})
        self._capsys = capsys
        self._config: Path | None = None

    def move(self, directory: Path) -> None:
        """Have all of it in *directory*."""
        directory.mkdir()
        self.root, self.inbox = directory / "house", directory / "inbox"
        self.empty()

    def use_config(self, text: str) -> None:
        """From now on name the wheelhouse by a site file, of this *text*, alone."""
        self._config = self.root.parent / "site.toml"
        self._config.write_text(text)

    def empty(self) -> None:
        """An empty tree, and an empty inbox."""
        for each in (self.root, self.inbox):
            shutil.rmtree(each, ignore_errors=True)
        self.site = make_tree(self.root, {})

    def wheel(self, filename: str, **options: Any) -> Path:
        """A new wheel in the inbox."""
        return make_wheel(self.inbox, filename, **options)

    def add(self, label: str, filename: str, **options: Any) -> Path:
        """A wheel that is in directory *label* already, put there by hand."""
        return make_wheel(self.root / label, filename, **options)

    def run(self, *arguments: str | os.PathLike[str], config: str | None = None) -> Done:
        """Run a command on this wheelhouse; *config*: the text of its site file."""
        more = ["--config", str(self._config)] if self._config else ["--root", str(self.root)]
        if config is not None:
            file = self.root.parent / "site.toml"
            file.write_text(config)
            more += ["--config", str(file)]
        self._capsys.readouterr()
        code = main([*(os.fspath(each) for each in arguments), *more])
        return Done(code, *self._capsys.readouterr())

    def publish(self, *arguments: str | os.PathLike[str], config: str | None = None) -> Done:
        """Run `publish`, which must succeed and have nothing to complain of."""
        done = self.run("publish", *arguments, config=config)
        assert (done.code, done.err) == (0, "")
        return done

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a *command* that was printed, as it is: elsewhere, where nothing names the wheelhouse."""
        elsewhere = self.root.parent / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        program = elsewhere / "wheelhouse-resolver"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wheelhouse_resolver "$@"\n')
        program.chmod(0o755)
        checkout = str(Path(__file__).parents[1])
        environ = clean_environ(PATH=f"{elsewhere}:{os.environ['PATH']}", PYTHONPATH=checkout)
        return subprocess.run(
            ["sh", "-c", command], cwd=elsewhere, env=environ, capture_output=True, text=True, check=False
        )

    def wheels(self, label: str = "") -> list[str]:
        """The wheels in directory *label*, or with their directories' labels in all."""
        base = self.root / label
        return [str(path.relative_to(base)) for path in wheels_below(base)]


def everything_below(root: Path) -> Mapping[str, object]:
    """What tells one state of a tree from another: every path, with type, permissions, times and content."""
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (status.st_ino, status.st_mode, status.st_mtime_ns, content)
    return found
