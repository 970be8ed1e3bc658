"""Compiler flags for an arch: what the ladder names, as options of the compiler and the linker."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cpu import TARGETS

from wheelhouse_resolver.errors import WheelhouseError, reason_of
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.schema import Pairs, one_of, require, text
from wheelhouse_resolver.utils.text import invalid_character

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch
    from wheelhouse_resolver.site.model import Site

#: The variables with flags for compilers (GNU make's names, which all build systems read).
COMPILER_FLAGS = ("CFLAGS", "CXXFLAGS", "FFLAGS", "FCFLAGS")

#: What compilers print for `--version`, and what archspec calls them; the first match counts.
_COMPILERS = (
    (r"^AMD clang version .*AOCC_(\d[\d.]*\d)", "aocc"),
    (r"Intel\(R\) oneAPI .*Compiler[^\d]* (\d[\d.]*\d)", "oneapi"),
    (r"^\S+ \((?:ICC|IFORT)\) (\d[\d.]*\d)", "intel"),
    (r"^nv\S+ (\d[\d.]*\d)", "nvhpc"),
    (r"clang version (\d[\d.]*\d)", "clang"),
    (r"^\S*cc(?:-[\d.]+)? \([^\n]*?\) (\d[\d.]*\d)[^\n]*\nCopyright \(C\) \d+ Free Software", "gcc"),
)

#: How long the compiler may take to say its version (s).
_TIMEOUT = 60

#: What compilers call a feature of x86-64 where that is not the kernel's name without underscores.
_OPTION_OF = {
    "3dnowext": "3dnowa",
    "amx_bf16": "amx-bf16",
    "amx_int8": "amx-int8",
    "amx_tile": "amx-tile",
    "bmi1": "bmi",
    "lahf_lm": "sahf",
    "pclmulqdq": "pclmul",
    "rdrand": "rdrnd",
    "sha_ni": "sha",
    "sse4_1": "sse4.1",
    "sse4_2": "sse4.2",
}

#: Flags that ask for the CPU of the node that builds: gcc's and clang's, Intel's.
_NATIVE = re.compile(rb"(?<![\w-])(?:-m(?P<kind>arch|cpu|tune)=native|(?:-|/Q)x(?:Host|HOST|host))(?![\w=-])")

#: The files that contain flags, by the beginning or end of their names.
_BUILD_FILES = re.compile(
    r"(Makefile|makefile|GNUmakefile|configure|SCons|meson|BUILD|WORKSPACE).*"
    r"|.*\.(py|pyx|toml|cfg|ini|txt|cmake|in|ac|am|m4|mk|make|build|sh|json|ya?ml|pro|gypi?|bzl|bazel(rc)?|rs)",
    re.DOTALL,
)


class FlagsError(WheelhouseError, ValueError):
    """An arch whose compiler flags are not known."""

    _message = "compiler flags for arch {arch}: {problem}"
    _hint = 'state them in the site file: [build.flags] {arch} = "..."'
    arch: str
    problem: str


class ToolchainError(WheelhouseError, RuntimeError):
    """A compiler for which flags cannot be chosen. *compiler*: its command."""

    _message = "compiler {compiler}: {problem}"
    _hint = "load the module of a compiler, name one in CC, or set `arch-flags = false` in the recipe"
    compiler: str
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolchain:
    """A compiler, as far as flags depend on it.

    name, version: as archspec knows them (`gcc`, `12.2.0`).
    """

    name: str
    version: str


def compiler_environment(
    arch: Arch | None,
    site: Site,
    *,
    environ: Mapping[str, str] = os.environ,
    toolchain: Toolchain | None = None,
) -> dict[str, str]:
    """The variables with the compiler flags for *arch*: CFLAGS and the like.

    The flags are archspec's for the *toolchain* (by default that of *environ*, `os.environ`), or what the
    site file states (`[build.flags]`). The generic arch (None) has those that the site file states, or none.

    Raises `FlagsError`, `ToolchainError`, and `SiteFileError` for a wrong `[build.flags]`.
    """
    stated = stated_flags(site).get(arch.name if arch is not None else GENERIC)
    if arch is None:
        return dict.fromkeys(COMPILER_FLAGS, stated) if stated is not None else {}
    tools = toolchain or probe_toolchain(environ)
    return dict.fromkeys(COMPILER_FLAGS, stated if stated is not None else arch_flags(arch, tools))


def stated_flags(site: Site) -> dict[str, str]:
    """The flags that the site file states, by the ladder's name of the arch. Raises `SiteFileError`."""
    known = [GENERIC, site.generic, *(arch.name for arch in site.ladder)]
    known += [called for layer in site.layers for _, called in layer.names]
    schema = Pairs(text(invalid_character), one_of("arch", known), header="build.flags")
    table = require(schema, site.tables.get("build", {}).get("flags", {}), site.source or "site")
    archs = {name: site.arch(name) for name in table}
    return {arch.name if arch is not None else GENERIC: table[name] for name, arch in archs.items()}


def arch_flags(arch: Arch, tools: Toolchain) -> str:
    """The compiler flags for *arch*. Raises `FlagsError` when none are known."""
    if arch.target is not None:
        try:
            flags = _archspec_flags(arch.target, tools)
        except ValueError as error:
            raise FlagsError(arch.name, str(error)) from error
        if not flags:
            raise FlagsError(arch.name, f"none are known for the compiler {tools.name}")
        return flags
    if arch.family != "x86_64" or tools.name == "nvhpc":
        raise FlagsError(arch.name, f"none are known for its features and the compiler {tools.name}")
    options = (_OPTION_OF.get(feature, feature.replace("_", "")) for feature in arch.features)
    return " ".join([*(f"-m{option}" for option in options), "-mtune=generic"])


def _archspec_flags(target: str, tools: Toolchain) -> str:
    """The flags that archspec has for *target*. Raises `ValueError` when it has none for that version."""
    try:
        return str(TARGETS[target].optimization_flags(tools.name, tools.version))
    except ValueError:
        # For it 12.2.0 is beyond a range that ends with 12.2, and the next one may begin with 12.3.
        minor = ".".join(tools.version.split(".")[:2])
        return str(TARGETS[target].optimization_flags(tools.name, minor))


def compiler_of(output: str) -> tuple[str, str] | None:
    """The name and version of the compiler, as archspec knows them, whose `--version` prints *output*."""
    found = ((name, re.search(pattern, output, re.MULTILINE)) for pattern, name in _COMPILERS)
    return next(((name, match[1]) for name, match in found if match), None)


def probe_toolchain(environ: Mapping[str, str]) -> Toolchain:
    """The compiler that *environ* names in CC, else its gcc; asked once. Raises `ToolchainError`."""
    return _probed(environ.get("CC") or "gcc", tuple(sorted(environ.items())))


@lru_cache(maxsize=8)
def _probed(command: str, environ: tuple[tuple[str, str], ...]) -> Toolchain:
    clean = {**dict(environ), "LC_ALL": "C"}
    try:
        done = run([*shlex.split(command), "--version"], environ=clean, timeout=_TIMEOUT)
    except FileNotFoundError as error:
        raise ToolchainError(command, "command not found") from error
    except OSError as error:
        raise ToolchainError(command, f"cannot be run: {reason_of(error)}") from error
    except ValueError as error:  # of shlex
        raise ToolchainError(command, f"invalid command line: {error}") from error
    except subprocess.TimeoutExpired as error:
        raise ToolchainError(command, f"did not answer within {_TIMEOUT} s") from error
    found = compiler_of(done.stdout)
    if found is None:
        raise ToolchainError(command, "unknown compiler: no flags are known for it")
    return Toolchain(name=found[0], version=found[1])


def native_word(flags: str) -> str:
    """What replaces `-march=native` in a source that is built with these *flags* (CFLAGS).

    One word, as an item of a list of arguments can hold no more: the last `-march=` or `-mcpu=` of the flags,
    else the last instruction set, else the baseline of this machine's CPU family.
    """
    for kind in (r"-m(?:arch|cpu)=(?!native)\S+", r"-m(?:sse|avx)\S*"):
        if found := re.findall(rf"(?<!\S){kind}", flags):
            return str(found[-1])
    family = TARGETS.get(os.uname().machine)
    baseline = family.optimization_flags("gcc", "12.2.0") if family is not None else ""
    # Where nothing is known of the CPU: a flag that changes no code.
    return next((word for word in baseline.split() if word.startswith(("-march=", "-mcpu="))), "-pipe")


def replace_native(source: str, word: str) -> list[str]:
    """Replace the flags for the CPU of the building node in the build files below *source*.

    `-march=native`, `-mcpu=native` and Intel's `-xHost` become *word*, and `-mtune=native` becomes
    `-mtune=generic`, or tunes for the CPU that *word* names by `-mcpu=` (POWER knows no generic one). Returns
    the paths of the changed files, relative to *source*, sorted.
    """
    tune = word.replace("-mcpu=", "-mtune=", 1) if word.startswith("-mcpu=") else "-mtune=generic"

    def replacement(match: re.Match[bytes]) -> bytes:
        return (tune if match["kind"] == b"tune" else word).encode()

    changed = []
    for directory, below, names in os.walk(source):
        below[:] = [name for name in below if name not in (".git", ".hg")]
        for name in names:
            path = os.path.join(directory, name)
            if not _BUILD_FILES.fullmatch(name) or os.path.islink(path) or not os.path.isfile(path):
                continue
            if os.path.getsize(path) <= 4 << 20:  # longer ones are no build files
                data = Path(path).read_bytes()
                if rewrite(path, data, _NATIVE.sub(replacement, data)):
                    changed.append(os.path.relpath(path, source))
    return sorted(changed)


def rewrite(path: str, old: bytes, new: bytes) -> bool:
    """Make *new* the content of the source file at *path*, which was *old*; False if that is the same.

    Its time is kept: make and autoconf would generate again what depends on it.
    """
    if old == new:
        return False
    before = os.stat(path)
    Path(path).write_bytes(new)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return True
