"""Every example of every command's help runs, as it stands there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.examples import Place, examples, needs_of
from wheelhouse_resolver.cli.main import build_parser

#: Options that say where something is written to.
OUTPUTS = ("output", "output_dir")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A site whose wheelhouse is found without an option, and an empty working directory."""
    found = Place(top=tmp_path / "top", home=Path.home(), work=tmp_path / "work")
    found.work.mkdir()
    monkeypatch.chdir(found.work)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("WHEELHOUSE_ROOT", str(found.root))
    monkeypatch.setenv("WHEELHOUSE_LAYER", "gentoo")
    monkeypatch.setenv("WHEELHOUSE_ARCH", "avx2")
    return found


@pytest.mark.parametrize(
    ("command", "line"),
    [
        pytest.param(command, line, marks=needs_of(command, line).marks, id=line.replace(" ", "_"))
        for command, line in examples()
    ],
)
def test_an_example_runs(command: str, line: str, place: Place, cli: Cli) -> None:
    words = place.prepare(command, line)
    missing = place.missing(line)
    outcome = cli(*words)
    assert outcome.code in needs_of(command, line).codes, (
        f"{line}: exit code {outcome.code}\n{outcome.err}{outcome.out}"
        f"(not there before: {', '.join(missing) or 'nothing'}; "
        "what an example needs is prepared in tests/cli/examples.py: FILES and NEEDS)"
    )
    assert "error: " not in outcome.err
    options = build_parser(command).parse_args(words)
    outputs = [path for name in OUTPUTS if isinstance(path := getattr(options, name, None), str)]
    assert outcome.out or outputs, f"{line}: says nothing and writes nothing"
    for path in outputs:
        assert os.path.exists(path), f"{line}: wrote no {path}"


def test_the_failure_names_what_nobody_prepares(place: Place) -> None:
    line = "wheelhouse-resolver pick -r nobody.txt --config ~/mine.toml --root /sw/wheelhouse 'numpy<2'"
    words = place.prepare("pick", line)
    assert words == [
        "pick", "-r", "nobody.txt", "--config", f"{place.home}/mine.toml",
        "--root", f"{place.root}", "numpy<2",
    ]  # fmt: skip
    assert place.missing(line) == ["nobody.txt", "~/mine.toml"]
