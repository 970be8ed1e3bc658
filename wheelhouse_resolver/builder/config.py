"""The `[build]` table of the site file: recipes, what all builds have, and how the site's Slurm is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wheelhouse_resolver.builder.records.job import BuildOptions
from wheelhouse_resolver.builder.records.settings import MODULE, NARROWED, REQUIREMENT, BuildSettings
from wheelhouse_resolver.builder.resources import GRACE, Resources
from wheelhouse_resolver.publishing.config import local_label
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils import schema


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


def _schema(site: Site) -> schema.Table:
    """What `[build]` may say. What is in `flags` and `glibc` is checked where they are read."""
    arch = schema.one_of("arch", [GENERIC, *(each.name for each in site.ladder)])
    slurm = schema.Table(
        {
            "account": schema.line(),
            "constraint": schema.Pairs(schema.line(), arch),
            "cores": schema.whole_number(1, 9999),
            "grace": schema.seconds(3600, zero=True),
            "memory": schema.line(),
            "options": schema.lines(_option),
            "partition": schema.line(),
            "time": schema.line(),
        },
        header="build.slurm",
    )
    return schema.Table(
        {
            "build-isolation": schema.flag,
            "build-requires": schema.texts(REQUIREMENT),
            "flags": schema.anything,
            "glibc": schema.anything,
            "modules": schema.texts(MODULE),
            "narrow-requires": schema.texts(schema.one_of("project", NARROWED)),
            "network": schema.flag,
            "pythons": schema.lines(),
            "recipes": schema.lines(),
            "slurm": slurm,
        },
        header="build",
    )


def _table(site: Site) -> Mapping[str, Any]:
    """`[build]`, checked. Raises `SiteFileError`."""
    found: Mapping[str, Any] = schema.require(
        _schema(site), site.tables.get("build", {}), site.source or "site"
    )
    return found


def site_settings(site: Site) -> BuildSettings:
    """What *site* says of all builds. Raises `SiteFileError`."""
    build = _table(site)
    narrow = build.get("narrow-requires")
    return BuildSettings(
        modules=tuple(build.get("modules", ())),
        build_requires=tuple(build.get("build-requires", ())),
        isolation=build.get("build-isolation"),
        narrow=tuple(narrow) if narrow is not None else None,
        local_label=local_label(site) or None,
    )


def settings_of(options: BuildOptions) -> tuple[BuildSettings, BuildSettings]:
    """What the site and what the command line says of all builds. Raises `SiteFileError`.

    Nothing of a label for wheels of an index: which of them get one depends on what they contain.
    """
    both = site_settings(options.site), options.given
    if options.upstream is None:
        return both
    return replace(both[0], local_label=None), replace(both[1], local_label=None)


def site_pythons(site: Site) -> str | None:
    """The Pythons that *site* builds for, as for `--python`; None: not said. Raises `SiteFileError`."""
    return ",".join(_table(site).get("pythons", ())) or None


def _option(text: str) -> str | None:
    return None if text.startswith("-") else f"invalid option {text!r}: write each as `--name=value`"


def slurm_settings(site: Site) -> SlurmSettings:
    """What *site* says in `[build.slurm]`. All of `[build]` is checked. Raises `SiteFileError`."""
    table = _table(site).get("slurm", {})
    stated = {key: table[key] for key in ("cores", "memory", "partition", "time") if key in table}
    account = [f"--account={table['account']}"] if "account" in table else []
    return SlurmSettings(
        resources=Resources(**stated),
        constraints=tuple(table.get("constraint", {}).items()),
        options=(*account, *table.get("options", ())),
        grace=float(table.get("grace", GRACE)),
    )


def has_network(site: Site) -> bool:
    """Whether builds may reach a network (`network` in `[build]`, once `slurm_settings` has checked it)."""
    return bool(site.tables.get("build", {}).get("network", True))


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
