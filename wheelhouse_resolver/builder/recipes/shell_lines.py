"""Shell commands that end with what changes only their own shell, and is lost with it. Pure.

What they export is not: it holds for what comes after them.
"""

from __future__ import annotations

import re

_JOIN = "join it with what needs it in one command (`&&`)"
_VARIABLES = f"write `export`, set variables in `env`, or {_JOIN}"

#: Builtins that change nothing but their shell, and what to do instead.
_BUILTINS = dict.fromkeys(["cd", "pushd", "popd", "set", "shopt", "umask", "ulimit", "alias"], _JOIN)

#: What shows something rather than changing it.
_SHOWING = re.compile(r"-p|-a|-l|-S")

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")

#: The end of a simple command, a comment, or a word. What is nested deeper has no match.
_TOKEN = re.compile(
    r"""[ \t\r]+|\\\n|\#[^\n]*|(?P<end>&&|\|\||&(?!>)|[;|\n()])|
    (?P<word>(?:[<>]&|&>|\\.|'[^']*'|"(?:\\.|[^"\\])*"|\$\([^()]*\)|`[^`]*`|[^\s;&|()'"`\\])+)""",
    re.VERBOSE | re.DOTALL,
)

_OPENING = ("then", "do", "else", "{", "!", "time", "builtin", "command")
_CLOSING = (["fi"], ["done"], ["}"])


def lost(command: str) -> tuple[str, str] | None:
    """The last simple command of *command* if it only changes its own shell, and what to do instead.

    None for what does anything else, and for what is too nested to tell.
    """
    words = _last(command)
    while words and words[0] in _OPENING:
        words = words[1:]
    if not words:
        return None
    advice = ""
    if all(_ASSIGNMENT.match(each) for each in words):
        advice = _VARIABLES
    elif words[0] in ("cd", "pushd", "popd") or (len(words) > 1 and not _SHOWING.fullmatch(words[1])):
        advice = _BUILTINS.get(words[0], "")
    return (" ".join(words), advice) if advice else None


def _last(command: str) -> list[str]:
    """The words of the last simple command; none if it is not known."""
    commands: list[list[str]] = [[]]
    at = 0
    while at < len(command):
        token = _TOKEN.match(command, at)
        if token is None:
            return []
        at = token.end()
        if token["end"]:
            commands.append([])
        elif token["word"]:
            commands[-1].append(token["word"])
    return next((each for each in reversed(commands) if each and each not in _CLOSING), [])
