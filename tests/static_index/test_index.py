"""The pages of a static index on disk, and what is remembered of the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.factories import make_archive, make_tree, make_wheel, pack, with_metadata
from tests.filesystems import refused
from tests.static_pages import assert_right, links_of, listed, pages_below
from tests.wheelhouse import everything_below
from wheelhouse_resolver import Site
from wheelhouse_resolver.errors import OutputError, UnsafeValueError
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.static_index import reading, run
from wheelhouse_resolver.static_index.index import update, without, write_index
from wheelhouse_resolver.static_index.page_files import PageWriter
from wheelhouse_resolver.static_index.report import IndexObserver, IndexReport
from wheelhouse_resolver.static_index.run import IndexOptions
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.tree.index_state import STATE_NAME, IndexState
from wheelhouse_resolver.tree.reader import Tree

PURE = "demo-1.0-py3-none-any.whl"
BINARY = "demo-1.1-cp311-cp311-linux_x86_64.whl"
OTHER = "Other.Thing-2.0-py3-none-any.whl"


class House:
    """A wheelhouse with an index in it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "house"
        self.output = self.root / "index"
        self.site = make_tree(self.root, {"generic": [PURE, OTHER], "gentoo/avx2": [BINARY]})
        self.problems: dict[str, str] = {}

    def index(self, **options: object) -> IndexReport:
        """Run `index`; what it says is left out has to be what `problems` has since."""
        time.sleep(0.03)  # what has just been written may still change unnoticed, and would be read again
        report = write_index(self.site, str(self.output), **options)  # type: ignore[arg-type]
        self.problems = {os.path.relpath(each.path, self.root): each.problem for each in report.left_out}
        assert_right(self.output)
        assert os.listdir(self.output / ".drafts") == []
        return report

    def wheel(self, label: str, filename: str, **options: object) -> Path:
        """Another wheel of the tree."""
        return make_wheel(self.root / label, filename, **options)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_every_kind_of_host_has_pages(house: House) -> None:
    (house.root / "generic/.trash/slot").mkdir(parents=True)
    house.wheel("generic/.trash/slot", "demo-9.0-py3-none-any.whl")
    make_archive(house.root / "generic", "other-thing-1.0.tar.gz")
    make_archive(house.root / "nix/avx", "dashed-name-1.0.zip")
    report = house.index()
    assert (report.ok, report.classes, report.projects, report.files, report.read) == (True, 11, 3, 5, 5)
    names = {path.name for path in house.output.iterdir() if path.is_dir()} - {".drafts"}
    assert names == {"generic"} | {
        f"{arch}-{layer}"
        for layer in ("nix", "gentoo")
        for arch in ("generic", "sse3", "avx", "avx2", "avx512")
    }
    others = [OTHER, "other-thing-1.0.tar.gz"]
    for name in names:
        found = listed(house.output, name)
        assert found.pop("dashed-name", None) == (
            ["dashed-name-1.0.zip"] if name in ("avx-nix", "avx2-nix", "avx512-nix") else None
        )
        more = [BINARY] if name in ("avx2-gentoo", "avx512-gentoo") else []
        assert {key: sorted(value) for key, value in found.items()} == {
            "demo": [PURE, *more],
            "other-thing": sorted(others),
        }
    assert report.written == len(pages_below(house.output)) == 11 * 3 + 3
    # Stored once where equal: one page for the classes with the binary wheel, one for all others.
    inodes = {page.stat().st_ino for page in house.output.glob("*/demo/index.html")}
    assert len(inodes) == 2
    assert len({page.stat().st_ino for page in house.output.glob("*/other-thing/index.html")}) == 1


def test_nothing_changed_nothing_written(house: House) -> None:
    house.index()
    before = everything_below(house.root)
    report = house.index(jobs=2)
    assert (report.read, report.written, report.removed) == (0, 0, 0)
    assert report[1:4] == (11, 2, 3)
    now = everything_below(house.root)
    drafts = str(house.output / ".drafts")
    assert {path for path in before if before[path] != now[path]} <= {drafts, str(house.output)}


def test_only_what_differs_is_written(house: House) -> None:
    house.index()
    demo = (house.output / "avx2-gentoo/demo/index.html").stat()
    root = (house.output / "generic/index.html").stat()
    house.wheel("nix/avx", "Other_Thing-2.1-py3-none-any.whl", requires_python=">=3.9")
    report = house.index()
    assert (report.read, report.written, report.removed) == (1, 3, 0)
    assert (house.output / "avx2-gentoo/demo/index.html").stat() == demo
    assert (house.output / "generic/index.html").stat() == root
    assert [each.attributes.get("data-requires-python") for each in links_of(
        house.output / "avx512-nix/other-thing/index.html"
    )] == [None, ">=3.9"]  # fmt: skip
    (house.root / "gentoo/avx2" / BINARY).unlink()
    (house.root / "generic" / OTHER).unlink()
    report = house.index()
    assert report.read == 0
    assert report.removed == 8  # other-thing, where it was in generic only
    assert not (house.output / "generic/other-thing").exists()
    assert listed(house.output, "avx2-gentoo") == {"demo": [PURE]}
    assert len({page.stat().st_ino for page in house.output.glob("*/demo/index.html")}) == 1


def test_a_file_that_is_overwritten_in_place_is_read_again(house: House) -> None:
    house.index()
    path = house.root / "generic" / PURE
    modified = path.parent.stat().st_mtime_ns
    make_wheel(path.parent, PURE, files={"demo.py": "# other\n"})
    assert path.parent.stat().st_mtime_ns == modified
    report = house.index()
    assert (report.read, report.written) == (1, 11)


def test_what_is_wrong_with_pages_is_put_right(house: House) -> None:
    house.index()
    (house.output / "generic/demo/index.html").write_text("by hand")
    (house.output / "avx-nix/demo/index.html").unlink()
    (house.output / "avx-nix/demo").rmdir()
    (house.output / "avx2-nix/index.html").unlink()
    for name in ("avx-nix/gone", "avx-nix/mine"):
        (house.output / name).mkdir()
        (house.output / name / "index.html").write_text("by hand")
    (house.output / "avx-nix/mine/note.txt").write_text("mine")
    (house.output / "avx-nix/link").symlink_to(house.root / "generic")
    (house.output / "sse3-nix/demo/index.html").chmod(0o600)
    (house.output / ".drafts/leftover").write_text("half")
    report = house.index()
    assert report.removed == 2
    assert (house.output / "avx-nix/mine/note.txt").exists()
    assert not (house.output / "avx-nix/gone").exists()
    assert (house.output / "avx-nix/link").is_symlink()
    for name in ("generic", "avx-nix", "avx2-nix"):
        assert {*listed(house.output, name)} == {"demo", "other-thing"}
    assert (house.output / "sse3-nix/demo/index.html").stat().st_mode & 0o777 == 0o644
    assert house.index().written == 0


def test_a_class_that_the_site_has_no_more_loses_its_pages(house: House) -> None:
    house.index()
    house.site = Site.parse(f'root = "{house.root}"\n[[layer]]\nname = "gentoo"\narchs = ["avx2"]\n', "site")
    report = house.index()
    assert report.classes == 3
    assert {each.name for each in house.output.iterdir()} == {
        *("generic", "generic-gentoo", "avx2-gentoo"),
        *(".drafts", ".wheelhouse-index", STATE_NAME),
    }
    assert report.read == 0


def test_two_classes_cannot_have_one_name(house: House) -> None:
    text = f'root = "{house.root}"\n'
    for name, arch in (("b", "v-c"), ("c-b", "v")):
        text += f'[[layer]]\nname = "{name}"\narchs = ["avx2"]\nnames = {{ avx2 = "{arch}" }}\n'
    with pytest.raises(UnsafeValueError, match=r"cannot write the directory 'v-c-b' safely"):
        write_index(Site.parse(text, "site"), str(house.output))
    assert not house.output.exists()


def test_what_no_page_may_list_is_left_out_and_reported(house: House) -> None:
    generic = house.root / "generic"
    (generic / "broken-1.0-py3-none-any.whl").write_bytes(b"PK half")
    (generic / "demo-5.whl").write_bytes(b"")
    (generic / "plain.zip").write_bytes(b"no project's")
    (generic / "dir-1.0-py3-none-any.whl").mkdir()
    (generic / "link-1.0-py3-none-any.whl").symlink_to("nowhere")
    pack(generic / "demo-2.0-py3-none-any.whl", with_metadata("demo-2.0-py3-none-any.whl", Name="demi"))
    house.wheel("generic", "odd-1.0-py3-none-any.whl", requires_python="whatever")
    report = house.index()
    assert not report.ok
    assert house.problems == {
        "generic/broken-1.0-py3-none-any.whl": "invalid zip file: File is not a zip file",
        "generic/demo-5.whl": "invalid wheel file name (wrong number of parts): 'demo-5'",
        "generic/dir-1.0-py3-none-any.whl": "cannot be read: Is a directory",
        "generic/link-1.0-py3-none-any.whl": "a link to nothing",
        "generic/demo-2.0-py3-none-any.whl": "passed over by pip: its METADATA has the name 'demi'",
    }
    assert listed(house.output, "generic") == {
        "demo": [PURE], "odd": ["odd-1.0-py3-none-any.whl"], "other-thing": [OTHER]
    }  # fmt: skip
    (link,) = links_of(house.output / "generic/odd/index.html")
    assert "data-requires-python" not in link.attributes  # an invalid one is as good as none
    first = house.problems
    report = house.index()
    assert (report.read, report.written, house.problems) == (2, 0, first)  # what could not even be read
    (generic / "broken-1.0-py3-none-any.whl").unlink()
    make_wheel(generic, "broken-1.0-py3-none-any.whl")
    house.index()
    assert "generic/broken-1.0-py3-none-any.whl" not in house.problems
    assert "broken" in listed(house.output, "generic")


def test_a_file_that_changes_or_goes_meanwhile_is_left_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing, going = house.root / "generic" / PURE, house.root / "generic" / OTHER
    examined = reading._examined

    def meddle(wheel: Candidate, *more: object) -> object:
        if wheel.filename == PURE:
            changing.write_bytes(changing.read_bytes())
        return examined(wheel, *more)  # type: ignore[arg-type]

    names = listing.all_names

    def vanish(directory: Directory) -> list[str]:
        found = names(directory)
        if directory.label == "generic":
            going.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(reading, "_examined", meddle)
    monkeypatch.setattr(listing, "all_names", vanish)
    house.index()
    assert house.problems == {
        f"generic/{PURE}": "changed while it was read",
        f"generic/{OTHER}": "went while the index was written",
    }
    assert "other-thing" not in listed(house.output, "avx2-gentoo")
    assert listed(house.output, "avx2-gentoo") == {"demo": [BINARY]}
    monkeypatch.undo()
    assert house.index().ok
    assert listed(house.output, "generic") == {"demo": [PURE]}


BAD_OUTPUTS = {
    "a directory of wheels": ("house/gentoo/avx2", "/gentoo/avx2 is a directory of wheels"),
    "within one": ("house/generic/index", "/generic is a directory of wheels"),
    "within one that is not there": ("house/gentoo/avx512/new/index", "/avx512 is a directory of wheels"),
    "a layer": ("house/gentoo", "it is part of the wheelhouse's layout"),
    "the root": ("house", "it is part of the wheelhouse's layout"),
    "above it": ("", "it holds other files, and is no index"),
    "others' files": ("full", "it holds other files, and is no index"),
    "a file": ("file", "it is not a directory"),
    "a directory in the place of its state": ("odd", "/odd/.state.sqlite: it is a directory"),
    "below a file": ("file/index", "Not a directory"),
    "not UTF-8": ("\udcff", "it is not valid UTF-8"),
    "by a link": ("link", "/generic is a directory of wheels"),
}


@pytest.mark.parametrize(("place", "problem"), BAD_OUTPUTS.values(), ids=BAD_OUTPUTS)
def test_a_place_where_no_index_may_be(house: House, place: str, problem: str) -> None:
    (house.base / "full").mkdir()
    (house.base / "full/notes.txt").write_text("mine")
    (house.base / "file").write_text("mine")
    (house.base / "odd/.state.sqlite").mkdir(parents=True)
    (house.base / "link").symlink_to(house.root / "generic")
    before = everything_below(house.base)
    with pytest.raises((OutputError, UnsafeValueError)) as caught:
        write_index(house.site, str(house.base / place))
    assert str(caught.value).startswith("cannot write ")
    assert problem in str(caught.value)
    assert everything_below(house.base) == before


def test_an_index_of_another_wheelhouse_is_left_alone(house: House) -> None:
    house.output = house.base / "idx"
    house.index()
    before = {str(page): page.stat() for page in pages_below(house.output)}
    other = make_tree(house.base / "other", {"generic": [PURE]})
    with pytest.raises(OutputError, match=f"it is the index of {house.root}"):
        write_index(other, str(house.output))
    assert {str(page): page.stat() for page in pages_below(house.output)} == before
    house.root.rename(house.base / "gone")
    assert write_index(other, str(house.output)).ok  # in the place of what is there no more
    assert_right(house.output)


def test_a_link_in_the_place_of_a_class_is_refused(house: House) -> None:
    house.index()
    there = house.output / "avx512-gentoo"
    there.rename(house.base / "moved")
    there.symlink_to("avx2-gentoo")
    before = everything_below(house.base)
    with pytest.raises(OutputError, match="avx512-gentoo: it is a link") as caught:
        house.index()
    assert "remove the link" in str(caught.value.hint)
    assert everything_below(house.base) == before
    there.unlink()
    assert house.index().ok
    assert_right(house.output)


@pytest.mark.parametrize("there", ["generic/demo", ".drafts", ".wheelhouse-index"])
@pytest.mark.parametrize("leads", ["outside", "to another kind of host"])
def test_nothing_is_written_by_way_of_a_link(there: str, leads: str, house: House) -> None:
    house.index()
    place = house.output / there
    moved = house.base / "moved" if leads == "outside" else house.output / "avx-nix" / f"{place.name}-moved"
    place.rename(moved)
    place.symlink_to(moved)
    make_wheel(house.root / "generic", "demo-9.0-py3-none-any.whl")
    before = everything_below(moved)
    with pytest.raises(OutputError, match=f"{there}: it is a link") as caught:
        house.index()
    assert "remove the link" in str(caught.value.hint)
    with pytest.raises(OutputError, match=f"{there}: it is a link"):
        update(house.site, str(house.output), {canonicalize_name("demo")})
    assert everything_below(moved) == before
    place.unlink()
    moved.rename(place)
    assert house.index().ok
    assert_right(house.output)


def test_a_link_in_the_place_of_a_page_that_is_right_is_found_and_of_one_that_goes_not_followed(
    house: House,
) -> None:
    house.index()
    page = house.output / "avx-nix/demo"  # the pages of one content are one file: it looks as it was written
    shutil.rmtree(page)
    page.symlink_to("../generic/demo")
    with pytest.raises(OutputError, match="avx-nix/demo: it is a link"):
        house.index()
    for wheel in house.root.rglob("demo*.whl"):
        wheel.unlink()
    shutil.copytree(house.output / "avx2-nix/demo", house.base / "outside")
    page.unlink()
    page.symlink_to(house.base / "outside")
    assert write_index(house.site, str(house.output)).removed
    assert (house.base / "outside/index.html").exists()


PLACES = {
    "beside the root": ("sw/house", "sw/index"),
    "by way of a link": ("sw/house", "lustre/index"),
    "the root by way of a link": ("lustre/house", "sw/index"),
    "a link of its own": ("sw/house", "deep/er/link"),
    "a root that is a link": ("short", "sw/index"),
}


@pytest.mark.parametrize(("root", "output"), PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("moved", [False, True])
def test_links_are_right_for_the_path_as_given_and_as_it_is(
    tmp_path: Path, root: str, output: str, moved: bool
) -> None:
    (tmp_path / "lustre").mkdir()
    (tmp_path / "sw").symlink_to("lustre")
    (tmp_path / "lustre/idx").mkdir()
    (tmp_path / "deep/er").mkdir(parents=True)
    (tmp_path / "deep/er/link").symlink_to(tmp_path / "lustre/idx")
    make_tree(tmp_path / "lustre/house", {"generic": [PURE]})
    (tmp_path / "short").symlink_to("lustre/house")
    site = Site.default("/")._replace(root=str(tmp_path / root))
    assert write_index(site, str(tmp_path / output)).ok
    for place in (tmp_path / output, (tmp_path / output).resolve()):
        assert_right(place)
        assert listed(place, "avx-nix") == {"demo": [PURE]}
    if moved and output.endswith("/index"):
        (tmp_path / "lustre").rename(tmp_path / "elsewhere")
        assert_right(tmp_path / "elsewhere/index")


def test_everybody_can_read_it_and_the_group_go_on_with_it(house: House) -> None:
    house.root.chmod(0o2775)
    before = os.umask(0o077)
    try:
        house.index()
    finally:
        os.umask(before)
    for path in [house.output, *house.output.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o2775 if path.is_dir() else 0o664), (path, oct(mode))
    house.root.chmod(0o755)
    house.wheel("generic", "new-1.0-py3-none-any.whl")
    house.index()


def test_without_hard_links_there_are_copies(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refused(1))
    house.index()
    assert len({page.stat().st_ino for page in house.output.glob("*/demo/index.html")}) == 11
    assert house.index().written == 0


def test_a_damaged_state_is_made_anew(house: House) -> None:
    house.index()
    state = house.output / STATE_NAME
    content = state.read_bytes()
    half = len(content) // 2
    for damaged in (b"", b"x" * 5000, content[:half], content[:half] + b"\xff" * half):
        state.write_bytes(damaged)
        report = house.index()
        assert (report.read, report.written) == (3, 0)
        assert house.index().read == 0
    state.write_bytes(content[:half] + b"\xff" * half)
    with pytest.raises(OutputError, match=r"\.state\.sqlite: "):
        update(house.site, str(house.output), ["demo"])


# -- some projects ------------------------------------------------------------------------------------------


def test_update_touches_the_projects_that_it_is_given(house: House) -> None:
    house.index()
    other = house.output / "generic/other-thing/index.html"
    other.write_text("by hand")  # not looked at
    house.wheel("generic", "demo-2.0-py3-none-any.whl")
    house.wheel("generic", "strange-2.0-py3-none-any.whl")  # somebody's, whom nobody has read so far
    report = update(house.site, str(house.output), ["demo"])
    assert (report.read, report.written, report.removed) == (1, 11, 0)
    assert other.read_text() == "by hand"
    assert [each.text for each in links_of(house.output / "avx-nix/demo/index.html")] == [
        PURE, "demo-2.0-py3-none-any.whl"
    ]  # fmt: skip
    assert not (house.output / "generic/strange").exists()
    state = IndexState.open(str(house.output))
    assert state is not None
    for directory in house.site.directories():
        assert state.fresh(directory)
        assert {*(state.all_names(directory) or ())} == {
            name for name in listing.all_names(directory) if name.endswith(".whl")
        }
    report = house.index()
    assert report.read == 1
    assert {*listed(house.output, "generic")} == {"demo", "other-thing", "strange"}


def test_a_file_that_somebody_removed_is_off_its_page_with_the_next_update(house: House) -> None:
    house.index()
    (house.root / "generic" / OTHER).unlink()
    update(house.site, str(house.output), ["demo"])
    assert_right(house.output)
    assert listed(house.output, "generic") == {"demo": [PURE]}


def test_update_makes_an_index_where_there_is_none(house: House) -> None:
    assert update(house.site, str(house.output), ["demo"]).read == 3
    assert_right(house.output)
    assert house.index().written == 0
    # As the site file may change: pages of other rules are all looked at.
    report = update(house.site, str(house.output), ["demo"], IndexOptions(glibc=(2, 17)))
    assert report.read == 0


@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_what_is_about_to_go_is_on_no_page(house: House, first: bool) -> None:
    if not first:
        house.index()
    path = house.root / "generic" / PURE
    house.wheel("generic", "demo-1.0-1-py3-none-any.whl")  # has come meanwhile, and takes its place
    with without(house.site, str(house.output), [str(path), str(house.root / "elsewhere.whl")]):
        assert listed(house.output, "generic")["demo"] == ["demo-1.0-1-py3-none-any.whl"]
        path.unlink()
        assert_right(house.output)
    update(house.site, str(house.output), ["demo"])
    assert house.index()[4:7] == (0, 0, 0)


def test_what_did_not_go_is_on_its_page_again_with_the_next_run(house: House) -> None:
    house.index()
    with without(house.site, str(house.output), [str(house.root / "generic" / OTHER)]):
        assert "other-thing" not in listed(house.output, "generic")
    house.index()
    assert "other-thing" in listed(house.output, "generic")


def test_what_is_remembered_is_what_readers_find(house: House) -> None:
    house.wheel("generic", "needs-1.0-py3-none-any.whl", requires_python=">=3.9")
    house.index()
    state = IndexState.open(str(house.output))
    assert state is not None
    host_path = house.site.search_path_for("gentoo", "avx2")
    for directory in host_path:
        files = Tree(house.site).catalogue([directory]).candidates
        assert state.names(directory, ["demo"]) == [each.filename for each in files("demo")]  # type: ignore[arg-type]
        assert state.fresh(directory)
    row = state.wheel(host_path[-1], "needs-1.0-py3-none-any.whl")
    assert row is not None
    content = (house.root / "generic" / row.filename).read_bytes()
    assert (row.requires_python, row.sha256) == (">=3.9", hashlib.sha256(content).hexdigest())


def test_a_directory_that_may_still_change_is_not_fresh(house: House) -> None:
    house.index()
    generic = house.site.directories()[-1]
    house.wheel("generic", "late-1.0-py3-none-any.whl")
    whole = 10**9 * (generic_time(generic.path) // 10**9)
    os.utime(generic.path, ns=(whole, whole))  # as of a filesystem that counts seconds
    update(house.site, str(house.output), ["late"])
    state = IndexState.open(str(house.output))
    assert state is not None
    assert not state.fresh(generic)
    assert "late" in listed(house.output, "generic")
    os.utime(generic.path, ns=(whole - 10**10, whole - 10**10))
    house.index()
    state = IndexState.open(str(house.output))
    assert state is not None
    assert state.fresh(generic)


def generic_time(path: str) -> int:
    return os.stat(path).st_mtime_ns


# -- .metadata files ----------------------------------------------------------------------------------------


def test_metadata_files_are_beside_the_wheels_and_go_with_them(house: House) -> None:
    house.index()
    report = house.index(metadata=True)
    assert (report.read, report.written) == (0, 22)
    assert house.index(metadata=True).written == 0
    beside = house.root / "generic" / f"{PURE}.metadata"
    (link,) = [each for each in links_of(house.output / "generic/demo/index.html") if each.text == PURE]
    stated = f"sha256={hashlib.sha256(beside.read_bytes()).hexdigest()}"
    assert link.attributes["data-core-metadata"] == link.attributes["data-dist-info-metadata"] == stated
    assert beside.read_text().startswith("Metadata-Version:")
    assert stat.S_IMODE(beside.stat().st_mode) == 0o644
    beside.unlink()
    assert house.index(metadata=True).written == 0
    assert beside.exists()
    state = IndexState.open(str(house.output))
    assert state is not None
    assert all(map(state.fresh, house.site.directories()))
    with without(house.site, str(house.output), [str(house.root / "generic" / PURE)], IndexOptions(True)):
        (house.root / "generic" / PURE).unlink()
    update(house.site, str(house.output), ["demo"], IndexOptions(metadata=True))
    assert not beside.exists()
    report = house.index()  # without --metadata
    assert (report.metadata, report.written) == (2, 13)
    assert (house.root / "generic" / f"{OTHER}.metadata").exists()
    (link,) = links_of(house.output / "generic/other-thing/index.html")
    assert "data-core-metadata" not in link.attributes


def test_progress_goes_up_to_all_files(house: House) -> None:
    steps: list[tuple[int, int]] = []

    class Observer(IndexObserver):
        def progress(self, done: int, total: int) -> None:
            steps.append((done, total))

    house.index(observer=Observer())
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_what_was_read_is_kept_though_the_run_is_killed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_SAVE_EVERY", -1)
    monkeypatch.setattr(run, "_BATCH", 1)
    monkeypatch.setattr(PageWriter, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        house.index()
    monkeypatch.undo()
    report = house.index(jobs=3)
    assert (report.read, report.written) == (0, 33)
    assert listed(house.output, "generic") == {"demo": [PURE], "other-thing": [OTHER]}


def test_the_paths_may_be_odd(tmp_path: Path) -> None:
    odd = tmp_path / "a b%c#d?é"
    site = make_tree(odd / "h'\"<&", {"generic": ["demo-1.0+local-py3-none-any.whl"]})
    write_index(site, str(odd / "x y"))
    assert_right(odd / "x y")
    assert listed(odd / "x y", "avx-nix") == {"demo": ["demo-1.0+local-py3-none-any.whl"]}
    assert IndexState.open(str(odd / "x y")) is not None
