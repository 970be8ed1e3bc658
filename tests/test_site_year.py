"""The year that the example plays, with real packages and a real Slurm; after each step, pip and uv."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pips import real_environ
from tests.programs import python_versions
from tests.requires import requires
from tests.slurm import Cluster

SCRIPT = Path(__file__).resolve().parents[1] / "examples/site-year.sh"

BUILDS = (
    "import ensurepip, os, sys, sysconfig; os.stat(sysconfig.get_path('include') + '/Python.h');"
    "sys.exit(sys.version_info < (3, 10))"
)


def pythons_that_build() -> list[str]:
    """Those of this machine that have headers and pip, the oldest first."""
    found = sorted((version, python) for python, version in python_versions())
    able = [
        python
        for _, python in found
        if subprocess.run([python, "-c", BUILDS], stderr=subprocess.DEVNULL).returncode == 0
    ]
    if len(able) < 2:
        pytest.skip("two Pythons with headers are needed")
    return able


@pytest.mark.slow
@pytest.mark.network
@requires("gcc", "bash")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the example builds for an arch of x86_64")
def test_after_every_step_of_a_year_pip_and_uv_install_what_policy_chooses(
    slurm: Cluster, tmp_path: Path
) -> None:
    environ = real_environ()
    environ |= slurm
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    environ["PYTHONS"] = " ".join(pythons_that_build()[:2])
    done = subprocess.run(
        ["bash", str(SCRIPT), str(tmp_path / "year")], env=environ, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr}"
    said = done.stdout.splitlines()
    assert len([line for line in said if line.startswith("pip and uv install")]) == 15
    assert any("--executor slurm" in line for line in said)
    assert said.count("0 errors, 0 warnings") == 2
    layers = {line.split("/")[1] for line in said if line.startswith("./")}
    assert layers == {"common", "el8", "el9"}
