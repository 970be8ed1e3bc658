"""Verifying a wheel: whether it works for those who will install it.

It is installed into a fresh environment with what it requires, and everything that it contains is imported
there, each in a process of its own: a wheel that crashes or hangs is a failed verification, not a failed
verifier. Nothing stops at the first failure; all findings are told.
"""

from __future__ import annotations

import os
import re
import sys
import sysconfig
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from wheelhouse_resolver.build.elf import elf_files
from wheelhouse_resolver.build.environment import EnvironmentProblemError, isolated, make_environment
from wheelhouse_resolver.build.libraries import (
    Loader,
    default_directories,
    library_path_of,
    missing_libraries,
)
from wheelhouse_resolver.build.processes import Finished, run_logged
from wheelhouse_resolver.build.recipe import Test
from wheelhouse_resolver.errors import PythonError, reason_of
from wheelhouse_resolver.host.elf import NotElfError, program_interpreter
from wheelhouse_resolver.metadata import BAD_ZIP

__all__ = ["Finding", "Verification", "import_names", "python_for", "verify"]

#: How the names of extension modules end, behind the module's own name.
_EXTENSION = re.compile(r"([A-Za-z_]\w*)(\.(abi3|cpython|pypy|graalpy)[\w.-]*)?\.so", re.ASCII)

#: How long installing may take (s).
_INSTALLING = 1800

_NO_TEST = Test()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is wrong.

    check: `environment`, `install`, `requirements`, `import NAME`, `statement`, `command` or `libraries`.
    """

    check: str
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The outcome of verifying one wheel.

    wheel:    its path. findings: all that is wrong.
    imported: what could be imported.
    seconds:  how long it took (s). log: the file with all that was printed.
    """

    wheel: str
    findings: tuple[Finding, ...]
    imported: tuple[str, ...]
    seconds: float
    log: str

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "wheel": self.wheel,
            "ok": self.ok,
            "findings": [{"check": each.check, "problem": each.problem} for each in self.findings],
            "imported": list(self.imported),
            "seconds": round(self.seconds, 3),
            "log": self.log,
        }


def verify(
    wheel: str,
    *,
    python: str,
    find_links: Sequence[str],
    work: str,
    log: str,
    test: Test = _NO_TEST,
    environ: Mapping[str, str],
    library_dirs: Sequence[str] = (),
    offline: bool = False,
    emulate: Sequence[str] = (),
) -> Verification:
    """Install *wheel* into a fresh environment of *python* (a path) below *work*, and try it out there.

    find_links:   directories from which what it requires is taken first; then the index that pip is
                  configured for in *environ*, unless *offline*.
    test:         what to import and run besides; without imports of its own: all that the wheel contains.
    environ:      of everything that runs; the variables that reach into other environments are dropped.
    library_dirs: where the layer has libraries, besides where its loader looks by itself.
    emulate:      a command that runs the environment's Python: `qemu-x86_64 -cpu Haswell`.

    Never raises for what the wheel does. Raises `OSError` for a *work* or *log* that cannot be written.
    """
    return _Verifying(
        wheel, python, find_links, work, log, test, environ, library_dirs, offline, emulate
    ).result()


class _Verifying:
    """A verification under way."""

    def __init__(
        self,
        wheel: str,
        python: str,
        find_links: Sequence[str],
        work: str,
        log: str,
        test: Test,
        environ: Mapping[str, str],
        library_dirs: Sequence[str],
        offline: bool,
        emulate: Sequence[str],
    ) -> None:
        self._wheel = os.path.abspath(wheel)
        self._python = python
        self._find_links = find_links
        self._work = os.path.abspath(work)
        self._log = log
        self._test = test
        self._environ = isolated(environ)
        self._library_dirs = library_dirs
        self._offline = offline
        self._emulate = emulate
        self._findings: list[Finding] = []
        self._imported: list[str] = []
        #: Where the tests run: a directory in which nothing stands that could be imported instead.
        self._empty = os.path.join(self._work, "empty")

    def result(self) -> Verification:
        start = time.monotonic()
        os.makedirs(self._empty, exist_ok=True)
        try:
            own = make_environment(
                self._python, os.path.join(self._work, "verification"), log=self._log, environ=self._environ
            )
        except EnvironmentProblemError as error:
            self._find("environment", str(error))
        else:
            if self._install(own):
                self._try(own)
        return Verification(
            wheel=self._wheel,
            findings=tuple(self._findings),
            imported=tuple(self._imported),
            seconds=time.monotonic() - start,
            log=self._log,
        )

    def _find(self, check: str, problem: str) -> None:
        self._findings.append(Finding(check=check, problem=problem))

    def _run(self, command: Sequence[str], timeout: float) -> Finished:
        return run_logged(command, log=self._log, environ=self._environ, cwd=self._empty, timeout=timeout)

    def _install(self, python: str) -> bool:
        """Whether the wheel could be installed with all that it requires."""
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        links = [part for each in self._find_links for part in ("--find-links", each)]
        index = ["--no-index"] if self._offline else []
        done = self._run(
            [*pip, "install", "--prefer-binary", *index, *links, self._wheel, *self._test.requires],
            _INSTALLING,
        )
        if not done.ok:
            self._find("install", _said(done))
            return False
        done = self._run([*pip, "check"], _INSTALLING)
        if not done.ok:
            self._find("requirements", "; ".join(done.tail.splitlines()) or done.problem)
        return True

    def _try(self, python: str) -> None:
        """Import, run and look at what was installed."""
        timeout = self._test.timeout
        runner = [*self._emulate, python]
        try:
            names = self._test.imports or tuple(import_names(self._wheel))
        except (OSError, *BAD_ZIP) as error:
            self._find(
                "install", f"cannot be read: {reason_of(error) if isinstance(error, OSError) else error}"
            )
            return
        for name in names:
            code = f"import importlib; importlib.import_module({name!r})"
            done = self._run([*runner, "-c", code], timeout)
            if done.ok:
                self._imported.append(name)
            else:
                self._find(f"import {name}", _said(done))
        for statement in self._test.statements:
            done = self._run([*runner, "-c", statement], timeout)
            if not done.ok:
                self._find("statement", f"{statement!r}: {_said(done)}")
        if self._test.command:
            bin_directory = os.path.dirname(python)
            self._environ["PATH"] = f"{bin_directory}{os.pathsep}{self._environ.get('PATH', os.defpath)}"
            done = self._run(["bash", "-euo", "pipefail", "-c", self._test.command], timeout)
            if not done.ok:
                self._find("command", f"{self._test.command!r}: {_said(done)}")
        self._look_at_libraries(python)

    def _look_at_libraries(self, python: str) -> None:
        try:
            inside = elf_files(self._wheel)
        except (OSError, *BAD_ZIP) as error:
            self._find("libraries", f"cannot be read: {error}")
            return
        for each in inside:
            if each.problem:
                self._find("libraries", f"{each.path}: {each.problem}")
        if not any(each.dynamic for each in inside):
            return
        where = self._run_for_paths(python)
        if where is None:
            return
        executable = os.path.realpath(python)
        try:
            loader = program_interpreter(executable)
        except NotElfError:
            loader = None
        files = [path for each in inside if (path := _installed(where, each.path)) is not None]
        missing = missing_libraries(
            files,
            Loader(
                executable=executable,
                library_path=library_path_of(self._environ),
                directories=(*self._library_dirs, *default_directories(loader)),
            ),
        )
        for each_missing in missing:
            self._find("libraries", str(each_missing).replace(f"{where['platlib']}/", ""))

    def _run_for_paths(self, python: str) -> dict[str, str] | None:
        """Where the environment keeps what wheels hold (`sysconfig`'s names)."""
        code = (
            "import sysconfig; "
            "print(*(sysconfig.get_path(n) for n in ('purelib', 'platlib', 'scripts', 'data')), sep='\\n')"
        )
        done = self._run([python, "-c", code], self._test.timeout)
        lines = done.tail.splitlines()[-4:]
        if not done.ok or len(lines) != 4:
            self._find("libraries", f"the environment does not tell its paths: {_said(done)}")
            return None
        return dict(zip(("purelib", "platlib", "scripts", "data"), lines, strict=True))


def _installed(where: Mapping[str, str], path: str) -> str | None:
    """The path of the file that stands in the wheel as *path*, once installed; None if it was not."""
    first, _, rest = path.partition("/")
    if first.endswith(".data"):
        scheme, _, rest = rest.partition("/")
        candidates = [where[scheme]] if scheme in where else []
        path = rest
    else:
        candidates = [where["platlib"], where["purelib"]]
    found = (os.path.join(each, path) for each in candidates)
    return next((each for each in found if os.path.exists(each)), None)


def _said(done: Finished) -> str:
    """Why a command failed, and what it said last, on one line."""
    lines = [line.strip() for line in done.tail.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    last = (errors or lines or [""])[-1]
    return f"{done.problem}: {last}" if last else done.problem


def import_names(wheel: str) -> list[str]:
    """What the wheel at that path lets one import: its top-level modules and packages, sorted.

    Of a namespace package (a directory without `__init__`, PEP 420) those that are in it. Raises `OSError`
    and `metadata.BAD_ZIP` as they come.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    tree: dict[str, Any] = {}
    for name in names:
        parts = name.split("/")
        if parts[0].endswith(".data") and parts[1:2] in (["purelib"], ["platlib"]):
            parts = parts[2:]
        elif parts[0].endswith((".data", ".dist-info")):
            continue
        place = tree
        for part in parts[:-1]:
            place = place.setdefault(f"{part}/", {})
        if parts:
            place[parts[-1]] = None
    return sorted(_importable(tree, ""))


def _importable(tree: Mapping[str, Any], prefix: str) -> set[str]:
    found: set[str] = set()
    for name, inner in tree.items():
        if inner is None:
            module = _module_name(name)
            if module is not None and module != "__init__":
                found.add(prefix + module)
            continue
        package = name.removesuffix("/")
        if not package.isidentifier() or iskeyword(package):
            continue
        if any(each is None and _module_name(entry) == "__init__" for entry, each in inner.items()):
            found.add(prefix + package)
        else:
            found |= _importable(inner, f"{prefix}{package}.")
    return found


def _module_name(filename: str) -> str | None:
    """The module that a file of that name is; None if it is none."""
    if filename.endswith(".py"):
        name = filename.removesuffix(".py")
        return name if name.isidentifier() and not iskeyword(name) else None
    found = _EXTENSION.fullmatch(filename)
    return found[1] if found else None


def python_for(wheel: str) -> str:
    """The path of a Python on this machine that can install the wheel of that file name.

    The running one if it can, else the one on PATH of the version that the wheel's tags name. Raises
    `PythonError`, and `packaging.utils.InvalidWheelFilename` for what is no wheel's name.
    """
    import shutil

    from packaging.utils import parse_wheel_filename

    from wheelhouse_resolver.host.python import supported_tags, target_python
    from wheelhouse_resolver.installers import pythons_of

    _, _, _, tags = parse_wheel_filename(os.path.basename(wheel))
    running, _ = target_python()
    if not tags.isdisjoint(supported_tags(running)):
        return sys.executable
    versions = sorted({version for version, _ in pythons_of(tags)}, reverse=True)
    wanted = [f"python{major}.{minor}" for major, minor in versions]
    for name in wanted:
        # Another Python may lie beside ours without being on PATH.
        for directory in (
            None,
            sysconfig.get_path("scripts"),
            os.path.dirname(os.path.realpath(sys.executable)),
        ):
            found = shutil.which(name, path=directory)
            if found is not None:
                return found
    needed = " or ".join(wanted) or "a Python with other tags"
    raise PythonError(os.path.basename(wheel), f"needs {needed}, which is not on PATH; give --python")
