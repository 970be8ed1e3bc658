from __future__ import annotations

import csv
import io
import json
import platform
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import clean_environ, make_tree, make_wheel, run_cli
from wheelhouse_resolver.selection.available import COLUMNS

LINUX = f"linux_{platform.machine()}"
HOST = ("--arch", "avx", "--layer", "gentoo", "--python", "3.11")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(
        tmp_path / "tree",
        {
            "generic": [
                "demo-1.0-py3-none-any.whl",
                "demo-0.9-py3-none-any.whl",
                "demo-2.0rc1-py3-none-any.whl",
            ],
            "gentoo/avx": ["demo-1.0-300000avx-py3-none-any.whl", "A.b-1.0+site-py2.py3-none-any.whl"],
            "gentoo/avx2": ["demo-3.0-py3-none-any.whl"],
            "nix/generic": ["other-1.0-cp310-cp310-linux_x86_64.whl"],
        },
    )
    return tmp_path / "tree"


def test_a_table_of_everything(cli: Cli, root: Path) -> None:
    assert cli("avail", "--root", root, *HOST) == (
        0,
        "name  version  local  build      python   abi   platform  arch     layer\n"
        "a-b   1.0      site              py2.py3  none  any       avx      gentoo\n"
        "demo  1.0             300000avx  py3      none  any       avx      gentoo\n"
        "demo  1.0                        py3      none  any       generic  none\n",
        "",
    )


def test_the_first_line_is_what_pick_says(cli: Cli, root: Path) -> None:
    first = cli("avail", "demo", "--columns", "path", "--root", root, *HOST).out.splitlines()[1]
    assert cli("pick", "demo", "--root", root, *HOST).out == f"{first}\n"


@pytest.mark.parametrize(
    ("arguments", "versions"),
    [
        (("demo<1",), ["0.9"]),
        (("demo", "--all-versions"), ["2.0rc1", "1.0", "1.0", "0.9"]),
        (("demo", "--all-archs"), ["3.0"]),
        (("*", "--all-archs", "--all-pythons"), ["1.0", "3.0", "1.0"]),
        (("de?o", "demo==2.0rc1"), ["2.0rc1", "1.0", "1.0"]),
        (("[d]emo",), ["1.0", "1.0"]),
        (("d[e]mo",), ["1.0", "1.0"]),
        (("demo[fast]<1",), ["0.9"]),
        (("demo", "--python", "2.7"), []),
    ],
    ids=str,
)
def test_options_and_what_they_show(
    arguments: tuple[str, ...], versions: list[str], cli: Cli, root: Path
) -> None:
    host = HOST[:4] if "--python" in arguments else HOST
    outcome = cli("avail", "--root", root, *host, *arguments, "--columns", "version")
    assert outcome.out.splitlines() == (["version", *versions] if versions else [])
    assert outcome.code == (0 if versions else 1)


def test_condensed(cli: Cli, root: Path) -> None:
    arguments = ("demo", "--all-versions", "--all-archs", "--condense", "--columns", "version,arch,layer")
    outcome = cli("avail", "--root", root, *HOST, *arguments)
    assert outcome.out.splitlines() == [
        "version  arch         layer",
        "3.0      avx2         gentoo",
        "2.0rc1   generic      none",
        "1.0      avx,generic  gentoo,none",
        "0.9      generic      none",
    ]


class TestNotAvailable:
    def test_it_is_told_on_stderr(self, cli: Cli, root: Path) -> None:
        outcome = cli("avail", "demo>=4", "zz", "z*", "a-b", "--columns", "name", "--root", root, *HOST)
        assert outcome == (
            1,
            "name\na-b\n",
            "not available: demo>=4\nnot available: zz\nnot available: z*\n",
        )

    def test_close_names_are_told_of_what_is_no_project(self, cli: Cli, root: Path) -> None:
        outcome = cli("avail", "dmo>=1", "--root", root, *HOST)
        assert outcome == (1, "", "not available: dmo>=1 (close names: demo)\n")
        assert cli("avail", "dmo", "z*", "--root", root, *HOST).err.startswith(
            "not available: dmo (close names: demo)\n"
        )

    def test_or_listed(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        (tmp_path / "r.txt").write_text("demo>=4\nzz\n")
        outcome = cli("avail", "-r", tmp_path / "r.txt", "a-b", "--not-available", "--root", root, *HOST)
        assert outcome.code == 1
        assert outcome.err == ""
        assert [line.split() for line in outcome.out.splitlines()] == [
            [
                *[
                    "name",
                    "version",
                    "local",
                    "build",
                    "python",
                    "abi",
                    "platform",
                    "arch",
                    "layer",
                    "state",
                    "wanted",
                ]
            ],
            ["a-b", "1.0", "site", "py2.py3", "none", "any", "avx", "gentoo", "available"],
            ["demo", "not", "available", ">=4"],
            ["zz", "not", "available", "any"],
        ]

    def test_json_tells_the_state(self, cli: Cli, root: Path) -> None:
        outcome = cli("avail", "demo>=4", "a-b", "--not-available", "--json", "--root", root, *HOST)
        told = [(row["name"], row["state"], row["wanted"]) for row in json.loads(outcome.out)]
        assert told == [("a-b", "available", None), ("demo", "not available", ">=4")]

    def test_an_ignored_requirement_is_a_warning_only(self, cli: Cli, root: Path) -> None:
        outcome = cli("avail", "zz; python_version < '3'", "--columns", "name", "--root", root, *HOST)
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err.startswith('warning: ignored zz; python_version < "3": ')


def test_an_empty_wheelhouse_is_no_failure(cli: Cli, tmp_path: Path) -> None:
    make_tree(tmp_path, {})
    assert cli("avail", "--columns", "name,version", "--root", tmp_path, *HOST) == (0, "", "")
    arguments = ("--columns", "name,version", "--root", tmp_path, *HOST)
    assert cli("avail", "--format", "csv", *arguments) == (0, "name,version\n", "")
    assert cli("avail", "--json", "--root", tmp_path, *HOST) == (0, "[]\n", "")


class TestFiles:
    def test_the_dependencies_of_a_project(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        path = tmp_path / "pyproject.toml"
        path.write_text('[project]\nname = "x"\ndependencies = ["demo<1", "zz"]\n')
        outcome = cli("avail", "-r", path, "--columns", "name,version", "--root", root, *HOST)
        assert outcome == (1, "name  version\ndemo  0.9\n", "not available: zz\n")
        assert (
            cli("pick", "-r", path, "--root", root, *HOST).out
            == f"{root}/generic/demo-0.9-py3-none-any.whl\n"
        )

    def test_constraints_in_a_file(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        (tmp_path / "c.txt").write_text("demo<1\n")
        (tmp_path / "r.txt").write_text("-c c.txt\n")
        arguments = ("-r", tmp_path / "r.txt", "--columns", "version", "--root", root, *HOST)
        assert cli("avail", "demo", *arguments).out == "version\n0.9\n"
        assert cli("avail", "d*", *arguments).out == "version\n0.9\n"


class TestFormats:
    def test_json(self, cli: Cli, root: Path) -> None:
        outcome = cli("avail", "a-b", "--format", "json", "--root", root, *HOST)
        (row,) = json.loads(outcome.out)
        assert tuple(row) == COLUMNS
        assert row["path"] == f"{root}/gentoo/avx/A.b-1.0+site-py2.py3-none-any.whl"
        assert (row["version"], row["local"], row["build"], row["rank"]) == ("1.0", "site", None, 300)
        assert cli("avail", "a-b", "--json", "--root", root, *HOST) == outcome

    def test_json_of_some_columns(self, cli: Cli, root: Path) -> None:
        arguments = ("demo", "--condense", "--json", "--columns", "arch,name", "--root", root, *HOST)
        assert json.loads(cli("avail", *arguments).out) == [{"arch": ["avx", "generic"], "name": "demo"}]

    def test_csv(self, cli: Cli, root: Path) -> None:
        arguments = ("demo", "--condense", "--format", "csv", "--columns", "name,arch", "--root", root, *HOST)
        rows = [*csv.reader(io.StringIO(cli("avail", *arguments).out))]
        assert rows == [["name", "arch"], ["demo", "avx,generic"]]

    def test_markdown(self, cli: Cli, root: Path) -> None:
        arguments = ("a-b", "--format", "markdown", "--columns", "name,version", "--root", root, *HOST)
        assert cli("avail", *arguments).out == "| name | version |\n| --- | --- |\n| a-b | 1.0 |\n"

    def test_html(self, cli: Cli, root: Path) -> None:
        out = cli("avail", "a-b", "--format", "html", "--root", root, *HOST).out
        assert f"<title>Wheels in {root}</title>" in out
        assert "<td>py2.py3</td>" in out


@pytest.mark.parametrize("form", ["table", "csv", "markdown", "html"])
def test_a_hostile_file_name_cannot_forge_a_row(form: str, cli: Cli, root: Path) -> None:
    plain = cli("avail", "--format", form, "--root", root, *HOST).out
    for name in (
        "z-1-py3-none-any\nevil|\x1b[2J",
        "z-2-py3-none-<b>any",
        "z-2-py3-none-\udce9",
        "日本-1-py3-none-any",
    ):
        (root / "generic" / f"{name}.whl").touch()
    outcome = cli("avail", "--all-pythons", "--all-versions", "--format", form, "--root", root, *HOST)
    assert outcome.err == ""
    assert all(line.isprintable() for line in outcome.out.split("\n"))
    # The hostile ones, and the two versions of demo that are not the newest.
    assert len(outcome.out.split("\n")) == len(plain.split("\n")) + 6


def test_a_name_that_the_locale_cannot_write_is_escaped(root: Path) -> None:
    (root / "generic" / "日本-1-py3-none-any.whl").touch()
    environ = clean_environ(PYTHONIOENCODING="latin-1")
    done = run_cli("avail", "--root", root, *HOST, "--columns", "name", environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == r"\u65e5\u672c"


def test_piped_output_is_the_same_in_any_terminal(root: Path) -> None:
    long = make_wheel(root / "generic", f"{'x' * 90}-1.0-py3-none-any.whl")
    arguments = ("avail", "--root", root, *HOST)
    outputs = {
        run_cli(*arguments, environ=clean_environ(TERM=term, COLUMNS=columns)).stdout
        for term, columns in (("xterm", "20"), ("dumb", "300"))
    }
    (text,) = outputs
    assert long.name.partition("-")[0] in text
    assert "\x1b" not in text


def test_a_broken_wheel_that_pip_would_choose_is_a_warning(cli: Cli, root: Path) -> None:
    broken = root / "generic/demo-1.5-py3-none-any.whl"
    broken.write_bytes(b"PK")
    outcome = cli("avail", "demo", "--columns", "version", "--root", root, *HOST)
    assert (outcome.code, outcome.out) == (1, "")
    warning, missing = outcome.err.splitlines()
    assert warning.startswith(f"warning: {broken}: pip would choose it and fail: invalid zip file")
    assert missing == "not available: demo"


class TestSeveralHosts:
    """Several Pythons and archs, as the site's own tools for this take them."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        make_tree(
            tmp_path / "tree",
            {
                "generic": [
                    *(f"demo-1.0-cp{each}-cp{each}-{LINUX}.whl" for each in ("39", "310", "312")),
                    f"demo-2.0-cp312-cp312-{LINUX}.whl",
                    f"demo-3.0rc1-cp312-cp312-{LINUX}.whl",
                    "pure-1.0-py3-none-any.whl",
                ],
                "gentoo/avx2": [f"demo-1.0-cp{each}-cp{each}-{LINUX}.whl" for each in ("39", "312")],
                "gentoo/avx512": [f"demo-1.0-cp39-cp39-{LINUX}.whl"],
            },
        )
        return tmp_path / "tree"

    def rows(self, cli: Cli, root: Path, *arguments: str) -> list[str]:
        columns = ("--columns", "name", "version", "python", "--columns=arch", "--format", "tsv")
        outcome = cli("avail", *arguments, *columns, "--layer", "gentoo", "--root", root)
        assert (outcome.code, outcome.err) == (0, "")
        return [line.replace("\t", " ") for line in outcome.out.splitlines()[1:]]

    @pytest.mark.parametrize(
        "arguments",
        [
            ("demo", "-p", "3.9", "3.10", "--arch", "avx"),
            ("--python", "3.10", "--arch=avx", "--python=3.9", "demo"),
            ("--python", "3.9", "3.10", "demo", "-a", "avx"),
            ("--name", "demo", "--arch", "avx", "generic", "--python", "3.10", "3.9", "3.10"),
            ("--arch", "avx", "demo", "-p", "3.9", "3.10"),
        ],
        ids=str,
    )
    def test_however_they_are_given_the_older_python_is_first(
        self, arguments: tuple[str, ...], cli: Cli, root: Path
    ) -> None:
        assert self.rows(cli, root, *arguments) == ["demo 1.0 cp39 generic", "demo 1.0 cp310 generic"]

    @pytest.mark.parametrize("asked", [[], ["de*"], ["demo", "pure>=1"]], ids=["all", "pattern", "names"])
    def test_each_directory_is_listed_once(
        self, asked: list[str], cli: Cli, root: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("DEBUG", "wheelhouse_resolver.tree.listing"):
            self.rows(cli, root, *asked, "--arch", "avx512", "avx2", "avx", "-p", "3.12", "3.9")
        listed = [line.partition(": ")[0] for line in caplog.messages if line.startswith("listed ")]
        assert len(listed) == len({*listed}) == 6

    def test_each_gets_its_newest_version(self, cli: Cli, root: Path) -> None:
        assert self.rows(cli, root, "--arch", "avx512", "avx2", "demo", "-p", "3.12", "3.9", "pure") == [
            "demo 2.0 cp312 generic",
            "demo 1.0 cp39 avx512",
            "demo 1.0 cp39 avx2",
            "demo 1.0 cp39 generic",
            "pure 1.0 py3 generic",
        ]

    @pytest.mark.parametrize(
        ("arguments", "versions"),
        [
            (("demo", "-v", "1.*"), ["1.0", "1.0"]),
            (("-v", ">=2", "de*"), ["3.0rc1", "2.0"]),
            (("--version", "1.0"), ["1.0", "1.0", "1.0"]),
            (("de*", "-v1.0"), ["1.0", "1.0"]),
            (("-vv", "pure"), ["1.0"]),
            (("-v", "pure"), ["1.0"]),
            (("--all", "demo", "pure"), ["3.0rc1", "2.0", *["1.0"] * 7]),
        ],
        ids=str,
    )
    def test_versions_and_all(
        self, arguments: tuple[str, ...], versions: list[str], cli: Cli, root: Path
    ) -> None:
        host = ("--arch", "avx2", "--layer", "gentoo", "--python", "3.12", "--root", root)
        outcome = cli("avail", *arguments, "--columns", "version", *host)
        assert (outcome.code, outcome.out.splitlines()) == (0, ["version", *versions])
        assert bool(outcome.err) == (arguments[0] in ("-v", "-vv") and "pure" in arguments)

    def test_versions_of_nothing_are_refused(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        (tmp_path / "r.txt").write_text("demo\n")
        error = cli("avail", "-r", tmp_path / "r.txt", "--version", "1.0", "--root", root, *HOST).error
        assert error.startswith("error: --version is for what is named on the command line")

    def test_who_lacks_what(self, cli: Cli, root: Path) -> None:
        arguments = (
            "demo==2.0",
            "zz",
            "demo",
            "--python",
            "3.12",
            "3.9",
            "--arch",
            "generic",
            "--layer",
            "none",
        )
        outcome = cli("avail", *arguments, "--columns", "name", "--root", root)
        assert (outcome.code, outcome.out.splitlines()) == (1, ["name", *["demo"] * 2])
        missing = ["not available: demo==2.0 (for Python 3.9, arch generic)", "not available: zz"]
        assert outcome.err.splitlines() == missing
        only = cli("avail", *arguments, "--not-available-only", "--json", "--root", root)
        rows = [(row["name"], row["wanted"], row["python"], row["arch"]) for row in json.loads(only.out)]
        assert rows == [("demo", "==2.0", "3.9", "generic"), ("zz", "any", None, None)]
        assert (only.code, only.err) == (1, "")
