from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, NormalizedName, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from tests.factories import BUILTIN_LABELS, make_tree, make_wheel
from wheelhouse_resolver.errors import InvalidRequirementError, NoWheelhouseError, UnreadableDirectoryError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename, parse_candidate
from wheelhouse_resolver.tree.catalogue import Catalogue
from wheelhouse_resolver.wheelhouse import Wheelhouse

AVX = Host(arch="avx", layer="gentoo")

HERE = Directory("/sw/gentoo/avx2", "gentoo/avx2", "gentoo", "avx2", 400)


def put(site: Site, label: str, *filenames: str) -> None:
    """Empty files: candidates are judged by their names alone."""
    for filename in filenames:
        path = Path(site.root, label, filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def fits_python_3(tags: frozenset[Tag]) -> bool:
    return any(tag.interpreter == "py3" for tag in tags)


def found(site: Site, project: str, host: Host = AVX) -> list[str]:
    candidates = Wheelhouse(site).candidates(project, host)
    return [f"{each.directory.label}/{each.filename}" for each in candidates]


def test_candidates_come_from_the_most_specific_directory_first_and_sorted_within(tmp_path: Path) -> None:
    site = Site.default(tmp_path)
    put(site, "generic", "demo-1.0-py3-none-any.whl")
    put(site, "gentoo/sse3", "demo-2.0-py3-none-any.whl", "demo-1.0-py3-none-any.whl")
    put(site, "gentoo/avx", "demo-0.1-py3-none-any.whl")
    assert found(site, "demo") == [
        "gentoo/avx/demo-0.1-py3-none-any.whl",
        "gentoo/sse3/demo-1.0-py3-none-any.whl",
        "gentoo/sse3/demo-2.0-py3-none-any.whl",
        "generic/demo-1.0-py3-none-any.whl",
    ]


def test_directories_outside_the_search_path_are_not_even_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_tree(tmp_path, {"nix/avx": ["demo-1.0-py3-none-any.whl"]})
    listed: list[str] = []
    scandir = os.scandir

    def watch(path: str) -> Any:
        listed.append(os.path.relpath(path, tmp_path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watch)
    assert found(site, "demo") == []
    assert listed == ["gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic"]


@pytest.mark.parametrize(
    "filename",
    [
        "foo_bar_baz-1.0-py3-none-any.whl",
        "Foo_Bar_baz-1.0-py3-none-any.whl",
        "FOO.BAR.BAZ-1.0-py3-none-any.whl",
        "foo_bar.baz-1.0-1-py3-none-any.whl",
    ],
)
@pytest.mark.parametrize("project", ["foo-bar-baz", "Foo.Bar_baz", "FOO__BAR--baz"])
def test_a_project_is_found_in_every_spelling(tmp_path: Path, project: str, filename: str) -> None:
    site = Site.default(tmp_path)
    put(site, "generic", filename)
    assert found(site, project) == [f"generic/{filename}"]


@pytest.mark.parametrize(
    "filename",
    [
        "foobar-1.0-py3-none-any.whl",
        "foo_bar-1.0-py3-none-any.whl",
        "foo.bar-1.0-py3-none-any.whl",
        "fo-1.0-py3-none-any.whl",
        "xfoo-1.0-py3-none-any.whl",
        "foo-1.0.tar.gz",
        "foo-1.0-py3-none-any.whl.part",
        ".foo-1.0-py3-none-any.whl",
        "foo",
    ],
)
def test_what_is_another_project_or_no_wheel_is_no_candidate(tmp_path: Path, filename: str) -> None:
    site = Site.default(tmp_path)
    put(site, "generic", filename)
    assert Wheelhouse(site).read("foo", site.search_path(AVX).directories) == []


def test_what_a_file_name_says() -> None:
    candidate = parse_candidate("Foo.Bar-1.0+site-400007avx2-cp39.cp310-abi3-linux_x86_64.whl", HERE)
    assert isinstance(candidate, Candidate)
    assert candidate.name == "foo-bar"
    assert candidate.version == Version("1.0+site")
    assert candidate.build == (400007, "avx2")
    assert {str(tag) for tag in candidate.tags} == {"cp39-abi3-linux_x86_64", "cp310-abi3-linux_x86_64"}
    assert candidate.path == "/sw/gentoo/avx2/Foo.Bar-1.0+site-400007avx2-cp39.cp310-abi3-linux_x86_64.whl"
    assert candidate.to_dict() == {
        "name": "foo-bar",
        "version": "1.0+site",
        "filename": "Foo.Bar-1.0+site-400007avx2-cp39.cp310-abi3-linux_x86_64.whl",
        "path": candidate.path,
        "layer": "gentoo",
        "arch": "avx2",
        "rank": 400,
    }


MISNAMED = [
    "foo.whl",
    "foo-1.0.whl",
    "foo-1.0-py3-none.whl",
    "foo-not.a.version-py3-none-any.whl",
    "foo-1.0-build-py3-none-any.whl",
    "foo-1.0-1-2-py3-none-any.whl",
    "foo-1.0-py3-none-any",
    "foo--py3-none-any.whl",
    "foo__bar-1.0-py3-none-any.whl",
]


@pytest.mark.parametrize("filename", MISNAMED)
def test_a_name_that_is_no_wheel_name_is_misnamed_and_says_why(filename: str) -> None:
    misnamed = parse_candidate(filename, HERE)
    assert isinstance(misnamed, InvalidFilename)
    assert misnamed.problem
    assert misnamed.path == f"/sw/gentoo/avx2/{filename}"


#: Parts of names, good, odd and bad, and anything that a file name may hold.
_ANYTHING = st.text(st.characters(exclude_characters="/\0", exclude_categories=()), max_size=6)
_SPELLINGS = st.sampled_from(
    ["foo", "Foo.Bar_baz", "foo__bar", "_foo", "foo_", "1", "é", "foo bar", "", "x.-y", "a._b", "v1", "日本"]
)
_VERSION_TEXTS = st.sampled_from(
    [
        "1.0",
        "1.0.0",
        "1!2.0rc1.post2.dev3+A.b_c",
        "v1",
        " 1.0",
        "1.0+",
        "1.x",
        "",
        "1_0",
        "01.0",
        "١",
        "1.0\n",
    ]
)
_BUILD_TEXTS = st.sampled_from(["", "-1", "-007x", "-x", "-", "-1-2", "-400000avx2", "-1 ", "-١", "-1\n"])
_TAG_TEXTS = st.sampled_from(
    [
        "py3-none-any",
        "py2.py3-none-any",
        "cp39.cp310-abi3.none-linux_x86_64.manylinux_2_17_x86_64",
        "CP311-cp311-Linux_X86_64",
        "py3--any",
        "py3.-none-any",
        "-none-any",
        "3py-none-any",
        "py3-none",
        "py3-none-any.whl",
        "py3-no ne-any",
        "py3-none-a\ny",
    ]
)


@settings(max_examples=1000, deadline=None)
@given(
    spelling=_SPELLINGS | _ANYTHING,
    version=_VERSION_TEXTS | _ANYTHING,
    build=_BUILD_TEXTS | _ANYTHING,
    tags=_TAG_TEXTS | _ANYTHING,
    suffix=st.sampled_from([".whl"] * 6 + ["", ".WHL", ".whl.part", ".zip"]),
)
def test_a_name_means_exactly_what_packaging_says(
    spelling: str, version: str, build: str, tags: str, suffix: str
) -> None:
    filename = f"{spelling}-{version}{build}-{tags}{suffix}"
    found = parse_candidate(filename, HERE)
    if isinstance(found, InvalidFilename):
        with pytest.raises(InvalidWheelFilename) as raised:
            parse_wheel_filename(filename)
        problem = str(raised.value).replace("Invalid wheel filename", "invalid wheel file name")
        assert found == InvalidFilename(filename, HERE, problem)
    else:
        name, read, number, triples = parse_wheel_filename(filename)
        assert found == Candidate(name, read, number, triples, filename, HERE)
        assert str(found.version) == str(read)


def test_misnamed_files_are_no_candidates_but_are_read(tmp_path: Path) -> None:
    site = Site.default(tmp_path)
    put(site, "generic", "foo-1.0-py3-none-any.whl", "foo-1.0-py3-none.whl")
    assert found(site, "foo") == ["generic/foo-1.0-py3-none-any.whl"]
    read = Wheelhouse(site).read("foo", site.search_path(AVX).directories)
    assert [type(each) for each in read] == [Candidate, InvalidFilename]


@pytest.mark.parametrize("filename", [name for name in MISNAMED if name.endswith(".whl")])
def test_misnamed_files_of_any_project_are_listed(tmp_path: Path, filename: str) -> None:
    site = Site.default(tmp_path)
    put(site, "gentoo/avx", filename, "sound-1.0-py3-none-any.whl", "notes.txt")
    misnamed = Wheelhouse(site).misnamed(site.search_path(AVX).directories)
    assert [each.filename for each in misnamed] == [filename]


def test_a_symbolic_link_is_a_candidate_under_its_own_name(tmp_path: Path) -> None:
    site = make_tree(tmp_path, {})
    store = make_wheel(tmp_path / "store", "demo-1.0-py3-none-any.whl")
    (tmp_path / "gentoo/avx/demo-1.0-300000avx-py3-none-any.whl").symlink_to(store)
    assert found(site, "demo") == ["gentoo/avx/demo-1.0-300000avx-py3-none-any.whl"]


def test_directories_that_do_not_exist_hold_nothing(tmp_path: Path) -> None:
    site = Site.default(tmp_path)
    assert found(site, "demo") == []
    (tmp_path / "gentoo").write_text("a file where a directory could be")
    assert found(site, "demo") == []


@pytest.mark.parametrize("kind", ["missing", "a file", "a dangling link"])
def test_without_a_root_every_method_says_so(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "root"
    if kind == "a file":
        root.touch()
    elif kind == "a dangling link":
        root.symlink_to(tmp_path / "gone")
    wheelhouse = Wheelhouse(Site.default(root))
    with pytest.raises(NoWheelhouseError, match="wheelhouse"):
        wheelhouse.candidates("demo", AVX)
    with pytest.raises(NoWheelhouseError):
        wheelhouse.misnamed([])
    with pytest.raises(NoWheelhouseError) as raised:
        wheelhouse.pick("demo", AVX)
    error = raised.value
    assert error.root == error.filename == str(root)
    assert error.errno == (errno.ENOTDIR if kind == "a file" else errno.ENOENT)
    assert error.hint.endswith(f"or make it: wheelhouse-resolver init --root {root}")


def test_a_directory_that_cannot_be_listed_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_tree(tmp_path, {})
    scandir = os.scandir

    def refuse(path: str) -> Iterator[os.DirEntry[str]]:
        if path.endswith("sse3"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UnreadableDirectoryError) as raised:
        found(site, "demo")
    assert raised.value.path == f"{tmp_path}/gentoo/sse3"
    assert str(raised.value).startswith(f"cannot list {tmp_path}/gentoo/sse3: Permission denied")


@pytest.mark.parametrize("project", ["", " ", "../demo", "demo>=1", "dé"])
def test_what_is_no_name_of_a_project_is_refused(tmp_path: Path, project: str) -> None:
    site = make_tree(tmp_path, {})
    with pytest.raises(InvalidRequirementError, match="name"):
        Wheelhouse(site).candidates(project, AVX)


class TestCatalogue:
    def test_the_files_of_a_project_in_the_order_of_the_directories(self, tmp_path: Path) -> None:
        site = make_tree(
            tmp_path,
            {
                "generic": ["a_b-1.0-py3-none-any.whl", "c-1.0-py3-none-any.whl"],
                "gentoo/avx": ["A.B-1.0-py3-none-any.whl", "a_b-2.0-py3-none-any.whl"],
            },
        )
        (tmp_path / "generic/c-1.0.whl").touch()
        (tmp_path / "generic/README").touch()
        (tmp_path / "generic/odd.whl").touch()
        directories = [d for d in site.directories() if d.label in ("generic", "gentoo/avx")]
        catalogue = Wheelhouse(site).catalogue(directories)
        assert catalogue.projects == ["a-b", "c"]
        both, other = (canonicalize_name(name) for name in ("A_B", "c"))
        labels = [f"{each.directory.label}/{each.filename}" for each in catalogue.files(both)]
        assert labels == [
            "gentoo/avx/A.B-1.0-py3-none-any.whl",
            "gentoo/avx/a_b-2.0-py3-none-any.whl",
            "generic/a_b-1.0-py3-none-any.whl",
        ]
        assert [type(each) for each in catalogue.files(other)] == [Candidate, InvalidFilename]
        assert [each.filename for each in catalogue.candidates(other)] == ["c-1.0-py3-none-any.whl"]
        assert catalogue.files(canonicalize_name("missing")) == []

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        site = Site.default(tmp_path)
        put(
            site,
            "gentoo/avx",
            "A.b-2.0rc1-py3-none-any.whl",
            "A.b-1.0-py3-none-any.whl",
            "a_b-1.0.0-1-cp311-cp311-win_amd64.whl",
            "a_b-3.0-cp27-none-any.whl",
            "a_b-9.0-x-py3-none-any.whl",
            "a_b-x-py3-none-any.whl",
            "a_b-1.0.whl",
        )
        put(
            site, "generic", "a_b-1.0.0-py3-none-any.whl", "pre-1.0rc1-py3-none-any.whl", "a_b-9.txt", "c.whl"
        )
        return site

    AB = canonicalize_name("a-b")

    def test_candidates_whose_tags_fit(self, site: Site) -> None:
        catalogue = Wheelhouse(site).catalogue(site.directories())
        pure = [each.filename for each in catalogue.candidates(self.AB, fits_python_3)]
        assert sorted(pure) == [
            "A.b-1.0-py3-none-any.whl",
            "A.b-2.0rc1-py3-none-any.whl",
            "a_b-1.0.0-py3-none-any.whl",
        ]
        everything = catalogue.candidates(self.AB, lambda _: True)
        assert {*everything} == {*catalogue.candidates(self.AB)}
        assert catalogue.candidates(canonicalize_name("missing"), fits_python_3) == []

    @pytest.mark.parametrize(
        ("project", "prereleases", "names"),
        [
            ("a-b", False, ["A.b-1.0-py3-none-any.whl", "a_b-1.0.0-py3-none-any.whl"]),
            ("a-b", True, ["A.b-2.0rc1-py3-none-any.whl"]),
            ("pre", False, ["pre-1.0rc1-py3-none-any.whl"]),
            ("c", False, []),
        ],
    )
    def test_the_newest_of_them(
        self, project: NormalizedName, prereleases: bool, names: list[str], site: Site
    ) -> None:
        catalogue = Wheelhouse(site).catalogue(site.directories())
        found = catalogue.newest(project, fits_python_3, prereleases=prereleases)
        assert [each.filename for each in found] == names

    def test_a_misnamed_file_is_never_the_newest(self, site: Site) -> None:
        put(site, "generic", "a__b-5.0-py3-none-any.whl", "_-9.0-py3-none-any.whl")
        catalogue = Wheelhouse(site).catalogue(site.directories())
        assert [str(each.version) for each in catalogue.newest(self.AB, fits_python_3)] == ["1.0", "1.0.0"]

    @pytest.mark.parametrize("count", [0, 1, 2, 20])
    def test_of_some_projects_it_holds_the_same(self, count: int, site: Site) -> None:
        wanted = [self.AB, canonicalize_name("pre"), *(canonicalize_name(f"p{n}") for n in range(18))][:count]
        some = Wheelhouse(site).catalogue(site.directories(), wanted)
        everything = Wheelhouse(site).catalogue(site.directories())
        for project in wanted:
            assert some.files(project) == everything.files(project)
        assert some.projects == everything.projects[: min(count, 2)] or count > 8

    def test_it_holds_what_read_finds(self, tmp_path: Path) -> None:
        site = make_tree(tmp_path, {label: ["x_y-1.0-py3-none-any.whl"] for label in BUILTIN_LABELS})
        found = Wheelhouse(site).catalogue(site.directories()).files(canonicalize_name("x-y"))
        assert found == Wheelhouse(site).read("x-y", site.directories())


_PROJECTS = st.lists(
    st.text("abc-1", min_size=1, max_size=9).filter(lambda name: name == canonicalize_name(name).strip("-"))
)


@given(projects=_PROJECTS, name=st.text("abc1", min_size=1, max_size=9))
def test_close_names_are_those_of_difflib(projects: list[str], name: str) -> None:
    catalogue = Catalogue({NormalizedName(project): () for project in projects}, {})
    squeezed = {project.replace("-", ""): project for project in sorted(projects, reverse=True)}
    near = difflib.get_close_matches(name, squeezed, n=3, cutoff=0.7)
    assert catalogue.close_to(NormalizedName(name)) == [squeezed[each] for each in near]
