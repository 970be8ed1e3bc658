from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import clean_environ
from tests.modules.engines import Engine, engine_of
from wheelhouse_resolver.build import modules
from wheelhouse_resolver.build.modules import ModulesError, module_environment


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    modules._loaded.cache_clear()
    yield
    modules._loaded.cache_clear()


@pytest.fixture(params=["lmod", "modules"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Both module systems, one after the other."""
    return engine_of(request.param)


def login(*lines: str) -> dict[str, str]:
    """An environment whose login shells run *lines*, after what this machine has them run."""
    home = Path(os.environ["HOME"])
    # The machine's Lmod names its own start file there, which would come after this one.
    (home / ".bash_profile").write_text("\n".join([*lines, "unset BASH_ENV"]) + "\n")
    return clean_environ(HOME=str(home))


def with_engine(engine: Engine, directory: Path) -> dict[str, str]:
    """An environment whose login shells have `module`, of that engine, for the modules in *directory*."""
    command = shlex.join(engine.command)
    return login(
        f'module() {{ eval "$({command} bash "$@")"; }}',
        f"export MODULEPATH={directory}",
        "unset LOADEDMODULES _LMFILES_ LMOD_SYSTEM_DEFAULT_MODULES",
    )


def write_module(engine: Engine, directory: Path, name: str, **variables: str) -> None:
    """A module that sets *variables*, and puts its own directory first on PATH."""
    path = engine.path_of(directory, name)
    if engine.dialect == "lmod":
        lines = [f'setenv("{key}", [==[{value}]==])' for key, value in variables.items()]
        lines.append(f'prepend_path("PATH", "/sw/{name}/bin")')
    else:
        lines = ["#%Module1.0", *(f"setenv {key} {{{value}}}" for key, value in variables.items())]
        lines.append(f"prepend-path PATH /sw/{name}/bin")
    path.write_text("\n".join(lines) + "\n")


def test_the_environment_after_loading(engine: Engine, tmp_path: Path) -> None:
    write_module(engine, tmp_path, "hdf5/1.14", EBROOTHDF5="/sw/hdf5 1.14")
    write_module(engine, tmp_path, "gcc/12.3", EBROOTGCC="/sw/gcc", CC="gcc")
    environ = with_engine(engine, tmp_path) | {"OWN": "kept"}
    found = module_environment(("gcc/12.3", "hdf5"), environ)
    assert (found["EBROOTHDF5"], found["EBROOTGCC"], found["CC"]) == ("/sw/hdf5 1.14", "/sw/gcc", "gcc")
    assert found["PATH"].startswith("/sw/hdf5/1.14/bin:/sw/gcc/12.3/bin:")
    assert found["LOADEDMODULES"] == "gcc/12.3:hdf5/1.14"
    assert found["OWN"] == "kept"
    assert found.keys().isdisjoint({"SHLVL", "_", "PWD"} - environ.keys())


def test_values_of_any_kind_come_through(engine: Engine, tmp_path: Path) -> None:
    odd = "a'b\"c $HOME `x` ü ;&|"
    write_module(engine, tmp_path, "odd", ODD=odd)
    environ = with_engine(engine, tmp_path) | {"LINES": "one\ntwo", "LC_ALL": "C.UTF-8"}
    found = module_environment(("odd",), environ)
    assert (found["ODD"], found["LINES"]) == (odd, "one\ntwo")


def test_a_module_that_there_is_not_is_told_in_the_systems_own_words(engine: Engine, tmp_path: Path) -> None:
    write_module(engine, tmp_path, "gcc/12.3")
    with pytest.raises(ModulesError) as caught:
        module_environment(("gcc/12.3", "missing/1.0"), with_engine(engine, tmp_path))
    assert "missing/1.0" in caught.value.problem
    words = {"lmod": "unknown", "modules": "Unable to locate a modulefile"}
    assert words[engine.name] in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_set_is_loaded_once(engine: Engine, tmp_path: Path) -> None:
    write_module(engine, tmp_path, "gcc/12.3", EBROOTGCC="/sw/gcc")
    environ = with_engine(engine, tmp_path)
    first = module_environment(("gcc",), environ)
    first["EBROOTGCC"] = "spoilt"
    engine.path_of(tmp_path, "gcc/12.3").unlink()
    assert module_environment(("gcc",), environ)["EBROOTGCC"] == "/sw/gcc"
    with pytest.raises(ModulesError):
        module_environment(("gcc/12.3",), environ)


def test_no_modules_need_no_module_command() -> None:
    given = {"A": "b", "PATH": "/nowhere"}
    found = module_environment((), given)
    assert found == given
    assert found is not given


def test_without_a_module_command_the_error_says_so() -> None:
    with pytest.raises(ModulesError) as caught:
        module_environment(("gcc", "hdf5"), login("unset -f module ml"))
    assert str(caught.value).startswith("cannot load modules gcc hdf5: this machine has no `module` command")


def test_without_bash_too() -> None:
    with pytest.raises(ModulesError, match="bash cannot be run: No such file or directory"):
        module_environment(("gcc",), {"PATH": "/nowhere"})


def test_a_module_system_that_fails_with_success_is_noticed() -> None:
    """As Environment Modules before 4 did."""
    told = "ModuleCmd_Load.c(213):ERROR:105: Unable to locate a modulefile for 'gcc/99'"
    environ = login(f'module() {{ echo "{told}" >&2; export LOADEDMODULES=hdf5/1.14; return 0; }}')
    with pytest.raises(ModulesError) as caught:
        module_environment(("hdf5", "gcc/99"), environ)
    assert (caught.value.modules, caught.value.problem) == (("gcc/99",), told)


def test_a_message_of_a_module_is_no_failure() -> None:
    """An alias is loaded under another name, and what modules say is theirs to say."""
    line = 'module() { echo "gcc is an alias" >&2; export LOADEDMODULES=GCCcore/12 ALIAS=yes; }'
    assert module_environment(("gcc",), login(line))["ALIAS"] == "yes"


def test_a_login_shell_that_hangs_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "_TIMEOUT", 1)
    with pytest.raises(ModulesError, match="took longer than 1 s"):
        module_environment(("gcc",), login("module() { exec sleep 60; }"))


def test_a_name_is_an_argument_never_shell() -> None:
    environ = login('module() { export SAID="$*"; }')
    assert module_environment(("a;touch x", "$(b)"), environ)["SAID"] == "load a;touch x $(b)"
