"""Fetching the sources of a plan, and reading what they require."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.fetch_config import check_allowed
from wheelhouse_resolver.builder.planning.build_system import hook_command, read_build_system
from wheelhouse_resolver.builder.process.commands import run_logged
from wheelhouse_resolver.builder.process.virtualenvs import make_environment
from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.records.job import BuildOptions, Job
from wheelhouse_resolver.builder.sources.fetch import fetch, without_secrets
from wheelhouse_resolver.builder.sources.fetched import FetchContext, Fetched
from wheelhouse_resolver.builder.sources.index import TIMEOUT, FoundWheel, fetch_wheel, find_wheel
from wheelhouse_resolver.builder.sources.patch import prepare
from wheelhouse_resolver.builder.toolchain.build_python import (
    constraint_files,
    installed_to_build,
    make_ready,
    pip_options,
)
from wheelhouse_resolver.builder.toolchain.phase_commands import phase_commands, run_phase
from wheelhouse_resolver.builder.toolchain.provenance import host_facts
from wheelhouse_resolver.builder.toolchain.variables import (
    base_environ,
    command_environment,
    pip_text,
    with_path,
)
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.wheelfile.edit import edited_requirements, requirements_of
from wheelhouse_resolver.wheelfile.metadata import Metadata, parse_headers
from wheelhouse_resolver.wheelfile.validate import check_wheel

#: pip's configuration without what the site itself has built.
_UPSTREAM = "upstream.conf"


class SourceMetadataError(WheelhouseError, RuntimeError):
    """A source whose requirements cannot be determined. *log*: of the attempt."""

    _message = "{project}: cannot prepare its metadata: {problem}"
    _hint = "see the log {log}"
    project: str
    problem: str
    log: str


class SourceFetcher:
    """Fetches sources into the directory *scratch*, each once for all archs for which it is the same."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._fetched: dict[object, Fetched | WheelhouseError] = {}
        self._pythons: dict[object, str | WheelhouseError] = {}

    def fetch(self, recipe: Recipe, job: Job, options: BuildOptions, log: str) -> Fetched:
        """The source of *job*. Raises what `fetch` raises, every time that the same source is asked for."""
        commands = phase_commands(recipe, "before-source")
        how = (recipe.takes_wheel, recipe.build_modules, recipe.env, commands, recipe.placeholder)
        source = (recipe.name, recipe.source, *how)
        key = (job.requirement, job.python, source)
        return self._once(key, lambda: fetch(recipe, job, self._context(job, options, log)))

    def find_wheel(self, job: Job, options: BuildOptions, log: str) -> FoundWheel:
        """The wheel of the index for *job*. Raises what `find_wheel` raises."""
        return find_wheel(job, self._context(job, options, log))

    def fetch_wheel(
        self, found: FoundWheel, forbidden: Sequence[str], job: Job, options: BuildOptions, log: str
    ) -> Fetched:
        """The wheel that was *found*, once for all Pythons that share it.

        Raises what `fetch_wheel` and `check_allowed` raise; `InvalidWheelError`.
        """

        def get() -> Fetched:
            archive = fetch_wheel(found, job, self._context(job, options, log))
            check_wheel(archive.path)
            check_allowed(archive.path, forbidden)
            archive = replace(archive, origin=without_secrets(archive.origin))
            return Fetched(archive=archive, root=archive.path, path=archive.path)

        return self._once(found.url, get)

    def _once(self, key: object, get: Callable[[], Fetched]) -> Fetched:
        """What *get* returns or raises; it is called once for each *key*."""
        if key not in self._fetched:
            try:
                self._fetched[key] = get()
            except WheelhouseError as error:
                self._fetched[key] = error
        found = self._fetched[key]
        if isinstance(found, WheelhouseError):
            raise found
        return found

    def _context(self, job: Job, options: BuildOptions, log: str) -> FetchContext:
        """Where and how to fetch what is for *job*."""
        environment = self._environment_directory(job, options)
        return FetchContext(
            directory=tempfile.mkdtemp(prefix="source-", dir=self._scratch),
            log=log,
            environ=base_environ(os.environ, environment),
            wheels_config=os.path.join(environment, _UPSTREAM),
        )

    def get_requires_dist(
        self, fetched: Fetched, recipe: Recipe, job: Job, options: BuildOptions, log: str
    ) -> list[str]:
        """What the wheel of *fetched* will require (see the function of that name)."""

        def ask() -> list[str]:
            environ = self.build_environ(fetched, recipe, job, options)
            python, active = self._build_python(recipe, job, environ, log)
            return ask_backend(fetched, recipe, partial(_configure, job, options), python, active, log)

        return get_requires_dist(fetched, recipe, ask)

    def get_build_requires(
        self, fetched: Fetched, recipe: Recipe, job: Job, options: BuildOptions, log: str
    ) -> list[str]:
        """What must be installed to build *fetched*: what the source says, and then its backend.

        Raises `SourceMetadataError`, and what `prepare` raises.
        """
        if fetched.archive.kind == "wheel" or not recipe.isolation:
            return list(installed_to_build(recipe))
        environ = self.build_environ(fetched, recipe, job, options)
        _, active = self._build_python(recipe, job, environ, log)
        source, active = changed_copy(fetched, recipe, partial(_configure, job, options), active, log)
        report = os.path.join(os.path.dirname(active["PIP_CONFIG_FILE"]), "requires.json")
        try:
            system = read_build_system(source)
            python, active = self._build_python(recipe, job, active, log, system.requires)
            command = hook_command(python, system, recipe.settings(active, fetched.version), report)
            _run(recipe.name, command, "the build backend", active, log=log, cwd=source)
            with open(report, encoding="utf-8") as file:
                return [*system.requires, *map(str, json.load(file))]
        except (OSError, ValueError, TypeError) as error:
            raise SourceMetadataError(recipe.name, f"its build requirements: {error}", log) from error

    def _build_python(
        self, recipe: Recipe, job: Job, environ: Mapping[str, str], log: str, also: Sequence[str] = ()
    ) -> tuple[str, dict[str, str]]:
        """The Python of an environment such as the build will have, and *environ* with that activated.

        One serves all builds of a target Python that are isolated, and one all with the same requirements.
        *also*: more requirements.
        """
        requires = (*installed_to_build(recipe), *also)
        limits = recipe.build_requires if also else ()
        key = (job.python, requires, (job.arch, recipe.build_modules, limits) if requires else None)
        if key not in self._pythons:
            place = os.path.join(self._scratch, f"python-{len(self._pythons)}")
            run = partial(_run, recipe.name, log=log, cwd=self._scratch)
            try:
                python = make_environment(job.python, place, log=log, environ=environ)
                make_ready(python, requires, environ, run)
                self._pythons[key] = python
            except WheelhouseError as error:
                self._pythons[key] = error
        found = self._pythons[key]
        if isinstance(found, WheelhouseError):
            raise found
        return found, with_path(environ, found)

    def build_environ(
        self, fetched: Fetched, recipe: Recipe, job: Job, options: BuildOptions
    ) -> dict[str, str]:
        """The environment that the build of *fetched* has here. Raises what `command_environment` raises."""
        scratch = self._environment_directory(job, options)
        base = base_environ(os.environ, scratch)
        environ, _ = command_environment(recipe, fetched, job, options.site, environ=base, scratch=scratch)
        return environ

    def _environment_directory(self, job: Job, options: BuildOptions) -> str:
        """The directory with `pip.conf` and `tmp`, such as builds for that Python and arch have."""
        directory = os.path.join(self._scratch, f"environ-{job.python_version}-{job.arch}")
        if not os.path.isdir(directory):
            make_directory(os.path.join(directory, "tmp"))
            _, runnable = host_facts(options.site, job.python, os.environ)
            for name in ("pip.conf", _UPSTREAM):
                text = pip_text(job, options, runnable, upstream=name == _UPSTREAM)
                write_text(os.path.join(directory, name), text)
        return directory


def static_requirements(info: Metadata) -> list[str] | None:
    """The requirements in the PKG-INFO of a source distribution, if every wheel has the same (PEP 643).

    None if they may differ: before metadata 2.2, or if it says that they are dynamic.
    """
    try:
        is_final = Version(info.get("Metadata-Version") or "1.0") >= Version("2.2")
    except InvalidVersion:
        return None
    dynamic = {each.strip().lower() for each in info.get_all("Dynamic")}
    if not is_final or "requires-dist" in dynamic:
        return None
    return [" ".join(each.split()) for each in info.get_all("Requires-Dist")]


def _configure(job: Job, options: BuildOptions, constraints: Sequence[str], path: str) -> None:
    """Write a `pip.conf` such as the build will have, with *constraints*, to the file at *path*."""
    _, runnable = host_facts(options.site, job.python, os.environ)
    write_text(path, pip_text(job, options, runnable, constraints=constraints))


def get_requires_dist(fetched: Fetched, recipe: Recipe, ask: Callable[[], list[str]]) -> list[str]:
    """What the wheel of *fetched* will require, with the edits of *recipe*.

    Read from its PKG-INFO where that is final; else what *ask* says, which asks its build backend. Raises
    `RelabelError` for edits that do not apply, and what *ask* raises.
    """
    own: list[str] | None = None
    if fetched.archive.kind == "wheel":
        own = requirements_of(fetched.path)
    elif not recipe.changes_source:
        with suppress(OSError):  # not a source distribution
            own = static_requirements(
                parse_headers(Path(fetched.path, "PKG-INFO").read_text("utf-8", "replace"))
            )
    return edited_requirements(fetched.path, ask() if own is None else own, recipe.edits)


def ask_backend(
    fetched: Fetched,
    recipe: Recipe,
    configure: Callable[[Sequence[str], str], None],
    python: str,
    environ: Mapping[str, str],
    log: str,
) -> list[str]:
    """What the backend of *fetched* says that the wheel will require, asked as the build will ask it.

    By the *python* of an environment that *environ* has activated, with a copy of the source that is changed
    as *recipe* says; *configure* writes a `pip.conf` with constraints. What the backend needs is downloaded.
    Raises `SourceMetadataError`, and what `prepare` raises.
    """
    source, environ = changed_copy(fetched, recipe, configure, environ, log)
    report = os.path.join(os.path.dirname(environ["PIP_CONFIG_FILE"]), "report.json")
    options = ["--verbose", "--dry-run", "--ignore-installed", *pip_options(recipe, environ, fetched.version)]
    command = [python, "-m", "pip", "install", *options, "--report", report, source]
    _run(recipe.name, command, "pip", environ, log=log, cwd=source)
    try:
        with open(report, encoding="utf-8") as file:
            (found,) = json.load(file)["install"]
        return [str(each) for each in found["metadata"].get("requires_dist", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceMetadataError(recipe.name, f"cannot read pip's report: {error}", log) from error


def changed_copy(
    fetched: Fetched,
    recipe: Recipe,
    configure: Callable[[Sequence[str], str], None],
    environ: Mapping[str, str],
    log: str,
) -> tuple[str, dict[str, str]]:
    """A copy of the project's source, as it will be built, and *environ* with a `pip.conf` for it.

    A copy: the source is also for other archs, for which the recipe may make other changes.
    """
    directory = tempfile.mkdtemp(dir=os.path.dirname(fetched.root))
    root = os.path.join(directory, "source")
    shutil.copytree(fetched.root, root, symlinks=True)
    source = os.path.join(root, os.path.relpath(fetched.path, fetched.root))
    environ = {**environ, "PIP_CONFIG_FILE": os.path.join(directory, "pip.conf")}
    configure(constraint_files(recipe, directory), environ["PIP_CONFIG_FILE"])
    run_in = partial(_run_in, recipe.name, log)
    version = fetched.version
    environ = run_phase(recipe, "after-source", version, environ, run_in, source)
    prepare(replace(fetched, root=root, path=source), recipe, log=log, environ=environ)
    environ["WHEELHOUSE_WHEEL_DIR"] = directory
    return source, run_phase(recipe, "before-build", version, environ, run_in, source)


def _run_in(
    project: str, log: str, command: Sequence[str], what: str, environ: Mapping[str, str], cwd: str
) -> None:
    _run(project, command, what, environ, log=log, cwd=cwd)


def _run(
    project: str, command: Sequence[str], what: str, environ: Mapping[str, str], *, log: str, cwd: str
) -> None:
    """Run *command*, called *what*. Raises `SourceMetadataError` if it fails."""
    done = run_logged(command, log=log, environ=environ, cwd=cwd, timeout=TIMEOUT)
    if not done.ok:
        raise SourceMetadataError(project, f"{what} {done.why}", log)
