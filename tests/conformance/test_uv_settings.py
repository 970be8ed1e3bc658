"""What uv makes of the settings that we write, beside what users have of their own."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.conformance.uv import settings_for, taken_by
from tests.factories import make_tree, make_wheel, pip_report
from tests.pips import pip_environ
from tests.programs import Failed, Program, program_of, write_index
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import PipConfig, pip_config
from wheelhouse_resolver.selection.uv_constraints import constraints_for_uv
from wheelhouse_resolver.site.model import Site

HOST = Host(arch="avx2", layer="gentoo")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing of it."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


FORMS = ("uv", "uv-find-links", "json")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    wheels = {
        "gentoo/avx2": ["demo-1.0-py3-none-any.whl"],
        "generic": ["demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl", "last-1.0-py3-none-any.whl"],
    }
    return make_tree(tmp_path / "tree", wheels)


def config_of(site: Site, table: Mapping[str, Any], *, offline: bool = False) -> PipConfig:
    return pip_config(site._replace(pip=MappingProxyType(dict(table))), HOST, offline=offline)


def make_index(root: Path, *filenames: str, mark: str = "index") -> str:
    """The URL of an index of files."""
    made = [
        make_wheel(root / "wheels", each, files={f"{each.split('-')[0]}.py": f"MARK = {mark!r}\n"})
        for each in filenames
    ]
    return write_index(root / "simple", made)


@pytest.mark.parametrize("form", FORMS)
def test_offline_what_the_cache_knows_of_an_index_does_not_count(
    form: str, uv: Program, site: Site, tmp_path: Path
) -> None:
    root = make_index(tmp_path, "demo-9.0-py3-none-any.whl").removeprefix("file://")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=root)) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        table = {"index-url": f"http://127.0.0.1:{server.server_port}"}
        online = settings_for(config_of(site, table), form, tmp_path)
        assert taken_by(uv, ["demo"], online, tmp_path / "work") == {"demo": "index"}
        server.shutdown()
    offline = settings_for(config_of(site, table, offline=True), form, tmp_path)
    found = taken_by(uv, ["demo", "last"], offline, tmp_path / "work")
    assert found["demo"] == "generic/demo-2.0-py3-none-any.whl"
    with pytest.raises(Failed, match="nothing-of-ours"):
        taken_by(uv, ["nothing-of-ours"], offline, tmp_path / "work")


@pytest.mark.parametrize("offline", [True, False])
def test_a_default_index_of_the_user_s_hides_no_directory(
    offline: bool, uv: Program, site: Site, tmp_path: Path
) -> None:
    index = make_index(tmp_path, "demo-1.0-9-py3-none-any.whl", "else-1.0-py3-none-any.whl")
    table = {} if offline else {"index-url": "file:///nowhere"}
    for where, text in {
        "site": config_of(site, table, offline=offline).render("uv"),
        "user": f'[[index]]\nurl = "{index}"\ndefault = true\n',
    }.items():
        (tmp_path / where / "uv").mkdir(parents=True)
        (tmp_path / where / "uv/uv.toml").write_text(text)
    places = {"XDG_CONFIG_DIRS": str(tmp_path / "site"), "XDG_CONFIG_HOME": str(tmp_path / "user")}
    found = taken_by(uv, ["demo==1.0", "last", "else"], places, tmp_path / "work")
    assert found == {
        "demo": "gentoo/avx2/demo-1.0-py3-none-any.whl",
        "last": "generic/last-1.0-py3-none-any.whl",
        "else": "index",
    }


def test_exclude_newer_hides_nothing_of_ours(uv: Program, site: Site, tmp_path: Path) -> None:
    long_ago = {"UV_EXCLUDE_NEWER": "2020-01-01T00:00:00Z"}
    ours = settings_for(config_of(site, {}, offline=True), "uv", tmp_path)
    found = taken_by(uv, ["demo", "last"], {**ours, **long_ago}, tmp_path / "work")
    assert found["demo"] == "generic/demo-2.0-py3-none-any.whl"


def test_of_several_indexes_uv_takes_what_pip_takes(
    uv: Program, newest_pip: list[str], site: Site, tmp_path: Path
) -> None:
    names = ("main", "one", "two")
    wheels = {
        "main": ["a-1.0-py3-none-any.whl", "b-2.0-py3-none-any.whl", "c-1.0-py3-none-any.whl"],
        "one": ["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl", "c-1.0-py3-none-any.whl"],
        "two": ["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"],
    }
    main, one, two = (make_index(tmp_path / name, *wheels[name], mark=name) for name in names)
    config = config_of(site, {"index-url": main, "extra-index-url": (one, two)})
    expected = {"a": "two", "b": "main", "c": "one"}
    for form in FORMS:
        assert taken_by(uv, "abc", settings_for(config, form, tmp_path), tmp_path / form) == expected
    told = pip_report("a", "b", "c", pip=newest_pip, environ=pip_environ(**config.environment()))
    found = {name: next(each for each in names if f"/{each}/" in url) for name, url in told.items()}
    assert found == expected


def test_constraints_in_the_file(uv: Program, site: Site, tmp_path: Path) -> None:
    """`uv pip` obeys them; a project's lock has its own."""
    (tmp_path / "limits.txt").write_text(
        'demo<2 ; python_version > "3"\nlast @ file:///nowhere/last-1.0-py3-none-any.whl\n'
    )
    table = MappingProxyType({"constraint": str(tmp_path / "limits.txt")})
    config = config_of(site, table, offline=True)
    settings = settings_for(
        config._replace(constraints=constraints_for_uv(site._replace(pip=table))), "uv", tmp_path
    )
    assert taken_by(uv, ["demo"], settings, tmp_path / "work") == {
        "demo": "gentoo/avx2/demo-1.0-py3-none-any.whl"
    }
    with pytest.raises(Failed, match="nowhere/last-1"):
        taken_by(uv, ["last"], settings, tmp_path / "work")
    project = tmp_path / "project"
    project.mkdir()
    text = '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.8"\ndependencies = ["demo"]\n'
    (project / "pyproject.toml").write_text(text)
    environ = pip_environ(UV_CACHE_DIR=str(tmp_path / "cache"), UV_PYTHON=uv.python, **settings)
    del environ["UV_NO_CONFIG"]
    done = subprocess.run([*uv.command, "lock"], cwd=project, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert 'name = "demo"\nversion = "2.0"' in (project / "uv.lock").read_text()


def test_hashes_that_the_site_wants(uv: Program, site: Site, tmp_path: Path) -> None:
    config = config_of(site, {"require-hashes": True}, offline=True)
    with pytest.raises(Failed, match="--require-hashes"):
        taken_by(uv, ["demo"], settings_for(config, "uv", tmp_path), tmp_path / "work")


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(("release", "flat"), [("uv==0.6.10", False), ("uv==0.6.11", True)])
def test_since_when_uv_reads_flat_indexes(
    release: str, flat: bool, pips_directory: Path, site: Site, tmp_path: Path
) -> None:
    old = program_of(release, pips_directory)
    config = config_of(site, {}, offline=True)
    settings = settings_for(config, "uv-find-links", tmp_path)
    assert taken_by(old, ["last"], settings, tmp_path / "work")
    settings = settings_for(config, "uv", tmp_path)
    if flat:
        assert taken_by(old, ["last"], settings, tmp_path / "work")
    else:
        with pytest.raises(Failed, match="last was not found in the package registry"):
            taken_by(old, ["last"], settings, tmp_path / "work")
