from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import BUILTIN_LABELS, make_wheel
from wheelhouse_resolver.site.model import Site

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def directories_below(root: Path) -> set[str]:
    return {
        os.path.relpath(where, root) for where, inner, _ in os.walk(root) if not inner and where != str(root)
    }


def test_it_makes_the_empty_tree_and_a_site_file(cli: Cli, tmp_path: Path) -> None:
    root = tmp_path / "new/tree"
    outcome = cli("init", "--root", root)
    assert (outcome.code, outcome.err) == (0, "")
    assert directories_below(root) == set(BUILTIN_LABELS)
    for label in BUILTIN_LABELS:
        assert f"made {root}/{label}\n" in outcome.out
    assert f"made {root}/site.toml\n" in outcome.out
    assert f"WHEELHOUSE_CONFIG={root}/site.toml" in outcome.out


def test_the_site_file_describes_the_tree(cli: Cli, tmp_path: Path) -> None:
    cli("init", "--root", tmp_path / "tree")
    site = Site.load(tmp_path / "tree/site.toml")
    built_in = Site.default(tmp_path / "tree")
    assert site._replace(source=None) == built_in


def test_all_that_is_commented_out_in_it_may_be_commented_in(cli: Cli, tmp_path: Path) -> None:
    cli("init", "--root", tmp_path / "tree")
    path = tmp_path / "tree/site.toml"
    lines = []
    for line in path.read_text().splitlines():
        bare = line.removeprefix("# ")
        is_toml = bare.startswith("[") or " = " in bare.split("#")[0]
        lines.append(bare if is_toml else line)
    path.write_text("\n".join(lines))
    document = tomllib.loads(path.read_text())
    assert {"root", "arch", "layer", "search", "pip"} <= set(document)
    assert Site.load(path).pip["disable-pip-version-check"] is True


@pytest.mark.parametrize("name", ['with "quotes" and \\', "ünïcode", "#hash = 1", "{braces}"])
def test_a_hostile_root_survives_in_the_site_file(name: str, cli: Cli, tmp_path: Path) -> None:
    cli("init", "--root", tmp_path / name)
    assert Site.load(tmp_path / name / "site.toml").root == str(tmp_path / name)


def test_a_second_run_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    cli("init", "--root", tmp_path / "tree")
    site_file = tmp_path / "tree/site.toml"
    site_file.write_text("# edited\n" + site_file.read_text())
    before = site_file.stat()
    outcome = cli("init", "--root", tmp_path / "tree")
    assert outcome.code == 0
    assert "made" not in outcome.out
    assert f"kept {site_file}" in outcome.out
    after = site_file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_what_is_there_already_is_kept_and_what_is_missing_is_made(cli: Cli, tmp_path: Path) -> None:
    wheel = tmp_path / "generic/demo-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    wheel.touch()
    outcome = cli("init", "--root", tmp_path)
    assert f"kept {tmp_path}/generic\n" in outcome.out
    assert f"made {tmp_path}/nix/avx\n" in outcome.out
    assert wheel.exists()


def test_a_site_of_its_own_gets_its_tree_and_keeps_its_file(cli: Cli, tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    config.write_text(
        f"""\
root = "{tmp_path}/tree"
[[arch]]
name = "avx2"
[[arch]]
name = "avx512"
[[layer]]
name = "gentoo2020"
directories = ["gentoo2020", "gentoo"]
archs = ["avx2"]
[[layer]]
name = "gentoo2023"
names = {{ avx2 = "x86-64-v3", avx512 = "x86-64-v4" }}
"""
    )
    outcome = cli("init", "--config", config)
    assert outcome.code == 0
    assert directories_below(tmp_path / "tree") == {
        "generic",
        "gentoo2020/avx2",
        "gentoo2020/generic",
        "gentoo/avx2",
        "gentoo/generic",
        "gentoo2023/x86-64-v3",
        "gentoo2023/x86-64-v4",
        "gentoo2023/generic",
    }
    assert not (tmp_path / "tree/site.toml").exists()


@pytest.mark.parametrize("variable", ["WHEELHOUSE_ROOT", "WHEELHOUSE_CONFIG"])
def test_the_environment_says_where(
    variable: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "mine.toml"
    config.write_text(f'root = "{tmp_path}/tree"\n')
    monkeypatch.setenv(variable, str(config if variable.endswith("CONFIG") else tmp_path / "tree"))
    assert cli("init").code == 0
    assert (tmp_path / "tree/gentoo/avx512").is_dir()


def test_with_nothing_said_it_is_made_in_the_users_data_directory(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_DIRS", str(tmp_path / "nowhere"))
    assert cli("init").code == 0
    assert (tmp_path / "wheelhouse/generic").is_dir()


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o027, 0o077], ids=oct)
def test_all_can_read_it_whatever_the_umask(umask: int, cli: Cli, tmp_path: Path) -> None:
    """pip ignores a directory and a configuration that it cannot read, and says nothing."""
    before = os.umask(umask)
    try:
        cli("init", "--root", tmp_path / "tree")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "tree/nix/avx").stat().st_mode) == 0o777 & ~umask | 0o555
    assert stat.S_IMODE((tmp_path / "tree/nix").stat().st_mode) == 0o777 & ~umask | 0o555
    assert stat.S_IMODE((tmp_path / "tree/site.toml").stat().st_mode) == 0o666 & ~umask | 0o444


# -- a tree that exists -----------------------------------------------------------------------------------


def test_the_command_proposes_and_makes_nothing_else(tmp_path: Path, cli: Cli) -> None:
    root, file = tmp_path / "tree", tmp_path / "the site.toml"
    for label in ("el9/x86_64", "el9/x86_64/v3", "el9/x86_64/v4", "attic"):
        make_wheel(root / label, "demo-1.0-cp311-cp311-linux_x86_64.whl")
    for label in ("el9/noarch", "common"):
        make_wheel(root / label, "demo-1.0-py3-none-any.whl")
    before = sorted(root.rglob("*"))
    shown = cli("init", "--from", root)
    assert shown.code == 0
    assert shown.err.startswith("warning: attic: not in the site file: its name says nothing")
    done = cli("init", "--from", root, "--output", file)
    assert (done.code, file.read_text()) == (0, shown.out)
    assert f"made {file}" in done.out
    assert f"`wheelhouse-resolver audit --config '{file}'`" in done.out
    assert sorted(root.rglob("*")) == before
    path = cli("path", "--config", file, "--layer", "el9", "--arch", "avx512")
    assert [Path(line).relative_to(root).as_posix() for line in path.out.splitlines()] == [
        "el9/x86_64/v4", "el9/x86_64/v3", "el9/x86_64", "el9/noarch", "common",
    ]  # fmt: skip
    again = cli("init", "--from", root, "--output", file)
    assert (again.code, again.err) == (2, f"error: --output {file}: it exists\nhint: name a new file\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--from", "/nowhere"], "/nowhere: no such directory"),
        (["--from", "."], "holds no wheels"),
        (["--from", ".", "--root", "/w"], "--from proposes a site file"),
        (["--output", "x"], "--output goes with --from"),
    ],
)
def test_what_cannot_be_proposed(
    words: list[str], problem: str, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("init", *words)
    assert done.code == 2
    assert problem in done.err
