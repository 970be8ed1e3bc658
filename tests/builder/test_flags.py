from __future__ import annotations

import os
import subprocess
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from archspec.cpu import TARGETS

from tests.requires import requires
from wheelhouse_resolver.builder.toolchain.flags import (
    FlagsError,
    Toolchain,
    ToolchainError,
    arch_flags,
    compiler_environment,
    compiler_of,
    native_word,
    probe_toolchain,
    replace_native,
    stated_flags,
)
from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, Arch
from wheelhouse_resolver.site.model import Site

GCC = Toolchain(name="gcc", version="12.2.0")
LADDER = {arch.name: arch for arch in BUILTIN_LADDER}
SITE = Site.default("/w")


def site_with(flags: Any, source: str | None = None) -> Site:
    return SITE._replace(tables=MappingProxyType({"build": {"flags": flags}}), source=source)


# -- the flags of an arch ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arch", "flags"),
    [
        ("sse3", "-msse3 -mtune=generic"),
        ("avx", "-mavx -mtune=generic"),
        ("avx2", "-march=x86-64-v3 -mtune=generic"),
        ("avx512", "-march=x86-64-v4 -mtune=generic"),
    ],
)
def test_the_flags_are_those_that_the_ladder_names(arch: str, flags: str) -> None:
    expected = dict.fromkeys(("CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS"), flags)
    assert compiler_environment(LADDER[arch], SITE, toolchain=GCC) == expected


def test_the_generic_arch_has_none_and_needs_no_compiler() -> None:
    assert compiler_environment(None, SITE, environ={"PATH": "/nowhere"}) == {}


def test_an_old_compiler_gets_the_features_of_a_level_that_it_does_not_know() -> None:
    found = compiler_environment(LADDER["avx2"], SITE, toolchain=Toolchain(name="gcc", version="8.5.0"))
    assert "-mavx2" in found["CFLAGS"].split()


@pytest.mark.parametrize(
    ("arch", "tools", "flags"),
    [
        (Arch(name="zen2", rank=450, target="zen2", family="x86_64"), GCC, "-march=znver2 -mtune=znver2"),
        (Arch(name="v1", rank=450, target="neoverse_v1", family="aarch64"), GCC, "-mcpu=neoverse-v1"),
        (
            Arch(name="v1", rank=450, target="neoverse_v1", family="aarch64"),
            Toolchain(name="gcc", version="9.3.0"),  # archspec's ranges: 9.0 to 9.3, and 9.4 to 9.9
            "-march=armv8.2-a+fp16+dotprod+crypto -mtune=cortex-a72",
        ),
        (LADDER["avx2"], Toolchain(name="clang", version="14.0.6"), "-march=x86-64-v3 -mtune=generic"),
        (
            Arch(name="x", rank=250, features=("sse4_2", "avx512_vnni", "bmi1", "rdrand"), family="x86_64"),
            GCC,
            "-msse4.2 -mavx512vnni -mbmi -mrdrnd -mtune=generic",
        ),
    ],
    ids=["another-target", "another-family", "last-of-a-range", "another-compiler", "features"],
)
def test_the_flags_of_a_sites_own_archs(arch: Arch, tools: Toolchain, flags: str) -> None:
    assert arch_flags(arch, tools) == flags


@requires("gcc")
def test_every_feature_of_x86_64_has_the_compilers_name(tmp_path: Path) -> None:
    """By the real gcc; what it does not know are options of later ones, and no options at all."""
    features = {f for each in TARGETS.values() if str(each.family) == "x86_64" for f in each.features}
    later = {
        "avx_ifma", "avx_ne_convert", "avx_vnni_int16", "avx_vnni_int8", "cmpccxadd", "flush_l1d", "sha512",
        "sm3", "sm4", "tsc_adjust",
    }  # fmt: skip
    arch = LADDER["avx"]._replace(features=tuple(sorted(features - later)))
    source = tmp_path / "a.c"
    source.write_text("int nothing;\n")
    command = ["gcc", "-fsyntax-only", *arch_flags(arch, GCC).split(), str(source)]
    assert subprocess.run(command, capture_output=True, text=True).stderr == ""


@pytest.mark.parametrize(
    ("arch", "tools", "problem"),
    [
        (LADDER["avx2"], Toolchain(name="gcc", version="4.1.0"), "supported compiler versions"),
        (LADDER["avx2"], Toolchain(name="tcc", version="0.9"), "none are known for the compiler tcc"),
        (
            Arch(name="sve", rank=450, features=("sve",), family="aarch64"),
            GCC,
            "none are known for its features",
        ),
    ],
    ids=["too-old", "unknown", "features-of-arm"],
)
def test_flags_that_nobody_knows_are_an_error_that_says_where_to_name_them(
    arch: Arch, tools: Toolchain, problem: str
) -> None:
    with pytest.raises(FlagsError) as caught:
        compiler_environment(arch, SITE, toolchain=tools)
    assert problem in str(caught.value)
    assert f"[build.flags] {arch.name} = " in caught.value.hint


def test_what_the_site_file_states_replaces_them() -> None:
    site = site_with({"avx2": "-O3 -march=haswell", "generic": "-O3"})
    found = compiler_environment(LADDER["avx2"], site, toolchain=GCC)
    assert (found["CFLAGS"], found["FFLAGS"]) == ("-O3 -march=haswell", "-O3 -march=haswell")
    assert compiler_environment(None, site, toolchain=GCC)["CXXFLAGS"] == "-O3"
    avx512 = compiler_environment(LADDER["avx512"], site, toolchain=GCC)
    assert avx512["CFLAGS"] == "-march=x86-64-v4 -mtune=generic"


def test_flags_may_be_stated_by_a_layers_own_name_of_the_arch() -> None:
    layer = SITE.layers[0]._replace(names=(("avx2", "x86-64-v3"),))
    site = site_with({"x86-64-v3": "-O3"})._replace(layers=(layer,))
    assert stated_flags(site) == {"avx2": "-O3"}


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ("-O3", r"\[build\.flags\]: must be a table, not a string"),
        ({"avx2": 3}, r"\[build\.flags\] avx2: must be a string, not 3"),
        ({"avx3": "-O3"}, r"\[build\.flags\] avx3: unknown arch 'avx3'"),
        ({"avx2": "-O3\n"}, r"\[build\.flags\] avx2: it holds a newline"),
    ],
    ids=["no-table", "no-string", "no-arch", "two-lines"],
)
def test_a_wrong_table_is_an_error_that_names_the_file(flags: Any, problem: str) -> None:
    with pytest.raises(SiteFileError, match=rf"^/s\.toml: {problem}"):
        compiler_environment(LADDER["avx2"], site_with(flags, "/s.toml"), toolchain=GCC)


# -- the compiler ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.\n",
            ("gcc", "12.2.0"),
        ),
        (
            "gcc (GCC) 11.2.1 20220127 (Red Hat 11.2.1-9)\nCopyright (C) 2021 Free Software Foundation\n",
            ("gcc", "11.2.1"),
        ),
        ("Debian clang version 14.0.6\nTarget: x86_64-pc-linux-gnu\n", ("clang", "14.0.6")),
        ("AMD clang version 14.0.6 (CLANG: AOCC_4.0.0-Build#434 2022_10_28)\n", ("aocc", "4.0.0")),
        ("Intel(R) oneAPI DPC++/C++ Compiler 2023.1.0 (2023.1.0.20230320)\n", ("oneapi", "2023.1.0")),
        ("icc (ICC) 2021.9.0 20230302\nCopyright (C) 1985-2023 Intel Corporation.\n", ("intel", "2021.9.0")),
        ("\nnvc 23.5-0 64-bit target on x86-64 Linux -tp haswell \n", ("nvhpc", "23.5")),
        ("tcc version 0.9.27 (x86_64 Linux)\n", None),
        ("", None),
    ],
    ids=["gcc", "gcc-red-hat", "clang", "aocc", "oneapi", "intel", "nvhpc", "another", "nothing"],
)
def test_a_compiler_is_known_by_what_it_prints(told: str, expected: tuple[str, str] | None) -> None:
    assert compiler_of(told) == expected


def compiler(directory: Path, text: str) -> dict[str, str]:
    """An environment whose gcc prints *text*."""
    (directory / "about").write_text(text)
    path = directory / "gcc"
    path.write_text(f"#!/bin/sh\nexec cat {directory}/about\n")
    path.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


def test_the_toolchain_is_that_of_the_given_environment(tmp_path: Path) -> None:
    """So that of modules: not that of whoever runs us."""
    environ = compiler(tmp_path, "gcc (GCC) 8.5.0\nCopyright (C) 2018 Free Software Foundation, Inc.\n")
    assert probe_toolchain(environ).version == "8.5.0"
    found = compiler_environment(LADDER["avx2"], SITE, environ=environ)
    assert "-mavx2" in found["CFLAGS"].split()


def test_cc_names_the_compiler_and_may_have_arguments(tmp_path: Path) -> None:
    compiler(tmp_path, "Debian clang version 14.0.6\n").clear()
    environ = {"CC": f"'{tmp_path}/gcc' --version", "PATH": "/usr/bin:/bin"}
    assert probe_toolchain(environ).name == "clang"


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"PATH": "/nowhere"}, "compiler gcc: command not found"),
        ({"CC": "/etc/passwd", "PATH": ""}, "compiler /etc/passwd: cannot be run: Permission denied"),
        ({"CC": "true", "PATH": "/usr/bin:/bin"}, "compiler true: unknown compiler"),
        ({"CC": "gcc '", "PATH": ""}, "invalid command line"),
    ],
    ids=["missing", "no-program", "no-compiler", "no-command"],
)
def test_without_a_compiler_it_says_what_to_do(environ: dict[str, str], problem: str) -> None:
    with pytest.raises(ToolchainError) as caught:
        compiler_environment(LADDER["avx2"], SITE, environ=environ)
    assert problem in str(caught.value)
    assert "arch-flags = false" in caught.value.hint


# -- flags for the building node's CPU ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "word"),
    [
        ("-march=x86-64-v3 -mtune=generic", "-march=x86-64-v3"),
        ("-O3 -march=haswell -march=skylake", "-march=skylake"),
        ("-mcpu=neoverse-v1", "-mcpu=neoverse-v1"),
        ("-O2 -msse3 -mavx -mtune=generic", "-mavx"),
        ("-march=native -mavx", "-mavx"),
    ],
)
def test_the_word_that_stands_for_native(flags: str, word: str) -> None:
    assert native_word(flags) == word


def test_without_an_arch_native_means_the_baseline() -> None:
    word = native_word("-O2")
    assert word.startswith(("-march=", "-mcpu="))
    assert "native" not in word


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("setup.py", "args = ['-O3', '-march=native']", "args = ['-O3', '-march=W']"),
        ("CMakeLists.txt", 'set(F "-march=native -mtune=native")', 'set(F "-march=W -mtune=generic")'),
        ("meson.build", "add('-mcpu=native')", "add('-march=W')"),
        ("flags.cmake", "add(-xHost)", "add(-march=W)"),
        ("Makefile.am", "CFLAGS=-xHOST\n", "CFLAGS=-march=W\n"),
        ("configure", "x='/QxHost'", "x='-march=W'"),
        ("pyproject.toml", 'a = ["-Xcompiler=-march=native"]', 'a = ["-Xcompiler=-march=W"]'),
        ("sub/Makefile", "A=-march=native", "A=-march=W"),
    ],
)
def test_in_build_files_the_flag_is_replaced(name: str, before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(before)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert replace_native(str(tmp_path), "-march=W") == [name]
    assert path.read_text() == after
    assert path.stat().st_mtime == 1_000_000_000  # make and autoconf compare times
    assert replace_native(str(tmp_path), "-march=W") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.py", "-march=native-ish x-march=native -march=native=1 --march=native -xHosts"),
        ("data.bin", "-march=native"),
        (".git/config.py", "-march=native"),
    ],
    ids=["other-words", "no-build-file", "repository"],
)
def test_what_is_left_alone(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert replace_native(str(tmp_path), "-march=W") == []
    assert path.read_text() == text


def test_nothing_outside_of_the_source_is_changed_and_no_bytes_are_lost(tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("-march=native")
    source = tmp_path / "source"
    source.mkdir()
    (source / "link.py").symlink_to(outside)
    (source / "dir").symlink_to(tmp_path)
    os.mkfifo(source / "pipe.py")
    (source / "latin.py").write_bytes(b"# \xe9\r\n'-march=native'")
    assert replace_native(str(source), "-march=W") == ["latin.py"]
    assert (source / "latin.py").read_bytes() == b"# \xe9\r\n'-march=W'"
    assert outside.read_text() == "-march=native"


def test_a_cpu_that_is_named_is_tuned_for(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text("-mcpu=native -mtune=native")
    assert replace_native(str(tmp_path), "-mcpu=power10") == ["setup.py"]
    assert (tmp_path / "setup.py").read_text() == "-mcpu=power10 -mtune=power10"
