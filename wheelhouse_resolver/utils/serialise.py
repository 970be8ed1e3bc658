"""Frozen values as JSON and back: what a build hands from one process to another, and leaves behind."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = ["from_plain", "to_plain"]

_Value = TypeVar("_Value")


def to_plain(value: Any) -> Any:
    """*value*, a dataclass of texts, numbers, tuples, mappings and further dataclasses, as JSON holds it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    return value


def from_plain(kind: type[_Value], data: Any) -> _Value:
    """The value of the dataclass *kind* that `to_plain` made *data* from.

    A key that *kind* does not know is left alone: a later release may write more. Raises `ValueError`, which
    names the key, when one is missing or holds something else than it should.
    """
    found: Any = _read(kind, data, "")
    return found  # type: ignore[no-any-return]


def _read(hint: Any, data: Any, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        (hint,) = (each for each in arguments if each is not type(None))
        return _read(hint, data, where)
    if dataclasses.is_dataclass(hint):
        return _read_fields(hint, _expected(dict, data, where), where)
    if origin is tuple:
        items = _expected(list, data, where)
        return tuple(_read(arguments[0], each, f"{where}[{n}]") for n, each in enumerate(items))
    if origin is not None and issubclass(origin, Mapping):
        items = _expected(dict, data, where)
        return {key: _read(arguments[1], each, f"{where}.{key}") for key, each in items.items()}
    if hint is float and type(data) is int:
        return float(data)
    return _expected(hint, data, where)


def _read_fields(kind: Any, data: dict[str, Any], where: str) -> Any:
    hints = get_type_hints(kind)
    found: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        key = f"{where}.{field.name}".lstrip(".")
        if field.name in data:
            found[field.name] = _read(hints[field.name], data[field.name], key)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{key} is missing")
    return kind(**found)


def _expected(kind: type, data: Any, where: str) -> Any:
    if type(data) is not kind:  # a bool is no number here
        raise ValueError(f"{where or 'it'} is a {type(data).__name__}, not a {kind.__name__}")
    return data
