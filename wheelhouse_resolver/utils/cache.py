"""Remembering slow answers between runs, in the user's cache directory.

A module file runs `pip-conf` at every load, so each import counts there. What archspec says of a CPU,
what pyelftools reads from an executable and where platformdirs finds configuration are pure functions of
a few bytes, yet importing the three takes several times as long as starting Python. So each answer is kept
together with the whole of what it depends on (its key) and used again only while that key is the same. The
parsed site file is kept likewise.

The memo is never needed: one that is missing, unreadable, unwritable, damaged or somebody else's is left
alone and the answer is computed anew.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from wheelhouse_resolver.errors import WheelhouseError

#: As many files are looked into at once.
_AT_ONCE = 16


def cache_directory() -> str | None:
    """`$XDG_CACHE_HOME/wheelhouse-resolver` (XDG Base Directory Specification; `~/.cache` by default).

    None for a user who has no home directory, as in some containers.
    Not asked of platformdirs, whose import is one of the costs that the memo saves; a test holds the
    two to the same answer on Linux.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "wheelhouse-resolver") if os.path.isabs(base) else None


def get(
    kind: str, key: list[Any], compute: Callable[[], Any], holds: Callable[[Any], bool] = lambda _: True
) -> Any:
    """The remembered answer for *key*, or that of *compute*, which is then remembered.

    *key* must be what JSON can hold; an answer that isn't, is not remembered. Entries of one *kind* with
    different keys are kept side by side. *holds*: whether a remembered answer is still right, as far as the
    answer alone tells what it depends on.
    """
    directory = cache_directory()
    if directory is None:
        return compute()
    key = json.loads(json.dumps(key))
    name = f"{kind}-{zlib.crc32(json.dumps(key).encode()):08x}.json"
    path = os.path.join(directory, name)
    try:
        entry = _read(path)
        if entry["key"] == key and holds(entry["answer"]):
            return entry["answer"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    answer = compute()
    try:
        entry = json.dumps({"key": key, "answer": answer})
    except TypeError:  # a date in a TOML file, say: no JSON, not remembered
        return answer
    _write(path, entry)
    return answer


def get_for_file(kind: str, path: str, compute: Callable[[], Any]) -> Any:
    """`get`, of what depends on nothing but the content of the file at *path*.

    An answer holds while path, device, inode, size and modification time (ns) are the same. A file that
    isn't there is *compute*'s to complain of.
    """
    try:
        status = os.stat(path)
    except OSError:
        return compute()
    key = [path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns]
    return get(kind, key, compute)


def get_for_files(kind: str, paths: Iterable[str], compute: Callable[[str], Any]) -> dict[str, Any]:
    """path -> `get_for_file` for many: what is not remembered is computed by several threads.

    On a network filesystem nearly all of the time is spent waiting. A file for which *compute* raises a
    `WheelhouseError` is left out: `get_for_file` raises it again for who needs that file.
    """
    not_remembered = object()  # which cannot be remembered either: JSON has no such thing
    answers = {path: get_for_file(kind, path, lambda: not_remembered) for path in paths}
    unknown = [path for path, answer in answers.items() if answer is not_remembered]
    if not unknown:
        return answers
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(_AT_ONCE, len(unknown))) as pool:
        futures = {path: pool.submit(get_for_file, kind, path, partial(compute, path)) for path in unknown}
    for path, future in futures.items():
        del answers[path]
        with suppress(WheelhouseError):
            answers[path] = future.result()
    return answers


def _read(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        # An entry decides which site file is believed: under sudo with the caller's HOME, only ours counts.
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(path)
        return json.load(file)


def _write(path: str, text: str) -> None:
    # The home directory may be shared by many nodes.
    temporary = f"{path}.{os.uname().nodename}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)


def identity_of(package: str) -> list[Any]:
    """What tells one installed *package* from its next release, without importing it.

    Returns its path, modification time (ns) and size; an upgrade rewrites the file.
    """
    import importlib.util

    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return [package]
    status = os.stat(spec.origin)
    return [spec.origin, status.st_mtime_ns, status.st_size]
