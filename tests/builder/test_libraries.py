"""What the loader would find, held against the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builder.extensions import compiled
from tests.requires import compiles, need
from wheelhouse_resolver.builder.verification.libraries import (
    LibraryProblem,
    Loader,
    library_path_of,
    library_problems,
)
from wheelhouse_resolver.host.program_interpreter import program_interpreter
from wheelhouse_resolver.utils.elf import ElfFile, read_elf

PYTHON = os.path.realpath(sys.executable)


@pytest.fixture(autouse=True)
def empty(tmp_path: Path) -> Path:
    """Where the loader runs."""
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def elf(path: Path) -> ElfFile:
    with open(path, "rb") as file:
        return read_elf(file, str(path))


def problems(
    *paths: Path, library_path: Sequence[str] = (), executable: str = PYTHON
) -> list[LibraryProblem]:
    program = program_interpreter(PYTHON)
    assert program is not None
    (directory,) = (each / "empty" for each in paths[0].parents if (each / "empty").is_dir())
    loader = Loader(
        program=program, executable=executable, directory=str(directory), library_path=tuple(library_path)
    )
    return library_problems(map(elf, paths), loader)


def missing(path: Path, *library_path: str) -> set[str]:
    return {each.library for each in problems(path, library_path=library_path)}


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
    assert problems(inner, middle, outer) == []
    (found,) = problems(inner, middle)
    assert (found.file, found.library) == (str(middle), "inner.so")


@compiles
def test_a_relative_directory_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = library(tmp_path / "inner.so")
    outer = library(tmp_path / "outer.so", "-Wl,-rpath,.", needs=[inner])
    monkeypatch.chdir(tmp_path)
    assert missing(outer, *library_path_of({"LD_LIBRARY_PATH": ".:"})) == {"inner.so"}


@compiles
def test_what_a_library_outside_needs_is_looked_for_as_well(tmp_path: Path) -> None:
    last = library(tmp_path / "gone/last.so")
    middle = library(tmp_path / "libs/middle.so", "-Wl,-rpath,$ORIGIN/x", needs=[last])
    first = library(tmp_path / "first.so", "-Wl,-rpath,$ORIGIN/libs", needs=[middle])
    (found,) = problems(first)
    assert (found.file, found.library) == (str(middle), "last.so")
    assert f"(looked in {tmp_path}/libs/x and the loader's own directories)" in str(found)


@compiles
def test_a_loader_that_does_not_answer_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wheelhouse_resolver.builder.verification.libraries._TIMEOUT", 0)
    first = library(tmp_path / "first.so")
    (found,) = problems(first)
    assert (found.file, found.library) == (str(first), "")
    assert "did not answer within 0 s" in str(found)


@compiles
def test_an_executable_is_loaded_by_its_own_loader(tmp_path: Path) -> None:
    inner = library(tmp_path / "libs/inner.so")
    source = tmp_path / "tool.c"
    source.write_text("extern int inner(void); int main(void) { return inner(); }")
    for name, flags in {
        "good": ["-Wl,-rpath,$ORIGIN/libs"],
        "bad": [],
        "odd": ["-Wl,-I,/nowhere/ld"],
    }.items():
        subprocess.run(["gcc", "-o", tmp_path / name, source, inner, *flags], check=True)
    assert problems(tmp_path / "good") == []
    assert missing(tmp_path / "bad") == missing_for_real(tmp_path / "bad") == {"inner.so"}
    (found,) = problems(tmp_path / "odd")
    assert str(found) == (
        f"{tmp_path}/odd needs the loader /nowhere/ld, which cannot be run: No such file or directory"
    )


@compiles
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(lambda data: data[:3000], "ended by SIGBUS", id="cut"),
        pytest.param(lambda data: data[:18] + b"\xf3" + data[19:], "cannot open shared object", id="machine"),
    ],
)
def test_what_cannot_be_loaded_at_all(damage: Callable[[bytes], bytes], problem: str, tmp_path: Path) -> None:
    first = library(tmp_path / "first.so", "-Wl,--build-id=none")
    whole = elf(first)
    first.write_bytes(damage(first.read_bytes()))
    program = program_interpreter(PYTHON)
    assert program is not None
    loader = Loader(program=program, executable=PYTHON, directory=str(tmp_path / "empty"))
    (found,) = library_problems([whole], loader)
    assert str(found).startswith(f"{first} cannot be loaded: {problem}")


@compiles
def test_a_loader_of_musl(tmp_path: Path) -> None:
    """It writes what it does not find to stderr, and needs `--list`."""
    program = tmp_path / "ld-musl-x86_64.so.1"
    program.write_text(
        "#!/bin/sh\n"
        'echo "\t$LD_PRELOAD (0x7f00)"; test "$1" = --list || exit 1\n'
        'echo "Error loading shared library gone.so: No such file (needed by $LD_PRELOAD)" >&2; exit 127\n'
    )
    program.chmod(0o755)
    file = replace(elf(library(tmp_path / "first.so")), needed=("gone.so",))
    loader = Loader(program=str(program), executable=PYTHON, directory=str(tmp_path / "empty"))
    assert [(each.file, each.library) for each in library_problems([file], loader)] == [
        (file.path, "gone.so")
    ]


@compiles
def test_what_is_not_found_says_who_needs_it_and_where_it_is_not(tmp_path: Path) -> None:
    inner = library(tmp_path / "gone.so")
    outer = library(tmp_path / "outer.so", "-Wl,-rpath,/sw/lib", needs=[inner])
    inner.unlink()
    (found,) = problems(outer, library_path=["/my/lib"])
    assert (found.file, found.library) == (str(outer), "gone.so")
    assert str(found) == (
        f"{outer} needs gone.so, which is not found "
        "(looked in /my/lib, /sw/lib and the loader's own directories)"
    )


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
    assert [each.library for each in problems(module)] == ["own.so"]
    assert problems(module, executable=str(executable)) == []


def test_the_directories_of_the_variable() -> None:
    assert library_path_of({"LD_LIBRARY_PATH": "/a::x:./y:/b"}) == ("/a", "/b")
    assert library_path_of({}) == ()
