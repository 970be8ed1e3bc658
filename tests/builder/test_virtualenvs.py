from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.test_disk import mounted
from wheelhouse_resolver.builder.process.virtualenvs import (
    VirtualenvError,
    isolated,
    make_environment,
)


@pytest.fixture
def log(tmp_path: Path) -> str:
    return str(tmp_path / "log.txt")


def asked(python: str, code: str) -> str:
    return subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("way", ["virtualenv", pytest.param("venv", marks=pytest.mark.slow)])
def test_a_fresh_environment_of_that_python_with_pip(
    way: str, tmp_path: Path, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "venv":
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    python = make_environment(sys.executable, str(tmp_path / "new"), log=log, environ=os.environ)
    assert python == str(tmp_path / "new/bin/python")
    assert asked(python, "import sys; print(sys.prefix)") == str(tmp_path / "new")
    assert asked(python, "import sys; print(sys.base_prefix)") == sys.base_prefix
    done = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True)
    assert str(tmp_path / "new") in done.stdout
    made_by = "virtualenv" in (tmp_path / "new/pyvenv.cfg").read_text()
    assert made_by == (way == "virtualenv")


@pytest.mark.slow
def test_a_python_that_virtualenv_refuses_gets_one_by_its_own_venv(tmp_path: Path, log: str) -> None:
    """It answers `-m venv` only, where virtualenv asks by running a file."""
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = -m ] && exec "{sys.executable}" "$@"\nexit 1\n')
    wrapper.chmod(0o755)
    python = make_environment(str(wrapper), str(tmp_path / "new"), log=log, environ=os.environ)
    assert asked(python, "import sys; print(sys.prefix)") == str(tmp_path / "new")


def test_one_that_cannot_be_made_is_an_error_that_says_how_each_way_failed(tmp_path: Path, log: str) -> None:
    with pytest.raises(VirtualenvError) as caught:
        make_environment("/nowhere/python", str(tmp_path / "new"), log=log, environ=os.environ)
    assert str(caught.value).startswith(
        "cannot make a virtual environment of /nowhere/python: virtualenv exited with"
    )
    assert caught.value.problem.endswith("; venv exited with 127: /nowhere/python: No such file or directory")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize("log_is_there", [True, False], ids=["log-on-it", "log-elsewhere"])
@pytest.mark.parametrize("way", ["virtualenv", pytest.param("venv", marks=pytest.mark.slow)])
def test_a_full_disk_is_why(
    way: str, log_is_there: bool, tmp_path: Path, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "venv":
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    for disk in mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=100k,mode=755", "tmpfs"):
        log = str(disk.path / "log.txt") if log_is_there else log
        with pytest.raises(VirtualenvError) as caught:
            make_environment(sys.executable, str(disk.path / "new"), log=log, environ=os.environ)
        problems = caught.value.problem.split("; ")
        assert [each.split()[0] for each in problems] == ["virtualenv", "venv"][way == "venv" :]
        assert all("No space left on device" in each for each in problems)
        assert not (disk.path / "new").exists()


def test_other_environments_do_not_reach_in(
    tmp_path: Path, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path/sitecustomize.py").write_text("raise SystemExit('reached in')")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "path"), "PYTHONHOME": "/nowhere"}
    make_environment(sys.executable, str(tmp_path / "new"), log=log, environ=environ)
    clean = isolated({**environ, "OTHER": "stays"})
    assert "PYTHONPATH" not in clean
    assert "PYTHONHOME" not in clean
    assert (clean["OTHER"], clean["PYTHONNOUSERSITE"]) == ("stays", "1")
