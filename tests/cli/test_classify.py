from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.builder.extensions import extension_wheel
from tests.cli.conftest import Cli
from tests.factories import make_tree, make_wheel
from tests.requires import compiles
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.utils.safe_io import sha256_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(tmp_path / "tree", {})
    return tmp_path / "tree"


def test_where_and_why(cli: Cli, root: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    outcome = cli("classify", wheel, "--root", root)
    assert outcome == (0, f"{wheel}: generic\n    it contains no compiled code: it runs anywhere\n", "")


@compiles
def test_undecided_is_a_negative_answer_that_says_what_to_do(cli: Cli, root: Path, tmp_path: Path) -> None:
    wheel = extension_wheel(tmp_path)
    outcome = cli("classify", wheel, "--root", root)
    assert outcome.code == 1
    assert outcome.out.startswith(f"{wheel}: undecided\n    no evidence for a layer\n")
    start = f"warning: cannot determine the target directory of {wheel}; publish it with --to and one of: "
    assert outcome.err.startswith(f"{start}gentoo/avx512, nix/avx512, ")
    assert outcome.err.endswith(", nix/generic, generic\n")
    refused = cli("publish", wheel, "--root", root)
    assert (refused.code, "cannot determine the target directory" in refused.err) == (2, True)
    (_, first, *_) = outcome.err.rsplit(": ", 1)[1].split(", ")
    placed = cli("publish", "--to", first, wheel, "--root", root)
    assert (placed.code, len(list((root / first).glob("fast-*.whl")))) == (0, 1)


@pytest.mark.parametrize("platform", ["win_amd64", "macosx_11_0_arm64"])
def test_a_wheel_for_another_system_belongs_nowhere(
    cli: Cli, root: Path, tmp_path: Path, platform: str
) -> None:
    wheel = make_wheel(tmp_path, f"demo-1.0-cp311-cp311-{platform}.whl")
    outcome = cli("classify", wheel, "--root", root)
    assert (outcome.code, outcome.err) == (1, "")
    system = {"win_amd64": "Windows"}.get(platform, "macOS")
    reason = f"no Python on Linux can use its tags (cp311-cp311-{platform}), which are for {system}"
    assert outcome.out == f"{wheel}: no directory\n    {reason}\n"


@compiles
def test_the_record_beside_the_wheel_counts_while_it_is_of_that_wheel(
    cli: Cli, root: Path, tmp_path: Path
) -> None:
    wheel = extension_wheel(tmp_path)
    record = BuildRecord(
        project="fast", requirement="fast", python="3.11", arch="avx2", layer="gentoo", result="built",
        version="1.0", wheel=wheel.name, wheel_sha256=sha256_of(str(wheel)),
    )  # fmt: skip
    record.write(f"{wheel}.build.json")
    (told,) = json.loads(cli("classify", "--json", wheel, "--root", root).out)
    assert told["directory"] == "gentoo/avx2"
    assert told["path"] == f"{root}/gentoo/avx2"
    assert (told["layer"], told["arch"], told["warnings"]) == ("gentoo", "avx2", [])
    with wheel.open("ab") as file:
        file.write(b"other content")
    assert cli("classify", wheel, "--root", root).code == 1


def test_what_is_no_wheel_is_bad_input(cli: Cli, root: Path, tmp_path: Path) -> None:
    (tmp_path / "demo-1.0-py3-none-any.whl").write_bytes(b"PK")
    for name in ("demo-1.0-py3-none-any.whl", "missing-1.0-py3-none-any.whl", "demo.whl"):
        outcome = cli("classify", tmp_path / name, "--root", root)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.startswith(f"error: {tmp_path / name}: ")
        assert outcome.err.count("\n") == 1


def test_what_does_not_exist_is_told_before_its_name_is_judged(cli: Cli, root: Path, tmp_path: Path) -> None:
    outcome = cli("classify", tmp_path / "nope.whl", "--root", root)
    assert outcome.err == f"error: {tmp_path}/nope.whl: does not exist\n"
