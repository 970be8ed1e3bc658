from __future__ import annotations

import csv
import fcntl
import io
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from argparse import ArgumentParser
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import clean_environ, make_tree
from wheelhouse_resolver.cli.tables import (
    FORMATS,
    Table,
    TableStyle,
    add_table_options,
    all_formats,
    csv_table,
    html_table,
    markdown_table,
    print_table,
    style_of,
    tabulated,
    text_table,
)
from wheelhouse_resolver.errors import MissingExtraError

COLUMNS = ("name", "version")
ROWS = [("numpy", "1.26.4"), ("a", ""), ("scipy-stubs", "1")]
TABLE = Table(COLUMNS, ROWS)

#: What could break a row, a table, or a terminal.
HOSTILE = "a\nb|c\x1b[31m<b>&\t\r\x85\u2028\udc80`*\\"


class TestText:
    def test_columns_are_as_wide_as_they_need(self) -> None:
        assert text_table(TABLE).split("\n") == [
            "name         version",
            "numpy        1.26.4",
            "a",
            "scipy-stubs  1",
        ]

    def test_no_rows(self) -> None:
        assert text_table(Table(COLUMNS, [])) == "name  version"

    def test_a_table_that_fits_is_not_shortened(self) -> None:
        assert text_table(TABLE, TableStyle(width=20)) == text_table(TABLE)

    @pytest.mark.parametrize(
        ("width", "line"),
        [
            (19, "scipy-stu…  1"),
            (16, "scipy-…  1"),
            (12, "scip…  1"),
            (6, "s…  1"),
            (4, "…  1"),
            (3, "…  "),
            (1, "…"),
        ],
    )
    def test_the_widest_column_is_shortened_to_fit(self, width: int, line: str) -> None:
        lines = text_table(TABLE, TableStyle(width=width)).split("\n")
        assert lines[-1] == line
        assert all(len(each) <= width for each in lines)

    def test_droppable_columns_go_first(self) -> None:
        columns, rows = ("name", "abi", "version", "arch"), [("numpy", "cp311", "1.26.4", "generic")]
        table = Table(columns, rows, droppable=("abi", "absent", "arch"))
        for width, header in (
            (30, ["name", "abi", "version", "arch"]),
            (29, ["name", "version", "arch"]),
            (23, ["name", "version", "arch"]),
            (22, ["name", "version"]),
            (14, ["name", "version"]),
        ):
            lines = text_table(table, TableStyle(width=width)).split("\n")
            assert lines[0].split() == header
            assert "…" not in "".join(lines)
        assert (
            text_table(Table(columns, rows), TableStyle(width=22)).split("\n")[1] == "numpy  c…  1.26.4   g…"
        )
        assert text_table(table) == text_table(Table(columns, rows))

    def test_another_ellipsis(self) -> None:
        assert text_table(TABLE, TableStyle(width=16, ellipsis="~")).split("\n")[-1] == "scipy-~  1"

    def test_letters_of_two_columns_and_of_none(self) -> None:
        lines = text_table(Table(("a", "b"), [("日本", "x"), ("e\u0301", "x")])).split("\n")
        assert lines == ["a     b", "日本  x", "e\u0301     x"]
        assert text_table(Table(("a",), [("日本語",)]), TableStyle(width=5)).split("\n")[1] == "日本…"

    def test_bold_and_dim(self) -> None:
        lines = text_table(Table(COLUMNS, ROWS, dim=[False, True, False]), TableStyle(colour=True)).split(
            "\n"
        )
        plain = text_table(TABLE).split("\n")
        assert lines == [f"\x1b[1m{plain[0]}\x1b[0m", plain[1], f"\x1b[2m{plain[2]}\x1b[0m", plain[3]]

    def test_without_colour_nothing_is_marked(self) -> None:
        assert text_table(Table(COLUMNS, ROWS, dim=[True] * 3)) == text_table(TABLE)

    @given(cells=st.lists(st.tuples(st.text(), st.text()), max_size=4), width=st.integers(4, 60))
    def test_whatever_is_in_it_a_row_is_a_line_that_fits(
        self, cells: list[tuple[str, str]], width: int
    ) -> None:
        for style in (TableStyle(), TableStyle(width=width)):
            lines = text_table(Table(COLUMNS, cells), style).split("\n")
            assert len(lines) == len(cells) + 1
            assert all(line.isprintable() for line in lines)
            assert style.width is None or all(len(line) <= width for line in lines)

    def test_what_stays_whole_goes_below_its_row_where_it_does_not_fit(self) -> None:
        path = "/sw/wheelhouse/generic/demo-1.0-py3-none-any.whl"
        table = Table(("name", "path"), [("demo", path)], whole=["path"])
        assert text_table(table) == text_table(table, TableStyle(width=60)) == f"name  path\ndemo  {path}"
        assert text_table(table, TableStyle(width=30)) == f"name\ndemo\n    {path}"
        alone = Table(("path",), [(path,)], whole=["path"])
        assert text_table(alone, TableStyle(width=30)) == f"path\n{path}"


class TestOtherFormats:
    def test_csv_is_read_back(self) -> None:
        rows = [("a,b", 'say "x"'), ("", "ü")]
        text = csv_table(Table(COLUMNS, rows))
        assert [tuple(line) for line in csv.reader(io.StringIO(text))] == [COLUMNS, *rows]
        assert text.split("\n")[0] == "name,version"

    @pytest.mark.parametrize("cell", ["=1+2", "+1", "-1", "@SUM(A1)"])
    def test_no_cell_of_csv_is_a_formula(self, cell: str) -> None:
        (read,) = list(csv.reader(io.StringIO(csv_table(Table(("name",), [(cell,)])))))[1]
        assert read == f"'{cell}"

    def test_csv_has_a_line_for_each_row(self) -> None:
        text = csv_table(Table(("name",), [(HOSTILE,)]))
        assert len(text.splitlines()) == 2
        assert text.replace("\n", "").isprintable()

    def test_markdown(self) -> None:
        assert markdown_table(Table(COLUMNS, ROWS[:2])).split("\n") == [
            "| name | version |",
            "| --- | --- |",
            "| numpy | 1.26.4 |",
            "| a |  |",
        ]

    def test_markdown_of_hostile_text(self) -> None:
        (_, _, line) = markdown_table(Table(("name",), [(HOSTILE,)])).split("\n")
        assert line.isprintable()
        assert len(re.findall(r"(?<!\\)\|", line)) == 2
        assert not re.search(r"(?<!\\)[<`*&]", line)

    def test_html_is_a_page_that_says_the_same(self) -> None:
        page = html_table(Table(COLUMNS, [*ROWS, ("<b>&amp;", '"')], title="Wheels in <here>"))
        assert page.startswith("<!DOCTYPE html>")
        reader = _Cells()
        reader.feed(page)
        reader.close()
        assert reader.cells == [*COLUMNS, *sum(ROWS, ()), "<b>&amp;", '"']
        assert reader.open == []
        assert "Wheels in &lt;here&gt;" in page
        assert not re.search(r"(src|href|url)\s*[=(]", page)

    def test_html_of_hostile_text(self) -> None:
        page = html_table(Table(("name",), [(HOSTILE,)], title=HOSTILE))
        assert "<b>" not in page
        assert all(line.isprintable() for line in page.split("\n"))


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        if tag != "meta":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


class TestOptions:
    def parsed(self, *arguments: str) -> tuple[str, tuple[str, ...] | None]:
        parser = ArgumentParser()
        add_table_options(parser, COLUMNS)
        options = parser.parse_args(arguments)
        return options.format, options.columns

    def test_they_are_read(self) -> None:
        assert self.parsed() == ("table", None)
        assert self.parsed("--json") == self.parsed("--format", "json") == ("json", None)
        assert self.parsed("--columns", "version, name") == ("table", ("version", "name"))
        assert self.parsed("--columns", "version", "name")[1] == ("version", "name")
        assert self.parsed("--columns", "version", "--columns", "name,version")[1] == (
            *("version", "name", "version"),
        )
        assert self.parsed("--format", "mediawiki")[0] == "mediawiki"

    @pytest.mark.parametrize("text", ["", "name,", "Name", "name version", "name,bogus"])
    def test_an_unknown_column_names_those_that_there_are(
        self, text: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit):
            self.parsed("--columns", text)
        assert "unknown column" in (error := capsys.readouterr().err)
        assert "there are name, version" in error


class TestTabulate:
    @pytest.mark.parametrize(
        ("form", "line"),
        [
            ("mediawiki", "| a      || 1.10      || x&#124;y &#123;&#123;b&#125;&#125;"),
            ("rst", r"a       1.10       x\|y {{b}}"),
            ("tsv", "a\t1.10\tx|y {{b}}"),
            ("pipe", "| a      | 1.10      | x\\|y {{b}} |"),
            ("latex", r" a      & 1.10      & x|y \{\{b\}\} \\"),
            ("psql", "| a      | 1.10      | x|y {{b}} |"),
        ],
    )
    def test_the_cells_are_texts(self, form: str, line: str) -> None:
        text = tabulated(
            Table(("name", "version", "path"), [("a", "1.10", "x|y {{b}}"), ("bc", "", "")]), form
        )
        assert line in text.split("\n")

    def test_nothing_in_a_cell_is_markup_in_rst(self) -> None:
        cells = ("linux_x86_64", "1_", "1::", "*1*", "`1`_", "\\1")
        text = tabulated(Table(COLUMNS[:1], [(cell,) for cell in cells]), "rst")
        expected = ["linux_x86_64", r"1\_", r"1:\:", r"\*1\*", r"\`1\`\_", r"\\1"]
        assert [line.strip() for line in text.split("\n")[3:-1]] == expected

    @pytest.mark.parametrize("form", sorted({*all_formats()} - {*FORMATS}))
    def test_whatever_is_in_a_cell_it_has_one_line(self, form: str) -> None:
        plain, hostile = (
            tabulated(Table(COLUMNS, [(text, "1")], title=HOSTILE), form) for text in ("x" * 9, HOSTILE)
        )
        assert hostile.count("\n") == plain.count("\n")
        assert all(line.replace("\t", "").isprintable() for line in hostile.split("\n"))

    def test_without_rows_there_is_a_header(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(Table(COLUMNS, []), "tsv", lambda: ())
        assert capsys.readouterr().out == "name\tversion\n"

    def test_where_it_is_not_installed_the_extra_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tabulate", None)
        parser = ArgumentParser()
        add_table_options(parser, COLUMNS)
        assert parser.parse_args(["--format", "csv"]).format == "csv"
        with pytest.raises(MissingExtraError, match="this format needs tabulate") as caught:
            parser.parse_args(["--format", "rst"])
        assert caught.value.hint == f"{shlex.quote(sys.executable)} -m pip install 'tabulate>=0.9'"


def test_what_is_no_terminal_has_no_width_and_no_colours() -> None:
    assert style_of(io.StringIO(), {"TERM": "xterm", "COLUMNS": "20"}) == TableStyle()
    assert style_of(None, {}) == TableStyle()


class TestTerminal:
    """In a real one."""

    #: Longer than most terminals are wide.
    LONG = "a_project_with_quite_a_long_name_indeed-1.0+site.of.renown-1000generic-py3-none-any.whl"

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        names = [self.LONG, "demo-1.0-py3-none-any.whl"]
        make_tree(tmp_path, {"generic": names, "gentoo/generic": names[1:]})
        return tmp_path

    def seen(self, root: Path, width: int, *arguments: str, **environ: str) -> list[str]:
        """The lines of `avail` on a terminal of that *width*."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        host = ("--arch", "generic", "--layer", "gentoo", "--root", str(root))
        variables = clean_environ(**{"TERM": "xterm", "PYTHONIOENCODING": "utf-8", **environ})
        variables = {name: value for name, value in variables.items() if name not in ("COLUMNS", "LINES")}
        if not environ.get("NO_COLOR"):
            variables.pop("NO_COLOR", None)
        process = subprocess.Popen(
            [sys.executable, "-m", "wheelhouse_resolver", "avail", *host, *arguments],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
        )
        os.close(theirs)
        data = b""
        while True:
            try:
                if not (more := os.read(ours, 65536)):
                    break
            except OSError:  # Linux says so when the other end is closed
                break
            data += more
        os.close(ours)
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, b"")
        return data.decode().removesuffix("\r\n").split("\r\n")

    @pytest.mark.parametrize("width", [40, 80, 100, 132, 250])
    def test_rows_fit(self, width: int, root: Path) -> None:
        lines = [re.sub(r"\x1b\[\dm", "", line) for line in self.seen(root, width)]
        assert len(lines) == 4
        assert all(len(line) <= width for line in lines)
        assert ("…" in lines[1]) == (width < 80)
        assert lines[1].startswith("a-project-with-quite-a")
        left_out = {250: 0, 132: 0, 100: 3, 80: 5, 40: 5}[width]
        names = ("platform", "abi", "build", "python", "layer")
        assert lines[0].replace("…", "local", 1).replace("…", "arch").split() == [
            name
            for name in ("name", "version", "local", "build", "python", "abi", "platform", "arch", "layer")
            if name not in names[:left_out]
        ]

    def test_an_empty_local_goes_first_and_chosen_columns_stay(self, root: Path) -> None:
        header = self.seen(root, 62, "demo")[0]
        assert "local" not in header
        assert "platform" in header
        chosen = self.seen(root, 20, "demo", "--columns", "name,platform,arch,version")[0]
        assert len(chosen.split()) == 4

    def test_header_and_lesser_rows_are_marked(self, root: Path) -> None:
        header, _, first, second = self.seen(root, 250)
        assert header.startswith("\x1b[1mname")
        assert header.endswith("\x1b[0m")
        assert first.startswith("demo")
        assert second.startswith("\x1b[2mdemo")

    @pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=str)
    def test_no_colours_for_who_wants_none(self, environ: dict[str, str], root: Path) -> None:
        assert not any("\x1b" in line for line in self.seen(root, 80, **environ))

    def test_an_empty_no_color_means_nothing(self, root: Path) -> None:
        assert "\x1b[1m" in self.seen(root, 80, NO_COLOR="")[0]

    def test_a_terminal_without_an_ellipsis(self, root: Path) -> None:
        lines = self.seen(root, 40, PYTHONIOENCODING="ascii")
        assert "~" in lines[1]
        assert all(line.isascii() for line in lines)

    def test_other_formats_are_the_same_on_a_terminal(self, root: Path) -> None:
        lines = self.seen(root, 40, "--format", "csv", "--columns", "filename")
        assert lines == ["filename", self.LONG, "demo-1.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl"]
