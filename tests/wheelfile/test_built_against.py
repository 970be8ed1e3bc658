from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.factories import make_wheel
from tests.pips import real_environ
from tests.requires import compiles
from wheelhouse_resolver.utils.safe_io import CHUNK
from wheelhouse_resolver.wheelfile.built_against import BuiltAgainst, built_against

NEW = b"module was compiled against NumPy C-API version 0x%x (NumPy 1.23) but"
NEWER = NEW.replace(b"1.23", b"2.0")
OLD = b"module compiled against API version 0x%x but this version of numpy is 0x%x ."

#: A module of numpy's C API.
MODULE = """\
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <numpy/arrayobject.h>
static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, "fast", 0, -1, 0 };
PyMODINIT_FUNC PyInit_fast(void) { import_array(); return PyModule_Create(&definition); }
"""


def wheel_with(directory: Path, *libraries: bytes) -> str:
    files = {f"demo/{number}.so": content for number, content in enumerate(libraries)}
    return str(make_wheel(directory, "demo-1.0-cp311-cp311-linux_x86_64.whl", files=files))


@pytest.mark.parametrize(
    ("texts", "versions", "expected"),
    [
        ([NEW], {}, ">=1.23"),
        ([NEW, NEWER], {"numpy": "2.4.0"}, ">=2.0"),
        ([OLD], {"numpy": "1.24.4"}, ">=1.24,<2"),
        ([OLD], {"numpy": "1.26.4"}, "<2"),
        ([OLD], {}, "<2"),
        ([NEW, OLD], {"numpy": "what?"}, "<2"),
        ([b"import numpy"], {"numpy": "1.24.4"}, None),
    ],
)
def test_what_the_headers_of_numpy_leave(
    texts: list[bytes], versions: dict[str, str], expected: str | None, tmp_path: Path
) -> None:
    start = b"\x7fELF"
    # Also where it lies across the parts that are read.
    libraries = [start + b"\0" * (CHUNK - len(start) - 9) + text for text in texts]
    found = built_against(wheel_with(tmp_path, *libraries), versions)
    assert [(each.project, each.specifier) for each in found] == ([("numpy", expected)] if expected else [])


def test_text_in_other_files_is_no_evidence(tmp_path: Path) -> None:
    assert built_against(wheel_with(tmp_path, NEW), {}) == []


@compiles
def test_what_the_linker_says_of_torch(tmp_path: Path) -> None:
    for name, needs in (("libtorch_cpu.so", []), ("_C.so", ["-L.", "-l:libtorch_cpu.so"])):
        command = ["gcc", "-shared", "-Wl,--no-as-needed", "-o", name, *needs, "-x", "c", "/dev/null"]
        subprocess.run(command, cwd=tmp_path, check=True)
    wheel = wheel_with(tmp_path, b"", (tmp_path / "_C.so").read_bytes())
    evidence = "demo/1.so needs libtorch_cpu.so"
    assert built_against(wheel, {"torch": "2.10.1+site"}) == [BuiltAgainst("torch", "~=2.10.0", evidence)]
    assert built_against(wheel, {}) == [BuiltAgainst("torch", "", evidence)]


@pytest.mark.network
@compiles
@pytest.mark.parametrize(("version", "expected"), [("1.26.4", "<2"), ("2.3.5", ">=1.23")])
def test_an_extension_compiled_with_numpy(version: str, expected: str, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps"]
    command = [*pip, "--only-binary", ":all:", "--dest", str(tmp_path), f"numpy=={version}"]
    subprocess.run(command, check=True, env=real_environ())
    (numpy,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(numpy) as archive:
        archive.extractall(tmp_path)
    (headers,) = tmp_path.glob("numpy/*core/include")
    (tmp_path / "fast.c").write_text(MODULE)
    python = sysconfig.get_path("include")
    command = ["gcc", "-shared", "-fPIC", f"-I{headers}", f"-I{python}", "-o", "fast.so", "fast.c"]
    subprocess.run(command, cwd=tmp_path, check=True)
    wheel = wheel_with(tmp_path / "made", (tmp_path / "fast.so").read_bytes())
    (found,) = built_against(wheel, {"numpy": version})
    assert (found.project, found.specifier) == ("numpy", expected)
