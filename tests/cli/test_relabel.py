from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_wheel

NAME = "demo-1.0-py3-none-any.whl"


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two wheels, in the directory `in`; we are beside it."""
    make_wheel(tmp_path / "in", NAME, requires_dist=["numpy>=1.20", "scipy"])
    make_wheel(tmp_path / "in", "other-2.0-py3-none-any.whl")
    monkeypatch.chdir(tmp_path)


def test_without_an_edit_it_prints_the_requirements(cli: Cli) -> None:
    assert cli("relabel", f"in/{NAME}") == (0, "numpy>=1.20\nscipy\n", "")


def test_of_several_wheels_it_says_whose_they_are(cli: Cli) -> None:
    outcome = cli("relabel", f"in/{NAME}", "in/other-2.0-py3-none-any.whl")
    assert outcome.out == f"in/{NAME}\n  numpy>=1.20\n  scipy\nin/other-2.0-py3-none-any.whl\n"


def test_for_programs(cli: Cli) -> None:
    outcome = cli("relabel", "--json", f"in/{NAME}")
    assert json.loads(outcome.out) == [{"wheel": f"in/{NAME}", "requires": ["numpy>=1.20", "scipy"]}]


def test_requirements_are_renamed_and_narrowed(cli: Cli) -> None:
    edits = ("--rename-requires", "scipy=cuscipy>=1.8", "--narrow-requires", "numpy>=1.26,<2")
    cli("relabel", f"in/{NAME}", *edits, "--output-dir", "new")
    assert cli("relabel", f"new/{NAME}").out == "numpy<2,>=1.26\ncuscipy>=1.8\n"
    refused = cli("relabel", f"in/{NAME}", "--rename-requires", "scipy")
    assert refused.error.startswith("error: invalid --rename-requires 'scipy': give NAME=REQUIREMENT")


def test_new_wheels_go_here_or_where_told(cli: Cli) -> None:
    edits = ("--add-requires", "pandas", "--remove-requires", "scipy", "--replace-requires", "numpy>=2")
    outcome = cli("relabel", f"in/{NAME}", *edits, "--local-label", "site", "--output-dir", "new")
    new = "new/demo-1.0+site-py3-none-any.whl"
    assert outcome == (0, f"made     {new}\n", "")
    assert cli("relabel", new).out == "numpy>=2\npandas\n"
    assert cli("relabel", f"in/{NAME}").out == "numpy>=1.20\nscipy\n"
    cli("relabel", f"in/{NAME}", "--tags", "py2.py3--")
    assert Path("demo-1.0-py2.py3-none-any.whl").exists()


def test_in_place(cli: Cli) -> None:
    outcome = cli("relabel", "--json", "--in-place", "--add-requires", "pandas", f"in/{NAME}")
    (told,) = json.loads(outcome.out)
    assert told == {"wheel": f"in/{NAME}", "path": f"in/{NAME}", "done": "replaced"}
    assert cli("relabel", f"in/{NAME}").out == "numpy>=1.20\nscipy\npandas\n"


def test_one_that_cannot_be_edited_does_not_stop_the_others(cli: Cli) -> None:
    outcome = cli(
        "relabel", "--remove-requires", "scipy", "--output-dir", "new",
        "in/other-2.0-py3-none-any.whl", f"in/{NAME}",
    )  # fmt: skip
    assert outcome.code == 1
    assert outcome.err == "error: in/other-2.0-py3-none-any.whl: no requirement on 'scipy' to remove\n"
    assert outcome.out == f"made     new/{NAME}\n1 of 2 wheels edited\n"


@pytest.mark.parametrize(
    ("option", "text", "problem"),
    [
        ("--tags", "cp311", "invalid wheel tag 'cp311': expected PYTHON-ABI-PLATFORM, parts may be empty"),
        ("--add-requires", "a b", "invalid requirement 'a b': "),
        ("--replace-requires", "==1", "invalid requirement '==1': "),
        ("--remove-requires", "a>=1", "invalid project name: "),
        ("--local-label", "a/b", "invalid local label 'a/b' (letters, digits, dots)"),
    ],
)
def test_what_is_no_edit_is_bad_input(option: str, text: str, problem: str, cli: Cli) -> None:
    outcome = cli("relabel", option, text, f"in/{NAME}", "in/other-2.0-py3-none-any.whl")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {problem}")
    assert outcome.err.count("\n") == 1


def test_a_file_that_is_not_there(cli: Cli) -> None:
    assert cli("relabel", "missing-1.0-py3-none-any.whl").code == 2
    outcome = cli("relabel", "missing-1.0-py3-none-any.whl", "--add-requires", "a")
    assert outcome.code == 1
    assert outcome.err.startswith("error: missing-1.0-py3-none-any.whl")


def test_both_places_are_too_many(cli: Cli) -> None:
    assert cli("relabel", f"in/{NAME}", "--in-place", "--output-dir", "new").code == 2
