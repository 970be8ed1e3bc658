"""What `build` shows on a terminal while it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wheelhouse_resolver.builder.planning.model import Entry
from wheelhouse_resolver.builder.recipes.model import no_recipe
from wheelhouse_resolver.builder.records.job import Job, SourceArchive, phase_file
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.builder.run import BuildOutcome
from wheelhouse_resolver.cli.progress import BuildProgress


def entry(name: str) -> Entry:
    source = SourceArchive(kind="sdist", path="/s", sha256="00", origin="s", version="1.0")
    job = Job(
        requirement=f"{name}==1.0", project=name, python="/p", python_version="3.11", arch="avx2",
        source=source,
    )  # fmt: skip
    return Entry(job=job, target=0, arch=0, output="/out", recipe=no_recipe(name))


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse_resolver.cli.progress._on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")


def test_how_many_are_done_and_failed_and_which_phase_each_is_in(
    on_terminal: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, three = (entry(name) for name in ("one", "two", "three"))
    progress = BuildProgress(str(tmp_path), "building")
    with progress.of(3):
        Path(phase_file(one.job, str(tmp_path))).write_text("prepare")
        Path(phase_file(two.job, str(tmp_path))).write_text("build")
        progress.began([one, two, three])
        shown = capsys.readouterr().err
        assert "0/3" in shown
        assert "one 1.0 cp311 avx2: prepare; two 1.0 cp311 avx2: build" in shown
        assert "three" not in shown  # it waits
        progress.ended(
            BuildOutcome(entry=one, result="failed", problem="build: no\x1b[31m compiler", log="/l")
        )
        Path(phase_file(two.job, str(tmp_path))).write_text("verify")
        progress.waiting()
        shown = capsys.readouterr().err
        for line in ("failed one 1.0 cp311 avx2\n", "  build: no\\x1b[31m compiler\n", "  log: /l\n"):
            assert f"\r{line}" in shown
        assert "1/3" in shown
        assert "1 failed; two 1.0 cp311 avx2: verify" in shown.rpartition("\r")[2]


def test_elsewhere_plain_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    progress = BuildProgress(str(tmp_path), "building")
    with progress.of(1):
        progress.began([entry("one")])
        progress.started(entry("one"), "/logs/one.log")
        progress.held([entry("one"), entry("two")], "Slurm says why")
        progress.started(entry("one"), "/logs/one.log")
        progress.waiting()
        record = BuildRecord(
            project="one", requirement="one", python="3.11", arch="avx2", layer=None, result="built",
            notes=("it has no mark",),
        )  # fmt: skip
        progress.ended(BuildOutcome(entry=entry("one"), result="built", record=record))
        there = BuildOutcome(entry=entry("one"), result="built", places=("/house/one.whl",))
        progress.published(replace(there, placed=("/house/one.whl",)))
        progress.published(there)
    lines = ["building one 1.0 cp311 avx2, log: /logs/one.log"]
    lines += ["held: one 1.0 cp311 avx2 and 1 more: Slurm says why"]
    lines += ["building one 1.0 cp311 avx2 again (attempt 2), log: /logs/one.log"]
    lines += ["built one 1.0 cp311 avx2", "  note: it has no mark"]
    lines += ["published /house/one.whl", "present /house/one.whl"]
    assert capsys.readouterr().err.splitlines() == lines
    assert progress.outcomes[0].places == ("/house/one.whl",)
