"""What publishes and withdraws keeps the pages of the site's static index right."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.static_pages import assert_right, listed
from tests.wheelhouse import WheelhouseFixture

PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"
STAMPED = "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
OTHER = "other-1.0-py3-none-any.whl"


class Indexed(WheelhouseFixture):
    """A wheelhouse with an index, which its site file names."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(directory, capsys)
        self.index = directory / "index"
        self.use_config(self.text())
        self.add("generic", OTHER)
        assert self.run("index").code == 0

    def text(self, more: str = "") -> str:
        return f'root = "{self.root}"\n[index]\ndirectory = "{self.index}"\n{more}'

    def pages(self, name: str = "avx2-gentoo") -> dict[str, list[str]]:
        """What the class *name* has: each link leads to a file of that content."""
        assert_right(self.index)
        return listed(self.index, name)


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Indexed:
    return Indexed(tmp_path, capsys)


def mark(text: str) -> dict[str, dict[str, bytes]]:
    return {"files": {"demo.py": text.encode()}}


def test_every_change_is_on_the_pages(house: Indexed) -> None:
    first = house.wheel(PLAIN, **mark("one"))
    house.publish(first, "--to", "gentoo/avx2")
    assert house.pages() == {"demo": [STAMPED], "other": [OTHER]}
    assert house.pages("generic") == {"other": [OTHER]}
    house.publish(house.wheel(PLAIN, **mark("two")), "--to", "gentoo/avx2", "--replace")
    assert house.pages()["demo"] == [STAMPED]
    house.publish(house.wheel(PLAIN, **mark("three")), "--to", "gentoo/avx2", "--rebuild", "--remove-source")
    rebuilt = STAMPED.replace("400000", "400001")
    assert rebuilt in house.pages()["demo"]
    assert house.run("withdraw", STAMPED, rebuilt).code == 0
    assert house.pages() == {"other": [OTHER]}
    assert house.run("restore", STAMPED).code == 0
    assert house.pages()["demo"] == [STAMPED]
    assert house.run("restamp").code == 0
    assert house.pages("generic") == {"other": ["other-1.0-1000generic-py3-none-any.whl"]}
    assert house.run("restamp", "--undo").code == 0
    assert house.pages("generic") == {"other": [OTHER]}
    edit = ("relabel", "--local-label", "site", "--in-place", house.root / "generic" / OTHER)
    assert house.run(*edit).code == 0
    assert house.pages("generic") == {"other": ["other-1.0+site-py3-none-any.whl"]}
    assert "0 read; 0 pages written, 0 removed" in house.run("index").out


def test_after_runs_when_the_pages_are_written(house: Indexed) -> None:
    page = house.index / "avx2-gentoo/demo/index.html"
    code = f"import sys; sys.exit({STAMPED!r} not in open({str(page)!r}).read())"
    house.use_config(
        house.text(f"[publish]\nafter = [{sys.executable!r}, '-c', {code!r}]\n".replace("\\'", "'"))
    )
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")


def test_pages_that_cannot_be_written_are_an_error_after_the_wheel(house: Indexed) -> None:
    drafts = house.index / ".drafts"
    drafts.rmdir()
    drafts.touch()
    done = house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert (done.code, done.out) == (1, f"placed   {house.root}/gentoo/avx2/{STAMPED}\n")
    problem, hint = done.err.splitlines()
    assert problem.startswith("error: [index]: not updated: cannot write ")
    assert problem.endswith("; the wheelhouse itself is")
    command = f"wheelhouse-resolver index --config {house.root.parent}/site.toml --output {house.index}"
    assert hint == f"hint: to complete it: `{command}`"
    drafts.unlink()
    assert house.run("index", "--output", house.index).code == 0
    assert house.pages()["demo"] == [STAMPED]


def test_what_pages_list_stays_where_they_cannot_be_written(house: Indexed) -> None:
    house.publish(house.wheel(PLAIN, **mark("one")), "--to", "gentoo/avx2")
    (house.index / ".drafts").rmdir()
    (house.index / ".drafts").touch()
    for command in (
        ["withdraw", OTHER],
        ["publish", house.wheel(PLAIN, **mark("two")), "--to", "gentoo/avx2", "--replace"],
        ["restamp"],
    ):
        done = house.run(*command)
        assert done.code == 2
        assert done.err.startswith(f"error: cannot write {house.index}")
        assert house.pages() == {"demo": [STAMPED], "other": [OTHER]}


def test_an_index_that_nobody_has_written_is_left_to_the_command_index(house: Indexed) -> None:
    house.use_config(house.text().replace(str(house.index), f"{house.index}-later"))
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert not Path(f"{house.index}-later").exists()
