"""Answers kept between runs, in the user's cache directory.

Some answers take longer to compute than all else that a command does, and hardly ever change: what archspec
says of a CPU, where platformdirs has its directories, what a wheel's METADATA says. So each answer is kept
together with the whole of what it depends on (its key) and used again only while that key is the same.

The cache is never needed: what is missing, unreadable, unwritable, damaged or anybody else's is left alone,
and the answer is computed anew. It is bounded: of each kind, `_SHARDS` files of `_MOST` answers at most.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from wheelhouse_resolver.errors import WheelhouseError

#: As many files are looked into at once.
_AT_ONCE = 16

#: The files of one kind, the answers in each, the characters of an answer, and the bytes of a file.
_SHARDS = 64
_MOST = 64
_LONGEST = 1 << 18
_LARGEST = 1 << 22

#: What a damaged file, or an answer of a shape that was not expected, can raise.
_DAMAGED = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)

#: After this long (s) a file that is being written is what a killed run left.
_DEAD_AFTER = 60


def cache_directory() -> str | None:
    """`$XDG_CACHE_HOME/wheelhouse-resolver` (XDG Base Directory Specification; `~/.cache` by default).

    None for a user who has no home directory, as in some containers.
    Not asked of platformdirs, whose import is one of the costs that the cache saves; a test holds the
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
    text = json.dumps(key).encode()
    return _get(kind, f"{zlib.crc32(text):08x}{zlib.adler32(text):08x}", key, compute, holds)


def get_for_file(kind: str, path: str, compute: Callable[[], Any]) -> Any:
    """`get`, of what depends on nothing but the content of the file at *path*.

    An answer holds while path, inode, size and modification time (ns) are the same. (Not the device, which is
    another after each mount.) A file that isn't there is *compute*'s to complain of.
    """
    key = file_key(path)
    return compute() if key is None else _get(kind, path, key, compute)


def get_for_files(kind: str, paths: Iterable[str], compute: Callable[[str], Any]) -> dict[str, Any]:
    """path -> `get_for_file` for many: what is not remembered is computed by several threads.

    On a network filesystem nearly all of the time is spent waiting. A file for which *compute* raises a
    `WheelhouseError` is left out: `get_for_file` raises it again for who needs that file.
    """
    shards: dict[str, dict[str, Any]] = {}  # shard -> path -> key
    for path in paths:
        shards.setdefault(_shard(kind, path), {})[path] = file_key(path)
    answers: dict[str, Any] = {}
    unknown: dict[str, None] = {}
    for shard, keys in shards.items():
        entries = _read(shard)
        for path, key in keys.items():
            found = _found(entries, path, key)
            if found and key is not None:
                answers[path] = found[0]
            else:
                unknown[path] = None
    if not unknown:
        return answers
    from concurrent.futures import Future, ThreadPoolExecutor

    futures: dict[str, Future[Any]] = {}
    with ThreadPoolExecutor(min(_AT_ONCE, len(unknown))) as pool, suppress(RuntimeError):  # no more threads
        for path in unknown:
            futures[path] = pool.submit(compute, path)
    for path in unknown:
        with suppress(WheelhouseError):
            answers[path] = futures[path].result() if path in futures else compute(path)
    for shard, keys in shards.items():
        new = {p: (key, answers[p]) for p, key in keys.items() if p in unknown and p in answers and key}
        _remember(shard, new)
    return answers


def _get(
    kind: str,
    subject: str,
    key: list[Any],
    compute: Callable[[], Any],
    holds: Callable[[Any], bool] = lambda _: True,
) -> Any:
    shard = _shard(kind, subject)
    found = _found(_read(shard), subject, key)
    with suppress(*_DAMAGED):
        if found and holds(found[0]):
            return found[0]
    answer = compute()
    _remember(shard, {subject: (key, answer)})
    return answer


def file_key(path: str) -> list[Any] | None:
    """What tells the file at *path* from what may be there later; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return key_of(status)


def key_of(status: os.stat_result) -> list[Any]:
    """What tells a file of that *status* from its next version; not its device, another after each mount."""
    return [status.st_ino, status.st_size, status.st_mtime_ns]


@lru_cache(maxsize=1)
def _program() -> str:
    """What tells this release of the program, whose answers may have a shape of their own, from any other."""
    package = os.path.dirname(os.path.dirname(__file__))
    return json.dumps([package, file_key(os.path.join(package, "__init__.py"))])


def _shard(kind: str, subject: str) -> str:
    """The name of the file that has what is known of *subject*."""
    return f"{kind}-{zlib.crc32(os.fsencode(subject)) % _SHARDS:02x}.json"


def _found(entries: dict[str, Any], subject: str, key: Any) -> list[Any]:
    """The answer for *key* among *entries*, if it is there: none or one."""
    entry = entries.get(subject)
    if not isinstance(entry, list) or len(entry) != 3:
        return []
    return entry[2:] if entry[:2] == [_program(), json.loads(json.dumps(key))] else []


def _read(shard: str) -> dict[str, Any]:
    """What is in that file; nothing where it cannot be read or believed."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with _directory() as directory, open(os.open(shard, flags, dir_fd=directory), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or not _is_ours(status) or status.st_size > _LARGEST:
                return {}
            entries = json.loads(file.read())
    except _DAMAGED:
        return {}
    return entries if isinstance(entries, dict) else {}


def _remember(shard: str, answers: dict[str, tuple[Any, Any]]) -> None:
    """Add *answers*, subject -> (key, answer), to that file; what was added first makes room for them."""
    texts: dict[str, str] = {}
    for subject, (key, answer) in answers.items():
        with suppress(TypeError, ValueError, RecursionError):  # a date in a TOML file, say: not remembered
            texts[subject] = json.dumps([_program(), key, answer])
    texts = {subject: text for subject, text in texts.items() if len(text) <= _LONGEST}
    if not texts:
        return
    before = {subject: json.dumps(entry) for subject, entry in _read(shard).items() if subject not in texts}
    kept = [*before.items(), *texts.items()][-_MOST:]
    while sum(len(text) for _, text in kept) > _LARGEST // 2:
        del kept[0]
    content = "{" + ",\n".join(f"{json.dumps(subject)}: {text}" for subject, text in kept) + "}\n"
    with suppress(OSError), _directory(make=True) as directory:
        _write(directory, shard, content.encode("ascii"))


def _write(directory: int, name: str, content: bytes) -> None:
    temporary = f".{name}~"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        if time.time() - os.stat(temporary, dir_fd=directory, follow_symlinks=False).st_mtime > _DEAD_AFTER:
            os.unlink(temporary, dir_fd=directory)
    descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)  # another run may be writing it
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise


def private_file(name: str, *, make: bool = False) -> str | None:
    """The path of the file *name* in the cache directory (made, with *make*), for who keeps one there.

    None where that directory is not there, or not ours alone.
    """
    path = cache_directory()
    try:
        with _directory(make=make):
            return None if path is None else os.path.join(path, name)
    except OSError:
        return None


@contextmanager
def _directory(*, make: bool = False) -> Iterator[int]:
    """The open directory of the cache (made, with *make*). Raises `OSError` where it is not ours alone.

    Under sudo, HOME may be the caller's: what root wrote there could go wherever the caller likes.
    """
    path = cache_directory()
    if path is None:
        raise FileNotFoundError("no home directory")
    base = os.path.dirname(path)
    above = base
    while not os.path.lexists(above):
        above = os.path.dirname(above)
    home = os.path.expanduser("~") if os.path.basename(base) == ".cache" else above
    for each in {above, home}:
        if os.lstat(each).st_uid not in (os.geteuid(), 0):
            raise PermissionError(each)
    if make:
        os.makedirs(path, mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not _is_ours(os.fstat(descriptor)) or os.lstat(path).st_uid not in (os.geteuid(), 0):
            raise PermissionError(path)
        yield descriptor
    finally:
        os.close(descriptor)


def _is_ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def identity_of(package: str) -> list[Any]:
    """What tells one installed *package* from its next release, without importing it.

    Returns its path, modification time (ns) and size; an upgrade rewrites the file.
    """
    for place in sys.path:  # where it nearly always is: to import importlib.util takes longer
        path = os.path.join(place, package, "__init__.py")
        with suppress(OSError):
            status = os.stat(path)
            return [path, status.st_mtime_ns, status.st_size]
    import importlib.util

    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return [package]
    status = os.stat(spec.origin)
    return [spec.origin, status.st_mtime_ns, status.st_size]
