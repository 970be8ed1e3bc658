from __future__ import annotations

from pathlib import Path

import pytest

from wheelhouse_resolver.builder.pipeline.linked import external_libraries, modules_shown, searched
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.wheelfile.provenance import ExternalLibrary


@pytest.fixture
def sw(tmp_path: Path) -> Path:
    """Directories with libraries: *blas* by a module, *own* by an rpath, *system* beside the loader."""
    for path in (
        "blas/libblas.so.3",
        "own/libown.so",
        "own/libblas.so.3",
        "system/libc.so.6",
        "system/ld.so",
    ):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    return tmp_path


def test_where_they_are_and_who_gives_them(sw: Path) -> None:
    files = [
        ElfFile(path="demo/_a.so", needed=("libc.so.6", "libblas.so.3", "libinner.so.1", "libgone.so")),
        ElfFile(path="demo/_b.so", needed=("libblas.so.3", "libown.so"), runpath=("$ORIGIN", f"{sw}/own")),
        ElfFile(path="demo.libs/libinner-1a2b.so", soname="libinner.so.1"),
    ]
    shown = {"blas/3.1": f'prepend_path("LD_LIBRARY_PATH","{sw}/blas")', "other": "/opt/other"}
    found = external_libraries(files, [f"{sw}/none", f"{sw}/blas"], f"{sw}/system/ld.so", lambda: shown)
    assert found == (
        ExternalLibrary(name="libblas.so.3", path=f"{sw}/blas/libblas.so.3", module="blas/3.1"),
        ExternalLibrary(name="libblas.so.3", path=f"{sw}/own/libblas.so.3"),
        ExternalLibrary(name="libc.so.6", path=f"{sw}/system/libc.so.6"),
        ExternalLibrary(name="libgone.so"),
        ExternalLibrary(name="libown.so", path=f"{sw}/own/libown.so"),
    )


def test_no_module_is_asked_for_what_the_system_has(sw: Path) -> None:
    def ask() -> dict[str, str]:
        raise AssertionError

    files = [ElfFile(path="demo.so", needed=("libc.so.6",))]
    assert external_libraries(files, [], f"{sw}/system/ld.so", ask)[0].path == f"{sw}/system/libc.so.6"
    assert modules_shown((), (), {"PATH": "/gone"}, [{}])() == {}


def test_where_libraries_are_looked_for() -> None:
    build = {
        "LD_LIBRARY_PATH": "/b:/r/",
        "LIBRARY_PATH": "/l::rel",
        "LDFLAGS": "-O1 -L/f -Lrel '-L/two words'",
    }
    found = searched({"LD_LIBRARY_PATH": "/r:"}, build)
    assert found == ["/r", "/b", "/f", "/two words", "/l"]
