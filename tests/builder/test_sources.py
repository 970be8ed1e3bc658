from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.quick import taken
from tests.factories import clean_environ, make_wheel
from wheelhouse_resolver.builder.planning.sources import (
    SourceMetadataError,
    ask_backend,
    get_requires_dist,
    static_requirements,
)
from wheelhouse_resolver.builder.recipes.model import Recipe, no_recipe
from wheelhouse_resolver.builder.records.job import SourceArchive
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.wheelfile.edit import Edits, RelabelError
from wheelhouse_resolver.wheelfile.metadata import parse_headers


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ("Metadata-Version: 2.2\nRequires-Dist: a>=1\nRequires-Dist: b\n", ["a>=1", "b"]),
        ("Metadata-Version: 2.4\n", []),
        ("Metadata-Version: 2.1\nRequires-Dist: a\n", None),
        ("Metadata-Version: 2.2\nDynamic: Version\nRequires-Dist: a\n", ["a"]),
        ("Metadata-Version: 2.2\nDynamic: requires-dist\nRequires-Dist: a\n", None),
        ("Metadata-Version: new\nRequires-Dist: a\n", None),
        ("", None),
    ],
)  # fmt: skip
def test_what_a_source_distribution_promises(info: str, expected: list[str] | None) -> None:
    assert static_requirements(parse_headers(info)) == expected


def asked(fetched: Fetched, directory: Path, recipe: Recipe | None = None) -> list[str]:
    recipe = recipe or no_recipe("demo")

    def configure(_: Sequence[str], path: str) -> None:
        Path(path).touch()

    def ask() -> list[str]:
        log = str(directory / "log")
        return ask_backend(fetched, recipe, configure, sys.executable, clean_environ(), log)

    return get_requires_dist(fetched, recipe, ask)


def test_what_is_promised_is_not_asked_for(tmp_path: Path) -> None:
    make_package(tmp_path / "s", "demo", requires=["a>=1"], code="raise SystemExit(1)")
    assert asked(taken(tmp_path / "s", "demo", tmp_path / "at work"), tmp_path) == ["a>=1"]
    assert not (tmp_path / "log").exists()


def test_else_the_backend_is_asked_and_the_source_stays_as_it_is(tmp_path: Path) -> None:
    make_package(tmp_path / "s", "demo", requires=["a>=1"], dynamic=True)
    fetched = taken(tmp_path / "s", "demo", tmp_path / "at work")
    before = sorted(os.listdir(fetched.path))
    assert asked(fetched, tmp_path) == ["a>=1"]
    assert sorted(os.listdir(fetched.path)) == before


def test_a_backend_that_cannot_tell(tmp_path: Path) -> None:
    make_package(tmp_path / "s", "demo", requires=["a>=1"], dynamic=True)
    fetched = taken(tmp_path / "s", "demo", tmp_path / "at work")
    Path(fetched.path, "backend.py").write_text("raise SystemExit('no')")
    with pytest.raises(
        SourceMetadataError, match=r"demo: cannot prepare its metadata: pip exited with 1: no$"
    ) as caught:
        asked(fetched, tmp_path)
    assert caught.value.hint == f"see the log {tmp_path}/log"


def test_the_edits_of_the_recipe_count(tmp_path: Path) -> None:
    make_package(tmp_path / "s", "demo", requires=["a>=1", "b"])
    fetched = taken(tmp_path / "s", "demo", tmp_path / "at work")
    recipe = replace(no_recipe("demo"), edits=Edits(add=("c",), remove=("b",), replace=("a<1",)))
    assert asked(fetched, tmp_path, recipe) == ["a<1", "c"]
    with pytest.raises(RelabelError, match="no requirement on 'z' to remove"):
        asked(fetched, tmp_path, replace(recipe, edits=Edits(remove=("z",))))


def test_a_wheel_is_read(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", requires_dist=["a"])
    archive = SourceArchive(kind="wheel", path=str(wheel), sha256="", origin="", version="1.0")
    fetched = Fetched(archive=archive, root=str(wheel), path=str(wheel))
    assert asked(fetched, tmp_path) == ["a"]
