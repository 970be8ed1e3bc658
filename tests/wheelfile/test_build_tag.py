"""Stamps: a directory's rank as the build tag of its wheels."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.site.layout import Arch, Directory, Layer
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelfile.build_tag import (
    BAND,
    StampError,
    Stamping,
    StampState,
    build_text,
    renamed,
    stamp_build,
    stamped_name,
    stamping,
)

SITE = Site.default("/sw/wheelhouse")
BY_LABEL = {directory.label: directory for directory in SITE.directories()}
AVX2 = BY_LABEL["gentoo/avx2"]


def stamped(filename: str, label: str = "gentoo/avx2", site: Site = SITE) -> str:
    """The stamped name of *filename* in the directory *label*."""
    directory = next(each for each in site.directories() if each.label == label)
    _, _, build, _ = parse_wheel_filename(filename)
    return stamped_name(filename, build, directory, site)


@pytest.mark.parametrize(
    ("label", "build"),
    [
        ("generic", "1000generic"),
        ("nix/generic", "100000generic"),
        ("nix/sse3", "200000sse3"),
        ("nix/avx", "300000avx"),
        ("gentoo/avx2", "400000avx2"),
        ("gentoo/avx512", "500000avx512"),
    ],
)
def test_each_directory_has_its_own_band(label: str, build: str) -> None:
    assert build_text(stamp_build(BY_LABEL[label])) == build
    assert stamped("numpy-1.26.4-cp311-cp311-linux_x86_64.whl", label) == (
        f"numpy-1.26.4-{build}-cp311-cp311-linux_x86_64.whl"
    )


@pytest.mark.parametrize(
    ("own", "build"), [("0", "400000avx2"), ("1", "400001avx2"), ("12", "400012avx2"), ("999", "400999avx2")]
)
def test_upstreams_build_number_goes_into_the_band(own: str, build: str) -> None:
    assert stamped(f"x-1.0-{own}-py3-none-any.whl") == f"x-1.0-{build}-py3-none-any.whl"


def test_upstreams_build_text_gives_way_to_the_arch() -> None:
    assert stamped("x-1.0-2local-py3-none-any.whl") == "x-1.0-400002avx2-py3-none-any.whl"


@pytest.mark.parametrize("own", ["1000", "20240101", "1000x"])
def test_a_build_number_that_does_not_fit_is_an_error(own: str) -> None:
    filename = f"x-1.0-{own}-py3-none-any.whl"
    with pytest.raises(StampError) as caught:
        stamped(filename)
    error = caught.value
    assert isinstance(error, WheelhouseError)
    assert isinstance(error, ValueError)
    assert error.filename == filename
    assert error.own == int(own.rstrip("x"))
    assert str(error) == f"{filename}: build number {error.own} does not fit a stamp (0 to 999)"
    assert error.hint == "rename it with a lower one"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_dashes_of_an_arch_are_written_as_underscores() -> None:
    site = Site(
        root="/sw",
        ladder=(Arch("x86-64-v3", 400, "x86_64_v3"), Arch("x86-64-v4", 500, "x86_64_v4")),
        layers=(Layer(name="gentoo", directories=("gentoo",), archs=("x86-64-v3", "x86-64-v4")),),
    )
    name = stamped("x-1.0-3-cp311-cp311-linux_x86_64.whl", "gentoo/x86-64-v4", site)
    assert name == "x-1.0-500003x86_64_v4-cp311-cp311-linux_x86_64.whl"
    _, _, build, _ = parse_wheel_filename(name)
    higher = next(each for each in site.directories() if each.label == "gentoo/x86-64-v4")
    lower = next(each for each in site.directories() if each.label == "gentoo/x86-64-v3")
    assert stamping(build, higher, site) == Stamping(StampState.CURRENT, 3)
    assert stamping(build, lower, site) == Stamping(StampState.STALE, 3)


def test_a_layers_own_name_for_its_directory_does_not_change_the_stamp() -> None:
    layer = Layer(
        name="gentoo2023", directories=("gentoo2023",), archs=("avx2",), names=(("avx2", "x86-64-v3"),)
    )
    site = Site(root="/sw", layers=(layer,))
    assert stamped("x-1.0-py3-none-any.whl", "gentoo2023/x86-64-v3", site) == (
        "x-1.0-400000avx2-py3-none-any.whl"
    )


def test_directories_side_by_side_have_bands_side_by_side() -> None:
    layer = Layer(name="gentoo2020", directories=("gentoo2020", "gentoo"), archs=("avx2",))
    site = Site(root="/sw", layers=(layer,))
    first = stamped("x-1.0-py3-none-any.whl", "gentoo2020/avx2", site)
    second = stamped("x-1.0-999-py3-none-any.whl", "gentoo/avx2", site)
    assert first == "x-1.0-401000avx2-py3-none-any.whl"
    assert second == "x-1.0-400999avx2-py3-none-any.whl"


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ((), Stamping(StampState.NONE, 0)),
        ((0, ""), Stamping(StampState.NONE, 0)),
        ((3, "post"), Stamping(StampState.NONE, 3)),
        ((999, "avx2"), Stamping(StampState.NONE, 999)),
        ((20240101, ""), Stamping(StampState.NONE, 20240101)),
        ((400000, "avx"), Stamping(StampState.STALE, 0)),
        ((400000, "avx2"), Stamping(StampState.CURRENT, 0)),
        ((400017, "avx2"), Stamping(StampState.CURRENT, 17)),
        ((400999, "avx2"), Stamping(StampState.CURRENT, 999)),
        ((401000, "avx2"), Stamping(StampState.STALE, 0)),
        ((300005, "avx"), Stamping(StampState.STALE, 5)),
        ((1002, "generic"), Stamping(StampState.STALE, 2)),
        ((400000, "AVX2"), Stamping(StampState.NONE, 400000)),
        ((400000, "haswell"), Stamping(StampState.NONE, 400000)),
    ],
    ids=str,
)
def test_a_build_tag_is_a_stamp_a_stale_one_or_upstreams(
    build: tuple[()] | tuple[int, str], expected: Stamping
) -> None:
    assert stamping(build, AVX2, SITE) == expected


def test_another_rank_makes_a_stamp_stale_and_restamping_keeps_the_own_number() -> None:
    ladder = tuple(arch._replace(rank=450) if arch.name == "avx2" else arch for arch in SITE.ladder)
    changed = SITE._replace(ladder=ladder)
    directory = next(each for each in changed.directories() if each.label == "gentoo/avx2")
    assert stamping((400007, "avx2"), directory, changed) == Stamping(StampState.STALE, 7)
    assert stamped("x-1.0-400007avx2-py3-none-any.whl", site=changed) == "x-1.0-450007avx2-py3-none-any.whl"


def test_moving_a_wheel_to_another_directory_moves_it_to_that_band() -> None:
    there = stamped("x-1.0-4-py3-none-any.whl", "nix/avx512")
    assert stamped(there, "generic") == "x-1.0-1004generic-py3-none-any.whl"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "x-1.0-2b-cp311-cp311-linux_x86_64.whl"),
        ({"version": "1.0+site"}, "x-1.0+site-2b-cp311-cp311-linux_x86_64.whl"),
        ({"build": (7, "a")}, "x-1.0-7a-cp311-cp311-linux_x86_64.whl"),
        ({"build": ()}, "x-1.0-cp311-cp311-linux_x86_64.whl"),
        ({"tags": "py3-none-any"}, "x-1.0-2b-py3-none-any.whl"),
        (
            {"version": "2", "build": (1, ""), "tags": "py2.py3-none-any"},
            "x-2-1-py2.py3-none-any.whl",
        ),
    ],
    ids=str,
)
def test_renaming_changes_what_is_asked_and_nothing_else(change: dict[str, object], expected: str) -> None:
    if "tags" in change:
        change = {**change, "tags": parse_tag(str(change["tags"]))}
    assert renamed("x-1.0-2b-cp311-cp311-linux_x86_64.whl", **change) == expected  # type: ignore[arg-type]


def test_renaming_a_name_without_a_build_tag_adds_one() -> None:
    assert renamed("x-1.0-py3-none-any.whl", build=(5, "z")) == "x-1.0-5z-py3-none-any.whl"


PROJECTS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9]|_(?!_))*[A-Za-z0-9]|[A-Za-z0-9]", fullmatch=True)
VERSIONS = st.from_regex(
    r"([1-9]!)?[0-9]{1,3}([.][0-9]{1,3}){0,3}((a|b|rc)[0-9])?([.]post[0-9])?([+][a-z][0-9]?)?", fullmatch=True
)
TAGS = st.sampled_from(
    [
        "py3-none-any",
        "py2.py3-none-any",
        "cp311-cp311-linux_x86_64",
        "cp37-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
    ]
)
OWN = st.integers(min_value=0, max_value=BAND - 1)
DIRECTORIES = st.sampled_from(SITE.directories())


@given(DIRECTORIES, OWN, DIRECTORIES, OWN)
def test_stamps_order_as_rank_and_then_own_number(one: Directory, a: int, other: Directory, b: int) -> None:
    first, second = stamp_build(one, a), stamp_build(other, b)
    if one.rank != other.rank:
        assert (first < second) == (one.rank < other.rank)
    elif one.arch == other.arch:
        assert (first < second) == (a < b)


@given(DIRECTORIES, OWN)
def test_a_stamp_beats_every_own_build_tag_and_none(directory: Directory, own: int) -> None:
    assert stamp_build(directory) > (own, "zzz") > ()


@given(PROJECTS, VERSIONS, st.one_of(st.none(), OWN), TAGS, DIRECTORIES)
def test_a_stamped_name_is_still_the_name_of_that_wheel(
    project: str, version: str, own: int | None, tags: str, directory: Directory
) -> None:
    middle = "" if own is None else f"-{own}"
    filename = f"{project}-{version}{middle}-{tags}.whl"
    _, _, build, old_tags = parse_wheel_filename(filename)
    name = stamped_name(filename, build, directory, SITE)
    parsed_name, parsed_version, parsed_build, parsed_tags = parse_wheel_filename(name)
    assert parsed_name == canonicalize_name(project)
    assert parsed_version == Version(version)
    assert parsed_tags == old_tags
    assert parsed_build == stamp_build(directory, own or 0)
    assert stamping(parsed_build, directory, SITE) == Stamping(StampState.CURRENT, own or 0)
    assert Path(name).name == name
    assert stamped_name(name, parsed_build, directory, SITE) == name  # twice is once


@given(OWN, st.lists(DIRECTORIES, min_size=1, max_size=5))
def test_however_often_a_wheel_moves_its_own_number_stays(own: int, path: list[Directory]) -> None:
    name = f"x-1.0-{own}-py3-none-any.whl"
    for directory in path:
        _, _, build, _ = parse_wheel_filename(name)
        name = stamped_name(name, build, directory, SITE)
    assert name == f"x-1.0-{build_text(stamp_build(path[-1], own))}-py3-none-any.whl"
