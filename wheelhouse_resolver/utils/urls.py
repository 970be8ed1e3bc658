"""Paths as URLs that pip and uv read back unchanged."""

from __future__ import annotations

import os

from wheelhouse_resolver.errors import UnsafeValueError
from wheelhouse_resolver.utils.text import invalid_character

#: The bytes that stand for themselves in a URL's path (RFC 3986, unreserved, and `/`).
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-")


def file_url(path: str) -> str:
    """The `file://` URL of an absolute *path*: the one form that every pip and uv reads, whatever the path.

    Every byte outside `[A-Za-z0-9/._~-]` is percent-encoded. Raises `UnsafeValueError`.
    """
    if problem := invalid_character(path):
        raise UnsafeValueError("the path", path, problem)
    # What pathlib's `as_uri` returns (tested), without the price of importing pathlib or urllib.
    return "file://" + quoted_path(path)


def quoted_path(path: str) -> str:
    """*path* as it is written in a URL: every byte outside `[A-Za-z0-9/._~-]` is percent-encoded."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(path))


def local_path(place: str) -> str:
    """The path of a file that *place* names, as a path or a `file:` URL; *place* itself for other URLs."""
    if not place.startswith("file:"):
        return place
    from urllib.parse import unquote, urlsplit

    return unquote(urlsplit(place).path)
