"""The examples of the README and of every page run, on the wheelhouse that `make demo` makes."""

from __future__ import annotations

import doctest
import importlib.util
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PAGES = [
    page
    for page in [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    if "_build" not in page.parts and ">>> " in page.read_text(encoding="utf-8")
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which the wheelhouse of the demo is made."""
    spec = importlib.util.spec_from_file_location("demo", PROJECT / "examples/demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    directory = tmp_path_factory.mktemp("demo")
    vars(module)["PROJECT"] = directory
    module.make_wheelhouse()
    return directory


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(PROJECT)) for page in PAGES])
def test_the_examples_of_a_page(page: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo)
    failed, tried = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert (failed, bool(tried)) == (0, True)


def test_the_pages_with_examples() -> None:
    """Every block of Python is an example that runs."""
    assert PROJECT / "README.md" in PAGES
    for page in sorted((PROJECT / "docs").rglob("*.md")):
        assert "_build" in page.parts or "```python" not in page.read_text(encoding="utf-8"), page
