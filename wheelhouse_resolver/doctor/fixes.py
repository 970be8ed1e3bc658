"""The command lines that fix what was found, complete, quoted for the user's shell."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.doctor.pip_settings import PipSetting


class _Shell(NamedTuple):
    """How a shell sets a variable, unsets it, and evaluates what a command prints in the *form*."""

    form: str
    set: str
    unset: str
    evaluate: str


_SH = _Shell("sh", "export {}={}", "unset {}", 'eval "$({})"')
_CSH = _Shell("csh", "setenv {} {}", "unsetenv {}", 'eval "`{}`"')
_SHELLS = {"fish": _Shell("fish", "set -gx {} {}", "set -e {}", "{} | source"), "csh": _CSH, "tcsh": _CSH}


def _shell(facts: EnvironmentFacts) -> _Shell:
    return _SHELLS.get(facts.shell, _SH)


def edit(path: str, number: int | None = None) -> str:
    """Opens the file at *path* in the user's editor, at a line if that is known."""
    return f"${{EDITOR:-vi}} {f'+{number} ' if number else ''}{shlex.quote(path)}"


def unset(facts: EnvironmentFacts, variable: str) -> str:
    """Takes a *variable* out of the shell's environment."""
    return _shell(facts).unset.format(variable)


def export(facts: EnvironmentFacts, variable: str, value: str) -> str:
    """Puts a *variable* into the shell's environment."""
    return _shell(facts).set.format(variable, shlex.quote(value))


def load_settings(facts: EnvironmentFacts, *words: str) -> str:
    """Sets, in this shell, what makes pip and uv search what this host may use. *words*: more options."""
    shell = _shell(facts)
    words = ("pip-conf", *facts.host_options, *words, "--format", shell.form)
    return shell.evaluate.format(facts.command(*words))


def pip_of_target(facts: EnvironmentFacts, *words: str) -> str:
    """A command of the target Python's pip."""
    python = facts.python.executable if facts.python else facts.host.python.name
    return shlex.join([python, "-m", "pip", *words])


def upgrade_pip(facts: EnvironmentFacts) -> str:
    """Installs the newest pip into the target Python."""
    return pip_of_target(facts, "install", "--upgrade", "pip")


def unset_setting(facts: EnvironmentFacts, setting: PipSetting) -> str:
    """Takes a *setting* of pip away, where it was made."""
    if setting.origin == "env_var":
        return unset(facts, setting.variable)
    if setting.origin in ("global", "user", "site"):
        option = f"{setting.section}.{setting.option}"
        return pip_of_target(facts, "config", f"--{setting.origin}", "unset", option)
    return edit(setting.file) if setting.file else pip_of_target(facts, "config", "edit")
