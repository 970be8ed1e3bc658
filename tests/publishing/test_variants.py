"""`view --variants`: labelled copies of the wheels for x86-64 archs; only what changed is written again."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.wheelhouse import WheelhouseFixture, everything_below
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, Arch
from wheelhouse_resolver.wheelfile.validate import check_wheel
from wheelhouse_resolver.wheelfile.variant import level_for, metadata

TAG = "cp311-cp311-linux_x86_64"
V3 = f"demo-1.0-400000avx2-{TAG}-x86_64_v3.whl"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> WheelhouseFixture:
    return WheelhouseFixture(tmp_path, capsys)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "view"


def variants(house: WheelhouseFixture, output: Path, *, code: int = 0, config: str | None = None) -> str:
    """Run the command; returns what it says of the variants."""
    done = house.run("view", "--variants", "--output", output, config=config)
    assert done.code == code
    return done.out.splitlines()[1] + "".join(f"\n{line}" for line in done.err.splitlines())


def names(place: Path) -> list[str]:
    return sorted(name for name in os.listdir(place) if not name.startswith("."))


@pytest.mark.parametrize(
    ("arch", "level"),
    [
        *zip(BUILTIN_LADDER, ("x86_64_v2", "x86_64_v3", "x86_64_v3", "x86_64_v4"), strict=True),
        (Arch("any", 1, target="x86_64", family="x86_64"), "x86_64"),
        (Arch("haswell", 1, target="haswell", family="x86_64"), None),
        (Arch("aes", 1, features=("avx", "aes"), family="x86_64"), None),
        (Arch("v1", 1, target="neoverse_v1", family="aarch64"), None),
        (Arch("sve", 1, features=("sve",), family="aarch64"), None),
    ],
    ids=lambda each: getattr(each, "name", each),
)
def test_the_lowest_level_of_which_every_cpu_runs_an_arch(arch: Arch, level: str | None) -> None:
    assert level_for(arch) == level


def test_generic_wheels_are_links_and_those_of_archs_labelled_copies(
    house: WheelhouseFixture, output: Path
) -> None:
    for label in ("generic", "gentoo/generic", "gentoo/avx", "gentoo/avx2", "nix/avx512"):
        house.add(label, f"demo-1.0-{TAG}.whl")
    house.add("gentoo/sse3", f"demo_more-1.0+site-200003sse3-{TAG}.whl")
    assert variants(house, output) == "variants: 7 files made, 0 kept, 0 removed"
    place = output / "variants/gentoo"
    assert names(place) == [
        "demo-1.0-100000generic-cp311-cp311-linux_x86_64.whl",
        "demo-1.0-1000generic-cp311-cp311-linux_x86_64.whl",
        "demo-1.0-300000avx-cp311-cp311-linux_x86_64-x86_64_v3.whl",
        V3,
        "demo-1.0-variants.json",
        "demo_more-1.0+site-200003sse3-cp311-cp311-linux_x86_64-x86_64_v2.whl",
        "demo_more-1.0+site-variants.json",
    ]
    assert [path.name for path in place.iterdir() if path.is_symlink()] == [
        name for name in os.listdir(place) if "generic" in name
    ]
    assert names(output / "variants/nix")[1:] == [
        "demo-1.0-500000avx512-cp311-cp311-linux_x86_64-x86_64_v4.whl",
        "demo-1.0-variants.json",
    ]
    index = json.loads((place / "demo-1.0-variants.json").read_text())
    assert index["variants"] == {"x86_64_v3": {"x86_64": {"level": ["v3"]}}}
    assert index["default-priorities"] == {"namespace": ["x86_64"]}
    # The plain ones of the archs are in the view itself.
    assert (output / f"gentoo/avx2/demo-1.0-400000avx2-{TAG}.whl").is_symlink()


def test_a_copy_is_a_valid_wheel_that_says_what_it_is_for(house: WheelhouseFixture, output: Path) -> None:
    given = house.add("gentoo/avx2", f"demo-1.0-{TAG}.whl")
    variants(house, output)
    copy = output / "variants/gentoo" / V3
    wheel = check_wheel(str(copy), f"demo-1.0-400000avx2-{TAG}.whl")
    with zipfile.ZipFile(copy) as archive, zipfile.ZipFile(given) as source:
        assert set(archive.namelist()) == {*source.namelist(), "demo-1.0.dist-info/variant.json"}
        said = archive.read("demo-1.0.dist-info/variant.json").decode()
        assert "Build: 400000avx2" in archive.read("demo-1.0.dist-info/WHEEL").decode()
    assert said == metadata(("x86_64_v3",)) == (copy.parent / "demo-1.0-variants.json").read_text()
    assert "demo-1.0.dist-info/variant.json" in wheel.digests
    assert copy.stat().st_mode & 0o444 == 0o444


def test_a_copy_for_each_platform_of_several(house: WheelhouseFixture, output: Path) -> None:
    """Old pips take one of several for a plain wheel."""
    house.add("gentoo/avx2", "demo-1.0-cp311.cp312-abi3-linux_x86_64.manylinux_2_17_x86_64.whl")
    variants(house, output)
    found = [name for name in names(output / "variants/gentoo") if name.endswith(".whl")]
    start = "demo-1.0-400000avx2-cp311.cp312-abi3"
    assert found == [f"{start}-{each}_x86_64-x86_64_v3.whl" for each in ("linux", "manylinux_2_17")]
    for name in found:
        check_wheel(str(output / "variants/gentoo" / name), name.replace("-x86_64_v3", ""))


def test_only_what_changed_is_written(house: WheelhouseFixture, output: Path) -> None:
    house.add("generic", f"demo-1.0-{TAG}.whl")
    house.add("gentoo/avx2", f"demo-1.0-{TAG}.whl")
    changed = house.add("gentoo/avx512", f"demo-1.0-{TAG}.whl")
    gone = house.add("gentoo/avx512", f"demo-2.0-{TAG}.whl")
    place = output / "variants/gentoo"
    assert variants(house, output) == "variants: 5 files made, 0 kept, 0 removed"
    (place / "own.txt").write_text("mine")
    (place / f"own-1.0-{TAG}-own.whl").write_text("mine")
    before = everything_below(output)
    assert variants(house, output) == "variants: 0 files made, 5 kept, 0 removed"
    assert everything_below(output) == before
    make_wheel(changed.parent, changed.name, files={"demo.py": "MARK = 'new'\n"})
    gone.unlink()
    assert variants(house, output) == "variants: 1 file made, 3 kept, 1 removed"
    after = everything_below(output)
    new = str(place / f"demo-1.0-500000avx512-{TAG}-x86_64_v4.whl")
    removed = [
        str(place / f"demo-2.0-500000avx512-{TAG}-x86_64_v4.whl"),
        str(place / "demo-2.0-variants.json"),
    ]
    removed.append(str(output / f"gentoo/avx512/demo-2.0-500000avx512-{TAG}.whl"))
    assert before.keys() - after.keys() == {*removed}
    files = [path for path in after if os.path.isfile(path) and not os.path.islink(path)]
    assert [path for path in files if after[path] != before.get(path)] == [new]
    with zipfile.ZipFile(new) as archive:
        assert archive.read("demo.py") == b"MARK = 'new'\n"


def test_another_format_has_all_copies_written_again(house: WheelhouseFixture, output: Path) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{TAG}.whl")
    variants(house, output)
    (output / "variants/gentoo/.format.json").write_text("older")
    assert variants(house, output) == "variants: 1 file made, 0 kept, 0 removed"
    assert variants(house, output) == "variants: 0 files made, 1 kept, 0 removed"


def test_a_broken_wheel_is_left_out(house: WheelhouseFixture, output: Path) -> None:
    house.add("gentoo/avx2", f"demo-1.0-{TAG}.whl")
    (house.root / f"gentoo/avx2/cut-1.0-{TAG}.whl").write_bytes(b"PK")
    said = variants(house, output, code=1)
    assert said.startswith("variants: 1 file made, 0 kept, 0 removed\nwarning: left out: ")
    assert f"gentoo/avx2/cut-1.0-{TAG}.whl: invalid wheel: " in said
    assert V3 in names(output / "variants/gentoo")


def test_an_arch_that_no_level_is_enough_for_has_no_copies(house: WheelhouseFixture, output: Path) -> None:
    config = f"""root = "{house.root}"
[[arch]]
name = "haswell"
target = "haswell"
[[layer]]
name = "gentoo"
directories = ["gentoo"]
"""
    house.add("gentoo/haswell", f"demo-1.0-{TAG}.whl")
    assert variants(house, output, config=config) == (
        "variants: 0 files made, 0 kept, 0 removed\n"
        "warning: gentoo/haswell: no copies, since no x86-64 level is enough for its arch"
    )
    assert names(output / "variants/gentoo") == []
    assert len(names(output / "gentoo/haswell")) == 1


def test_a_wheelhouse_that_has_such_a_directory_is_refused(house: WheelhouseFixture, output: Path) -> None:
    config = f'root = "{house.root}"\n[[layer]]\nname = "x"\ndirectories = ["variants"]\n'
    done = house.run("view", "--variants", "--output", output, config=config)
    assert done.code == 2
    assert f"{output}/variants: it is a directory of the wheelhouse (variants/" in done.err


def test_without_the_extra_it_names_it(
    house: WheelhouseFixture, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata.cache_clear()
    monkeypatch.setitem(sys.modules, "variantlib.variants_json", None)
    done = house.run("view", "--variants", "--output", output)
    assert done.code == 2
    assert "writing wheel variants needs variantlib" in done.err
    assert "install" in done.err.splitlines()[-1]
