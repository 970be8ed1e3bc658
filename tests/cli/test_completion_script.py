"""Completion in the real shells: what TAB offers, and what it puts on the command line."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_tree
from wheelhouse_resolver.cli.completion_script import LISTS, SHELLS, completion_script, listed
from wheelhouse_resolver.cli.main import COMMANDS, build_parser
from wheelhouse_resolver.errors import NoWheelhouseError
from wheelhouse_resolver.installers.pip_config import FORMATS
from wheelhouse_resolver.selection.available import COLUMNS
from wheelhouse_resolver.site.model import Site

#: Runs the real program for the completions, and for the rest shows how the line was completed.
PROGRAM = f"""#!/bin/sh
[ "$1" = completion ] && exec {sys.executable} -m wheelhouse_resolver "$@"
echo "GOT:$*:"
"""

SITE = """\
root = "{}/tree"
[[arch]]
name = "mine"
target = "x86_64_v3"
[[layer]]
name = "other"
names = {{ mine = "my3" }}
"""

Complete = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of all scripts."""
    directory = tmp_path_factory.mktemp("scripts")
    for shell in SHELLS:
        (directory / shell).write_text(completion_script(build_parser(width=80), shell))
    return directory


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which our program is on PATH, and a wheelhouse is there."""
    wheels = ["numpy-1.0-py3-none-any.whl", "numexpr-2.0-py3-none-any.whl", "Scipy_X-1-py3-none-any.whl"]
    make_tree(tmp_path / "tree", {"generic": wheels})
    program = tmp_path / "bin" / "wheelhouse-resolver"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    return clean_environ(
        WHEELHOUSE_ROOT=str(tmp_path / "tree"),
        HOME=str(tmp_path),
        TERM="dumb",
        PATH=f"{program.parent}:{os.environ['PATH']}",
    )


def run_shell(command: list[str], environ: dict[str, str], cwd: Path) -> list[str]:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        command, env=environ, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


#: Sets what bash sets at TAB with the cursor at the end of the line, and shows what is offered.
BASH = """
source "$1"
COMP_LINE=$2 COMP_POINT=${#2}
read -ra COMP_WORDS <<<"$COMP_LINE"
[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
function=$(complete -p wheelhouse-resolver) && function=${function##*-F } && function=${function%% *}
"$function" wheelhouse-resolver "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(params=["bash", "fish"])
def complete(
    request: pytest.FixtureRequest, scripts: Path, environ: dict[str, str], tmp_path: Path
) -> Complete:
    """What that shell offers for a line behind the program's name."""

    def ask(rest: str) -> list[str]:
        line = f"wheelhouse-resolver {rest}"
        if request.param == "bash":
            command = ["bash", "--norc", "--noprofile", "-c", BASH, "bash", str(scripts / "bash"), line]
        else:
            code = 'source $argv[1]; complete -C "$argv[2]"'
            command = ["fish", "--no-config", "-c", code, str(scripts / "fish"), line]
        found = run_shell(command, environ, tmp_path)
        # fish adds what it is behind a tab, and ends directories with a slash, as bash itself does later.
        return sorted({each.split("\t")[0].rstrip("/").strip() for each in found} - {""})

    return ask


def test_commands(complete: Complete) -> None:
    offered = set(complete(""))
    assert {*COMMANDS} <= offered
    assert complete("pi") == ["pick", "pip-conf"]


def test_options(complete: Complete) -> None:
    assert {"--help", "--root", "--config", "--arch", "--explain", "-r"} <= set(complete("pick -"))
    assert complete("pick --exp") == ["--explain"]
    assert complete("detect --exp") == []
    assert "--list" not in complete("completion --")


def test_choices(complete: Complete) -> None:
    assert complete("pip-conf --format ") == sorted(FORMATS)
    assert complete("modulefile --dialect t") == ["tcl"]
    assert complete("completion ") == sorted(SHELLS)


def test_files_and_directories_where_they_are_wanted(complete: Complete, tmp_path: Path) -> None:
    (tmp_path / "sitefile.toml").touch()
    (tmp_path / "sites").mkdir()
    (tmp_path / "demo-1.0-py3-none-any.whl").touch()
    assert complete("path --config sit") == ["sitefile.toml", "sites"]
    assert complete("pick -r sit") == ["sitefile.toml", "sites"]
    assert complete("path --root sit") == ["sites"]
    assert complete("publish dem") == ["demo-1.0-py3-none-any.whl"]


def test_archs_layers_and_directories_of_the_site(
    complete: Complete, environ: dict[str, str], tmp_path: Path
) -> None:
    assert complete("path --arch av") == ["avx", "avx2", "avx512"]
    assert complete("path --layer ") == ["gentoo", "nix", "none"]
    assert "gentoo/avx2" in complete("publish --to gentoo")
    site = (
        '[[arch]]\nname = "mine"\ntarget = "x86_64_v3"\n[[layer]]\nname = "other"\nnames = { mine = "my3" }\n'
    )
    (tmp_path / "site.toml").write_text(f'root = "{tmp_path}/tree"\n{site}')
    environ["WHEELHOUSE_CONFIG"] = str(tmp_path / "site.toml")
    assert complete("path --arch ") == ["generic", "mine", "my3"]
    assert complete("path --layer ") == ["none", "other"]


def test_projects(complete: Complete) -> None:
    assert complete("pick nu") == ["numexpr", "numpy"]
    assert complete("pick --json ") == ["numexpr", "numpy", "scipy-x"]


@pytest.mark.parametrize("command", ["avail", "pick", "why-not", "lock", "build"])
def test_projects_wherever_a_requirement_stands(command: str, complete: Complete) -> None:
    assert complete(f"{command} nu") == ["numexpr", "numpy"]


def test_columns(complete: Complete) -> None:
    assert complete("avail --columns pl") == ["platform"]


def test_formats(complete: Complete) -> None:
    assert complete("avail --format ma") == ["markdown"]
    assert complete("avail --format me") == ["mediawiki"]


@pytest.mark.parametrize("broken", ["no wheelhouse", "bad site file", "bad arch"])
def test_without_a_site_nothing_is_offered_and_nothing_is_said(
    broken: str, complete: Complete, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bad.toml").write_text("[[")
    variables = {
        "no wheelhouse": ("WHEELHOUSE_ROOT", "/nowhere"),
        "bad site file": ("WHEELHOUSE_CONFIG", f"{tmp_path}/bad.toml"),
        "bad arch": ("RSNT_ARCH", "mmx"),
    }
    name, value = variables[broken]
    environ[name] = value
    assert complete("pick nu") == []


# -- at a terminal -----------------------------------------------------------------------------------------


class Terminal:
    """An interactive shell at a terminal of its own."""

    def __init__(self, command: list[str], environ: dict[str, str], cwd: Path) -> None:
        if shutil.which(command[0]) is None:
            pytest.skip(f"{command[0]} is not installed")
        self._descriptor, own = pty.openpty()
        self._shell = subprocess.Popen(
            # fish wants a terminal that controls it.
            ["setsid", "--ctty", *command],
            env=environ,
            cwd=cwd,
            stdin=own,
            stdout=own,
            stderr=own,
        )
        os.close(own)

    def type(self, keys: str, until: str) -> str:
        """Type *keys* and a newline; what is on the screen when *until* has appeared."""
        os.write(self._descriptor, f"{keys}\n".encode())
        seen = ""
        end = time.monotonic() + 60
        while until not in seen and time.monotonic() < end:
            if select.select([self._descriptor], [], [], 0.1)[0]:
                seen += os.read(self._descriptor, 65536).decode(errors="replace")
        assert until in seen
        return seen

    def close(self) -> None:
        os.close(self._descriptor)
        self._shell.kill()
        self._shell.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "start"),
    [
        pytest.param(
            ["bash", "--norc", "--noprofile", "-i"],
            'eval "$(wheelhouse-resolver completion bash)"',
            id="bash",
        ),
        pytest.param(
            ["zsh", "-f", "-i"],
            'autoload -U compinit; compinit -u -D; eval "$(wheelhouse-resolver completion zsh)"',
            id="zsh",
        ),
        pytest.param(
            ["zsh", "-f", "-i"],
            "wheelhouse-resolver completion zsh >_wheelhouse-resolver; fpath=($PWD $fpath);"
            "autoload -U compinit; compinit -u -D",
            id="zsh-from-a-file",
        ),
    ],
)
def test_tab_at_a_terminal(command: list[str], start: str, environ: dict[str, str], tmp_path: Path) -> None:
    terminal = Terminal(command, environ, tmp_path)
    (tmp_path / "sitefile.toml").touch()
    try:
        terminal.type(f'{start}; echo REA""DY', "READY")
        for keys, completed in (
            ("policy-mo\t", "policy-module"),
            ("pick --exp\tnump\t", "pick --explain numpy"),
            ("avail nump\t", "avail numpy"),
            ("pip-conf --format js\t", "pip-conf --format json"),
            ("path --layer gen\t--config sit\t", "path --layer gentoo --config sitefile.toml"),
        ):
            terminal.type(f"wheelhouse-resolver {keys}", f"GOT:{completed}:")
        terminal.type("export WHEELHOUSE_ROOT=/nowhere; echo CHAN''GED", "CHANGED")
        screen = terminal.type("wheelhouse-resolver pick nump\t", "GOT:pick nump:")
        assert "error" not in screen
        assert "Traceback" not in screen
    finally:
        terminal.close()


@pytest.mark.parametrize(
    ("command", "start"),
    [
        (["bash", "--norc", "--noprofile", "-i"], 'eval "$(wheelhouse-resolver completion bash)"'),
        (
            ["zsh", "-f", "-i"],
            'autoload -U compinit; compinit -u -D; eval "$(wheelhouse-resolver completion zsh)"',
        ),
        (["fish", "--no-config", "-i"], "wheelhouse-resolver completion fish | source"),
    ],
    ids=SHELLS,
)
def test_no_file_name_is_evaluated(
    command: list[str], start: str, environ: dict[str, str], tmp_path: Path
) -> None:
    """Whoever may add a file to the wheelhouse must not thereby run commands as those who press TAB."""
    (tmp_path / "empty").mkdir()
    for name in (
        "num$(touch x)",
        "num`touch x`",
        "num<(touch x)",
        "num;touch x",
        "num\ntouch x",
        "num'$(touch x)",
    ):
        (tmp_path / "tree" / "generic" / f"{name}-1.0-py3-none-any.whl").touch()
    terminal = Terminal(command, environ, tmp_path / "empty")
    try:
        terminal.type(f'{start}; echo REA""DY', "READY")
        for where in ("pick", "avail --json", "withdraw"):
            terminal.type(f"wheelhouse-resolver {where} num\t\t\x15echo DO''NE", "DONE")
        terminal.type("wheelhouse-resolver pick nump\t", "GOT:pick numpy:")
        assert not [*(tmp_path / "empty").iterdir()]
    finally:
        terminal.close()


# -- what is asked at TAB ----------------------------------------------------------------------------------


def test_every_list(tmp_path: Path) -> None:
    site = make_tree(tmp_path, {"generic": ["a-1-py3-none-any.whl"]})
    found = {what: listed(what, site) for what in LISTS}
    assert found["archs"] == ["generic", "sse3", "avx", "avx2", "avx512"]
    assert found["layers"] == ["nix", "gentoo", "none"]
    assert found["directories"][-1] == "generic"
    assert found["projects"] == ["a"]
    assert found["columns"] == [*COLUMNS]
    with pytest.raises(NoWheelhouseError):
        listed("projects", Site.default("/nowhere"))


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_made_of_the_parsers(shell: str) -> None:
    """So that a new command or option is completed without anybody thinking of it."""
    parser = build_parser(width=80)
    (commands,) = [each for each in parser.arguments if isinstance(each.choices, dict)]
    added = commands.add_parser("brand-new", help="a new command")  # type: ignore[attr-defined]
    added.add_argument("--brand-option", choices=["brand-choice"], help="a new option")
    script = completion_script(parser, shell)
    for word in ("brand-new", "brand-option", "brand-choice"):
        assert word in script
