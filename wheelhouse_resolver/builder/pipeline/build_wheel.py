"""One build: from a planned source to a verified wheel with its record.

The phases of a build, each timed and logged:

host:        check that this host can do it.
source:      check that the source is the planned one, and unpack it; resolve the recipe for its version.
prepare:     set the environment: modules, compiler flags, the recipe's variables; change the source.
environment: make a virtual environment of the target Python to build in.
build:       build the wheel with pip.
edit:        apply the recipe's edits to it.
verify:      install and test it, as users will have it.
finish:      place it into the output directory.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from packaging.version import Version

from wheelhouse_resolver.builder.pipeline.phases import Limits, PhaseFailed, Phases
from wheelhouse_resolver.builder.process.network import leave_network
from wheelhouse_resolver.builder.process.scratch import scratch_directory
from wheelhouse_resolver.builder.process.virtualenvs import make_environment
from wheelhouse_resolver.builder.recipes.loader import find_recipe, recipe_directories
from wheelhouse_resolver.builder.recipes.model import Recipe, no_recipe
from wheelhouse_resolver.builder.records.job import BuildOptions, Job, SourceArchive, phase_file
from wheelhouse_resolver.builder.records.output import place_wheel
from wheelhouse_resolver.builder.records.record import BUILT, FAILED, RECORD_SUFFIX, BuildRecord, describe
from wheelhouse_resolver.builder.sources.fetch import check_archive, unpack_source
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.builder.sources.patch import prepare
from wheelhouse_resolver.builder.toolchain import provenance, variables
from wheelhouse_resolver.builder.toolchain.build_python import (
    constraint_files,
    installed_to_build,
    make_ready,
    phase_commands,
    pip_options,
)
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.linker_mark import level_of, mark_flag, marked_and_others
from wheelhouse_resolver.builder.verification.verify import VerificationSettings, run_verification
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.host.cpu import missing_for, running_cpu
from wheelhouse_resolver.site.layout import GENERIC, Arch
from wheelhouse_resolver.tree.listing import SUFFIX, existing
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.wheelfile.edit import Edits, relabel
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.renew import renewed
from wheelhouse_resolver.wheelfile.validate import check_wheel


def _only_wheel(directory: str, who: str) -> str:
    """The path of the wheel in *directory*. Raises `PhaseFailed`, which says *who* made not one."""
    names = sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
    if len(names) != 1:
        raise PhaseFailed(f"{who} {len(names)} wheels, not one: {', '.join(names)}".removesuffix(": "))
    return os.path.join(directory, names[0])


class BuildInterrupted(KeyboardInterrupt):
    """A build was interrupted. *record*: of it."""

    def __init__(self, record: BuildRecord) -> None:
        super().__init__(record)
        self.record = record


def run_job(job: Job, options: BuildOptions) -> BuildRecord:
    """Build *job*, whose source is planned, and return the record, which is also written beside the log.

    A build that fails, or a full disk, is not an exception but in the record. Raises `BuildInterrupted` when
    interrupted, after everything that ran has ended and the record is written.
    """
    assert job.source is not None
    now = time.gmtime()
    directories = options.site.directories()
    record = BuildRecord(
        project=job.project,
        version=job.source.version,
        requirement=job.requirement,
        python=job.python_version,
        arch=job.arch,
        layer=job.layer,
        directory=next((d.label for d in directories if (d.layer, d.arch) == (job.layer, job.arch)), None),
        result=FAILED,
        problem="interrupted",
        source=job.source.origin,
        source_sha256=job.source.content_sha256,
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
    )
    stem = f"{job.label}-{time.strftime('%Y%m%dT%H%M%S', now)}-{os.uname().nodename}-{os.getpid()}"
    logs = os.path.abspath(options.logs)
    log = os.path.join(logs, f"{stem}-{time.monotonic_ns()}.log")
    try:
        os.makedirs(logs, exist_ok=True)
        open(log, "x").close()
    except OSError as error:
        return replace(record, problem=str(OutputError.from_os(logs, error)))
    build = _Build(job, job.source, options, replace(record, log=log))
    try:
        build.run_all()
    except KeyboardInterrupt as stop:
        raise BuildInterrupted(build.record) from stop
    finally:
        with contextlib.suppress(OSError):
            os.unlink(build.shown)
        paths = [log.removesuffix(".log") + ".json"]
        if build.record.result == BUILT:  # again, now with the last phase
            paths.append(os.path.join(options.output, build.record.wheel + RECORD_SUFFIX))
        for path in paths:
            with contextlib.suppress(OutputError):  # a full disk: the caller still gets it
                build.record.write(path)
    return build.record


class _Build(Phases):
    """See the module for what its phases do."""

    def __init__(self, job: Job, source: SourceArchive, options: BuildOptions, record: BuildRecord) -> None:
        limits = Limits.of(options.timeout, options.memory, options.time)
        super().__init__(record, limits, phase_file(job, os.path.dirname(record.log)))
        self.job = job
        self.source = source
        self.options = options
        self.arch: Arch | None = None
        self.runnable: tuple[str, ...] = ()
        self.scratch = ""
        #: The base of all environments: no modules, no flags, nothing of a recipe.
        self.environ: dict[str, str] = {}

    def run_all(self) -> None:
        """Run the phases until one fails."""
        try:
            with scratch_directory(self.options.work, keep=self.options.keep) as self.scratch:
                self._run_all()
        except PhaseFailed:
            pass
        except OSError as error:  # the disk is full, or the log is gone
            self.record = replace(self.record, result=FAILED, problem=describe(error))

    def _run_all(self) -> None:
        with self.phase("host"):
            self._check_host()
        with self.phase("source"):
            recipe, fetched = self._unpack_source()
        wheel, environ = fetched.path, self.environ
        if self.source.kind != "wheel":
            with self.phase("prepare"):
                environ = self._prepare(recipe, fetched)
            with self.phase("environment"):
                python, environ = self._make_environment(recipe, environ)
            with self.phase("build"):
                wheel = self._build(recipe, fetched, python, environ)
        with self.phase("edit"):
            wheel = self._edit(recipe, wheel, environ)
            if self.source.kind != "wheel" and recipe.march:
                self._look_for_mark(wheel)
        if self.options.verify:
            with self.phase("verify"):
                self._verify(recipe, wheel)
        with self.phase("finish"):
            self.record = place_wheel(wheel, self.options.output, self.record)

    def _make_directory(self, name: str) -> str:
        path = os.path.join(self.scratch, name)
        os.mkdir(path)
        return path

    def _run_phase(self, name: str, recipe: Recipe, environ: Mapping[str, str], cwd: str) -> None:
        """Run the recipe's commands of that *name*, up to the first that fails."""
        for command, what in phase_commands(recipe, name):
            self.run(command, what, environ, cwd)

    def _write_pip_conf(self, constraints: Sequence[str] = ()) -> None:
        text = variables.pip_text(self.job, self.options, self.runnable, constraints=constraints)
        write_text(os.path.join(self.scratch, "pip.conf"), text)

    def _check_host(self) -> None:
        site = self.options.site
        self.arch = site.arch(self.job.arch, site.layer(self.job.layer))
        facts, self.runnable = provenance.host_facts(site, self.job.python, os.environ)
        self.record = replace(self.record, host=facts)
        if not self.options.network:
            leave_network()
        if self.options.verify and self.arch is not None and self.arch.name not in self.runnable:
            reason = missing_for(running_cpu(), self.arch, self.options.site.ladder)
            raise PhaseFailed(
                f"{facts['node']} cannot run {self.arch.name} ({reason}), so it cannot verify the wheel: "
                "build on a node that can, or without verification"
            )
        make_directory(os.path.abspath(self.options.output), shared=True)
        self._make_directory("tmp")
        self._write_pip_conf()
        self.environ = variables.base_environ(os.environ, self.scratch)

    def _unpack_source(self) -> tuple[Recipe, Fetched]:
        job = self.job
        check_archive(self.source)
        fetched = unpack_source(self.source, os.path.join(self.scratch, "source"))
        if self.source.kind == "wheel":
            self._check_wheel(fetched.path)
        file = find_recipe(job.project, recipe_directories(self.options.site))
        if file is None:
            return no_recipe(job.project), fetched
        recipe = file.resolve(Version(fetched.version), job.python_version, job.layer, job.arch)
        self.record = replace(self.record, recipe=recipe.path, recipe_sha256=recipe.digest)
        return recipe, fetched

    def _prepare(self, recipe: Recipe, fetched: Fetched) -> dict[str, str]:
        """The environment to build in; the source is changed as the recipe says."""
        cores = self.options.cores or recipe.resources.cores
        recipe = replace(recipe, resources=replace(recipe.resources, cores=cores))
        environ, flags = variables.command_environment(
            recipe, fetched, self.job, self.options.site, environ=self.environ, scratch=self.scratch
        )
        self.record = replace(
            self.record,
            modules=recipe.build_modules,
            flags=flags,
            environ=variables.recorded_variables(environ, (name for name, _ in recipe.env)),
        )
        self._run_phase("after-source", recipe, environ, fetched.path)
        prepare(fetched, recipe, log=self.record.log, environ=environ)
        return environ

    def _make_environment(self, recipe: Recipe, environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The Python of a new environment, and *environ* with that environment activated."""
        place = os.path.join(self.scratch, "environment")
        python = make_environment(self.job.python, place, log=self.record.log, environ=environ)
        requires = installed_to_build(recipe)
        active = make_ready(python, requires, environ, partial(self.run, cwd=self.scratch))
        if files := constraint_files(recipe, self.scratch):
            self._write_pip_conf(files)
        self.record = replace(self.record, tools=provenance.tool_versions(python, active))
        return python, active

    def _build(self, recipe: Recipe, fetched: Fetched, python: str, environ: Mapping[str, str]) -> str:
        """The path of the one wheel that the build made."""
        source, wheels = fetched.path, self._make_directory("wheels")
        environ = {**environ, "WHEELHOUSE_WHEEL_DIR": wheels}
        options = ["--verbose", *pip_options(recipe, environ, fetched.version)]
        self._run_phase("before-build", recipe, environ, source)
        command = [python, "-m", "pip", "wheel", *options, "--wheel-dir", wheels, source]
        self.run(command, "pip wheel", environ, source)
        wheel = _only_wheel(wheels, "the build made")
        if phase_commands(recipe, "after-build"):
            made = sha256_of(wheel)
            self._run_phase("after-build", recipe, environ, source)
            wheel = _only_wheel(wheels, "the after-build commands left")
            if sha256_of(wheel) != made:
                new = renewed(wheel, self._make_directory("renewed"), int(environ["SOURCE_DATE_EPOCH"]))
                if new != wheel:
                    self._note("the after-build commands changed the wheel: its RECORD was written anew")
                wheel = new
        return self._check_wheel(wheel)

    def _check_wheel(self, wheel: str) -> str:
        """*wheel*, if it is valid and what was asked for."""
        found = check_wheel(wheel)
        if (found.name, found.version) != (self.job.project, Version(self.record.version)):
            wanted = f"{self.job.project} {self.record.version}"
            raise PhaseFailed(f"the wheel is {found.name} {found.version}, not {wanted}: {found.filename}")
        return wheel

    def _edit(self, recipe: Recipe, wheel: str, environ: Mapping[str, str]) -> str:
        """The path of the wheel with the recipe's edits."""
        version = self.record.version
        rpath = tuple(recipe.expanded(each, environ, version, "wheel.rpath") for each in recipe.rpath)
        if recipe.edits == Edits() and not rpath:
            return wheel
        if rpath:
            tools = {**self.record.tools, "patchelf": provenance.patchelf_version(environ)}
            self.record = replace(self.record, tools=tools)
        return relabel(wheel, recipe.edits, self._make_directory("edited"), rpath=rpath).path

    def _look_for_mark(self, wheel: str) -> None:
        """Say which libraries are without the linker's mark; if all are, the record does not claim it."""
        level = level_of(self.arch)
        marked, others = marked_and_others(elf_files(wheel), level) if level is not None else ([], [])
        if level is None or not others:
            return
        shown = ", ".join([*others[:3], *([f"{len(others) - 3} more"] if len(others) > 3 else [])])
        name = level.replace("_", "-")
        self._note(f"without the linker's mark of {name}, so that lower CPUs do not refuse them: {shown}")
        if not marked:
            flags = dict(self.record.flags)
            kept = [each for each in flags.pop("LDFLAGS", "").split() if each != mark_flag(level)]
            flags |= {"LDFLAGS": " ".join(kept)} if kept else {}
            self.record = replace(self.record, flags=flags)

    def _note(self, text: str) -> None:
        self.say(f"note: {text}")
        self.record = replace(self.record, notes=(*self.record.notes, text))

    def _verify(self, recipe: Recipe, wheel: str) -> None:
        """Verify *wheel* in an environment with the run-time modules, and nothing of the build."""
        environ = variables.without_pip(module_environment(recipe.run_modules, self.environ), self.scratch)
        work = self._make_directory("verify")
        self._run_phase("before-test", recipe, environ, work)
        site = self.options.site
        able = variables.usable_archs(site, self.arch, self.runnable) or (GENERIC,)
        search_path = site.search_path_for(self.job.layer, self.job.arch, runnable=able)
        links = (self.options.output, *(d.path for d in existing(search_path)), *self.options.find_links)
        options = VerificationSettings(
            python=self.job.python,
            environ=environ,
            find_links=links,
            test=recipe.test,
            offline=self.options.offline,
        )
        done = run_verification(wheel, options, work=work, log=self.record.log)
        for note in done.notes:
            self._note(note)
        if not done.ok:
            raise PhaseFailed("; ".join(f"{each.check}: {each.problem}" for each in done.findings))
