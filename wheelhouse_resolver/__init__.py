"""The right wheel from an HPC site's wheelhouse, with stock pip and uv.

::

    site = Site.load()
    host = detect_host()
    for directory in site.search_path(host):
        print(directory.path)
    print(Wheelhouse(site).pick("numpy>=1.20", host).best)
    print(pip_config(site, host).render("ini"))

Names are imported when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelhouse_resolver.errors import WheelhouseError as WheelhouseError
    from wheelhouse_resolver.host.detect import Host as Host
    from wheelhouse_resolver.host.detect import detect_host as detect_host
    from wheelhouse_resolver.installers.pip_config import PipConfig as PipConfig
    from wheelhouse_resolver.installers.pip_config import pip_config as pip_config
    from wheelhouse_resolver.selection.pick import Pick as Pick
    from wheelhouse_resolver.site.layout import Arch as Arch
    from wheelhouse_resolver.site.layout import Directory as Directory
    from wheelhouse_resolver.site.layout import Layer as Layer
    from wheelhouse_resolver.site.layout import SearchPath as SearchPath
    from wheelhouse_resolver.site.model import Site as Site
    from wheelhouse_resolver.tree.candidate import Candidate as Candidate
    from wheelhouse_resolver.wheelhouse import Wheelhouse as Wheelhouse

    __version__: str

__all__ = [
    "Arch",
    "Candidate",
    "Directory",
    "Host",
    "Layer",
    "Pick",
    "PipConfig",
    "SearchPath",
    "Site",
    "Wheelhouse",
    "WheelhouseError",
    "detect_host",
    "pip_config",
]

_ROOMS = {
    "Arch": "site.layout",
    "Candidate": "tree.candidate",
    "Directory": "site.layout",
    "Host": "host.detect",
    "Layer": "site.layout",
    "Pick": "selection.pick",
    "PipConfig": "installers.pip_config",
    "SearchPath": "site.layout",
    "Site": "site.model",
    "Wheelhouse": "wheelhouse",
    "WheelhouseError": "errors",
    "detect_host": "host.detect",
    "pip_config": "installers.pip_config",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("wheelhouse-resolver")
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value
