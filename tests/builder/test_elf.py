from __future__ import annotations

import io
import os
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builder.extensions import compiled, extension_wheel, source
from tests.factories import make_wheel
from tests.requires import compiles
from wheelhouse_resolver.utils.elf import read_elf
from wheelhouse_resolver.wheelfile.elf import elf_files


def test_a_wheel_without_compiled_code_has_none(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files={"demo.py": "", "x.so": "no ELF file"})
    assert elf_files(str(wheel)) == []


@compiles
def test_what_a_library_says_of_itself(tmp_path: Path) -> None:
    other = compiled(tmp_path / "libother.so", "int other(void) { return 1; }", "-Wl,-soname,libother.so.1")
    wheel = extension_wheel(
        tmp_path,
        before="extern int other(void);",
        body="other(); malloc(1);",
        flags=[str(other), "-Wl,-rpath,/sw/avx2/lib:$ORIGIN/../libs", "-Wl,--enable-new-dtags"],
    )
    (found,) = elf_files(str(wheel))
    assert found.path.startswith("fast.")
    assert found.dynamic
    assert not found.problem
    assert found.machine.endswith("-64")
    assert "libother.so.1" in found.needed
    assert (found.rpath, found.runpath) == ((), ("/sw/avx2/lib", "$ORIGIN/../libs"))
    assert found.interpreter == ""
    assert any(library == "libc.so.6" and version.startswith("GLIBC_") for library, version in found.versions)
    (soname,) = [read_elf(io.BytesIO(other.read_bytes()), "x").soname]
    assert soname == "libother.so.1"


@compiles
def test_an_old_rpath_is_told_from_a_runpath(tmp_path: Path) -> None:
    library = compiled(tmp_path / "x.so", "int x;", "-Wl,-rpath,/sw/lib", "-Wl,--disable-new-dtags")
    found = read_elf(io.BytesIO(library.read_bytes()), "x.so")
    assert (found.rpath, found.runpath) == (("/sw/lib",), ())


@compiles
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the note is one of x86-64")
@pytest.mark.parametrize(
    ("flag", "bits"),
    [
        ("", 0),
        ("-mneeded", 1),
        ("-Wl,-z,x86-64-v2", 2),
        ("-Wl,-z,x86-64-v3", 4),
        ("-Wl,-z,x86-64-v4", 8),
    ],
)
def test_the_mark_of_the_linker(tmp_path: Path, flag: str, bits: int) -> None:
    (found,) = elf_files(str(extension_wheel(tmp_path, flags=[flag] if flag else [])))
    assert found.isa_needed == bits


@compiles
def test_a_damaged_file_is_told_and_nothing_else_happens(tmp_path: Path) -> None:
    library = compiled(tmp_path / "x.so", source("x")).read_bytes()
    chance = random.Random(1)
    problems = 0
    for _ in range(150):
        damaged = bytearray(
            library[: chance.randrange(4, len(library))] if chance.random() < 0.3 else library
        )
        for _ in range(chance.randrange(1, 40)):
            damaged[chance.randrange(4, min(len(damaged), 2000) or 5)] = chance.randrange(256)
        problems += bool(read_elf(io.BytesIO(bytes(damaged)), "x.so").problem)
    assert problems > 20


@compiles
def test_the_symbol_versions_that_a_library_has_for_others(tmp_path: Path) -> None:
    (tmp_path / "map").write_text("OWN_1.0 { global: old; local: *; }; OWN_1.1 { global: new; } OWN_1.0;")
    text = "int old(void) { return 1; } int new(void) { return 2; }"
    library = compiled(tmp_path / "x.so", text, f"-Wl,--version-script={tmp_path / 'map'}")
    found = read_elf(io.BytesIO(library.read_bytes()), "x.so")
    assert {"OWN_1.0", "OWN_1.1"} <= set(found.defines)


def crafted(*segments: tuple[int, bytes]) -> bytes:
    """A library of nothing but *segments*: (type, content)."""
    start = 64 + 56 * len(segments)
    headers, content = [], b""
    for kind, data in segments:
        place = start + len(content)
        headers.append(struct.pack("<IIQQQQQQ", kind, 4, place, place, place, len(data), len(data), 1))
        content += data
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, len(segments), 0, 0, 0)
    return b"".join((identity, header, *headers, content))


def dynamic(strings: bytes, *tags: tuple[int, int]) -> bytes:
    """A library with a dynamic section of *tags*, whose numbers point into *strings*."""
    place = (5, 64 + 56 * 2), (10, len(strings))  # DT_STRTAB, DT_STRSZ
    section = b"".join(struct.pack("<QQ", *each) for each in (*place, *tags, (0, 0)))
    return crafted((1, strings), (2, section))  # PT_LOAD, PT_DYNAMIC


class TestHostile:
    """Files that make a reader read on and on: 50 MB of each, which a wheel packs into 50 kB."""

    def test_the_crafted_file_is_one_that_is_understood(self) -> None:
        found = read_elf(io.BytesIO(dynamic(b"\0a.so\0/sw\0", (1, 1), (29, 6))), "x.so")
        assert (found.needed, found.runpath, found.problem) == (("a.so",), ("/sw",), "")

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(lambda: crafted((4, bytes(50 << 20))), id="notes"),
            pytest.param(
                lambda: crafted((4, struct.pack("<III4s", 4, 50 << 20, 5, b"GNU") + bytes(50 << 20))),
                id="one-note",
            ),
            pytest.param(lambda: crafted((3, b"a" * (100 << 20))), id="interpreter"),
            pytest.param(lambda: dynamic(b"a" * (50 << 20), *[(1, n) for n in range(50_000)]), id="needed"),
            pytest.param(lambda: dynamic(b"/a:" * (1 << 20) + b"\0", (29, 0)), id="runpath"),
            pytest.param(lambda: dynamic(b"\0", *[(1, 0)] * 1_000_000), id="tags"),
        ],
    )
    def test_no_file_takes_long(self, content: Callable[[], bytes]) -> None:
        start = time.process_time()
        found = read_elf(io.BytesIO(content()), "x.so")
        assert time.process_time() - start < 60
        assert len(found.needed) + len(found.runpath) <= 10_000

    def test_a_file_that_would_fill_the_disk_is_not_unpacked(self, tmp_path: Path) -> None:
        content = {"x.so": b"\x7fELF" + bytes(70 << 20), "y.so": b"\x7fELF" + bytes(60 << 20)}
        wheel = make_wheel(tmp_path, "demo-1.0-py3-none-any.whl", files=content)
        large, _ = elf_files(str(wheel))
        assert large.problem.startswith("too large: 73400324 bytes, packed into ")

    def test_a_name_without_end_is_a_damage(self) -> None:
        found = read_elf(io.BytesIO(crafted((3, b"a" * (100 << 20)))), "x.so")
        assert found.problem == "a damaged ELF file (ValueError)"


@compiles
def test_one_damaged_file_does_not_hide_the_others(tmp_path: Path) -> None:
    wheel = extension_wheel(tmp_path, files={"odd.so": b"\x7fELF and nothing more"})
    problems = {each.path: each.problem for each in elf_files(str(wheel))}
    assert problems.pop("odd.so").startswith("a damaged ELF file")
    assert set(problems.values()) == {""}
