"""Compiler flags for an arch: what the ladder names, in the words of the compiler and the linker."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from wheelhouse_resolver.errors import WheelhouseError, reason_of
from wheelhouse_resolver.text import printable

if TYPE_CHECKING:
    from wheelhouse_resolver.site import Arch, Site

__all__ = [
    "FlagsError",
    "Toolchain",
    "arch_flags",
    "compiler_environment",
    "level_of",
    "native_word",
    "probe_toolchain",
    "replace_native",
]

#: The variables that compilers and build systems read flags from.
_VARIABLES = ("CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS")

#: The x86-64 levels that the linker can mark a library with (`-z x86-64-v3`), the highest first.
_LEVELS = ("x86_64_v4", "x86_64_v3", "x86_64_v2")

#: How long the compiler may take to say its version or to link nothing (s).
_TIMEOUT = 60

#: Flags that ask for the CPU of the node that builds: gcc's and clang's, Intel's.
_NATIVE = re.compile(rb"(?<![\w-])(?:-m(?P<kind>arch|cpu|tune)=native|(?:-|/Q)x(?:Host|HOST|host))(?![\w=-])")

#: The files that flags stand in, by their names' beginning or end.
_BUILD_FILES = re.compile(
    r"(Makefile|makefile|GNUmakefile|configure|SCons|meson|BUILD|WORKSPACE).*"
    r"|.*\.(py|pyx|toml|cfg|ini|txt|cmake|in|ac|am|m4|mk|make|build|sh|json|ya?ml|pro|gypi?|bzl|bazel|rs)",
    re.DOTALL,
)

#: Build files are not longer than this (bytes).
_LONGEST = 4 << 20


class FlagsError(WheelhouseError, ValueError):
    """An arch without flags that are known for it. Attributes: *arch*, *problem*."""

    def __init__(self, arch: str, problem: str) -> None:
        super().__init__(arch, problem)
        self.arch = arch
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"compiler flags for arch {printable(self.arch)}: {printable(self.problem)}; "
            f'name them in the site file: [build.flags] {printable(self.arch)} = "..."'
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolchain:
    """A compiler, as far as flags depend on it.

    name, version: as archspec knows them (`gcc`, `12.2.0`).
    marks:         the x86-64 levels that its linker can mark a library with.
    """

    name: str
    version: str
    marks: frozenset[str] = frozenset()


def compiler_environment(
    arch: Arch | None, site: Site, *, toolchain: Callable[[], Toolchain] | None = None
) -> dict[str, str]:
    """The variables with the flags for *arch*: CFLAGS and its kin, and LDFLAGS with the linker's mark.

    The flags are archspec's for the compiler at hand, or what the site file says (`[build.flags]`). The
    mark, `-Wl,-z,x86-64-v3`, makes the loader refuse the library on a lower CPU (glibc >= 2.33) where it
    would crash. *toolchain*: asked for the compiler if one must be known; by default that on PATH. None, the
    generic arch, has no flags. Raises `FlagsError`.
    """
    if arch is None:
        return {}
    stated = site.tables.get("build", {}).get("flags", {}).get(arch.name)
    tools = (toolchain or probe_toolchain)()
    flags = stated if stated is not None else arch_flags(arch, tools)
    found = dict.fromkeys(_VARIABLES, str(flags))
    level = level_of(arch)
    if level in tools.marks:
        found["LDFLAGS"] = _mark(level)
    return found


def arch_flags(arch: Arch, tools: Toolchain) -> str:
    """The compiler flags for *arch*. Raises `FlagsError` when archspec knows none."""
    from archspec.cpu import TARGETS

    if arch.target is not None:
        try:
            return str(TARGETS[arch.target].optimization_flags(tools.name, tools.version))
        except ValueError as error:  # what archspec raises for an unknown compiler is one too
            raise FlagsError(arch.name, str(error)) from error
    if arch.family != "x86_64":
        raise FlagsError(arch.name, "an arch by features has known flags on x86_64 only")
    # gcc's and clang's names of the features are the kernel's, but for sse4_1 and sse4_2.
    return " ".join([*(f"-m{feature.replace('_', '.')}" for feature in arch.features), "-mtune=generic"])


def level_of(arch: Arch) -> str | None:
    """The highest x86-64 level that every CPU of *arch* has, as archspec names it; None for none of them."""
    from archspec.cpu import TARGETS

    if arch.family != "x86_64":
        return None
    if arch.target is not None:
        targets = [TARGETS[arch.target]]
    else:
        having = (each for each in TARGETS.values() if str(each.family) == "x86_64")
        targets = [each for each in having if all(feature in each for feature in arch.features)]
    return next((level for level in _LEVELS if all(each >= TARGETS[level] for each in targets)), None)


def _mark(level: str) -> str:
    """The linker's flag for an x86-64 level: `-Wl,-z,x86-64-v3` for `x86_64_v3`."""
    return f"-Wl,-z,{level.replace('_', '-')}"


def probe_toolchain(environ: Mapping[str, str] | None = None) -> Toolchain:
    """The compiler that *environ* (`os.environ` by default) names with CC, else gcc. Raises `FlagsError`."""
    chosen = os.environ if environ is None else environ
    return _probed(chosen.get("CC") or "gcc", chosen.get("PATH", os.defpath))


@lru_cache(maxsize=8)
def _probed(command: str, path: str) -> Toolchain:
    words = command.split()
    environ = {"PATH": path, "LC_ALL": "C"}

    def asked(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*words, *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )

    try:
        about = asked("--version").stdout
        version = asked("-dumpfullversion", "-dumpversion").stdout.strip()
        name = "clang" if "clang" in about else "gcc"
        marks = set()
        with tempfile.TemporaryDirectory() as scratch:
            source = os.path.join(scratch, "nothing.c")
            with open(source, "w", encoding="ascii") as file:
                file.write("int nothing;\n")
            for level in _LEVELS:
                mark = _mark(level)
                done = asked("-shared", "-fPIC", mark, "-o", os.path.join(scratch, "nothing.so"), source)
                # An older linker warns that it ignores the option.
                if done.returncode == 0 and not done.stderr.strip():
                    marks.add(level)
    except OSError as error:
        raise FlagsError(command, f"the compiler cannot be run: {reason_of(error)}") from error
    except subprocess.TimeoutExpired as error:
        raise FlagsError(command, f"the compiler did not answer within {_TIMEOUT} s") from error
    if not re.match(r"\d+", version):
        raise FlagsError(command, "the compiler does not tell its version")
    return Toolchain(name=name, version=version, marks=frozenset(marks))


def native_word(flags: str) -> str:
    """The one word that stands for `-march=native` in a source that is built with these *flags* (CFLAGS).

    The last `-march=` or `-mcpu=` of them, else the last instruction set, else this CPU family's baseline.
    """
    for kind in (r"-m(?:arch|cpu)=(?!native)\S+", r"-m(?:sse|avx)\S*"):
        if found := re.findall(rf"(?<!\S){kind}", flags):
            return str(found[-1])
    from archspec.cpu import TARGETS

    family = TARGETS.get(os.uname().machine)
    baseline = family.optimization_flags("gcc", "12.2.0") if family is not None else ""
    return next((word for word in baseline.split() if word.startswith(("-march=", "-mcpu="))), "")


def replace_native(source: str, word: str) -> list[str]:
    """Replace the flags for the CPU of the building node in the build files below *source*.

    `-march=native`, `-mcpu=native` and Intel's `-xHost` become *word*, and `-mtune=native` becomes
    `-mtune=generic`. Returns the paths of the changed files, relative to *source*, sorted.
    """

    def instead(match: re.Match[bytes]) -> bytes:
        return b"-mtune=generic" if match["kind"] == b"tune" else word.encode()

    changed = []
    for directory, below, names in os.walk(source):
        below[:] = sorted(name for name in below if name not in (".git", ".hg"))
        for name in sorted(names):
            path = os.path.join(directory, name)
            if not _BUILD_FILES.fullmatch(name) or os.path.islink(path) or os.path.getsize(path) > _LONGEST:
                continue
            with open(path, "rb") as file:
                data = file.read()
            new = _NATIVE.sub(instead, data)
            if new != data:
                with open(path, "wb") as output:
                    output.write(new)
                changed.append(os.path.relpath(path, source))
    return changed
