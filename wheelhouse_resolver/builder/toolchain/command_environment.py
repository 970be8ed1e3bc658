"""The environment of the commands of a build: modules, flags, and the recipe's own variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.records.job import Job
from wheelhouse_resolver.builder.toolchain import variables
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.toolchain.flags import compiler_environment
from wheelhouse_resolver.builder.toolchain.provenance import optimisation_of
from wheelhouse_resolver.site.model import Site


class SourceTree(Protocol):
    """A source, as far as its build depends on it."""

    @property
    def path(self) -> str:
        """The directory."""

    @property
    def version(self) -> str:
        """The version."""


def command_environment(
    recipe: Recipe, source: SourceTree, job: Job, site: Site, *, environ: Mapping[str, str], scratch: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The environment of what builds *source* as *recipe* and *job* say, or asks its backend for metadata.

    And the flags in it that we set, which the recipe may have changed. environ: that of the build
    (`base_environ`). scratch: its directory, with its `pip.conf`.

    Raises `ModulesError`, `VariableError`, and what `compiler_environment` raises.
    """
    loaded = variables.without_pip(module_environment(recipe.build_modules, environ), scratch)
    # Each comes after what it may have to overrule.
    flags = variables.joined_flags(variables.own_flags(optimisation_of(job.python, loaded)), loaded)
    if recipe.march:
        arch = site.arch(job.arch, site.layer(job.layer))
        flags = variables.joined_flags(flags, compiler_environment(arch, site, environ=loaded))
    loaded |= variables.joined_flags(flags, variables.path_flags(loaded, scratch))
    loaded |= variables.build_variables(source.path, recipe.resources.cores)
    return recipe.environment(loaded, source.version), flags
