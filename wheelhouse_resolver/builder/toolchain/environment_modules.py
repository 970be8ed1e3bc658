"""Loading environment modules (Lmod or Environment Modules) in a login shell, as users do."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.utils.redact import redact

#: How long loading may take (s): module trees are on network filesystems.
_TIMEOUT = 300

#: Loads the modules in its arguments after the first, which is a directory for the results.
_LOAD = """
into=$1
shift
type module >/dev/null 2>&1 || exit 90
module load "$@" >"$into/messages" 2>&1 || exit 91
env -0 >"$into/environment" || exit 92
"""

#: What each module that is loaded then shows, after its name, each with a null behind it.
_SHOW = """
IFS=: read -r -a loaded <<<"${LOADEDMODULES-}"
for each in "${loaded[@]}"; do
    printf '%s\\0' "$each"
    module show "$each" </dev/null 2>&1
    printf '\\0'
done >"$into/shown"
"""
_NO_MODULE, _NOT_LOADED = 90, 91

#: A path in what a module shows; several may be joined by colons.
_PATH = re.compile(r"/[^\s:;,\"'(){}\[\]]*")


class ModulesError(WheelhouseError, RuntimeError):
    """Modules that could not be loaded."""

    _message = "cannot load modules {modules}: {problem}"
    modules: Sequence[str]
    problem: str


def module_environment(modules: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment after `module load MODULES` in a login shell that was started with *environ*.

    Each set of modules is loaded once in a process. No modules: *environ* as it is. Raises `ModulesError`
    when there is no `module` command, or when a module cannot be loaded.
    """
    if not modules:
        return dict(environ)
    return dict(_loaded(tuple(modules), tuple(sorted(environ.items()))))


def shown_modules(modules: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """What `module show` says of each module that is loaded after `module_environment` with the same.

    Nothing if *modules* cannot be loaded.
    """
    with tempfile.TemporaryDirectory(prefix="wheelhouse-modules-") as scratch:
        load = _LOAD if modules else "into=$1\n"
        command = ["bash", "--login", "-c", load + _SHOW, "bash", scratch, *modules]
        run_logged(command, log=os.path.join(scratch, "log"), environ=environ, timeout=_TIMEOUT)
        shown = Path(scratch, "shown")
        parts = shown.read_bytes().split(b"\0") if shown.exists() else []
    texts = [part.decode("utf-8", "replace") for part in parts]
    return dict(zip(texts[::2], texts[1::2], strict=False))


def module_with(directory: str, shown: Mapping[str, str]) -> str:
    """The module that gives *directory*, or the nearest one above it; empty if none does. Pure.

    shown: what `module show` says of each. Of two that name the same, the one loaded last counts.
    """
    found, longest = "", 1
    for module, text in shown.items():
        for path in map(os.path.normpath, _PATH.findall(text)):
            above = directory == path or directory.startswith(f"{path}/")
            if above and path.count("/") > 1 and len(path) >= longest:
                found, longest = module, len(path)
    return found


@lru_cache(maxsize=64)
def _loaded(modules: tuple[str, ...], environ: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    with tempfile.TemporaryDirectory(prefix="wheelhouse-modules-") as scratch:
        results = [Path(scratch, name) for name in ("messages", "environment")]
        for path in results:
            path.touch()
        command = ["bash", "--login", "-c", _LOAD, "bash", scratch, *modules]
        log = os.path.join(scratch, "log")
        done = run_logged(command, log=log, environ=dict(environ), timeout=_TIMEOUT)
        said, environment = (os.fsdecode(path.read_bytes()) for path in results)
    messages = _one_line(said)
    if done.code == _NO_MODULE:
        error = ModulesError(modules, "this machine has no `module` command in a login shell")
        raise error.with_hint("build where the modules are, or use a recipe without them")
    if not done.ok:
        last = "" if done.code == _NOT_LOADED else done.tail
        problem = f"the login shell {done.problem} {_one_line(last)}".rstrip()
        raise ModulesError(modules, messages or problem)
    entries = (entry.partition("=") for entry in environment.split("\0"))
    found = {name: value for name, equals, value in entries if equals}
    if not found:
        raise ModulesError(modules, "the login shell ended before that: check its start-up files")
    # Environment Modules before 4 prints this of a module that it could not load, and exits with 0.
    if re.search(r"\bERROR\b", messages):
        loaded = {each.partition("/")[0] for each in found.get("LOADEDMODULES", "").split(":")}
        if missing := [each for each in modules if each.partition("/")[0] not in loaded]:
            raise ModulesError(missing, messages)
    of_the_shell = ("_", "SHLVL", "PWD", "OLDPWD")
    return tuple((name, value) for name, value in found.items() if name not in of_the_shell)


def _one_line(output: str) -> str:
    return redact(" ".join(output.split()))[:1000]
