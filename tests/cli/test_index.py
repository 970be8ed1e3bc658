"""`index` on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.static_pages import assert_right, listed
from tests.wheelhouse import WheelhouseFixture
from wheelhouse_resolver import IndexReport, Site, Wheelhouse, WheelhouseError
from wheelhouse_resolver.cli.commands import index

PURE = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


def test_totals_and_what_is_left_out(house: WheelhouseFixture, tmp_path: Path) -> None:
    house.add("generic", PURE)
    output = tmp_path / "index"
    done = house.run("index", "--output", output)
    said = "1 file of 1 project, 1 read; 22 pages written, 0 removed, for 11 kinds of host\n"
    assert done == (0, said, "")
    assert_right(output)
    assert listed(output, "avx2-nix") == {"demo": [PURE]}
    broken = house.root / "generic/x\x1b-1.0-py3-none-any.whl"
    broken.write_bytes(b"PK half")
    done = house.run("index", "--output", output, "--metadata")
    assert done.code == 1
    assert done.out.startswith("1 file of 1 project, ")
    assert done.err.startswith(f"warning: left out: {house.root}/generic/x\\x1b-1.0-py3-none-any.whl: ")
    assert done.err.count("\n") == 1
    broken.unlink()
    done = house.run("index", "--output", output)
    assert done.code == 0
    first, totals = done.out.splitlines()
    assert first == (
        "1 .metadata file of an earlier --metadata left in the wheelhouse; to remove: "
        f"find {house.root} -name '*.whl.metadata' -delete"
    )
    assert totals.endswith("; 11 pages written, 0 removed, for 11 kinds of host")
    assert house.shell(first.partition("to remove: ")[2]).returncode == 0
    assert {*os.listdir(house.root / "generic")} == {".trash", PURE}


def test_json_is_the_report_of_the_library(house: WheelhouseFixture, tmp_path: Path) -> None:
    house.add("generic", PURE)
    (house.root / "generic/bad.whl").write_bytes(b"")
    output = tmp_path / "index"
    done = house.run("index", "--json", "--output", output)
    assert (done.code, done.err) == (1, "")
    found = json.loads(done.out)
    assert (found["output"], found["classes"], found["read"], found["written"]) == (str(output), 11, 2, 22)
    assert [each["path"] for each in found["left_out"]] == [f"{house.root}/generic/bad.whl"]
    report = Wheelhouse(Site.default(house.root)).index(output, metadata=True, glibc=(2, 28))
    assert report.to_dict().keys() == found.keys()
    assert report.left_out[0].to_dict() == found["left_out"][0]
    assert (house.root / f"generic/{PURE}.metadata").exists()


def test_bad_input_is_one_line(house: WheelhouseFixture, cli: Cli, tmp_path: Path) -> None:
    place = house.root / "generic"
    outcome = cli("index", "--output", place, "--root", house.root)
    assert outcome.error == (
        f"error: cannot write {place}: {place} is a directory of wheels hint: give a directory of its own, "
        f"such as: wheelhouse-resolver index --root {house.root} --output {house.root}/index"
    )
    outcome = cli("index", "--root", house.root)
    assert outcome.error == (
        "error: --output is missing, and the site file has no [index] hint: give a directory: "
        f"wheelhouse-resolver index --root {house.root} --output DIR"
    )
    outcome = cli("index", "--jobs", "0", "--output", tmp_path / "index", "--root", house.root)
    assert outcome.error.startswith("error: argument --jobs: '0' is not a whole number above 0")
    outcome = cli("index", "--glibc", "new", "--output", tmp_path / "index", "--root", house.root)
    assert outcome.error == "error: --glibc: 'new' must be a version of glibc, such as 2.28"
    outcome = cli("index", "--output", tmp_path / "index", "--root", tmp_path / "none")
    assert outcome.error.startswith(f"error: wheelhouse {tmp_path}/none: does not exist")
    assert not (tmp_path / "index").exists()


def test_the_site_file_says_where_and_how(
    house: WheelhouseFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add("generic", PURE)
    asked: list[object] = []

    def write(_: object, place: str, *, metadata: bool, glibc: object, **more: object) -> IndexReport:
        asked.append((place, metadata, glibc))
        return IndexReport(place)

    monkeypatch.setattr(index, "write_index", write)
    table = (
        f'root = "{house.root}"\n[index]\ndirectory = "{tmp_path}/here"\nmetadata = true\nglibc = "2.28"\n'
    )
    assert house.run("index", config=table).code == 0
    assert house.run("index", "--output", "there", "--glibc", "2.17", config=table).code == 0
    assert house.run("index", "--output", "there").code == 0
    assert asked == [
        (f"{tmp_path}/here", True, (2, 28)), ("there", True, (2, 17)), ("there", False, None)
    ]  # fmt: skip


@pytest.mark.parametrize(("option", "value"), [("--glibc", "2.28"), ("--metadata", None)])
def test_options_that_publish_would_undo(house: WheelhouseFixture, option: str, value: str | None) -> None:
    table = f'root = "{house.root}"\n[index]\ndirectory = "{house.root}/index"\n'
    done = house.run("index", option, *filter(None, [value]), config=table)
    site = house.root.parent / "site.toml"
    assert (done.code, done.err) == (
        2,
        f"error: {option} is not what [index] in {site} says, which publish goes by\n"
        "hint: state it there, and leave out the option\n",
    )


def test_pick_says_what_pip_takes_through_a_page(house: WheelhouseFixture) -> None:
    house.add("gentoo/avx2", PURE, requires_python=">=3.99")
    house.add("gentoo/generic", PURE, requires_python=">=3.98")
    lower = house.add("generic", PURE)
    for more in ("", "find-links = true\n"):
        table = f'root = "{house.root}"\n[index]\ndirectory = "{house.root}/index"\n{more}'
        done = house.run("pick", "demo", "--layer", "gentoo", "--arch", "avx2", config=table)
        warning = f"warning: through the static index pip takes {lower}, a lower build\n"
        assert done.code == 1
        assert (warning in done.err) == (not more)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_a_directory_that_one_may_not_write_to(house: WheelhouseFixture, open_place: Path) -> None:
    house.move(open_place / "site")
    house.add("generic", PURE)
    os.seteuid(65534)
    try:
        done = house.run("index", "--output", house.root / "index")
    finally:
        os.seteuid(0)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: cannot write {house.root}/index: Permission denied\n"


@pytest.fixture
def open_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that other users reach."""
    path = tmp_path_factory.mktemp("open")
    for each in [path, *path.parents][:-2]:
        if each.stat().st_uid == os.geteuid():
            each.chmod(each.stat().st_mode | 0o055)
    return path


def test_no_other_command_takes_metadata_files_for_anything(house: WheelhouseFixture) -> None:
    host = ("--arch", "avx2", "--layer", "gentoo", "--python", "3.11")
    house.add("generic", "demo-1.0-1000generic-py3-none-any.whl")
    house.run("index", "--output", house.root / "index", "--metadata")
    (house.root / "generic/demo-2.0-py3-none-any.whl.metadata").write_text("Name: demo\nVersion: 2.0\n")
    assert house.run("audit", "--jobs", "1")[:2] == (0, "0 errors, 0 warnings\n")
    done = house.run("pick", "demo", *host)
    assert (done.code, "2.0" in done.out) == (0, False)
    assert "2.0" not in house.run("avail", *host).out
    assert house.run("restamp").out.endswith(", 1 with a current stamp already\n")
    assert house.run("withdraw", "demo-1.0-1000generic-py3-none-any.whl").code == 0
    assert house.run("pick", "demo", *host).code == 1


def test_the_library_raises_what_is_wrong(house: WheelhouseFixture) -> None:
    with pytest.raises(WheelhouseError, match="part of the wheelhouse's layout"):
        Wheelhouse(house.site).index(house.root)
