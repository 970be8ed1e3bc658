"""Verifying a wheel: whether it works for its users.

It is installed into a fresh environment with what it requires, and everything that it contains is imported
there, each in a process of its own: a wheel that crashes, hangs or needs all memory is a failed verification,
not a failed verifier. Nothing stops at the first failure; all findings are reported. Only what publish would
refuse is not installed: a hostile wheel may take pip and `pip check` hours.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from wheelhouse_resolver.builder.process.commands import Finished, run_logged
from wheelhouse_resolver.builder.process.memory import size_of
from wheelhouse_resolver.builder.process.virtualenvs import VirtualenvError, isolated, make_environment
from wheelhouse_resolver.builder.recipes.model import Test
from wheelhouse_resolver.builder.verification.libraries import Loader, library_path_of, library_problems
from wheelhouse_resolver.builder.verification.preloaded import loaded_before, read_loaded, saving_loaded
from wheelhouse_resolver.errors import PythonError, WheelhouseError
from wheelhouse_resolver.host.interpreters import target_of
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter
from wheelhouse_resolver.host.target_python import running_python, supported_tags
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.imports import import_names
from wheelhouse_resolver.wheelfile.name import WheelName
from wheelhouse_resolver.wheelfile.placeholder import is_placeholder, message_of
from wheelhouse_resolver.wheelfile.tags import pythons_of
from wheelhouse_resolver.wheelfile.validate import InvalidWheelError, check_wheel

#: How long installing may take (s).
_INSTALLING = 1800

#: Where an environment keeps what wheels contain (`sysconfig`'s names).
_SCHEMES = ("purelib", "platlib", "scripts", "data")

#: Prints these directories and the Python's own binary.
_WHERE = f"""import os, sysconfig
print(*map(sysconfig.get_path, {_SCHEMES}), os.path.realpath("/proc/self/exe"), sep="\\n")"""


class NoEmulatorError(WheelhouseError, FileNotFoundError):
    """An emulator that is not installed."""

    _message = "no program {path} on PATH to emulate with"
    _hint = "qemu's emulators are in Debian's package qemu-user"
    _errno = errno.ENOENT
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedCheck:
    """What is wrong.

    check: `wheel`, `environment`, `install`, `requirements`, `import NAME`, `statement`, `command` or
           `libraries`.
    """

    check: str
    problem: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """The outcome of verifying one wheel.

    wheel: its path, as it was given. findings: all that is wrong. imported: what could be imported.
    seconds: how long it took (s). log: the file with all that was printed.
    notes: what is worth knowing, and no fault: libraries that something else loads first.
    """

    wheel: str
    findings: tuple[FailedCheck, ...]
    imported: tuple[str, ...]
    seconds: float
    log: str
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**to_plain(self), "ok": self.ok, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationSettings:
    """How a wheel is verified.

    python:       the path of the Python.
    environ:      of everything that runs; the variables that reach into other environments are dropped.
    find_links:   directories with what the wheel requires; if they do not suffice, it is also taken from the
                  index that pip is configured for in *environ*, unless *offline*.
    test:         what to import and run; without imports of its own: all that the wheel contains.
    library_dirs: where the layer has libraries, as if in LD_LIBRARY_PATH.
    emulate:      a command that runs the environment's Python: `qemu-x86_64 -cpu Haswell`.
    """

    python: str
    environ: Mapping[str, str]
    find_links: Sequence[str] = ()
    test: Test = field(default_factory=Test)
    library_dirs: Sequence[str] = ()
    offline: bool = False
    emulate: Sequence[str] = ()


def run_verification(wheel: str, settings: VerificationSettings, *, work: str, log: str) -> Verification:
    """Install *wheel* into a fresh environment below the directory *work*, and try it out there.

    Never raises for what the wheel does. Raises `NoEmulatorError`, and `OSError` for a *work* or *log* that
    cannot be written.
    """
    if settings.emulate and shutil.which(settings.emulate[0]) is None:
        raise NoEmulatorError(settings.emulate[0])
    return _Verifying(wheel, settings, work, log).result(wheel)


class _Verifying:
    """A verification under way."""

    def __init__(self, wheel: str, settings: VerificationSettings, work: str, log: str) -> None:
        self._wheel, self._settings, self._log = os.path.abspath(wheel), settings, log
        self._environ = isolated(settings.environ)
        self._work = os.path.abspath(work)
        self._findings: list[FailedCheck] = []
        self._notes: list[str] = []
        self._imported: list[str] = []
        #: The imports and statements that went well: what each is called, and its Python.
        self._passed: list[tuple[str, str]] = []
        #: Where the tests run: a directory that holds nothing that could be imported instead.
        self._empty = os.path.join(self._work, "empty")

    def result(self, given: str) -> Verification:
        start = time.monotonic()
        os.makedirs(self._empty, exist_ok=True)
        with open(self._log, "ab"):  # there is one, whatever comes
            pass
        try:
            check_wheel(self._wheel)
        except InvalidWheelError as error:
            for finding in error.findings:
                self._find("wheel", finding)
        else:
            self._try_out()
        return Verification(
            wheel=given,
            findings=tuple(self._findings),
            notes=tuple(self._notes),
            imported=tuple(self._imported),
            seconds=time.monotonic() - start,
            log=self._log,
        )

    def _try_out(self) -> None:
        place = os.path.join(self._work, "verification")
        try:
            python = make_environment(self._settings.python, place, log=self._log, environ=self._environ)
        except VirtualenvError as error:
            self._find("environment", str(error))
            return
        if self._install(python):
            path = self._environ.get("PATH", os.defpath)
            self._environ["PATH"] = f"{os.path.dirname(python)}{os.pathsep}{path}"
            self._run_tests([*self._settings.emulate, python])
            self._look_at_libraries(python)

    def _find(self, check: str, problem: str) -> None:
        self._findings.append(FailedCheck(check=check, problem=problem))

    def _run(self, command: Sequence[str], timeout: float = _INSTALLING) -> Finished:
        return run_logged(
            command,
            log=self._log,
            environ=self._environ,
            cwd=self._empty,
            timeout=timeout,
            memory=size_of(self._settings.test.memory),
        )

    def _install(self, python: str) -> bool:
        """Whether the wheel could be installed with all that it requires."""
        settings = self._settings
        pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        links = [part for each in settings.find_links for part in ("--find-links", each)]
        # Into the environment, whatever pip's own configuration says.
        install = [*pip, "install", "--no-user", "--prefer-binary", *links]
        install += [self._wheel, *settings.test.requires]
        done = self._run([*install, "--no-index"])
        if not done.ok and not settings.offline:
            done = self._run(install)
        if not done.ok:
            self._find("install", done.why)
            return False
        done = self._run([*pip, "check"])
        if not done.ok:
            self._find("requirements", "; ".join(done.tail.splitlines()) or done.problem)
        return True

    def _run_tests(self, runner: Sequence[str]) -> None:
        """Import what the wheel contains, and run the recipe's tests; *runner*: the command of the Python."""
        test = self._settings.test
        try:
            names = test.imports or import_names(self._wheel)
        except (OSError, *BAD_ZIP) as error:
            self._find("install", f"cannot be read: {error}")
            return
        says = ""
        if is_placeholder(WheelName.parse(os.path.basename(self._wheel)).version):
            says = message_of(self._wheel)
            self._notes.append(f"a placeholder: {says}")
        for name in names:
            code = f"import importlib; importlib.import_module({name!r})"
            if self._try(f"import {name}", "", [*runner, "-c", code], may_say=says):
                self._imported.append(name)
                self._passed.append((f"`import {name}`", code))
        for code in test.statements:
            if self._try("statement", f"{code!r}: ", [*runner, "-c", code]):
                self._passed.append((repr(code), code))
        if test.command:
            self._try("command", f"{test.command!r}: ", ["bash", "-euo", "pipefail", "-c", test.command])

    def _try(self, check: str, what: str, command: Sequence[str], *, may_say: str = "") -> bool:
        """Whether *command*, a test, goes well; *may_say*: what it may say when it does not."""
        done = self._run(command, self._settings.test.timeout)
        if not done.ok and not (may_say and done.tail.endswith(f"ImportError: {may_say}")):
            self._find(check, f"{what}{done.why}")
        return done.ok

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
        done = self._run([python, "-c", _WHERE], self._settings.test.timeout)
        names = (*_SCHEMES, "python")
        where = dict(zip(names, done.tail.splitlines()[-len(names) :], strict=False))
        if not done.ok or len(where) < len(names):
            self._find("libraries", f"cannot determine the paths of the environment: {done.why}")
            return
        try:
            program = program_interpreter(where["python"])
        except NotElfError as error:
            self._find("libraries", f"cannot determine the loader of {error}")
            return
        if program is None:  # a static Python loads no libraries
            return
        loader = Loader(
            program=program,
            executable=where["python"],
            directory=self._empty,
            library_path=(*library_path_of(self._environ), *self._settings.library_dirs),
        )
        installed = [replace(e, path=path) for e in inside if (path := _installed(where, e.path)) is not None]
        problems = library_problems(installed, loader)
        loaded = self._loaded_files(python) if any(one.library for one in problems) else {}
        packages = f"{where['platlib']}/"
        held = {os.path.basename(each.path): each.path for each in inside}
        for one in problems:
            file = one.file.removeprefix(packages)
            if why := loaded_before(one, loaded, (where["platlib"], where["purelib"]), installed):
                self._notes.append(f"{file} needs {one.library}, which no rpath leads to: {why}")
                continue
            name = held.get(one.library)
            hint = f"; the wheel contains it as {name}, which no rpath leads to" if name is not None else ""
            self._find("libraries", str(one).replace(packages, "") + hint)

    def _loaded_files(self, python: str) -> dict[str, str]:
        """What is loaded after each import and statement that went well: its path -> the first of them."""
        path = os.path.join(self._work, "loaded")
        found: dict[str, str] = {}
        for what, code in self._passed:
            command = [*self._settings.emulate, python, "-c", saving_loaded(code, path)]
            if self._run(command, self._settings.test.timeout).ok:
                found = {**dict.fromkeys(read_loaded(path), what), **found}
        return found


def _installed(where: Mapping[str, str], path: str) -> str | None:
    """The path of the file *path* of the wheel, once installed; None if it was not."""
    first, _, rest = path.partition("/")
    candidates = [where["platlib"], where["purelib"]]
    if first.endswith(".data"):
        scheme, _, path = rest.partition("/")
        candidates = [where[scheme]] if scheme in where else []
    found = (os.path.join(each, path) for each in candidates)
    return next((each for each in found if os.path.exists(each)), None)


def python_for(wheel: str) -> str:
    """The path of a Python on this machine that can install the wheel of that file name.

    The running one if it can, else the one on PATH of the version that the wheel's tags name, the newest
    of several. Raises `PythonError`, and `ValueError` for an invalid file name.
    """
    tags = WheelName.parse(os.path.basename(wheel)).tags
    if not tags.isdisjoint(supported_tags(running_python())):
        return sys.executable
    versions = sorted({version for version, _ in pythons_of(tags)}, reverse=True)
    wanted = [f"{major}.{minor}" for major, minor in versions]
    for version in wanted:
        with suppress(PythonError):  # another version may be there
            return target_of(version).path
    needed = " or ".join(f"python{version}" for version in wanted) or "a Python with other tags"
    raise PythonError(os.path.basename(wheel), f"needs {needed}, which is not on PATH; give --python")
