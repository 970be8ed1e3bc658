"""The installers that users have, run for real: releases of pip and uv, each on a Python that runs it.

An installer is asked for many projects at once, since most of a run's time is its start. Its answer is
read from what it took: every wheel of the tests holds one module, with `MARK = "<where it came from>"`.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from glob import escape, glob
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

from tests.pips import fetch, pip_environ, real_environ
from wheelhouse_resolver.installers.ordering import INSTALLERS, Installer, PythonKind
from wheelhouse_resolver.wheelfile.tags import machine_of

__all__ = [
    "BETWEEN",
    "MACHINE",
    "ONE_OF_EACH",
    "PROGRAMS",
    "Failed",
    "Program",
    "glibc_levels",
    "mark_of",
    "one_of_each",
    "one_of_each_everyday",
    "program_of",
    "python_that_runs",
    "python_versions",
    "pythons",
    "write_index",
]

#: The installers that the promise is about. `pip` and `uv` are the newest ones.
PROGRAMS = (
    "pip==20.3.4",
    "pip==21.3.1",
    "pip==22.3.1",
    "pip==23.2.1",
    "pip==24.0",
    "pip==25.0.1",
    "pip",
    "uv",
)

#: First and last releases of the ranges in which pip chooses alike, as far as they are not above.
BETWEEN = ("pip==19.3.1", "pip==20.2.4", "pip==21.0.1", "pip==21.1.3", "pip==26.2")


#: One for each way to choose that they have.
ONE_OF_EACH = frozenset({"pip==20.3.4", "pip==24.0", "pip", "uv"})

#: Asks all programs, but everyday only one of each kind: every run of an installer takes seconds.
one_of_each_everyday = pytest.mark.parametrize(
    "program",
    [
        pytest.param(
            each,
            id=each,
            marks=[pytest.mark.network, *([] if each in ONE_OF_EACH else [pytest.mark.slow])],
        )
        for each in PROGRAMS
    ],
    indirect=True,
)

#: Asks one of each kind only.
one_of_each = pytest.mark.parametrize(
    "program",
    [pytest.param(each, id=each, marks=pytest.mark.network) for each in PROGRAMS if each in ONE_OF_EACH],
    indirect=True,
)


class Failed(Exception):
    """An installer that found no solution; the text is what it said."""


class _Needs(NamedTuple):
    """The Pythons that a range of pip's releases runs on, and a module that they must have."""

    lowest: tuple[int, int]
    highest: tuple[int, int]
    module: str = "ssl"


def _needs(release: str) -> _Needs:
    if release.startswith("uv"):
        return _Needs((3, 8), (3, 99))
    if release == "pip":
        return _Needs((3, 10), (3, 99))
    pip = _numbers(release.removeprefix("pip=="))
    if pip < (20, 3):  # these read 3.10 as 3.1, or look for cp3_10
        return _Needs((3, 6), (3, 9), "distutils.command.install")
    if pip < (23, 1):  # these import what 3.12 has no more
        return _Needs((3, 6) if pip < (21, 0) else (3, 7), (3, 11), "distutils.command.install")
    if pip < (25, 0):
        return _Needs((3, 7), (3, 13))
    return _Needs((3, 10) if pip >= (26, 0) else (3, 8), (3, 14))


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return (int(major), int(minor))


def python_that_runs(release: str) -> str | None:
    """A Python of this machine that runs *release*: preferably that of the tests; None if there is none."""
    needs = _needs(release)
    for python in pythons():
        version = _version_of(python, needs.module)
        if version is not None and needs.lowest <= version <= needs.highest:
            return python
    return None


@lru_cache(maxsize=1)
def pythons() -> list[str]:
    """The Pythons of this machine, that of the tests first; not all need run (a version manager's shims)."""
    environ = real_environ()
    names = [f"python3.{minor}" for minor in range(15, 5, -1)]
    found = [shutil.which(name, path=environ.get("PATH")) for name in names]
    # Where people keep several; a machine without any of it has one or two on PATH.
    kept = environ.get("PYENV_ROOT") or os.path.join(environ.get("HOME", ""), ".pyenv")
    more = sorted(glob(os.path.join(escape(kept), "versions", "*", "bin", "python")))
    return list(dict.fromkeys([sys.executable, *(each for each in found if each), *reversed(more)]))


def python_versions() -> list[tuple[str, tuple[int, int]]]:
    """The CPythons of this machine that run, that of the tests first, and their versions."""
    found = [(python, _version_of(python, "ssl")) for python in pythons()]
    return [(python, version) for python, version in found if version is not None]


@lru_cache(maxsize=64)
def _version_of(python: str, module: str) -> tuple[int, int] | None:
    """The version of *python*, if it is a CPython for this machine that has *module*."""
    code = (
        f"import {module}, platform, sys; assert sys.implementation.name == 'cpython';"
        "assert sys.maxsize > 2**32; print(platform.machine(), *sys.version_info[:2])"
    )
    try:
        done = subprocess.run(
            [python, "-W", "ignore", "-c", code], text=True, capture_output=True, env=pip_environ()
        )
    except OSError:
        return None
    words = done.stdout.split()
    if done.returncode != 0 or words[0] != MACHINE:
        return None
    return (int(words[1]), int(words[2]))


#: As platform tags spell it.
MACHINE = os.uname().machine


def glibc_levels() -> list[tuple[int, int]]:
    """The manylinux levels that this machine accepts, lowest first; none where its C library is another."""
    from packaging.tags import platform_tags

    levels = set()
    for platform in platform_tags():
        if platform.startswith("manylinux_") and machine_of(platform) == MACHINE:
            major, minor = platform.split("_")[1:3]
            levels.add((int(major), int(minor)))
    return sorted(levels)


class Program(NamedTuple):
    """An installer.

    release: `pip==24.0`, `pip`, `uv`, `uv==0.6.17`.
    command: what runs it.
    version: the numbers of its release.
    python:  the Python that it installs for.
    kind:    the same as our models see it.
    """

    release: str
    command: tuple[str, ...]
    version: tuple[int, int]
    python: str
    kind: PythonKind

    @property
    def model(self) -> Installer:
        """Our model of how it chooses."""
        for installer in INSTALLERS:
            name, *bounds = installer.name.replace(">=", "").replace(" to ", " ").split()
            lowest = _numbers(bounds[0]) if bounds else (0, 0)
            if name == self.release.partition("=")[0] and lowest <= self.version:
                return installer
        raise LookupError(self.release)

    @property
    def tag(self) -> str:
        """The wheel tag of what a site builds for its Python: `cp311-cp311-linux_x86_64`."""
        short = f"cp{self.kind.version[0]}{self.kind.version[1]}"
        return f"{short}-{short}{self.kind.flags}-linux_{MACHINE}"

    def install(
        self,
        find_links: Sequence[str],
        requirements: Sequence[str],
        work: Path,
        *,
        index: str | None = None,
        python: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """What it installs for *requirements*, all at once: project -> MARK.

        *find_links*: URLs of directories, in this order. *index*: the URL of one; None: `--no-index`.
        *python*: installs for this one instead of its own: a path (uv only), or a version. Raises `Failed`.
        """
        work.mkdir(parents=True, exist_ok=True)
        number = len(os.listdir(work))
        target = work / f"installed{number}"
        more = dict(environ or {})
        options = ["--index-url", index] if index is not None else ["--no-index"]
        if python is not None and not os.path.isabs(python):
            options += ["--no-deps", "--only-binary", ":all:", "--python-version", python]
        if self.release.startswith("uv"):
            more |= {"UV_FIND_LINKS": ",".join(find_links), "UV_NO_CACHE": "1"}
            into = ["--python", python if python and os.path.isabs(python) else self.python]
            into += ["--target", str(target)]
            command = [*self.command, "pip", "install", *into, *options, *requirements]
        else:
            more["PIP_FIND_LINKS"] = " ".join(find_links)
            if self.version >= ((22, 2) if python is None else (24, 0)):  # for another Python: not before
                into = ["--dry-run", "--ignore-installed", "--report", str(target)]
            else:
                into = ["--no-compile", "--target", str(target)]
            command = [*self.command, "install", "--quiet", *into, *options, *requirements]
        done = subprocess.run(command, env=pip_environ(**more), text=True, capture_output=True)
        if done.returncode != 0:
            raise Failed(done.stdout + done.stderr)
        return _report(target) if target.is_file() else _installed(target)


def _report(path: Path) -> dict[str, str]:
    items = json.loads(path.read_bytes())["install"]
    return {
        item["metadata"]["name"]: mark_of(unquote(urlsplit(item["download_info"]["url"]).path))
        for item in items
    }


def _installed(target: Path) -> dict[str, str]:
    return {module.stem: _mark_in(module.read_text()) for module in target.glob("*.py")}


def mark_of(wheel: str) -> str:
    """The MARK in the module of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (module,) = [name for name in archive.namelist() if name.endswith(".py")]
        return _mark_in(archive.read(module).decode())


def _mark_in(source: str) -> str:
    mark: str = ast.literal_eval(source.partition(" = ")[2].strip())
    return mark


_PROGRAMS: dict[str, Program] = {}


def program_of(release: str, into: Path) -> Program:
    """The program *release*, fetched once a session below *into*; skips the test when no Python runs it."""
    if release not in _PROGRAMS:
        needs = _needs(release)
        python = python_that_runs(release)
        if python is None:
            lowest, highest = (".".join(map(str, bound)) for bound in needs[:2])
            pytest.skip(f"no Python on this machine runs {release}: it needs one of {lowest} to {highest}")
        found = fetch(release, into)
        (info,) = found.glob("*.dist-info")
        version = _numbers(info.name.removesuffix(".dist-info").partition("-")[2])
        if release.startswith("uv"):
            (binary,) = found.glob("*.data/scripts/uv")
            binary.chmod(0o755)
            command: tuple[str, ...] = (str(binary),)
        else:
            command = (python, str(found / "pip"))
        python_version = _version_of(python, needs.module)
        assert python_version is not None
        flags = "m" if python_version < (3, 8) else ""
        _PROGRAMS[release] = Program(
            release, command, version, python, PythonKind(python_version, flags, MACHINE)
        )
    return _PROGRAMS[release]


def write_index(root: Path, wheels: Sequence[Path]) -> str:
    """Lay *wheels* out below *root* as an index that is all files (PEP 503); returns its URL."""
    pages: dict[str, list[str]] = {}
    for wheel in wheels:
        project = wheel.name.split("-")[0].lower().replace("_", "-")
        directory = root / project
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(wheel, directory / wheel.name)
        pages.setdefault(project, []).append(f'<a href="{wheel.name}">{wheel.name}</a><br>\n')
    for project, links in pages.items():
        page = "<!DOCTYPE html><html><body>\n" + "".join(links) + "</body></html>\n"
        (root / project / "index.html").write_text(page)
    return root.as_uri()
