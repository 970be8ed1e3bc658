"""The models of how installers choose among wheels of one version.

That they say what the real programs do is asserted where these are asked: test_audit_prediction, conformance.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from packaging.tags import Tag, parse_tag

from tests.factories import make_wheel
from tests.programs import MACHINE, PROGRAMS, Program, glibc_levels, program_of
from wheelhouse_resolver.installers.ordering import (
    INSTALLERS,
    Installer,
    PythonKind,
    accepted_by,
    choice,
    tag_priorities,
)
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelfile.tags import machine_of, pythons_of

PYTHON = PythonKind((3, 11), "", "x86_64")
BY_LABEL = {directory.label: directory for directory in Site.default("/sw").directories()}

NEWEST, MIDDLE, EARLY, OLD, UV = INSTALLERS


def candidate(where: str | Directory, ending: str) -> Candidate:
    directory = BY_LABEL[where] if isinstance(where, str) else where
    found = parse_candidate(f"x-1.0-{ending}.whl", directory)
    assert isinstance(found, Candidate)
    return found


def label_chosen(installer: Installer, *candidates: Candidate) -> str | None:
    """Where the wheel is that *installer* takes, in whatever order the wheels come."""
    labels = set()
    for seed in range(4):
        mixed = list(candidates)
        Random(seed).shuffle(mixed)
        chosen = choice(installer, mixed, PYTHON)
        labels.add(chosen.directory.label if chosen is not None else None)
    (label,) = labels
    return label


def every(newest: str, middle: str, early: str, old: str, uv: str) -> list[tuple[Installer, str]]:
    """One answer for each installer."""
    return list(zip(INSTALLERS, (newest, middle, early, old, uv), strict=True))


@pytest.mark.parametrize("installer", INSTALLERS, ids=lambda each: each.name)
def test_of_equal_tags_the_highest_build_tag_wins(installer: Installer) -> None:
    low, high = candidate("nix/sse3", "9-py3-none-any"), candidate("nix/avx2", "10-py3-none-any")
    none = candidate("nix/avx", "py3-none-any")
    assert label_chosen(installer, low, high, none) == "nix/avx2"
    assert label_chosen(installer, low, none) == "nix/sse3"
    letters = candidate("nix/generic", "10a-py3-none-any")
    assert label_chosen(installer, high, letters) == "nix/generic"


@pytest.mark.parametrize(
    ("installer", "expected"),
    every("nix/avx", "nix/avx", "nix/avx", "nix/avx512", "nix/avx"),
    ids=lambda each: getattr(each, "name", ""),
)
def test_of_wheels_that_are_all_the_same_the_url_decides(installer: Installer, expected: str) -> None:
    same = [candidate(label, "py3-none-any") for label in ("nix/avx2", "nix/avx", "nix/avx512")]
    assert label_chosen(installer, *same) == expected


@pytest.mark.parametrize(
    ("installer", "expected"),
    every("nix/generic", "nix/generic", "nix/avx2", "nix/avx2", "nix/generic"),
    ids=lambda each: getattr(each, "name", ""),
)
def test_the_tag_goes_before_the_build_tag_except_in_early_pips(installer: Installer, expected: str) -> None:
    better_tag = candidate("nix/generic", "1-cp311-cp311-linux_x86_64")
    better_build = candidate("nix/avx2", "2-cp37-abi3-linux_x86_64")
    assert label_chosen(installer, better_tag, better_build) == expected


@pytest.mark.parametrize(
    ("installer", "expected"),
    every("nix/avx2", "nix/generic", "nix/avx2", "nix/avx2", "nix/generic"),
    ids=lambda each: getattr(each, "name", ""),
)
def test_linux_against_manylinux(installer: Installer, expected: str) -> None:
    many = candidate("nix/generic", "1-cp311-cp311-manylinux2014_x86_64")
    plain = candidate("nix/avx2", "2-cp311-cp311-linux_x86_64")
    assert label_chosen(installer, many, plain) == expected


def test_pip_before_20_3_knows_manylinux_by_its_old_names_only() -> None:
    perennial = candidate("nix/avx2", "cp311-cp311-manylinux_2_17_x86_64")
    both = candidate("nix/avx", "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64")
    assert choice(OLD, [perennial], PYTHON) is None
    assert choice(OLD, [perennial, both], PYTHON) == both
    assert accepted_by(OLD, [perennial, both], PYTHON)[0] == [both]
    assert accepted_by(EARLY, [perennial, both], PYTHON)[0] == [perennial, both]


def test_uv_drops_a_build_number_beyond_64_bits() -> None:
    highest = candidate("nix/avx2", f"{2**64 - 1}-py3-none-any")
    beyond = candidate("nix/avx512", f"{2**64}-py3-none-any")
    assert label_chosen(UV, highest, beyond) == "nix/avx2"
    assert label_chosen(UV, beyond) is None
    assert label_chosen(NEWEST, highest, beyond) == "nix/avx512"


def test_a_wheel_for_another_python_or_machine_is_no_choice() -> None:
    others = [
        candidate("nix/avx2", ending)
        for ending in (
            "cp310-cp310-linux_x86_64",
            "cp312-abi3-linux_x86_64",
            "cp311-cp311-linux_aarch64",
            "cp311-cp311-win_amd64",
            "py2-none-any",
        )
    ]
    for installer in INSTALLERS:
        assert choice(installer, others, PYTHON) is None
        assert choice(installer, [], PYTHON) is None


#: Wheels of one version and build tag that fit a Python equally well, by their one best tag, but that are not
#: named alike: which uv takes, wherever they stand. The second one is what pip takes if its URL is smaller.
UV_TIES = [
    ("py3-none-any", "py2.py3-none-any"),
    ("1-py2.py3-none-any", "1-py3-none-any"),
    ("1-py3-none-any", "1-py3.py30-none-any"),
    ("py3.py31-none-any", "py31.py3-none-any"),
    ("cp37.cp38-abi3-{linux}", "cp38.cp37-abi3-{linux}"),
    ("cp38-abi3-{linux}", "cp38-abi3.none-{linux}"),
    ("1-cp38-none.abi3-{linux}", "1-cp38-abi3.none-{linux}"),
]
UV_MANYLINUX_TIES = [
    ("py3-none-{many}", "py3-none-{linux}.{many}"),
    ("1-py3-none-{many}", "1-py3-none-{linux}.{many}"),
    ("py3-none-{many}.{older}", "py3-none-{linux}.{many}"),
    ("1-py3-none-{older}.{many}", "1-py3-none-{many}.{older}"),
    ("1-py3-none-manylinux1_{machine}.{many}", "1-py3-none-{linux}.{many}"),
]


def test_uv_has_an_order_of_its_own_for_wheels_that_fit_equally_well() -> None:
    words = {
        "machine": "x86_64",
        "linux": "linux_x86_64",
        "many": "manylinux_2_28_x86_64",
        "older": "manylinux_2_5_x86_64",
    }
    ways: list[list[str]] = [["nix/avx", "nix/avx2"], ["nix/avx2", "nix/avx"]]
    for first, second in [*UV_TIES, *UV_MANYLINUX_TIES]:
        for places in ways:
            wheels = [
                candidate(place, ending.format(**words))
                for place, ending in zip(places, (first, second), strict=True)
            ]
            assert choice(UV, wheels, PYTHON) == wheels[0]
            if places[1] == "nix/avx" and "linux" not in second:
                assert choice(NEWEST, wheels, PYTHON) == wheels[1]


def test_pip_compares_the_urls_of_files_and_uv_those_of_directories() -> None:
    directories = [
        Directory(f"/sw/nix/{name}", f"nix/{name}", "nix", "avx", 300) for name in ("avx", "avx-fma")
    ]
    wheels = [candidate(each, "py3-none-any") for each in directories]
    assert label_chosen(NEWEST, *wheels) == "nix/avx-fma"
    assert label_chosen(UV, *wheels) == "nix/avx"


@pytest.mark.network
@pytest.mark.parametrize("release", ["uv", "pip"])
def test_the_real_programs_break_these_ties_so(release: str, pips_directory: Path, tmp_path: Path) -> None:
    assert release in PROGRAMS
    program: Program = program_of(release, pips_directory)
    levels = glibc_levels()
    words = {"machine": MACHINE, "linux": f"linux_{MACHINE}"}
    cases = list(UV_TIES)
    if levels:
        (low, high) = levels[0], levels[-1]
        words["many"] = f"manylinux_{high[0]}_{high[1]}_{MACHINE}"
        words["older"] = f"manylinux_{low[0]}_{low[1]}_{MACHINE}"
        cases += UV_MANYLINUX_TIES
    cases.append(("py3-none-any", "py3-none-any"))
    directories = [
        Directory(str(tmp_path / name), name, "nix", "avx", 300) for name in ("avx", "avx-fma", "avx2")
    ]
    expected: dict[str, str] = {}
    for number, endings in enumerate(cases):
        for way, places in enumerate([(0, 1), (1, 0), (0, 2), (2, 0)]):
            project = f"p{number}{'abcd'[way]}"
            wheels = []
            for ending, place in zip(endings, places, strict=True):
                filename = f"{project}-1.0-{ending.format(**words)}.whl"
                directory = directories[place]
                mark = f"{directory.label}/{filename}"
                make_wheel(Path(directory.path), filename, files={f"{project}.py": f"MARK = {mark!r}\n"})
                found = parse_candidate(filename, directory)
                assert isinstance(found, Candidate)
                wheels.append(found)
            chosen = choice(program.model, wheels, program.kind)
            assert chosen is not None
            expected[project] = f"{chosen.directory.label}/{chosen.filename}"
    links = [file_url(directory.path) for directory in directories]
    assert program.install(links, list(expected), tmp_path / "work") == expected


@pytest.mark.parametrize(
    ("platform", "machine"),
    [
        ("linux_x86_64", "x86_64"),
        ("linux_ppc64le", "ppc64le"),
        ("manylinux1_i686", "i686"),
        ("manylinux2014_aarch64", "aarch64"),
        ("manylinux_2_17_x86_64", "x86_64"),
        ("musllinux_1_2_armv7l", "armv7l"),
        ("any", None),
        ("win_amd64", None),
        ("macosx_11_0_arm64", None),
    ],
)
def test_the_machine_of_a_platform_tag(platform: str, machine: str | None) -> None:
    assert machine_of(platform) == machine


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("cp311-cp311-linux_x86_64", {((3, 11), "")}),
        ("cp313-cp313t-linux_x86_64", {((3, 13), "t")}),
        ("cp37-cp37m-linux_x86_64", {((3, 7), "m")}),
        ("cp38-abi3-linux_x86_64", {((3, 8), "")}),
        ("cp39.cp310-none-any", {((3, 9), ""), ((3, 10), "")}),
        ("py2.py3-none-any", set()),
        ("pp310-pypy310_pp73-linux_x86_64", set()),
    ],
)
def test_the_pythons_that_tags_name(tags: str, expected: set[tuple[tuple[int, int], str]]) -> None:
    assert pythons_of(parse_tag(tags)) == expected


def test_tag_priorities_are_those_of_the_python_and_not_of_this_machine() -> None:
    assert Tag("py3", "none", "any") in tag_priorities(PYTHON, frozenset({"any"}), False)
    none = tag_priorities(PYTHON, frozenset({"any", "linux_s390x"}), False)
    assert {tag.platform for tag in none} <= {"any", "none"}
    platforms = frozenset(
        {"linux_x86_64", "manylinux_2_5_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"}
    )
    ranked = tag_priorities(PYTHON, platforms, False)
    best_first = sorted(platforms, key=lambda each: ranked[Tag("cp311", "cp311", each)])
    assert best_first == [
        "manylinux_2_17_x86_64",
        "manylinux2014_x86_64",
        "manylinux_2_5_x86_64",
        "linux_x86_64",
    ]
    ranked = tag_priorities(PYTHON, platforms, True)
    assert min(platforms, key=lambda each: ranked[Tag("cp311", "cp311", each)]) == "linux_x86_64"
