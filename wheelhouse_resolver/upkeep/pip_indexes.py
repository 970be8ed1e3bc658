"""Which indexes pip asks, and how: as `pip config` of the target Python says it."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from wheelhouse_resolver.errors import WheelhouseError, reason_of
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.process import run
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.utils.text import is_true

#: How long pip may take to answer (s).
_TIMEOUT = 120

_SETTING = re.compile(r"(:env:|[^\s.=]+)\.([^\s=]+)=(.*)")
_FILE = re.compile(r"  (.*), exists: (?:True|False)")

#: What decides which files pip reads, and what it makes of them.
_DECIDE = ("PIP_", "XDG_", "HOME", "VIRTUAL_ENV", "NETRC")

#: pip's own (pip 20 to 26): s to wait for an answer, and how often to try again.
_WAIT, _RETRIES = 15.0, 5


class NoIndexError(WheelhouseError, RuntimeError):
    """pip does not say which index it asks, or asks none."""

    _message = "{problem}"
    problem: str


class Index(NamedTuple):
    """An index. *url*: with what pip's settings say of the user; empty: pip's default."""

    url: str

    @property
    def name(self) -> str:
        """It without secrets: for people, and for what is kept."""
        return redact(self.url, mark="")


class IndexSettings(NamedTuple):
    """How pip asks indexes.

    indexes:     the main one first; none with `no-index`.
    proxy, cert, client_cert: as given; empty for none.
    trusted:     hosts, maybe with a port, whose certificate is not looked at.
    wait:        for an answer (s). retries: how often to ask again.
    keyring:     where passwords are asked for: `auto`, `subprocess`, `import` or `disabled`.
    """

    indexes: tuple[Index, ...]
    proxy: str = ""
    cert: str = ""
    client_cert: str = ""
    trusted: tuple[str, ...] = ()
    wait: float = _WAIT
    retries: int = _RETRIES
    keyring: str = "auto"


def settings_of(listing: str, command: str = "install") -> IndexSettings:
    """What `pip config list` printed comes to: variables beat the *command*'s section, that `[global]`."""
    order = {"global": 0, command: 1, ":env:": 2}
    found: dict[str, tuple[int, str]] = {}
    for match in filter(None, map(_SETTING.fullmatch, listing.splitlines())):
        section, option, text = match.groups()
        rank = order.get(section, -1)
        with suppress(ValueError, SyntaxError):
            if rank >= found.get(option, (0, ""))[0]:
                found[option] = (rank, str(ast.literal_eval(text)).strip())
    value = {option.replace("_", "-"): text for option, (_, text) in found.items()}
    urls = [value.get("index-url", ""), *value.get("extra-index-url", "").split()]
    if is_true(value.get("no-index", "")):
        urls = []
    return IndexSettings(
        indexes=tuple(Index(url.rstrip("/")) for url in dict.fromkeys(urls)),
        proxy=value.get("proxy", ""),
        cert=value.get("cert", ""),
        client_cert=value.get("client-cert", ""),
        trusted=tuple(value.get("trusted-host", "").split()),
        wait=_number(value.get("timeout", value.get("default-timeout", "")), _WAIT),
        retries=int(_number(value.get("retries", ""), _RETRIES)),
        keyring=value.get("keyring-provider", "auto"),
    )


def _number(text: str, default: float) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return default


def index_settings(python: TargetPython, environ: Mapping[str, str]) -> IndexSettings:
    """How pip of *python* asks indexes in *environ*; that of the program where it has none.

    Raises `NoIndexError`.
    """
    return settings_of(_ask(_python_of(python), ["config", "list"], environ))


def index_names(python: TargetPython, environ: Mapping[str, str]) -> list[str]:
    """The names of the indexes that pip asks, remembered until its configuration changes: no secrets.

    Raises `NoIndexError`.
    """
    path = _python_of(python)
    decide = sorted(pair for pair in environ.items() if pair[0].startswith(_DECIDE))
    digest = hashlib.sha256(json.dumps(decide).encode()).hexdigest()

    def ask() -> dict[str, Any]:
        names = [each.name for each in settings_of(_ask(path, ["config", "list"], environ)).indexes]
        files = _FILE.findall(_ask(path, ["config", "debug"], environ).replace("\r", ""))
        return {"names": names, "files": [[each, cache.file_key(each)] for each in files]}

    def holds(said: Any) -> bool:
        return all(cache.file_key(each) == key for each, key in said["files"])

    names: list[str] = cache.get("indexes", [path, cache.file_key(path), digest], ask, holds)["names"]
    return names


def _python_of(python: TargetPython) -> str:
    if python.answers is not None and python.version is None and python.answers.executable:
        return python.answers.executable
    return sys.executable


def _ask(path: str, words: list[str], environ: Mapping[str, str]) -> str:
    """What pip of the Python at *path* prints; of the program's own Python where that has no pip."""
    import subprocess

    from wheelhouse_resolver.doctor.probes.target import talkative  # only where it is not remembered

    problem = ""
    for each in dict.fromkeys((path, sys.executable)):
        command = [each, "-m", "pip", "--disable-pip-version-check", *words]
        try:
            done = run(command, environ=talkative(environ), timeout=_TIMEOUT)
        except (OSError, subprocess.TimeoutExpired) as error:
            problem = reason_of(error) if isinstance(error, OSError) else "pip does not answer"
            continue
        if done.returncode == 0:
            return done.stdout
        problem = (done.stderr.strip().splitlines() or [f"pip exited with {done.returncode}"])[-1]
        if "No module named pip" not in problem:
            break
    raise NoIndexError(f"cannot ask pip which index it is configured for: {redact(problem)}")


def local_index(url: str) -> str | None:
    """The directory of an index on a filesystem; None for one that is asked over the network."""
    from wheelhouse_resolver.utils.urls import local_path

    return os.path.normpath(local_path(url)) if url.startswith("file:") else None
