"""`build` as users run it: in processes of its own, with pip, environments and setuptools."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.sources import make_repository, sdist_files
from tests.factories import clean_environ, make_tree, run_cli
from wheelhouse_resolver.builder.records.record import record_of

pytestmark = pytest.mark.slow


def test_every_path_may_be_relative(tmp_path: Path) -> None:
    """That of the site file, of the program's own Python and where that finds its modules among them."""
    make_tree(tmp_path / "house", {})
    make_package(tmp_path / "sources", "base")
    make_repository(tmp_path / "checkout", sdist_files("demo", requires=["base"]))
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/demo.toml").write_text('source.git = "../checkout"\n')
    (tmp_path / "site.toml").write_text(f'root = "{tmp_path}/house"\n[build]\nrecipes = ["recipes"]\n')
    (tmp_path / "packages.txt").write_text("demo==1.0\n-c limits.txt\n")
    (tmp_path / "limits.txt").write_text("base==1.0\n")
    python = os.path.relpath(sys.executable, tmp_path)
    environ = clean_environ(
        WHEELHOUSE_CONFIG="site.toml",
        PATH=os.pathsep.join([os.path.dirname(python), os.environ["PATH"]]),
        PYTHONPATH=os.path.relpath(Path(__file__).parents[2], tmp_path),
    )
    how = ["--find-links", "sources", "--offline", "--arch", "generic", "--python", python]
    done = run_cli(
        "build", "-r", "packages.txt", "--recursive", *how, "--output", "out", environ=environ, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    record = record_of(str(tmp_path / "out/generic/demo-1.0-py3-none-any.whl"))
    assert record is not None
    assert (record.result, record.recipe) == ("built", str(tmp_path / "recipes/demo.toml"))
    assert record.source.startswith(f"git+{tmp_path}/checkout@")
    again = run_cli(
        "build", "demo==1.0", "--config", "site.toml", *how, "--output", "out", cwd=tmp_path
    )  # with no variables
    assert (again.returncode, "present" in again.stdout) == (0, True), again.stdout + again.stderr
