"""The `[build]` table of the site file: where recipes are, and how the site's Slurm is to be asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wheelhouse_resolver.builder.resources import GRACE, Resources
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.schema import (
    Pairs,
    Table,
    anything,
    line,
    lines,
    one_of,
    require,
    seconds,
    whole_number,
)

if TYPE_CHECKING:
    from wheelhouse_resolver.site.model import Site


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


def _schema(site: Site) -> Table:
    """What `[build]` may say. What is in `flags` and `glibc` is checked where they are read."""
    arch = one_of("arch", [GENERIC, *(each.name for each in site.ladder)])
    slurm = Table(
        {
            "account": line(),
            "constraint": Pairs(line(), arch),
            "cores": whole_number(1, 9999),
            "grace": seconds(3600, zero=True),
            "memory": line(),
            "options": lines(_option),
            "partition": line(),
            "time": line(),
        },
        header="build.slurm",
    )
    return Table({"flags": anything, "glibc": anything, "recipes": lines(), "slurm": slurm}, header="build")


def _option(text: str) -> str | None:
    return None if text.startswith("-") else f"invalid option {text!r}: write each as `--name=value`"


def slurm_settings(site: Site) -> SlurmSettings:
    """What *site* says in `[build.slurm]`. All of `[build]` is checked. Raises `SiteFileError`."""
    build = require(_schema(site), site.tables.get("build", {}), site.source or "site")
    table = build.get("slurm", {})
    stated = {key: table[key] for key in ("cores", "memory", "partition", "time") if key in table}
    account = [f"--account={table['account']}"] if "account" in table else []
    return SlurmSettings(
        resources=Resources(**stated),
        constraints=tuple(table.get("constraint", {}).items()),
        options=(*account, *table.get("options", ())),
        grace=float(table.get("grace", GRACE)),
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
