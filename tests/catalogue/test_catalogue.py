"""The catalogue's pages: what they say, which of them a run writes, and what keeps them current."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.catalogue.content import HOSTILE, entries, says
from tests.factories import plain_python
from tests.wheelhouse import WheelhouseFixture, everything_below
from wheelhouse_resolver.catalogue.config import CatalogueTable
from wheelhouse_resolver.catalogue.pages import first_page
from wheelhouse_resolver.catalogue.run import write_catalogue
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.wheelhouse import Wheelhouse

PLAIN = "demo-1.0-cp311-cp311-linux_x86_64.whl"
STAMPED = "demo-1.0-400000avx2-cp311-cp311-linux_x86_64.whl"
OTHER = "other_thing-2.0-py3-none-any.whl"
ATOM = "{http://www.w3.org/2005/Atom}"


class Catalogued(WheelhouseFixture):
    """A wheelhouse with a catalogue, which its site file names."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(directory, capsys)
        self.pages = directory / "catalogue"
        self.use_config(
            f'root = "{self.root}"\n[catalogue]\ndirectory = "{self.pages}"\npythons = ["3.11"]\n'
        )

    def says(self, label: str, filename: str, **headers: str) -> None:
        """A wheel whose METADATA has these *headers*."""
        says(self.root / label / filename, **headers)

    def catalogue(self) -> str:
        """Bring it up to date; what the command says."""
        done = self.run("catalogue", "--jobs", "1")
        assert (done.code, done.err) == (0, "")
        return done.out

    def text(self, name: str = "") -> str:
        """The text that people see of the page of *name*, or the first one."""
        path = self.pages / (f"projects/{name}.html" if name else "index.html")
        body = path.read_text().partition("<body>")[2]
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())

    def rows(self) -> dict[str, list[str]]:
        """The cells of the first page, by project."""
        body = (self.pages / "index.html").read_text().partition("<tbody>")[2].partition("</tbody>")[0]
        rows = [re.split(r"<t[dh][^>]*>", row)[1:] for row in body.split("<tr>")[1:]]
        cells = [[unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in row] for row in rows]
        return {name: rest for name, *rest in cells}

    def happened(self) -> list[tuple[str, str]]:
        """What the history says, the latest last; the feed says the same."""
        events = json.loads((self.pages / "history.json").read_text())["events"]
        feed = ET.parse(self.pages / "feed.xml").getroot()
        summaries = [each.findtext(f"{ATOM}summary") for each in feed.iter(f"{ATOM}entry")]
        assert summaries == [f"{each['directory']}/{each['filename']}" for each in events][:100]
        assert len({each.text for each in feed.iter(f"{ATOM}id")}) == len(summaries) + 1
        return sorted((each["event"], each["filename"]) for each in events)

    def state(self) -> Mapping[str, object]:
        """Every file of it; drafts and locks leave nothing."""
        assert not os.listdir(self.pages / ".drafts")
        return everything_below(self.pages)


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Catalogued:
    return Catalogued(tmp_path, capsys)


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> set[str]:
    names = before.keys() | after.keys()
    return {Path(each).name for each in names if before.get(each) != after.get(each)} - {
        ".drafts",
        "projects",
    }


def test_what_the_pages_say(house: Catalogued) -> None:
    house.says("generic", OTHER, Summary="Does another thing", License="BSD")
    house.says("gentoo/generic", "demo-0.9-py3-none-any.whl")
    house.says(
        "gentoo/avx2",
        STAMPED,
        Summary="A summary",
        Requires_Dist="other-thing>=1; python_version > '3'",
        License_Expression="MIT",
        Project_URL="Source Code, https://example.org/demo",
        Import_Name="demolib",
    )
    house.says("gentoo/avx512", "demo-2.0rc1-cp312-cp312-linux_x86_64.whl")
    assert house.catalogue().startswith("4 files of 2 projects, 2 changed; 8 pages written, 0 removed")
    rows = house.rows()
    assert rows["demo"][:-1] == ["1.0", "A summary", "gentoo", "generic, avx2, avx512", "3, 3.11, 3.12"]
    assert rows["other-thing"][:-1] == ["2.0", "Does another thing", "none", "generic", "3"]
    assert 'data-imports="demolib"' in (house.pages / "index.html").read_text()
    page = house.text("demo")
    for each in (
        "pip install demo==1.0",
        "Imported as demolib",
        "Licence MIT",
        "Home page https://example.org/demo",
        "other-thing>=1; python_version > '3' other-thing Wheels of 1.0",
        "gentoo/ avx2 gentoo/ avx512 2.0rc1 3.12 1.0 3.11 3.11 0.9 3 3 3 3 3",
        f"gentoo/avx512, Python 3.11 gentoo/avx2/{STAMPED}",
    ):
        assert each in page
    host = Host(python=plain_python("3.11"))
    answer = Wheelhouse(house.site).why_not("demo", host)
    assert not answer.positive
    assert " ".join(" ".join(answer.lines()).split()) in page
    assert 'href="other-thing.html"' in (house.pages / "projects/demo.html").read_text()


def test_what_a_wheel_was_made_from_and_what_it_loads(house: Catalogued) -> None:
    module = find_spec("_ctypes")
    assert module is not None
    assert module.origin is not None
    sbom = "demo-1.0.dist-info/sboms/wheelhouse-resolver.cdx.json"
    source = {"type": "source-distribution", "url": "demo-1.0.tar.gz"}
    recipe = {"name": "wheelhouse-resolver:recipe", "value": "demo.toml"}
    component = {"name": "demo", "externalReferences": [source]}
    made = {"metadata": {"component": component, "properties": [recipe]}, "components": []}
    files = {"demo/lib.so": Path(module.origin).read_bytes(), sbom: json.dumps(made)}
    house.add("gentoo/avx2", STAMPED, files=files)
    house.add("gentoo/avx512", STAMPED.replace("400000avx2", "500000avx512"), files={sbom: "{"})
    house.run("catalogue", "--jobs", "1")
    damaged, whole = house.text("demo").partition("Wheels of 1.0")[2].split("gentoo/avx2")
    assert "its sboms/wheelhouse-resolver.cdx.json cannot be read" in damaged
    told = house.run("provenance", str(house.root / "gentoo/avx2" / STAMPED)).out.split("\n", 1)[1]
    assert "recipe: demo.toml" in told
    assert " ".join(told.split()) in whole
    assert " libc.so.6" in whole.partition("Needs these libraries outside the wheel:")[2]


def test_the_data_is_what_avail_prints(house: Catalogued) -> None:
    for label, filename in (("gentoo/avx2", STAMPED), ("generic", "demo-2.0rc1-py3-none-any.whl")):
        house.says(label, filename)
    (house.root / "generic/demo-0.5.tar.gz").write_bytes(b"source")
    house.catalogue()
    told = house.run("avail", "demo", "--all", "--json").out
    assert json.loads((house.pages / "projects/demo.json").read_text()) == json.loads(told)


def test_only_what_changed_is_written(house: Catalogued) -> None:
    house.says("generic", OTHER)
    house.says("generic", "demo-1.0-py3-none-any.whl", Requires_Dist="third")
    house.catalogue()
    first = house.state()
    assert house.catalogue().endswith("0 changed; 0 pages written, 0 removed\n")
    assert house.state() == first
    house.says("generic", "third-1.0-py3-none-any.whl")  # to which demo's page now has a link
    assert house.catalogue().startswith("3 files of 3 projects, 2 changed; 7 pages written")
    second = house.state()
    both = {"index.html", "feed.xml", "history.json", ".state.json"}
    assert changed(first, second) == both | {"demo.html", "third.html", "third.json"}
    (house.root / "generic/third-1.0-py3-none-any.whl").unlink()
    (house.pages / "projects/other-thing.json").unlink()
    assert house.catalogue().startswith("2 files of 2 projects, 2 changed; 6 pages written, 2 removed")
    assert changed(second, house.state()) == both | {
        "demo.html",
        "third.html",
        "third.json",
        "other-thing.json",
    }


def test_all_is_written_again_when_what_it_depends_on_changes(house: Catalogued, tmp_path: Path) -> None:
    limits = tmp_path / "limits.txt"
    limits.write_text("demo<2\n")
    more = f'[pip]\nconstraint = "{limits}"\n'
    house.use_config(f'root = "{house.root}"\n[catalogue]\ndirectory = "{house.pages}"\n{more}')
    house.says("generic", "demo-2.0-py3-none-any.whl")
    house.says("generic", "other-1.0-cp311-cp311-linux_x86_64.whl")
    house.catalogue()
    assert "constraint" in house.text("demo")
    limits.write_text("")
    assert "2 changed; 2 pages written" in house.catalogue()  # of demo, and the state
    assert "constraint" not in house.text("demo")
    house.says("generic", "third-1.0-cp312-cp312-linux_x86_64.whl")  # a newer Python, of all usual hosts now
    assert "3 changed" in house.catalogue()
    assert "no layer (generic)" in house.text("other")
    assert "Python 3.12" in house.text("other")


def test_every_change_is_on_the_pages(house: Catalogued) -> None:
    house.catalogue()
    house.publish(house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert house.rows()["demo"][0] == "1.0"
    before = house.state()
    house.publish(house.wheel(OTHER), "--to", "generic")
    assert not {"demo.html", "demo.json"} & changed(before, house.state())
    house.publish(house.wheel(PLAIN, requires_dist=["other-thing"]), "--to", "gentoo/avx2", "--replace")
    assert "other-thing" in house.text("demo")
    assert house.run("withdraw", STAMPED).code == 0
    assert [*house.rows()] == ["other-thing"]
    assert not (house.pages / "projects/demo.html").exists()
    assert house.happened().count(("withdrawn", STAMPED)) == 1
    assert house.run("restore", STAMPED).code == 0
    events = house.happened()
    house.says("gentoo/avx2", "demo-3.0-cp311-cp311-linux_x86_64.whl")
    house.catalogue()
    assert house.run("restamp").code == 0
    assert "400000avx2-cp311" in house.text("demo").partition("Wheels of 3.0")[2]
    assert house.happened() == sorted([*events, ("placed", "demo-3.0-cp311-cp311-linux_x86_64.whl")])
    again = house.state()
    house.catalogue()
    assert house.state() == again


def test_a_catalogue_that_cannot_be_written_does_not_stop_publishing(house: Catalogued) -> None:
    house.catalogue()
    (house.pages / "index.html").unlink()
    (house.pages / "index.html").mkdir()
    done = house.run("publish", house.wheel(PLAIN), "--to", "gentoo/avx2")
    assert (done.code, house.wheels()) == (1, [f"gentoo/avx2/{STAMPED}"])
    assert "[catalogue]: not updated" in done.err
    (house.pages / "index.html").rmdir()
    program, *words = shlex.split(done.err.split("`")[1])  # what the hint says
    assert program == "wheelhouse-resolver"
    assert house.run(*words).code == 0
    assert [*house.rows()] == ["demo"]


def test_without_jinja_the_error_names_the_extra(house: Catalogued, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    from wheelhouse_resolver.catalogue import pages

    pages._templates.cache_clear()
    done = house.run("catalogue")
    assert (done.code, done.out) == (2, "")
    assert "the catalogue needs jinja2" in done.err
    assert "-m pip install 'jinja2>=3.1'" in done.err
    assert not house.pages.exists()


def test_what_was_killed_half_way_is_completed(house: Catalogued, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whichever file a run ends: the next one writes the rest, and nothing is in the history twice."""
    table = CatalogueTable(pythons=("3.11",))
    house.says("generic", OTHER)
    write_catalogue(house.site, str(house.pages), table)
    house.says("gentoo/avx2", STAMPED)
    (house.root / "generic" / OTHER).unlink()
    replace, left = os.replace, [0]

    def killed(source: str, target: str, **options: Any) -> None:
        if os.path.dirname(source) == str(house.pages / ".drafts"):
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        replace(source, target, **options)

    for _ in range(5):  # each writes one file of six
        left[0] = 1
        with monkeypatch.context() as patched:
            patched.setattr(os, "replace", killed)
            with pytest.raises(KeyboardInterrupt):
                write_catalogue(house.site, str(house.pages), table)
        for name in house.rows():
            assert (house.pages / f"projects/{name}.html").exists()
    assert write_catalogue(house.site, str(house.pages), table).written == 1
    assert [*house.rows()] == ["demo"]
    assert house.happened() == [("placed", STAMPED), ("placed", OTHER), ("withdrawn", OTHER)]


def test_two_writers_wait_for_each_other(house: Catalogued) -> None:
    for number in range(4):
        house.says("generic", f"demo{number}-1.0-py3-none-any.whl")
    table = CatalogueTable(pythons=("3.11",))
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(write_catalogue, house.site, str(house.pages), table) for _ in range(4)]
    assert sorted(each.result().written for each in asked) == [0, 0, 0, 12]
    assert len(house.rows()) == 4


def test_nothing_of_a_wheel_is_markup(house: Catalogued) -> None:
    house.says(
        "generic", OTHER, Summary=HOSTILE, License=HOSTILE, Home_page="javascript:x=1", Requires_Dist=HOSTILE,
        Import_Name=HOSTILE, Provides_Extra=HOSTILE,
    )  # fmt: skip
    house.catalogue()
    for page in (house.pages / "index.html", house.pages / "projects/other-thing.html"):
        text = page.read_text()
        assert "<img" not in text
        assert "javascript:" not in text
        assert "\u202e" not in text
        assert len(re.findall(r"<script", text)) == (page.name == "index.html")
    assert HOSTILE.replace("\u202e", r"\u202e") in house.text("other-thing")
    house.happened()


def test_wheels_that_cannot_be_read_are_on_the_pages(house: Catalogued) -> None:
    (house.root / "generic" / OTHER).write_bytes(b"no zip")
    (house.root / "generic/misnamed.whl").write_bytes(b"")
    (house.root / "generic/gone-1.0-py3-none-any.whl").symlink_to("nowhere")
    (house.root / "generic/source-1.0.tar.gz").write_bytes(b"")
    done = house.run("catalogue", "--json")
    (problem,) = json.loads(done.out)["problems"]
    assert problem["path"].endswith(OTHER)
    assert [*house.rows()] == ["other-thing", "source"]
    assert "invalid zip file" in house.text("other-thing")
    assert "pip builds generic/source-1.0.tar.gz from source" in house.text("source")


@pytest.mark.parametrize("where", ["generic", "generic/pages", ".", "of-others"])
def test_it_is_written_into_a_directory_of_its_own(house: Catalogued, where: str) -> None:
    (house.root / "of-others").mkdir()
    (house.root / "of-others/notes.txt").write_text("mine")
    with pytest.raises(OutputError) as found:
        write_catalogue(house.site, str(house.root / where))
    assert "wheelhouse-resolver catalogue" in found.value.hint


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('directory = "here"', "must be an absolute path"),
        ('pythons = ["new"]', "must be a version of Python"),
        ("colour = 1", "unknown key"),
    ],
)
def test_a_table_that_is_wrong(house: Catalogued, line: str, problem: str) -> None:
    house.use_config(f'root = "{house.root}"\n[catalogue]\n{line}\n')
    done = house.run("catalogue", "--output", str(house.pages))
    assert done.code == 2
    assert problem in done.err


def test_the_first_page_of_a_large_tree_is_small() -> None:
    assert len(first_page("Wheels", entries(2550))) < 1_500_000
