"""The job script of the examples: no network at all, with the program or a module, and under real Slurm."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.builders import clean_environ, make_tree, make_wheel
from tests.modules.engines import Engine, engine_of
from wheelhouse_resolver.modulefile import static_modulefile
from wheelhouse_resolver.pip_conf import static_configs
from wheelhouse_resolver.site import Site

JOB = Path(__file__).parent.parent / "examples" / "job.sh"

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
    pip.mkdir()
    for name, config in static_configs(site).items():
        (pip / name).write_text(config.render())
    modules = tmp_path / "modules"
    text = static_modulefile(site, "gentoo", engine.dialect, str(pip))
    engine.path_of(modules, "wheelhouse/gentoo").write_text(text, encoding="utf-8")
    function = f'() {{ eval "$({shlex.join(engine.command)} bash "$@")"; }}'
    return {
        "BASH_FUNC_module%%": function,
        "MODULEPATH": str(modules),
        "WHEELHOUSE_MODULE": "wheelhouse/gentoo",
    }


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

_SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={state}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
StateSaveLocation={state}/ctld
SlurmdSpoolDir={state}/d
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=500 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A cluster of this one node; the environment in which its commands find it."""
    search = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    programs = {n: shutil.which(n, path=search) for n in ("munged", "slurmctld", "slurmd", "sbatch")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed")
    if os.geteuid() != 0:
        pytest.skip("slurmd runs as root only")
    state = tmp_path_factory.mktemp("slurm")
    key = state / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    conf = state / "slurm.conf"
    conf.write_text(
        _SLURM_CONF.format(host=socket.gethostname().split(".")[0], state=state, ports=free_ports())
    )
    (state / "ctld").mkdir()
    (state / "d").mkdir()
    commands = [
        [programs["munged"], "--foreground", "--force", "--key-file", str(key), "--socket",
         f"{state}/munge.socket", "--pid-file", f"{state}/munge.pid", "--seed-file", f"{state}/munge.seed",
         "--log-file", f"{state}/munge.log"],
        [programs["slurmctld"], "-D", "-f", str(conf)],
        [programs["slurmd"], "-D", "-f", str(conf), "-N", socket.gethostname().split(".")[0]],
    ]  # fmt: skip
    environ = {"SLURM_CONF": str(conf)}
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (state / f"{number}.out").open("wb") as out:
                words = [str(word) for word in command]
                running.append(subprocess.Popen(words, stdout=out, stderr=out, env={**os.environ, **environ}))
            time.sleep(1)
        info = None
        for _ in range(60):
            info = subprocess.run(
                ["sinfo", "-h", "-o", "%t"], env={**os.environ, **environ}, capture_output=True, text=True
            )
            if info.stdout.strip() == "idle":
                break
            time.sleep(0.5)
        else:
            said = "\n".join(path.read_text(errors="replace") for path in state.glob("*.[lo][ou][gt]"))
            pytest.fail(f"the cluster does not come up: {info}\n{said}")
        yield environ
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(timeout=60)


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
