"""Wheels with compiled code for the tests: small extension modules, compiled here with any flags."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.factories import make_wheel

__all__ = [
    "PLATFORM",
    "WELL",
    "compiled",
    "extension_wheel",
    "gcc",
    "level_source",
    "platform_wheel",
    "source",
]

PLATFORM = sysconfig.get_platform().replace("-", "_").replace(".", "_")

#: The body of a module's initialisation in which all goes well.
WELL = ""


def gcc() -> str:
    """The compiler; skips the test where there is none."""
    found = shutil.which("gcc")
    if found is None:
        pytest.skip("gcc is not installed")
    return found


def source(name: str, body: str = WELL, before: str = "") -> str:
    """The C text of an extension module whose initialisation runs *body* once it has made `module`."""
    return f"""
#include <Python.h>
#include <stdlib.h>
#include <unistd.h>
{before}
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "{name}", 0, -1, 0}};
PyMODINIT_FUNC PyInit_{name}(void)
{{
    PyObject *module = PyModule_Create(&definition);
    {body}
    return module;
}}
"""


#: Which level a C file is compiled for.
_LEVEL = """\
#if defined(__AVX512F__)
#define LEVEL "avx512"
#elif defined(__AVX2__)
#define LEVEL "avx2"
#elif defined(__AVX__)
#define LEVEL "avx"
#else
#define LEVEL "baseline"
#endif
"""


def level_source(name: str) -> str:
    """The same of a module that says which CPU level it was compiled for, in `LEVEL` and in its bytes."""
    body = """\
PyModule_AddStringConstant(module, "LEVEL", LEVEL);
    PyModule_AddStringConstant(module, "TOLD", "LEVEL IS " LEVEL ".");"""
    return source(name, body, _LEVEL)


def compiled(path: Path, text: str, *flags: str) -> Path:
    """A shared object at *path*, compiled from *text*."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source_file = path.with_suffix(".c")
    source_file.write_text(text)
    include = sysconfig.get_path("include")
    command = [gcc(), "-shared", "-fPIC", f"-I{include}", "-o", str(path), str(source_file), *flags]
    subprocess.run(command, check=True, capture_output=True)
    source_file.unlink()
    return path


def platform_wheel(directory: Path, name: str, files: Mapping[str, str | bytes], **options: object) -> Path:
    """A wheel of *files* for the tests' Python on this platform."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    return make_wheel(directory, f"{name}-1.0-{tag}-{tag}-{PLATFORM}.whl", files=files, **options)


def extension_wheel(
    directory: Path,
    name: str = "fast",
    *,
    flags: Sequence[str] = (),
    body: str = WELL,
    before: str = "",
    files: Mapping[str, str | bytes] | None = None,
    package: str = "",
    **options: object,
) -> Path:
    """A wheel of one extension module called *name*.

    body, before: C in its initialisation, and ahead of it. files: besides. package: that it is in.
    """
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    library = compiled(directory / "build" / f"{name}.so", source(name, body, before), *flags)
    inside: dict[str, str | bytes] = {f"{package}{name}{suffix}": library.read_bytes(), **(files or {})}
    if package:
        inside.setdefault(f"{package}__init__.py", "")
    return platform_wheel(directory, name, inside, **options)
