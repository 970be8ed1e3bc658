"""What a module file says, and what is refused; what the engines do with it is in tests/modules."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.factories import clean_environ, make_tree, run_cli
from wheelhouse_resolver.cli.main import main
from wheelhouse_resolver.errors import SiteFileError, UnknownLayerError, UnsafeValueError
from wheelhouse_resolver.installers.modulefile import DIALECTS, dynamic_modulefile, static_modulefile
from wheelhouse_resolver.installers.pip_config import static_configs
from wheelhouse_resolver.installers.static_files import write_static_configs
from wheelhouse_resolver.installers.template_files import filled, template, template_path
from wheelhouse_resolver.site.model import Site

SITE = Site.default("/w")

#: The templates of module files.
PARTS = ("head", "static", "file", "xdg", "dynamic", "foot")


def with_file(path: str, *options: str) -> Site:
    """A site that was loaded with `--config PATH` and more *options*."""
    return SITE._replace(source=path, options=("--config", path, *options))


both = pytest.mark.parametrize("dialect", DIALECTS)


@both
class TestRefusals:
    @pytest.mark.parametrize("path", ["/a\nb", "/a\tb", "/a\x1bb", "/a\x85b", "/a\u2028b", "/a\udcffb"])
    def test_what_would_break_a_line(self, path: str, dialect: str) -> None:
        attempts: list[Callable[[], str]] = [
            lambda: static_modulefile(SITE, "nix", dialect, path),
            lambda: static_modulefile(SITE._replace(root=path), "nix", dialect, "/pip"),
            lambda: static_modulefile(with_file(path), "nix", dialect, "/pip"),
            lambda: dynamic_modulefile(SITE._replace(root=path), "nix", dialect, ["/x"]),
            lambda: dynamic_modulefile(with_file(path), "nix", dialect, ["/x"]),
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
        (Site.default("/a:b"), "/pip"),
        (with_file("/a:b"), "/pip"),
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
def test_our_commands_find_the_site_by_the_options_that_led_to_it(dialect: str) -> None:
    sites = {
        ("--config",): with_file("/etc/site.toml"),
        ("--root",): SITE,
        ("--config", "--root"): with_file("/etc/site.toml", "--root", "/w"),
    }
    for options, site in sites.items():
        static = static_modulefile(site, "nix", dialect, "/pip")
        dynamic = dynamic_modulefile(site, "nix", dialect, ["/x"])
        for option, variable in (("--config", "WHEELHOUSE_CONFIG"), ("--root", "WHEELHOUSE_ROOT")):
            assert (variable in static) == (variable in dynamic) == (option in dynamic)
            assert (option in dynamic) == (option in options)


@both
def test_a_site_that_was_found_without_options_is_named_all_the_same(dialect: str) -> None:
    found = SITE._replace(source="/etc/xdg/site.toml", options=())
    assert "/etc/xdg/site.toml" in static_modulefile(found, "nix", dialect, "/pip")
    assert "--config /etc/xdg/site.toml" in dynamic_modulefile(found, "nix", "lmod", ["/x"])


@both
def test_the_same_site_gives_the_same_file(dialect: str) -> None:
    """So that a site can keep it under version control."""
    assert len({static_modulefile(SITE, "nix", dialect, "/pip") for _ in range(3)}) == 1


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('cache-dir = "~/cache"', "[uv] cache-dir: '~/cache' is not an absolute path"),
        ('cache-dir = "cache"', "[uv] cache-dir: 'cache' is not an absolute path"),
        ('cache-dir = "${SCRATCH:-/tmp}/x"', "[uv] cache-dir: holds a $ that is not of $NAME or ${NAME}"),
        ('cache-dir = "/x/$(id -u)"', "[uv] cache-dir: holds a $"),
        ('cache-dir = "/x\\ny"', "newline"),
        ('cache-dir = ""', "[uv] cache-dir: must not be empty"),
        ("cache-dir = 1", "[uv] cache-dir: must be a string"),
        ('link-mode = "copi"', "[uv] link-mode: unknown value 'copi': did you mean 'copy'?"),
        ("python-downloads = false", "[uv] python-downloads: must be a string"),
        ('cache_dir = "/x"', "[uv]: unknown key 'cache_dir': did you mean 'cache-dir'?"),
    ],
)
def test_a_uv_table_that_is_wrong_is_an_error_that_names_key_and_file(table: str, problem: str) -> None:
    site = Site.parse(f'root = "/w"\n[uv]\n{table}\n', "/etc/site.toml")
    with pytest.raises(SiteFileError) as caught:
        static_modulefile(site, None, "lmod", "/pip")
    assert str(caught.value).startswith("/etc/site.toml: ")
    assert problem in str(caught.value)
    assert caught.value.hint.startswith('such as: cache-dir = "$HOME/.cache/uv"; also link-mode (clone, ')


def lua_problem(path: Path) -> str:
    """What the Lua compilers of this machine say of the file at *path*."""
    found = [each for each in ("luac5.1", "luac5.3", "luac5.4", "luac") if shutil.which(each)]
    if not found:
        pytest.skip("no luac is installed")
    return "".join(
        subprocess.run([luac, "-p", str(path)], capture_output=True, text=True).stderr for luac in found
    )


def tcl_problem(path: Path) -> str:
    """What is wrong with the Tcl file at *path*: a bracket or quote without its partner, in any body."""
    if shutil.which("tclsh") is None:
        pytest.skip("no tclsh is installed")
    # Each body of a `proc` is a script of its own.
    script = """
        set text [read [open [lindex $argv 0]]]
        if {![info complete $text]} { puts "not complete" }
        foreach name {
            module-whatis family conflict push pushenv prepend-path append-path source-sh setenv value_in
        } {
            proc $name args {}
        }
        proc module-info args { return 0 }
        if {[catch $text problem]} { puts $problem }
        foreach name [info procs] {
            if {![info complete [info body $name]]} { puts "$name is not complete" }
        }
    """
    checker = path.with_name("checker.tcl")
    checker.write_text(script)
    done = subprocess.run(["tclsh", str(checker), str(path)], capture_output=True, text=True)
    return done.stdout + done.stderr


class TestTemplates:
    """Each is a file of its own language, placeholders included."""

    @pytest.mark.parametrize("name", PARTS)
    def test_lua(self, name: str) -> None:
        assert lua_problem(Path(template_path(f"{name}.lua"))) == ""

    @pytest.mark.parametrize("name", PARTS)
    def test_tcl(self, name: str, tmp_path: Path) -> None:
        # An array is made from pairs: each is given one.
        text = "set chosen {}\n" + re.sub(
            r'array set \w+ \{"@\w+@"', r"\g<0> generic", template(f"{name}.tcl")
        )
        (tmp_path / "x.tcl").write_text(text)
        assert tcl_problem(tmp_path / "x.tcl") == ""

    @pytest.mark.parametrize("name", ["hook.sh", "evaluate.sh"])
    def test_sh(self, name: str) -> None:
        assert subprocess.run(["sh", "-n", template_path(name)], stderr=subprocess.PIPE).stderr == b""

    def test_fish(self) -> None:
        if shutil.which("fish") is None:
            pytest.skip("no fish is installed")
        command = ["fish", "--no-execute", template_path("hook.fish")]
        assert subprocess.run(command, stderr=subprocess.PIPE).stderr == b""

    def test_all_of_them_are_looked_at(self) -> None:
        names = {f"{name}.{end}" for name in PARTS for end in ("lua", "tcl")}
        assert {*os.listdir(template_path(""))} == {*names, "hook.sh", "hook.fish", "evaluate.sh"}

    @pytest.mark.parametrize("value", ['"@layer@"', "\\1 \\g<0> {x} %s", ""])
    def test_a_value_is_not_looked_at_again(self, value: str) -> None:
        assert filled('x("@root@", "@layer@", "@")', {"root": value, "layer": "1"}) == f'x({value}, 1, "@")'


@pytest.mark.parametrize("kind", ["static", "dynamic"])
@both
def test_what_is_made_is_of_its_language(kind: str, dialect: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    make = static_modulefile(SITE, "nix", dialect, "/pip") if kind == "static" else None
    path.write_text(make or dynamic_modulefile(SITE, "nix", dialect, ["/x"]))
    assert '"@' not in path.read_text()
    assert (lua_problem if dialect == "lmod" else tcl_problem)(path) == ""


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
        site = Site.default(root)
        done = run_cli(*asked)
        assert (done.returncode, done.stderr) == (
            0,
            "warning: /pip holds no configuration of the form xdg yet\n",
        )
        assert done.stdout == static_modulefile(site, "nix", dialect, "/pip", form="xdg")
        assert run_cli(*asked, "--output", tmp_path / "x").stdout == ""
        assert (tmp_path / "x").read_text() == done.stdout

    @both
    def test_dynamic(self, dialect: str, root: Path) -> None:
        done = run_cli("modulefile", "--dialect", dialect, "--dynamic", "--layer", "none", "--root", root)
        command = [sys.executable, "-m", "wheelhouse_resolver"]
        assert done.stdout == dynamic_modulefile(Site.default(root), None, dialect, command)

    @pytest.mark.parametrize(
        ("there", "more", "form", "warned"),
        [
            (("file",), (), "file", False),
            (("xdg",), (), "xdg", False),
            (("file", "xdg"), (), "xdg", False),
            (("file", "xdg"), ("--form", "file"), "file", False),
            (("file",), ("--form", "xdg"), "xdg", True),
        ],
        ids=str,
    )
    def test_it_is_of_the_form_that_is_there(
        self,
        there: tuple[str, ...],
        more: tuple[str, ...],
        form: str,
        warned: bool,
        root: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        site, place = Site.default(root), str(tmp_path / "etc")
        for each in there:
            assert [*write_static_configs(static_configs(site), place, each)]
        asked = ["modulefile", "--dialect", "tcl", "--static", place, "--layer", "nix", "--root", str(root)]
        assert main([*asked, *more]) == 0
        written = capsys.readouterr()
        assert written.out == static_modulefile(site, "nix", "tcl", place, form=form)
        assert ("XDG_CONFIG_DIRS" in written.out) == (form == "xdg")
        assert ("PIP_CONFIG_FILE" in written.out) == (form == "file")
        assert bool(written.err) == warned

    def test_the_detected_layer_is_the_default(self, root: Path) -> None:
        environ = clean_environ(WHEELHOUSE_LAYER="gentoo")
        done = run_cli("modulefile", "--dialect", "lmod", "--static", "/p", "--root", root, environ=environ)
        assert 'pushenv("WHEELHOUSE_LAYER", "gentoo")' in done.stdout

    @pytest.mark.parametrize(
        ("more", "problem"),
        [
            (["--static", "/a\nb", "--layer", "nix"], "--static"),
            (["--static", "/a:b", "--layer", "nix"], "colon"),
            (
                ["--static", "/a:b", "--layer", "nix", "--dialect", "lmod"],
                "XDG_CONFIG_DIRS is split at colons",
            ),
            (["--static", "/pip", "--layer", "zzz"], "zzz"),
            (["--layer", "nix"], "required"),
            (["--static", "/pip", "--dynamic"], "not allowed"),
            (["--dynamic", "--form", "xdg"], "--form goes with --static"),
        ],
    )
    def test_bad_input_is_an_error_of_one_line(self, more: list[str], problem: str, root: Path) -> None:
        done = run_cli("modulefile", "--dialect", "tcl", "--root", root, *more)
        assert (done.returncode, done.stdout) == (2, "")
        line, *hint = done.stderr.splitlines()
        assert line.startswith("error: ")
        assert problem in line
        assert len(hint) <= 1
        assert all(each.startswith("hint: ") for each in hint)


def test_the_directory_of_the_output_is_made(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", {})
    done = run_cli(
        *("modulefile", "--dialect", "lmod", "--dynamic", "--layer", "none", "--root", tmp_path / "tree"),
        *("--output", tmp_path / "modules/wheelhouse/none.lua"),
        environ=clean_environ(),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "modules/wheelhouse/none.lua").read_text().startswith("-- -*- lua -*-")
