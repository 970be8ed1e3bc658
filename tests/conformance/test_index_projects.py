"""What a static index gives to those who pin and lock: hashes with pip, projects with uv, a server, a move.

`docs/static-index.md` says the same to users.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.factories import clean_environ, make_tree
from tests.programs import program_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.index import write_index
from wheelhouse_resolver.utils.urls import file_url

pytestmark = pytest.mark.network

AVX2, AVX512, GENERIC = "avx2-gentoo", "avx512-gentoo", "generic"

WHEEL = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def sw(tmp_path: Path) -> Path:
    """A software tree: `wheelhouse`, unstamped, with builds of demo 1.0 in three directories; `index`."""
    place = tmp_path / "sw"
    make_tree(place / "wheelhouse", {label: [WHEEL] for label in ("generic", "gentoo/avx2", "gentoo/avx512")})
    assert not write_index(Site.default(place / "wheelhouse"), str(place / "index")).left_out
    return place


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The URL of a static web server of *directory*."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Project:
    """A project of uv's in a directory of its own, on hosts whose configuration names *index*."""

    def __init__(self, directory: Path, tools: Path, *, own_index: str | None = None) -> None:
        directory.mkdir()
        self.directory, self._uv = directory, program_of("uv", tools)
        text = (
            '[project]\nname = "mine"\nversion = "0"\nrequires-python = ">=3.10"\ndependencies = ["demo"]\n'
        )
        if own_index:
            text += f'[[tool.uv.index]]\nname = "portable"\nurl = "{own_index}"\ndefault = true\n'
        (directory / "pyproject.toml").write_text(text)

    def uv(self, index: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run uv with these *arguments* where the site's index is at the URL *index*."""
        etc = self.directory.parent / "etc" / "uv"
        etc.mkdir(parents=True, exist_ok=True)
        entry = f'[[index]]\nname = "wheelhouse"\nurl = "{index}"\ndefault = true\n'
        (etc / "uv.toml").write_text(f'index-strategy = "unsafe-best-match"\n{entry}')
        environ = clean_environ(
            XDG_CONFIG_DIRS=str(etc.parent),
            HOME=str(self.directory.parent),
            UV_CACHE_DIR=str(self.directory.parent / "uv-cache"),
            UV_PYTHON=sys.executable,
            UV_LINK_MODE="copy",
        )
        del environ["VIRTUAL_ENV"], environ["UV_NO_CONFIG"]
        return subprocess.run(
            [*self._uv.command, *arguments],
            cwd=self.directory,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def installed(self, index: str, *options: str) -> str:
        """The build that `uv sync` with *options* installs, or what it says."""
        shutil.rmtree(self.directory / ".venv", ignore_errors=True)
        done = self.uv(index, "sync", *options)
        found = [*self.directory.glob(".venv/lib/python*/site-packages/demo.py")]
        return found[0].read_text().split("'")[1] if found else done.stderr


def url(sw: Path, kind: str) -> str:
    """The index of that *kind* of host, as it is on the filesystem."""
    return file_url(str(sw / "index" / kind))


def test_a_lock_of_uv_holds_the_hash_and_the_build_of_one_kind_of_host(
    sw: Path, tmp_path: Path, pips_directory: Path
) -> None:
    project = Project(tmp_path / "project", pips_directory)
    assert project.uv(url(sw, AVX2), "lock").returncode == 0
    assert "sha256:" in (project.directory / "uv.lock").read_text()
    assert project.installed(url(sw, AVX2), "--locked") == f"gentoo/avx2/{WHEEL}"
    # Another kind of host: the lock is refused, or taken as it is, with the build of the other kind.
    assert "needs to be updated" in project.installed(url(sw, AVX512), "--locked")
    assert project.installed(url(sw, AVX512), "--frozen") == f"gentoo/avx2/{WHEEL}"
    # A tree that is elsewhere: likewise, and the files of the lock have gone.
    moved = sw.rename(sw.with_name("moved"))
    assert "needs to be updated" in project.installed(url(moved, AVX2), "--locked")
    assert "demo-1.0" in project.installed(url(moved, AVX2), "--frozen", "--no-cache")


def test_a_lock_of_the_generic_index_is_one_for_all_kinds_of_host(
    sw: Path, tmp_path: Path, pips_directory: Path
) -> None:
    project = Project(tmp_path / "project", pips_directory, own_index="../sw/index/generic")
    assert project.uv(url(sw, AVX2), "lock").returncode == 0
    for kind in (AVX2, AVX512, GENERIC):
        assert project.installed(url(sw, kind), "--locked") == f"generic/{WHEEL}"
    # The URL is relative: project and tree may move together.
    shutil.rmtree(project.directory / ".venv")
    (tmp_path / "moved").mkdir()
    moved = sw.rename(tmp_path / "moved" / "sw")
    project.directory = project.directory.rename(tmp_path / "moved" / "project")
    assert project.installed(url(moved, AVX512), "--locked") == f"generic/{WHEEL}"


def hashes_on(sw: Path, kind: str) -> list[str]:
    """The hashes on the page of that *kind* of host, as pip wants them."""
    page = (sw / "index" / kind / "demo" / "index.html").read_text()
    return [f"--hash=sha256:{digest}" for digest in re.findall("#sha256=([0-9a-f]{64})", page)]


def pip_install(index: str, requirements: str, work: Path, environ: Mapping[str, str] = {}) -> str:
    """The build that pip installs for *requirements*, or what it says."""
    (work / "requirements.txt").write_text(requirements)
    target = work / "target"
    shutil.rmtree(target, ignore_errors=True)
    options = ["--no-deps", "--no-cache-dir", "--require-hashes", "--quiet", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", *options, "--index-url", index]
    done = subprocess.run(
        [*command, "-r", str(work / "requirements.txt")],
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        check=False,
    )
    found = target / "demo.py"
    return found.read_text().split("'")[1] if found.exists() else done.stderr


def test_hashes_that_pip_requires(sw: Path, tmp_path: Path) -> None:
    own, other = hashes_on(sw, AVX2), hashes_on(sw, AVX512)
    assert pip_install(url(sw, AVX2), f"demo==1.0 {own[0]}\n", tmp_path) == f"gentoo/avx2/{WHEEL}"
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in pip_install(
        url(sw, AVX512), f"demo==1.0 {own[0]}\n", tmp_path
    )
    # One file for several kinds of host names the hashes of all their builds.
    both = f"demo==1.0 {own[0]} {other[0]}\n"
    assert pip_install(url(sw, AVX512), both, tmp_path) == f"gentoo/avx512/{WHEEL}"


@pytest.mark.parametrize("release", ["pip", "uv"])
def test_from_a_static_web_server(sw: Path, tmp_path: Path, release: str, pips_directory: Path) -> None:
    program = program_of(release, pips_directory)
    with served(tmp_path) as server:
        index = f"{server}/sw/index/{AVX512}"
        if release == "pip":
            assert pip_install(index, f"demo==1.0 {hashes_on(sw, AVX512)[0]}\n", tmp_path) == (
                f"gentoo/avx512/{WHEEL}"
            )
        else:
            assert program.install([], ["demo"], tmp_path / "work", index=index) == {
                "demo": f"gentoo/avx512/{WHEEL}"
            }
