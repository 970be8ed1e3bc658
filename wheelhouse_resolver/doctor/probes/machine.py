"""The probes of the machine: the index that pip would ask, and the places that are written to."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from wheelhouse_resolver.doctor.facts import IndexState, PathState
from wheelhouse_resolver.doctor.pip_settings import PipSetting, indexes
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.utils import cache
from wheelhouse_resolver.utils.process import run

#: How long pip may take to print its help (s).
_ANSWERING = 60

#: How long the index may take to accept a connection (s).
_PATIENCE = 3.0


def index_state(
    settings: Mapping[str, PipSetting], environ: Mapping[str, str], python: str
) -> IndexState | None:
    """The index that the pip of *python* would ask with these *settings*; None for none."""
    asked = indexes(settings, "")
    if not asked:
        return None
    url = asked[0][0] or _default_index(python, environ)
    if not url:
        return IndexState(url="its default index")
    return IndexState(url=url, problem=_cannot_connect(url, settings, environ))


def _default_index(python: str, environ: Mapping[str, str]) -> str:
    """The index that the pip of *python* asks by default, as its help says; empty if it does not."""
    # So wide that the help does not break the URL.
    wide = {**environ, "COLUMNS": "10000"}
    try:
        done = run([python, "-m", "pip", "install", "--help"], environ=wide, timeout=_ANSWERING)
    except (OSError, TimeoutExpired):
        return ""
    found = re.search(r"\(default:? (https?://[^\s)]+)\)", done.stdout)
    return found[1] if found else ""


def _cannot_connect(url: str, settings: Mapping[str, PipSetting], environ: Mapping[str, str]) -> str:
    """Why nothing listens where *url* is, or the proxy on the way there; empty when something does."""
    try:
        parts = urlsplit(url)
        via = environ.get(f"{parts.scheme}_proxy") or environ.get(f"{parts.scheme.upper()}_PROXY")
        if proxy := settings.get("proxy"):
            via = proxy.value
        bypassed = {"no": environ.get("no_proxy") or environ.get("NO_PROXY") or ""}
        if via and not proxy_bypass(parts.hostname or "", bypassed):
            parts = urlsplit(via if "://" in via else f"http://{via}")
        address = (parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))
    except ValueError as error:
        return f"not a URL: {error}"
    if parts.scheme == "file" or not address[0]:
        return ""
    # Resolving a name has no time limit of its own.
    answers: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=_PATIENCE).close()
            answers.append("")
        except OSError as error:
            answers.append(reason_of(error))

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_PATIENCE)
    return answers[0] if answers else f"no answer within {_PATIENCE:g} s"


def editor(environ: Mapping[str, str]) -> str:
    """The words that start the user's editor; empty where none is known."""
    if own := environ.get("VISUAL") or environ.get("EDITOR"):
        return own
    return next((each for each in ("vi", "nano", "vim") if shutil.which(each, path=environ.get("PATH"))), "")


def place_for_venv(present: str | None, environ: Mapping[str, str]) -> str:
    """Where a virtual environment can be made, nothing being there: beside the *present* one, else at home.

    At the place of the present one, if nothing of it is left. Empty where nothing can be written.
    """
    name = os.path.basename(present or "env")
    above = [os.path.dirname(present)] if present else []
    with suppress(OSError):  # the working directory has been removed
        above = [*above, environ.get("HOME", ""), os.getcwd()]
    for place in above:
        if place and os.path.isdir(place) and os.access(place, os.W_OK):
            ends = ("", "-new", *(f"-new{number}" for number in range(2, 100)))
            paths = (os.path.join(os.path.abspath(place), name + end) for end in ends)
            return next((each for each in paths if not os.path.lexists(each)), "")
    return ""


def unchangeable(paths: Iterable[str]) -> frozenset[str]:
    """Those of *paths* that this user can neither write nor make writable."""
    return frozenset(path for path in paths if not _can_change(path))


def _can_change(path: str) -> bool:
    there = next(
        each
        for each in (os.path.abspath(path), *map(str, Path(os.path.abspath(path)).parents))
        if os.path.lexists(each)
    )
    try:
        owner = there == os.path.abspath(path) and os.stat(there).st_uid == os.geteuid()
        return os.access(there, os.W_OK) or (owner and not os.statvfs(there).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def temporary_directory(environ: Mapping[str, str]) -> PathState:
    """Where temporary files go: the variables that Python's tempfile looks at, else /tmp."""
    variable = next((name for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name)), "")
    path = environ[variable] if variable else "/tmp"
    problem, missing = _cannot_write(path), not os.path.lexists(path)
    noexec = not problem and bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    return PathState(path=path, variable=variable, problem=problem, missing=missing, noexec=noexec)


def home_directory(environ: Mapping[str, str]) -> PathState | None:
    """The home directory; None for a user without one."""
    path = environ.get("HOME")
    if not path:
        return None
    return PathState(path, variable="HOME", problem=_cannot_write(path), missing=not os.path.isdir(path))


def cache_directory_state() -> PathState | None:
    """The directory of our cache; None for a user without one."""
    path = cache.cache_directory()
    if path is None:
        return None
    there = next(each for each in (path, *map(str, Path(path).parents)) if os.path.lexists(each))
    return PathState(path=path, problem=_cannot_write(there))


def _cannot_write(path: str) -> str:
    """Why no file of some size can be made in the directory *path*; empty when one can, and is gone again."""
    try:
        with tempfile.TemporaryFile(dir=path) as file:
            file.write(b"\0" * (64 << 10))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return reason_of(error)
    return ""
