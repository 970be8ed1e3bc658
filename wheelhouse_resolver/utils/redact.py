"""Hiding secrets in what is printed or kept."""

from __future__ import annotations

import re

__all__ = ["masked", "without_secrets"]


_URL_USER = re.compile(r"(?<=://)(?:[^\s/]*@|[^\s/@]*:[^\s@]*@)")


_PLAIN_USER = re.compile(r"(?<![^\s'\"=,])[^\s:@/'\"=]+:[^\s@/]*@")


_QUERY = re.compile(r"(://[^\s?#]*\?)[^\s#]+")


_SECRET = re.compile(r"PASSWORD|PASSWD|TOKEN|SECRET|CREDENTIAL|API[_-]?KEY", re.IGNORECASE)


def masked(text: str, name: str = "") -> str:
    """*text* without user names and passwords in URLs, and what follows a `?` there.

    All of it is masked when *name*, that of its variable or option, is that of a secret.
    """
    if name and _SECRET.search(name):
        return "***"
    text = _URL_USER.sub("***@", text)
    text = _PLAIN_USER.sub("***@", text)  # pip's `proxy` may lack a scheme
    return _QUERY.sub(r"\1***", text)


_SECRET_PART = re.compile(r"(?<=://)[^/@\s]+@")


def without_secrets(text: str) -> str:
    """*text* without the user names and passwords of URLs in it."""
    return _SECRET_PART.sub("", text)
