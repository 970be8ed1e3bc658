"""Many publishers at once: each name gets one content, and everybody is told the truth."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.faults.runner import Runner
from tests.faults.trees import Case, contents, leftovers
from tests.whole import content_of, wheels_below

Command = list[str | os.PathLike[str]]

_FILESYSTEMS = [
    pytest.param((), id="links"),
    pytest.param(("links",), id="no-links"),
    pytest.param(("links", "renames"), id="no-links-no-renames"),
]


def unstamped_pairs(directory: Path) -> Case:
    """Unstamped wheels of eight projects, each in two directories."""
    case = Case(directory)
    for number in range(8):
        for label in ("generic", "gentoo/avx2"):
            case.standing(label, f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"{label}{number}")
    case.again()
    return case


@pytest.mark.parametrize("without", _FILESYSTEMS)
def test_sixteen_publishers_of_overlapping_sets(
    runner: Runner, tmp_path: Path, without: tuple[str, ...]
) -> None:
    case = Case(tmp_path)
    case.again()
    dice = random.Random(0)
    names = [f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl" for number in range(10)]
    commands: list[Command] = []
    for publisher in range(16):
        wheels: Command = []
        for name in dice.sample(names, 5):
            # Two of the projects come with as many contents as there are publishers.
            mark = f"{publisher}" if name.startswith(("demo0", "demo1")) else name
            files = {"module.py": mark.encode(), "data": dice.randbytes(0)}
            wheels.append(make_wheel(tmp_path / "inbox" / str(publisher), name, files=files))
        commands.append(["publish", *wheels, "--to", "gentoo/avx2", "--root", case.root])
    given = {name: set[str]() for name in names}
    for path in (tmp_path / "inbox").rglob("*.whl"):
        given[path.name].add(content_of(path))
    ran = runner.together(commands, without=without)
    case.check_whole()
    placed = {path.name.replace("-400000avx2-", "-"): content_of(path) for path in wheels_below(case.root)}
    assert sorted(placed) == names
    assert all(content in given[name] for name, content in placed.items())
    assert leftovers(case.root) == []
    for each, command in zip(ran, commands, strict=True):
        told = [line for line in each.err.splitlines() if "already exists with different content" in line]
        assert [line for line in each.err.splitlines() if not line.startswith("hint: ")] == told
        others = [
            wheel
            for wheel in command
            if isinstance(wheel, Path) and wheel.suffix == ".whl" and placed[wheel.name] != content_of(wheel)
        ]
        assert len(told) == len(others)
        assert each.code == (1 if others else 0)
    said = "".join(each.out for each in ran)
    assert all(said.count(f"placed   {path}\n") == 1 for path in wheels_below(case.root))


def test_sixteen_who_replace_each_other_lose_nothing(runner: Runner, tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.again()
    name = "demo-1.0-py3-none-any.whl"
    wheels = [make_wheel(tmp_path / "in" / str(n), name, files={"m.py": str(n).encode()}) for n in range(16)]
    commands: list[Command] = [["publish", wheel, "--replace", "--root", case.root] for wheel in wheels]
    ran = runner.together(commands)
    case.check_whole()
    assert len(wheels_below(case.root)) == 1
    assert leftovers(case.root) == []
    done = [wheel for wheel, each in zip(wheels, ran, strict=True) if each.code == 0]
    assert {content_of(wheel) for wheel in done} <= contents(case.root)
    assert done
    assert all(each.err.count("error: ") == (1 if each.code else 0) for each in ran)


def test_64_rebuilds_at_once_get_numbers_of_their_own(runner: Runner, tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.again()
    name = "demo-1.0-py3-none-any.whl"
    wheels = [make_wheel(tmp_path / "in" / str(n), name, files={"m.py": str(n).encode()}) for n in range(64)]
    ran = runner.together([["publish", each, "--rebuild", "--root", case.root] for each in wheels])
    assert {(each.code, each.err) for each in ran} == {(0, "")}
    case.check_whole()
    assert [path.name for path in wheels_below(case.root)] == [
        f"demo-1.0-{1000 + number}generic-py3-none-any.whl" for number in range(64)
    ]
    assert contents(tmp_path / "in") == contents(case.root)


@pytest.mark.parametrize("without", _FILESYSTEMS)
def test_several_who_restamp_one_tree_finish_it_together(
    runner: Runner, tmp_path: Path, without: tuple[str, ...]
) -> None:
    case = unstamped_pairs(tmp_path)
    runner.run("restamp", "--root", case.root)
    expected = case.state()
    case.again()
    ran = runner.together([["restamp", "--root", case.root]] * 6, without=without)
    case.check()
    assert case.state() == expected
    assert leftovers(case.root) == []
    assert {(each.code, each.err) for each in ran} == {(0, "")}  # what another has done is done


@pytest.mark.slow
@pytest.mark.parametrize("without", _FILESYSTEMS)
def test_several_who_restamp_and_undo_one_tree_lose_nothing(
    runner: Runner, tmp_path: Path, without: tuple[str, ...]
) -> None:
    case = unstamped_pairs(tmp_path)
    first = {path: path.read_bytes() for path in wheels_below(case.root)}
    restamp: Command = ["restamp", "--root", case.root]
    undo: Command = [*restamp, "--undo"]
    runner.together([restamp] * 4, without=without)
    ran = runner.together([undo] * 4, without=without)
    assert (0, "") in [(each.code, each.err) for each in ran]
    for each in ran:  # who came while another one did it says so
        assert (each.code, each.err) == (0, "") or "an undoing of one, is running" in each.err
    assert {path: path.read_bytes() for path in wheels_below(case.root)} == first
    for _ in range(3):
        runner.together([restamp, undo, restamp, undo], without=without)
        case.check_whole()
        assert contents(case.start) <= contents(case.root)
    while "nothing to undo" not in (ran := [runner.run(*undo, without=without)])[0].out:
        assert (ran[0].code, ran[0].err) == (0, ""), ran[0].err
    assert {path: path.read_bytes() for path in wheels_below(case.root)} == first


def test_publishers_and_restampers_and_kills_at_once(runner: Runner, tmp_path: Path) -> None:
    case = Case(tmp_path)
    names = [f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl" for number in range(6)]
    wheels = [case.given(name, mark=name) for name in names]
    for name in names:
        case.standing("generic", name, mark=f"generic {name}")
    publish: Command = ["publish", *wheels, "--to", "gentoo/avx2", "--root", case.root]
    restamp: Command = ["restamp", "--root", case.root]
    case.again()
    ran = runner.together([publish, restamp, publish])
    lasts = max(each.seconds for each in ran)
    dice = random.Random(0)
    for _ in range(5):
        case.again()
        runner.together([publish, restamp, publish, restamp], kill_after=dice.uniform(0, lasts))
        case.check()
        assert runner.run(*publish).code == 0
        case.check()
        assert runner.run(*restamp)[:1] == (0,)
        assert leftovers(case.root) == []
        assert len(case.state()) == 12


@pytest.mark.slow
def test_several_views_made_at_once_are_one_view(runner: Runner, tmp_path: Path) -> None:
    case = Case(tmp_path)
    for number in range(20):
        case.standing("generic", f"demo{number}-1.0-py3-none-any.whl")
    case.again()
    view = tmp_path / "view"
    command: Command = ["view", "--output", view, "--root", case.root]
    for _ in range(6):
        ran = runner.together([command] * 8)
        assert [(each.code, each.err) for each in ran] == [(0, "")] * 8
        links = sorted(view.rglob("*.whl"))
        assert len(links) == 20
        assert all(path.exists() for path in links)
        assert leftovers(view) == []
        for number, path in enumerate(links):  # some to make, and some to mend
            path.unlink()
            if number % 2:
                path.symlink_to(case.root / "generic" / "elsewhere.whl")
