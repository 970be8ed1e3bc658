"""The shell commands of a recipe's phases: each in a shell of its own, whose exported variables stay.

Bash reads the file that BASH_ENV names before it runs a command. Ours makes it write its variables to another
file at its end.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence

from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.utils.filesystem import write_text

#: Runs a command, called so, with that environment, in that directory. Raises if it fails.
RunIn = Callable[[Sequence[str], str, Mapping[str, str], str], None]

#: What each shell sets for itself.
_OF_SHELLS = ("BASH_ENV", "OLDPWD", "PWD", "SHLVL", "_")


def phase_commands(recipe: Recipe, phase: str) -> tuple[str, ...]:
    """What *recipe* runs in that *phase*."""
    return dict(recipe.phases).get(phase, ())


def run_phase(
    recipe: Recipe, phase: str, version: str, environ: Mapping[str, str], run: RunIn, cwd: str
) -> dict[str, str]:
    """Run the commands of *recipe* for *phase*, up to the first that fails, in the directory *cwd*.

    version: of the project; empty if it is not known. Returns *environ* as the commands have left it: with
    what they exported, without what they unset.
    """
    found = dict(environ)
    for command in phase_commands(recipe, phase):
        with tempfile.TemporaryDirectory(prefix="wheelhouse-phase-") as scratch:
            saved, start = os.path.join(scratch, "environ"), os.path.join(scratch, "start")
            write_text(start, _start(saved, found.get("BASH_ENV")))
            inside = {**found, **recipe.facts(version), "BASH_ENV": start}
            run(["bash", "-euo", "pipefail", "-c", command], f"{phase} command {command!r}", inside, cwd)
            found = _read(saved, inside, found)
    return found


def _start(saved: str, own: str | None) -> str:
    """What bash runs first: *own*, which it would have run by itself; at its end, its variables are saved."""
    lines = ["unset BASH_ENV"]
    if own:
        lines = [f"export BASH_ENV={shlex.quote(own)}", 'if [ -r "$BASH_ENV" ]; then . "$BASH_ENV"; fi']
    env = shutil.which("env") or "env"
    save = f"{shlex.quote(env)} -0 >{shlex.quote(saved)}"
    return "\n".join([*lines, f"trap {shlex.quote(save)} EXIT", ""])


def _read(saved: str, before: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """*environ* with the changes between *before* and what is in the file *saved*."""
    try:
        with open(saved, encoding="utf-8", errors="surrogateescape") as file:
            pairs = (each.partition("=") for each in file.read().split("\0") if each)
    except OSError:  # the shell became another program (`exec`)
        return dict(environ)
    after = {name: value for name, _, value in pairs if name not in _OF_SHELLS}
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    kept = {name: value for name, value in environ.items() if name in after or name in _OF_SHELLS}
    return {**kept, **changed}
