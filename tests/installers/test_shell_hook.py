"""`shell-hook` in the real shells: it sets what `pip-conf` sets, and `wheelhouse_off` undoes it.

That the shells read the settings themselves as they are meant is in test_pip_conf_obeyed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.factories import clean_environ, make_tree, run_cli
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import PipConfig, pip_config
from wheelhouse_resolver.installers.shell_hook import shell_hook

HOSTILE = 'm o\'d "q" $HOME ${x} [exit 1] {y ; #h ünïcode \\n `id` %41 *?~&|<>()! a:b'

#: Each: the dialect, its command, and how it evaluates what a command prints.
SHELLS = [
    pytest.param("sh", ["dash"], 'eval "$({})"', id="dash"),
    pytest.param("sh", ["bash", "--norc", "--noprofile"], 'eval "$({})"', id="bash"),
    pytest.param("sh", ["bash", "--norc", "--noprofile", "-eu"], 'eval "$({})"', id="bash-strict"),
    pytest.param("sh", ["bash", "--norc", "--noprofile", "--posix"], 'eval "$({})"', id="bash-posix"),
    pytest.param("sh", ["ksh"], 'eval "$({})"', id="ksh"),
    pytest.param("sh", ["zsh", "-f"], 'eval "$({})"', id="zsh"),
    pytest.param("sh", ["zsh", "-f", "-eu"], 'eval "$({})"', id="zsh-strict"),
    pytest.param("csh", ["tcsh", "-f"], 'eval "`{}`"', id="tcsh"),
    pytest.param("fish", ["fish", "--no-config"], "{} | source", id="fish"),
]


@pytest.fixture
def config(tmp_path: Path) -> PipConfig:
    pip = {
        "cert": "/etc/a path #1; 100%/$HOME 'x' \"y\" \\ `id` !bang !!.pem",
        "only-binary": ("numpy", "scipy"),
    }
    site = make_tree(tmp_path / HOSTILE, {})._replace(pip=MappingProxyType(pip))
    return pip_config(site, Host(arch="avx2", layer="gentoo"), offline=True)


def run(
    shell: list[str], lines: list[str], environ: Mapping[str, str], tmp_path: Path
) -> list[dict[str, str]]:
    """Run *lines* in one *shell*; the environment that a program sees after each."""
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed")
    script = tmp_path / "script"
    script.write_text("".join(f"{line}\n/usr/bin/env -0 > {n}.env\n" for n, line in enumerate(lines)))
    done = subprocess.run(
        [*shell, str(script)],
        env=dict(environ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = []
    for number in range(len(lines)):
        variables = os.fsdecode((tmp_path / f"{number}.env").read_bytes()).split("\0")
        found.append(dict(each.split("=", 1) for each in variables if each))
    return found


@pytest.mark.parametrize(("dialect", "shell", "evaluate"), SHELLS)
@pytest.mark.parametrize("own", [{}, {"PIP_FIND_LINKS": f"/{HOSTILE}", "PIP_CERT": ""}], ids=["unset", "set"])
def test_on_and_off(
    dialect: str, shell: list[str], evaluate: str, own: dict[str, str], config: PipConfig, tmp_path: Path
) -> None:
    (tmp_path / "hook").write_text(shell_hook(config, dialect), encoding="utf-8")
    on = evaluate.format("cat hook")
    lines = [on] if dialect == "csh" else [on, "wheelhouse_off", on, "wheelhouse_off"]
    environ = {k: v for k, v in clean_environ().items() if not k.startswith("PIP_")} | own
    steps = run(shell, lines, environ, tmp_path)
    expected = config.environment()
    assert len(expected) >= 5
    names = {*expected, *own}
    for number, step in enumerate(steps):
        wanted = expected if number % 2 == 0 else own
        assert {name: step.get(name) for name in names} == {name: wanted.get(name) for name in names}
        # What it remembers is the shell's own business, not that of every program.
        assert not [name for name in step if name.startswith("_wheelhouse")]


@pytest.mark.parametrize(
    ("dialect", "shell", "evaluate"),
    [each for each in SHELLS if each.values[0] != "csh"],  # csh has no functions
)
def test_evaluated_twice_it_still_gives_back_what_was_there_first(
    dialect: str, shell: list[str], evaluate: str, config: PipConfig, tmp_path: Path
) -> None:
    """A start file that is read again: a shell within a shell, a `source ~/.bashrc`."""
    (tmp_path / "hook").write_text(shell_hook(config, dialect), encoding="utf-8")
    on = evaluate.format("cat hook")
    environ = {k: v for k, v in clean_environ().items() if not k.startswith("PIP_")}
    steps = run(shell, [on, on, "wheelhouse_off"], environ | {"PIP_FIND_LINKS": "mine"}, tmp_path)
    assert {name: steps[1].get(name) for name in config.environment()} == config.environment()
    assert steps[2].get("PIP_FIND_LINKS") == "mine"
    assert "UV_FIND_LINKS" not in steps[2]


@pytest.mark.parametrize("dialect", ["sh", "csh", "fish"])
def test_the_command(dialect: str, tmp_path: Path) -> None:
    site = make_tree(tmp_path / "w", {})
    host = ["--arch", "avx2", "--layer", "gentoo", "--root", site.root]
    environ = clean_environ(WHEELHOUSE_ARCH="avx2")
    done = run_cli("shell-hook", dialect, "--offline", *host, environ=environ)
    assert done.returncode == 0
    expected = shell_hook(pip_config(site, Host(arch="avx2", layer="gentoo"), offline=True), dialect)
    assert done.stdout == expected
