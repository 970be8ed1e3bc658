"""The environment of the commands of a build: modules, flags, and the recipe's own variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.records.job import Job
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.flags import compiler_environment
from wheelhouse_resolver.builder.toolchain.provenance import optimisation_of
from wheelhouse_resolver.builder.toolchain.variables import (
    build_variables,
    joined_flags,
    own_flags,
    path_flags,
    without_pip,
)
from wheelhouse_resolver.site.model import Site


class SourceTree(Protocol):
    """A source: the directory that it is in, and its version, if known."""

    @property
    def path(self) -> str:
        """The directory."""
        ...

    @property
    def version(self) -> str:
        """The version."""
        ...


class CommandEnvironment(NamedTuple):
    """All that is set (*environ*), and the *flags* that we set, which a recipe may have changed."""

    environ: dict[str, str]
    flags: dict[str, str]


def command_environment(
    recipe: Recipe, source: SourceTree, job: Job, site: Site, *, environ: Mapping[str, str], scratch: str
) -> CommandEnvironment:
    """The environment of what builds *source* as *recipe* and *job* say, or asks its backend for metadata.

    environ: that of the build (`base_environ`). scratch: its directory, with its `pip.conf`.

    Raises `ModulesError`, `VariableError`, and what `compiler_environment` raises.
    """
    loaded = without_pip(module_environment(recipe.build_modules, environ), scratch)
    # Each comes after what it may have to overrule.
    flags = joined_flags(own_flags(optimisation_of(job.python, loaded)), loaded)
    if recipe.march:
        arch = site.arch(job.arch, site.layer(job.layer))
        flags = joined_flags(flags, compiler_environment(arch, site, environ=loaded))
    loaded |= joined_flags(flags, path_flags(loaded, scratch))
    loaded |= build_variables(source.path, recipe.resources.cores)
    return CommandEnvironment(recipe.environment(loaded, source.version), flags)
