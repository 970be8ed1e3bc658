"""For which Python the commands answer, where none is named, and what they start to know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.factories import clean_environ, make_wheel, run_cli
from tests.host.binaries import copy_of_true, script
from tests.host.fakes import fake_python
from tests.programs import glibc_levels, pythons
from wheelhouse_resolver.builder.verification.verify import python_for
from wheelhouse_resolver.host.interpreters import targets_of
from wheelhouse_resolver.host.program_interpreter import program_interpreter
from wheelhouse_resolver.publishing.publish import _glibc
from wheelhouse_resolver.utils.toml import parse_toml

MACHINE = os.uname().machine
OWN_VERSION = [str(each) for each in sys.version_info[:2]]
OWN = f"cp{''.join(OWN_VERSION)}"

#: Each is for the same wheels, whatever the machine.
HOST = ("--arch", "generic", "--layer", "none")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheelhouse with a project for the Python in use, and a newer one of it for the program's own."""
    generic = tmp_path / "tree/generic"
    make_wheel(
        generic, f"demo-1.0-cp39-cp39-linux_{MACHINE}.whl", requires_dist=["old; python_version<'3.10'"]
    )
    make_wheel(generic, f"demo-2.0-{OWN}-{OWN}-linux_{MACHINE}.whl")
    make_wheel(generic, "old-1.0-py3-none-any.whl", requires_python=">=3.9.18")
    make_wheel(generic, "old-2.0-py3-none-any.whl", requires_python=">=3.9.19")
    monkeypatch.setenv("WHEELHOUSE_ROOT", str(tmp_path / "tree"))
    return generic


@pytest.fixture
def in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python 3.9 is first on PATH, as after `module load python/3.9`; no environment is active."""
    python = fake_python(tmp_path / "module/bin/python3", "3.9.18")
    monkeypatch.delenv("VIRTUAL_ENV")
    own = os.path.dirname(sys.executable)
    monkeypatch.setenv("PATH", f"{own}:{python.parent}:{os.environ['PATH']}")
    return python


@pytest.mark.usefixtures("in_use")
class TestThePythonInUse:
    def test_pick(self, cli: Cli, root: Path) -> None:
        assert cli("pick", "demo", *HOST) == (0, f"{root}/demo-1.0-cp39-cp39-linux_{MACHINE}.whl\n", "")

    @pytest.mark.usefixtures("root")
    def test_avail(self, cli: Cli) -> None:
        outcome = cli("avail", "--format", "json", *HOST)
        assert {each["name"]: each["version"] for each in json.loads(outcome.out)} == {
            "demo": "1.0",
            "old": "2.0",  # Requires-Python is not read for everything
        }
        (row,) = json.loads(cli("avail", "old", "--format", "json", *HOST).out)
        assert row["version"] == "1.0"

    @pytest.mark.usefixtures("root")
    def test_why_not(self, cli: Cli) -> None:
        outcome = cli("why-not", "demo>=2", *HOST)
        assert outcome.code == 1
        assert "3.9" in outcome.out

    @pytest.mark.usefixtures("root")
    def test_lock(self, cli: Cli) -> None:
        outcome = cli("lock", "demo", *HOST)
        assert (outcome.code, outcome.err) == (0, "")
        locked = parse_toml(outcome.out)
        assert {each["name"]: each["version"] for each in locked["packages"]} == {"demo": "1.0", "old": "1.0"}
        (environment,) = locked["environments"]
        assert 'python_version == "3.9"' in environment
        assert "# for implementation_name cpython, platform_machine" in (
            text := cli("lock", "demo", "--format", "requirements", *HOST).out
        )
        assert "python_version 3.9," in text

    @pytest.mark.usefixtures("root")
    def test_detect(self, cli: Cli, in_use: Path) -> None:
        outcome = cli("detect", *HOST)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.partition("\npython: ")[2] == (
            f"{in_use}\n"
            "  decided    PATH: python3 on PATH\n"
            f"  overruled  own: the Python that runs this program (says {sys.executable})\n"
            "  version    3.9.18\n"
            f"  executable {in_use}\n"
            "  loader     none (static or a script)\n"
        )
        detected = json.loads(cli("detect", "--json", *HOST).out)
        assert (detected["python"]["name"], detected["python"]["version"]) == (str(in_use), "3.9.18")
        assert detected["evidence"]["python"]["decided"] == {
            "source": "PATH",
            "value": str(in_use),
            "detail": "python3 on PATH",
        }
        assert [each["source"] for each in detected["evidence"]["python"]["overruled"]] == ["own"]

    def test_another_can_be_named(self, cli: Cli, root: Path) -> None:
        outcome = cli("pick", "demo", "--python", sys.executable, *HOST)
        assert outcome.out == f"{root}/demo-2.0-{OWN}-{OWN}-linux_{MACHINE}.whl\n"

    @pytest.mark.usefixtures("root")
    def test_a_version_has_its_patch_level(self, cli: Cli, in_use: Path) -> None:
        (in_use.parent / "python3.9").symlink_to(in_use)
        assert cli("pick", "old", "--python", "3.9", *HOST).out.endswith("/old-1.0-py3-none-any.whl\n")
        # There is none of that version: 3.10 counts as 3.10.0, which is enough.
        assert cli("pick", "old", "--python", "3.10", *HOST).out.endswith("/old-2.0-py3-none-any.whl\n")

    def test_a_broken_environment_is_a_warning(
        self, cli: Cli, root: Path, in_use: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("VIRTUAL_ENV", "/nowhere")
        outcome = cli("pick", "demo", *HOST)
        assert outcome.out == f"{root}/demo-1.0-cp39-cp39-linux_{MACHINE}.whl\n"
        assert outcome.err == (
            "warning: passed over /nowhere/bin/python (VIRTUAL_ENV=/nowhere): does not exist; "
            f"the target Python is {in_use}\n"
        )


@pytest.mark.usefixtures("in_use")
class TestTheSitesStaff:
    """What they do for the wheelhouse is for the Python that runs the program, unless they name another."""

    def test_build(self) -> None:
        assert [each.path for each in targets_of(None)] == [sys.executable]

    def test_recipe_show(self, cli: Cli, root: Path, tmp_path: Path) -> None:
        site, recipes = tmp_path / "site.toml", tmp_path / "recipes"
        recipes.mkdir()
        own = ".".join(OWN_VERSION)
        (recipes / "demo.toml").write_text(
            f'[[when]]\npython = "=={own}"\nconfig-settings = {{ own = "1" }}\n'
        )
        site.write_text(f'root = "{root.parent}"\n[build]\nrecipes = ["{recipes}"]\n')
        show = ("recipe", "show", "demo", "--version", "1.0", "--config", site, *HOST)
        assert 'own = "1"' in cli(*show).out
        assert 'own = "1"' not in cli(*show, "--python", "3.9").out

    def test_verify(self) -> None:
        assert python_for("demo-1.0-py3-none-any.whl") == sys.executable

    def test_publish(self) -> None:
        levels = glibc_levels()
        if not levels:
            pytest.skip("without glibc there is no manylinux")
        assert _glibc("own") == "{}.{}".format(*levels[-1])


class TestTheSearchPath:
    """No Python is started to know it: that would take longer than all the rest."""

    COMMANDS = (["pip-conf"], ["path"], ["shell-hook", "sh"], ["completion", "--list", "projects"])

    @pytest.mark.usefixtures("root")
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    @pytest.mark.parametrize("host", [HOST, ()], ids=["stated", "detected"])
    def test_nothing_is_started(
        self, host: tuple[str, ...], command: list[str], cli: Cli, in_use: Path, tmp_path: Path
    ) -> None:
        script(in_use, f"#!/bin/sh\n: >{tmp_path}/started\nexit 1\n")
        outcome = cli(*command, *(host if command[0] != "completion" else ()))
        assert (outcome.code, outcome.err) == (0, "")
        assert not (tmp_path / "started").exists()
        assert cli("pick", "demo", *HOST).err != ""
        assert (tmp_path / "started").exists()

    @pytest.mark.usefixtures("root")
    @pytest.mark.parametrize("command", [["pip-conf"], ["path"], ["detect"]], ids=" ".join)
    def test_the_layer_of_the_python_in_use_counts(
        self, command: list[str], cli: Cli, in_use: Path, tmp_path: Path
    ) -> None:
        """By its binary: here, that of a Nix whose loader is found under `nix/store`."""
        loader = tmp_path / "nix/store/glibc/ld.so"
        loader.parent.mkdir(parents=True)
        loader.symlink_to(str(program_interpreter(os.path.realpath(sys.executable))))
        (tmp_path / "tree/nix/generic").mkdir(parents=True)
        in_use.unlink()
        copy_of_true(in_use, str(loader))
        outcome = cli(*command, "--arch", "generic")
        if command == ["detect"]:  # which starts it: it is no Python
            assert "\nlayer:  none\n" in outcome.out
            assert f"passed over {in_use}" in outcome.err
        else:
            assert "/tree/nix/generic" in outcome.out
            assert outcome.err == ""


@lru_cache(maxsize=1)
def another_python() -> str:
    """A CPython of this machine of another version than the tests' whose pip reads direct references."""
    code = (
        "import sys, pip; assert sys.implementation.name == 'cpython' and sys.version_info >= (3, 7);"
        "assert tuple(map(int, pip.__version__.split('.')[:2])) >= (20, 3); print(*sys.version_info[:2])"
    )
    for python in pythons():
        done = subprocess.run([python, "-c", code], text=True, capture_output=True)
        if done.returncode == 0 and done.stdout.split() != [*map(str, sys.version_info[:2])]:
            return python
    pytest.skip("this machine has no Python of another version with a pip")


@pytest.mark.slow
def test_a_lock_installs_with_the_python_that_is_first_on_path(tmp_path: Path) -> None:
    python = another_python()
    short = subprocess.run(
        [
            python,
            "-c",
            "import sys; print('cp%d%d' % sys.version_info[:2], end=getattr(sys, 'abiflags', ''))",
        ],
        text=True,
        capture_output=True,
    ).stdout
    tag = f"{short.rstrip('m')}-{short}-linux_{MACHINE}"
    generic = tmp_path / "tree/generic"
    make_wheel(generic, f"demo-1.0-{tag}.whl", files={"demo.py": "MARK = 'in use'\n"})
    make_wheel(generic, f"demo-2.0-{OWN}-{OWN}-linux_{MACHINE}.whl", files={"demo.py": "MARK = 'own'\n"})
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin/python3", f'#!/bin/sh\nexec {python} "$@"\n')
    environ = clean_environ(PATH=f"{os.path.dirname(sys.executable)}:{tmp_path}/bin:/usr/bin:/bin")
    del environ["VIRTUAL_ENV"]
    locked = tmp_path / "locked.txt"
    done = run_cli(
        "lock", "demo", "--root", tmp_path / "tree", *HOST,
        "--format", "requirements", "--output", locked, environ=environ,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    install = [
        "install",
        "--no-index",
        "--require-hashes",
        "--no-compile",
        "--target",
        str(tmp_path / "into"),
    ]
    subprocess.run(
        [tmp_path / "bin/python3", "-m", "pip", *install, "-r", locked],
        env=environ,
        check=True,
        capture_output=True,
    )
    assert (tmp_path / "into/demo.py").read_text() == "MARK = 'in use'\n"
