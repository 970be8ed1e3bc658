from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_tree


def test_directories_that_exist_most_specific_first(cli: Cli, tmp_path: Path) -> None:
    make_tree(tmp_path, {}, labels=["generic", "gentoo/sse3", "gentoo/avx2", "gentoo/avx512", "nix/avx"])
    outcome = cli("path", "--root", tmp_path, "--arch", "avx2", "--layer", "gentoo")
    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        f"{tmp_path}/{label}" for label in ("gentoo/avx2", "gentoo/sse3", "generic")
    ]


def test_all_keeps_those_that_are_missing(cli: Cli, tmp_path: Path) -> None:
    make_tree(tmp_path, {}, labels=["generic"])
    outcome = cli("path", "--all", "--root", tmp_path, "--arch", "avx", "--layer", "gentoo")
    labels = ("gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic")
    assert outcome.out.splitlines() == [f"{tmp_path}/{label}" for label in labels]


def test_json(cli: Cli, tmp_path: Path) -> None:
    make_tree(tmp_path, {}, labels=["generic", "gentoo/generic"])
    arguments = ("path", "--json", "--root", tmp_path, "--arch", "generic", "--layer", "gentoo")
    assert json.loads(cli(*arguments).out) == [
        {"path": f"{tmp_path}/gentoo/generic", "layer": "gentoo", "arch": "generic", "rank": 100},
        {"path": f"{tmp_path}/generic", "layer": None, "arch": "generic", "rank": 1},
    ]


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["text", "json"])
def test_no_directory_is_a_negative_answer(more: tuple[str, ...], cli: Cli, tmp_path: Path) -> None:
    outcome = cli("path", "--root", tmp_path, "--arch", "generic", "--layer", "none", *more)
    assert (outcome.code, outcome.out, outcome.err) == (1, "[]\n" if more else "", "")


def test_a_sites_own_names_and_search(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(
        f"""\
root = "{tmp_path}/tree"
[[layer]]
name = "gentoo2020"
directories = ["gentoo2020", "gentoo"]
[[layer]]
name = "gentoo2023"
archs = ["avx2", "avx512"]
names = {{ avx2 = "x86-64-v3", avx512 = "x86-64-v4" }}
[search]
avx512 = ["avx512", "avx2"]
avx2 = ["avx2"]
"""
    )
    (tmp_path / "tree").mkdir()

    def labels(layer: str, arch: str) -> list[str]:
        outcome = cli("path", "--all", "--config", config, "--layer", layer, "--arch", arch)
        return [line.removeprefix(f"{tmp_path}/tree/") for line in outcome.out.splitlines()]

    assert labels("gentoo2023", "x86-64-v4") == labels("gentoo2023", "avx512")
    assert labels("gentoo2023", "avx512") == [
        "gentoo2023/x86-64-v4",
        "gentoo2023/x86-64-v3",
        "gentoo2023/generic",
        "generic",
    ]
    assert labels("gentoo2020", "avx2") == [
        "gentoo2020/avx2",
        "gentoo/avx2",
        "gentoo2020/generic",
        "gentoo/generic",
        "generic",
    ]


def test_a_relative_root_is_printed_whole(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path / "tree", {})
    monkeypatch.chdir(tmp_path)
    outcome = cli("path", "--root", "tree", "--arch", "generic", "--layer", "none")
    assert outcome.out == f"{tmp_path}/tree/generic\n"
