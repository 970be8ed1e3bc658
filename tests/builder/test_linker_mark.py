"""The linker's mark, with the real linkers that are installed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.builder.workshop import Workshop
from tests.requires import compiles, need
from wheelhouse_resolver.builder.pipeline import build_wheel
from wheelhouse_resolver.builder.toolchain.linker_mark import (
    level_of,
    makes_mark,
    mark_flag,
    marked_and_others,
)
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, Arch
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.wheelfile.elf import elf_files

LDFLAGS = "os.environ['LDFLAGS']"
LADDER = {arch.name: arch for arch in BUILTIN_LADDER}

x86_64 = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the marks are those of x86-64")


@pytest.mark.parametrize(
    ("arch", "flag"),
    [
        # AVX came with CPUs that have all of x86-64-v2; SSE3 long before.
        pytest.param(LADDER["sse3"], None, id="sse3"),
        pytest.param(LADDER["avx"], "-Wl,-z,x86-64-v2", id="avx"),
        pytest.param(LADDER["avx2"], "-Wl,-z,x86-64-v3", id="avx2"),
        pytest.param(LADDER["avx512"], "-Wl,-z,x86-64-v4", id="avx512"),
        pytest.param(LADDER["avx"]._replace(features=("avx2", "fma")), "-Wl,-z,x86-64-v3", id="features"),
        pytest.param(LADDER["avx"]._replace(features=("avx512f", "sse4a", "3dnow")), None, id="no-such-cpu"),
        pytest.param(Arch(name="v1", rank=450, target="neoverse_v1", family="aarch64"), None, id="arm"),
        pytest.param(None, None, id="generic"),
    ],
)
def test_it_is_that_of_the_level_that_all_cpus_of_an_arch_have(arch: Arch | None, flag: str | None) -> None:
    level = level_of(arch)
    assert (mark_flag(level) if level is not None else None) == flag


def environment(**variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **variables}


@compiles
@x86_64
@pytest.mark.parametrize("linker", ["bfd", "gold", "lld", "mold"])
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_only_gnu_ld_makes_it(compiler: str, linker: str) -> None:
    need(compiler, f"{linker}" if linker == "mold" else f"ld.{linker}")
    found = environment(CC=compiler, LDFLAGS=f"-fuse-ld={linker}")
    assert makes_mark("x86_64_v3", found) is (linker == "bfd")


@compiles
@x86_64
@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({"CFLAGS": "-O2 -fuse-ld=gold"}, id="cflags"),
        pytest.param({"CC": "gcc -fuse-ld=gold"}, id="compiler"),
        pytest.param({"LDSHARED": "gcc -shared -fuse-ld=gold"}, id="of-setuptools"),
        pytest.param({"CXXFLAGS": "-fuse-ld=gold"}, id="c++"),
        pytest.param({"CC_LD": "gold"}, id="of-meson"),
        pytest.param({"LDFLAGS": "-nostdlib -l:no-such-library"}, id="nothing-links"),
    ],
)
def test_all_that_links_must_make_it(variables: dict[str, str]) -> None:
    need("ld.gold", "g++")
    assert makes_mark("x86_64_v3", environment()) == makes_mark("x86_64_v3", environment(CC="gcc"))
    assert not makes_mark("x86_64_v3", environment(**variables))


def test_without_a_compiler_there_is_none(tmp_path: Path) -> None:
    assert not makes_mark("x86_64_v3", {"PATH": str(tmp_path)})


def test_which_files_have_it() -> None:
    def elf(path: str, bits: int, family: str = "x86_64", dynamic: bool = True) -> ElfFile:
        return ElfFile(path=path, isa_needed=bits, family=family, dynamic=dynamic)

    files = [elf("a", 4), elf("b", 3), elf("c", 0), elf("d", 0, "aarch64"), elf("e", 0, dynamic=False)]
    assert marked_and_others(files, "x86_64_v3") == (["a"], ["b", "c"])


@compiles
@x86_64
@pytest.mark.parametrize(
    ("recipe", "code", "linker"),
    [
        pytest.param('LDFLAGS = "${LDFLAGS} -fuse-ld=gold"', "", "ld.gold", id="gold-of-the-recipe"),
        pytest.param('SITE = "/site"', f"{LDFLAGS} += ' -fuse-ld=lld'", "ld.lld", id="lld-of-the-build"),
        pytest.param('SITE = "/site"', f"{LDFLAGS} = ''", "ld", id="not-passed-on"),
        pytest.param('SITE = "/site"', "", "", id="marked"),
    ],
)
def test_a_build_records_what_the_finished_library_has(
    recipe: str, code: str, linker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need(linker or "ld")
    monkeypatch.setattr(build_wheel, "make_environment", lambda *_, **__: sys.executable)
    workshop = Workshop(tmp_path, unpacked=True)
    workshop.package(extension=True, build=code)
    workshop.recipe("demo", f"[env]\n{recipe}\n")
    record = workshop.build(workshop.job(arch="avx2", layer="gentoo"))
    assert record.ok, record.problem
    (library,) = [each for each in elf_files(str(workshop.output / record.wheel)) if each.dynamic]
    assert (library.isa_needed & 4 == 0) is bool(linker)
    assert ("LDFLAGS" in record.flags) is (not linker)
    expected = (
        f"without the linker's mark of x86-64-v3, so that lower CPUs do not refuse them: {library.path}"
    )
    assert record.notes == ((expected,) if linker else ())
    assert (f"note: {expected}\n" in workshop.log(record)) is bool(linker)
