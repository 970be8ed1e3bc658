"""`view` makes links that carry the stamps, changes what changed, and touches nothing that is not its own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.factories import BUILTIN_LABELS, pip_report
from tests.wheelhouse import WheelhouseFixture, everything_below
from wheelhouse_resolver.publishing.view import make_view

PURE = "demo-1.0-py3-none-any.whl"
PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"
STAMPED = "demo-1.0-1000generic-py3-none-any.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "view"


def links(output: Path) -> dict[str, str]:
    """Every link below *output*, with where it leads."""
    return {
        str(path.relative_to(output)): os.readlink(path)
        for path in sorted(output.rglob("*"))
        if path.is_symlink()
    }


def test_links_carry_the_stamps_and_lead_to_the_wheels(house: WheelhouseFixture, output: Path) -> None:
    house.add("generic", PURE)
    house.add("gentoo/avx2", "demo-1.0-3-cp311-cp311-linux_x86_64.whl")
    house.add("nix/avx", "demo-1.0-300000avx-cp311-cp311-linux_x86_64.whl")
    before = everything_below(house.root)
    done = house.run("view", "--output", output)
    assert done == (0, "3 links made, 0 kept, 0 removed\n", "")
    assert links(output) == {
        f"generic/{STAMPED}": f"{house.root}/generic/{PURE}",
        "gentoo/avx2/demo-1.0-400003avx2-cp311-cp311-linux_x86_64.whl": (
            f"{house.root}/gentoo/avx2/demo-1.0-3-cp311-cp311-linux_x86_64.whl"
        ),
        "nix/avx/demo-1.0-300000avx-cp311-cp311-linux_x86_64.whl": (
            f"{house.root}/nix/avx/demo-1.0-300000avx-cp311-cp311-linux_x86_64.whl"
        ),
    }
    assert everything_below(house.root) == before


def test_the_view_has_the_directories_of_the_wheelhouse_for_all_to_read(
    house: WheelhouseFixture, output: Path
) -> None:
    shutil.rmtree(house.root / "nix")
    before = os.umask(0o077)
    try:
        house.run("view", "--output", output)
    finally:
        os.umask(before)
    there = {str(path.relative_to(output)) for path in output.rglob("*")}
    assert there == {"gentoo", *(label for label in BUILTIN_LABELS if not label.startswith("nix"))}
    assert all(path.stat().st_mode & 0o555 == 0o555 for path in [output, *output.rglob("*")])


def test_a_second_run_touches_nothing(house: WheelhouseFixture, output: Path) -> None:
    house.add("generic", PURE)
    house.run("view", "--output", output)
    before = everything_below(output)
    done = house.run("view", "--output", output)
    assert done == (0, "0 links made, 1 kept, 0 removed\n", "")
    assert everything_below(output) == before


def test_a_new_wheel_gets_its_link_and_a_removed_wheels_link_goes(
    house: WheelhouseFixture, output: Path
) -> None:
    gone = house.add("generic", PURE)
    house.add("generic", "kept-1.0-py3-none-any.whl")
    house.run("view", "--output", output)
    gone.unlink()
    house.add("gentoo/avx", PLAIN)
    done = house.run("view", "--output", output)
    assert done == (0, "1 link made, 1 kept, 1 removed\n", "")
    assert sorted(links(output)) == [
        "generic/kept-1.0-1000generic-py3-none-any.whl",
        "gentoo/avx/demo-1.0-300000avx-cp311-cp311-linux_x86_64.whl",
    ]


def test_the_links_of_a_directory_that_is_gone_go(house: WheelhouseFixture, output: Path) -> None:
    house.add("gentoo/avx", PLAIN)
    house.run("view", "--output", output)
    shutil.rmtree(house.root / "gentoo")
    assert house.run("view", "--output", output).out == "0 links made, 0 kept, 1 removed\n"
    assert links(output) == {}


def test_an_outdated_link_of_ours_is_replaced(house: WheelhouseFixture, output: Path) -> None:
    house.add("generic", "demo-1.0-0-py3-none-any.whl")
    house.run("view", "--output", output)
    os.rename(house.root / "generic/demo-1.0-0-py3-none-any.whl", house.root / "generic" / PURE)
    done = house.run("view", "--output", output)
    assert done == (0, "1 link made, 0 kept, 0 removed\n", "")
    assert links(output) == {f"generic/{STAMPED}": f"{house.root}/generic/{PURE}"}


@pytest.mark.parametrize("kind", ["file", "link", "dangling", "directory"])
def test_what_is_not_ours_is_left_alone_and_told(
    house: WheelhouseFixture, output: Path, tmp_path: Path, kind: str
) -> None:
    house.add("generic", PURE)
    foreign = output / "generic" / STAMPED
    foreign.parent.mkdir(parents=True)
    if kind == "file":
        foreign.write_bytes(b"mine")
    elif kind == "directory":
        foreign.mkdir()
    else:
        foreign.symlink_to(tmp_path if kind == "link" else "/nonexistent/x.whl")
    (output / "generic/README").write_text("mine")
    (output / "generic/own.whl").symlink_to(tmp_path)
    before = everything_below(output / "generic")
    done = house.run("view", "--output", output)
    assert done.code == 1
    assert done.err == f"warning: left out: {foreign}: already exists and is not ours\n"
    assert everything_below(output / "generic") == before


def test_a_wheel_that_can_have_no_link_is_told_and_the_others_have_theirs(
    house: WheelhouseFixture, output: Path
) -> None:
    house.add("generic", PURE)
    house.add("generic", STAMPED)
    (house.root / "generic/nonsense.whl").touch()
    house.add("generic", "demo-1.0-5000-py3-none-any.whl")
    done = house.run("view", "--output", output)
    assert done.code == 1
    assert len(done.err.splitlines()) == 3
    assert all(line.startswith("warning: left out: ") for line in done.err.splitlines())
    assert links(output) == {f"generic/{STAMPED}": f"{house.root}/generic/{STAMPED}"}


def test_what_a_killed_run_left_is_cleared(house: WheelhouseFixture, output: Path) -> None:
    house.add("generic", PURE)
    house.run("view", "--output", output)
    (output / "generic" / f".{STAMPED}.otherhost.1~").symlink_to(house.root / "generic" / PURE)
    house.run("view", "--output", output)
    assert os.listdir(output / "generic") == [STAMPED]


@pytest.mark.parametrize("way", ["itself", "slash", "link"])
def test_a_view_is_never_made_over_the_wheelhouse(house: WheelhouseFixture, tmp_path: Path, way: str) -> None:
    house.add("generic", PURE)
    (tmp_path / "link").symlink_to(house.root)
    before = everything_below(house.root)
    given = {"itself": str(house.root), "slash": f"{house.root}/", "link": str(tmp_path / "link")}[way]
    done = house.run("view", "--output", given)
    assert (done.code, done.out) == (2, "")
    assert "the view cannot be the wheelhouse itself" in done.err
    assert everything_below(house.root) == before


def test_a_view_that_would_meet_a_directory_of_the_wheelhouse_is_refused(house: WheelhouseFixture) -> None:
    (house.root / "gentoo/link").symlink_to(house.root)
    (house.root / "view").mkdir()
    (house.root / "view/gentoo").symlink_to(house.root / "gentoo")
    house.add("gentoo/avx", PLAIN)
    before = everything_below(house.root)
    done = house.run("view", "--output", house.root / "view")
    assert (done.code, done.out) == (2, "")
    assert everything_below(house.root) == before


def test_a_view_below_the_wheelhouse_is_none_of_its_directories(house: WheelhouseFixture) -> None:
    house.add("generic", PURE)
    for expected in ("1 link made, 0 kept, 0 removed\n", "0 links made, 1 kept, 0 removed\n"):
        assert house.run("view", "--output", house.root / "view").out == expected
    assert links(house.root / "view") == {f"generic/{STAMPED}": f"{house.root}/generic/{PURE}"}


def test_a_place_that_cannot_be_written_is_one_line(house: WheelhouseFixture, output: Path) -> None:
    house.add("generic", PURE)
    output.write_text("a file")
    done = house.run("view", "--output", output)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: cannot write {output}/")
    assert done.err.count("\n") == 1


def test_a_relative_place_and_a_root_that_is_a_link_work(
    house: WheelhouseFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("generic", PURE)
    (tmp_path / "link").symlink_to(house.root)
    monkeypatch.chdir(tmp_path)
    house.root = tmp_path / "link"
    for expected in ("1 link made, 0 kept, 0 removed\n", "0 links made, 1 kept, 0 removed\n"):
        assert house.run("view", "--output", "there").out == expected
    (target,) = links(tmp_path / "there").values()
    assert os.path.exists(target)


def test_the_report_of_the_library_counts(house: WheelhouseFixture, output: Path) -> None:
    house.add("generic", PURE)
    assert make_view(house.site, str(output)) == (1, 0, 0, ())
    assert make_view(house.site, str(output)) == (0, 1, 0, ())


@pytest.mark.network
def test_pip_takes_the_policys_wheel_through_a_view(
    house: WheelhouseFixture, output: Path, newest_pip: list[str]
) -> None:
    # Without stamps the alphabet decides, and `generic` comes before `gentoo`.
    for label in ("generic", "gentoo/avx"):
        house.add(label, PURE)
    house.run("view", "--output", output)
    (output / "site.toml").touch()
    find = ["--no-index", *(f"--find-links={output}/{label}" for label in ("generic", "gentoo/avx"))]
    report = pip_report(*find, "demo", pip=newest_pip)
    assert report["demo"].endswith("/gentoo/avx/demo-1.0-300000avx-py3-none-any.whl")
