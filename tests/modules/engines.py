"""The real Lmod and Environment Modules, driven as a user's shell drives them."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import struct
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.factories import clean_environ

__all__ = ["Engine", "Opens", "Step", "engine_of"]

PROJECT = Path(__file__).resolve().parent.parent.parent

#: Where systems have Lmod, besides what LMOD_CMD names.
_LMOD = ("/usr/share/lmod/lmod/libexec/lmod", "/opt/apps/lmod/lmod/libexec/lmod")

#: Where systems have Environment Modules, besides what MODULES_CMD names; and where .ci/run unpacks it, for
#: Debian's packages of the two cannot be installed together.
_MODULES = (
    f"{PROJECT}/.debian/usr/lib/*/modulecmd.tcl",
    "/usr/lib/*/modulecmd.tcl",
    "/usr/share/Modules/libexec/modulecmd.tcl",
)

#: Prefixes of the variables in which the engines keep their state.
_STATE = (
    "LMOD",
    "_LM",
    "__LM",
    "_Module",
    "ModuleTable",
    "MODULE",
    "__MODULES",
    "LOADEDMODULES",
    "BASH_FUNC",
    "BASH_ENV",
)


@dataclass(frozen=True)
class Step:
    """What a shell was like after one line of a session.

    code:    the line's exit code.
    said:    what it printed, on both streams.
    environ: the exported variables.
    """

    code: int
    said: str
    environ: dict[str, str]

    def __getitem__(self, name: str) -> str | None:
        return self.environ.get(name)


class Engine:
    """A module system.

    name:    lmod or modules.
    dialect: the language of the files that it reads.
    command: prints what a shell must evaluate.
    """

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.dialect = "lmod" if name == "lmod" else "tcl"
        self.command = list(command)

    def path_of(self, directory: Path, module: str) -> Path:
        """The file of *module* below *directory*, a directory of MODULEPATH."""
        path = directory / (f"{module}.lua" if self.name == "lmod" else module)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def session(
        self, directory: Path, *lines: str, environ: Mapping[str, str] | None = None, locale: str = "C.UTF-8"
    ) -> list[Step]:
        """Run *lines* in one bash that has `module`, with MODULEPATH at *directory*."""
        notes = Path(os.environ["HOME"]) / f"session{len(os.listdir(os.environ['HOME']))}"
        notes.mkdir()
        script = [f'module() {{ eval "$({shlex.join(self.command)} bash "$@")"; }}']
        for number, line in enumerate(lines):
            note = f"{notes}/{number}"
            script += [
                f"{{ {line}\n}} >{note}.said 2>&1",
                f"echo $? >{note}.code",
                f"/usr/bin/env -0 >{note}.env",
            ]
        base = {k: v for k, v in clean_environ().items() if not k.startswith((*_STATE, "PIP_", "UV_"))}
        base |= {"MODULEPATH": str(directory), "LC_ALL": locale, "LMOD_PAGER": "none", "MODULES_PAGER": ""}
        done = subprocess.run(
            ["bash", "--norc", "--noprofile", "-c", "\n".join(script)],
            env={**base, **(environ or {})},
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
        assert (done.returncode, done.stderr) == (0, b"")
        steps = []
        for number in range(len(lines)):
            variables = (
                Path(f"{notes}/{number}.env").read_bytes().decode("utf-8", "surrogateescape").split("\0")
            )
            steps.append(
                Step(
                    int(Path(f"{notes}/{number}.code").read_text()),
                    Path(f"{notes}/{number}.said").read_bytes().decode("utf-8", "surrogateescape"),
                    dict(each.split("=", 1) for each in variables if each),
                )
            )
        return steps


def engine_of(name: str) -> Engine:
    """The engine of that *name*; skips the test if this machine does not have it."""
    if name == "lmod":
        found = _first(os.environ.get("LMOD_CMD"), _LMOD)
        if found is None:
            pytest.skip("Lmod is not installed")
        return Engine(name, [found])
    found = _first(os.environ.get("MODULES_CMD"), _MODULES)
    tclsh = shutil.which("tclsh")
    if found is None or tclsh is None:
        pytest.skip("Environment Modules is not here: .ci/run unpacks it, or MODULES_CMD names modulecmd.tcl")
    return Engine(name, [tclsh, found])


def _first(named: str | None, patterns: Sequence[str]) -> str | None:
    found = [str(path) for pattern in patterns for path in sorted(Path("/").glob(pattern[1:]))]
    return next((each for each in [named, *found] if each and os.path.isfile(each)), None)


class Opens:
    """How often a file has been opened, by anyone: the kernel counts (inotify)."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        opened = 0x20
        if self._descriptor < 0 or libc.inotify_add_watch(self._descriptor, os.fsencode(path), opened) < 0:
            pytest.skip(f"inotify: {os.strerror(ctypes.get_errno())}")

    def count(self) -> int:
        """How often since the last call."""
        try:
            events = os.read(self._descriptor, 1 << 16)
        except BlockingIOError:
            return 0
        size = struct.calcsize("iIII")  # a file that is watched itself: its events carry no name
        # The kernel merges equal events that nobody has read; so this is how often, at least.
        return len(events) // size

    def close(self) -> None:
        """Stop counting."""
        os.close(self._descriptor)
