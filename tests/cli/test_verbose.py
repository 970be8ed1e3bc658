"""`-v` and `-vv`: what decided, and what was looked at, on stderr."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.examples import parser_of
from tests.factories import make_tree
from wheelhouse_resolver.cli.main import COMMANDS

HOST = ("--arch", "generic", "--layer", "gentoo")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(tmp_path / "tree", {"generic": ["demo-1.0-py3-none-any.whl", "demo-0.9-py3-none-any.whl"]})
    return tmp_path / "tree"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_option(command: str) -> None:
    (option,) = [each for each in parser_of(command).arguments if "-v" in each.option_strings]
    assert "--verbose" in option.option_strings


def test_what_decided(cli: Cli, root: Path) -> None:
    outcome = cli("pick", "demo", "-v", "--root", root, *HOST)
    assert (outcome.code, outcome.out) == (0, f"{root}/generic/demo-1.0-py3-none-any.whl\n")
    for words in (
        "site.config: site file: none (built-in)",
        "host.detect: arch generic: given as generic",
        "host.detect: layer gentoo: given as gentoo",
        f"picked {root}/generic/demo-1.0-py3-none-any.whl for demo",
    ):
        assert words in outcome.err
    assert "listed" not in outcome.err
    assert all(line.startswith("wheelhouse_resolver.") for line in outcome.err.splitlines())


def test_what_was_looked_at(cli: Cli, root: Path) -> None:
    outcome = cli("pick", "demo", "-vv", "--root", root, *HOST)
    assert f"tree.listing: listed {root}/generic: 2 names" in outcome.err
    assert "site.config: site file" in outcome.err


def test_without_it_nothing_is_shown_and_nothing_stays_behind(cli: Cli, root: Path) -> None:
    cli("pick", "demo", "-vv", "--root", root, *HOST)
    assert cli("pick", "demo", "--root", root, *HOST).err == ""
    logger = logging.getLogger("wheelhouse_resolver")
    assert [type(each) for each in logger.handlers] == [logging.NullHandler]
    assert logger.level == logging.NOTSET


def test_an_error_comes_last(cli: Cli, root: Path) -> None:
    lines = cli("pick", "demo", "-v", "--root", root, "--arch", "mmx").err.splitlines()
    assert lines[0].startswith("wheelhouse_resolver.")
    assert lines[-1].startswith(("error: ", "hint: "))
