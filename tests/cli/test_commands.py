"""What holds of all commands: help, examples, and the two ways to start them."""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.examples import examples, parser_of
from tests.factories import clean_environ, make_tree, run_cli
from tests.host.fakes import make_environment
from wheelhouse_resolver.cli.main import COMMANDS, build_parser


@pytest.mark.parametrize("command", COMMANDS)
class TestHelp:
    def test_it_says_what_the_command_does_and_shows_examples(self, command: str, cli: Cli) -> None:
        outcome = cli(command, "--help")
        assert (outcome.code, outcome.err) == (0, "")
        told = " ".join(outcome.out.split()).lower()
        assert COMMANDS[command].lower() in told
        assert f"examples:\n  wheelhouse-resolver {command}" in outcome.out

    def test_every_option_is_explained(self, command: str) -> None:
        for action in parser_of(command).arguments:
            assert action.help, f"{command} {action.option_strings or action.dest} has no help"

    def test_two_examples_at_least(self, command: str) -> None:
        assert len([line for each, line in examples() if each == command]) >= 2


@pytest.mark.parametrize(("command", "line"), examples(), ids=lambda text: text.replace(" ", "_"))
def test_an_example_is_a_command_line_that_is_understood(command: str, line: str) -> None:
    program, *arguments = shlex.split(line)
    assert program == "wheelhouse-resolver"
    assert arguments[0] == command
    assert build_parser().parse_args(arguments).run


def test_help_lists_every_command(cli: Cli) -> None:
    outcome = cli("--help")
    assert outcome.code == 0
    for command, summary in COMMANDS.items():
        assert f"\n    {command}" in outcome.out
        assert summary.split()[0] in outcome.out


@pytest.mark.parametrize("arguments", [("--no-such",), ("more", "--no-such"), ()])
def test_an_error_of_a_command_points_to_the_help_of_that_command(
    arguments: tuple[str, ...], cli: Cli
) -> None:
    assert cli("classify", *arguments).error.endswith(" hint: see wheelhouse-resolver classify --help")


def test_the_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"wheelhouse-resolver {version('wheelhouse-resolver')}\n", "")


def test_a_command_alone_needs_no_other_commands_module() -> None:
    code = (
        "import sys; from wheelhouse_resolver.cli.main import build_parser; build_parser('path');"
        "print(*sorted(name for name in sys.modules if name.startswith('wheelhouse_resolver.cli.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environ())
    names = [name.removeprefix("wheelhouse_resolver.cli.") for name in done.stdout.split()]
    assert names == ["commands", "commands.path", "main", "options", "output", "parser"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("path", "--arch", "generic", "--layer", "none"), 0),
        (("pick", "missing", "--arch", "generic", "--layer", "none"), 1),
        (("path", "--arch", "bogus"), 2),
        (("bogus",), 2),
        (("path", "--help"), 0),
    ],
    ids=str,
)
def test_the_installed_program_and_the_module_are_the_same(
    arguments: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    make_tree(tmp_path, {})
    environ = clean_environ(WHEELHOUSE_ROOT=str(tmp_path))
    module = run_cli(*arguments, environ=environ)
    program = Path(sysconfig.get_path("scripts"), "wheelhouse-resolver")
    installed = subprocess.run([program, *arguments], env=environ, capture_output=True, text=True)
    assert (module.returncode, module.stdout, module.stderr) == (
        installed.returncode,
        installed.stdout,
        installed.stderr,
    )
    assert module.returncode == code


@pytest.mark.parametrize("python", ["own", "another"])
@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (
            ("pip-conf",),
            ["packaging", "archspec", "elftools", "pip", "platformdirs", "dataclasses", "pathlib", "logging"],
        ),
        (("path",), ["packaging", "archspec", "elftools", "pip", "platformdirs", "dataclasses", "logging"]),
        (("pick", "missing"), ["archspec", "elftools", "pip", "platformdirs", "email", "zipfile"]),
        (("avail", "demo"), ["archspec", "elftools", "platformdirs", "zipfile", "shutil", "csv", "html"]),
        (
            ("pick", "demo"),
            ["archspec", "elftools", "pip", "platformdirs", "email", "zipfile", "dataclasses", "resolvelib"],
        ),
    ],
    ids=str,
)
def test_a_command_imports_only_what_it_needs(
    arguments: tuple[str, ...], unneeded: list[str], python: str, tmp_path: Path
) -> None:
    """When it is run again: what it had to ask others for the first time is remembered."""
    make_tree(tmp_path / "tree", {"generic": ["demo-1.0-py3-none-any.whl"]})
    (tmp_path / "more.txt").write_text("demo>=0.5 ; python_version >= '3'\n")
    (tmp_path / "limits.txt").write_text("demo<2\n-c more.txt\n")
    config = f'root = "{tmp_path}/tree"\n'
    config += f'[pip]\nconstraint = "{tmp_path}/limits.txt"\n' if arguments == ("pip-conf",) else ""
    (tmp_path / "site.toml").write_text(config)
    environ = clean_environ(
        WHEELHOUSE_CONFIG=str(tmp_path / "site.toml"), XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    if python == "another":
        make_environment(tmp_path / "env")
        environ["VIRTUAL_ENV"] = str(tmp_path / "env")
        unneeded = [*unneeded, "packaging.markers"]  # what it says of its version is known
    run_cli(*arguments, environ=environ)
    code = (
        "import sys; from wheelhouse_resolver.cli.main import main; main(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, *arguments], env=environ, capture_output=True, text=True
    )
    bare = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; print(*sys.modules, file=sys.stderr)"],
        capture_output=True,
        text=True,
    )
    imported = set(done.stderr.split()) - set(bare.stderr.split())
    assert "wheelhouse_resolver.site.model" in imported
    assert imported.isdisjoint(unneeded)


@pytest.mark.parametrize("command", ["avail", "pick", "why-not", "lock"])
def test_options_of_a_requirements_file_that_have_no_say_are_told(
    command: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(tmp_path / "tree", {"generic": ["demo-1.0-py3-none-any.whl"]})
    monkeypatch.chdir(tmp_path)
    Path("r.txt").write_text("--no-index\n--only-binary :all:\n--find-links /more\n" + "demo\n" * 2000)
    host = ("--root", "tree", "--arch", "generic", "--layer", "none", "--python", "3.11")
    assert cli(command, "-r", "r.txt", *host).err == (
        "warning: r.txt, line 3: --find-links is ignored: only wheels of the wheelhouse count\n"
    )
