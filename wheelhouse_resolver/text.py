"""Which text is safe to print on one line, and to write into files that other programs read."""

from __future__ import annotations

__all__ = ["is_true", "printable", "problem_in"]

#: What ends a line for some reader, besides the control characters.
_LINE_ENDS = "\u2028\u2029"


def is_true(value: object) -> bool:
    """Whether *value*, given for one of pip's flags, switches it on (pip: `strtobool`)."""
    return str(value).lower() in ("y", "yes", "t", "true", "on", "1")


def printable(text: object) -> str:
    """*text* on one line: control characters and undecodable bytes are written as escapes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in str(text)
    )


def problem_in(text: str) -> str | None:
    """Why *text* cannot be written to one line of a text file; None when it can."""
    for char in text:
        code = ord(char)
        if code < 32 or 127 <= code < 160 or char in _LINE_ENDS:
            name = "newline" if char == "\n" else f"control character (U+{code:04X})"
            return f"it holds a {name}"
        if 0xD800 <= code <= 0xDFFF:
            return "it is not valid UTF-8"
    return None
