"""The tree is the only lister of the wheelhouse."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.wheelhouse import WheelhouseFixture

PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def test_nothing_else_lists_a_directory_of_the_wheelhouse(
    house: WheelhouseFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directories = {directory.path for directory in house.site.directories()}
    listers: dict[str, str] = {}

    def listing(real: Callable[[str], object], path: str = ".") -> object:
        depth = 1
        while (module := sys._getframe(depth).f_globals["__name__"]) == "os":
            depth += 1
        if os.fspath(path) in directories:
            listers.setdefault(module, path)
        return real(path)

    for name in ("listdir", "scandir"):
        monkeypatch.setattr(os, name, partial(listing, getattr(os, name)))
    house.add("generic", PLAIN)
    wheel = house.wheel(PLAIN)
    for command in (
        ["pick", "demo", "--arch", "avx2", "--layer", "gentoo"],
        ["why-not", "demo", "--arch", "avx2", "--layer", "gentoo"],
        ["avail", "--arch", "avx2", "--layer", "gentoo"],
        ["audit", "--jobs", "1"],
        ["publish", wheel, "--to", "gentoo/avx2"],
        ["publish", wheel, "--to", "gentoo/avx2", "--rebuild"],
        ["restamp", "--retag"],
        ["view", "--output", tmp_path / "view"],
        ["index", "--output", tmp_path / "index", "--metadata"],
        ["withdraw", "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"],
        ["restore", "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"],
    ):
        assert house.run(*command).code in (0, 1)
    # Besides the tree, only the writer looks for what killed runs have left.
    assert sorted(listers) == ["wheelhouse_resolver.tree.listing", "wheelhouse_resolver.utils.drafts"]
