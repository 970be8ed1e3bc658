"""The `[build]` table of the site file: where recipes are, and how the site's Slurm is to be asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wheelhouse_resolver.builder.resources import GRACE, Resources
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.schema import Tables
from wheelhouse_resolver.utils.text import suggest_name

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site

__all__ = ["SlurmSettings", "resources_for", "slurm_settings"]

#: The keys of `[build]`. `recipes`, `flags` and `glibc` are read by `recipe_file`, `flags` and `glibc`.
_KEYS = ("flags", "glibc", "recipes", "slurm")

_SLURM_KEYS = ("account", "constraint", "cores", "grace", "memory", "options", "partition", "time")


@dataclass(frozen=True, kw_only=True, slots=True)
class SlurmSettings:
    """`[build.slurm]`.

    resources:   of a build whose recipe does not say.
    constraints: for some archs, the features (`--constraint`) of nodes that can run their wheels, as pairs.
    options:     more options for sbatch.
    grace:       how long to wait for a result after its job is over (s).
    """

    resources: Resources = field(default_factory=Resources)
    constraints: tuple[tuple[str, str], ...] = ()
    options: tuple[str, ...] = ()
    grace: float = GRACE


def slurm_settings(site: Site) -> SlurmSettings:
    """What *site* says in `[build.slurm]`. All of `[build]` is checked. Raises `SiteFileError`."""
    tables = Tables(site.source or "site")
    build = site.tables.get("build", {})
    tables.only_known(build, _KEYS, "[build]")
    tables.texts(build.get("recipes", ()), "[build] recipes")
    table = tables.table(build.get("slurm", {}), "[build.slurm]")
    tables.only_known(table, _SLURM_KEYS, "[build.slurm]")
    told = {
        key: tables.text(table[key], f"[build.slurm] {key}")
        for key in ("memory", "partition", "time")
        if key in table
    }
    cores, grace = table.get("cores", 1), table.get("grace", GRACE)
    if type(cores) is not int or cores < 1:
        tables.fail("[build.slurm] cores", f"{cores!r} is not a whole number above 0")
    if type(grace) not in (int, float) or not 0 <= grace < 3600:
        tables.fail("[build.slurm] grace", f"{grace!r} is not a number of seconds below 3600")
    constraints = tables.pairs(table.get("constraint", {}), "[build.slurm] constraint")
    names = [GENERIC, *(arch.name for arch in site.ladder)]
    for arch, _ in constraints:
        if arch not in names:
            tables.fail("[build.slurm] constraint", suggest_name("arch", arch, names))
    options = tables.texts(table.get("options", ()), "[build.slurm] options")
    for option in options:
        if not option.startswith("-"):
            tables.fail("[build.slurm] options", f"{option!r} is no option: write each as `--name=value`")
    if "account" in table:
        options.insert(0, f"--account={tables.text(table['account'], '[build.slurm] account')}")
    return SlurmSettings(
        resources=Resources(cores=cores, **told),
        constraints=tuple(constraints),
        options=tuple(options),
        grace=float(grace),
    )


def resources_for(wanted: Resources, arch: str, settings: SlurmSettings) -> Resources:
    """What a build for *arch* is to get: what its recipe *wanted*, else what the site gives. Pure.

    The node must suit both the arch and the recipe, so their constraints are joined.
    """
    site = settings.resources
    both = [each for each in (dict(settings.constraints).get(arch, ""), wanted.constraint) if each]
    if len(both) == 2:
        both = [f"({each})" if "|" in each else each for each in both]
    return replace(
        wanted,
        cores=wanted.cores if wanted.cores > 1 else site.cores,
        memory=wanted.memory or site.memory,
        time=wanted.time or site.time,
        partition=wanted.partition or site.partition,
        constraint="&".join(both),
    )
