"""Which text is safe to print on one line, and to write into files that other programs read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

#: What ends a line for some reader, besides the control characters.
_LINE_ENDS = "\u2028\u2029"


def is_true(value: object) -> bool:
    """Whether *value*, given for one of pip's flags, switches it on (pip: `strtobool`)."""
    return str(value).lower() in ("y", "yes", "t", "true", "on", "1")


def invalid_character(text: str) -> str | None:
    """Why *text* cannot be written to one line of a text file; None when it can."""
    for char in text:
        code = ord(char)
        if code < 32 or 127 <= code < 160 or char in _LINE_ENDS:
            name = "newline" if char == "\n" else f"control character (U+{code:04X})"
            return f"it holds a {name}"
        if 0xD800 <= code <= 0xDFFF:
            return "it is not valid UTF-8"
    return None


def version_key(text: str) -> tuple[str | int, ...]:
    """The place of *text* among others whose numbers count as such: `cp39` is before `cp312`."""
    parts = re.split(r"([0-9]{1,18})", text)
    return tuple(int(part) if number % 2 else part for number, part in enumerate(parts))


def few(items: Iterable[str]) -> str:
    """The first of *items*, sorted, for people to read."""
    ordered = sorted(items)
    return ", ".join(ordered[:5]) + (", ..." if len(ordered) > 5 else "")


def toml_type(value: object) -> str:
    """What *value* of a TOML document, frozen or not, is, for people."""
    kinds: list[tuple[Any, str]] = [
        (bool, "true or false"),
        (str, "a string"),
        ((list, tuple), "an array"),
        (Mapping, "a table"),
    ]
    if isinstance(value, int) and value.bit_length() > 64:  # Python writes none of very many digits
        return "a very large number"
    return next((word for kind, word in kinds if isinstance(value, kind)), f"{value!r}")


def suggest_name(kind: str, name: str, known: Iterable[str], *, most: int | None = None) -> str:
    """The message about an unknown *name* of a *kind* (`key`), with the nearest of the *known* ones, or all.

    *most*: of more than that many, not all are listed; None: they always are.
    """
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if not near and most is not None and len(names) > most:
        return f"unknown {kind} {name!r}"
    hint = f"did you mean {near[0]!r}?" if near else "known: " + ", ".join(names)
    return f"unknown {kind} {name!r}: {hint}"
