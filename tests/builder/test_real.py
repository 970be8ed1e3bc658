"""Real packages from the index, through the recipes that come with this program."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.builder.workshop import Workshop
from tests.pips import real_environ
from tests.whole import assert_whole
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.wheelfile.elf import elf_files

pytestmark = [pytest.mark.network, pytest.mark.slow]


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    # The user's pip.conf, which builds leave unread, may say how an index is reached.
    for name, value in real_environ().items():
        if name.startswith("PIP_"):
            monkeypatch.setenv(name, value)
    return Workshop(tmp_path)


def build(workshop: Workshop, requirement: str, **changes: Any) -> BuildRecord:
    """The record of a build from the index, verified, which must succeed."""
    record = workshop.build(requirement, offline=False, verify=True, find_links=(), **changes)
    assert record.result == "built", f"{record.problem}\n{record.tail}"
    assert_whole(workshop.output / record.wheel)
    return record


def needs_library(name: str) -> None:
    """Skip the test unless pkg-config knows the library *name*, and there is a compiler."""
    if shutil.which("pkg-config") is None or subprocess.run(["pkg-config", "--exists", name]).returncode != 0:
        pytest.skip(f"pkg-config knows no {name}")


def run_with(workshop: Workshop, record: BuildRecord, code: str) -> str:
    """What *code* prints where the wheel of *record* is installed, with its requirements."""
    environment = workshop.directory / "user"
    subprocess.run([sys.executable, "-m", "virtualenv", "--quiet", environment], check=True)
    python = environment / "bin/python"
    wheel = workshop.output / record.wheel
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, env=real_environ())
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout


@pytest.mark.large
def test_cython_is_compiled_by_its_shipped_recipe(workshop: Workshop) -> None:
    record = build(workshop, "Cython==3.0.12")
    assert os.path.basename(record.recipe or "") == "cython.toml"
    assert record.wheel.startswith(f"cython-3.0.12-cp3{sys.version_info[1]}-cp3{sys.version_info[1]}")
    assert len(elf_files(str(workshop.output / record.wheel))) > 5


@pytest.mark.large
def test_h5py_is_linked_with_the_hdf5_of_the_system(workshop: Workshop) -> None:
    needs_library("hdf5-serial")
    record = build(workshop, "h5py")
    libraries = elf_files(str(workshop.output / record.wheel))
    assert any(each.startswith("libhdf5_serial.so") for library in libraries for each in library.needed)
    assert not any("libhdf5" in os.path.basename(library.path) for library in libraries)
    system = subprocess.run(
        ["pkg-config", "--modversion", "hdf5-serial"], check=True, capture_output=True, text=True
    ).stdout
    assert run_with(workshop, record, "import h5py; print(h5py.version.hdf5_version)") == system


@pytest.mark.large
def test_numpy_is_linked_with_the_openblas_of_the_system(workshop: Workshop) -> None:
    needs_library("openblas")
    record = build(workshop, "numpy")
    libraries = elf_files(str(workshop.output / record.wheel))
    assert any(each.startswith("libopenblas.so") for library in libraries for each in library.needed)
    assert not any("openblas" in library.path for library in libraries)
    code = 'import numpy; print(numpy.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"])'
    assert "openblas" in run_with(workshop, record, code)
