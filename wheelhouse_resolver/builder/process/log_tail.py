"""Why a command failed: the lines of its output that say so, without those that pip adds to them."""

from __future__ import annotations

import re

#: How much of a line is kept (characters): a build may print one of megabytes.
_LONGEST = 300

#: What pip 23.1 to 26.3 print after the output of a build backend that failed, line by line.
_CLOSING = re.compile(
    r"""
    | error:\ [a-z]+(-[a-z]+)+                            # as subprocess-exited-with-error
    | [\u00d7\u2502\u2570].*                                # its cross and lines
    | note:\ This\ (error\ originates|is\ an\ issue).*
    | hint:\ See\ above.*
    | (full\ command|cwd):\ .*
    | .*:\ finished\ with\ status\ 'error'
    | (ERROR:\ )?(Failed\ building\ wheels?|Failed\ to\ build|Could\ not\ build\ wheels?)\ .*
    | \[notice\].*
    """,
    re.VERBOSE,
)

#: What pip prints before a backend runs: if nothing follows, the backend said nothing.
_OPENING = re.compile(r"Running command .*|.*: started")

#: The last line of a compilation by setuptools or distutils; why it failed, the compiler said before.
_COMPILER_FAILED = re.compile(r"error: [Cc]ommand .* failed with exit (code|status) \d+")

_COMPILERS_ERROR = re.compile(r".*\berror: .*", re.IGNORECASE)

#: What programs say of a full disk (ENOSPC).
FULL = "No space left on device"


def without_closing(lines: list[str]) -> list[str]:
    """*lines* without those at the end that pip adds to every failure of a backend. Pure.

    All of them if there are no others.
    """
    end = len(lines)
    while end and _CLOSING.fullmatch(lines[end - 1].strip()):
        end -= 1
    return lines[:end] or lines


def last_words(text: str) -> str:
    """The line of *text*, the end of a failed command's output, that best says why it failed. Pure.

    That of a full disk if there is one; the compiler's own error if a compiler failed; else the last; "" if
    there is none.
    """
    lines = [line.strip() for line in without_closing(text.splitlines()) if line.strip()]
    if not lines or _CLOSING.fullmatch(lines[-1]) or _OPENING.fullmatch(lines[-1]):
        return ""
    found = lines[-1]
    if _COMPILER_FAILED.fullmatch(found):
        found = next((line for line in reversed(lines[:-1]) if _COMPILERS_ERROR.fullmatch(line)), found)
    found = next((line for line in reversed(lines) if FULL in line), found)
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]} ..."
