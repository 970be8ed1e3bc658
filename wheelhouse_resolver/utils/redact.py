"""Hiding secrets in what is printed, logged or kept."""

from __future__ import annotations

import re

from wheelhouse_resolver.errors import printable

_SECRET = r"PASSW|TOKEN|SECRET|CREDENTIAL|API[_-]?KEY|PRIVATE[_-]?KEY"

_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)

#: `NAME=value` in a command or a log, where NAME is that of a secret.
_ASSIGNMENT = re.compile(rf"(\b[\w-]*(?:{_SECRET})[\w-]*=)(?:'[^']*'|\"[^\"]*\"|[^\s'\"]+)", re.IGNORECASE)

_URL_USER = re.compile(r"(?<=://)(?:[^\s/]*@|[^\s/@]*:[^\s@]*@)")

_PLAIN_USER = re.compile(r"(?<![^\s'\"=,])[^\s:@/'\"=]+:[^\s@/]*@")

_QUERY = re.compile(r"(://[^\s?#]*)\?[^\s#]+")


def is_secret(name: str) -> bool:
    """Whether the variable or option of that *name* holds a secret."""
    return _SECRET_NAME.search(name) is not None


def redact(text: str, name: str = "", *, mark: str = "***") -> str:
    """*text* with a *mark* instead of each secret in it; without them if the mark is empty.

    Secrets are the user names and passwords of URLs, what follows a `?` there, and the values of
    `NAME=value` whose name is that of a secret; all of *text*, when *name* is.
    """
    if is_secret(name):
        return mark
    text = _URL_USER.sub(f"{mark}@" if mark else "", text)
    text = _PLAIN_USER.sub(f"{mark}@" if mark else "", text)  # pip's `proxy` may lack a scheme
    text = _QUERY.sub(rf"\1?{mark}" if mark else r"\1", text)
    return _ASSIGNMENT.sub(rf"\1{mark}", text)


def presentable(text: str) -> str:
    """*text* for a message: without secrets, on one line, and with what a terminal would obey escaped."""
    return printable(redact(text))
