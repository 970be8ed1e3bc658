"""Wheel variants (PEP 825, a draft) in a directory of the wheelhouse, which has no place for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from packaging.version import Version

from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.errors import UnreadableDirectoryError
from wheelhouse_resolver.publishing.order import visible
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.layout import Directory, HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.tree.candidate import Candidate, VariantWheel
from wheelhouse_resolver.wheelfile.name import VARIANT_PROBLEM, VariantName, variants_index_of


def check_variants(
    site: Site,
    variants: Sequence[VariantWheel],
    candidates: Mapping[Version, Sequence[Candidate]],
    hosts: Sequence[HostKind],
) -> Iterator[Finding]:
    """All *variants* of a project, whose other wheels are *candidates*: who takes which, and over what.

    uv with its preview feature takes those that a `NAME-VERSION-variants.json` beside them speaks of, before
    every wheel without a label, whatever its build tag (0.13.9).
    """
    for each in variants:
        name = VariantName.parse(each.filename)
        assert name is not None
        kind = FindingKind.VARIANT if each.problem == VARIANT_PROBLEM else FindingKind.TAKEN_VARIANT
        message, wanted = each.problem, ""
        if _is_indexed(each.directory, name):
            kind = FindingKind.TAKEN_VARIANT
            hidden = _hidden(each, candidates.get(name.version, ()), hosts)
            if hidden:
                wanted = hidden.path
                message += f", and then before {hidden.directory.label}/{hidden.filename}"
        fix = withdraw_command(site, each.directory, each.filename)
        yield Finding(kind, message, (each.path,), fix, str(name.name), str(name.version), wanted=wanted)


def _is_indexed(directory: Directory, wheel: VariantName) -> bool:
    with suppress(UnreadableDirectoryError):
        return (wheel.name, wheel.version) in map(variants_index_of, listing.all_names(directory))
    return False


def _hidden(variant: VariantWheel, same: Sequence[Candidate], hosts: Sequence[HostKind]) -> Candidate | None:
    """The best wheel of *same*, all of its version, that some host would get if *variant* were not there."""
    found = [
        each
        for host in hosts
        if variant.directory in host.search_path.directories
        for each in visible(same, host)
    ]
    return max(found, key=lambda each: (each.directory.rank, each.filename), default=None)
