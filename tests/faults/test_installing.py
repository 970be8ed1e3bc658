"""Stock pip and uv that install beside somebody who publishes: what they install is never the wrong build."""

from __future__ import annotations

import ast
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.factories import clean_environ, make_tree, make_wheel
from tests.filesystems import refuse_nameless
from wheelhouse_resolver import Site, Wheelhouse
from wheelhouse_resolver.publishing.plan import PublishOptions

#: How the wheels of a version are placed into a directory, one after the other.
_HOW = (PublishOptions(), PublishOptions(replace=True), PublishOptions(rebuild=True))

NAME = "demo-1.{}-py3-none-any.whl"


class Build(NamedTuple):
    """The best build of its time: its *mark*, and when it began and was over to be placed."""

    mark: str
    began: float
    done: float


class Writer(threading.Thread):
    """Publishes, replaces, rebuilds, and adds wheels of a better arch: what it does last is the best then."""

    def __init__(self, base: Path) -> None:
        super().__init__(daemon=True)
        make_tree(base / "house", {})
        self.house = Wheelhouse(Site.default(base / "house"))
        self.inbox = base / "inbox"
        self.builds: list[Build] = []
        self.problem: BaseException | None = None
        self.stop = threading.Event()
        self._works = self._work()
        next(self._works)

    def _work(self) -> Iterator[None]:
        version = 0
        while True:
            for to, options in itertools.product(("generic", "gentoo/avx2"), _HOW):
                mark = str(len(self.builds))
                wheel = make_wheel(self.inbox, NAME.format(version), files={"demo.py": f"MARK = {mark!r}\n"})
                began = time.monotonic()
                report = self.house.publish([wheel], to, options)
                assert report.ok, report
                self.builds.append(Build(mark, began, time.monotonic()))
                yield
            version += 1

    def run(self) -> None:
        """Work until it is to stop."""
        try:
            while not self.stop.is_set():
                next(self._works)
        except BaseException as error:  # noqa: BLE001 - the test is to see it
            self.problem = error

    def best(self, start: float, end: float) -> set[str]:
        """The marks that were the best at some moment of that time."""
        over = [each.done for each in self.builds[1:]] + [float("inf")]
        return {
            each.mark
            for each, until in zip(self.builds, over, strict=True)
            if each.began <= end and until >= start
        }


def install(tool: str, writer: Writer, target: Path) -> subprocess.CompletedProcess[str]:
    shutil.rmtree(target, ignore_errors=True)
    root = Path(writer.house.site.root)
    options = ["--no-index", "--no-deps", "--no-cache-dir", "--target", os.fspath(target)]
    for label in ("generic", "gentoo/avx2"):
        options += ["--find-links", (root / label).as_uri()]
    command = [sys.executable, "-m", *tool.split(), "install"]
    if tool == "uv pip":
        command += ["--python", sys.executable]
    return subprocess.run([*command, *options, "demo"], env=clean_environ(), capture_output=True, text=True)


def beside(tool: str, base: Path, times: int) -> int:
    """Install so often; returns how many builds were the best meanwhile."""
    writer = Writer(base)
    writer.start()
    try:
        for _ in range(times):
            start = time.monotonic()
            done = install(tool, writer, base / "target")
            end = time.monotonic()
            assert done.returncode == 0, done.stderr
            (assignment,) = ast.parse((base / "target/demo.py").read_text()).body
            assert isinstance(assignment, ast.Assign)
            mark = ast.literal_eval(assignment.value)
            time.sleep(0.05)  # what was begun meanwhile is noted when it is done
            while writer.is_alive() and writer.builds[-1].done < end:
                time.sleep(0.01)
            assert mark in writer.best(start, end), (mark, start, end)
    finally:
        writer.stop.set()
        writer.join()
    assert writer.problem is None
    return len(writer.builds)


TOOLS = ("pip", "uv pip")


@pytest.fixture(params=[True, False], ids=["nameless", "named"])
def _drafts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafts that have no name, and those in `.trash/`."""
    if not request.param:
        refuse_nameless(monkeypatch)


@pytest.mark.slow
@pytest.mark.usefixtures("_drafts")
@pytest.mark.parametrize("tool", TOOLS)
def test_each_install_gets_a_build_that_was_the_best(tool: str, tmp_path: Path) -> None:
    assert beside(tool, tmp_path, 3) > 3


@pytest.mark.slow
@pytest.mark.usefixtures("_drafts")
@pytest.mark.parametrize("tool", TOOLS)
def test_many_installs_get_builds_that_were_the_best(tool: str, tmp_path: Path) -> None:
    assert beside(tool, tmp_path, 12 if tool == "pip" else 50) > 12
