"""Verifying a wheel: whether it works for those who will install it.

It is installed into a fresh environment with what it requires, and everything that it contains is imported
there, each in a process of its own: a wheel that crashes or hangs is a failed verification, not a failed
verifier. Nothing stops at the first failure; all findings are told.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from packaging.utils import parse_wheel_filename

from wheelhouse_resolver.builder.process.commands import Finished, run_logged
from wheelhouse_resolver.builder.process.virtualenvs import (
    EnvironmentProblemError,
    isolated,
    make_environment,
)
from wheelhouse_resolver.builder.recipes.model import Test
from wheelhouse_resolver.builder.verification.imports import import_names
from wheelhouse_resolver.builder.verification.libraries import (
    Loader,
    TooManyLibrariesError,
    default_directories,
    library_path_of,
    missing_libraries,
)
from wheelhouse_resolver.errors import PythonError, WheelhouseError, printable, reason_of
from wheelhouse_resolver.host.interpreters import target_of
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter
from wheelhouse_resolver.host.target_python import supported_tags, target_python
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.tags import pythons_of

__all__ = ["Finding", "NoEmulatorError", "Verification", "python_for", "verify"]

#: How long installing may take (s).
_INSTALLING = 1800

_NO_TEST = Test()


class NoEmulatorError(WheelhouseError, FileNotFoundError):
    """An emulator that is not there. Attributes: *program*."""

    def __init__(self, program: str) -> None:
        super().__init__(program)
        self.program = program

    def __str__(self) -> str:
        return (
            f"no program {printable(self.program)} on PATH to emulate with (qemu's are in Debian's qemu-user)"
        )


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

    wheel:    its path, as it was given. findings: all that is wrong.
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

    find_links:   directories from which what it requires is taken; where they do not suffice, also from the
                  index that pip is configured for in *environ*, unless *offline*.
    test:         what to import and run besides; without imports of its own: all that the wheel contains.
    environ:      of everything that runs; the variables that reach into other environments are dropped.
    library_dirs: where the layer has libraries, besides where its loader looks by itself.
    emulate:      a command that runs the environment's Python: `qemu-x86_64 -cpu Haswell`.

    Never raises for what the wheel does. Raises `NoEmulatorError`, and `OSError` for a *work* or *log* that
    cannot be written.
    """
    if emulate and shutil.which(emulate[0]) is None:
        raise NoEmulatorError(emulate[0])
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
        self._given, self._wheel = wheel, os.path.abspath(wheel)
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
            wheel=self._given,
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
        # Not for the user, nor elsewhere, whatever pip's own configuration says.
        install = [*pip, "install", "--no-user", "--prefer-binary", *links, self._wheel, *self._test.requires]
        done = self._run([*install, "--no-index"], _INSTALLING)
        if not done.ok and not self._offline:
            done = self._run(install, _INSTALLING)
        if not done.ok:
            self._find("install", done.why)
            return False
        done = self._run([*pip, "check"], _INSTALLING)
        if not done.ok:
            self._find("requirements", "; ".join(done.tail.splitlines()) or done.problem)
        return True

    def _try(self, python: str) -> None:
        """Import, run and look at what was installed."""
        timeout = self._test.timeout
        self._environ["PATH"] = (
            f"{os.path.dirname(python)}{os.pathsep}{self._environ.get('PATH', os.defpath)}"
        )
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
                self._find(f"import {name}", done.why)
        for statement in self._test.statements:
            done = self._run([*runner, "-c", statement], timeout)
            if not done.ok:
                self._find("statement", f"{statement!r}: {done.why}")
        if self._test.command:
            done = self._run(["bash", "-euo", "pipefail", "-c", self._test.command], timeout)
            if not done.ok:
                self._find("command", f"{self._test.command!r}: {done.why}")
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
        known = Loader(
            executable=executable,
            library_path=library_path_of(self._environ),
            directories=(*self._library_dirs, *default_directories(loader)),
        )
        try:
            missing = missing_libraries(files, known)
        except TooManyLibrariesError as error:
            self._find("libraries", str(error))
            return
        inside_names = {os.path.basename(each.path): each.path for each in inside}
        for one in missing:
            held = inside_names.get(one.library)
            hint = f"; the wheel holds it as {held}, where no rpath leads" if held is not None else ""
            self._find("libraries", str(one).replace(f"{where['platlib']}/", "") + hint)

    def _run_for_paths(self, python: str) -> dict[str, str] | None:
        """Where the environment keeps what wheels hold (`sysconfig`'s names)."""
        code = (
            "import sysconfig; "
            "print(*(sysconfig.get_path(n) for n in ('purelib', 'platlib', 'scripts', 'data')), sep='\\n')"
        )
        done = self._run([python, "-c", code], self._test.timeout)
        lines = done.tail.splitlines()[-4:]
        if not done.ok or len(lines) != 4:
            self._find("libraries", f"the environment does not tell its paths: {done.why}")
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


def python_for(wheel: str) -> str:
    """The path of a Python on this machine that can install the wheel of that file name.

    The running one if it can, else the one on PATH of the version that the wheel's tags name, the newest
    of several. Raises `PythonError`, and `packaging.utils.InvalidWheelFilename` for what is no wheel's name.
    """
    _, _, _, tags = parse_wheel_filename(os.path.basename(wheel))
    running, _ = target_python()
    if not tags.isdisjoint(supported_tags(running)):
        return sys.executable
    versions = sorted({version for version, _ in pythons_of(tags)}, reverse=True)
    wanted = [f"{major}.{minor}" for major, minor in versions]
    for version in wanted:
        with suppress(PythonError):  # another version may be there
            return target_of(version).path
    needed = " or ".join(f"python{version}" for version in wanted) or "a Python with other tags"
    raise PythonError(os.path.basename(wheel), f"needs {needed}, which is not on PATH; give --python")
