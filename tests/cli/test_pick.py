from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.factories import make_tree, make_wheel

HOST = ("--arch", "generic", "--layer", "gentoo", "--python", "3.11")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(
        tmp_path / "tree",
        {
            "generic": ["demo-1.0-py3-none-any.whl", "demo-2.0rc1-py3-none-any.whl"],
            "gentoo/generic": ["demo-1.0-py3-none-any.whl", "demo-0.9-py3-none-any.whl"],
            "gentoo/avx": ["demo-3.0-py3-none-any.whl"],
            "nix/generic": ["other-1.0-py3-none-any.whl"],
        },
    )
    return tmp_path / "tree"


def test_the_path_of_each_pick_on_a_line(cli: Cli, root: Path) -> None:
    assert cli("pick", "demo", "demo<1", "Demo==2.0rc1", "--root", root, *HOST) == (
        0,
        f"{root}/gentoo/generic/demo-1.0-py3-none-any.whl\n"
        f"{root}/gentoo/generic/demo-0.9-py3-none-any.whl\n"
        f"{root}/generic/demo-2.0rc1-py3-none-any.whl\n",
        "",
    )


def test_nothing_that_matches_is_a_negative_answer_with_the_nearest_miss(cli: Cli, root: Path) -> None:
    outcome = cli("pick", "demo", "demo>=4", "missing", "--root", root, *HOST)
    assert outcome.code == 1
    assert outcome.out == f"{root}/gentoo/generic/demo-1.0-py3-none-any.whl\n"
    first, second = outcome.err.splitlines()
    assert first.startswith("no wheel for demo>=4: demo-")
    assert first.endswith(": the version is not >=4 (--explain shows all)")
    assert second == "no wheel for missing"


def test_explain_shows_every_wheel_and_the_rule_that_stopped_it(cli: Cli, root: Path) -> None:
    outcome = cli("pick", "--explain", "demo", "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (0, "")
    winner = "gentoo/generic/demo-1.0-py3-none-any.whl"
    assert outcome.out.splitlines() == [
        "demo",
        f"  picked    {root}/gentoo/generic/demo-1.0-py3-none-any.whl",
        "            gentoo/generic, rank 100",
        "  rejected  generic/demo-1.0-py3-none-any.whl",
        f"            shadowed by {winner}, from a more specific directory",
        "  rejected  gentoo/generic/demo-0.9-py3-none-any.whl",
        f"            older than {winner}",
        "  rejected  generic/demo-2.0rc1-py3-none-any.whl",
        "            a pre-release, and there is a final version (--pre or == allows it)",
        "  rejected  gentoo/avx/demo-3.0-py3-none-any.whl",
        "            for the arch avx (this is generic); otherwise right",
    ]


def test_explain_of_nothing(cli: Cli, root: Path) -> None:
    outcome = cli("pick", "--explain", "other", "--root", root, *HOST)
    assert outcome.code == 1
    assert outcome.out.splitlines() == [
        "other",
        "  no wheel",
        "  rejected  nix/generic/other-1.0-py3-none-any.whl",
        "            in the layer nix (this is gentoo); otherwise right",
    ]


class TestMisnamed:
    @pytest.fixture(autouse=True)
    def _files(self, root: Path) -> None:
        (root / "generic/demo-9.9-py3-none.whl").touch()
        (root / "generic/unrelated.whl").touch()
        (root / "gentoo/avx/elsewhere.whl").touch()

    def test_they_are_skipped(self, cli: Cli, root: Path) -> None:
        outcome = cli("pick", "demo", "--root", root, *HOST)
        assert outcome == (0, f"{root}/gentoo/generic/demo-1.0-py3-none-any.whl\n", "")

    def test_explain_reports_each_once(self, cli: Cli, root: Path) -> None:
        lines = cli("pick", "--explain", "demo", "demo<1", "--root", root, *HOST).out.splitlines()
        assert lines.count("  rejected  generic/demo-9.9-py3-none.whl") == 2
        skipped = [line for line in lines if line.startswith("skipped")]
        assert len(skipped) == 1
        assert skipped[0].startswith(f"skipped     {root}/generic/unrelated.whl: invalid wheel file name")

    def test_json_stays_json(self, cli: Cli, root: Path) -> None:
        outcome = cli("pick", "--explain", "--json", "demo", "--root", root, *HOST)
        json.loads(outcome.out)
        assert outcome.err.startswith(f"skipped     {root}/generic/unrelated.whl")


class TestJson:
    def found(self, outcome: Outcome) -> Any:
        assert outcome.err == ""
        return json.loads(outcome.out)

    def test_an_array_with_an_object_for_each_requirement(self, cli: Cli, root: Path) -> None:
        outcome = cli("pick", "--json", "demo >= 1", "other", "--root", root, *HOST)
        assert outcome.code == 1
        demo, other = self.found(outcome)
        for each in (demo, other):
            assert {"requirement", "best", "rejected"} <= set(each)
        assert demo["requirement"] == "demo>=1"
        assert demo["best"] == {
            "name": "demo",
            "version": "1.0",
            "filename": "demo-1.0-py3-none-any.whl",
            "path": f"{root}/gentoo/generic/demo-1.0-py3-none-any.whl",
            "layer": "gentoo",
            "arch": "generic",
            "rank": 100,
        }
        assert len(demo["rejected"]) == 4
        for rejected in demo["rejected"]:
            assert {"filename", "path", "reason"} <= set(rejected)
            assert Path(rejected["path"]).name == rejected["filename"]
            assert rejected["reason"]
        assert other["best"] is None

    def test_the_top_level_directory_has_no_layer(self, cli: Cli, root: Path) -> None:
        arguments = ("--root", root, "--arch", "generic", "--layer", "none", "--python", "3.11")
        ((found),) = self.found(cli("pick", "--json", "demo", *arguments))
        assert (found["best"]["layer"], found["best"]["arch"], found["best"]["rank"]) == (None, "generic", 1)

    def test_it_is_pure_ascii(self, cli: Cli, tmp_path: Path) -> None:
        make_tree(tmp_path / "ünï", {"generic": ["demo-1.0-py3-none-any.whl"]})
        outcome = cli("pick", "--json", "demo", "--root", tmp_path / "ünï", *HOST)
        assert outcome.out.isascii()
        assert json.loads(outcome.out)[0]["best"]["path"].startswith(f"{tmp_path}/ünï/")


class TestFiles:
    def test_requirements_are_read_from_files_after_those_given(
        self, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "a.txt").write_text("demo<1  # old\n-r b.txt\n")
        (tmp_path / "b.txt").write_text("demo==2.0rc1\n")
        outcome = cli("pick", "demo", "-r", tmp_path / "a.txt", "--root", root, *HOST)
        assert [Path(line).name.split("-")[1] for line in outcome.out.splitlines()] == [
            "1.0",
            "0.9",
            "2.0rc1",
        ]

    def test_pre_and_constraints_in_them_concern_all_requirements(
        self, cli: Cli, root: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "pre.txt").write_text("--pre\n")
        (tmp_path / "constrain.txt").write_text("-c c.txt\n")
        (tmp_path / "c.txt").write_text("demo<2.0rc1\n")
        given = ("pick", "demo", "--root", root, *HOST)
        assert "2.0rc1" in cli(*given, "-r", tmp_path / "pre.txt").out
        more = ("-r", tmp_path / "pre.txt", "-r", tmp_path / "constrain.txt")
        assert "gentoo/generic/demo-1.0" in cli(*given, *more).out

    def test_variables_are_taken_from_the_environment(
        self, cli: Cli, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WANTED", "0.9")
        (tmp_path / "a.txt").write_text("demo==${WANTED}\n")
        outcome = cli("pick", "-r", tmp_path / "a.txt", "--root", root, *HOST)
        assert outcome.out == f"{root}/gentoo/generic/demo-0.9-py3-none-any.whl\n"


class TestMarkers:
    def test_a_requirement_that_does_not_concern_the_host_is_ignored_aloud(
        self, cli: Cli, root: Path
    ) -> None:
        outcome = cli("pick", "demo; python_version < '3'", "--root", root, *HOST)
        assert (outcome.code, outcome.out) == (0, "")
        assert outcome.err.startswith("warning: ignored demo; python_version")

    def test_explain_and_json_say_so_too(self, cli: Cli, root: Path) -> None:
        given = ("demo; python_version < '3'", "--root", root, *HOST)
        assert "  ignored   its marker does not hold" in cli("pick", "--explain", *given).out
        (found,) = json.loads(cli("pick", "--json", *given).out)
        assert found["best"] is None
        assert found["ignored"].startswith("its marker does not hold")


def test_the_target_python(cli: Cli, tmp_path: Path) -> None:
    names = [f"demo-1.0-cp{n}-none-any.whl" for n in ("39", "310", "311")]
    make_tree(tmp_path, {"generic": names})
    for python, name in zip(("3.9", "3.10", "3.11"), names, strict=True):
        outcome = cli("pick", "demo", "--root", tmp_path, *HOST[:4], "--python", python)
        assert outcome.out == f"{tmp_path}/generic/{name}\n"


def test_a_broken_wheel_that_would_win_is_why_there_is_none(cli: Cli, root: Path) -> None:
    broken = root / "gentoo/generic/demo-1.5-py3-none-any.whl"
    broken.write_bytes(b"PK")
    outcome = cli("pick", "demo", "--root", root, *HOST)
    assert (outcome.code, outcome.out) == (1, "")
    (line,) = outcome.err.splitlines()
    assert line.startswith(
        f"no wheel for demo: {broken.name}: pip would choose it and fail: invalid zip file"
    )


def test_what_pip_passes_over_is_a_warning_and_rejected(cli: Cli, root: Path) -> None:
    passed = make_wheel(root / "generic", "demo-1.5-py3-none-any.whl", requires_dist=["pytz (>dev)"])
    reason = "passed over by pip: invalid Requires-Dist 'pytz (>dev)'"
    outcome = cli("pick", "demo", "--explain", "--root", root, *HOST)
    assert outcome.code == 0
    assert "  picked    " in outcome.out
    assert f"  rejected  generic/{passed.name}\n            {reason}\n" in outcome.out
    assert outcome.err == f"warning: {passed}: {reason}\n"
    answer = json.loads(cli("pick", "demo", "--json", "--root", root, *HOST).out)
    (found,) = [each for each in answer[0]["rejected"] if each["path"] == str(passed)]
    assert (found["rule"], found["kind"], found["about"]) == ("metadata", "requires-dist", ["'pytz (>dev)'"])
    outcome = cli("pick", "demo==1.5", "--root", root, *HOST)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == f"no wheel for demo==1.5: {passed.name}: {reason} (--explain shows all)\n"


def test_an_extra_that_is_missing_is_a_warning(cli: Cli, root: Path) -> None:
    make_wheel(root / "generic", "extras-1.0-py3-none-any.whl", extras=["fast"])
    outcome = cli("pick", "extras[fast,slow]", "--root", root, *HOST)
    assert outcome.code == 0
    assert outcome.err == "warning: extras-1.0-py3-none-any.whl does not provide the extra 'slow'\n"


def test_a_hostile_file_name_cannot_forge_lines(cli: Cli, root: Path) -> None:
    (root / "generic" / "demo-1.0\n  picked   evil-py3-none.whl").touch()
    lines = cli("pick", "--explain", "demo", "--root", root, *HOST).out.splitlines()
    assert [line for line in lines if line.startswith("  picked   ")] == [
        f"  picked    {root}/gentoo/generic/demo-1.0-py3-none-any.whl"
    ]
    assert "  rejected  generic/demo-1.0\\n  picked   evil-py3-none.whl" in lines
