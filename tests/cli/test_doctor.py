"""`doctor` in real environments: real pips, real files. Each check fires, and what it says fixes it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.environments import TAGS, Environment, make_venv
from tests.factories import clean_environ, make_wheel, run_cli
from tests.faults.test_disk import mounted
from tests.host.binaries import copy_of_true
from tests.pips import fetch, pip_environ
from tests.programs import python_that_runs
from wheelhouse_resolver.doctor.diagnose import diagnose
from wheelhouse_resolver.doctor.pip_settings import PipSetting
from wheelhouse_resolver.doctor.probes import machine
from wheelhouse_resolver.doctor.probes.gather import Overrides
from wheelhouse_resolver.doctor.probes.target import ask_target
from wheelhouse_resolver.errors import PythonError, UnknownArchError, UnknownLayerError
from wheelhouse_resolver.host.detect import detect_host
from wheelhouse_resolver.installers.manylinux_policy import FILENAME, POLICY_MODULE
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.publishing.view import make_view
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.index import write_index


@pytest.fixture
def venv(env: Environment) -> Iterator[Path]:
    """The directory of the virtual environment; what a test adds to it goes afterwards."""
    directory = Path(env.python).parent.parent
    before = {*directory.iterdir()}
    yield directory
    for path in {*directory.iterdir()} - before:
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.mark.slow
def test_a_healthy_environment(env: Environment) -> None:
    facts = env.gather()
    assert env.findings() == []
    assert [(each.directory.label, each.wheels) for each in facts.searched] == [
        ("gentoo/base", 0),
        ("gentoo/generic", 0),
        ("generic", 1),
    ]
    assert facts.python is not None
    assert facts.python.in_venv
    assert facts.pip.asked == "config debug"
    assert facts.pip.in_force["find-links"].file == str(env.config)


@pytest.mark.slow
def test_the_command(env: Environment) -> None:
    done = run_cli("doctor", "--python", env.python, environ=env.environ)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-1] == "0 errors, 0 warnings, 0 notes"
    told = [line.split(maxsplit=1) for line in lines]
    assert ["root", f"{env.root} (site file)"] in told
    assert ["pip's", f"file  {env.config} (PIP_CONFIG_FILE)"] in told
    assert any(line.strip() == "generic: 1 wheel" for line in lines)
    assert any(f"no-index = true ([global] no-index in {env.config})" in line for line in lines)

    env.environ["PIP_NO_BINARY"] = ":all:"
    done = run_cli("doctor", "--python", env.python, environ=env.environ)
    assert done.returncode == 1
    assert "\nerror: no-binary: pip takes no wheel at all (PIP_NO_BINARY)\n    why:  " in done.stdout
    assert "\n    fix:  unset PIP_NO_BINARY\n\n1 error, 0 warnings, 0 notes\n" in done.stdout

    done = run_cli("doctor", "--json", "--python", env.python, environ=env.environ)
    answer = json.loads(done.stdout)
    assert (done.returncode, [each["check"] for each in answer["findings"]]) == (1, ["no-binary"])
    assert answer["facts"]["host"]["layer"] == "gentoo"


def test_facts_are_told_once(env: Environment) -> None:
    env.environ["WHEELHOUSE_ARCH"] = "base"
    done = run_cli("doctor", "--python", env.python, environ=env.environ)
    assert "arch        base (WHEELHOUSE_ARCH)" in done.stdout.splitlines()
    del env.environ["WHEELHOUSE_CONFIG"], env.environ["WHEELHOUSE_ARCH"]
    done = run_cli("doctor", "--root", env.root, "--python", env.python, environ=env.environ)
    assert "site        built-in" in done.stdout.splitlines()


# -- the site ----------------------------------------------------------------------------------------------


class TestSite:
    def test_no_site_file_and_yet_the_rest_is_told(self, env: Environment) -> None:
        env.environ["WHEELHOUSE_CONFIG"] = "/nowhere/site.toml"
        env.environ["PIP_NO_BINARY"] = ":all:"
        found = {each.check: each for each in env.findings()}
        assert {"site-file", "no-binary"} <= found.keys()
        assert "/nowhere/site.toml: cannot be read: No such file or directory" in found["site-file"].message
        env.fix(found["site-file"])

    @pytest.mark.slow
    def test_an_overlay(self, env: Environment) -> None:
        """What another site publishes, stamped, below one's own."""
        before, base = env.config.read_text(), env.above / "national"
        for label in ("gentoo/base", "gentoo/foreign", "gentoo/generic", "generic"):
            (base / label).mkdir(parents=True)
        make_wheel(base / "gentoo/base", f"only-1.0-200000base-{TAGS}.whl")
        make_wheel(base / "generic", f"demo-1.0-1000generic-{TAGS}.whl")
        env.write_site(f'\n[[base]]\nname = "national"\nroot = "{base}"\n')
        # The stamp of the time without a base is no more than that of the base.
        own, stamped = (f"demo-1.0-{rank}generic-{TAGS}.whl" for rank in (1000, 1000001000))
        found = {each.check: each for each in env.findings()}
        left_out = "leaves out directories that this host can use: national/gentoo/base"
        assert left_out in found.pop("stale-find-links").message
        assert [*found] == ["unstamped-ties"]
        env.write_config()
        (env.root / "generic" / own).rename(env.root / "generic" / stamped)
        assert env.findings() == []
        labels = [each.directory.label for each in env.gather().searched if each.exists]
        assert labels[2:] == [
            "generic",
            "national/gentoo/base",
            "national/gentoo/generic",
            "national/generic",
        ]
        base.rename(env.above / "away")
        found = {each.check: each for each in env.findings()}
        assert found["missing-base"].message.endswith("mount it, or take its [[base]] out of the site file")
        assert [*found] == ["missing-base", "stale-find-links"]
        assert found["stale-find-links"].severity.value == "note"
        env.config.write_text(before)
        assert [each.check for each in env.findings()] == ["missing-base"]

    def test_an_invalid_site_file(self, env: Environment) -> None:
        env.site.write_text(f'root = "{env.root}"\n[[arch]\n')
        finding = env.one("site-file", "error")
        assert finding.fix == f"cat +2 {env.site}"

    def test_a_root_that_is_not_there(self, env: Environment) -> None:
        env.environ["WHEELHOUSE_ROOT"] = "/nowhere/wheels"
        finding = env.one("root", "error")
        assert "/nowhere/wheels (named by WHEELHOUSE_ROOT): does not exist" in finding.message
        env.fix(finding)

    def test_a_root_of_the_site_file_that_is_not_there(self, env: Environment) -> None:
        shutil.move(env.root, env.above / "moved")
        assert env.one("root", "error").fix == f"cat {env.site}"

    def test_no_wheelhouse_at_all(self, env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("wheelhouse_resolver.site.config.ORIGIN", "/nowhere/at/all")
        del env.environ["WHEELHOUSE_CONFIG"]
        known = env.one("root", "warning")  # pip's file still names one
        assert f"[global] find-links in {env.config} names what may be its wheelhouse: load" in known.message
        assert known.fix == ""
        assert "none of the site's wheels" not in known.why
        del env.environ["PIP_CONFIG_FILE"]
        env.environ["PIP_NO_INDEX"] = "1"
        (finding,) = [each for each in env.findings() if each.check == "root"]
        assert finding.severity.value == "error"
        assert finding.message.startswith("no wheelhouse found (tried /nowhere/at/all")
        assert finding.fix == ""  # who forgot to load the module needs no empty wheelhouse
        assert "; load the site's module, or set " in finding.message

    def test_the_options_are_part_of_the_commands(self, env: Environment) -> None:
        shutil.rmtree(env.root)
        env.root.mkdir()
        found = env.findings(config=str(env.site), root=str(env.root))
        (finding,) = [each for each in found if each.check == "empty-search-path"]
        assert finding.fix == f"wheelhouse-resolver init --config {env.site} --root {env.root}"
        env.fix(finding)
        assert (env.root / "gentoo/base").is_dir()

    def test_so_are_those_of_the_host(self, env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
        """For another layer than the detected one, by paths that hold from here only."""
        monkeypatch.chdir(env.above)
        del env.environ["PIP_CONFIG_FILE"], env.environ["WHEELHOUSE_CONFIG"]
        env.environ["PIP_NO_INDEX"] = "1"
        asked = {"config": env.site.name, "root": env.root.name, "layer": "nix"}
        found = {each.check: each for each in env.findings(**asked)}
        env.do(found["no-find-links"].fix)
        assert f"file://{env.root}/nix/base" in env.environ["PIP_FIND_LINKS"]
        assert env.findings(**asked) == []

    def test_a_wheelhouse_without_a_wheel(self, env: Environment) -> None:
        (env.root / f"generic/demo-1.0-1000generic-{TAGS}.whl").unlink()
        assert env.checks() == [("empty-search-path", "warning")]

    @pytest.mark.slow
    def test_directories_that_cannot_be_listed(
        self,
        cli: Cli,
        open_directory: Path,
        as_nobody: Callable[[Callable[[], Outcome]], Outcome],
    ) -> None:
        closed = open_directory / "tree/generic"
        closed.mkdir(parents=True)
        arguments = ("doctor", "--json", "--root", open_directory / "tree", "--layer", "none")
        cli(*arguments)  # imports all that is needed while that is surely readable
        closed.chmod(0)
        try:
            outcome = as_nobody(lambda: cli(*arguments))
        finally:
            closed.chmod(0o755)
        assert outcome.code == 1
        found = {each["check"]: each for each in json.loads(outcome.out)["findings"]}
        if os.geteuid() == 0:  # it is not nobody's
            assert found["unreadable-directory"]["fix"] is None
            assert found["unreadable-directory"]["message"].endswith(
                "; the site's staff can make it readable"
            )
        else:
            assert found["unreadable-directory"]["fix"] == f"chmod a+rx {closed}"
        assert found["unreadable-directory"]["severity"] == "error"

    @pytest.mark.slow
    @pytest.mark.parametrize("variable", ["RSNT_ARCH", "WHEELHOUSE_ARCH", "WHEELHOUSE_LAYER"])
    def test_an_override_that_the_site_does_not_know(self, variable: str, env: Environment) -> None:
        env.environ[variable] = "mmx"
        finding = env.one("unknown-override", "error")
        assert finding.message.startswith(f"{variable}: unknown ")
        env.fix(finding)

    def test_an_arch_above_and_below_the_cpu(self, env: Environment) -> None:
        env.environ["RSNT_ARCH"] = "foreign"
        found = {each.check: each for each in env.findings()}
        assert found["arch-override"].severity.value == "error"
        assert "RSNT_ARCH=foreign is above what this CPU can run: base" in found["arch-override"].message
        env.fix(found["arch-override"])
        env.environ["RSNT_ARCH"] = "generic"
        env.write_config()
        assert "below what this CPU can run: base" in env.one("arch-override", "note").message
        env.environ["RSNT_ARCH"] = "base"
        env.write_config()
        assert env.checks() == []

    def test_unstamped_ties(self, env: Environment) -> None:
        for label in ("gentoo/base", "generic"):
            make_wheel(env.root / label, f"tie-1.0-{TAGS}.whl", files={"tie.py": f"MARK = {label!r}\n"})
        finding = env.one("unstamped-ties", "warning")
        assert finding.message.startswith("1 version is in several directories")
        assert finding.data == {
            "count": 1,
            "examples": [{"project": "tie", "version": "1.0", "directories": ["gentoo/base", "generic"]}],
        }
        env.fix(finding)

    @pytest.mark.slow
    def test_a_static_index_that_is_missing_or_stale(self, env: Environment) -> None:
        right = env.site.read_text()
        index = env.above / "index"
        env.site.write_text(f'{right}[index]\ndirectory = "{index}"\n')
        env.write_config()
        (finding,) = (each for each in env.findings() if each.check == "stale-static-index")
        assert "is not there" in finding.message
        env.fix(finding)
        make_wheel(env.root / "generic", "new-1.0-py3-none-any.whl")
        (finding,) = (each for each in env.findings() if each.check == "stale-static-index")
        assert finding.message.endswith(f"{index} was written before files came into or went out of generic")
        env.fix(finding)
        env.site.write_text(f"{right}[index]\n")
        (finding,) = (each for each in env.findings() if each.check == "stale-static-index")
        assert "[index] directory: missing" in finding.message

    def test_ties_are_found_by_names_alone(self, env: Environment) -> None:
        for label in ("gentoo/base", "generic"):
            os.mkfifo(env.root / label / f"tie-1.0-{TAGS}.whl")  # who opened it would wait for ever
        assert env.checks() == [("unstamped-ties", "warning")]

    def test_wheels_of_other_pythons_are_no_ties(self, env: Environment) -> None:
        for label, tag in (("gentoo/base", "cp27"), ("generic", "cp26")):
            (env.root / label / f"tie-1.0-{tag}-{tag}m-linux_{platform.machine()}.whl").touch()
        assert env.checks() == []


# -- find-links --------------------------------------------------------------------------------------------


class TestFindLinks:
    def test_nothing_points_to_the_wheelhouse(self, env: Environment) -> None:
        del env.environ["PIP_CONFIG_FILE"]
        env.environ["PIP_NO_INDEX"] = "1"
        finding = {each.check: each for each in env.findings()}["no-find-links"]
        assert finding.message == (
            "no `find-links` is in force: PIP_CONFIG_FILE is not set, and no pip/pip.conf in XDG_CONFIG_DIRS "
            "has one"
        )
        env.fix(finding)

    def test_variables_do_as_well_as_a_file(self, env: Environment) -> None:
        site = Site.load(environ=env.environ)
        config = pip_config(site, detect_host(environ=env.environ, site=site), offline=True)
        env.environ |= config.environment()
        del env.environ["PIP_CONFIG_FILE"]
        assert [each for each in env.checks() if each[1] != "note"] == []

    def test_a_variable_replaces_that_of_the_file(self, env: Environment) -> None:
        env.environ["PIP_FIND_LINKS"] = str(env.above)
        finding = env.one("find-links-replaced", "error")
        assert f"PIP_FIND_LINKS replaces [global] find-links in {env.config}" in finding.message
        env.fix(finding)

    def test_a_section_of_the_environments_file_replaces_it(self, env: Environment, venv: Path) -> None:
        (venv / "pip.conf").write_text(f"[install]\nfind-links = {env.above}\n")
        found = {each.check: each for each in env.findings()}
        assert {*found} == {"find-links-replaced", "environment-config"}
        env.fix(found["find-links-replaced"])
        assert "find-links" not in (venv / "pip.conf").read_text()

    def test_made_for_another_host(self, env: Environment) -> None:
        env.write_config("foreign", "gentoo")
        finding = env.one("stale-find-links", "error")
        assert finding.message == (
            f"[global] find-links in {env.config} is for layer gentoo, arch foreign; "
            "this host is layer gentoo, arch base"
        )
        env.fix(finding)

    def test_made_for_another_layer(self, env: Environment) -> None:
        env.write_config(layer="nix")
        assert "is for layer nix, arch base; this host" in env.one("stale-find-links", "error").message

    def test_made_before_a_directory_was_there_and_after_one_is_gone(self, env: Environment) -> None:
        (env.root / "gentoo/generic").rmdir()
        assert env.one("stale-find-links", "note").message.endswith(
            f"of which pip warns, and uv fails: {(env.root / 'gentoo/generic').as_uri()}"
        )
        env.write_config()
        assert env.checks() == []
        (env.root / "gentoo/generic").mkdir()
        finding = env.one("stale-find-links", "error")
        assert finding.message.endswith("leaves out directories that this host can use: gentoo/generic")
        env.fix(finding)

    def test_a_view(self, env: Environment) -> None:
        make_view(Site.load(environ=env.environ), str(env.above / "view"))
        env.write_config(view=str(env.above / "view"))
        assert env.checks() == []

    def test_a_wheelhouse_behind_a_symbolic_link(self, env: Environment) -> None:
        (env.above / "link").symlink_to(env.root)
        env.environ["WHEELHOUSE_ROOT"] = str(env.above / "link")
        assert env.checks() == []


class TestStaticIndex:
    @pytest.fixture(autouse=True)
    def index(self, env: Environment) -> None:
        """The site has an index, and a tie without stamps."""
        for label in ("generic", "gentoo/base"):
            make_wheel(env.root / label, f"tie-1.0-{TAGS}.whl")
        env.write_site(f'[index]\ndirectory = "{env.above / "index"}"\n')
        write_index(Site.load(environ=env.environ), str(env.above / "index"))
        env.write_config()

    def test_it_does_as_well_as_directories(self, env: Environment) -> None:
        assert f"index-url = {(env.above / 'index').as_uri()}/base-gentoo" in env.config.read_text()
        assert env.checks() == []

    def test_that_of_another_kind_of_host(self, env: Environment) -> None:
        env.write_config("foreign", "gentoo")
        finding = env.one("stale-find-links", "error")
        assert finding.message == (
            f"[global] index-url in {env.config} is for layer gentoo, arch foreign; "
            "this host is layer gentoo, arch base"
        )
        env.fix(finding)

    def test_another_one_replaces_it(self, env: Environment) -> None:
        env.environ["PIP_INDEX_URL"] = (env.above / "nothing").as_uri()
        finding = {each.check: each for each in env.findings()}["find-links-replaced"]
        assert f"PIP_INDEX_URL replaces [global] index-url in {env.config}" in finding.message
        env.fix(finding)

    def test_pip_asks_no_index(self, env: Environment) -> None:
        env.environ["PIP_NO_INDEX"] = "1"
        finding = {each.check: each for each in env.findings()}["no-find-links"]
        assert finding.message == "pip asks no index (PIP_NO_INDEX)"
        env.fix(finding)
        assert env.checks() == []

    def test_in_uv(self, env: Environment) -> None:
        program = env.above / "bin/uv"
        program.write_text("#!/bin/sh\necho uv 0.13.9\n")
        program.chmod(0o755)
        site = Site.load(environ=env.environ)
        host = detect_host(environ=env.environ, site=site)
        file = env.above / "uv.toml"
        env.environ["UV_CONFIG_FILE"] = str(file)
        file.write_text(pip_config(site, host).render("uv"))
        assert env.checks() == []
        file.write_text(file.read_text().replace("base-gentoo", "foreign-gentoo"))
        assert "is for layer gentoo, arch foreign" in env.one("uv-find-links", "error").message


# -- pip ---------------------------------------------------------------------------------------------------


class TestConfigFile:
    def test_missing(self, env: Environment) -> None:
        env.environ["PIP_CONFIG_FILE"] = str(env.above / "a dir" / "pip.conf")
        env.environ["PIP_NO_INDEX"] = "1"
        found = {each.check: each for each in env.findings()}
        assert found["config-file"].message.endswith("which pip cannot use: No such file or directory")
        env.fix(found["config-file"])
        assert "no-find-links" in found

    @pytest.mark.parametrize("kind", ["directory", "null device"])
    def test_no_file(self, kind: str, env: Environment) -> None:
        env.environ["PIP_CONFIG_FILE"] = str(env.above) if kind == "directory" else os.devnull
        env.environ["PIP_NO_INDEX"] = "1"
        found = {each.check: each for each in env.findings()}
        assert kind in found["config-file"].message
        env.fix(found["config-file"])

    @pytest.mark.slow
    def test_not_readable(
        self,
        cli: Cli,
        open_directory: Path,
        as_nobody: Callable[[Callable[[], Outcome]], Outcome],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        config = open_directory / "pip.conf"
        config.touch(0o000)
        monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
        arguments = ("doctor", "--json", "--root", open_directory, "--layer", "none")
        cli(*arguments)
        outcome = as_nobody(lambda: cli(*arguments))
        found = {each["check"]: each for each in json.loads(outcome.out)["findings"]}
        fix = (
            "unset PIP_CONFIG_FILE" if os.geteuid() == 0 else f"chmod a+r {config}"
        )  # root's is not nobody's
        assert found["config-file"]["fix"] == fix

    @pytest.mark.parametrize("text", ["find-links = /x\n", "[global\n", "[global]\nno-index\n"])
    def test_that_pip_refuses(self, text: str, env: Environment) -> None:
        env.config.write_text(text)
        env.environ["PIP_NO_INDEX"] = "1"
        found = {each.check: each for each in env.findings()}
        assert found["config-broken"].severity.value == "error"
        assert found["config-broken"].fix == f"cat {env.config}"

    def test_the_users_own_is_not_read(self, env: Environment) -> None:
        own = env.above / "home/.config/pip/pip.conf"
        own.parent.mkdir(parents=True)
        own.write_text("[global]\ntimeout = 3\n")
        assert env.one("ignored-config", "note").data == {"path": str(own)}
        assert "timeout" not in env.gather().pip.in_force
        assert env.findings()[0].fix == ""  # without the variable, pip would not find the wheelhouse

    def test_quiet_does_not_silence_the_answer(self, env: Environment) -> None:
        with env.config.open("a") as file:
            file.write("quiet = 3\n")
        assert env.checks() == []
        assert env.gather().pip.in_force["quiet"].value == "3"


class TestMachinesFile:
    """The site's settings are in a directory of XDG_CONFIG_DIRS."""

    @pytest.fixture
    def own(self, env: Environment) -> Path:
        """Where the user's file would be; the site's is in place."""
        (env.above / "xdg/pip").mkdir(parents=True)
        env.config = env.config.rename(env.above / "xdg/pip/pip.conf")
        del env.environ["PIP_CONFIG_FILE"]
        env.environ["XDG_CONFIG_DIRS"] = f"{env.above}/xdg:{env.above}/nothing"
        own = env.above / "home/.config/pip/pip.conf"
        own.parent.mkdir(parents=True)
        return own

    def test_users_may_have_their_own_beside_it(self, env: Environment, own: Path) -> None:
        own.write_text("[global]\ntimeout = 3\n")
        done = run_cli("doctor", "--python", env.python, environ=env.environ)
        lines = [line.strip() for line in done.stdout.splitlines()]
        files = [f"{own} (user)", f"{env.config} (machine)"]  # the stronger first
        assert [line for line in lines if line in files] == files
        assert lines[-1] == "0 errors, 0 warnings, 0 notes"

    def test_an_empty_value_takes_it_away(self, env: Environment, own: Path) -> None:
        """The finding does not go away with PIP_ISOLATED, with which pip would not show the user's file."""
        own.write_text("[global]\nfind-links =\n")
        env.environ["PIP_ISOLATED"] = "1"
        finding = env.one("find-links-replaced", "error")
        assert finding.message == (
            f"[global] find-links in {own} is empty, which takes [global] find-links in {env.config} away"
        )
        del env.environ["PIP_ISOLATED"]
        env.fix(finding)
        assert env.checks() == []

    @pytest.mark.usefixtures("own")
    def test_the_null_device_leaves_it_out(self, env: Environment) -> None:
        env.environ |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
        found = {each.check: each for each in env.findings()}
        assert {"config-file", "no-find-links"} <= {*found}
        env.fix(found["config-file"])


def test_what_pythonpath_adds(env: Environment) -> None:
    (env.above / "module/demo-1.0.dist-info").mkdir(parents=True)
    env.environ["PYTHONPATH"] = f"{env.above}/module:{env.above}/nothing"
    python, _ = ask_target(env.python, env.environ)
    assert [tuple(each) for each in python.added] == [("demo", "1.0", str(env.above / "module"))]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "check", "severity"),
    [
        ("PIP_NO_BINARY", "numpy", "no-binary", "warning"),
        ("PIP_NO_BINARY", ":all:", "no-binary", "error"),
        ("PIP_REQUIRE_HASHES", "1", "selection", "warning"),
        ("PIP_ONLY_BINARY", "numpy", "selection", "note"),
        ("PIP_PREFER_BINARY", "yes", "selection", "note"),
        ("PIP_USER", "1", "install-place", "error"),
        ("PIP_TARGET", "/t", "install-place", "warning"),
        ("PIP_PREFIX", "/p", "install-place", "warning"),
        ("PIP_NO_INDEX", "0", "overridden-setting", "warning"),
    ],
)
def test_a_variable_that_fights_the_wheelhouse(
    variable: str, value: str, check: str, severity: str, env: Environment
) -> None:
    if variable == "PIP_NO_INDEX":  # then pip would ask an index: one that is all files
        env.config.write_text(env.config.read_text() + f"index-url = {env.above.as_uri()}\n")
    env.environ[variable] = value
    (finding,) = [each for each in env.findings() if each.check == check]
    assert finding.severity.value == severity
    assert finding.fix == f"unset {variable}"
    env.fix(finding)


@pytest.mark.slow
def test_a_file_that_fights_the_wheelhouse(env: Environment, venv: Path) -> None:
    (venv / "pip.conf").write_text(
        "[install]\nno-binary = demo\nno-index = false\n[list]\nformat = columns\n"
    )
    found = {each.check: each for each in env.findings()}
    assert {"no-binary", "overridden-setting", "environment-config"} <= found.keys()
    assert found["environment-config"].data["options"] == ["no-binary", "no-index"]
    for check in ("no-binary", "overridden-setting"):
        env.fix(found[check])
    assert (venv / "pip.conf").read_text().count("=") == 1


def test_what_the_site_wants_is_no_fight(env: Environment) -> None:
    env.write_site('[pip]\nonly-binary = ["numpy", "scipy"]\nprefer-binary = true\nno-binary = ["mpi4py"]\n')
    env.write_config()
    assert env.checks() == []


class TestIndex:
    @pytest.fixture
    def port(self) -> Iterator[int]:
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    def use(self, env: Environment, port: int) -> None:
        env.write_config()
        env.config.write_text(env.config.read_text().replace("no-index = true", ""))
        env.environ["PIP_INDEX_URL"] = f"http://me:secret@127.0.0.1:{port}/simple"

    def test_one_that_answers(self, env: Environment, port: int) -> None:
        self.use(env, port)
        finding = env.one("index", "note")
        env.environ["PIP_EXTRA_INDEX_URL"] = f"http://me:secret@127.0.0.1:{port}/more"
        done = run_cli("doctor", "--python", env.python, environ=env.environ)
        assert f"\nindex       http://***@127.0.0.1:{port}/simple (PIP_INDEX_URL)\n" in done.stdout
        assert f"\n            http://***@127.0.0.1:{port}/more (PIP_EXTRA_INDEX_URL)\n" in done.stdout
        assert "secret" not in done.stdout
        assert f"http://***@127.0.0.1:{port}/simple (PIP_INDEX_URL)" in finding.message

    @pytest.mark.slow
    def test_the_default_one(self, env: Environment, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
        """It is asked of pip itself; here somebody else answers instead of it."""
        ask = machine._default_index
        told: list[str] = []

        def answer(python: str, environ: Mapping[str, str]) -> str:
            told.append(ask(python, environ))
            return f"http://127.0.0.1:{port}/simple"

        monkeypatch.setattr(machine, "_default_index", answer)
        env.config.write_text(env.config.read_text().replace("no-index = true", ""))
        finding = env.one("index", "note")
        assert f"pip also asks http://127.0.0.1:{port}/simple (pip's default)" in finding.message
        assert re.fullmatch(r"https://[\w.]+/simple/?", told[0])
        env.fix(finding)
        assert [each for each in env.checks() if each[1] != "note"] == []

    def test_one_that_does_not(self, env: Environment) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.use(env, port)
        found = {each.check: each for each in env.findings()}
        assert found["index-unreachable"].data["problem"] == "Connection refused"
        env.fix(found["index-unreachable"])

    def test_one_that_keeps_silent_is_waited_for_shortly(
        self, env: Environment, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("wheelhouse_resolver.doctor.probes.machine._PATIENCE", 0.3)
        waiting: list[socket.socket] = []
        with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
            port = server.getsockname()[1]
            try:
                for _ in range(4):  # until no more fit: then the kernel answers nobody
                    waiting.append(socket.socket())
                    waiting[-1].settimeout(0.2)
                    if waiting[-1].connect_ex(("127.0.0.1", port)):
                        break
                self.use(env, port)
                found = {each.check: each for each in env.findings()}
            finally:
                for each in waiting:
                    each.close()
        assert "index-unreachable" in found
        assert {"timed out", "no answer within 0.3 s"} >= {found["index-unreachable"].data["problem"]}

    def test_a_proxy_is_what_must_answer(self, env: Environment, port: int) -> None:
        self.use(env, 9)
        env.environ["http_proxy"] = f"http://127.0.0.1:{port}"
        assert env.checks() == [("index", "note")]
        env.environ["no_proxy"] = "localhost,127.0.0.1"
        assert "index-unreachable" in {each.check for each in env.findings()}


#: Releases of pip that tell their settings in each of the three ways, and those at the bounds.
PIPS = [
    "9.0.3",
    "10.0.1",
    "19.2.3",
    "20.1.1",
    "20.2.4",
    "20.3.4",
    "21.3.1",
    "22.3.1",
    "24.0",
    "25.0.1",
    "26.3",
]


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    "version",
    [
        pytest.param(v, marks=[] if v in ("9.0.3", "19.2.3", "20.3.4", "26.3") else pytest.mark.slow)
        for v in PIPS
    ],
)
def test_what_each_pip_tells(version: str, env: Environment, pips_directory: Path) -> None:
    release = "pip" if version == "26.3" else f"pip=={version}"
    python = python_that_runs(release)
    if python is None:
        pytest.skip(f"no Python on this machine runs {release}")
    environ = {**env.environ, "PYTHONPATH": str(fetch(release, pips_directory))}
    environ |= {"PIP_TIMEOUT": "7", "PIP_QUIET": "1"}
    _, pip = ask_target(python, environ)
    assert pip.version is not None
    numbers = tuple(int(each) for each in pip.version.split(".")[:2])
    asked = "config debug" if numbers >= (20, 2) else "config list" if numbers >= (10, 0) else ""
    assert pip.asked == asked
    assert pip.problem == ""
    ours = {each.option: each for each in pip.settings if each.option in ("find-links", "no-index")}
    if pip.asked == "":
        assert pip.settings == ()
    else:
        origin, file = ("env", str(env.config)) if pip.asked == "config debug" else ("files", "")
        assert ours["no-index"] == PipSetting(origin=origin, file=file, option="no-index", value="true")
        assert ours["find-links"].values == [
            (env.root / label).as_uri() for label in ("gentoo/base", "gentoo/generic", "generic")
        ]
    env.environ = environ
    told = env.checks(python)
    assert (("pip-too-old", "error") in told) == (numbers < (19, 3))
    assert (("config-unread", "note") in told) == (numbers < (20, 2))
    assert "no-find-links" not in dict(told) or pip.asked == ""


@pytest.mark.slow
@pytest.mark.network
def test_a_pip_that_is_too_old_is_fixed(env: Environment, tmp_path: Path, pips_directory: Path) -> None:
    python = python_that_runs("pip==19.2.3")
    if python is None:
        pytest.skip("no Python on this machine runs pip 19.2.3")
    made = tmp_path / "old"
    subprocess.run([python, "-m", "venv", str(made)], check=True, env=clean_environ(), capture_output=True)
    (packages,) = made.glob("lib/python*/site-packages")
    for each in packages.glob("pip*"):
        shutil.rmtree(each)
    old = fetch("pip==19.2.3", pips_directory)
    for each in old.glob("pip*"):
        shutil.copytree(each, packages / each.name)
    env.environ["VIRTUAL_ENV"] = str(made)
    env.environ["PATH"] = f"{made}/bin:{env.environ['PATH']}"
    own = str(made / "bin/python")
    (finding,) = [each for each in env.findings(own) if each.check == "pip-too-old"]
    assert finding.fix == ""  # pip asks no index, and the wheelhouse has none
    (env.root / "generic/pip-20.3.4-py2.py3-none-any.whl").touch()
    (finding,) = [each for each in env.findings(own) if each.check == "pip-too-old"]
    assert finding.fix == f"{own} -m pip install --upgrade pip"
    # Where pip is to come from is for the index to say.
    environ = {k: v for k, v in pip_environ().items() if k != "PIP_CONFIG_FILE"}
    real = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
    subprocess.run(finding.fix, shell=True, check=True, env={**environ, **real}, capture_output=True)
    assert "pip-too-old" not in dict(env.checks(own))


@pytest.mark.slow
def test_no_pip(env: Environment) -> None:
    python = make_venv(env.above / "bare", "--no-pip")
    env.environ["VIRTUAL_ENV"] = str(env.above / "bare")
    (finding,) = [each for each in env.findings(str(python)) if each.check == "pip-missing"]
    assert finding.message.startswith(f"{python} has no pip that works: No module named ")
    if subprocess.run([python, "-c", "import ensurepip"]).returncode == 0:
        env.fix(finding, str(python))


def test_a_pip_that_cannot_be_imported(env: Environment) -> None:
    (env.above / "broken/pip").mkdir(parents=True)
    (env.above / "broken/pip/__init__.py").write_text("raise RuntimeError('half installed')\n")
    env.environ["PYTHONPATH"] = str(env.above / "broken")
    assert "RuntimeError: half installed" in env.one("pip-missing", "error").message


@pytest.mark.slow
def test_the_command_pip_is_of_another_python(env: Environment) -> None:
    other = make_venv(env.above / "other")
    env.environ["PATH"] = f"{other.parent}:{env.environ['PATH']}"
    finding = env.one("other-pip", "warning")
    assert finding.data == {"command": f"{other.parent}/pip", "its_python": str(other), "target": env.python}
    assert finding.fix == f"wheelhouse-resolver doctor --config {env.site} --python {other}"


@pytest.mark.slow
def test_a_uv_that_knows_no_wheelhouse(env: Environment) -> None:
    uv = Path(sysconfig.get_path("scripts"), "uv")
    if not uv.exists():
        pytest.skip("uv is not installed")
    (env.above / "bin/uv").symlink_to(uv)
    finding = env.one("uv", "note")
    env.fix(finding)
    assert env.environ["UV_FIND_LINKS"].startswith(env.root.as_uri())
    assert env.checks() == []


# -- the target Python -------------------------------------------------------------------------------------


class TestPython:
    def test_a_version_alone(self, env: Environment) -> None:
        assert (
            "3.9 is a version, not a Python that can be asked"
            in {each.check: each for each in env.findings("3.9")}["target"].message
        )

    def test_by_default_the_one_in_use(self, env: Environment) -> None:
        found = diagnose(Overrides(), env.environ)
        assert found.facts.python is not None
        assert found.facts.python.executable == env.python
        assert found.facts.host.python.name == env.python
        assert found.diagnostics == ()

    @pytest.mark.parametrize("text", ["1 / 0\n", "import sys; sys.exit(3)\n"], ids=["raises", "exits"])
    def test_the_one_in_use_though_its_policy_module_fails(self, text: str, env: Environment) -> None:
        (env.above / "library").mkdir()
        (env.above / "library" / FILENAME).write_text(text)
        env.environ["PYTHONPATH"] = str(env.above / "library")
        found = diagnose(Overrides(), env.environ)
        assert found.facts.python is not None
        assert found.facts.python.executable == env.python
        assert [each.check for each in found.diagnostics] == ["manylinux-policy"]

    def test_the_one_in_use_though_it_does_not_work(self, env: Environment) -> None:
        env.environ["VIRTUAL_ENV"] = str(env.above / "broken")
        python = copy_of_true(env.above / "broken/bin/python")
        (finding,) = [
            each for each in diagnose(Overrides(), env.environ).diagnostics if each.check == "target"
        ]
        assert f"target Python {python}: not a Python that works (exit code 0)" in finding.message

    def test_a_version_that_is_here(self, env: Environment) -> None:
        version = "{}.{}".format(*sys.version_info[:2])
        facts = env.gather(version)
        assert facts.python is not None
        assert facts.python.executable == f"{env.python}{version}"
        assert facts.host_options == ("--python", facts.python.executable)

    def test_the_directory_of_an_environment(self, env: Environment, venv: Path) -> None:
        facts = env.gather(str(venv))
        assert facts.python is not None
        assert facts.python.executable == env.python
        assert env.findings(str(venv)) == []

    def test_one_of_another_node(self, env: Environment) -> None:
        python = copy_of_true(env.above / "python3", "/nowhere/ld-linux.so.2")
        found = {each.check: each for each in env.findings(str(python))}
        assert found["target"].severity.value == "error"
        assert "it needs /nowhere/ld-linux.so.2, which is not there" in found["target"].message

    def test_one_that_hangs(self, env: Environment) -> None:
        python = env.above / "python3"
        python.write_text("#!/bin/sh\nexec sleep 60\n")
        python.chmod(0o755)
        with pytest.raises(PythonError, match=r"did not answer within 0\.2 s"):
            ask_target(str(python), env.environ, timeout=0.2)

    def test_of_another_layer_than_what_is_loaded(self, env: Environment) -> None:
        env.write_site(prefix=sys.base_prefix)
        env.environ["EPREFIX"] = "/cvmfs/gentoo"
        (finding,) = [each for each in env.findings() if each.check == "other-layer"]
        assert finding.severity.value == "error"
        assert "is of layer nix" in finding.message
        assert "yet layer gentoo is loaded (EPREFIX=/cvmfs/gentoo)" in finding.message
        assert finding.fix == ""  # no Python of that layer is on PATH

    def test_a_python_of_the_layer_is_named(self, env: Environment) -> None:
        python = copy_of_true(env.above / "layer/bin/python3")
        env.write_site(
            f'[[layer]]\nname = "other"\ninterpreter = ["{env.above}/layer/*"]\nenv = {{ X = "*" }}\n'
        )
        env.environ |= {"X": "1", "PATH": f"{python.parent}:{env.environ['PATH']}"}
        (finding,) = [each for each in env.findings() if each.check == "other-layer"]
        prefix = Path(env.python).parent.parent
        assert finding.fix == f"{python} -m venv {prefix}-new && . {prefix}-new/bin/activate"

    def test_of_the_layer_that_is_loaded(self, env: Environment) -> None:
        env.write_site(prefix=sys.base_prefix)
        env.environ["NIX_PROFILES"] = "/nix"
        assert "other-layer" not in dict(env.checks())

    def test_of_no_layer_though_one_is_loaded(self, env: Environment) -> None:
        env.environ["NIX_PROFILES"] = "/nix"
        env.write_config()
        (finding,) = env.findings()
        assert (finding.check, finding.severity.value) == ("other-layer", "warning")

    def test_of_conda(self, env: Environment, venv: Path) -> None:
        (venv / "conda-meta").mkdir()
        finding = env.one("conda", "error")
        assert f"of the conda environment {venv}, and the wheels are for layer gentoo" in finding.message

    def test_beside_an_active_conda_environment(self, env: Environment) -> None:
        env.environ["CONDA_PREFIX"] = "/opt/conda"
        finding = env.one("conda", "warning")
        assert finding.fix == "conda deactivate"

    @pytest.mark.parametrize("how", ["active", "named"])
    def test_a_virtual_environment_whose_python_is_gone(self, how: str, env: Environment) -> None:
        module, venv = env.above / "module", env.above / "stale"
        module.symlink_to(sys.base_prefix)
        command = [str(module / "bin/python3"), "-m", "venv", "--without-pip", str(venv)]
        subprocess.run(command, check=True, env=clean_environ())
        module.unlink()  # as `module unload` on a node that lacks it
        assert not (venv / "bin/python").exists()
        if how == "active":
            env.environ["VIRTUAL_ENV"] = str(venv)
        named = str(venv / "bin/python") if how == "named" else None
        found = {each.check: each for each in env.findings(named)}
        assert found["broken-environment"].severity.value == "error"
        assert "does not exist" in found["broken-environment"].message
        python = f"{Path(env.python).parent}/" + "python{}.{}".format(*sys.version_info[:2])
        new = f"{venv}-new"
        assert found["broken-environment"].fix == f"{python} -m venv {new} && . {new}/bin/activate"
        if how == "named":
            assert "target" in found

    def test_a_virtual_environment_that_is_not_the_one_looked_at(self, env: Environment) -> None:
        other = make_venv(env.above / "other", "--no-pip")
        env.environ["VIRTUAL_ENV"] = str(env.above / "other")
        finding = env.one("other-environment", "note")
        assert finding.fix == f"wheelhouse-resolver doctor --config {env.site} --python {other}"

    def test_a_module_of_another_version(self, env: Environment) -> None:
        env.environ["LOADEDMODULES"] = "gcc/12.3:python/2.7.18:mpi/5"
        finding = env.one("other-version", "warning")
        assert "the module that is loaded is Python 2.7" in finding.message
        env.environ["LOADEDMODULES"] = "python/{}.{}.0".format(*sys.version_info[:2])
        assert env.checks() == []

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("text", "severity", "words"),
        [
            (POLICY_MODULE, "note", "refuses manylinux wheels; it is what `policy-module` writes"),
            ("def manylinux_compatible(*_): return False\n", "note", "refuses manylinux wheels; it is not"),
            ("manylinux2014_compatible = True\n", "note", "allows manylinux wheels"),
            ("", "note", "has no opinion"),
            ("1 / 0\n", "error", "ZeroDivisionError"),
            ("import sys; sys.exit(3)\n", "error", "SystemExit"),
        ],
    )
    def test_a_policy_module(self, text: str, severity: str, words: str, env: Environment) -> None:
        library = env.above / "library"
        library.mkdir()
        (library / FILENAME).write_text(text)
        env.environ["PYTHONPATH"] = str(library)
        finding = env.one("manylinux-policy", severity)
        assert words in finding.message
        assert str(library / FILENAME) in finding.message
        if severity == "error":  # it fails in our own process, too, and when the host is detected
            done = run_cli("doctor", "--python", env.python, environ=env.environ)
            assert words in done.stdout
        if finding.fix:
            env.fix(finding)

    def test_pythonpath_hides_what_is_installed(self, env: Environment) -> None:
        (env.above / "mine/pip-0.1.dist-info").mkdir(parents=True)
        env.environ["PYTHONPATH"] = str(env.above / "mine")
        finding = env.one("shadowed", "note")
        assert finding.message.startswith(f"{env.above}/mine comes before what is installed: pip 0.1 (hides ")
        env.fix(finding)

    @pytest.mark.slow
    def test_the_users_own_packages_hide_what_is_installed(self, env: Environment) -> None:
        (env.above / "base").mkdir()
        env.environ["PYTHONUSERBASE"] = str(env.above / "base")
        python = f"{sys.base_prefix}/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
        del env.environ["VIRTUAL_ENV"]
        code = "import site, sysconfig; print(site.getusersitepackages(), sysconfig.get_path('purelib'))"
        done = subprocess.run([python, "-c", code], env=env.environ, capture_output=True, text=True)
        user, installed = done.stdout.split()
        names = sorted(Path(installed).glob("*.dist-info")) if Path(installed).is_dir() else []
        if not names:
            pytest.skip("nothing is installed in the Python below that of the tests")
        name = names[0].name.partition("-")[0]
        Path(user, f"{name}-0.0.1.dist-info").mkdir(parents=True)
        found = {each.check: each for each in env.findings(python)}
        assert found["shadowed"].fix == "export PYTHONNOUSERSITE=1"
        env.fix(found["shadowed"], python)


# -- the machine -------------------------------------------------------------------------------------------


class TestMachine:
    def test_no_temporary_directory(self, env: Environment) -> None:
        env.environ["TMPDIR"] = str(env.above / "a new one")
        env.fix(env.one("temporary-directory", "error"))
        env.environ["TMPDIR"] = "/proc"
        env.fix(env.one("temporary-directory", "error"))

    def test_a_temporary_directory_where_nothing_runs(self, env: Environment) -> None:
        for _ in mounted(env.above / "tmp2", "-t", "tmpfs", "-o", "size=1m,noexec", "tmpfs"):
            env.environ["TMPDIR"] = str(env.above / "tmp2")
            finding = env.one("temporary-directory", "error")
            assert "programs cannot run there (noexec)" in finding.message
            env.fix(finding)

    def test_a_full_home(self, env: Environment) -> None:
        for _ in mounted(env.above / "full", "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
            (env.above / "full/file").write_bytes(b"x" * 60000)
            env.environ["HOME"] = str(env.above / "full")
            assert "No space left on device" in env.one("home", "note").message

    def test_a_cache_that_cannot_be_written(self, env: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc/no/such")
        finding = env.one("cache", "note")
        assert "/proc/no/such/wheelhouse-resolver" in finding.message


# -- bad input, secrets, and everything at once ------------------------------------------------------------


@pytest.mark.parametrize("python", ["/nowhere/python", "no-such-python-anywhere", "/", "/bin/true", "3.x"])
def test_a_python_that_is_none_is_bad_input(python: str, cli: Cli, tmp_path: Path) -> None:
    outcome = cli("doctor", "--root", tmp_path, "--python", python)
    assert (outcome.code, outcome.out) == (2, "")
    line, *hint = outcome.err.splitlines()
    assert line.startswith(f"error: target Python {python}")
    assert len(hint) <= 1
    assert all(each.startswith("hint: ") for each in hint)


def test_an_option_that_names_what_is_unknown_is_bad_input(env: Environment) -> None:
    with pytest.raises(UnknownArchError):
        env.findings(arch="mmx")
    with pytest.raises(UnknownLayerError):
        env.findings(layer="guix")


@pytest.mark.slow
def test_no_password_is_told(env: Environment, venv: Path) -> None:
    secret = "hunter2"
    env.config.write_text(
        f"[global]\nextra-index-url =\n    https://me:{secret}@a.example/s\n    https://{secret}@b.example/\n"
    )
    (venv / "pip.conf").write_text(f"[install]\nproxy = me:{secret}@proxy.example:3128\n")
    env.environ |= {
        "PIP_INDEX_URL": f"http://me:{secret}@127.0.0.1:9/simple?token={secret}",
        "PIP_FIND_LINKS": f"https://me:{secret}@a.example/wheels",
        "UV_INDEX_URL": f"https://me:{secret}@a.example/s",
        "HTTPS_PROXY": f"http://me:{secret}@proxy.example",
        "PIP_SOME_TOKEN": secret,
    }
    for broken in (False, True):
        if broken:
            env.config.write_text(f"index-url = https://me:{secret}@a.example/s\n")
        for words in (("--json",), ()):
            done = run_cli("doctor", *words, "--python", env.python, environ=env.environ)
            assert done.returncode == 1
            assert done.stderr == ""
            assert secret not in done.stdout
            assert "***@a.example" in done.stdout
            assert not words or (done.stdout.isascii() and json.loads(done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_when_everything_is_broken_everything_is_told(words: tuple[str, ...], env: Environment) -> None:
    venv = env.above / "gone"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to("/nowhere/python3")
    (venv / "pyvenv.cfg").write_bytes(b"home = /nowhere\xff\nversion\n\x00\n")
    env.environ |= {
        "WHEELHOUSE_CONFIG": "/nowhere/site.toml",
        "WHEELHOUSE_ROOT": "/nowhere/\x1b[31mred",
        "RSNT_ARCH": "mmx\x1b",
        "WHEELHOUSE_LAYER": "guix",
        "PIP_CONFIG_FILE": "/nowhere/pip.conf",
        "PIP_FIND_LINKS": "file:///nowhere http://[broken ://",
        "PIP_INDEX_URL": "http://[::broken",
        "PIP_NO_BINARY": ":all:",
        "TMPDIR": "/nowhere",
        "HOME": "/nowhere",
        "XDG_CACHE_HOME": "/proc",
        "VIRTUAL_ENV": str(venv),
        "PYTHONPATH": "/nowhere",
        "CONDA_PREFIX": "/nowhere",
        "LOADEDMODULES": ":::python/:\udcff",
        "PATH": "/usr/bin:/bin",
    }
    done = run_cli("doctor", *words, environ=env.environ)
    assert (done.returncode, done.stderr) == (1, "")
    assert "\x1b" not in done.stdout
    for check in ("site-file", "root", "config-file", "unknown-override", "no-binary", "temporary-directory"):
        assert check in done.stdout
    for check in ("broken-environment", "home", "cache", "conda"):
        assert check in done.stdout
    done = run_cli("doctor", *words, "--python", venv / "bin/python", environ=env.environ)
    assert (done.returncode, done.stderr) == (1, "")


def test_nothing_is_changed(env: Environment) -> None:
    def state() -> list[tuple[str, int]]:
        found = [path for path in env.above.rglob("*") if "cache" not in path.parts]
        return sorted((str(path), path.lstat().st_mtime_ns) for path in found if path.name != "tmp")

    before = state()
    env.environ["PIP_NO_BINARY"] = ":all:"
    run_cli("doctor", "--python", env.python, environ=env.environ)
    assert [each for each in state() if not each[0].endswith(("home", "tmp"))] == [
        each for each in before if not each[0].endswith(("home", "tmp"))
    ]
