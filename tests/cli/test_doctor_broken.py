"""`doctor` in environments that are really broken: each is found, and the fix fixes it, run as printed."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Outcome
from tests.environments import BREAKS, Environment
from tests.factories import clean_environ
from tests.requires import requires
from wheelhouse_resolver.doctor.diagnose import diagnose
from wheelhouse_resolver.doctor.diagnostics import Diagnostic
from wheelhouse_resolver.doctor.probes.gather import Overrides


def findings(env: Environment) -> list[Diagnostic]:
    """All that is found about the Python in use."""
    return [*diagnose(Overrides(), env.environ).diagnostics]


#: Siblings of others, which take as long.
SIBLINGS = {"copied", "pip-lacks-record", "wants-venv"}


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.slow] if each in SIBLINGS else []) for each in BREAKS]
)
def test_what_is_broken_is_found_and_nothing_else(name: str, env: Environment) -> None:
    check, severity, break_it = BREAKS[name]
    break_it(env)
    found = findings(env)
    if name == "deleted":  # the Python that is left may have no pip, as Debian's
        found = [each for each in found if each.check != "pip-missing"]
    assert [(each.check, each.severity.value) for each in found if each.severity.value != "note"] == (
        [(check, severity)] if severity != "note" else []
    )
    assert check in {each.check for each in found}


@pytest.mark.slow
@pytest.mark.parametrize("name", BREAKS)
def test_the_fix_fixes_it(name: str, env: Environment) -> None:
    check, severity, break_it = BREAKS[name]
    break_it(env)
    (finding,) = [each for each in findings(env) if each.check == check]
    env.do(finding.fix, quiet=check != "half-removed")  # of that pip itself warns until it is gone
    assert (check, severity) not in {(each.check, each.severity.value) for each in findings(env)}


# -- equal values in other spellings -----------------------------------------------------------------------


def spelled(env: Environment) -> list[str]:
    """The directories that this host searches, in the wrong order, each spelled in another way."""
    (env.above / "link").symlink_to(env.root)
    return [
        f"file://{env.above}/link/generic/",
        f"{env.root}//gentoo/./generic",
        f"file://{env.root}/%67entoo/b%61se",
    ]


def test_equal_values_in_other_spellings_are_no_findings(env: Environment) -> None:
    limits = env.above / "limits.txt"
    limits.write_text("demo<2\n")
    env.write_site(f'[pip]\nconstraint = "{limits}"\nno-binary = ["some_thing", "B"]\nprefer-binary = true\n')
    env.write_config()
    places = spelled(env)
    env.environ |= {
        "PIP_FIND_LINKS": " ".join(places),
        "PIP_CONSTRAINT": f"file://{env.above}//limits.txt",
        "PIP_NO_BINARY": "b,Some-Thing",
        "PIP_PREFER_BINARY": "1",
    }
    assert findings(env) == []
    env.environ["PIP_CONSTRAINT"] = str(env.above / "others.txt")
    (env.above / "others.txt").touch()
    assert {each.check for each in findings(env)} == {"selection", "overridden-setting"}


# -- uv ----------------------------------------------------------------------------------------------------


@pytest.fixture
def uv(env: Environment) -> str:
    """The real uv, on the PATH of *env*."""
    uv = Path(sysconfig.get_path("scripts"), "uv")
    if not uv.exists():
        pytest.skip("uv is not installed")
    (env.above / "bin/uv").symlink_to(uv)
    return str(env.above / "bin/uv")


@pytest.mark.slow
def test_what_configures_uv(env: Environment, uv: str) -> None:
    def found(**variables: str) -> list[tuple[str, str, str]]:
        env.environ.update(variables)
        return [(each.check, each.severity.value, each.message) for each in findings(env)]

    ours = ",".join(spelled(env))
    assert found(UV_FIND_LINKS=ours) == []
    nix = f"{env.root.as_uri()}/nix/base,{env.root.as_uri()}/generic"
    ((check, severity, what),) = found(UV_FIND_LINKS=nix)
    assert (check, severity) == ("uv-find-links", "error")
    assert what == "UV_FIND_LINKS is for layer nix, arch base; this host is layer gentoo, arch base"
    (finding,) = findings(env)
    env.do(finding.fix)
    assert findings(env) == []

    assert found(UV_FIND_LINKS=f"{ours},/nowhere")[0][:2] == ("uv-find-links", "error")
    install = [uv, "pip", "install", "--dry-run", "--offline", "--python", env.python, "demo"]
    assert subprocess.run(install, env=env.environ, capture_output=True).returncode != 0
    limits = env.above / "limits.txt"
    limits.touch()
    assert found(UV_FIND_LINKS=ours, UV_CONSTRAINT=str(limits))[0][:2] == ("uv-settings", "note")
    assert found(UV_CONSTRAINT="/nowhere.txt")[0][:2] == ("uv-settings", "error")
    assert subprocess.run(install, env=env.environ, capture_output=True).returncode != 0
    del env.environ["UV_CONSTRAINT"], env.environ["UV_FIND_LINKS"]

    config = env.above / "uv.toml"
    config.write_text("find-links = [\n" + "".join(f"{each!r},\n" for each in ours.split(",")) + "]\n")
    assert found(UV_CONFIG_FILE=str(config)) == []
    config.write_text("find-links = [\n")
    assert found()[0][:2] == ("uv-settings", "error")


@pytest.mark.slow
def test_a_root_of_another_kind_of_host(env: Environment, uv: str) -> None:
    """As `pip-conf --form xdg` writes it: what is right for other hosts stays, and this one gets its own."""
    env.do(f"wheelhouse-resolver pip-conf --all --offline --form xdg --output-dir {env.above}/etc")
    del env.environ["PIP_CONFIG_FILE"]
    env.environ["XDG_CONFIG_DIRS"] = f"{env.above}/etc/base-gentoo"
    assert findings(env) == []
    env.environ["XDG_CONFIG_DIRS"] = f"{env.above}/etc/base-nix"
    found = {each.check: each for each in findings(env)}
    assert {*found} == {"stale-find-links", "uv-find-links"}
    env.do(found["uv-find-links"].fix)
    env.environ["PIP_NO_INDEX"] = "1"
    assert {each.check for each in findings(env)} <= {"index"}
    install = [uv, "pip", "install", "--dry-run", "--python", env.python, "demo"]
    assert subprocess.run(install, env=env.environ, capture_output=True).returncode == 0


def test_an_environment_that_uv_made_needs_no_pip(env: Environment, uv: str) -> None:
    made = env.above / "made"
    command = [uv, "venv", "--quiet", "--offline", "--python", env.python, str(made)]
    subprocess.run(command, check=True, env=clean_environ(HOME=env.environ["HOME"]))
    env.use(made)
    found = {each.check: each.severity.value for each in findings(env)}
    assert found == {"pip-missing": "note", "uv": "warning"}


# -- users -------------------------------------------------------------------------------------------------


def test_an_ordinary_user_with_an_empty_environment(
    cli: Cli,
    open_directory: Path,
    as_nobody: Callable[[Callable[[], Outcome]], Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No fix is for the site's staff, and nothing is asked of a home that is not there."""
    (open_directory / "tree/generic").mkdir(parents=True)
    for name in ("HOME", "PATH", "SHELL", "USER", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    arguments = ("doctor", "--json", "--root", open_directory / "tree", "--layer", "none")
    cli(*arguments)
    outcome = as_nobody(lambda: cli(*arguments))
    answer = json.loads(outcome.out)
    assert not {"home", "unreadable-directory"} & {each["check"] for each in answer["findings"]}
    fixes = [each["fix"] or "" for each in answer["findings"]]
    assert not any(word in fix for fix in fixes for word in ("init", "restamp", "chmod", "--upgrade pip"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "shell", [pytest.param(each, marks=requires(each)) for each in ("dash", "zsh", "fish", "tcsh")]
)
def test_a_fix_is_for_the_users_shell(shell: str, env: Environment) -> None:
    """In each, one that sets settings, and one that makes an environment and activates it."""
    BREAKS["deleted"][2](env)
    del env.environ["PIP_CONFIG_FILE"]
    env.environ |= {"SHELL": f"/bin/{shell}", "RSNT_ARCH": "mmx", "PIP_NO_INDEX": "1"}
    fixes = {each.check: each.fix for each in findings(env)}
    lines = [fixes["no-find-links"], fixes["broken-environment"], "env"]
    script = "\n".join(lines) + "\n"
    done = subprocess.run([shell, "-c", script], env=env.environ, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert f"PIP_FIND_LINKS={env.root.as_uri()}/gentoo/base" in done.stdout
    assert f"\nVIRTUAL_ENV={env.above}/own\n" in f"\n{done.stdout}"
