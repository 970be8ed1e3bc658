"""Whether a source looks as if its build needs a compiler, and whether there is one."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from wheelhouse_resolver.utils.toml import parse_toml

#: Build backends for compiled code, by the beginning of their names.
_BACKENDS = ("mesonpy", "py_build_cmake", "scikit_build_core")

#: What makes an extension of setuptools.
_EXTENSION = re.compile(r"\b(\w*Extension|cythonize|ext_modules|cffi_modules)\b")

#: What builds take for the compiler if CC is not set: `cc` of make and CMake, and `gcc` of most Pythons.
_COMPILERS = ("cc", "gcc", "clang")


def sign_of_compiled_code(source: str) -> str:
    """What in the directory *source* says that its build compiles, if anything does. Nothing of it is run."""
    with suppress(OSError, ValueError, AttributeError):
        project = parse_toml(Path(source, "pyproject.toml").read_text(encoding="utf-8"))
        backend = str(project.get("build-system", {}).get("build-backend", ""))
        if backend.startswith(_BACKENDS):
            return f"its build backend is {backend}"
        if project.get("tool", {}).get("setuptools", {}).get("ext-modules"):
            return "pyproject.toml has ext-modules"
    with suppress(OSError):
        if found := _EXTENSION.search(Path(source, "setup.py").read_text(encoding="utf-8", errors="replace")):
            return f"setup.py has {found[1]}"
    return ""


def missing_compiler(source: str, environ: Mapping[str, str]) -> str:
    """A warning if the build of *source* seems to need a compiler, and none is on PATH; else empty."""
    stated = ""
    with suppress(ValueError, IndexError):
        stated = shlex.split(environ.get("CC", ""))[0]
    wanted = (stated,) if stated else _COMPILERS
    if any(shutil.which(each, path=environ.get("PATH", "")) for each in wanted):
        return ""
    sign = sign_of_compiled_code(source)
    return f"there is no compiler on PATH ({', '.join(wanted)}), and {sign}" if sign else ""
