"""The TOML document of a site: its schema, and the values that it comes to."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.site.layout import (
    BUILTIN_LADDER,
    BUILTIN_LAYERS,
    GENERIC,
    NO_LAYER,
    Arch,
    Layer,
)
from wheelhouse_resolver.site.ranks import assign_ranks
from wheelhouse_resolver.site.validation import HIGHEST_RANK, invalid_name
from wheelhouse_resolver.utils import cache, schema
from wheelhouse_resolver.utils.schema import (
    Findings,
    Pairs,
    Table,
    Tables,
    line,
    lines,
    not_absolute,
    whole_number,
)

#: Tables that are read where they are needed.
_OTHER_TABLES = ("publish", "build", "fetch", "audit", "index", "catalogue", "uv")


def parse(text: str, source: str, *, root: str | None = None, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of the site that the TOML *text* describes, of the right types; `Site` checks the rest.

    *source* names the text in errors; *root* replaces its root. *above*: the files that this one is a base
    of. Raises `SiteFileError`.
    """
    return from_document(cache.get("toml", [text], lambda: _parsed(text, source)), source, root, above)


def _parsed(text: str, source: str) -> dict[str, Any]:
    from wheelhouse_resolver.utils.toml import TomlError, parse_toml

    try:
        return parse_toml(text)
    except TomlError as error:
        raise SiteFileError(source, error.problem, error.line) from error


def _pip_option(found: Findings, value: Any, key: str) -> None:
    if isinstance(value, Mapping):
        section = key.removeprefix("[pip] ")
        Pairs(_scalar, header=f"pip.{section}")(found, value, key)
    else:
        _scalar(found, value, key)


def _patterns(found: Findings, value: Any, key: str) -> None:
    (lines() if isinstance(value, list) else line())(found, value, key)


def _not_of_os_release(name: str) -> str | None:
    right = re.fullmatch("[A-Z][A-Z0-9_]*", name)
    return None if right else f"{name!r} is no variable of os-release, such as ID or VERSION_ID"


def _only_false(found: Findings, value: Any, key: str) -> None:
    if value is not False:
        found.note(key, "must be false (no generic directory), or left out; `names` says what it is called")


def _scalar(found: Findings, value: Any, key: str) -> None:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, (str, int)) for item in items):
        found.note(key, "must be a string, a whole number, true, false or a list of these")


_ARCH = Table(
    {
        "name": line(lambda name: invalid_name(name, GENERIC)),
        "target": line(),
        "features": lines(),
        "rank": whole_number(1, HIGHEST_RANK),
    },
    needed=["name"],
)


def _base_source(found: Findings, value: Any, key: str) -> None:
    if "config" in value and "layer" in value:
        found.note(key, "`config` names the file with its layout, so it has no `layer` here")
    elif "config" not in value and "root" not in value:
        found.note(key, "needs `root`, or `config`: the site file of that wheelhouse")


#: What a layer of a base may have otherwise than the site's own layer of that name.
_PLACES = ("directories", "archs", "names", "generic")

_LAYER = Table(
    {
        "name": line(lambda name: invalid_name(name, NO_LAYER)),
        "directories": lines(),
        "archs": lines(),
        "names": Pairs(line()),
        "generic": _only_false,
        "env": Pairs(line()),
        "interpreter": lines(),
        "os-release": Pairs(_patterns, _not_of_os_release),
        "default": schema.flag,
    },
    needed=["name"],
)

_BASE = Table(
    {
        "name": line(lambda name: invalid_name(name, GENERIC)),
        "root": line(),
        "config": line(not_absolute),
        "generic": line(),
        "layer": Tables(
            Table({each: _LAYER.schema[each] for each in ("name", *_PLACES)}, needed=["name"]), named=True
        ),
    },
    needed=["name"],
    then=_base_source,
)

_KEYS: dict[str, schema.Check] = {
    "root": line(),
    "generic": line(),
    "arch": Tables(_ARCH, named=True),
    "layer": Tables(_LAYER, named=True),
    "base": Tables(_BASE, named=True),
    "search": Pairs(lines(), header="search"),
    "pip": Pairs(_pip_option, header="pip"),
    **dict.fromkeys(_OTHER_TABLES, Pairs(schema.anything)),
}


def from_document(
    document: Mapping[str, Any], source: str, root: str | None, above: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The fields of the site that a TOML *document* describes; see `parse`."""
    try:
        schema.require(Table(_KEYS, needed=["root"] if root is None else []), document, source)
    except SiteFileError as error:
        if ("root", "missing") in error.findings:
            error.with_hint("name the wheelhouse's directory in the site file, or give --root")
        raise
    tables = {name: document[name] for name in _OTHER_TABLES if name in document}
    if "root" in document:
        own = os.path.expanduser(document["root"])
        root = root if root is not None else own
        if os.path.realpath(root) != os.path.realpath(own):
            for name in ("index", "catalogue"):  # of the wheelhouse that the file is about, not of a copy
                tables.pop(name, None)
    assert root is not None  # the schema needs one of the two
    ladder = _ladder(document["arch"], source) if "arch" in document else BUILTIN_LADDER
    if "layer" in document:
        layers = tuple(_layer(entry, [arch.name for arch in ladder]) for entry in document["layer"])
    else:
        names = tuple(arch.name for arch in ladder)
        layers = tuple(layer._replace(archs=names) for layer in BUILTIN_LAYERS)
    fields = {
        "root": os.path.normpath(root),
        "ladder": ladder,
        "layers": layers,
        "search": _frozen(document.get("search", {})),
        "pip": _frozen(document.get("pip", {})),
        "tables": _frozen(tables),
        "source": source,
        "generic": document.get("generic", GENERIC),
    }
    if "base" in document:
        from wheelhouse_resolver.site.bases import bases

        here = (*above, os.path.realpath(source))
        fields["bases"] = bases(
            document["base"], fields, lambda text, file: parse(text, file, above=here), here
        )
    return fields


def _ladder(entries: Sequence[Mapping[str, Any]], source: str) -> tuple[Arch, ...]:
    from wheelhouse_resolver.site.microarchitectures import vocabulary

    words = vocabulary()
    builtin = {arch.name: arch for arch in BUILTIN_LADDER}
    try:
        ranks = assign_ranks([(entry["name"], entry.get("rank")) for entry in entries])
    except ValueError as error:
        raise SiteFileError.of(source, [("[[arch]]", str(error))]) from error
    ladder: list[Arch] = []
    for entry, rank in zip(entries, ranks, strict=True):
        name, target, features = entry["name"], entry.get("target"), tuple(entry.get("features", ()))
        if name in builtin and entry.keys().isdisjoint(("target", "features")):
            target, features = builtin[name].target, builtin[name].features
        ladder.append(Arch(name, rank, target, features, words.family_of(target, features)))
    return tuple(ladder)


def _layer(entry: Mapping[str, Any], ladder: Sequence[str]) -> Layer:
    name, archs = entry["name"], entry.get("archs", ladder)
    # A layer with a built-in one's name that states no evidence is recognised as that one is.
    own = not entry.keys().isdisjoint(("env", "interpreter", "os-release"))
    twin = None if own else next((layer for layer in BUILTIN_LAYERS if layer.name == name), None)
    return Layer(
        name=name,
        directories=tuple(entry.get("directories", [name])),
        archs=(*(a for a in ladder if a in archs), *(a for a in archs if a not in (*ladder, GENERIC))),
        names=tuple(entry.get("names", {}).items()),
        env=twin.env if twin else tuple(entry.get("env", {}).items()),
        interpreter=twin.interpreter if twin else tuple(entry.get("interpreter", ())),
        os_release=twin.os_release if twin else _os_release(entry.get("os-release", {})),
        default=entry.get("default", False),
        generic=entry.get("generic", True),
    )


def _os_release(table: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, (it,) if isinstance(it, str) else tuple(it)) for name, it in table.items())


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value
