"""What installers refuse, or install differently, is refused; what they all install alike is not."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from packaging.version import Version

from tests.factories import make_wheel, pack, record_of, wheel_files
from tests.wheelfile.flaws import DATA, FLAWS, INFO, NAME, Flaw, edited, flawed
from wheelhouse_resolver.utils.elf import cpu_family
from wheelhouse_resolver.wheelfile.machines import families_of, runs
from wheelhouse_resolver.wheelfile.name import TAKEN_VARIANT_PROBLEM, VariantName, variants_index_of
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel


def findings(path: Path) -> list[str]:
    with pytest.raises(InvalidWheelError) as refused:
        check_wheel(str(path))
    return list(refused.value.findings)


@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS)
def test_each_flaw_is_refused_for_what_it_is(tmp_path: Path, flaw: Flaw) -> None:
    assert findings(flawed(tmp_path, flaw)) == [flaw.finding]


def test_all_flaws_of_a_wheel_are_found_at_once(tmp_path: Path) -> None:
    files = wheel_files(NAME)
    together = ["unknown-scheme", "no-callable", "version-1.x", "root-is-purelib-yes", "requirement-of-words"]
    for name in together:
        FLAWS[name].change(files)
    files[f"{INFO}/RECORD"] = record_of(files, f"{INFO}/RECORD") + b"\n"
    found = findings(pack(tmp_path / NAME, files))
    assert sorted(found[:-1]) == sorted(FLAWS[name].finding for name in together)
    assert found[-1].startswith("RECORD has a blank line")


@pytest.mark.parametrize(
    ("path", "data"),
    [
        (f"{INFO}/entry_points.txt", b"[console_scripts]\r\nx = demo:f\r\nX=demo:g\r\n"),
        (
            f"{INFO}/entry_points.txt",
            b"# c\n\n[console_scripts]\nx-y.z+1 = demo.a:b.c [extra]\n[gui_scripts]\n",
        ),
        (
            f"{INFO}/entry_points.txt",
            b"[my.plugins]\na/b c = demo\n  d = demo : f [x]\n[other]\na/b c = demo\n",
        ),
        (f"{INFO}/entry_points.txt", b""),
        (f"{DATA}/headers/x.h", b""),
        (f"{DATA}/scripts/x", b"echo\n"),
        (f"{DATA}/data/share/demo/x.data", b""),
        ("demo/table.data/x", b""),
        (f"{INFO}/RECORD.jws", b"{}"),
    ],
)
def test_what_all_installers_take_is_sound(tmp_path: Path, path: str, data: bytes) -> None:
    files = wheel_files(NAME) | {path: data}
    if not path.endswith(".jws"):
        files[f"{INFO}/RECORD"] = record_of(files, f"{INFO}/RECORD")
    check_wheel(str(pack(tmp_path / NAME, files)))


@pytest.mark.parametrize("version", [b"1.0", b"1.9", b"1.0.0"])
def test_every_minor_version_of_the_format_is_sound(tmp_path: Path, version: bytes) -> None:
    check_wheel(str(flawed(tmp_path, Flaw(edited("WHEEL", rb"1\.0", version), ""))))


def test_a_directory_in_record_is_no_flaw(tmp_path: Path) -> None:
    check_wheel(str(flawed(tmp_path, Flaw(edited("RECORD", rb"\Z", b"demo/,,\n"), "", again=False))))


@pytest.mark.parametrize(
    "name",
    ["unknown-scheme", "no-callable", "bzip2", "version-1", "requirement-star", "record-blank-line",
     "record-padded", "record-no-size", "record-signature"],
)  # fmt: skip
def test_a_flawed_wheel_is_whole_enough_to_be_edited_or_stamped(tmp_path: Path, name: str) -> None:
    check_wheel(str(flawed(tmp_path, FLAWS[name])), installable=False)


# -- machines ----------------------------------------------------------------------------------------------


def elf(machine: int, *, bits: int = 64, order: str = "<", kind: int = 3) -> bytes:
    """The beginning of an ELF file (a library, if *kind* is 3)."""
    start = bytes([0x7F, *b"ELF", bits // 32, 1 if order == "<" else 2, 1]).ljust(16, b"\0")
    return start + struct.pack(f"{order}HH", kind, machine) + bytes(44)


X86_64, AARCH64, I386, PPC64, CUDA = 62, 183, 3, 21, 190


@pytest.mark.parametrize(
    ("data", "family"),
    [
        (elf(X86_64), "x86_64"),
        (elf(AARCH64), "aarch64"),
        (elf(I386, bits=32), "x86"),
        (elf(PPC64), "ppc64le"),
        (elf(PPC64, order=">"), "ppc64"),
        (elf(X86_64, kind=2), "x86_64"),
        (elf(X86_64, kind=1), None),
        (elf(CUDA), None),
        (elf(X86_64)[:19], None),
        (b"#!/bin/sh\n" * 5, None),
    ],
    ids=["x86_64", "aarch64", "i386", "ppc64le", "ppc64", "program", "object", "gpu", "cut", "script"],
)
def test_the_family_of_an_elf_file(data: bytes, family: str | None) -> None:
    assert cpu_family(data) == family


@pytest.mark.parametrize(
    ("platforms", "families"),
    [
        (["linux_x86_64"], {"x86_64"}),
        (["manylinux_2_17_aarch64", "manylinux2014_aarch64"], {"aarch64"}),
        (["musllinux_1_2_i686"], {"x86"}),
        (["linux_armv7l", "linux_ppc64le"], {"arm", "ppc64le"}),
        (["any"], set()),
        (["linux_x86_64", "any"], set()),
        (["win_amd64"], set()),
    ],
)
def test_the_families_of_platform_tags(platforms: list[str], families: set[str]) -> None:
    assert families_of(platforms) == families


def test_what_a_64_bit_cpu_also_runs() -> None:
    assert [runs("x86_64", each) for each in ("x86_64", "x86", "aarch64")] == [True, True, False]
    assert [runs("aarch64", each) for each in ("arm", "x86_64")] == [True, False]
    assert not runs("x86", "x86_64")


@pytest.mark.parametrize(
    ("tag", "data", "finding"),
    [
        ("linux_x86_64", elf(AARCH64), "'demo/x.so' is for aarch64 CPUs, the file name for x86_64"),
        ("manylinux_2_28_aarch64", elf(X86_64), "'demo/x.so' is for x86_64 CPUs, the file name for aarch64"),
        ("linux_ppc64le", elf(PPC64, order=">"), "'demo/x.so' is for ppc64 CPUs, the file name for ppc64le"),
        ("linux_i686", elf(X86_64), "'demo/x.so' is for x86_64 CPUs, the file name for x86"),
    ],
)
def test_a_library_for_another_cpu_than_the_tags_is_refused(
    tmp_path: Path, tag: str, data: bytes, finding: str
) -> None:
    path = make_wheel(tmp_path, f"demo-1.0-cp311-cp311-{tag}.whl", files={"demo/x.so": data})
    assert findings(path) == [finding]
    check_wheel(str(path), installable=False)


@pytest.mark.parametrize(
    ("tag", "data"),
    [
        ("linux_x86_64", elf(X86_64)),
        ("linux_x86_64", elf(I386, bits=32)),
        ("linux_x86_64", elf(CUDA)),
        ("linux_aarch64.linux_x86_64", elf(AARCH64)),
        ("linux_s390x", elf(22, order=">")),
        ("any", elf(AARCH64)),
    ],
)
def test_a_library_for_the_cpus_of_the_tags_is_not(tmp_path: Path, tag: str, data: bytes) -> None:
    check_wheel(str(make_wheel(tmp_path, f"demo-1.0-py3-none-{tag}.whl", files={"demo/x.so": data})))


# -- variants ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("demo-1.0-py3-none-any-x8664v3.whl", True),
        ("demo-1.0-7-cp311-cp311-linux_x86_64-null.whl", True),
        ("demo-1.0-py3-none-any-a.b_c.whl", True),
        ("demo-1.0-py3-none-any-X8664V3.whl", False),
        ("demo-1.0-py3-none-any-a_label_is_as_long_as_one_likes.whl", True),
        ("demo-1.0-py3-none-any-.whl", False),
        ("demo-1_0-x-y-z.whl", False),
        ("demo-1.0-x-py3-none-any.whl", False),
        ("demo-1.0-x1-py3-none-any.whl", False),
        ("demo-1.0-py3-none.whl", False),
        ("demo-1.0-py3-none-any-x8664v3.zip", False),
    ],
)
def test_the_name_of_a_wheel_variant(name: str, variant: bool) -> None:
    assert (VariantName.parse(name) is not None) == variant


@pytest.mark.parametrize(
    ("end", "taken"),
    [
        ("cp311-cp311-linux_x86_64-v3", False),
        ("cp311-cp311-linux_x86_64-v3.1", False),
        ("py2.py3-none-any-null", False),
        ("cp311-cp311-linux_x86_64.manylinux_2_17_x86_64-v3", True),
        ("7-cp311-cp311-linux_x86_64.manylinux_2_17_x86_64-v3", True),
        ("cp311-cp311-linux_x86_64-a.any", True),
    ],
)
def test_the_wheel_variants_that_old_pips_take(end: str, taken: bool) -> None:
    variant = VariantName.parse(f"demo-1.0-{end}.whl")
    assert variant is not None
    assert (variant.problem == TAKEN_VARIANT_PROBLEM) == taken


def test_the_name_of_what_says_what_variants_are_for() -> None:
    assert variants_index_of("Demo_x-1.0.0+site-variants.json") == ("demo-x", Version("1.0+site"))
    for name in ("demo-variants.json", "demo-1.0-1-variants.json", "demo-1.0-variant.json"):
        assert variants_index_of(name) is None


def test_a_wheel_variant_is_refused_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any-x8664v3.whl"
    path.write_bytes(b"")
    (finding,) = findings(path)
    assert finding.startswith("a wheel variant (PEP 825): pip ignores it, ")
