"""However many requirements a command is given, it lists each directory of the tree once."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.factories import make_tree
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing

HOST = ("--arch", "avx2", "--layer", "gentoo", "--python", "3.11")
SEARCHED = ("gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic")


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each directory was listed."""
    counts: Counter[str] = Counter()

    class Counting:
        def __getattr__(self, name: str) -> Any:
            function = getattr(os, name)
            if name not in ("listdir", "scandir"):
                return function

            def counted(path: str) -> Any:
                counts[path] += 1
                return function(path)

            return counted

    monkeypatch.setattr(listing, "os", Counting())
    return counts


@pytest.mark.parametrize("number", [3, 20])
@pytest.mark.parametrize(
    ("command", "everywhere"),
    [
        (("avail",), False),
        (("pick",), False),
        (("pick", "--json"), True),
        (("why-not",), True),
        (("why-not", "--all"), True),
        (("lock", "--json"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_each_directory_is_listed_once(
    command: tuple[str, ...],
    everywhere: bool,
    number: int,
    cli: Cli,
    tmp_path: Path,
    listed: Counter[str],
) -> None:
    root = tmp_path / "tree"
    names = [f"demo{n}-1.0-py3-none-any.whl" for n in range(number)]
    make_tree(root, dict.fromkeys(("generic", "gentoo/avx2", "nix/avx2"), names))
    (tmp_path / "r.txt").write_text("".join(f"demo{n}\n" for n in range(number)))
    listed.clear()
    outcome = cli(*command, "-r", tmp_path / "r.txt", "--root", root, *HOST)
    assert (outcome.code, outcome.err) == (0, "")
    labels = [each.label for each in Site.default(root).directories()] if everywhere else SEARCHED
    assert listed == dict.fromkeys((f"{root}/{label}" for label in labels), 1)
