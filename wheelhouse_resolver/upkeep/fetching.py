"""Asking indexes about many projects: the thin probe, with requests and pypi-simple.

An index is asked by few connections, again only after a while, with what was kept of its last answer, and no
more once it cannot be reached. What it says becomes a value; nothing is decided here.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from wheelhouse_resolver.errors import MissingExtraError, reason_of
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.upkeep import page_cache
from wheelhouse_resolver.upkeep.page_cache import Kept
from wheelhouse_resolver.upkeep.pages import IndexFile, Page, Said
from wheelhouse_resolver.upkeep.pip_indexes import (
    Index,
    IndexSettings,
    NoIndexError,
    index_names,
    index_settings,
    local_index,
)
from wheelhouse_resolver.utils.log import debug
from wheelhouse_resolver.utils.redact import presentable

if TYPE_CHECKING:
    import requests

#: As many pages are asked for at once; pip asks one by one, uv 50.
CONNECTIONS = 8

#: After so many failures to reach an index, and no success between, it is not asked any more.
_GIVE_UP = 8

#: Answers that may be others when asked again, after 0.25 s, 0.5 s, ... (as pip has it).
_TRY_AGAIN = (429, 500, 502, 503, 504, 520, 524)
_BACKOFF = 0.25

#: No server makes us wait longer than this, nor is an answer taken for fresh longer (s).
_LONGEST_WAIT, _FRESHEST = 60, 86400

_MAX_AGE = re.compile(r"(?<![\w-])max-age=(\d{1,9})")

#: Called with how many of how many answers are there.
Progress = Callable[[int, int], object]


def asking(
    site: Site, host: Host, *, offline: bool = False, progress: Progress | None = None
) -> Callable[[Sequence[str]], dict[str, Said]]:
    """What asks the indexes that pip of *host*'s Python asks, but for the site's own.

    offline: none is asked; what they last said counts. progress: see `Progress`. Raises `NoIndexError`.
    """
    environ = host.machine.environ if host.machine is not None else os.environ
    table = index_table(site)
    own = f"{table.directory}/" if table is not None else ""

    def is_own(url: str) -> bool:
        return bool(own) and f"{local_index(url) or ''}/".startswith(own)

    if offline:
        names = [each for each in index_names(host.python, environ) if not is_own(each)]
        asks: Callable[[Sequence[str]], dict[str, Said]] = partial(kept_answers, names=names)
    else:
        settings = index_settings(host.python, environ)
        settings = settings._replace(indexes=tuple(e for e in settings.indexes if not is_own(e.url)))
        names = [each.name for each in settings.indexes]
        asks = partial(ask_indexes, settings=settings, progress=progress)
    if not names:
        problem = "pip is configured to ask no index (no-index)"
        raise NoIndexError(problem).with_hint("PIP_NO_INDEX=0 in the environment lets it ask")
    return asks


def ask_indexes(
    projects: Sequence[str], settings: IndexSettings, *, progress: Progress | None = None
) -> dict[str, Said]:
    """What the indexes of *settings* say of *projects*; what they say is kept for the next time.

    Raises `MissingExtraError`. Whatever an index does is an answer.
    """
    from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

    names = [each.name for each in settings.indexes]
    kept = page_cache.load(names, projects)
    new: dict[tuple[str, str], Kept] = {}
    problems: dict[tuple[str, str], str] = {}
    now = time.time()
    askers = {each.name: _Asker(each, settings) for each in settings.indexes}
    due = deque(
        (name, project)
        for project in projects
        for name in names
        if (name, project) not in kept or kept[name, project].fresh <= now
    )
    total = len(due)
    pool = ThreadPoolExecutor(CONNECTIONS)
    waiting: dict[Future[Kept | str], tuple[str, str]] = {}
    try:
        with warnings.catch_warnings():
            # A later minor version of the format may be read as the one that is known (PEP 629).
            warnings.simplefilter("ignore")
            while due or waiting:
                while due and len(waiting) < 2 * CONNECTIONS:
                    key = due.popleft()
                    waiting[pool.submit(askers[key[0]].ask, key[1], kept.get(key))] = key
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    key, answer = waiting.pop(future), future.result()
                    if isinstance(answer, Kept):
                        new[key] = answer
                    else:
                        problems[key] = answer
                if progress is not None:
                    progress(len(new) + len(problems), total)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        page_cache.save({key: each for key, each in new.items() if not local_index(key[0])})
        for asker in askers.values():
            asker.close()
    return said_of(projects, names, {**kept, **new}, problems)


def kept_answers(projects: Sequence[str], names: Sequence[str]) -> dict[str, Said]:
    """What the indexes of these *names* last said of *projects*, as far as that is kept; nothing is asked.

    An index on a filesystem is read, though.
    """
    kept = page_cache.load(names, projects)
    problems: dict[tuple[str, str], str] = {}
    for name in names:
        asker = _Asker(Index(name), IndexSettings(())) if local_index(name) else None
        for project in projects:
            answer = asker.ask(project, None) if asker else kept.get((name, project), "never asked about it")
            if isinstance(answer, Kept):
                kept[name, project] = answer
            else:
                problems[name, project] = answer
    return said_of(projects, names, kept, problems)


def said_of(
    projects: Iterable[str],
    names: Sequence[str],
    kept: Mapping[tuple[str, str], Kept],
    problems: Mapping[tuple[str, str], str],
) -> dict[str, Said]:
    """What the indexes *names* said together of each of *projects*: pip takes the best of all. Pure."""
    found: dict[str, Said] = {}
    for project in projects:
        wrong = [problems[name, project] for name in names if (name, project) in problems]
        if wrong:
            found[project] = Said(problem="; ".join(dict.fromkeys(wrong)))
            continue
        texts = [kept[name, project].text for name in names if (name, project) in kept]
        pages = [Page.of_text(text) for text in texts if text is not None]
        merged = pages[0] if pages else None
        for page in pages[1:]:
            merged = merged.merge(page) if merged is not None else page
        found[project] = Said(merged)
    return found


class _Asker:
    """Asks one index, from several threads."""

    def __init__(self, index: Index, settings: IndexSettings) -> None:
        self._name = index.name or "the index"
        self._settings = settings
        self._failures = 0
        self._given_up = ""
        self._directory = local_index(index.url)
        self._session: requests.Session | None = None
        self._url = index.url
        if self._directory is None:
            self._url = (index.url or _pypi_simple().PYPI_SIMPLE_ENDPOINT).rstrip("/")
            self._options = _options(self._url, settings)
            self._session = _session(settings, verified=bool(self._options.get("verify", True)))
            self._url = _without_user(self._url)

    def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            self._session.close()

    def ask(self, project: str, kept: Kept | None) -> Kept | str:
        """What the index says of *project*, of which *kept* is known; or why that is not known."""
        if self._given_up:
            return self._given_up
        try:
            return self._read(project) if self._session is None else self._get(project, kept)
        except ValueError as error:  # JSON of another shape
            line = (str(error).splitlines() or [type(error).__name__])[0]
            return presentable(f"{self._name}: its page cannot be read: {line}")

    def _read(self, project: str) -> Kept | str:
        path = f"{self._directory}/{project}/index.html"
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                html = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return Kept(time.time())
        except OSError as error:
            return presentable(f"{path}: {reason_of(error)}")
        return Kept(time.time(), text=_text_of(_pypi_simple().ProjectPage.from_html(project, html)))

    def _get(self, project: str, kept: Kept | None) -> Kept | str:
        assert self._session is not None
        pages = _pypi_simple()
        headers = {"Accept": pages.ACCEPT_JSON_PREFERRED}
        if kept is not None:
            known = {"If-None-Match": kept.etag, "If-Modified-Since": kept.modified}
            headers.update({name: value for name, value in known.items() if value})
        url = f"{self._url}/{quote(project)}/"
        debug(__name__, "ask %s", url)
        try:
            answer = self._session.get(url, headers=headers, **self._options)
        except OSError as error:  # of requests, or for a file of certificates that is not there
            self._failures += 1
            problem = presentable(f"{self._name}: {_reason(error)}")
            if self._failures >= _GIVE_UP:
                self._given_up = problem
            return problem
        self._failures = 0
        asked = time.time()
        fresh = asked + _max_age(answer.headers)
        if answer.status_code == 304 and kept is not None:
            return kept._replace(asked=asked, fresh=fresh)
        if answer.status_code in (404, 410):
            return Kept(asked, fresh)
        if not answer.ok:
            denied = " (see netrc, keyring, index-url)" if answer.status_code in (401, 403) else ""
            return f"{self._name}: HTTP {answer.status_code} {answer.reason}{denied}"
        try:
            page = pages.ProjectPage.from_response(answer, project)
        except (pages.UnsupportedContentTypeError, pages.UnsupportedRepoVersionError) as error:
            return presentable(f"{self._name}: {_reason(error)}")
        etag, modified = (answer.headers.get(name, "") for name in ("ETag", "Last-Modified"))
        return Kept(asked, fresh, etag, modified, _text_of(page))


def _pypi_simple() -> Any:
    """The package: it takes longer to import than all else, and is not needed offline."""
    try:
        import pypi_simple
    except ImportError:
        raise MissingExtraError("what the index has", "pypi-simple", "upstream") from None
    return pypi_simple


def _session(settings: IndexSettings, *, verified: bool) -> requests.Session:
    import ssl
    from importlib.metadata import version

    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    class Patience(Retry):
        def get_retry_after(self, response: Any) -> float | None:
            wanted = super().get_retry_after(response)
            return wanted if wanted is None else min(wanted, _LONGEST_WAIT)

    class Adapter(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            # The certificates that the system trusts count besides those of requests, as in pip (24.2).
            super().init_poolmanager(*args, ssl_context=ssl.create_default_context(), **options)

    retry = Patience(
        total=settings.retries,
        backoff_factor=_BACKOFF,
        status_forcelist=_TRY_AGAIN,
        raise_on_status=False,
    )
    session = requests.Session()
    # Without certificates to check there is no context to check them with.
    for scheme, kind in (
        ("https://", Adapter if verified else HTTPAdapter),
        ("http://", HTTPAdapter),
    ):
        session.mount(scheme, kind(max_retries=retry, pool_maxsize=CONNECTIONS, pool_block=True))
    session.headers["User-Agent"] = f"wheelhouse-resolver/{version('wheelhouse-resolver')}"
    return session


def _options(url: str, settings: IndexSettings) -> dict[str, Any]:
    """What requests is given for each page of the index at *url*; for what is left out it asks netrc, ..."""
    found: dict[str, Any] = {"timeout": settings.wait or None}
    parts = urlsplit(url)
    if settings.proxy:
        found["proxies"] = dict.fromkeys(("http", "https"), settings.proxy)
    if settings.cert:
        found["verify"] = settings.cert
    if settings.client_cert:
        found["cert"] = settings.client_cert
    host = (parts.hostname or "").lower()
    if {host, f"{host}:{parts.port}"} & {each.lower() for each in settings.trusted}:
        found["verify"] = False
    if parts.username is not None:
        user = unquote(parts.username)
        password = unquote(parts.password) if parts.password is not None else _password(parts, user, settings)
        found["auth"] = (user, password)
    return found


def _password(parts: Any, user: str, settings: IndexSettings) -> str:
    """What `keyring` on PATH has for *user* of the index, as pip asks it."""
    import shutil

    from wheelhouse_resolver.utils.process import run

    program = shutil.which("keyring")
    if program is None or settings.keyring == "disabled":
        return ""
    host = parts.netloc.rpartition("@")[2]
    for service in (_without_user(parts.geturl()), host):
        with suppress(OSError):
            done = run([program, "get", service, user], timeout=60)
            if done.returncode == 0 and done.stdout.strip():
                return done.stdout.strip()
    return ""


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _max_age(headers: Mapping[str, str]) -> float:
    """For how long (s) an answer need not be asked for again (RFC 9111)."""
    said = headers.get("Cache-Control", "").lower()
    if "no-store" in said or "no-cache" in said:
        return 0
    found = _MAX_AGE.search(said)
    return min(int(found[1]), _FRESHEST) if found else 0


def _reason(error: Exception) -> str:
    """What went wrong, in short: what requests raises names all that was wrapped in it."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        inner = _innermost(error)
        accepted = "CERTIFICATE_VERIFY_FAILED" not in inner
        return f"{'TLS fails' if accepted else 'its certificate is not accepted'}: {inner}"
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy cannot be reached: {_innermost(error)}"
    if isinstance(error, requests.exceptions.Timeout):
        return "did not answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        inner = _innermost(error)
        return "did not answer in time" if "timed out" in inner else f"cannot be reached: {inner}"
    return (str(error).splitlines() or [type(error).__name__])[0]


def _innermost(error: BaseException) -> str:
    while True:
        below = [
            each
            for each in (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
            if isinstance(each, BaseException)
        ]
        if not below:
            break
        error = below[0]
    return reason_of(error) if isinstance(error, OSError) and error.strerror else str(error)


def _text_of(page: Any) -> str:
    """The text of what *page*, of pypi-simple, says."""
    files = (
        IndexFile(
            filename=each.filename,
            requires_python=each.requires_python or "",
            yanked=(each.yanked_reason or "") if each.is_yanked else None,
            uploaded=each.upload_time.timestamp() if each.upload_time is not None else None,
        )
        for each in page.packages
    )
    status = page.status.value if page.status is not None else ""
    return Page.of_files(files, "" if status == "active" else status).text
