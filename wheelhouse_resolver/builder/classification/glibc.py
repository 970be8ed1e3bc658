"""Which C library compiled code needs, and which one each layer has."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.host.layer import expanded_pattern
from wheelhouse_resolver.utils.elf import ElfFile, read_elf
from wheelhouse_resolver.utils.schema import Pairs, line, one_of, require
from wheelhouse_resolver.wheelfile.tags import glibc_of

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Layer
    from wheelhouse_resolver.site.model import Site


def glibc_needed(files: Iterable[ElfFile]) -> Version | None:
    """The highest glibc that one of *files* needs a symbol of; None if none needs any."""
    return _highest(version for file in files for _, version in file.versions)


def glibc_promised(platforms: Iterable[str]) -> Version | None:
    """The lowest glibc that these *platforms* promise to run with (manylinux, PEP 600); None for none."""
    found = [f"{level[0]}.{level[1]}" for each in platforms if (level := glibc_of(each)) is not None]
    return min(map(Version, found), default=None)


def _highest(versions: Iterable[str]) -> Version | None:
    found = (match[1] for version in versions if (match := re.fullmatch(r"GLIBC_(\d+(?:\.\d+)+)", version)))
    return max(map(Version, found), default=None)


def stated_glibc(site: Site) -> dict[str, Version]:
    """The C libraries of layers that the site file states (`[build.glibc]`). Raises `SiteFileError`."""
    layer = one_of("layer", [each.name for each in site.layers])
    schema = Pairs(line(_invalid_version), layer, header="build.glibc")
    table = require(schema, site.tables.get("build", {}).get("glibc", {}), site.source or "site")
    return {name: Version(text) for name, text in table.items()}


def _invalid_version(text: str) -> str | None:
    try:
        Version(text)
    except InvalidVersion:
        return f"invalid version {text!r}: write one such as '2.37'"
    return None


def layers_glibc(layers: Sequence[Layer], environ: Mapping[str, str]) -> dict[str, Version]:
    """The glibc of each layer whose prefix is on this machine; of several prefixes, the lowest.

    Read from the symbol versions that its `libc.so.6` defines; nothing is run. The prefixes are those that
    the layer's `interpreter` patterns name from the root on, as `/cvmfs/*/gentoo/2023/*` does.
    """
    found = {}
    for layer in layers:
        patterns = [expanded_pattern(pattern, environ) or "" for pattern in layer.interpreter]
        above = [each.removesuffix("/*") for each in patterns if each.startswith("/") and each.endswith("/*")]
        if versions := list(filter(None, map(_glibc_below, chain.from_iterable(map(glob.glob, above))))):
            found[layer.name] = min(versions)
    return found


def _glibc_below(prefix: str) -> Version | None:
    for place in ("lib64", "usr/lib64", "lib", "usr/lib"):
        path = os.path.join(prefix, place, "libc.so.6")
        with suppress(OSError), open(path, "rb") as file:
            return _highest(read_elf(file, path).defines)
    return None
