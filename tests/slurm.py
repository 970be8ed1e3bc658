"""A real Slurm of this one node, started as root for the tests that need a scheduler."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

__all__ = ["ARRAY", "BROKEN", "CPUS", "FEATURES", "Cluster", "cluster", "queue", "wait_until"]

#: The most tasks of an array.
ARRAY = 21

#: The processors that Slurm believes in: it starts as many tasks, and spends a part of each waiting.
CPUS = 4

#: What jobs may ask of the node with `--constraint`.
FEATURES = ("haswell", "skylake")

#: The file, in the state of a cluster, with which its node starts no job.
BROKEN = "broken"

#: How long anything may take before a test fails (s): only a machine that hangs takes so long.
_PATIENCE = 300.0

_CONF = """\
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
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
Prolog={state}/prolog
MpiDefault=none
ReturnToService=2
MaxArraySize={array}
KillWait=5
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
StateSaveLocation={state}/ctld
SlurmdSpoolDir={state}/d
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=500 Feature={features} State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=cancel Nodes={host} PriorityTier=1 PreemptMode=CANCEL
PartitionName=urgent Nodes={host} PriorityTier=9 PreemptMode=OFF
"""


class Cluster(dict[str, str]):
    """The environment in which the commands of a cluster find it, and its daemons."""

    def __init__(self, state: Path, commands: Mapping[str, Sequence[str]]) -> None:
        super().__init__(SLURM_CONF=str(state / "slurm.conf"))
        self.state, self._commands = state, commands
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start the daemon *name*."""
        with (self.state / f"{name}.out").open("ab") as out:
            self._running[name] = subprocess.Popen(
                self._commands[name], stdout=out, stderr=out, env={**os.environ, **self}
            )

    def end(self, name: str) -> None:
        """End the controller, which saves its state first, or kill another daemon, which saves nothing.

        What runs on the node runs on. (A controller that is killed gives numbers of jobs twice.)
        """
        process = self._running[name]
        process.terminate() if name == "slurmctld" else process.kill()
        process.wait(timeout=_PATIENCE)

    def stop(self) -> None:
        """End all of it."""
        for each in reversed(self._running.values()):
            each.terminate()
        for each in self._running.values():
            each.wait(timeout=_PATIENCE)


def wait_until(true: Callable[[], object], what: str) -> None:
    """Wait until that is *true*; fails, and says *what* there is not, after minutes."""
    deadline = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"no {what} after {_PATIENCE:.0f} s")
        time.sleep(0.1)


def queue(*options: str) -> str:
    """What `squeue` says with the environment of this process."""
    done = subprocess.run(["squeue", "--noheader", *options], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _answer(environ: Mapping[str, str], *command: str) -> str:
    done = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True)
    return done.stdout.strip()


def _free_ports() -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def cluster(state: Path) -> Iterator[Cluster]:
    """A cluster of this one node, its state below *state*: the environment in which its commands find it.

    Skips the test where Slurm is not installed or we are not root.
    """
    search = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    programs = {n: shutil.which(n, path=search) for n in ("munged", "slurmctld", "slurmd", "sbatch")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed")
    if os.geteuid() != 0:
        pytest.skip("slurmd runs as root only")
    key = state / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    conf = state / "slurm.conf"
    host = socket.gethostname().split(".")[0]
    text = _CONF.format(
        host=host,
        state=state,
        ports=_free_ports(),
        cpus=CPUS,
        features=",".join(FEATURES),
        array=ARRAY,
    )
    conf.write_text(text)
    prolog = state / "prolog"
    prolog.write_text(f"#!/bin/sh\n[ ! -e {state}/{BROKEN} ]\n")
    prolog.chmod(0o755)
    (state / "ctld").mkdir()
    (state / "d").mkdir()
    commands = {
        "munged": [programs["munged"], "--foreground", "--force", "--key-file", key, "--socket",
                   f"{state}/munge.socket", "--pid-file", f"{state}/munge.pid", "--seed-file",
                   f"{state}/munge.seed", "--log-file", f"{state}/munge.log"],
        "slurmctld": [programs["slurmctld"], "-D", "-f", conf],
        "slurmd": [programs["slurmd"], "-D", "-f", conf, "-N", host],
    }  # fmt: skip
    found = Cluster(state, {name: [str(word) for word in words] for name, words in commands.items()})
    try:
        # A daemon that comes too early tries again after many seconds.
        for name, is_up in (
            ("munged", (state / "munge.socket").exists),
            ("slurmctld", lambda: _answer(found, "scontrol", "ping").endswith("is UP")),
            ("slurmd", lambda: _answer(found, "sinfo", "-h", "-o", "%t") == "idle"),
        ):
            found.start(name)
            wait_until(is_up, f"{name}; see the logs in {state}")
        yield found
    finally:
        found.stop()
