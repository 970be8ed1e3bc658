"""The right wheel from an HPC site's wheelhouse, with stock pip and uv.

::

    site = Site.load()
    host = detect_host()
    for directory in site.search_path(host):
        print(directory.path)
    print(Wheelhouse(site).pick("numpy>=1.20", host).best)
    print(pip_config(site, host).render("ini"))

The names in `__all__` are stable; everything else in this package may change in any release. They are
imported when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wheelhouse_resolver.builder.classification.classify import Classification, ClassifyError, classify
    from wheelhouse_resolver.builder.verification.verify import (
        FailedCheck,
        NoEmulatorError,
        Verification,
        VerifyOptions,
        verify,
    )
    from wheelhouse_resolver.errors import WheelhouseError
    from wheelhouse_resolver.host.detect import Host, Machine, detect_host
    from wheelhouse_resolver.installers.pip_config import PipConfig, Setting, pip_config
    from wheelhouse_resolver.resolution.lockfile import lock_text
    from wheelhouse_resolver.selection.pick import Pick
    from wheelhouse_resolver.site.layout import Arch, Directory, HostKind, Layer, SearchPath
    from wheelhouse_resolver.site.model import Site
    from wheelhouse_resolver.tree.candidate import Candidate
    from wheelhouse_resolver.wheelhouse import Wheelhouse

    __version__: str

__all__ = [
    "Arch",
    "Candidate",
    "Classification",
    "ClassifyError",
    "Directory",
    "FailedCheck",
    "Host",
    "HostKind",
    "Layer",
    "Machine",
    "NoEmulatorError",
    "Pick",
    "PipConfig",
    "SearchPath",
    "Setting",
    "Site",
    "Verification",
    "VerifyOptions",
    "Wheelhouse",
    "WheelhouseError",
    "classify",
    "detect_host",
    "lock_text",
    "pip_config",
    "verify",
]

#: Module -> the public names that it has.
_MODULES = {
    "builder.classification.classify": "Classification ClassifyError classify",
    "builder.verification.verify": "FailedCheck NoEmulatorError Verification VerifyOptions verify",
    "errors": "WheelhouseError",
    "host.detect": "Host Machine detect_host",
    "installers.pip_config": "PipConfig Setting pip_config",
    "resolution.lockfile": "lock_text",
    "selection.pick": "Pick",
    "site.layout": "Arch Directory HostKind Layer SearchPath",
    "site.model": "Site",
    "tree.candidate": "Candidate",
    "wheelhouse": "Wheelhouse",
}

_ROOMS = {name: module for module, names in _MODULES.items() for name in names.split()}


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
