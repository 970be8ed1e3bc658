"""One recipe of what a project's shell recipes say in each world: what is common, and `[[when]]` sections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from wheelhouse_resolver.builder.recipes.schema import SOURCE_KINDS
from wheelhouse_resolver.builder.shell_recipes.worlds import Axes, World

#: A key of a document: of a table, or of the document itself.
_Path = tuple[str, ...]

#: Arrays of tables: those of a section are added to those before.
_ADDED = ("patch",)

#: Tables that a section replaces as a whole.
_WHOLE = ("source", "placeholder")


def recipe_of(documents: Mapping[World, Mapping[str, Any]], axes: Axes) -> dict[str, Any]:
    """The recipe whose document in each world is that of *documents*."""
    leaves = {world: _leaves(document) for world, document in documents.items()}
    base: dict[_Path, Any] = {}
    differing: dict[World, dict[_Path, Any]] = {world: {} for world in documents}
    for path in dict.fromkeys(path for found in leaves.values() for path in found):
        values = [found.get(path) for found in leaves.values()]
        if path[0] in _ADDED:
            common = _common_start([value or [] for value in values])
            base |= {path: common} if common else {}
            for world, found in leaves.items():
                more = found.get(path, [])[len(common) :]
                differing[world] |= {path: more} if more else {}
            continue
        usual = _usual(values)
        if usual is not None:
            base[path] = usual
        for world, found in leaves.items():
            if path in found and found[path] != usual:
                differing[world][path] = found[path]
    document = _nested(base)
    if sections := _sections(differing, axes):
        document["when"] = sections
    return document


def _common_start(values: Sequence[Sequence[Any]]) -> list[Any]:
    """What all *values* begin with."""
    common = []
    for each in zip(*values, strict=False):
        if any(one != each[0] for one in each):
            break
        common.append(each[0])
    return common


def _usual(values: Sequence[Any]) -> Any:
    """What most builds get; None if some get nothing, or a source of the index: a section cannot say that."""
    if None in values or any(_is_index(value) and value != values[0] for value in values):
        return None
    number = Counter(map(repr, values)).most_common(1)[0][0]
    return next(value for value in values if repr(value) == number)


def _is_index(value: Any) -> bool:
    """Whether *value* is a source without a place."""
    return isinstance(value, dict) and not any(kind in value for kind in SOURCE_KINDS)


def _sections(differing: Mapping[World, Mapping[_Path, Any]], axes: Axes) -> list[dict[str, Any]]:
    """The `[[when]]` sections that say what is *differing* in some worlds."""
    groups: dict[str, tuple[dict[_Path, Any], list[World]]] = {}
    for world, found in differing.items():
        for path, value in found.items():
            groups.setdefault(repr((path, value)), ({path: value}, []))[1].append(world)
    together: dict[tuple[World, ...], dict[_Path, Any]] = {}
    for leaf, worlds in groups.values():
        together.setdefault(tuple(worlds), {}).update(leaf)
    sections: dict[str, tuple[dict[str, Any], dict[_Path, Any]]] = {}
    for alike, found in together.items():
        for conditions in axes.conditions(alike):
            sections.setdefault(repr(conditions), (conditions, {}))[1].update(found)
    return [{**conditions, **_nested(found)} for conditions, found in sections.values()]


def _leaves(document: Mapping[str, Any]) -> dict[_Path, Any]:
    """The values of *document* by their keys."""
    found: dict[_Path, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict) and key not in _WHOLE:
            found |= {(key, name): each for name, each in value.items()}
        else:
            found[(key,)] = value
    return found


def _nested(leaves: Mapping[_Path, Any]) -> dict[str, Any]:
    """The document of these *leaves*."""
    document: dict[str, Any] = {}
    for path, value in leaves.items():
        table = document
        for name in path[:-1]:
            table = table.setdefault(name, {})
        table[path[-1]] = value
    return document
