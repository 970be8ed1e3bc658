from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_tree
from wheelhouse_resolver.cli.completion_script import SHELLS, completion_script
from wheelhouse_resolver.cli.main import build_parser


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_printed(shell: str, cli: Cli) -> None:
    assert cli("completion", shell) == (0, completion_script(build_parser(width=80), shell), "")


@pytest.mark.parametrize("arguments", [(), ("tcsh",), ("bash", "zsh"), ("--list", "wheels")], ids=str)
def test_what_is_no_shell_is_bad_input(arguments: tuple[str, ...], cli: Cli) -> None:
    assert cli("completion", *arguments).error


#: Names that are more than a word to some shell, or no project's.
ODD_NAMES = (
    "a b",
    "$(touch x)",
    "`id`",
    "a'b",
    'a"b',
    "a\nb",
    "<(id)",
    "a;b",
    "a*",
    "{a,b}",
    "~root",
    "!a",
    "_a",
    "\xe9",
)


def test_only_normalised_names_of_projects_are_offered(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(tmp_path, {})
    for name in ("fine", "Fine.Too", "x", *ODD_NAMES):
        (tmp_path / "generic" / f"{name}-1.0-py3-none-any.whl").touch()
    monkeypatch.setenv("WHEELHOUSE_ROOT", str(tmp_path))
    assert cli("completion", "--list", "projects") == (0, "fine\nfine-too\nx\n", "")


def test_without_a_site_the_list_is_empty_and_says_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHEELHOUSE_ROOT", "/nowhere")
    assert cli("completion", "--list", "projects") == (0, "", "")
