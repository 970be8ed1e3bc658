"""What `audit` finds about a static index; each fix is run, and fixes it."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_tree, make_wheel
from wheelhouse_resolver.audit.findings import Finding
from wheelhouse_resolver.audit.run import audit
from wheelhouse_resolver.cli.main import main
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.index import write_index

WHEEL = "demo-1.0-1000generic-py3-none-any.whl"


class Audited:
    """A wheelhouse with an index, and what `audit` finds about that."""

    def __init__(self, base: Path) -> None:
        self.root, self.index = base / "house", base / "index"
        make_tree(self.root, {"generic": [WHEEL]})
        (base / "site.toml").write_text(f'root = "{self.root}"\n[index]\ndirectory = "{self.index}"\n')
        self.site = Site.load(base / "site.toml")
        self.write()

    def write(self) -> None:
        write_index(self.site, str(self.index))

    def add(self, label: str, name: str, **options: Any) -> None:
        make_wheel(self.root / label, name, **options)

    def findings(self) -> list[Finding]:
        return [each for each in audit(self.site) if each.kind.value.startswith("index-")]


@pytest.fixture
def house(tmp_path: Path) -> Audited:
    found = Audited(tmp_path)
    assert found.findings() == []
    return found


def _remove_a_class(house: Audited) -> None:
    """As a site file with one more kind of host."""
    file = house.root.parent / "site.toml"
    file.write_text(f'{file.read_text()}[[layer]]\nname = "new"\narchs = []\n')
    house.site = Site.load(file)


def _by_hand(house: Audited) -> None:
    (house.index / "generic/extra").mkdir()
    (house.index / "generic/extra/index.html").write_text("by hand")


WRONG: dict[str, tuple[Callable[[Audited], object], str]] = {
    "page-gone": (lambda house: (house.index / "generic/demo/index.html").unlink(), "index-page"),
    "page-edited": (
        lambda house: (house.index / "avx2-gentoo/demo/index.html").write_text("x"),
        "index-page",
    ),
    "page-by-hand": (_by_hand, "index-page"),
    "class-without-pages": (_remove_a_class, "index-page"),
    "state-gone": (lambda house: (house.index / ".state.sqlite").unlink(), "index-page"),
    "wheel-gone": (lambda house: (house.root / "generic" / WHEEL).unlink(), "index-link"),
    "wheel-changed": (lambda house: house.add("generic", WHEEL, files={"more.py": "x = 1\n"}), "index-link"),
    "wheel-new": (lambda house: house.add("gentoo/avx2", "new-1.0-py3-none-any.whl"), "index-out-of-date"),
}


@pytest.mark.parametrize(("spoil", "kind"), WRONG.values(), ids=list(WRONG))
def test_each_fix_fixes_it(spoil: Callable[[Audited], object], kind: str, house: Audited) -> None:
    spoil(house)
    found = house.findings()
    assert {each.kind.value for each in found} == {kind}
    assert {each.fix for each in found} == {
        f"wheelhouse-resolver index --config {house.root.parent}/site.toml --output {house.index}"
    }
    assert main(shlex.split(found[0].fix)[1:]) == 0
    assert house.findings() == []


def test_pages_and_audit_know_the_machine_of_a_class(house: Audited) -> None:
    # Pages for any machine would have to show both, and pip 20.3 takes the higher build tag.
    house.add("gentoo/avx2", "two-1.0-cp311-cp311-linux_x86_64.whl")
    house.add("generic", "two-1.0-2-py3-none-any.whl")
    house.write()
    assert [each for each in house.findings() if each.kind.value == "index-order"] == []


@pytest.mark.parametrize("name", ["generic", "generic/demo"])
def test_a_link_is_named_with_what_removes_it(name: str, house: Audited) -> None:
    link = house.index / name
    shutil.copytree(link, house.root.parent / "copied")  # other files than those that were written
    shutil.rmtree(link)
    link.symlink_to(house.root.parent / "copied")
    found = house.findings()
    assert [(each.kind.value, each.paths) for each in found] == [("index-page", (str(link),))]
    assert "a link in the place of" in found[0].message
    remove, _, again = found[0].fix.partition(" && ")
    assert remove == f"rm {link}"
    link.unlink()
    assert main(shlex.split(again)[1:]) == 0
    assert house.findings() == []


@pytest.mark.parametrize(("best", "other"), [(">=3.9,<3.12", ">=3.8"), (">=3.12", ">=3.10")])
def test_what_no_page_can_say_is_an_error_of_the_order(best: str, other: str, house: Audited) -> None:
    # Of Requires-Python uv reads lower bounds only; and of several builds it reads the best one's.
    house.add("gentoo/avx2", "split-1.0-py3-none-any.whl", requires_python=best)
    house.add("generic", "split-1.0-py3-none-any.whl", requires_python=other)
    house.write()
    found = [each for each in house.findings() if each.kind.value == "index-order"]
    assert found
    for each in found:
        assert each.project == "split"
        assert "no page can say it" in each.message
        assert each.hosts
        assert each.pythons
    assert main(shlex.split(found[0].fix)[1:]) == 0
    assert [each for each in house.findings() if each.kind.value == "index-order"] == []
