"""Filesystems of less ability than the one that the tests run on, and files placed on them."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wheelhouse_resolver.utils import atomic

#: What `weaken` knows, from the most able to the least.
FILESYSTEMS = (
    "all",
    "nameless-without-links",
    "links",
    "no-links",
    "no-links-old-kernel",
    "no-links-old-filesystem",
    "no-links-no-function",
)

NAME = "demo-1.0-1000generic-py3-none-any.whl"


def put(directory: Path, content: bytes = b"new", name: str = NAME) -> bool:
    """Place *content* under *name*; False when it is there. Raises `AlreadyExistsError`."""
    with atomic.temporary(str(directory), hidden=True) as draft:
        draft.file.write(content)
        return atomic.commit(draft, str(directory / name))


def refused(number: int) -> Callable[..., object]:
    def refuse(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return refuse


class NoRename:
    """A C library whose kernel or filesystem cannot rename without replacing."""

    def __init__(self, number: int) -> None:
        self.number = number

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(self.number)
        return -1


def refuse_nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be made without a name, as on NFS."""
    real = os.open

    def open_named(path: Any, flags: int, *arguments: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", open_named)


def weaken(filesystem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the filesystem the abilities that the one of that name has."""
    if filesystem == "all":
        return
    if filesystem == "nameless-without-links":
        monkeypatch.setattr(os, "link", refused(errno.EPERM))
        return
    refuse_nameless(monkeypatch)
    if filesystem == "links":
        return
    monkeypatch.setattr(os, "link", refused(errno.EPERM))
    codes = {"no-links-old-kernel": errno.ENOSYS, "no-links-old-filesystem": errno.EINVAL}
    if filesystem in codes:
        library = NoRename(codes[filesystem])
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)
    elif filesystem == "no-links-no-function":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
