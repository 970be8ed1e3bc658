"""What a module file says, and what is refused; what the engines do with it is in tests/modules."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.factories import clean_environ, make_tree, run_cli
from wheelhouse_resolver.errors import UnknownLayerError, UnsafeValueError
from wheelhouse_resolver.installers.modulefile import DIALECTS, dynamic_modulefile, static_modulefile
from wheelhouse_resolver.site.model import Site

SITE = Site.default("/w")

both = pytest.mark.parametrize("dialect", DIALECTS)


@both
class TestRefusals:
    @pytest.mark.parametrize("path", ["/a\nb", "/a\tb", "/a\x1bb", "/a\x85b", "/a\u2028b", "/a\udcffb"])
    def test_what_would_break_a_line(self, path: str, dialect: str) -> None:
        attempts: list[Callable[[], str]] = [
            lambda: static_modulefile(SITE, "nix", dialect, path),
            lambda: static_modulefile(SITE._replace(root=path), "nix", dialect, "/pip"),
            lambda: static_modulefile(SITE._replace(source=path), "nix", dialect, "/pip"),
            lambda: dynamic_modulefile(SITE._replace(root=path), "nix", dialect, ["/x"]),
            lambda: dynamic_modulefile(SITE, "nix", dialect, [path]),
        ]
        for make in attempts:
            with pytest.raises(UnsafeValueError) as caught:
                make()
            assert str(caught.value).isprintable()

    def test_a_layer_that_the_site_does_not_have(self, dialect: str) -> None:
        with pytest.raises(UnknownLayerError, match="gentoo"):
            static_modulefile(SITE, "genttoo", dialect, "/pip")
        with pytest.raises(UnknownLayerError, match="gentoo"):
            dynamic_modulefile(SITE, "genttoo", dialect, ["/x"])


def test_a_colon_is_refused_for_environment_modules_only() -> None:
    for site, directory in [
        (SITE, "/a:b"),
        (SITE._replace(root="/a:b"), "/pip"),
        (SITE._replace(source="/a:b"), "/pip"),
    ]:
        with pytest.raises(UnsafeValueError, match="colon"):
            static_modulefile(site, "nix", "tcl", directory)
        assert "/a:b" in static_modulefile(site, "nix", "lmod", directory)


@pytest.mark.parametrize("value", ["/x/$HOME", "/x/`id`"])
def test_what_source_sh_would_change_is_refused(value: str) -> None:
    site = SITE._replace(pip=MappingProxyType({"cert": value}))
    with pytest.raises(UnsafeValueError, match=r"\[pip\] cert"):
        dynamic_modulefile(site, "nix", "tcl", ["/x"])
    assert "pip-conf" in dynamic_modulefile(site, "nix", "lmod", ["/x"])


@both
def test_a_relative_directory_is_where_it_is_now(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/usr")
    assert '"/usr/pip"' in static_modulefile(SITE, None, dialect, "pip")


@both
def test_the_site_file_if_there_is_one_is_what_our_commands_are_told(dialect: str) -> None:
    made = static_modulefile(SITE._replace(source="/etc/site.toml"), "nix", dialect, "/pip")
    assert "WHEELHOUSE_CONFIG" in made
    assert "WHEELHOUSE_ROOT" not in made
    assert "--config" in dynamic_modulefile(SITE._replace(source="/etc/site.toml"), "nix", dialect, ["/x"])
    assert "--root" in dynamic_modulefile(SITE, "nix", dialect, ["/x"])


@both
def test_the_same_site_gives_the_same_file(dialect: str) -> None:
    """So that a site can keep it under version control."""
    assert len({static_modulefile(SITE, "nix", dialect, "/pip") for _ in range(3)}) == 1


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_the_lua_is_lua_of_every_version(kind: str, tmp_path: Path) -> None:
    found = [each for each in ("luac5.1", "luac5.3", "luac5.4", "luac") if shutil.which(each)]
    if not found:
        pytest.skip("no luac is installed")
    path = tmp_path / "x.lua"
    make = static_modulefile(SITE, "nix", "lmod", "/pip") if kind == "static" else None
    path.write_text(make or dynamic_modulefile(SITE, "nix", "lmod", ["/x"]))
    for luac in found:
        assert subprocess.run([luac, "-p", str(path)]).returncode == 0


class TestCommandLine:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        make_tree(tmp_path / "w", {})
        return tmp_path / "w"

    @both
    def test_static(self, dialect: str, root: Path, tmp_path: Path) -> None:
        asked = [
            "modulefile",
            "--dialect",
            dialect,
            "--static",
            "/pip",
            "--layer",
            "nix",
            "--root",
            str(root),
        ]
        done = run_cli(*asked)
        site = Site.default(root)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == static_modulefile(site, "nix", dialect, "/pip")
        assert run_cli(*asked, "--output", tmp_path / "x").stdout == ""
        assert (tmp_path / "x").read_text() == done.stdout

    @both
    def test_dynamic(self, dialect: str, root: Path) -> None:
        done = run_cli("modulefile", "--dialect", dialect, "--dynamic", "--layer", "none", "--root", root)
        command = [sys.executable, "-m", "wheelhouse_resolver"]
        assert done.stdout == dynamic_modulefile(Site.default(root), None, dialect, command)

    def test_the_detected_layer_is_the_default(self, root: Path) -> None:
        environ = clean_environ(WHEELHOUSE_LAYER="gentoo")
        done = run_cli("modulefile", "--dialect", "lmod", "--static", "/p", "--root", root, environ=environ)
        assert 'pushenv("WHEELHOUSE_LAYER", "gentoo")' in done.stdout

    @pytest.mark.parametrize(
        ("more", "problem"),
        [
            (["--static", "/a\nb", "--layer", "nix"], "--static"),
            (["--static", "/a:b", "--layer", "nix"], "colon"),
            (["--static", "/pip", "--layer", "zzz"], "zzz"),
            (["--layer", "nix"], "required"),
            (["--static", "/pip", "--dynamic"], "not allowed"),
        ],
    )
    def test_bad_input_is_an_error_of_one_line(self, more: list[str], problem: str, root: Path) -> None:
        done = run_cli("modulefile", "--dialect", "tcl", "--root", root, *more)
        assert (done.returncode, done.stdout) == (2, "")
        line = done.stderr.rstrip("\n").split("\n")[-1]
        assert "error: " in line
        assert problem in line
        assert "Traceback" not in done.stderr
