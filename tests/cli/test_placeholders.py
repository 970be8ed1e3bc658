"""Wheels that stand for a module's: what the commands say of them, and what pip and uv make of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from tests.cli.conftest import Cli
from tests.factories import clean_environ, make_tree, make_wheel
from wheelhouse_resolver.wheelfile.placeholder import is_placeholder, make_placeholder

MESSAGE = 'load the module "arrow" first'
SAYS = f"pyarrow 19.0.1+placeholder is a placeholder: {MESSAGE}"


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A wheelhouse with an old wheel of a project and a placeholder of newer ones; another builder's, too."""
    house = tmp_path / "house"
    make_tree(house, {"generic": ["pyarrow-16.0-py3-none-any.whl", "plain-1.0+site-py3-none-any.whl"]})
    make_placeholder(str(house / "generic"), "pyarrow", Version("19.0.1"), MESSAGE, ["pyarrow"])
    make_wheel(house / "generic", "mpi4py-9999+dummy.site-py3-none-any.whl")
    return house


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.0", False),
        ("1.0+site", False),
        ("1.0+placeholders", False),
        ("1.0+placeholder", True),
        ("1.0+placeholder.site", True),
        ("9999+dummy.computecanada", True),
    ],
)
def test_the_local_label_says_that_it_is_one(version: str, expected: bool) -> None:
    assert is_placeholder(Version(version)) is expected


@pytest.mark.parametrize("command", ["pick", "avail", "why-not"])
def test_a_placeholder_is_called_one(cli: Cli, house: Path, command: str) -> None:
    done = cli(command, "pyarrow", "--root", house)
    assert done.code == 0
    assert "pyarrow-19.0.1+placeholder-py3-none-any.whl" in done.out or "placeholder" in done.out
    assert f"warning: {SAYS}" in done.err.splitlines()
    assert "warning: mpi4py 9999+dummy.site is a placeholder" in cli(command, "mpi4py", "--root", house).err
    for other in ("plain", "pyarrow<19"):
        assert "is a placeholder" not in cli(command, other, "--root", house).err
    if command != "avail":
        (answer,) = json.loads(cli(command, "pyarrow", "--root", house, "--json").out)
        assert answer["warnings"] == [SAYS]


def test_it_is_a_sound_wheel(cli: Cli, house: Path) -> None:
    (wheel,) = (house / "generic").glob("*placeholder*")
    done = cli("publish", wheel.rename(house.parent / wheel.name), "--root", house)
    assert (done.code, done.err) == (0, "")
    (placed,) = (house / "generic").glob("*placeholder*")
    assert placed.name == "pyarrow-19.0.1+placeholder-1000generic-py3-none-any.whl"
    assert placed.name not in cli("audit", "--root", house).out


@pytest.mark.slow
@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_installers_install_it_and_the_module_still_counts(
    house: Path, tmp_path: Path, installer: str
) -> None:
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--target"]
    if installer == "uv":
        uv = pytest.importorskip("uv")
        command = [uv.find_uv_bin(), "pip", "install", "--python", sys.executable, "--target"]
    options = ["--no-index", "--find-links", str(house / "generic")]
    subprocess.run([*command, target, *options, "pyarrow>=17"], check=True, env=clean_environ())
    run = [sys.executable, "-c", "import pyarrow; print(pyarrow.REAL)"]
    done = subprocess.run(run, env={"PYTHONPATH": str(target)}, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == f"ImportError: {MESSAGE}"
    module = tmp_path / "module"
    module.mkdir()
    (module / "pyarrow.py").write_text("REAL = 1\n")
    for paths in ((target, module), (module, target)):
        environ = {"PYTHONPATH": ":".join(map(str, paths))}
        assert subprocess.run(run, env=environ, capture_output=True, text=True, check=True).stdout == "1\n"
