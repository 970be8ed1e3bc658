"""The command lines that mend what was found, quoted for the user's shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import Facts
    from wheelhouse_resolver.doctor.pip_settings import PipSetting

__all__ = ["edit", "export", "line", "load_settings", "ours", "pip_of_target", "unset", "unset_setting"]

_PROGRAM = "wheelhouse-resolver"


def line(*words: str) -> str:
    """*words* as a command line."""
    return shlex.join(words)


def ours(facts: Facts, *words: str) -> str:
    """A command of this program, for the same site."""
    return line(_PROGRAM, *words, *facts.options)


def edit(path: str, number: int | None = None) -> str:
    """Opens the file at *path* in the user's editor, at a line if that is known."""
    return f"${{EDITOR:-vi}} {f'+{number} ' if number else ''}{shlex.quote(path)}"


def unset(facts: Facts, variable: str) -> str:
    """Takes a *variable* out of the shell's environment."""
    if facts.shell == "fish":
        return f"set -e {variable}"
    return f"{'unsetenv' if facts.shell in ('csh', 'tcsh') else 'unset'} {variable}"


def export(facts: Facts, variable: str, value: str) -> str:
    """Puts a *variable* into the shell's environment."""
    value = shlex.quote(value)
    if facts.shell == "fish":
        return f"set -gx {variable} {value}"
    if facts.shell in ("csh", "tcsh"):
        return f"setenv {variable} {value}"
    return f"export {variable}={value}"


def load_settings(facts: Facts, *words: str) -> str:
    """Sets, in this shell, what makes pip and uv search what this host may use. *words*: more options."""
    if facts.shell == "fish":
        return f"{ours(facts, 'pip-conf', *words, '--format', 'fish')} | source"
    if facts.shell in ("csh", "tcsh"):
        return f'eval "`{ours(facts, "pip-conf", *words, "--format", "csh")}`"'
    return f'eval "$({ours(facts, "pip-conf", *words, "--format", "sh")})"'


def pip_of_target(facts: Facts, *words: str) -> str:
    """A command of the target Python's pip."""
    python = facts.python.executable if facts.python else facts.host.python.name
    return line(python, "-m", "pip", *words)


def unset_setting(facts: Facts, setting: PipSetting) -> str:
    """Takes a *setting* of pip away, where it stands."""
    if setting.origin == "env_var":
        return unset(facts, setting.variable)
    if setting.origin in ("global", "user", "site"):
        return pip_of_target(
            facts, "config", f"--{setting.origin}", "unset", f"{setting.section}.{setting.option}"
        )
    return edit(setting.file) if setting.file else pip_of_target(facts, "config", "edit")
