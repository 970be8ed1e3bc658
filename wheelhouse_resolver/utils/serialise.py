"""Frozen values as JSON and back: what is printed, handed from one process to another, and left behind."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

_Value = TypeVar("_Value")


def to_plain(value: Any, *names: str) -> Any:
    """*value* as JSON holds it.

    Of a dataclass or named tuple: its fields, or only the attributes of these *names*. What is in it is
    as its own `to_dict` says, if it has one; an enumeration is its value, a set is sorted, and what JSON
    does not know (a version, a requirement) is a text.
    """
    names = names or tuple(_fields(value) or ())
    return {name: _inner(getattr(value, name)) for name in names} if names else _inner(value)


def _fields(value: Any) -> Any:
    if isinstance(value, type):
        return None
    return getattr(value, "__dataclass_fields__", None) or getattr(value, "_fields", None)


def _inner(value: Any) -> Any:
    if value is None or type(value) in (str, bool, int, float):
        return value
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if _fields(value):
        return to_plain(value)
    if isinstance(value, Mapping):
        return {_inner(key): _inner(each) for key, each in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(map(_inner, value))
    if isinstance(value, (tuple, list)):
        return [_inner(each) for each in value]
    return str(value)


def from_plain(kind: type[_Value], data: Any) -> _Value:
    """The value of the dataclass *kind* that `to_plain` made *data* from.

    A key that *kind* does not know is left alone: a later release may write more. Raises `ValueError`, which
    names the key, when one is missing or holds something else than it should.
    """
    found: Any = _read(kind, data, "")
    return found  # type: ignore[no-any-return]


def _read(hint: Any, data: Any, where: str) -> Any:
    import types
    from dataclasses import is_dataclass
    from typing import Union, get_args, get_origin

    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if data is None and type(None) in arguments:
            return None
        (hint,) = (each for each in arguments if each is not type(None))
        return _read(hint, data, where)
    if is_dataclass(hint):
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
    import dataclasses
    from typing import get_type_hints

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
