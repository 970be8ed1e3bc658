"""The command lines that fix what was found, complete, quoted for the user's shell.

Each can be run as it is; one that could not, or would not help, is empty.
"""

from __future__ import annotations

import os
import shlex
from typing import NamedTuple

from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.doctor.pip_settings import PipSetting
from wheelhouse_resolver.host.target_pip import newest_pip_of, release_of


class _Shell(NamedTuple):
    """How a shell sets and unsets a variable, evaluates what prints the *form*, and activates a venv."""

    form: str
    set: str
    unset: str
    evaluate: str
    activate: str


_SH = _Shell("sh", "export {}={}", "unset {}", 'eval "$({})"', ". {}")
_CSH = _Shell("csh", "setenv {} {}", "unsetenv {}", 'eval "`{}`"', "source {}.csh")
_FISH = _Shell("fish", "set -gx {} {}", "set -e {}", "{} | source", "source {}.fish")
_SHELLS = {"fish": _FISH, "csh": _CSH, "tcsh": _CSH}


def _shell(facts: EnvironmentFacts) -> _Shell:
    return _SHELLS.get(facts.shell, _SH)


def edit(facts: EnvironmentFacts, path: str, number: int | None = None) -> str:
    """Opens the file at *path* in the user's editor, at a line if that is known."""
    if not facts.editor or path in facts.unchangeable:
        return ""
    return f"{facts.editor} {f'+{number} ' if number else ''}{shlex.quote(path)}"


def owners(facts: EnvironmentFacts, path: str, *words: str) -> str:
    """The command of *words*, for who may change what is at *path*."""
    return "" if path in facts.unchangeable else shlex.join(words)


def unset(facts: EnvironmentFacts, variable: str) -> str:
    """Takes a *variable* out of the shell's environment."""
    return _shell(facts).unset.format(variable)


def export(facts: EnvironmentFacts, variable: str, value: str) -> str:
    """Puts a *variable* into the shell's environment."""
    return _shell(facts).set.format(variable, shlex.quote(value))


def first_of_configuration(facts: EnvironmentFacts, uv_toml: str) -> str:
    """Makes the root that holds *uv_toml* the first in XDG_CONFIG_DIRS; the others stay behind it."""
    root = os.path.dirname(os.path.dirname(uv_toml))
    others = (facts.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    paths = [root, *(each for each in others if each and each != root)]
    return export(facts, "XDG_CONFIG_DIRS", os.pathsep.join(paths))


def load_settings(facts: EnvironmentFacts, *words: str) -> str:
    """Sets, in this shell, what makes pip and uv search what this host may use. *words*: more options."""
    if not facts.usable:
        return ""
    shell = _shell(facts)
    words = ("pip-conf", *facts.host_options, *words, "--format", shell.form)
    # With one of an unknown name that command refuses to run.
    before = "".join(f"{unset(facts, each.variable)}; " for each in facts.unknown_overrides)
    return before + shell.evaluate.format(facts.command(*words))


def load_settings_of_uv(facts: EnvironmentFacts) -> str:
    """The same with a file for uv, in place of all that it reads by itself."""
    if facts.home is None or facts.home.problem:
        return ""
    return load_settings(facts, "--uv-config", os.path.join(facts.home.path, "uv-wheelhouse.toml"))


def pip_of_target(facts: EnvironmentFacts, *words: str) -> str:
    """A command of the target Python's pip."""
    python = facts.python.executable if facts.python else facts.host.python.name
    return shlex.join([python, "-m", "pip", *words])


def _can_install(facts: EnvironmentFacts) -> bool:
    """Whether pip can install into the target's own environment."""
    python = facts.python
    return python is not None and not python.read_only and (python.in_venv or not python.managed)


def install(facts: EnvironmentFacts, *words: str) -> str:
    """Installs into the target's own environment, by pip, or by uv where it has no pip."""
    if facts.python is None or not _can_install(facts):
        return ""
    if facts.pip.version is None or facts.pip.broken:
        command = [facts.uv.path, "pip", "install", "--python"] if facts.uv else []
        return shlex.join([*command, facts.python.executable, *words]) if command else ""
    return pip_of_target(facts, "install", *words)


def upgrade_pip(facts: EnvironmentFacts, least: tuple[int, int]) -> str:
    """Installs a newer pip into the target Python, where there is one of at least the release *least*."""
    python, pip = facts.python, facts.pip
    if python is None or pip.version is None or not _can_install(facts):
        return ""
    newest = newest_pip_of(python.version)
    asks_index = facts.index is not None and not facts.index.problem
    reaches = (newest is None or newest >= least) if asks_index else False
    if not reaches and not (pip.available and release_of(pip.available) >= least):
        return ""
    return pip_of_target(facts, "install", "--upgrade", "pip")


def repair_pip(facts: EnvironmentFacts) -> str:
    """Installs the pip that comes with the target Python once more, or at all."""
    python, pip = facts.python, facts.pip
    if python is None or not pip.bundled or not _can_install(facts):
        return ""
    if not pip.path:
        return shlex.join([python.executable, "-m", "ensurepip", "--upgrade"])
    option = "--force-reinstall"
    if not pip.recorded:  # it cannot be uninstalled, and a mixture of two releases does not work
        if not os.path.basename(pip.bundled).startswith(f"pip-{pip.version}-"):
            return ""
        option = "--ignore-installed"
    words = [f"{pip.bundled}/pip", "install", option, "--no-index", "--no-deps", pip.bundled]
    return shlex.join([python.executable, *words])


def new_venv(facts: EnvironmentFacts, python: str) -> str:
    """Makes a virtual environment of *python* where none is, and activates it. What is elsewhere stays."""
    if not python or not facts.new_venv:
        return ""
    script = shlex.quote(f"{facts.new_venv}/bin/activate")
    activate = _shell(facts).activate.format(script)
    return f"{shlex.join([python, '-m', 'venv', facts.new_venv])} && {activate}"


def venv_like_target(facts: EnvironmentFacts) -> str:
    """Makes a virtual environment of the Python that the target is, or is made of."""
    python = facts.python
    if python is None or not facts.pip.bundled:
        return ""  # it lacks `ensurepip`, or `venv` as well
    return new_venv(facts, python.base_executable)


def unset_setting(facts: EnvironmentFacts, setting: PipSetting) -> str:
    """Takes a *setting* of pip away, where it was made."""
    if setting.origin == "env_var":
        return unset(facts, setting.variable)
    if setting.file in facts.unchangeable:
        return ""
    files = [each.path for each in facts.pip.files if each.origin == setting.origin]
    # Of several files of a kind `pip config` changes the last.
    if setting.origin in ("global", "user", "site") and setting.file in (files[-1:] or [setting.file]):
        option = f"{setting.section}.{setting.option}"
        return pip_of_target(facts, "config", f"--{setting.origin}", "unset", option)
    return edit(facts, setting.file) if setting.file else ""
