"""A static index while it is written, by several at once, beside readers and on bad disks."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.faults.blows import Command, index_blow
from tests.faults.runner import Runner
from tests.faults.test_disk import Mounted, mounted
from tests.faults.trees import Case
from tests.static_pages import assert_right, links_of, listed, pages_below
from tests.wheelhouse import everything_below
from wheelhouse_resolver import Site
from wheelhouse_resolver.static_index.index import update, without, write_index

WAITING = "another run is writing this index: waiting until it has ended\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mounted]:
    yield from mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs")


def some_tree(base: Path, count: int = 12) -> Case:
    case = Case(base)
    for number in range(count):
        case.standing("generic", f"demo{number}-1.0-py3-none-any.whl", mark=f"{number}")
        case.standing("gentoo/avx2", f"demo{number}-1.0-cp311-cp311-linux_x86_64.whl", mark=f"a{number}")
    case.again()
    return case


@pytest.mark.slow
def test_killed_at_every_step_with_metadata_files(runner: Runner, tmp_path: Path) -> None:
    blow = index_blow(tmp_path)
    blow.command.append("--metadata")
    blow.learn(runner, ())
    names = {path.name for path in blow.case.root.rglob("*.metadata")}
    assert len(names) == 4
    for step in range(blow.steps(runner, ())):
        blow.prepare()
        assert runner.run(*blow.command, kill_at=step).killed
        blow.verify(runner, ())
        assert {path.name for path in blow.case.root.rglob("*.metadata")} == names


def test_several_who_write_one_index_do_it_one_after_the_other(runner: Runner, tmp_path: Path) -> None:
    case = some_tree(tmp_path)
    command: Command = ["index", "--output", tmp_path / "index", "--root", case.root]
    ran = runner.together([command] * 5)
    assert {each.code for each in ran} == {0}
    assert {each.err for each in ran} == {"", WAITING}
    read = [each.out.split(" read; ")[0].rpartition(" ")[2] for each in ran]
    assert sorted(read)[:4] == ["0"] * 4
    assert_right(tmp_path / "index")
    before = everything_below(tmp_path / "index")
    assert "0 read; 0 pages written" in runner.run(*command).out
    now = everything_below(tmp_path / "index")
    assert {path for path in now if now[path] != before[path]} <= {str(tmp_path / "index/.drafts")}


def _come_and_go(site: Site, output: str, wheels: list[Path]) -> None:
    """Publish and withdraw the *wheels* again and again, as publishers do."""
    root = Path(site.root)
    while True:
        for wheel in wheels:
            place = root / "generic" / wheel.name
            os.link(wheel, place)
            update(site, output, ["demo0"])
            with without(site, output, [str(place)]):
                place.unlink()
            update(site, output, ["demo0"])


def _index(site: Site, output: str) -> None:
    while True:
        write_index(site, output)


@contextlib.contextmanager
def at_work(*tasks: tuple[object, ...]) -> Iterator[None]:
    """Each of *tasks*, a function and its arguments, in a process of its own."""
    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=task[0], args=task[1:], daemon=True) for task in tasks]  # type: ignore[arg-type]
    for process in processes:
        process.start()
    try:
        yield
        assert all(process.is_alive() for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.join()


def looks_right(page: Path) -> int:
    """Follow the links of *page*; what a page listed and is gone must be on it no more."""
    for link in links_of(page):
        try:
            content = Path(link.target).read_bytes()
        except FileNotFoundError:
            assert link.target not in [each.target for each in links_of(page)], link
        else:
            assert hashlib.sha256(content).hexdigest() == link.sha256, link
    return len(links_of(page))


@pytest.mark.parametrize("seconds", [1.5, pytest.param(15, marks=pytest.mark.slow)])
def test_a_reader_beside_writers_never_sees_a_dead_link(tmp_path: Path, seconds: float) -> None:
    case = some_tree(tmp_path, 2)
    site, output = Site.default(case.root), str(tmp_path / "index")
    write_index(site, output)
    wheels = [make_wheel(tmp_path, f"demo0-1.{n}-py3-none-any.whl") for n in range(1, 4)]
    page = tmp_path / "index/avx2-gentoo/demo0/index.html"
    seen: set[int] = set()
    with at_work((_come_and_go, site, output, wheels), (_index, site, output)):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            seen.add(looks_right(page))
    assert seen == {2, 3}
    write_index(site, output)
    assert_right(tmp_path / "index")


def test_a_full_disk_is_one_line_and_leaves_what_was_there(runner: Runner, small_disk: Mounted) -> None:
    case = some_tree(small_disk.path.parent, 60)
    output = small_disk.path / "index"
    command: Command = ["index", "--output", output, "--root", case.root]
    small_disk.remount("size=100k")
    ran = runner.run(*command)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: cannot write {output}")
    assert ran.err.count("\n") == 1
    assert_right(output)
    small_disk.remount("size=8m")
    assert runner.run(*command).code == 0
    assert_right(output)
    assert len(listed(output, "avx2-gentoo")) == 60
    small_disk.remount(f"size={shutil.disk_usage(output).used + 16384}")
    before = everything_below(output)
    make_wheel(case.root / "generic", "more-1.0-py3-none-any.whl")
    ran = runner.run(*command)
    assert ran.code == 2
    assert ran.err.startswith(f"error: cannot write {output}")
    assert_right(output)
    now = everything_below(output)
    assert [path for path in before if path.endswith(".html") and now[path] != before[path]] == []
    small_disk.remount("size=8m")
    assert runner.run(*command).code == 0
    assert "more" in listed(output, "avx2-gentoo")


def test_a_read_only_disk_is_one_line(runner: Runner, small_disk: Mounted) -> None:
    case = some_tree(small_disk.path.parent, 1)
    output = small_disk.path / "index"
    command: Command = ["index", "--output", output, "--root", case.root]
    for made in (False, True):
        small_disk.remount("ro")
        ran = runner.run(*command)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err == f"error: cannot write {output}: Read-only file system\n"
        small_disk.remount("rw")
        assert (pages_below(output) != []) is made
        assert runner.run(*command).code == 0
