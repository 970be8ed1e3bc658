"""A reader of standard output that goes away: the work is done whole, and the exit code is the answer's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.factories import make_tree, make_wheel
from tests.requires import requires
from tests.whole import assert_whole, content_of, wheels_below

pytestmark = requires("bash")

#: So many lines, of such names, are more than Python keeps back: the pipe breaks in the middle of the work.
COUNT = 60
NAMES = [f"demo_{'x' * 100}_{number}-1.0-cp311-cp311-linux_x86_64.whl" for number in range(COUNT)]
STAMPED = [name.replace("-1.0-", "-1.0-400000avx2-") for name in NAMES]

READERS = ("true", "head -1")
_EACH = pytest.mark.parametrize("reader", READERS, ids=READERS)
_ONE_EVERYDAY = pytest.mark.parametrize(
    "reader", [pytest.param("true", marks=pytest.mark.slow), "head -1"], ids=READERS
)


def run(reader: str, *arguments: str | os.PathLike[str]) -> tuple[int, str]:
    """The exit code of a command whose standard output goes to *reader*, and its standard error.

    With no environment but PATH and HOME, as from cron: PYTHONUNBUFFERED would hide much.
    """
    command = [sys.executable, "-m", "wheelhouse_resolver", *(os.fspath(each) for each in arguments)]
    done = subprocess.run(
        ["bash", "-c", f'"$@" | {reader}; exit ${{PIPESTATUS[0]}}', "bash", *command],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert len(done.stdout.splitlines()) <= (reader != "true")
    return done.returncode, done.stderr


def placed(root: Path) -> list[str]:
    return sorted(path.name for path in wheels_below(root))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_tree(tmp_path / "house", {})
    return tmp_path / "house"


@_ONE_EVERYDAY
def test_wheels_are_published_replaced_withdrawn_and_restored(
    reader: str, root: Path, tmp_path: Path
) -> None:
    first = [make_wheel(tmp_path / "first", name) for name in NAMES]
    second = [make_wheel(tmp_path / "second", name, files={"m.py": b"second"}) for name in NAMES]
    to = ("--to", "gentoo/avx2", "--root", root)
    assert run(reader, "publish", *first, *to) == (0, "")
    assert placed(root) == sorted(STAMPED)
    assert run(reader, "publish", *second, *to, "--replace") == (0, "")
    contents = {content_of(path) for path in wheels_below(root)}
    assert contents == {content_of(path) for path in second}
    assert run(reader, "withdraw", *STAMPED, *to) == (0, "")
    assert placed(root) == []
    assert run(reader, "restore", *STAMPED, *to) == (0, "")
    assert placed(root) == sorted(STAMPED)
    code, err = run(reader, "publish", *first, *to)
    assert code == 1
    assert err.count("already exists with different content") == COUNT
    for path in wheels_below(root):
        assert_whole(path)


@_ONE_EVERYDAY
def test_a_tree_is_stamped_viewed_and_unstamped(reader: str, root: Path, tmp_path: Path) -> None:
    for name in NAMES:
        make_wheel(root / "gentoo/avx2", name)
    assert run(reader, "view", "--output", tmp_path / "view", "--root", root) == (0, "")
    assert placed(tmp_path / "view") == sorted(STAMPED)
    assert run(reader, "restamp", "--root", root) == (0, "")
    assert placed(root) == sorted(STAMPED)
    assert run(reader, "restamp", "--undo", "--root", root) == (0, "")
    assert placed(root) == sorted(NAMES)
    assert run(reader, "restamp", "--json", "--root", root) == (0, "")
    assert run(reader, "restamp", "--forget", "--root", root) == (0, "")
    assert not [*(root / "gentoo/avx2/.trash").rglob("*.whl")]


@_EACH
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_an_audit_answers(reader: str, form: tuple[str, ...], root: Path) -> None:
    for name in NAMES:
        (root / "gentoo/avx2" / name).write_bytes(b"PK, and no more")
    assert run(reader, "audit", *form, "--root", root) == (1, "")
    for name in NAMES:
        (root / "gentoo/avx2" / name).unlink()
    assert run(reader, "audit", *form, "--root", root) == (0, "")


@_ONE_EVERYDAY
def test_wheels_are_relabelled(reader: str, tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, name) for name in NAMES]
    edits = ("--local-label", "site", "--output-dir", tmp_path / "new")
    (tmp_path / "new").mkdir()
    assert run(reader, "relabel", *wheels, *edits) == (0, "")
    assert placed(tmp_path / "new") == sorted(name.replace("-1.0-", "-1.0+site-") for name in NAMES)


@_EACH
def test_a_site_is_made_and_its_configurations_written(reader: str, tmp_path: Path) -> None:
    root, output = tmp_path / "house", tmp_path / ("conf" * 40)
    assert run(reader, "init", "--root", root) == (0, "")
    assert (root / "gentoo/avx512").is_dir()
    assert run(reader, "pip-conf", "--all", "--keep-missing", "--output-dir", output, "--root", root) == (
        0,
        "",
    )
    assert len([*output.glob("pip-*.conf")]) == 11


@pytest.mark.slow
def test_what_is_built_is_published(root: Path, tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        make_package(tmp_path / "sources", name)
    code, err = run(
        "true", "build", "alpha", "beta", "--offline", "--find-links", tmp_path / "sources",
        "--output", tmp_path / "built", "--publish", "--arch", "generic", "--layer", "gentoo", "--root", root,
    )  # fmt: skip
    assert (code, err.count("error")) == (0, 0)
    assert placed(root) == [f"{name}-1.0-1000generic-py3-none-any.whl" for name in ("alpha", "beta")]
