"""Hiding secrets in what is printed, logged or kept."""

from __future__ import annotations

import re

from wheelhouse_resolver.errors import printable

_SECRET = r"PASSW|PASSPHRASE|TOKEN|SECRET|CREDENTIAL|API[_-]?KEY|PRIVATE[_-]?KEY"

_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)

_VALUE = r"(?:'[^']*'|\"[^\"]*\"|[^\s'\"]+)"

#: `NAME=value` and `--name value` in a command or a log, where the name is that of a secret.
_ASSIGNMENT = re.compile(
    rf"((?:\b[\w-]*(?:{_SECRET})[\w-]*=|(?<!\S)--[\w-]*(?:{_SECRET})[\w-]*\s(?![\s-]))){_VALUE}",
    re.IGNORECASE,
)

#: The header of HTTP, as git's `http.extraHeader` has it.
_HEADER = re.compile(r"(\bauthorization:\s*(?:(?:basic|bearer|token)\s+)?)[^\s'\"]+", re.IGNORECASE)

_URL_USER = re.compile(r"((?<=://))(?:[^\s/]*@|[^\s/@]*:[^\s@]*@)")

#: pip's `proxy` may lack a scheme. What follows the colon begins with no slash: that would be a path.
_PLAIN_USER = re.compile(r"((?<![^\s'\"=,]))[^\s:@/'\"=]+:(?!/)[^\s'\"]*@")

_QUERY = re.compile(r"(://[^\s?#]*\?)[^\s#]+")

#: Each begins with a group that is kept.
_USERS = (_URL_USER, _PLAIN_USER)
_PATTERNS = (*_USERS, _QUERY, _ASSIGNMENT, _HEADER)

#: What is shorter may be part of any word (characters).
_SHORTEST = 8


def is_secret(name: str) -> bool:
    """Whether the variable or option of that *name* holds a secret."""
    return _SECRET_NAME.search(name) is not None


def redact(text: str, name: str = "", *, mark: str = "***") -> str:
    """*text* with a *mark* instead of each secret in it; without them if the mark is empty.

    Secrets are the user names and passwords of URLs, what follows a `?` there, the values of `NAME=value` and
    `--name value` whose name is that of a secret, and those of HTTP's `Authorization`; all of *text*, when
    *name* is.
    """
    if is_secret(name):
        return mark
    user = f"{mark}@" if mark else ""
    text = _URL_USER.sub(user, text)
    text = _PLAIN_USER.sub(user, text)
    text = _QUERY.sub(rf"\1{mark}", text) if mark else _QUERY.sub(lambda match: match[1][:-1], text)
    return _HEADER.sub(rf"\1{mark}", _ASSIGNMENT.sub(rf"\1{mark}", text))


def secrets_in(text: str, name: str = "") -> set[str]:
    """What `redact` would hide in *text*, as it may occur elsewhere; no short words."""
    found = set()
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            secret = match[0].removeprefix(match[1]).strip("'\"")
            _, colon, password = secret.removesuffix("@").partition(":")
            found |= {secret, password} if pattern in _USERS and colon else {secret}
    if is_secret(name) and not text.startswith("/"):  # the path of a file of secrets is none
        found.add(text)
    return {each for each in found if len(each) >= _SHORTEST or (each.endswith("@") and ":" in each)}


def presentable(text: str) -> str:
    """*text* for a message: without secrets, on one line, and with what a terminal would obey escaped."""
    return printable(redact(text))
