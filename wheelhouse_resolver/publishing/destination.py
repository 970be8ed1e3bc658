"""Which directory of the tree is meant."""

from __future__ import annotations

from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER, Directory
from wheelhouse_resolver.site.model import Site


def destination(
    site: Site, to: Directory | str | None, layer: str | None = None, arch: str | None = None
) -> Directory | None:
    """The directory that `--to LAYER/ARCH`, its own path below the root, or *layer* and *arch* name.

    None when they name none. `generic` is the top-level one, whatever it is called. Where a layer has several
    directories side by side, the most specific is meant. Raises `PublishError`, `UnknownLayerError` and
    `UnknownArchError`.
    """
    if to is not None and (layer is not None or arch is not None):
        raise PublishError(f"--to {to}", "cannot be combined with --layer and --arch")
    if isinstance(to, Directory):
        return _own(to)
    if to is not None:
        directories = site.own_directories()
        exact = next((each for each in site.directories() if each.label == to.strip("/")), None)
        if exact is not None:
            return _own(exact)
        layer, _, arch = to.strip("/").rpartition("/")
        if to == GENERIC:
            layer = NO_LAYER
        elif not any(layer == each.name for each in site.layers):
            known = ", ".join(each.label for each in directories)
            raise PublishError(f"--to {to}", "not a directory of this site").with_hint(f"it has {known}")
    elif layer is None and arch is None:
        return None
    chosen = site.layer(layer)
    found = site.arch(arch if arch is not None else GENERIC, chosen)
    name = found.name if found is not None else GENERIC
    if chosen is None and name != GENERIC:
        known = ", ".join([*(each.name for each in site.layers), NO_LAYER])
        raise PublishError(f"--arch {arch}", "needs --layer").with_hint(f"one of {known}")
    directories = site.directories_for(chosen.name if chosen is not None else None, name)
    if chosen is not None and not directories:
        raise PublishError(f"--arch {arch or GENERIC}", f"layer {chosen.name} has no directory for it")
    return directories[0]


def _own(directory: Directory) -> Directory:
    """*directory*, if it is not one of a base. Raises `PublishError`."""
    if directory.base is None:
        return directory
    problem = f"is a directory of the base {directory.base!r}, which is read-only"
    raise PublishError(directory.label, problem).with_hint("name one of this site's own")
