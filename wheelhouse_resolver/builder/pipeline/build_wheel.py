"""One build: from a requirement to a verified wheel with its record.

What a build does, in order, each phase timed and logged:

host:        this host must be able to do it.
source:      the source is fetched and unpacked, and the recipe resolved for its version.
prepare:     modules, compiler flags and the recipe's variables make the environment; the source is changed.
environment: a new virtual environment of the target Python to build in.
build:       pip makes the wheel.
edit:        the recipe's edits are made in it.
verify:      it is installed and tried out, as users will have it.
finish:      it is placed into the output directory.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from packaging.version import Version

from wheelhouse_resolver.builder.pipeline.phases import PhaseFailed, Phases, told
from wheelhouse_resolver.builder.process.scratch import scratch_directory
from wheelhouse_resolver.builder.process.virtualenvs import make_environment
from wheelhouse_resolver.builder.recipes.loader import find_recipe, recipe_directories
from wheelhouse_resolver.builder.recipes.model import Recipe, no_recipe
from wheelhouse_resolver.builder.records.job import BuildOptions, Job, phase_file
from wheelhouse_resolver.builder.records.output import place_wheel
from wheelhouse_resolver.builder.records.record import BUILT, FAILED, RECORD_SUFFIX, BuildRecord, write_record
from wheelhouse_resolver.builder.sources.fetch import fetch
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.builder.sources.patch import prepare
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.provenance import (
    host_facts,
    installed,
    patchelf_version,
    tool_versions,
)
from wheelhouse_resolver.builder.toolchain.variables import (
    base_environ,
    command_environment,
    constraint_lines,
    pip_text,
    recorded_variables,
    with_path,
    without_pip,
)
from wheelhouse_resolver.builder.verification.verify import VerifyOptions, verify
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.host.cpu import missing_for, running_cpu
from wheelhouse_resolver.site.layout import GENERIC, Arch
from wheelhouse_resolver.tree.listing import SUFFIX, existing
from wheelhouse_resolver.utils import atomic
from wheelhouse_resolver.utils.filesystem import write_text
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.wheelfile.edit import Edits, relabel
from wheelhouse_resolver.wheelfile.validate import check_wheel

#: The first pip whose `pip wheel` takes `--config-settings` more than once.
_OLDEST_PIP = Version("23.1")


class BuildInterrupted(KeyboardInterrupt):
    """A build was interrupted. Attributes: its *record*, which says so."""

    def __init__(self, record: BuildRecord) -> None:
        super().__init__(record)
        self.record = record


def run_job(job: Job, options: BuildOptions) -> BuildRecord:
    """Build what *job* says, and return the record of it, which also stands beside the log.

    Never raises for what the build does, nor for a disk that is full: the record tells. Raises
    `BuildInterrupted` when interrupted, after everything that ran has ended and the record is written.
    """
    now = time.gmtime()
    directories = options.site.directories()
    record = BuildRecord(
        project=job.project,
        requirement=job.requirement,
        python=job.python_version,
        arch=job.arch,
        layer=job.layer,
        directory=next((d.label for d in directories if (d.layer, d.arch) == (job.layer, job.arch)), None),
        result=FAILED,
        problem="interrupted",
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
    )
    stem = f"{job.label}-{time.strftime('%Y%m%dT%H%M%S', now)}-{os.uname().nodename}-{os.getpid()}"
    logs = os.path.abspath(options.logs or os.path.join(options.work, "logs"))
    try:
        log = _new_log(logs, stem)
    except OSError as error:
        return replace(record, problem=str(OutputError.from_os(logs, error)))
    build = _Build(job, options, replace(record, log=log))
    try:
        build.run_all()
    except KeyboardInterrupt as stop:
        raise BuildInterrupted(build.record) from stop
    finally:
        with contextlib.suppress(OSError):
            os.unlink(phase_file(job, logs))
        paths = [log.removesuffix(".log") + ".json"]
        if build.record.result == BUILT:  # what was placed with the wheel did not know yet how long that took
            paths.append(os.path.join(options.output, build.record.wheel + RECORD_SUFFIX))
        for path in paths:
            with contextlib.suppress(OutputError):  # on a full disk; who called us knows all the same
                write_record(path, build.record)
    return build.record


def _new_log(directory: str, stem: str) -> str:
    """The path of a new, empty file. Raises `OSError`."""
    os.makedirs(directory, exist_ok=True)
    for number in itertools.count(1):
        path = os.path.join(directory, f"{stem}-{number}.log")
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            return path
    raise AssertionError("counting has no end")


class _Build(Phases):
    """One build; see the module for what its phases do."""

    def __init__(self, job: Job, options: BuildOptions, record: BuildRecord) -> None:
        super().__init__(record, options.timeout)
        self.job = job
        self.options = options
        self.arch: Arch | None = None
        self.runnable: tuple[str, ...] = ()
        self.scratch = ""
        #: What everything that runs starts from: no modules, no flags, nothing of a recipe.
        self.environ: dict[str, str] = {}

    def run_all(self) -> None:
        """All phases, as far as they go."""
        try:
            with scratch_directory(self.options.work, keep=self.options.keep) as self.scratch:
                self._all()
        except PhaseFailed:
            pass
        except OSError as error:  # there is no room, or no log any more
            self.record = replace(self.record, result=FAILED, problem=told(error))

    def _all(self) -> None:
        with self.phase("host"):
            self._begin()
        with self.phase("source"):
            recipe, fetched = self._fetched()
        wheel, environ = fetched.path, self.environ
        if fetched.kind != "wheel":
            with self.phase("prepare"):
                environ = self._prepared(recipe, fetched)
            with self.phase("environment"):
                python, environ = self._environment(recipe, environ)
            with self.phase("build"):
                wheel = self._built(recipe, fetched, python, environ)
        with self.phase("edit"):
            wheel = self._edited(recipe, wheel, environ)
        if self.options.verify:
            with self.phase("verify"):
                self._verified(recipe, wheel)
        with self.phase("finish"):
            self.record = place_wheel(wheel, self.options.output, self.record)

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """See `Phases.phase`; those who watch are told of it, too, and nothing depends on that."""
        path = phase_file(self.job, os.path.dirname(self.record.log))
        with contextlib.suppress(OSError), open(path, "w", encoding="utf-8") as file:
            file.write(name)
        with super().phase(name):
            yield

    def _below(self, name: str) -> str:
        """A new directory of that *name* in the build directory."""
        path = os.path.join(self.scratch, name)
        os.mkdir(path)
        return path

    def _run_phase(self, name: str, recipe: Recipe, environ: Mapping[str, str], cwd: str) -> None:
        """Run what the recipe has of commands by that *name*."""
        self.run_shell(dict(recipe.phases).get(name, ()), name, environ, cwd)

    def _write_pip_conf(self, name: str, *, constraints: Sequence[str] = (), upstream: bool = False) -> str:
        """Write a configuration for pip, named so, and return its path."""
        path = os.path.join(self.scratch, name)
        text = pip_text(self.job, self.options, self.runnable, constraints=constraints, upstream=upstream)
        write_text(path, text)
        return path

    def _begin(self) -> None:
        site = self.options.site
        self.arch = site.arch(self.job.arch, site.layer(self.job.layer))
        facts, self.runnable = host_facts(site, self.job.python, os.environ)
        self.record = replace(self.record, host=facts)
        if self.options.verify and self.arch is not None and self.arch.name not in self.runnable:
            reason = missing_for(running_cpu(), self.arch)
            raise PhaseFailed(
                f"{facts['node']} cannot run {self.arch.name} ({reason}), so it cannot verify the wheel: "
                "build on a node that can, or without verification"
            )
        atomic.make_shared_directory(os.path.abspath(self.options.output))
        self._below("tmp")
        self._write_pip_conf("pip.conf")
        self.environ = base_environ(os.environ, self.scratch)

    def _fetched(self) -> tuple[Recipe, Fetched]:
        job = self.job
        file = find_recipe(job.project, recipe_directories(self.options.site))
        fetched = fetch(
            file if file is not None else no_recipe(job.project),
            job.requirement,
            python=job.python,
            directory=self._below("source"),
            log=self.record.log,
            environ=self.environ,
            python_version=job.python_version,
            layer=job.layer,
            arch=job.arch,
            wheels_config=self._write_pip_conf("upstream.conf", upstream=True),
        )
        self.record = replace(
            self.record,
            version=fetched.version,
            source=redact(fetched.origin, mark=""),
            source_sha256=fetched.sha256,
        )
        if fetched.kind == "wheel":
            self._checked(fetched.path)
        if file is None:
            return no_recipe(job.project), fetched
        recipe = file.resolve(Version(fetched.version), job.python_version, job.layer, job.arch)
        self.record = replace(self.record, recipe=recipe.path, recipe_sha256=recipe.digest)
        return recipe, fetched

    def _prepared(self, recipe: Recipe, fetched: Fetched) -> dict[str, str]:
        """The environment to build in; the source is changed as the recipe says."""
        environ, flags = command_environment(
            recipe, fetched, self.job, self.options.site, environ=self.environ, scratch=self.scratch
        )
        self.record = replace(
            self.record,
            modules=recipe.build_modules,
            flags=flags,
            environ=recorded_variables(environ, (name for name, _ in recipe.env)),
        )
        self._run_phase("after-source", recipe, environ, fetched.path)
        prepare(fetched, recipe, log=self.record.log, environ=environ)
        return environ

    def _environment(self, recipe: Recipe, environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The Python of a new environment, and *environ* with that environment activated."""
        place = os.path.join(self.scratch, "environment")
        python = make_environment(self.job.python, place, log=self.record.log, environ=environ)
        active = with_path(environ, python)
        pip = [python, "-m", "pip"]
        if Version(installed(python, active).get("pip", "0")) < _OLDEST_PIP:
            self.run(
                [*pip, "install", "--upgrade", f"pip>={_OLDEST_PIP}"], "pip install", active, self.scratch
            )
        if recipe.isolation:
            lines = constraint_lines(recipe.build_requires, self.job.project)
            path = os.path.join(self.scratch, "constraints.txt")
            write_text(path, "".join(f"{line}\n" for line in lines))
            self._write_pip_conf("pip.conf", constraints=[path])
        elif recipe.build_requires:
            self.run([*pip, "install", *recipe.build_requires], "pip install", active, self.scratch)
        self.record = replace(self.record, tools=tool_versions(python, active))
        return python, active

    def _built(self, recipe: Recipe, fetched: Fetched, python: str, environ: Mapping[str, str]) -> str:
        """The path of the one wheel that the build made."""
        source, wheels = fetched.path, self._below("wheels")
        environ = {**environ, "WHEELHOUSE_WHEEL_DIR": wheels}
        settings = recipe.settings(environ, fetched.version)
        isolation = [] if recipe.isolation else ["--no-build-isolation"]
        options = ["--verbose", "--no-deps", "--no-cache-dir", "--use-pep517", *isolation, *settings]
        self._run_phase("before-build", recipe, environ, source)
        self.run(
            [python, "-m", "pip", "wheel", *options, "--wheel-dir", wheels, source],
            "pip wheel",
            environ,
            source,
        )
        self._run_phase("after-build", recipe, environ, source)
        names = sorted(name for name in os.listdir(wheels) if name.endswith(SUFFIX))
        if len(names) != 1:
            raise PhaseFailed(f"the build made {len(names)} wheels, not one: {', '.join(names)}")
        return self._checked(os.path.join(wheels, names[0]))

    def _checked(self, wheel: str) -> str:
        """*wheel*, which is sound and what was asked for."""
        found = check_wheel(wheel)
        if (found.name, found.version) != (self.job.project, Version(self.record.version)):
            wanted = f"{self.job.project} {self.record.version}"
            raise PhaseFailed(
                f"the wheel is of {found.name} {found.version}, not of {wanted}: {found.filename}"
            )
        return wheel

    def _edited(self, recipe: Recipe, wheel: str, environ: Mapping[str, str]) -> str:
        """The path of the wheel with the recipe's edits."""
        version = self.record.version
        rpath = tuple(recipe.expanded(each, environ, version, "wheel.rpath") for each in recipe.rpath)
        if recipe.edits == Edits() and not rpath:
            return wheel
        if rpath:
            self.record = replace(
                self.record, tools={**self.record.tools, "patchelf": patchelf_version(environ)}
            )
        return relabel(wheel, recipe.edits, self._below("edited"), rpath=rpath).path

    def _verified(self, recipe: Recipe, wheel: str) -> None:
        """Verify *wheel* in an environment that has the run-time modules, and nothing of the build."""
        environ = without_pip(module_environment(recipe.run_modules, self.environ), self.scratch)
        work = self._below("verify")
        self._run_phase("before-test", recipe, environ, work)
        site = self.options.site
        search_path = site.search_path_for(
            self.job.layer, self.job.arch, runnable=self.runnable or (GENERIC,)
        )
        links = (self.options.output, *(d.path for d in existing(search_path)), *self.options.find_links)
        options = VerifyOptions(
            python=self.job.python,
            environ=environ,
            find_links=links,
            test=recipe.test,
            offline=self.options.offline,
        )
        done = verify(wheel, options, work=work, log=self.record.log)
        if not done.ok:
            raise PhaseFailed("; ".join(f"{each.check}: {each.problem}" for each in done.findings))
