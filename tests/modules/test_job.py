"""The job script of the examples: no network at all, with the program or a module, and under real Slurm."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.factories import clean_environ, make_tree, make_wheel
from tests.modules.engines import Engine, engine_of
from wheelhouse_resolver.installers.modulefile import static_modulefile
from wheelhouse_resolver.installers.pip_config import static_configs
from wheelhouse_resolver.installers.static_files import write_static_configs
from wheelhouse_resolver.site.model import Site

JOB = Path(__file__).parents[2] / "examples" / "job.sh"

#: What a user runs in the job: it tells what it was given, and which network there is.
PROGRAM = """
import json, os, socket, sys
import demo, helper
networks = [name for _, name in socket.if_nameindex()]
told = {"mark": demo.MARK, "helper": helper.MARK, "networks": networks, "prefix": sys.prefix,
        "job": os.environ.get("SLURM_JOB_ID"), "arguments": sys.argv[1:]}
print("told " + json.dumps(told))
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = make_tree(
        tmp_path / "the wheels",
        {
            "generic": ["demo-2.0-1000generic-py3-none-any.whl", "helper-1.0-1000generic-py3-none-any.whl"],
            "gentoo/avx": ["demo-2.0-300000avx-py3-none-any.whl"],
            "gentoo/avx512": ["demo-2.0-500000avx512-py3-none-any.whl"],
        },
    )
    needs = ["helper"]
    name = "demo-2.0-300000avx-py3-none-any.whl"
    files = {"demo.py": f"MARK = 'gentoo/avx/{name}'\n"}
    make_wheel(tmp_path / "the wheels/gentoo/avx", name, files=files, requires_dist=needs)
    return made


@pytest.fixture
def environ(site: Site, tmp_path: Path) -> dict[str, str]:
    """A user's environment, on a node of arch avx with the Gentoo layer."""
    command = tmp_path / "bin" / "wheelhouse-resolver"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wheelhouse_resolver "$@"\n')
    command.chmod(0o755)
    (tmp_path / "my program.py").write_text(PROGRAM)
    (tmp_path / "requirements.txt").write_text("demo\n")
    base = {k: v for k, v in clean_environ().items() if not k.startswith(("PIP_", "SLURM", "SBATCH"))}
    return {
        **base,
        "PATH": f"{command.parent}:{base['PATH']}",
        "PYTHON": sys.executable,
        "TMPDIR": str(tmp_path),
        "WHEELHOUSE_ROOT": site.root,
        "WHEELHOUSE_LAYER": "gentoo",
        "RSNT_ARCH": "avx",
    }


def told(output: str) -> dict[str, Any]:
    lines = [line for line in output.splitlines() if line.startswith("told ")]
    assert len(lines) == 1, output
    answer: dict[str, Any] = json.loads(lines[0].removeprefix("told "))
    return answer


def without_network() -> list[str]:
    """The command that runs another in a network namespace of its own, without interfaces."""
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True).returncode == 0
        ):
            return command
    pytest.skip("this machine does not let us make a network namespace")


def module_of(engine: Engine, site: Site, tmp_path: Path) -> Mapping[str, str]:
    """The environment of a user of *engine*, with a module wheelhouse/gentoo."""
    pip = tmp_path / "pip"
    assert [*write_static_configs(static_configs(site), str(pip), "xdg")]
    modules = tmp_path / "modules"
    text = static_modulefile(site, "gentoo", engine.dialect, str(pip), form="xdg")
    engine.path_of(modules, "wheelhouse/gentoo").write_text(text, encoding="utf-8")
    function = f'() {{ eval "$({shlex.join(engine.command)} bash "$@")"; }}'
    return {
        "BASH_FUNC_module%%": function,
        "MODULEPATH": str(modules),
        "WHEELHOUSE_MODULE": "wheelhouse/gentoo",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [
        "program",
        pytest.param("lmod", marks=pytest.mark.slow),
        pytest.param("modules", marks=pytest.mark.slow),
    ],
)
def test_without_any_network(way: str, site: Site, environ: dict[str, str], tmp_path: Path) -> None:
    if way != "program":
        environ |= module_of(engine_of(way), site, tmp_path)
        environ["PATH"] = environ["PATH"].partition(":")[2]
        del environ["WHEELHOUSE_LAYER"], environ["WHEELHOUSE_ROOT"]
    done = subprocess.run(
        [
            *without_network(),
            "bash",
            str(JOB),
            "requirements.txt",
            "python",
            "my program.py",
            "--its options",
        ],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = told(done.stdout)
    assert answer["mark"] == "gentoo/avx/demo-2.0-300000avx-py3-none-any.whl"
    assert answer["helper"] == "generic/helper-1.0-1000generic-py3-none-any.whl"
    assert set(answer["networks"]) <= {"lo"}
    assert answer["arguments"] == ["--its options"]
    # Nothing is left of it.
    assert not Path(answer["prefix"]).exists()
    assert not list(tmp_path.glob("tmp.*"))


@pytest.mark.slow
def test_what_the_wheelhouse_does_not_have_ends_the_job(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("demo\nnot-in-the-wheelhouse\n")
    done = subprocess.run(
        ["bash", str(JOB), "requirements.txt", "python", "my program.py"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "not-in-the-wheelhouse" in done.stderr
    assert "told" not in done.stdout


# -- Slurm ------------------------------------------------------------------------------------------------


def run_job(environ: Mapping[str, str], directory: Path) -> tuple[str, str]:
    """Submit the job as a user does, and wait for it: how it ended, and what it printed."""
    command = [
        "sbatch",
        "--parsable",
        "--output",
        "out.txt",
        str(JOB),
        "requirements.txt",
        "python",
        "my program.py",
    ]
    submitted = subprocess.run(command, env=environ, cwd=directory, capture_output=True, text=True)
    assert submitted.returncode == 0, submitted.stderr
    state = "unknown"
    show = ["scontrol", "show", "job", "--oneliner", submitted.stdout.strip()]
    for _ in range(600):
        words = subprocess.run(show, env=environ, capture_output=True, text=True).stdout.split()
        state = next(word.removeprefix("JobState=") for word in words if word.startswith("JobState="))
        if state not in ("PENDING", "RUNNING", "COMPLETING"):
            return state, (directory / "out.txt").read_text()
        time.sleep(0.5)
    pytest.fail(f"the job is still {state}")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["program", "lmod", "modules"])
def test_under_slurm(
    way: str, slurm: dict[str, str], site: Site, environ: dict[str, str], tmp_path: Path
) -> None:
    if way != "program":
        environ |= module_of(engine_of(way), site, tmp_path)
    else:
        environ["SLURM_TMPDIR"] = str(tmp_path / "node's disk")
        os.mkdir(environ["SLURM_TMPDIR"])
    state, printed = run_job({**environ, **slurm}, tmp_path)
    assert state == "COMPLETED", printed
    answer = told(printed)
    assert answer["mark"] == "gentoo/avx/demo-2.0-300000avx-py3-none-any.whl"
    assert answer["job"]
    assert Path(answer["prefix"]).exists() == (way == "program")  # the site cleans up SLURM_TMPDIR


@pytest.mark.slow
def test_a_job_that_fails_says_so(slurm: dict[str, str], environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("not-in-the-wheelhouse\n")
    state, printed = run_job({**environ, **slurm}, tmp_path)
    assert state == "FAILED"
    assert "not-in-the-wheelhouse" in printed
