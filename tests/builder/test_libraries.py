"""What the loader would find, held against the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.builder.extensions import compiled
from tests.requires import compiles, need
from wheelhouse_resolver.builder.verification.libraries import (
    Loader,
    TooManyLibrariesError,
    default_directories,
    library_path_of,
    missing_libraries,
)
from wheelhouse_resolver.host.program_interpreter import program_interpreter

PYTHON = os.path.realpath(sys.executable)


def loader(*library_path: str) -> Loader:
    return Loader(
        executable=PYTHON,
        library_path=library_path,
        directories=tuple(default_directories(program_interpreter(PYTHON))),
    )


def missing(path: Path, *library_path: str) -> set[str]:
    return {each.library for each in missing_libraries([str(path)], loader(*library_path))}


def missing_for_real(path: Path, *library_path: str) -> set[str]:
    """What `ldd` says."""
    need("ldd")
    environ = {"PATH": os.environ["PATH"], "LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(library_path)}
    done = subprocess.run(["ldd", path], capture_output=True, text=True, env=environ)
    return {line.split()[0] for line in done.stdout.splitlines() if "not found" in line}


def library(path: Path, *flags: str, needs: Sequence[Path] = (), soname: str = "") -> Path:
    """A library at *path* that calls a function of each that it *needs*."""
    name = path.name.partition(".")[0]
    calls = "".join(f"extern int {each.name.partition('.')[0]}(void);\n" for each in needs)
    body = " + ".join(["1", *(f"{each.name.partition('.')[0]}()" for each in needs)])
    linked = [f"-Wl,-soname,{soname or path.name}", *map(str, needs), "-Wl,--allow-shlib-undefined"]
    return compiled(path, f"{calls}int {name}(void) {{ return {body}; }}", *linked, *flags)


@compiles
@pytest.mark.parametrize(
    ("flags", "where", "library_path", "found"),
    [
        pytest.param((), "libs", (), False, id="nowhere"),
        pytest.param((), "libs", ("libs",), True, id="LD_LIBRARY_PATH"),
        pytest.param(("-Wl,-rpath,$ORIGIN/libs", "-Wl,--enable-new-dtags"), "libs", (), True, id="runpath"),
        pytest.param(("-Wl,-rpath,$ORIGIN/libs", "-Wl,--disable-new-dtags"), "libs", (), True, id="rpath"),
        pytest.param(("-Wl,-rpath,${ORIGIN}/../x/libs",), "libs", (), True, id="origin-in-braces"),
        pytest.param(("-Wl,-rpath,/nowhere",), "libs", (), False, id="elsewhere"),
        pytest.param(("-Wl,-rpath,$ORIGIN",), "glibc-hwcaps/x86-64-v2", (), True, id="cpu-level"),
    ],
)
def test_where_a_library_is_looked_for(
    tmp_path: Path, flags: tuple[str, ...], where: str, library_path: tuple[str, ...], found: bool
) -> None:
    place = tmp_path / "x"
    inner = library(place / where / "inner.so")
    outer = library(place / "outer.so", *flags, needs=[inner])
    paths = tuple(str(place / each) for each in library_path)
    assert missing(outer, *paths) == (set() if found else {"inner.so"})
    assert missing(outer, *paths) == missing_for_real(outer, *paths)


@compiles
@pytest.mark.parametrize("new", [True, False], ids=["runpath", "rpath"])
def test_only_an_rpath_is_for_what_is_loaded_further_down(tmp_path: Path, new: bool) -> None:
    last = library(tmp_path / "libs/last.so")
    middle = library(tmp_path / "libs/middle.so", needs=[last])
    tags = "--enable-new-dtags" if new else "--disable-new-dtags"
    first = library(tmp_path / "first.so", "-Wl,-rpath,$ORIGIN/libs", f"-Wl,{tags}", needs=[middle])
    assert missing(first) == ({"last.so"} if new else set())
    assert missing(first) == missing_for_real(first)


@compiles
@pytest.mark.parametrize("beside", ["link", "target"])
def test_the_origin_of_a_library_is_where_it_was_found(beside: str, tmp_path: Path) -> None:
    last = library(tmp_path / beside / "last.so")
    real = library(tmp_path / "target/middle.so.1", "-Wl,-rpath,$ORIGIN", needs=[last], soname="middle.so")
    first = library(tmp_path / "first.so", "-Wl,-rpath,$ORIGIN/link", needs=[real])
    (tmp_path / "link").mkdir(exist_ok=True)
    (tmp_path / "link/middle.so").symlink_to("../target/middle.so.1")
    assert missing(first) == (set() if beside == "link" else {"last.so"})
    assert missing(first) == missing_for_real(first)


@compiles
def test_a_name_that_is_loaded_already_is_not_looked_for_again(tmp_path: Path) -> None:
    inner = library(tmp_path / "libs/inner.so")
    middle = library(tmp_path / "libs/middle.so", needs=[inner])
    outer = library(tmp_path / "outer.so", "-Wl,-rpath,$ORIGIN/libs", needs=[middle, inner])
    assert missing(outer) == missing_for_real(outer) == set()
    assert missing(middle) == missing_for_real(middle) == {"inner.so"}


@compiles
def test_a_library_of_the_wheel_is_judged_as_loaded_by_the_one_that_needs_it(tmp_path: Path) -> None:
    inner = library(tmp_path / "a.libs/inner.so")
    middle = library(tmp_path / "a.libs/middle.so", needs=[inner])
    flags = ("-Wl,-rpath,$ORIGIN/a.libs", "-Wl,--disable-new-dtags")
    outer = library(tmp_path / "outer.so", *flags, needs=[middle])
    files = [str(each) for each in (inner, middle, outer)]
    assert missing_libraries(files, loader()) == []
    assert [each.library for each in missing_libraries(files[:2], loader())] == ["inner.so"]


@compiles
def test_a_relative_directory_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = library(tmp_path / "inner.so")
    outer = library(tmp_path / "outer.so", "-Wl,-rpath,.", needs=[inner])
    monkeypatch.chdir(tmp_path)
    assert missing(outer, ".", "") == {"inner.so"}


@compiles
def test_libraries_without_end_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse_resolver.builder.verification.libraries._MOST_LOOKS", 3)
    first = library(tmp_path / "first.so", needs=[library(tmp_path / "gone/x.so")])
    with pytest.raises(TooManyLibrariesError, match="given up after 3 directories"):
        missing(first)


@compiles
def test_what_is_not_found_says_who_needs_it_and_where_it_is_not(tmp_path: Path) -> None:
    inner = library(tmp_path / "gone.so")
    outer = library(tmp_path / "outer.so", "-Wl,-rpath,/sw/lib", needs=[inner])
    inner.unlink()
    (found,) = missing_libraries([str(outer)], loader("/my/lib"))
    assert (found.file, found.library) == (str(outer), "gone.so")
    assert {"/sw/lib", "/my/lib"} <= set(found.looked)
    assert str(found).startswith(f"{outer} needs gone.so, which is not found (looked in /my/lib, /sw/lib, ")


@compiles
def test_a_library_of_another_machine_does_not_count(tmp_path: Path) -> None:
    inner = library(tmp_path / "inner.so")
    outer = library(tmp_path / "outer.so", "-Wl,-rpath,$ORIGIN", needs=[inner])
    data = bytearray(inner.read_bytes())
    data[18:20] = (243).to_bytes(2, "little")  # e_machine: RISC-V
    inner.write_bytes(data)
    assert missing(outer) == {"inner.so"}


@compiles
def test_libraries_that_need_each_other_come_to_an_end(tmp_path: Path) -> None:
    first = library(tmp_path / "first.so", "-Wl,-rpath,$ORIGIN")
    second = library(tmp_path / "second.so", "-Wl,-rpath,$ORIGIN", needs=[first])
    library(tmp_path / "first.so", "-Wl,-rpath,$ORIGIN", needs=[second])
    assert missing(first) == set()


@compiles
def test_the_systems_own_libraries_are_found(tmp_path: Path) -> None:
    outer = compiled(tmp_path / "x.so", "double sin(double); double x(double y) { return sin(y); }", "-lm")
    assert missing(outer) == set()


@compiles
def test_what_the_python_loads_itself_is_there(tmp_path: Path) -> None:
    """Python's own executable needs it, so that the name is taken by the time a module is loaded."""
    executable = library(
        tmp_path / "bin/python.so", "-Wl,-rpath,$ORIGIN", needs=[library(tmp_path / "bin/own.so")]
    )
    module = library(tmp_path / "module.so", needs=[tmp_path / "bin/own.so"])
    without = Loader(executable=PYTHON, directories=loader().directories)
    having = Loader(executable=str(executable), directories=loader().directories)
    assert [each.library for each in missing_libraries([str(module)], without)] == ["own.so"]
    assert missing_libraries([str(module)], having) == []


class TestDefaultDirectories:
    def test_a_layers_loader_looks_below_the_layers_prefix(self, tmp_path: Path) -> None:
        (tmp_path / "etc/ld.so.conf.d").mkdir(parents=True)
        (tmp_path / "etc/ld.so.conf").write_text("include ld.so.conf.d/*.conf  # all\n/opt/first\n")
        (tmp_path / "etc/ld.so.conf.d/a.conf").write_text("/opt/second\ninclude /etc/ld.so.conf.missing\n")
        found = default_directories(f"{tmp_path}/lib64/ld-linux-x86-64.so.2")
        assert found[:2] == ["/opt/first", "/opt/second"]
        assert f"{tmp_path}/usr/lib64" in found
        assert f"{tmp_path}/lib64" in found

    def test_files_that_include_each_other_come_to_an_end(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/ld.so.conf").write_text("include ld.so.conf\ninclude *.conf\n/opt/x\n")
        assert default_directories(f"{tmp_path}/lib/ld.so")[0] == "/opt/x"

    def test_no_loader_is_the_systems(self) -> None:
        assert "/usr/lib64" in default_directories(None)


def test_the_directories_of_the_variable() -> None:
    assert library_path_of({"LD_LIBRARY_PATH": "/a::/b"}) == ("/a", "/b")
    assert library_path_of({}) == ()
