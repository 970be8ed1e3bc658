"""Reading a site from its TOML file: the edge where text becomes frozen values.

All that is wrong with a file is an error that names the file and the key; nothing is guessed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from wheelhouse_resolver.errors import NoWheelhouseError, SiteFileError, reason_of
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, BUILTIN_LAYERS, GENERIC, NO_LAYER, Arch, Layer
from wheelhouse_resolver.site.ranks import LAYER_RANK, assign_ranks, rank_offsets
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.appdirs import places
from wheelhouse_resolver.utils.schema import Tables
from wheelhouse_resolver.utils.text import invalid_character, suggest_name

__all__ = ["ORIGIN", "load", "parse"]


#: The root of the site that the built-in layout comes from.
ORIGIN = "/cvmfs/soft.computecanada.ca/custom/python/wheelhouse"


#: Build numbers are rank * 1000 and more, and uv drops a wheel whose build number exceeds 64 bits.
_HIGHEST_RANK = 10**9


#: Names end up in file names and build tags.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


#: Tables that other rooms read.
_OTHER_ROOMS = ("publish", "build")


def load(
    path: str | os.PathLike[str] | None,
    *,
    root: str | os.PathLike[str] | None,
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """The fields of the site that `Site.load` describes; the parameters are the same."""
    file = os.fspath(path) if path is not None else _found(environ)
    root = os.fspath(root) if root is not None else environ.get("WHEELHOUSE_ROOT") or None
    if root is not None:
        root = os.path.abspath(root)
        if problem := invalid_character(root):
            raise NoWheelhouseError(root, f"the path cannot be used: {problem}")
    # What a command needs that is run elsewhere: of the places that are looked at anyway it needs no word.
    named = file is not None and (path is not None or bool(environ.get("WHEELHOUSE_CONFIG")))
    options = (
        *(("--config", os.path.abspath(file)) if named and file is not None else ()),
        *(("--root", root) if root is not None else ()),
    )
    if file is None:
        return {"root": root if root is not None else _builtin_root(), "options": options}
    try:
        with open(file, "rb") as stream:
            text = stream.read().decode("utf-8")
    except OSError as error:
        raise SiteFileError(file, f"cannot be read: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise SiteFileError(file, "is not UTF-8, as TOML must be") from error
    return {**parse(text, file, root=root), "options": options}


def _found(environ: Mapping[str, str]) -> str | None:
    named = environ.get("WHEELHOUSE_CONFIG")
    if named:
        return named
    return next((path for path in places().site_files if os.path.isfile(path)), None)


def _builtin_root() -> str:
    tried = [ORIGIN, *places().wheelhouses]
    for root in tried:
        if os.path.isdir(root):
            return root
    raise NoWheelhouseError(
        None,
        f"no wheelhouse found (tried {', '.join(tried)}): name one with --root or WHEELHOUSE_ROOT, "
        "or make one with `wheelhouse-resolver init --root DIR`",
    )


def parse(text: str, source: str, *, root: str | None = None) -> dict[str, Any]:
    """The fields of the site that the TOML *text* describes.

    *source* names the text in errors; *root* replaces its root.

    Raises `SiteFileError`.
    """
    return _Reader(source).site(cache.get("toml", [text], lambda: _parsed(text, source)), root)


def _parsed(text: str, source: str) -> dict[str, Any]:
    from wheelhouse_resolver.utils.toml import TomlError, parse_toml

    try:
        return parse_toml(text)
    except TomlError as error:
        raise SiteFileError(source, error.problem, error.line) from error


class _Reader(Tables):
    """Turns the parsed document into values."""

    def site(self, document: dict[str, Any], root: str | None) -> dict[str, Any]:
        known = ("root", "arch", "layer", "search", "pip", *_OTHER_ROOMS)
        self.only_known(document, known, "")
        stated = document.get("root")
        if root is None:
            if stated is None:
                self.fail("root", "missing: name the wheelhouse's directory, or give --root")
            root = os.path.expanduser(self.text(stated, "root"))
            if not os.path.isabs(root):
                self.fail("root", f"{root!r} is not an absolute path")
        ladder = self._ladder(document["arch"]) if "arch" in document else BUILTIN_LADDER
        layers = self._layers(document["layer"], ladder) if "layer" in document else None
        if layers is None:
            layers = tuple(_fitted(layer, ladder) for layer in BUILTIN_LAYERS)
        self._check_ranks(ladder, layers)
        return {
            "root": os.path.normpath(root),
            "ladder": ladder,
            "layers": layers,
            "search": self._search(document.get("search", {}), ladder),
            "pip": _frozen(self._pip(document.get("pip", {}))),
            "tables": _frozen({k: self.table(document[k], k) for k in _OTHER_ROOMS if k in document}),
            "source": self._source,
        }

    # -- the ladder ----------------------------------------------------------------------------------

    def _ladder(self, entries: Any) -> tuple[Arch, ...]:
        from wheelhouse_resolver.site.microarchitectures import vocabulary

        words = vocabulary()
        builtin = {arch.name: arch for arch in BUILTIN_LADDER}
        stated: list[tuple[str, int | None]] = []
        needs: list[tuple[str | None, tuple[str, ...]]] = []
        for number, entry in enumerate(self._tables(entries, "arch"), 1):
            key = f"[[arch]] number {number}"
            self.only_known(entry, ("name", "target", "features", "rank"), key)
            name = self._name(entry, key, reserved=GENERIC)
            key = f"[[arch]] {name!r}"
            if name in (already for already, _ in stated):
                self.fail(key, "stands twice on the ladder")
            target = self.text(entry["target"], f"{key}.target") if "target" in entry else None
            features = tuple(self.texts(entry.get("features", []), f"{key}.features"))
            if (target is None) == (not features):
                if target is not None or name not in builtin or "features" in entry:
                    self.fail(key, "needs either `target` or `features`")
                target, features = builtin[name].target, builtin[name].features
            if target is not None and target not in words.families:
                self.fail(f"{key}.target", suggest_name("archspec microarchitecture", target, words.families))
            for feature in features:
                if feature not in words.features:
                    self.fail(f"{key}.features", suggest_name("archspec feature", feature, words.features))
            stated.append((name, self._rank(entry, key)))
            needs.append((target, features))
        try:
            ranks = assign_ranks(stated)
        except ValueError as error:
            raise SiteFileError(self._source, f"[[arch]]: {error}") from error
        return tuple(
            Arch(name, rank, target, features, words.family_of(target, features))
            for (name, _), rank, (target, features) in zip(stated, ranks, needs, strict=True)
        )

    def _rank(self, entry: dict[str, Any], key: str) -> int | None:
        rank = entry.get("rank")
        if rank is None:
            return None
        if type(rank) is not int or not 0 < rank <= _HIGHEST_RANK:
            self.fail(f"{key}.rank", f"{rank!r} is not a whole number from 1 to {_HIGHEST_RANK}")
        return rank

    def _check_ranks(self, ladder: tuple[Arch, ...], layers: tuple[Layer, ...]) -> None:
        try:
            offsets = rank_offsets(layers)
        except ValueError as error:
            raise SiteFileError(self._source, f"[[layer]] directories: {error}") from error
        room = max(offsets.values(), default=0)
        ranks = [(GENERIC, LAYER_RANK), *((arch.name, arch.rank) for arch in ladder)]
        for (lower, low), (upper, high) in pairwise(ranks):
            if high - low <= room:
                self.fail(
                    "[[arch]]",
                    f"between the ranks of {lower!r} ({low}) and {upper!r} ({high}) there must be room "
                    f"for the {room + 1} directories that a layer searches side by side",
                )

    # -- the layers ----------------------------------------------------------------------------------

    def _layers(self, entries: Any, ladder: tuple[Arch, ...]) -> tuple[Layer, ...]:
        layers: list[Layer] = []
        for number, entry in enumerate(self._tables(entries, "layer"), 1):
            key = f"[[layer]] number {number}"
            known = ("name", "directories", "archs", "env", "interpreter", "names", "default")
            self.only_known(entry, known, key)
            name = self._name(entry, key, reserved=NO_LAYER)
            key = f"[[layer]] {name!r}"
            if name in (layer.name for layer in layers):
                self.fail(key, "stands twice")
            layers.append(self._layer(entry, name, key, ladder))
        if sum(layer.default for layer in layers) > 1:
            self.fail("[[layer]]", "more than one layer says `default = true`")
        self._check_shared(layers)
        return tuple(layers)

    def _check_shared(self, layers: list[Layer]) -> None:
        """A directory that layers share is of one arch, so that it has one rank."""
        meant: dict[str, str] = {}
        for layer in layers:
            for leaf, arch in (
                (f"{d}/{layer.name_of(a)}", a) for d in layer.directories for a in layer.archs
            ):
                if meant.setdefault(leaf, arch) != arch:
                    self.fail(
                        f"[[layer]] {layer.name!r}.names",
                        f"{leaf!r} is {arch} here and {meant[leaf]} in another layer",
                    )

    def _layer(self, entry: dict[str, Any], name: str, key: str, ladder: tuple[Arch, ...]) -> Layer:
        names = [arch.name for arch in ladder]
        directories = self.texts(entry.get("directories", [name]), f"{key}.directories")
        if not directories or len({*directories}) < len(directories):
            self.fail(f"{key}.directories", "name at least one directory, each once")
        for directory in directories:
            self._below_root(directory, f"{key}.directories")
        archs = self.texts(entry.get("archs", names), f"{key}.archs")
        for arch in archs:
            if arch not in names and arch != GENERIC:
                self.fail(f"{key}.archs", suggest_name("arch", arch, names))
        called = self.pairs(entry.get("names", {}), f"{key}.names")
        for arch, directory in called:
            if arch not in names:
                self.fail(f"{key}.names", suggest_name("arch", arch, names))
            if not _NAME.fullmatch(directory):
                self.fail(f"{key}.names", f"{directory!r} is no name for a directory")
            if directory in names and directory != arch:
                self.fail(f"{key}.names", f"{directory!r} is another arch of the ladder, not {arch!r}")
        leaves = [dict(called).get(arch, arch) for arch in names] + [GENERIC]
        for leaf in leaves:
            if leaves.count(leaf) > 1:
                self.fail(f"{key}.names", f"two archs would share the directory {leaf!r}")
        # A layer with a built-in one's name that states no evidence is recognised as that one is.
        twin = next((layer for layer in BUILTIN_LAYERS if layer.name == name), None)
        if "env" in entry or "interpreter" in entry:
            twin = None
        default = entry.get("default", False)
        if not isinstance(default, bool):
            self.fail(f"{key}.default", "must be true or false")
        return Layer(
            name=name,
            directories=tuple(directories),
            archs=tuple(arch for arch in names if arch in archs),
            names=tuple(called),
            env=twin.env if twin else tuple(self.pairs(entry.get("env", {}), f"{key}.env")),
            interpreter=(
                twin.interpreter
                if twin
                else tuple(self.texts(entry.get("interpreter", []), f"{key}.interpreter"))
            ),
            os_release=twin.os_release if twin else (),
            default=default,
        )

    def _below_root(self, directory: str, key: str) -> None:
        # One spelling for each directory: two of them would be ranked apart.
        if directory != "." and not {"", ".", ".."}.isdisjoint(directory.split("/")):
            self.fail(key, f"{directory!r} is not a plain path below the root")

    # -- search and pip ------------------------------------------------------------------------------

    def _search(self, table: Any, ladder: tuple[Arch, ...]) -> Mapping[str, tuple[str, ...]]:
        names = [arch.name for arch in ladder]
        search: dict[str, tuple[str, ...]] = {}
        for arch, value in self.table(table, "search").items():
            key = f"[search] {arch}"
            if arch not in names:
                self.fail(key, suggest_name("arch", arch, names))
            searched = self.texts(value, key)
            for each in searched:
                if each not in names and each != GENERIC:
                    self.fail(key, suggest_name("arch", each, names))
                if each != GENERIC and names.index(each) > names.index(arch):
                    self.fail(key, f"{each!r} is above {arch!r}: such a host cannot run it")
            search[arch] = tuple(searched)
        return MappingProxyType(search)

    def _pip(self, table: Any) -> dict[str, Any]:
        def scalar(value: Any, key: str) -> None:
            items = value if isinstance(value, list) else [value]
            if not all(isinstance(item, (str, int, bool)) for item in items):
                self.fail(key, "must be a string, a whole number, true, false or a list of these")

        for option, value in self.table(table, "pip").items():
            if isinstance(value, dict):
                for inner, inner_value in value.items():
                    scalar(inner_value, f"[pip.{option}] {inner}")
            else:
                scalar(value, f"[pip] {option}")
        return dict(table)

    # -- shapes --------------------------------------------------------------------------------------

    def _tables(self, value: Any, key: str) -> list[dict[str, Any]]:
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.fail(key, f"must be an array of tables: [[{key}]]")
        return value

    def _name(self, entry: dict[str, Any], key: str, *, reserved: str) -> str:
        if "name" not in entry:
            self.fail(f"{key}.name", "missing")
        name = self.text(entry["name"], f"{key}.name")
        if not _NAME.fullmatch(name) or name == reserved:
            self.fail(
                f"{key}.name",
                f"{name!r} is no name (letters, digits, `.`, `_`, `-`; not {reserved!r})",
            )
        return name


def _fitted(layer: Layer, ladder: tuple[Arch, ...]) -> Layer:
    """A built-in layer on a site's own ladder."""
    return layer._replace(archs=tuple(arch.name for arch in ladder))


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value
