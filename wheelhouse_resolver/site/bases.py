"""The `[[base]]` tables of a site file: wheelhouses of other sites, which are searched after its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from wheelhouse_resolver.errors import SiteFileError, reason_of
from wheelhouse_resolver.site.layout import GENERIC, Base, Layer
from wheelhouse_resolver.site.ranks import rank_bands
from wheelhouse_resolver.utils.filesystem import read_settings
from wheelhouse_resolver.utils.text import suggest_name

#: Reads the text of a site file, whose path is given.
_Parse = Callable[[str, str], "dict[str, Any]"]


def bases(
    entries: Sequence[Mapping[str, Any]], own: Mapping[str, Any], parse: _Parse, above: Sequence[str]
) -> tuple[Base, ...]:
    """The bases that *entries* describe, most specific first; each is followed by those that it has itself.

    own: the fields of the site. parse: reads the site file of a base. above: the files that lead here, which
    no base may name again. Raises `SiteFileError`.
    """
    return tuple(base for entry in entries for base in _bases_of(entry, own, parse, above))


def _bases_of(
    entry: Mapping[str, Any], own: Mapping[str, Any], parse: _Parse, above: Sequence[str]
) -> Iterator[Base]:
    name, key = entry["name"], f"[[base]] {entry['name']!r}"
    root = os.path.normpath(os.path.expanduser(entry["root"])) if "root" in entry else ""
    text, file = None, os.path.expanduser(entry.get("config", ""))
    if file:
        if os.path.realpath(file) in above:
            raise SiteFileError.of(above[-1], [(f"{key}.config", f"{file} leads back to this file")])
        try:
            text = read_settings(file).decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else "it is not UTF-8"
            if not root or os.path.isdir(root):
                problem = f"{file} cannot be read: {reason}"
                raise SiteFileError.of(above[-1], [(f"{key}.config", problem)]) from error
            # Not mounted: nothing of it is searched, so that its layout does not matter.
    if text is None:
        layers = _layers(entry.get("layer", ()), own, above[-1], key)
        generic = entry.get("generic", own["generic"])
        yield Base(name, root, own["ladder"], layers, own["search"], generic=generic)
        return
    fields = parse(text, file)
    further = fields.get("bases", ())
    parts = {each: fields[each] for each in ("ladder", "layers", "search", "generic")}
    yield Base(name, root or fields["root"], stamps=rank_bands(further)[0], **parts)
    yield from further


def _layers(
    entries: Sequence[Mapping[str, Any]], own: Mapping[str, Any], source: str, key: str
) -> tuple[Layer, ...]:
    """The layers of the site, with what *entries* say of them otherwise."""
    names = [layer.name for layer in own["layers"]]
    ladder = [arch.name for arch in own["ladder"]]
    found = [
        (f"{key}: [[layer]] {entry['name']!r}", suggest_name("layer", entry["name"], names))
        for entry in entries
        if entry["name"] not in names
    ]
    if found:
        raise SiteFileError.of(source, found)
    stated = {entry["name"]: entry for entry in entries}
    return tuple(_layer(layer, stated.get(layer.name, {}), ladder) for layer in own["layers"])


def _layer(own: Layer, entry: Mapping[str, Any], ladder: Sequence[str]) -> Layer:
    archs = entry.get("archs", own.archs)
    return own._replace(
        directories=tuple(entry.get("directories", own.directories)),
        archs=(*(a for a in ladder if a in archs), *(a for a in archs if a not in (*ladder, GENERIC))),
        names=tuple(entry["names"].items()) if "names" in entry else own.names,
        generic=entry.get("generic", own.generic),
    )
