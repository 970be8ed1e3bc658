"""Loading environment modules (Lmod or Environment Modules), really: in a login shell, as users do."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache

from wheelhouse_resolver.errors import WheelhouseError, reason_of
from wheelhouse_resolver.text import printable

__all__ = ["ModulesError", "module_environment"]

#: How long loading may take (s): module trees stand on network filesystems.
_TIMEOUT = 300

#: Loads the modules in its arguments behind the first, which is a file for the resulting environment.
_LOAD = """
into=$1
shift
type module >/dev/null 2>&1 || exit 90
module load "$@" || exit 91
env -0 >"$into" || exit 92
"""
_NO_MODULE, _NOT_LOADED = 90, 91

#: What a shell sets for itself.
_OF_THE_SHELL = frozenset({"_", "SHLVL", "PWD", "OLDPWD"})


class ModulesError(WheelhouseError, RuntimeError):
    """Modules that could not be loaded. Attributes: *modules*, *problem*."""

    def __init__(self, modules: Sequence[str], problem: str) -> None:
        super().__init__(tuple(modules), problem)
        self.modules = tuple(modules)
        self.problem = problem

    def __str__(self) -> str:
        return f"cannot load modules {printable(' '.join(self.modules))}: {printable(self.problem)}"


def module_environment(modules: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment after `module load MODULES` in a login shell that was started with *environ*.

    Each set of modules is loaded once in a process, and then remembered. No modules: *environ* as it is.
    Raises `ModulesError` when there is no `module` command, or when a module cannot be loaded.
    """
    if not modules:
        return dict(environ)
    return dict(_loaded(tuple(modules), tuple(sorted(environ.items()))))


@lru_cache(maxsize=64)
def _loaded(modules: tuple[str, ...], environ: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    with tempfile.TemporaryDirectory(prefix="wheelhouse-modules-") as scratch:
        into = os.path.join(scratch, "environment")
        command = ["bash", "--login", "-c", _LOAD, "bash", into, *modules]
        try:
            done = subprocess.run(
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModulesError(modules, f"it took longer than {_TIMEOUT} s") from error
        except OSError as error:
            raise ModulesError(modules, f"bash cannot be run: {reason_of(error)}") from error
        said = _told(done.stderr or done.stdout)
        if done.returncode == _NO_MODULE:
            raise ModulesError(
                modules,
                "this machine has no `module` command in a login shell; build where the modules are, "
                "or use a recipe without them",
            )
        if done.returncode != 0:
            raise ModulesError(modules, said or f"the shell exited with {done.returncode}")
        with open(into, "rb") as file:
            entries = os.fsdecode(file.read()).split("\0")
    found = {name: value for name, equals, value in (entry.partition("=") for entry in entries) if equals}
    # Environment Modules can return success for what it could not load.
    loaded = found.get("LOADEDMODULES", "").split(":")
    missing = [each for each in modules if not any(_is(each, name) for name in loaded)]
    if missing and said:
        raise ModulesError(missing, said)
    return tuple((name, value) for name, value in found.items() if name not in _OF_THE_SHELL)


def _is(wanted: str, loaded: str) -> bool:
    """Whether the *loaded* module (with its version) is what was *wanted* (perhaps without one)."""
    return loaded == wanted or loaded.startswith(f"{wanted}/")


def _told(output: bytes) -> str:
    """What the module system said, on one line."""
    lines = (" ".join(line.split()) for line in output.decode("utf-8", "replace").splitlines())
    return " ".join(line for line in lines if line)[:1000]
