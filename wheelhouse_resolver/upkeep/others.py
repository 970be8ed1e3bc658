"""The others, whose wheels a host is held against: everybody, or hosts as it but for some names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from packaging.tags import Tag

from wheelhouse_resolver.errors import UnknownNameError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import is_version, other_version, supported_tags
from wheelhouse_resolver.site.layout import NO_LAYER, Directory
from wheelhouse_resolver.site.model import Site


class Others(NamedTuple):
    """Whose wheels count: those in *directories* (by path) that *accepts* lets pass; *layer*: if named."""

    directories: tuple[Directory, ...]
    accepts: Callable[[frozenset[Tag]], bool]
    everybody: bool = False
    layer: bool = False


def others_like(site: Site, host: Host, like: Iterable[str]) -> Others:
    """The others: hosts as *host*, but for what *like* names: a Python (`3.13`), a layer, an arch.

    With nothing named, all hosts of the site and all Pythons. Raises `UnknownNameError`, `PythonError`.
    """
    names = [name.strip() for each in like for name in each.split(",") if name.strip()]
    if not names:
        return Others(site.directories(), lambda _: True, everybody=True)
    python, layer, arch = host.python, host.layer, ""
    by_layer = False
    known = [each.name for each in site.layers]
    for name in names:
        if is_version(name):
            python = other_version(python, name)
        elif name in (*known, NO_LAYER):
            layer, by_layer = (None if name == NO_LAYER else name), True
        else:
            try:
                found = site.arch(name, site.layer(host.layer))
            except LookupError:
                archs = [each.name for each in site.ladder]
                raise UnknownNameError(name, ["X.Y", *known, NO_LAYER, *archs]) from None
            arch = found.name if found else name
    runnable = None if arch else host.for_site(site).archs
    path = site.search_path_for(layer, arch or host.for_site(site).arch, runnable=runnable)
    tags = frozenset(supported_tags(python))
    return Others(path.directories, lambda each: not tags.isdisjoint(each), layer=by_layer)
