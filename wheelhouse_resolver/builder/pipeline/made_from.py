"""What a wheel was made from, for the SBOM in it.

Only what is the same in every build of that source with that recipe on that host: no times, no node, no
paths of a build directory. Of a pure-Python wheel only what made it, not where: it is for every host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import metadata
from typing import NamedTuple

from wheelhouse_resolver.builder.pipeline.linked import external_libraries, modules_shown, searched
from wheelhouse_resolver.builder.pipeline.narrowing import installed_by
from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.records.job import Job, SourceArchive
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.provenance import PROGRAMS
from wheelhouse_resolver.host.program_interpreter import NotElfError, program_interpreter
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.wheelfile.edit import Addition, Edits
from wheelhouse_resolver.wheelfile.name import WheelName
from wheelhouse_resolver.wheelfile.provenance import OWN, ExternalLibrary, Provenance
from wheelhouse_resolver.wheelfile.sbom import sbom_text

#: The variables that a build is described by, besides those of its recipe: programs and the time.
_ENVIRON = ("AR", "CC", "CPPFLAGS", "CXX", "F77", "FC", "LD", "SOURCE_DATE_EPOCH")

#: What is installed to build, too, and makes no wheel.
_NOT_PACKAGES = (*PROGRAMS, OWN, "virtualenv")

#: The earliest time that a zip file can hold (s since 1970).
_EARLIEST = 315532800


class Making(NamedTuple):
    """The build of a wheel.

    environ: without modules, flags and recipe. scratch: the build directory.
    begun:   how long the log was when it began (bytes).
    """

    job: Job
    source: SourceArchive
    recipe: Recipe
    environ: Mapping[str, str]
    scratch: str
    begun: int


def addition(
    making: Making,
    record: BuildRecord,
    wheel: str,
    edits: Edits,
    files: Sequence[ElfFile],
    environ: Mapping[str, str],
) -> Addition:
    """What the *wheel* at that path, with these ELF *files*, gets besides its *edits*.

    environ: that it was built in. Raises `MissingExtraError`.
    """
    built = making.source.kind != "wheel"
    name, version, _, tags = WheelName.parse(os.path.basename(wheel))
    version = edits.version_of(version)
    found = Provenance(
        project=edits.name or name,
        version=str(version),
        origin=_origin(making.source),
        source=record.source,
        source_sha256=record.source_sha256,
        recipe=os.path.basename(record.recipe or ""),
        recipe_sha256=record.recipe_sha256,
        notes=record.notes,
        program=metadata.version(OWN),
    )
    pure = not files and all(tag.platform == "any" for tag in tags)
    if built:
        found = _with_build(found, making, record, pure=pure)
    if not pure:
        found = replace(
            found,
            arch=record.arch,
            layer=record.layer or "",
            libc=record.host.get("libc", ""),
            tools={name: text for name, text in record.tools.items() if name in _programs(built)},
            libraries=_libraries(making, files, environ),
        )
    epoch = max(int(environ["SOURCE_DATE_EPOCH"]), _EARLIEST) if built else None
    return Addition(sbom_text(_without(making.scratch, found)), epoch)


def _origin(source: SourceArchive) -> str:
    if source.kind == "wheel":
        return "distribution"
    return "vcs" if source.origin.startswith("git+") else "source-distribution"


def _programs(built: bool) -> tuple[str, ...]:
    return PROGRAMS if built else ("patchelf",)


def _with_build(found: Provenance, making: Making, record: BuildRecord, *, pure: bool) -> Provenance:
    """*found* with how it was built."""
    recipe = making.recipe
    packages = installed_by(record.log, making.begun)
    if not recipe.isolation:
        packages = {name: each for name, each in record.tools.items() if name not in _NOT_PACKAGES}
    if pure:
        packages.pop("pip", None)
        return replace(found, packages=packages)
    names = {*_ENVIRON, *(name for name, _ in recipe.env)}
    return replace(
        found,
        python=record.python,
        modules=record.modules,
        flags=record.flags,
        environ={name: text for name, text in record.environ.items() if name in names},
        packages=packages,
    )


def _libraries(
    making: Making, files: Sequence[ElfFile], environ: Mapping[str, str]
) -> tuple[ExternalLibrary, ...]:
    recipe = making.recipe
    run = module_environment(recipe.run_modules, making.environ)
    try:
        loader = program_interpreter(making.job.python) or ""
    except NotElfError:
        loader = ""
    shown = modules_shown(recipe.run_modules, recipe.build_modules, making.environ, (run, environ))
    return external_libraries(files, searched(run, environ), loader, shown)


def _without(scratch: str, found: Provenance) -> Provenance:
    """*found* without the path of *scratch*, which is another one in every build."""

    def plain(text: str) -> str:
        return text.replace(scratch, "BUILD")

    def texts(values: Mapping[str, str]) -> dict[str, str]:
        return {name: plain(value) for name, value in values.items()}

    return replace(
        found,
        flags=texts(found.flags),
        environ=texts(found.environ),
        notes=tuple(map(plain, found.notes)),
        libraries=tuple(replace(each, path=plain(each.path)) for each in found.libraries),
    )
