"""One build: from a planned source to a verified wheel with its record.

The phases of a build, each timed and logged:

host:        check that this host can do it.
source:      check that the source is the planned one, and unpack it; resolve the recipe for its version.
taken-wheel: run the recipe's commands on a wheel that is taken as it is; a built one has these three instead:
prepare:     set the environment: modules, compiler flags, the recipe's variables; change the source.
environment: make a virtual environment of the target Python to build in.
build:       build the wheel with pip.
edit:        apply the recipe's edits to it; adapt a wheel of the index to the layer.
verify:      install and test it, as users will have it.
finish:      place it into the output directory.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from packaging.version import Version

from wheelhouse_resolver.builder.config import settings_of
from wheelhouse_resolver.builder.pipeline.adapt import adaptation
from wheelhouse_resolver.builder.pipeline.made_from import Making, addition
from wheelhouse_resolver.builder.pipeline.narrowing import installed_by, told_apart
from wheelhouse_resolver.builder.pipeline.phases import Limits, PhaseFailed, Phases
from wheelhouse_resolver.builder.process.network import leave_network
from wheelhouse_resolver.builder.process.scratch import scratch_directory
from wheelhouse_resolver.builder.process.virtualenvs import make_environment
from wheelhouse_resolver.builder.recipes.loader import find_recipe, recipe_directories, resolved
from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.records.job import BuildOptions, Job, SourceArchive, phase_file
from wheelhouse_resolver.builder.records.output import place_wheel
from wheelhouse_resolver.builder.records.record import FAILED, RECORD_SUFFIX, BuildRecord, describe
from wheelhouse_resolver.builder.sources.fetch import check_archive, unpack_source
from wheelhouse_resolver.builder.sources.fetched import Fetched
from wheelhouse_resolver.builder.sources.patch import prepare
from wheelhouse_resolver.builder.toolchain import numbered_pip, provenance, variables
from wheelhouse_resolver.builder.toolchain.build_python import (
    constraint_files,
    installed_to_build,
    make_ready,
    pip_options,
)
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.linker_mark import level_of, mark_flag, marked_and_others
from wheelhouse_resolver.builder.toolchain.phase_commands import phase_commands, run_phase
from wheelhouse_resolver.builder.verification.verify import VerificationSettings, run_verification
from wheelhouse_resolver.errors import OutputError
from wheelhouse_resolver.host.cpu import missing_for, running_cpu
from wheelhouse_resolver.host.detect import detect_host
from wheelhouse_resolver.site.layout import GENERIC, Arch
from wheelhouse_resolver.tree.listing import SUFFIX, existing
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
from wheelhouse_resolver.utils.safe_io import sha256_of
from wheelhouse_resolver.wheelfile.built_against import built_against
from wheelhouse_resolver.wheelfile.edit import Edits, relabel
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.renew import newest_in, renewed
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


def run_job(job: Job, options: BuildOptions, log: str) -> BuildRecord:
    """Build *job*, whose source is planned, and return the record, which is also written beside the *log*.

    That is appended to, if the build is one that is run again.

    A build that fails, or a full disk, is not an exception but in the record. Raises `BuildInterrupted` when
    interrupted, after everything that ran has ended and the record is written.
    """
    assert job.source is not None
    now = time.gmtime()
    directories = options.site.own_directories()
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
        upstream=options.upstream,
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", now),
    )
    try:
        os.makedirs(os.path.dirname(log), exist_ok=True)
        open(log, "a").close()
    except OSError as error:
        return replace(record, problem=str(OutputError.from_os(os.path.dirname(log), error)))
    build = _Build(job, job.source, options, replace(record, log=log))
    try:
        build.run_all()
    except KeyboardInterrupt as stop:
        raise BuildInterrupted(build.record) from stop
    finally:
        with contextlib.suppress(OSError):
            os.unlink(build.shown)
        paths = [log.removesuffix(".log") + ".json"]
        if build.record.result == build.record.done:  # again, now with the last phase
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
        self.begun = os.path.getsize(record.log)
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
        if self.source.kind == "wheel" and phase_commands(recipe, "taken-wheel"):
            with self.phase("taken-wheel"):
                wheel, environ = self._change_taken(recipe, wheel)
        elif self.source.kind != "wheel":
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

    def _run_phase(self, name: str, recipe: Recipe, environ: Mapping[str, str], cwd: str) -> dict[str, str]:
        """Run the recipe's commands of that *name*; returns *environ* with what they exported."""
        found = run_phase(recipe, name, self.record.version, environ, self.run, cwd)
        names = [each for each in found if found[each] != environ.get(each)]
        if names:
            self.say(f"exported by {name} commands: {', '.join(names)}")
            exported = variables.recorded_variables({name: found[name] for name in names}, names)
            here = {name: value.replace(self.scratch, "BUILD") for name, value in exported.items()}
            self.record = replace(self.record, environ={**self.record.environ, **here})
        return found

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
        if self.source.yanked:
            self._note(f"yanked: {self.source.yanked}")
        fetched = unpack_source(self.source, os.path.join(self.scratch, "source"))
        file = find_recipe(job.project, recipe_directories(self.options.site))
        recipe = resolved(file, job, fetched.version, *settings_of(self.options))
        self.record = replace(self.record, recipe=recipe.path, recipe_sha256=recipe.digest)
        if self.source.kind == "wheel":
            self._check_wheel(fetched.path, recipe)
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
        environ = self._run_phase("after-source", recipe, environ, fetched.path)
        prepare(fetched, recipe, log=self.record.log, environ=environ)
        return environ

    def _make_environment(self, recipe: Recipe, environ: Mapping[str, str]) -> tuple[str, dict[str, str]]:
        """The Python of a new environment, and *environ* with that environment activated."""
        python = self.job.environment if recipe.leaves_environment else ""
        if not python:
            place = os.path.join(self.scratch, "environment")
            python = make_environment(self.job.python, place, log=self.record.log, environ=environ)
            requires = installed_to_build(recipe)
            active = make_ready(python, requires, environ, partial(self.run, cwd=self.scratch))
        else:
            active = variables.with_path(environ, python)
        if files := constraint_files(recipe, self.scratch):
            self._write_pip_conf(files)
        self.record = replace(self.record, tools=provenance.tool_versions(python, active))
        return python, active

    def _build(self, recipe: Recipe, fetched: Fetched, python: str, environ: Mapping[str, str]) -> str:
        """The path of the one wheel that the build made."""
        source, wheels = fetched.path, self._make_directory("wheels")
        environ = {**environ, "WHEELHOUSE_WHEEL_DIR": wheels}
        environ = self._run_phase("before-build", recipe, environ, source)
        options = ["--verbose", *pip_options(recipe, environ, fetched.version)]
        command = [python, numbered_pip.__file__, "wheel", *options, "--wheel-dir", wheels, source]
        self.run(command, "pip wheel", environ, source)
        wheel = _only_wheel(wheels, "the build made")
        wheel = self._changed_by("after-build", recipe, wheel, environ, source)
        return self._check_wheel(wheel, recipe)

    def _change_taken(self, recipe: Recipe, wheel: str) -> tuple[str, dict[str, str]]:
        """The path of a *wheel* that is taken as it is after the commands for such, and their environment."""
        loaded = variables.without_pip(module_environment(recipe.build_modules, self.environ), self.scratch)
        _, environ = self._make_environment(recipe, recipe.environment(loaded, self.record.version))
        wheels = self._make_directory("wheels")
        wheel = shutil.copy(wheel, wheels)
        environ = {**environ, "WHEELHOUSE_WHEEL_DIR": wheels, "SOURCE_DATE_EPOCH": str(newest_in(wheel))}
        wheel = self._changed_by("taken-wheel", recipe, wheel, environ, wheels)
        return self._check_wheel(wheel, recipe), environ

    def _changed_by(
        self, phase: str, recipe: Recipe, wheel: str, environ: Mapping[str, str], cwd: str
    ) -> str:
        """The path of *wheel* after the commands of *phase*, which may replace it by another one."""
        if not phase_commands(recipe, phase):
            return wheel
        made = sha256_of(wheel)
        self._run_phase(phase, recipe, {**environ, "WHEELHOUSE_WHEEL": wheel}, cwd)
        wheel = _only_wheel(os.path.dirname(wheel), f"the {phase} commands left")
        if sha256_of(wheel) != made:
            new = renewed(wheel, self._make_directory("renewed"), int(environ["SOURCE_DATE_EPOCH"]))
            if new != wheel:
                self._note(f"the {phase} commands changed the wheel: its RECORD was written anew")
            wheel = new
        return wheel

    def _check_wheel(self, wheel: str, recipe: Recipe) -> str:
        """*wheel*, if it is valid and what was asked for."""
        found = check_wheel(wheel)
        names = (self.job.project, recipe.source_name)
        if found.name not in names or found.version != Version(self.record.version):
            wanted = f"{self.job.project} {self.record.version}"
            raise PhaseFailed(f"the wheel is {found.name} {found.version}, not {wanted}: {found.filename}")
        return wheel

    def _edit(self, recipe: Recipe, wheel: str, environ: Mapping[str, str]) -> str:
        """The path of the wheel with the recipe's edits."""
        version = self.record.version
        edits = recipe.edits
        if recipe.source_name != self.job.project and self.options.upstream is None:
            edits = edits._replace(name=self.job.project)
        if recipe.narrow:
            edits = self._narrow(recipe, wheel, edits)
        more = [recipe.expanded(each, environ, version, "wheel.rpath") for each in recipe.rpath]
        files = elf_files(wheel)
        rpath: Mapping[str, Sequence[str]] = {each.path: more for each in files if more and each.dynamic}
        interpreters: Mapping[str, str] = {}
        if self.options.upstream is not None and files:
            python = detect_host(self.job.python, site=self.options.site).python
            scratch = self._make_directory("adapted")
            found = adaptation(wheel, files, self.options.upstream, python, scratch, more)
            label = found.edits.local_label
            if self.options.given.local_label is None:
                label = edits.local_label or label
            edits = edits._replace(local_label=label, tags=edits.tags or found.edits.tags)
            rpath, interpreters = found.rpath, found.interpreters
            for note in found.notes:
                self._note(note)
        if rpath or interpreters:
            tools = {**self.record.tools, "patchelf": provenance.patchelf_version(environ)}
            self.record = replace(self.record, tools=tools)
        files = [replace(each, runpath=(*each.runpath, *rpath.get(each.path, ()))) for each in files]
        making = Making(self.job, self.source, recipe, self.environ, self.scratch, self.begun)
        sbom = addition(making, self.record, wheel, edits, files, environ)
        new = self._make_directory("edited")
        return relabel(wheel, edits, new, rpath=rpath, interpreters=interpreters, addition=sbom).path

    def _narrow(self, recipe: Recipe, wheel: str, edits: Edits) -> Edits:
        """*edits* with requirements on what the libraries in *wheel* show that they were built against."""
        versions = {**self.record.tools, **installed_by(self.record.log, self.begun)}
        for each in built_against(wheel, versions):
            if each.project not in recipe.narrow or each.project == self.job.project:
                continue
            if each.specifier:
                edits = edits._replace(narrow=(*edits.narrow, f"{each.project}{each.specifier}"))
                self._note(f"requires {each.project}{each.specifier}: {each.evidence}")
            else:
                self._note(f"{each.evidence}: which {each.project} it was built against is not known")
        return told_apart(wheel, edits, self.options.site, self.options.output)

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
        environ = self._run_phase("before-test", recipe, environ, work)
        site = self.options.site
        able = variables.usable_archs(site, self.arch, self.runnable) or (GENERIC,)
        search_path = site.search_path_for(self.job.layer, self.job.arch, runnable=able)
        links = (self.options.output, *(d.path for d in existing(search_path)), *self.options.find_links)
        options = VerificationSettings(
            python=self.job.python,
            environ={**environ, **recipe.facts(self.record.version)},
            find_links=links,
            test=recipe.test,
            offline=self.options.offline,
        )
        done = run_verification(wheel, options, work=work, log=self.record.log)
        for note in done.notes:
            self._note(note)
        if not done.ok:
            raise PhaseFailed("; ".join(f"{each.check}: {each.problem}" for each in done.findings))
