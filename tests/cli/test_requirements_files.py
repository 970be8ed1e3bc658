"""Files with lines that a wheelhouse cannot serve, and with several lines on one project."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_tree, run_cli

HOST = ("--root", "tree", "--arch", "generic", "--layer", "none", "--python", "3.11")

DIRECT = {
    3: "https://***@x.org/a.zip",
    4: "-e .",
    5: "x @ git+https://***@x.org/x",
    6: r"./loc\x1b[31mal",
}


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wheels = ["demo-1.0", "demo-2.0", "other-1.0"]
    make_tree(tmp_path / "tree", {"generic": [f"{each}-py3-none-any.whl" for each in wheels]})
    Path("direct.txt").write_text(
        "demo<2\nhttps://x.org/y.zip ; python_version < '3'\nhttps://u:secret@x.org/a.zip\n-e .\n"
        "x @ git+https://secret@x.org/x\n./loc\x1b[31mal\nother\n"
    )
    Path("several.txt").write_text("demo<2\nDemo>=1\nother==1.0\nother>1\ngone\ngone>1\n")


class TestByUrlOrPath:
    IGNORED = 'https://x.org/y.zip ; python_version < "3"'

    def test_avail_answers_the_rest_and_reports_them_all(self, cli: Cli) -> None:
        outcome = cli("avail", "-r", "direct.txt", "--columns", "name,version", *HOST)
        assert outcome.code == 1
        assert [line.split() for line in outcome.out.splitlines()[1:]] == [["demo", "1.0"], ["other", "1.0"]]
        assert outcome.err.splitlines() == [
            f"warning: ignored {self.IGNORED}: its marker does not hold for this Python",
            *(f"not looked for, it names its file itself: {text} (direct.txt, line {line})"
              for line, text in DIRECT.items()),
        ]  # fmt: skip

    def test_a_file_of_nothing_else_is_no_listing_of_everything(self, cli: Cli) -> None:
        Path("direct.txt").write_text("-e .\n")
        outcome = cli("avail", "-r", "direct.txt", *HOST)
        assert (outcome.code, outcome.out) == (1, "")

    def test_pick(self, cli: Cli) -> None:
        outcome = cli("pick", "-r", "direct.txt", *HOST)
        assert outcome.code == 1
        assert [Path(line).name for line in outcome.out.splitlines()] == [
            "demo-1.0-py3-none-any.whl",
            "other-1.0-py3-none-any.whl",
        ]
        assert outcome.err.splitlines()[1:] == [
            f"no wheel for {text}: a URL or path names its file itself" for text in DIRECT.values()
        ]
        found = json.loads(cli("pick", "--json", "-r", "direct.txt", *HOST).out)
        assert [bool(each["ignored"]) for each in found] == [False, False, True, False, False, False, False]
        assert [each["problem"] for each in found[3:]] == ["a URL or path names its file itself"] * 4

    def test_why_not(self, cli: Cli) -> None:
        outcome = cli("why-not", "-r", "direct.txt", *HOST)
        assert outcome.code == 1
        for text in DIRECT.values():
            assert f"{text}: pip installs what it names, whatever the wheelhouse has" in outcome.out
        assert f"{self.IGNORED}: pip ignores it" in outcome.out
        found = json.loads(cli("why-not", "--json", "-r", "direct.txt", *HOST).out)
        assert [each["verdict"] for each in found] == ["picked"] * 2 + ["ignored"] + ["direct"] * 4

    @pytest.mark.parametrize("command", [("lock",), ("build", "--dry-run")], ids=" ".join)
    def test_what_needs_all_of_it_refuses_all_at_once(self, command: tuple[str, ...], cli: Cli) -> None:
        outcome = cli(*command, "-r", "direct.txt", *HOST, "--python", sys.executable)  # build needs one here
        stated = ", ".join(f"{text} (direct.txt, line {line})" for line, text in DIRECT.items())
        assert stated in outcome.error
        assert "y.zip" not in outcome.error

    def test_what_is_for_others_does_not_stop_a_lock(self, cli: Cli) -> None:
        Path("direct.txt").write_text("demo\nhttps://x.org/y.zip ; python_version < '3'\n")
        outcome = cli("lock", "-r", "direct.txt", *HOST)
        assert (outcome.code, "demo-2.0" in outcome.out) == (0, True)
        assert outcome.err == f"warning: ignored {self.IGNORED}: its marker does not hold for this Python\n"

    def test_no_password_is_shown(self, cli: Cli) -> None:
        for command in ("avail", "pick", "why-not", "lock"):
            outcome = cli(command, "-r", "direct.txt", *HOST)
            assert "secret" not in outcome.out + outcome.err


class TestSeveralLines:
    CONTRADICTION = (
        "no version can satisfy ==1.0,>1: other==1.0 (several.txt, line 3) and other>1 (several.txt, line 4) "
        "contradict each other"
    )

    def test_avail_takes_them_together(self, cli: Cli) -> None:
        outcome = cli("avail", "-r", "several.txt", "--columns", "name,version", *HOST)
        assert outcome.code == 1
        assert [line.split() for line in outcome.out.splitlines()[1:]] == [["demo", "1.0"]]
        assert outcome.err.splitlines() == [
            "not available: gone>1",
            f"not available: other==1.0,>1 ({self.CONTRADICTION})",
        ]

    def test_so_does_pick(self, cli: Cli) -> None:
        outcome = cli("pick", "-r", "several.txt", *HOST)
        assert outcome.code == 1
        assert [Path(line).name for line in outcome.out.splitlines()] == ["demo-1.0-py3-none-any.whl"]
        other, gone = outcome.err.splitlines()
        assert other.startswith(f"no wheel for other==1.0,>1: {self.CONTRADICTION}; other-1.0-")
        assert gone == "no wheel for gone>1"

    def test_so_does_why_not(self, cli: Cli) -> None:
        found = json.loads(cli("why-not", "--json", "-r", "several.txt", *HOST).out)
        assert [(each["requirement"], each["verdict"], each["problem"]) for each in found] == [
            ("demo<2,>=1", "picked", ""),
            ("other==1.0,>1", "nothing", self.CONTRADICTION),
            ("gone>1", "unknown-project", ""),
        ]

    def test_lines_that_leave_nothing_are_named(self, cli: Cli) -> None:
        Path("several.txt").write_text("demo>1.0\ndemo<2.0\n")
        lines = "asked for by demo>1.0 (several.txt, line 1) and demo<2.0 (several.txt, line 2)"
        for command in ("avail", "pick", "why-not"):
            outcome = cli(command, "-r", "several.txt", *HOST)
            assert outcome.code == 1
            assert lines in outcome.out + outcome.err

    def test_extras_and_files_add_up_and_markers_count(self, cli: Cli) -> None:
        Path("several.txt").write_text("demo[b]\n-r more.txt\ndemo>9 ; python_version < '3'\n")
        Path("more.txt").write_text("demo[a]<2\n")
        found = json.loads(cli("pick", "--json", "-r", "several.txt", "-r", "more.txt", *HOST).out)
        assert [each["requirement"] for each in found] == [
            "demo[a,b]<2",
            'demo>9; python_version < "3"',
        ]
        assert [each["ignored"] != "" for each in found] == [False, True]

    def test_what_is_on_the_command_line_is_a_question_of_its_own(self, cli: Cli) -> None:
        outcome = cli("pick", "demo<2", "demo>1", "-r", "several.txt", *HOST)
        assert [Path(line).name for line in outcome.out.splitlines()] == [
            "demo-1.0-py3-none-any.whl",
            "demo-2.0-py3-none-any.whl",
            "demo-1.0-py3-none-any.whl",
        ]


def test_a_file_may_be_standard_input() -> None:
    found = run_cli("pick", "-r", "/dev/stdin", *HOST, stdin="demo<2\n")
    assert (found.returncode, Path(found.stdout.strip()).name) == (0, "demo-1.0-py3-none-any.whl")
