"""Asking an index that runs in this process: what it is asked, and what comes of each of its answers."""

from __future__ import annotations

import os
import ssl
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import make_tree, run_pip
from tests.upkeep.index_server import Answer, IndexServer, Proxy, file, running_index, running_proxy
from wheelhouse_resolver.errors import MissingExtraError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import running_python
from wheelhouse_resolver.upkeep import fetching, page_cache
from wheelhouse_resolver.upkeep.fetching import ask_indexes, asking, kept_answers
from wheelhouse_resolver.upkeep.pages import Said
from wheelhouse_resolver.upkeep.pip_indexes import (
    Index,
    IndexSettings,
    NoIndexError,
    index_names,
    index_settings,
    settings_of,
)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexServer]:
    monkeypatch.setattr(fetching, "_BACKOFF", 0.001)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    with running_index() as server:
        yield server


class Authority:
    """An authority for certificates, in *directory*. *file*: its own; *client*: a user's, with the key."""

    def __init__(self, directory: Path) -> None:
        trustme = pytest.importorskip("trustme", reason="trustme is not installed (extra test)")
        self._authority = trustme.CA()
        self.file, self.client = str(directory / "ca.pem"), str(directory / "client.pem")
        self._authority.cert_pem.write_to_path(self.file)
        self._authority.issue_cert("me@example.org").private_key_and_cert_chain_pem.write_to_path(self.client)

    def context(self, *, of_client: bool = False) -> ssl.SSLContext:
        """For a server here; *of_client*: it asks for a certificate."""
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1").configure_cert(found)
        if of_client:
            self._authority.configure_trust(found)
            found.verify_mode = ssl.CERT_REQUIRED
            found.maximum_version = ssl.TLSVersion.TLSv1_2  # which refuses while the connection is made
        return found


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def tls_index(
    authority: Authority, index: IndexServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[IndexServer]:
    for name in (
        "HTTPS_PROXY",
        "https_proxy",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)
    with running_index(authority.context()) as server:
        yield server


def settings(*indexes: IndexServer | str, **more: object) -> IndexSettings:
    urls = (each if isinstance(each, str) else each.url for each in indexes)
    return IndexSettings(tuple(map(Index, urls)), retries=1)._replace(**more)  # type: ignore[arg-type]


def versions(said: Said) -> list[str]:
    assert said.page is not None, said.problem
    return [release.version for release in said.page.releases()]


def test_json_and_html(index: IndexServer) -> None:
    files = [
        file("demo-1.0.tar.gz", yanked="bad <one>", requires_python=">=3.8"),
        file("demo-2.0-py3-none-any.whl", requires_python=">=3.9"),
        file("demo-2.0-py3-none-win32.whl"),
    ]
    index.answers = {"demo": Answer(files), "page": Answer(files, html=True)}
    timed = file("timed-1.0.zip", **{"upload-time": "2026-01-02T03:04:05.678Z", "size": 1, "yanked": False})
    index.answers["timed"] = Answer([timed], project_status="archived")
    found = ask_indexes(["demo", "page", "timed", "none"], settings(index))
    assert found["demo"] == found["page"]
    page = found["demo"].page
    assert page is not None
    newest, older = page.releases()
    assert (newest.version, newest.files) == ("2.0", (("py3-none-any", ">=3.9"),))
    assert (older.version, older.yanked, older.files) == ("1.0", "bad <one>", ())
    assert found["none"] == Said()
    assert found["timed"].page is not None
    assert found["timed"].page.status == "archived"
    assert next(found["timed"].page.releases()).uploaded == 1767323046
    assert index.asked[0].headers["user-agent"].startswith("wheelhouse-resolver/")
    assert "application/vnd.pypi.simple.v1+json" in index.asked[0].headers["accept"]


def test_what_is_kept_is_asked_about_again_only_after_a_while_and_with_its_tag(index: IndexServer) -> None:
    fresh = {"Cache-Control": "public, max-age=600", "ETag": '"1"'}
    index.answers = {
        "fresh": Answer([file("fresh-1.0.zip")], headers=fresh),
        "tagged": Answer([file("tagged-1.0.zip")], headers={"ETag": '"a"', "Cache-Control": "max-age=0"}),
        "plain": Answer([file("plain-1.0.zip")], headers={"Cache-Control": "no-cache, max-age=600"}),
    }
    names = ["fresh", "tagged", "plain", "none"]
    first = ask_indexes(names, settings(index))
    index.asked.clear()
    assert ask_indexes(names, settings(index)) == first
    assert index.projects == ["none", "plain", "tagged"]
    tags = {each.project: each.headers.get("if-none-match") for each in index.asked}
    assert tags == {"none": None, "plain": None, "tagged": '"a"'}
    # A page that has changed since replaces what is kept.
    index.answers["tagged"] = Answer([file("tagged-2.0.zip")], headers={"ETag": '"b"'})
    assert versions(ask_indexes(names, settings(index))["tagged"]) == ["2.0"]
    index.asked.clear()
    kept = kept_answers([*names, "never"], [index.url])
    assert versions(kept["tagged"]) == ["2.0"]
    assert (kept["none"], kept["fresh"]) == (Said(), first["fresh"])
    assert kept["never"].problem == "never asked about it"
    assert not index.asked


def test_one_failing_project_does_not_end_the_run(index: IndexServer) -> None:
    index.answers = {
        "good": Answer([file("good-1.0.zip")]),
        "broken": Answer(status=500),
        "denied": Answer(status=403),
        "odd": Answer(body="{}"),
        "future": Answer([file("future-1.zip")], version="2.0"),
        "later": Answer([file("later-1.zip")], version="1.99"),
        "slow": Answer([file("slow-1.0.zip")], delay=0.6),
    }
    found = ask_indexes([*index.answers], settings(index, wait=0.2))
    assert versions(found["good"]) == ["1.0"]
    assert versions(found["later"]) == ["1"]
    name = index.url
    assert found["broken"].problem == f"{name}: HTTP 500 Internal Server Error"
    assert found["denied"].problem == f"{name}: HTTP 403 Forbidden (see netrc, keyring, index-url)"
    assert found["slow"].problem == f"{name}: did not answer in time"
    assert found["odd"].problem.startswith(f"{name}: its page cannot be read: ")
    assert found["future"].problem.startswith(f"{name}: ")
    # What may be another answer the next time is asked for again, as often as pip does.
    assert [index.projects.count(each) for each in ("good", "denied", "broken")] == [1, 1, 2]
    # What failed is not kept; what was kept before stays, and is no answer now.
    index.answers["good"] = Answer(status=500)
    assert ask_indexes(["good"], settings(index))["good"].problem
    assert versions(kept_answers(["good"], [name])["good"]) == ["1.0"]


def test_an_index_that_cannot_be_reached_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_BACKOFF", 0.001)
    with running_index() as server:
        url = server.url
    start = time.monotonic()
    found = ask_indexes([f"demo{number}" for number in range(500)], settings(url))
    problems = {said.problem for said in found.values()}
    assert problems == {f"{url}: cannot be reached: Connection refused"}
    assert time.monotonic() - start < 5


def test_few_connections_at_once(index: IndexServer) -> None:
    names = [f"demo{number}" for number in range(4 * fetching.CONNECTIONS)]
    index.answers = {name: Answer([file(f"{name}-1.0.zip")], delay=0.01) for name in names}
    seen: list[tuple[int, int]] = []
    found = ask_indexes(names, settings(index), progress=lambda done, total: seen.append((done, total)))
    assert [*map(versions, found.values())] == [["1.0"]] * len(names)
    assert 1 < index.most_at_once <= fetching.CONNECTIONS
    assert seen[-1] == (len(names), len(names))


@pytest.mark.parametrize("way", ["url", "netrc", "NETRC", "keyring"])
def test_credentials(way: str, index: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.user = "me:p@ss"
    index.answers = {"demo": Answer([file("demo-1.0.zip")])}
    url = index.url
    denied = ask_indexes(["demo"], settings(url))["demo"]
    assert denied.problem == f"{url}: HTTP 401 Unauthorized (see netrc, keyring, index-url)"
    if way == "url":
        url = url.replace("://", "://me:p%40ss@")
    elif way in ("netrc", "NETRC"):
        path = Path(os.environ["HOME"], ".netrc") if way == "netrc" else tmp_path / "passwords"
        if way == "NETRC":
            monkeypatch.setenv(way, str(path))
        path.write_text("machine 127.0.0.1 login me password p@ss\n")
        path.chmod(0o600)
    else:
        program = tmp_path / "keyring"
        program.write_text(f'#!/bin/sh\n[ "$*" = "get {url} me" ] && echo p@ss\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        url = url.replace("://", "://me@")
    assert versions(ask_indexes(["demo"], settings(url))["demo"]) == ["1.0"]
    # No secret is kept, and what is kept is this user's alone.
    (kept,) = Path(os.environ["HOME"], ".cache/wheelhouse-resolver").glob("index-pages*")
    assert b"p@ss" not in kept.read_bytes()
    assert b"p%40ss" not in kept.read_bytes()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert versions(kept_answers(["demo"], [index.url])["demo"]) == ["1.0"]


def test_several_indexes_are_asked_as_pip_asks_them(index: IndexServer, tmp_path: Path) -> None:
    index.answers = {"demo": Answer([file("demo-1.0.zip")]), "fails": Answer(status=404)}
    (tmp_path / "local/demo").mkdir(parents=True)
    (tmp_path / "local/demo/index.html").write_text(
        '<a href="demo-2.0.zip" data-yanked="no">demo-2.0.zip</a>'
    )
    more = (tmp_path / "local").as_uri()
    with running_index() as other:
        other.answers = {"demo": Answer([file("demo-3.0.zip")]), "fails": Answer(status=500)}
        both = settings(index, more, other)
        found = ask_indexes(["demo", "fails"], both)
    assert versions(found["demo"]) == ["3.0", "2.0", "1.0"]
    # It may be what is newest: so that is not known.
    assert found["fails"].problem == f"{other.url}: HTTP 500 Internal Server Error"
    # An index on a filesystem is read offline, too.
    assert versions(kept_answers(["demo"], [each.name for each in both.indexes])["demo"]) == [
        "3.0",
        "2.0",
        "1.0",
    ]


def test_a_proxy_of_pips_configuration(index: IndexServer) -> None:
    index.answers = {"demo": Answer([file("demo-1.0.zip")])}
    proxy = index.url.removesuffix("/simple")
    found = ask_indexes(["demo"], settings("http://index.example.org/simple", proxy=proxy))
    assert versions(found["demo"]) == ["1.0"]
    assert index.asked[0].headers["host"] == "index.example.org"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running_proxy() as found:
        found.user = "me:p@ss"
        yield found


@pytest.mark.parametrize("way", ["setting", "variable"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_proxy_that_asks_who_one_is(
    tls: bool, way: str, tls_index: IndexServer, index: IndexServer, proxy: Proxy, authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    asked = tls_index if tls else index
    asked.answers = {"demo": Answer([file("demo-1.0.zip")])}

    def said(user: str) -> Said:
        address = f"http://{user}{proxy.address}" if user else proxy.address
        if way == "setting":
            return ask_indexes(["demo"], settings(asked, proxy=address, cert=authority.file))["demo"]
        monkeypatch.setenv("https_proxy" if tls else "http_proxy", address)
        return ask_indexes(["demo"], settings(asked, cert=authority.file))["demo"]

    denied = "the proxy cannot be reached: Tunnel connection failed: 407" if tls else "HTTP 407"
    for wrong in ("", "me:wrong@"):
        problem = said(wrong).problem
        assert problem == f"{asked.url}: {denied} Proxy Authentication Required"
    assert versions(said("me:p%40ss@")) == ["1.0"]
    target = asked.url.removeprefix("https://").removesuffix("/simple")
    assert {*proxy.asked} == {("CONNECT", target) if tls else ("GET", f"{asked.url}/demo/")}


class TestTLS:
    """With certificates of an authority that nobody here trusts otherwise."""

    def ask(self, index: IndexServer, **more: object) -> Said:
        index.answers = {"demo": Answer([file("demo-1.0.zip")])}
        return ask_indexes(["demo"], settings(index, **more))["demo"]

    def test_a_certificate_that_is_not_trusted(self, tls_index: IndexServer) -> None:
        problem = self.ask(tls_index).problem
        assert problem.startswith(f"{tls_index.url}: its certificate is not accepted: ")
        assert "certificate verify failed" in problem
        assert not tls_index.asked

    @pytest.mark.parametrize("way", ["cert", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
    def test_one_of_an_authority_that_the_settings_or_the_system_name(
        self, way: str, tls_index: IndexServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if way == "cert":
            assert versions(self.ask(tls_index, cert=authority.file)) == ["1.0"]
        else:
            monkeypatch.setenv(way, authority.file)
            assert versions(self.ask(tls_index)) == ["1.0"]

    def test_what_the_system_trusts_counts_beside_a_host_whose_certificate_is_not_looked_at(
        self, tls_index: IndexServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", authority.file)
        assert versions(self.ask(tls_index, trusted=("other.example.org",))) == ["1.0"]

    @pytest.mark.parametrize("port", [True, False])
    def test_a_trusted_host(self, port: bool, tls_index: IndexServer) -> None:
        host = tls_index.url.split("/")[2]
        assert self.ask(tls_index, trusted=("127.0.0.1:1", "127.0.0.2")).problem
        found = self.ask(tls_index, trusted=(host if port else "127.0.0.1",))
        assert versions(found) == ["1.0"]

    def test_a_server_that_asks_for_a_certificate(self, authority: Authority) -> None:
        with running_index(authority.context(of_client=True)) as index:
            refused = self.ask(index, cert=authority.file).problem
            assert versions(self.ask(index, cert=authority.file, client_cert=authority.client)) == ["1.0"]
        assert refused.startswith(f"{index.url}: TLS fails: ")

    @pytest.mark.parametrize(
        ("option", "problem"),
        [
            ("cert", "Could not find a suitable TLS CA certificate bundle, invalid path: /nowhere.pem"),
            ("client_cert", "Could not find the TLS certificate file, invalid path: /nowhere.pem"),
        ],
    )
    def test_a_file_that_is_not_there(self, option: str, problem: str, tls_index: IndexServer) -> None:
        assert self.ask(tls_index, **{option: "/nowhere.pem"}).problem == f"{tls_index.url}: {problem}"

    @pytest.mark.slow
    def test_as_pips_own_configuration_says(
        self, tls_index: IndexServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """pip takes what these say, and so does what asks for it."""
        user = tls_index.url.replace("://", "://me:p%40ss@")
        file_of_pip = tmp_path / "pip.conf"
        file_of_pip.write_text(f"[global]\ncert = {authority.file}\nindex-url = {user}\nretries = 0\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(file_of_pip))
        for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "PIP_CERT", "PIP_FIND_LINKS"):
            monkeypatch.delenv(name, raising=False)
        tls_index.user = "me:p@ss"
        tls_index.answers = {"demo": Answer([file("demo-1.0.zip")])}
        ask = asking(make_tree(tmp_path / "house", {}), Host(python=running_python()))
        assert versions(ask(["demo"])["demo"]) == ["1.0"]
        assert "demo (1.0)" in run_pip("index", "versions", "demo", environ={**os.environ}).stdout


def test_a_cache_that_is_damaged_is_made_anew(index: IndexServer) -> None:
    index.answers = {"demo": Answer([file("demo-1.0.zip")])}
    ask_indexes(["demo"], settings(index))
    (path,) = Path(os.environ["HOME"], ".cache/wheelhouse-resolver").glob("index-pages*")
    path.write_bytes(b"damaged" * 1000)
    assert kept_answers(["demo"], [index.url])["demo"].problem == "never asked about it"
    ask_indexes(["demo"], settings(index))
    assert versions(kept_answers(["demo"], [index.url])["demo"]) == ["1.0"]
    # What a killed run left, long ago, is removed; what another run is writing stays.
    old, new = (path.with_name(f"{path.name}.{name}~") for name in ("old", "new"))
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    new.write_bytes(b"")
    ask_indexes(["demo"], settings(index))
    assert (old.exists(), new.exists()) == (False, True)


def test_pages_that_nobody_asked_for_in_half_a_year_are_dropped() -> None:
    now = time.time()
    page_cache.save({("x", "old"): page_cache.Kept(now - 200 * 86400), ("x", "new"): page_cache.Kept(now)})
    assert [*page_cache.load(["x"], ["old", "new"])] == [("x", "new")]


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypi_simple", None)
    with pytest.raises(MissingExtraError, match="needs pypi-simple, which is not installed") as caught:
        ask_indexes(["demo"], settings("http://127.0.0.1:9/simple"))
    assert caught.value.hint.endswith(" -m pip install 'pypi-simple>=1.8'")


# -- pip's configuration -----------------------------------------------------------------------------------

LISTING = r"""
global.index-url='https://me:secret@one.example.org/simple/'
global.extra-index-url='\nhttps://two.example.org/simple\nhttps://three.example.org/simple'
global.proxy='proxy.example.org:3128'
global.timeout='60'
install.retries='2'
install.cert='/etc/ca.pem'
download.index-url='https://other.example.org/simple'
:env:.trusted-host='a.example.org b.example.org:8443'
:env:.timeout='7'
:env:.keyring-provider='disabled'
"""


def test_pips_settings() -> None:
    found = settings_of(LISTING)
    assert [each.name for each in found.indexes] == [
        "https://one.example.org/simple",
        "https://two.example.org/simple",
        "https://three.example.org/simple",
    ]
    assert found.indexes[0].url == "https://me:secret@one.example.org/simple"
    assert found[1:] == (
        "proxy.example.org:3128", "/etc/ca.pem", "", ("a.example.org", "b.example.org:8443"), 7.0, 2,
        "disabled",
    )  # fmt: skip
    assert settings_of("global.no-index='yes'").indexes == ()
    assert settings_of("global.no-index='yes'\n:env:.no-index='0'").indexes == (Index(""),)
    assert settings_of("") == IndexSettings((Index(""),))
    assert settings_of("global.timeout='never'").wait == 15


def test_the_settings_are_those_that_pip_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = http://me:secret@one.example.org/simple\n[install]\nretries = 9\n")
    environ = {**os.environ, "PIP_CONFIG_FILE": str(file), "PIP_EXTRA_INDEX_URL": "http://two.example.org/"}
    environ["PIP_QUIET"] = "3"
    for name in ("PIP_INDEX_URL", "PIP_NO_INDEX"):
        environ.pop(name, None)
    found = index_settings(running_python(), environ)
    assert [each.url for each in found.indexes] == [
        "http://me:secret@one.example.org/simple", "http://two.example.org",
    ]  # fmt: skip
    assert found.retries == 9
    names = ["http://one.example.org/simple", "http://two.example.org"]
    assert index_names(running_python(), environ) == names
    with monkeypatch.context() as patch:
        patch.setattr("wheelhouse_resolver.upkeep.pip_indexes.run", None)  # remembered: pip is not asked
        assert index_names(running_python(), environ) == names
    cached = Path(os.environ["HOME"], ".cache/wheelhouse-resolver").glob("indexes-*")
    assert all(b"secret" not in each.read_bytes() for each in cached)
    file.write_text("[global]\nindex-url = http://new.example.org/simple\n")
    assert index_names(running_python(), environ)[0] == "http://new.example.org/simple"


def test_the_sites_own_index_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_tree(tmp_path / "house", {})
    site = site._replace(tables={"index": {"directory": f"{tmp_path}/index"}})
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "index/avx2-gentoo").as_uri())
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_NO_INDEX", raising=False)
    host = Host(python=running_python())
    with pytest.raises(NoIndexError, match="pip is configured to ask no index") as caught:
        asking(site, host)
    assert "PIP_NO_INDEX=0" in caught.value.hint


@pytest.mark.network
def test_a_real_index(tmp_path: Path) -> None:
    """What pip says is the newest version, and what we say."""
    ask = asking(make_tree(tmp_path, {}), Host(python=running_python()))
    found = ask(["wheel", "surely-no-such-project-anywhere"])
    said = run_pip("index", "versions", "wheel").stdout
    assert f"wheel ({versions(found['wheel'])[0]})" in said
    assert found["surely-no-such-project-anywhere"] == Said()
