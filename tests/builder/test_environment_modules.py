from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.factories import clean_environ
from tests.modules.engines import Engine, engine_of
from wheelhouse_resolver.builder.toolchain.environment_modules import (
    ModulesError,
    module_environment,
    module_with,
    shown_modules,
)

#: A module file in each language that counts its loads, and one that needs it.
FILES = {
    "lmod": {
        "tool/1.0": 'setenv("EBROOTTOOL", "/sw/tool")\nprepend_path("CPATH", "/sw/tool/include")\n'
        'if mode() == "load" then local f = io.open("{count}", "a"); f:write("x"); f:close() end\n',
        "user/2.0": 'depends_on("tool")\nsetenv("TEXT", "two words, $HOME and \'quotes\'")\n',
        "broken/1.0": 'LmodError("it is out of order")\n',
    },
    "modules": {
        "tool/1.0": "#%Module5\nsetenv EBROOTTOOL /sw/tool\nprepend-path CPATH /sw/tool/include\n"
        "if {{[module-info mode load]}} {{set f [open {count} a]; puts -nonewline $f x; close $f}}\n",
        "user/2.0": "#%Module5\nmodule load tool\nsetenv TEXT {two words, $HOME and 'quotes'}\n",
        "broken/1.0": "#%Module5\nerror {it is out of order}\n",
    },
}


def profile(text: str) -> None:
    """Make *text* the end of what a login shell starts with; what the machine starts it with is undone."""
    start = "unset BASH_ENV\nunset -f module ml\n"
    (Path(os.environ["HOME"]) / ".bash_profile").write_text(start + text)


class Place:
    """A login shell that has `module`, by *engine*, with the module files of `FILES`."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self.count = directory / "count"
        self.count.touch()
        for name, text in FILES[engine.name].items():
            text = text.format(count=self.count) if "{count}" in text else text
            engine.path_of(directory / "modulefiles", name).write_text(text)
        command = shlex.join(engine.command)
        profile(
            f'module() {{ eval "$({command} bash "$@")"; }}\n'
            f"export MODULEPATH={directory}/modulefiles LMOD_PAGER=none\n"
            "echo noise; echo more noise >&2\n"
        )

    def loads(self) -> int:
        """How often `tool` has been loaded."""
        return len(self.count.read_text())


def environ(**more: str) -> dict[str, str]:
    """The environment of someone who has loaded nothing."""
    prefixes = ("LMOD", "_LM", "__LM", "_Module", "MODULE", "__MODULES", "LOADEDMODULES", "BASH_")
    return {k: v for k, v in clean_environ(**more).items() if not k.startswith(prefixes)}


@pytest.fixture(params=["lmod", "modules"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(engine_of(request.param), tmp_path)


class TestLoading:
    @pytest.mark.usefixtures("place")
    def test_what_modules_set_arrives(self) -> None:
        found = module_environment(("tool",), environ(CPATH="/before", OTHER="kept"))
        assert found["EBROOTTOOL"] == "/sw/tool"
        assert found["CPATH"] == "/sw/tool/include:/before"
        assert found["OTHER"] == "kept"
        assert "tool/1.0" in found["LOADEDMODULES"].split(":")

    @pytest.mark.usefixtures("place")
    def test_whatever_text_it_is(self) -> None:
        found = module_environment(("user/2.0",), environ())
        assert found["TEXT"] == "two words, $HOME and 'quotes'"
        assert found["EBROOTTOOL"] == "/sw/tool"

    def test_several(self, place: Place) -> None:
        found = module_environment(("tool/1.0", "user"), environ())
        assert found["TEXT"].startswith("two words")
        assert place.loads() == 1

    def test_once_for_each_set_and_environment(self, place: Place) -> None:
        first = module_environment(("tool",), environ())
        first["EBROOTTOOL"] = "changed by who asked"
        assert module_environment(["tool"], environ())["EBROOTTOOL"] == "/sw/tool"
        assert place.loads() == 1
        assert module_environment(("tool",), environ(OTHER="1"))["OTHER"] == "1"
        assert place.loads() == 2

    @pytest.mark.usefixtures("place")
    def test_what_is_not_there_is_told_in_the_words_of_the_system(self) -> None:
        with pytest.raises(ModulesError) as caught:
            module_environment(("tool", "gone/3"), environ())
        assert str(caught.value).startswith("cannot load modules tool, gone/3: ")
        assert "unknown" in str(caught.value) or "Unable to locate" in str(caught.value)
        assert "noise" not in str(caught.value)
        assert str(caught.value).isprintable()

    @pytest.mark.usefixtures("place")
    def test_a_module_that_fails(self) -> None:
        with pytest.raises(ModulesError, match="it is out of order"):
            module_environment(("broken",), environ())

    @pytest.mark.usefixtures("place")
    def test_a_failure_is_not_remembered(self) -> None:
        with pytest.raises(ModulesError):
            module_environment(("tool", "gone"), environ())
        assert module_environment(("tool",), environ())["EBROOTTOOL"] == "/sw/tool"


@pytest.mark.usefixtures("place")
def test_which_module_gives_a_directory() -> None:
    """Also one that another module has loaded."""
    shown = shown_modules(("user/2.0",), environ())
    assert set(shown) == {"tool/1.0", "user/2.0"}
    assert module_with("/sw/tool/include", shown) == "tool/1.0"
    assert module_with("/sw/tool/lib64", shown) == "tool/1.0"  # below what it calls its root
    assert module_with("/sw/toolbox/lib", shown) == ""
    assert shown_modules(("gone",), environ()) == {}


def test_the_nearest_directory_counts() -> None:
    shown = {
        "layer": "setenv EPREFIX /cvmfs/layer\nprepend-path MODULEPATH /",
        "openblas/0.3": 'prepend_path("LIBRARY_PATH","/cvmfs/layer/openblas/lib:/opt/x/")',
    }
    assert module_with("/cvmfs/layer/openblas/lib", shown) == "openblas/0.3"
    assert module_with("/cvmfs/layer/usr/lib64", shown) == "layer"
    assert module_with("/opt/x", shown) == "openblas/0.3"
    assert module_with("/usr/lib", shown) == ""


def test_no_modules_need_no_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/gone")
    given: Mapping[str, str] = {"A": "b"}
    found = module_environment((), given)
    assert found == given
    assert found is not given


class TestTheShell:
    def test_without_modules(self) -> None:
        profile("")
        with pytest.raises(ModulesError) as caught:
            module_environment(("gcc",), environ())
        assert str(caught.value) == (
            "cannot load modules gcc: this machine has no `module` command in a login shell"
        )
        assert caught.value.hint == "build where the modules are, or use a recipe without them"

    def test_that_ends_early(self) -> None:
        profile("echo bye >&2\nexit 0\n")
        with pytest.raises(ModulesError, match="ended before that: check its start-up files"):
            module_environment(("gcc",), environ())

    def test_that_fails(self) -> None:
        profile("echo the disk is gone >&2\nexit 3\n")
        with pytest.raises(ModulesError, match="the login shell exited with 3 the disk is gone"):
            module_environment(("gcc",), environ())

    def test_that_is_not_there(self) -> None:
        with pytest.raises(ModulesError, match="exited with 127 bash: No such file or directory"):
            module_environment(("gcc",), environ(PATH="/gone"))

    def test_keeps_its_own_variables(self) -> None:
        profile("module() { export DEPTH=5; }\n")
        found = module_environment(("deep",), environ(OLDPWD="/x"))
        assert found["DEPTH"] == "5"
        assert not {"_", "SHLVL", "PWD", "OLDPWD"} & set(found)

    @pytest.mark.parametrize(
        ("loaded", "said", "problem"),
        [
            ("gcc/12.3:cuda/12", "", None),
            ("gcc/12.3", "ModuleCmd_Load.c(213):ERROR:105: Unable to locate a modulefile for 'cuda'", "cuda"),
            ("", "", None),
            ("gcc/12.3", "cuda is an alias of something", None),
            ("gcc/13:cuda/12", "ERROR of something else", None),
        ],
    )
    def test_whose_old_module_system_reports_success(
        self, loaded: str, said: str, problem: str | None
    ) -> None:
        profile(f"module() {{ echo {shlex.quote(said)} >&2; export LOADEDMODULES={loaded} N=1; }}\n")
        wanted = ("gcc/default", "cuda")
        if problem is None:
            assert module_environment(wanted, environ(T=loaded + said))["N"] == "1"
            return
        with pytest.raises(ModulesError, match=f"cannot load modules {problem}: .*Unable to locate"):
            module_environment(wanted, environ(T=loaded + said))

    def test_that_hangs_is_stopped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wheelhouse_resolver.builder.toolchain.environment_modules._TIMEOUT", 2)
        profile("module() { sleep 600; }\n")
        with pytest.raises(ModulesError, match="stopped: it took longer than 2 s"):
            module_environment(("gcc",), environ(T="hangs"))

    def test_is_given_names_as_arguments_never_as_code(self) -> None:
        profile("module() { export SAID=$*; }\n")
        found = module_environment(("a;touch x", "$(b)"), environ(LINES="one\ntwo"))
        assert (found["SAID"], found["LINES"]) == ("load a;touch x $(b)", "one\ntwo")
