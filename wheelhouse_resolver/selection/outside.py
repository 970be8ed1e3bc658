"""Which directories a host does not search, and why."""

from __future__ import annotations

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.reasons import Exclusion, Rule
from wheelhouse_resolver.site.layout import GENERIC, Directory
from wheelhouse_resolver.site.model import Site


def able_archs(site: Site, host: Host) -> tuple[str, ...]:
    """The archs that *host* can run, low to high, as the ladder names them."""
    if host.archs:
        return host.archs
    highest = site.arch(host.arch, site.layer(host.layer))
    return site.archs_up_to(highest) if highest is not None else ()


def reachable(site: Site, layer: str | None) -> set[str]:
    """The directories that some host of *layer* searches: layers may share some."""
    archs = (GENERIC, *(arch.name for arch in site.ladder))
    return {each.path for arch in archs for each in site.search_path_for(layer, arch)}


def why_not_searched(site: Site, host: Host, directory: Directory) -> tuple[Exclusion, ...]:
    """Why *host* does not search *directory*, which is outside its search path."""
    found: list[Exclusion] = []
    own = site.search_path(host).layer
    if directory.layer not in (None, own) and directory.path not in reachable(site, own):
        found.append(Exclusion(Rule.OUTSIDE, "layer", (str(directory.layer),), host.layer or ""))
        host = host._replace(layer=directory.layer)
    if directory.path not in {each.path for each in site.search_path(host)}:
        kind = "search" if directory.arch in (GENERIC, *able_archs(site, host)) else "arch"
        found.append(Exclusion(Rule.OUTSIDE, kind, (directory.arch,), host.arch))
    return tuple(found)
