from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.cli.conftest import Cli
from tests.factories import clean_environ, make_tree, run_cli
from tests.upkeep.index_server import Answer, IndexServer, file, running_index

HOST = ("--arch", "avx", "--layer", "gentoo", "--python", "3.11")


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    """An index, and a pip that is configured for it: how pip is asked, `tests/upkeep` shows."""
    with running_index() as server:
        said = f"global.index-url={server.url!r}\nglobal.retries='0'"
        monkeypatch.setattr("wheelhouse_resolver.upkeep.pip_indexes._ask", lambda *_: said)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.delenv(name, raising=False)
        server.answers = {
            "demo": Answer([file("demo-1.0.zip", yanked="wrong results"), file("demo-2.0.zip")]),
            "limited": Answer(
                [file(f"limited-{each}") for each in ("1.0.zip", "2.0-py3-none-any.whl", "3.0.zip")]
            ),
            "right": Answer([file("right-1.0.zip")]),
        }
        yield server


@pytest.fixture
def site(tmp_path: Path) -> Path:
    names = ("demo-1.0", "limited-1.0+site", "right-1.0", "ours-1.0")
    make_tree(tmp_path / "house", {"generic": [f"{name}-py3-none-any.whl" for name in names]})
    (tmp_path / "limits.txt").write_text("limited<3\n")
    file = tmp_path / "site.toml"
    file.write_text(f'root = "{tmp_path}/house"\n[pip]\nconstraint = ["{tmp_path}/limits.txt"]\n')
    return file


SUMMARY = "4 projects: 2 older than in the index, 1 current, 1 not there\n"


def test_a_requirements_file_where_standard_output_is_no_terminal(
    cli: Cli, site: Path, index: IndexServer
) -> None:
    expected = (
        0,
        "demo==2.0  # here 1.0; 1.0 is yanked: wrong results\nlimited==2.0  # here 1.0, newest 3.0\n",
        f"ours 1.0: absent; the index does not have it\n{SUMMARY}",
    )
    assert cli("outdated", "--config", site, *HOST) == expected
    assert index.projects == ["demo", "limited", "ours", "right"]
    # From what is kept, with the index away.
    index.asked.clear()
    index.answers.clear()
    assert cli("outdated", "--config", site, "--offline", *HOST) == expected
    assert not index.asked


def test_a_table(cli: Cli, site: Path, index: IndexServer) -> None:
    outcome = cli("outdated", "--config", site, "--format", "table", "--all", *HOST)
    assert outcome.out == (
        "name     here  newest  allowed  kind    uploaded  state    note\n"
        "demo     1.0   2.0     2.0      source            older    1.0 is yanked: wrong results\n"
        "limited  1.0   3.0     2.0      pure              older\n"
        "ours     1.0                                      absent   the index does not have it\n"
        "right    1.0   1.0     1.0      source            current\n"
    )
    columns = ("--format", "csv", "--columns", "name,state")
    some = cli("outdated", "ri*", "--all", "--config", site, *columns, *HOST)
    assert some.out == "name,state\nright,current\n"


def test_json(cli: Cli, site: Path, index: IndexServer) -> None:
    (demo,) = json.loads(cli("outdated", "demo", "--config", site, "--json", *HOST).out)
    assert demo == {
        "name": "demo",
        "here": "1.0",
        "state": "older",
        "newest": "2.0",
        "allowed": "2.0",
        "kind": "source",
        "uploaded": None,
        "yanked": [{"version": "1.0", "reason": "wrong results"}],
        "removed": [],
        "status": "",
        "problem": "",
        "requirement": "demo==2.0",
    }


def test_one_that_fails_and_a_pattern_that_matches_nothing(cli: Cli, site: Path, index: IndexServer) -> None:
    index.answers["right"] = Answer(status=500)
    outcome = cli("outdated", "right", "demo", "zz*", "--config", site, *HOST)
    assert outcome == (
        1,
        "demo==2.0  # here 1.0; 1.0 is yanked: wrong results\n",
        "not available: zz*\n"
        f"right 1.0: unknown; {index.url}: HTTP 500 Internal Server Error\n"
        "2 projects: 1 older than in the index, 1 not known\n",
    )
    never = cli("outdated", "limited", "--config", site, "--offline", *HOST)
    assert never.code == 1
    assert never.err.startswith("limited 1.0: unknown; never asked about it")


def test_without_an_index(cli: Cli, site: Path, index: IndexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "global.no-index='true'"
    monkeypatch.setattr("wheelhouse_resolver.upkeep.pip_indexes._ask", lambda *_: said)
    assert cli("outdated", "--config", site, *HOST).error == (
        "error: pip is configured to ask no index (no-index) "
        "hint: PIP_NO_INDEX=0 in the environment lets it ask"
    )


@pytest.mark.slow
def test_what_is_newer_is_built(tmp_path: Path) -> None:
    """As in `outdated | build -r -`, with pip's own configuration, and with a cache of its own."""
    root, sources = tmp_path / "house", tmp_path / "sources"
    make_tree(root, {"generic": ["demo-1.0-py3-none-any.whl"]})
    make_package(sources, "demo", "2.0")
    where = ("--root", root, "--arch", "generic", "--layer", "gentoo", "--python", sys.executable)
    with running_index() as server:
        server.answers = {"demo": Answer([file("demo-1.0.tar.gz"), file("demo-2.0.tar.gz")])}
        environ = clean_environ(PIP_INDEX_URL=server.url)
        asked = run_cli("outdated", *where, environ=environ)
        assert asked.stdout == "demo==2.0  # here 1.0\n", asked.stderr
        how = ("--find-links", sources, "--offline", "--output", tmp_path / "out", "--publish", "--no-verify")
        built = run_cli("build", "-r", "-", *how, *where, environ=environ, stdin=asked.stdout)
        assert built.returncode == 0, built.stdout + built.stderr
        again = run_cli("outdated", *where, environ=environ)
    assert (again.stdout, again.stderr) == ("", "1 project: 1 current\n")
