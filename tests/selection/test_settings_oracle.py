"""What the [pip] table of a site and its constraints files mean: to real pip, and so to us.

Each case is a site; what `pick`, `avail` and `lock` say of its projects is what `pip install` does with the
configuration that `pip-conf` writes for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.factories import make_wheel, pip_report, run_pip
from tests.pips import pip_environ
from tests.programs import program_of, python_that_runs
from tests.questions import pick, why_not
from wheelhouse_resolver.host.detect import Host, detect_host
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.selection.constraints import Trouble, problems_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse

HOST = Host(arch="generic", layer=None)

PROJECTS = ("zz", "onlypre", "py", "xx", "dep")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    generic = tmp_path / "tree/generic"
    for name in ("zz-1.0", "zz-2.0rc1", "onlypre-1.0rc1", "xx-1.0", "xx-2.0", "py-1.0"):
        make_wheel(generic, f"{name}-py3-none-any.whl")
    make_wheel(generic, "py-2.0-py3-none-any.whl", requires_python=">=3.99")
    make_wheel(generic, "dep-1.0-py3-none-any.whl", requires_dist=["zz", "py"])
    return Site.default(tmp_path / "tree")


def environ_of(site: Site, tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "pip.conf"
    config.write_text(pip_config(site, HOST, offline=True).render())
    return pip_environ(PIP_CONFIG_FILE=str(config))


def agree(site: Site, pip: list[str], tmp_path: Path) -> dict[str, str]:
    """Assert that *pip* does with every project what we say of it; returns the versions that we pick."""
    environ, house = environ_of(site, tmp_path), Wheelhouse(site)
    picked: dict[str, str] = {}
    urls: dict[str, str] = {}
    for project in PROJECTS:
        best = pick(house, project, HOST).best
        rows = house.available(HOST, [project]).rows
        assert [row.wheels[0] for row in rows] == [best] if best else rows == (), project
        assert why_not(house, project, HOST).best == best
        if best is not None:
            picked[project], urls[project] = str(best.version), file_url(best.path)
        else:
            assert pip_report("--no-deps", project, environ=environ, pip=pip) == {}
    assert pip_report("--no-deps", *urls, environ=environ, pip=pip) == urls
    locked = house.lock(["dep"], HOST)
    ours = {each.candidate.name: file_url(each.candidate.path) for each in locked.packages}
    assert pip_report("dep", environ=environ, pip=pip) == ours
    return picked


def with_table(site: Site, table: Mapping[str, Any]) -> Site:
    frozen = {k: MappingProxyType(v) if isinstance(v, dict) else v for k, v in table.items()}
    return Site(root=site.root, pip=MappingProxyType(frozen))


PLAIN = {"zz": "1.0", "onlypre": "1.0rc1", "py": "1.0", "xx": "2.0", "dep": "1.0"}


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    ("table", "differs"),
    [
        ({"all-releases": ":all:"}, {"zz": "2.0rc1"}),
        ({"all-releases": "Z_z"}, {}),
        ({"all_releases": ("xx", "zz")}, {"zz": "2.0rc1"}),
        ({"only-final": "onlypre,zz"}, {"onlypre": None}),
        ({"only-final": ":all:", "all-releases": "zz"}, {"zz": "2.0rc1", "onlypre": None}),
        ({"all-releases": "zz", "install": {"only-final": ":all:"}}, {"onlypre": None}),
        ({"all-releases": ":all:,:none:"}, {}),
        ({"ignore-requires-python": "yes"}, {"py": "2.0"}),
        ({"no-deps": True}, {}),
        ({"no_dependencies": True, "install": {"no-deps": False}}, {}),
        ({"no-binary": ":all:,:none:,xx"}, {"xx": None}),
        ({"no-binary": ":all:", "only-binary": ("zz", "py", "dep")}, {"xx": None, "onlypre": None}),
        ({"only-binary": ":all:", "no-binary": "xx"}, {"xx": None}),
        ({"no-binary": "xx", "only-binary": "xx"}, {}),
        ({"no-binary": "zz", "install": {"no-binary": "xx"}}, {"zz": None, "xx": None}),
        ({"install": {"no-binary": "xx"}, "only-binary": "xx"}, {"xx": None}),
    ],
    ids=str,
)
def test_settings(
    table: Mapping[str, Any],
    differs: Mapping[str, str | None],
    site: Site,
    newest_pip: list[str],
    tmp_path: Path,
) -> None:
    expected = {name: version for name, version in {**PLAIN, **differs}.items() if version is not None}
    assert agree(with_table(site, table), newest_pip, tmp_path) == expected


@pytest.mark.network
def test_a_suggested_command_overrides_only_final(site: Site, newest_pip: list[str], tmp_path: Path) -> None:
    """`--pre` would be an error there."""
    site = with_table(site, {"only-final": ":all:"})
    answer = why_not(Wheelhouse(site), "onlypre", HOST)
    assert "the site's [pip] table says only-final" in "\n".join(answer.lines())
    command = answer.suggestions[0].command
    assert command == "pip install --all-releases onlypre onlypre"
    environ = environ_of(site, tmp_path)
    assert pip_report(*command.split()[2:], environ=environ, pip=newest_pip)
    assert run_pip("install", "--pre", "onlypre", environ=environ, pip=newest_pip).returncode == 1


HASH = f"--hash=sha256:{hashlib.sha256(b'').hexdigest()}"


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("zz==1.0", None),
        ("zz[foo]==1.0", Trouble.REFUSED),
        ("zz[foo]==1.0; python_version < '3'", Trouble.REFUSED),
        ("-e ./here", Trouble.REFUSED),
        ("file:///nowhere/zz-1.0.tar.gz", Trouble.REFUSED),
        ("zz @ file:///nowhere/zz-1.0-py3-none-any.whl", Trouble.LINK),
        ("zz==1.0 {hash}", Trouble.HASHES),
        ("-c hashed.txt", Trouble.HASHES),
        ("--require-hashes", Trouble.HASHES),
        ("--no-require-hashes\nzz==1.0 {hash}", None),
        ("-r zz.txt", Trouble.REQUIREMENTS),
        ("what is this", Trouble.INVALID),
        ("--bogus", Trouble.INVALID),
        ("-c missing.txt", Trouble.INVALID),
        (None, Trouble.INVALID),
    ],
    ids=str,
)
@pytest.mark.parametrize("release", ["pip", pytest.param("pip==20.3.4", marks=pytest.mark.slow)])
def test_what_a_constraints_file_brings_about(
    text: str | None, trouble: Trouble | None, release: str, site: Site, tmp_path: Path, pips_directory: Path
) -> None:
    if "no-require" in str(text) and release != "pip":
        pytest.skip("this pip does not know the option")
    program = program_of(release, pips_directory)
    (tmp_path / "zz.txt").write_text("zz==1.0\n")
    (tmp_path / "hashed.txt").write_text(f"zz==1.0 {HASH}\n")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/setup.py").touch()
    limits = tmp_path / "limits.txt"
    if text is not None:
        limits.write_text(text.format(hash=HASH) + "\n")
    found = problems_of(str(limits), {})
    assert [each.trouble for each in found] == ([trouble] if trouble else [])
    assert all(str(limits.parent) in str(each) or "--require" in str(each) for each in found)
    environ = environ_of(with_table(site, {"constraint": str(limits)}), tmp_path)
    target = tmp_path / "installed"
    done = run_pip("install", "--target", target, "xx", environ=environ, pip=[*program.command])
    stops = any(each.concerns(program.version) and each.trouble is not Trouble.REQUIREMENTS for each in found)
    assert (done.returncode != 0) == stops, done.stderr
    if trouble is Trouble.REQUIREMENTS:
        assert {each.stem for each in target.glob("*.py")} == {"xx", "zz"}


@pytest.mark.network
def test_a_constraint_that_names_a_wheel_of_the_tree(
    site: Site, newest_pip: list[str], tmp_path: Path
) -> None:
    limits = tmp_path / "limits.txt"
    limits.write_text(f"zz @ {file_url(f'{site.root}/generic/zz-2.0rc1-py3-none-any.whl')}\nxx<2\n")
    found = agree(with_table(site, {"constraint": str(limits)}), newest_pip, tmp_path)
    assert found == {**PLAIN, "zz": "2.0rc1", "xx": "1.0"}


def test_a_constraint_that_names_another_file_concerns_its_project_alone(site: Site, tmp_path: Path) -> None:
    limits = tmp_path / "limits.txt"
    limits.write_text("zz @ https://example.invalid/zz-9.0.tar.gz\n")
    house = Wheelhouse(with_table(site, {"constraint": str(limits)}))
    stated = f"zz @ https://example.invalid/zz-9.0.tar.gz ({limits}, line 1)"
    found = pick(house, "zz", HOST)
    assert found.best is None
    assert found.warnings == (f"pip takes zz from what a constraint names: {stated}",)
    assert {each.reason for each in found.in_path} == {f"not the file that a constraint names: {stated}"}
    listing = house.available(HOST, ["zz", "xx"])
    assert [row.name for row in listing.rows] == ["xx"]
    assert listing.warnings == found.warnings
    answer = why_not(house, "zz", HOST)
    assert answer.suggestions[0].gives is not None
    assert stated in "\n".join(answer.lines())
    conflict = house.lock(["dep"], HOST).conflict
    assert conflict is not None
    assert stated in "\n".join(conflict.lines())
    assert pick(house, "xx", HOST).best is not None


@pytest.mark.parametrize(
    ("table", "text", "warning"),
    [
        (
            {},
            "zz[foo]",
            "zz[foo] ({limits}, line 1): a constraint cannot have extras: every pip install fails",
        ),
        ({}, f"zz==1.0 {HASH}", "the hash of zz==1.0 ({limits}, line 1) in a constraints file: pip installs"),
        ({}, "-r zz.txt", "zz==1.0 ({zz}, line 1) is required by a constraints file: pip installs it with"),
        ({"require-hashes": True}, "", "the site's [pip] table says require-hashes: pip installs nothing"),
    ],
    ids=["extras", "hash", "-r", "require-hashes"],
)
def test_what_stops_every_install_is_a_warning_of_every_answer(
    table: Mapping[str, Any], text: str, warning: str, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "zz.txt").write_text("zz==1.0\n")
    limits = tmp_path / "limits.txt"
    limits.write_text(f"{text}\n")
    house = Wheelhouse(with_table(site, {**table, "constraint": str(limits)}))
    expected = warning.format(limits=limits, zz=tmp_path / "zz.txt")
    answers = (
        pick(house, "xx", HOST),
        why_not(house, "xx", HOST),
        house.available(HOST, ["xx"]),
        house.lock(["xx"], HOST),
    )
    for answer in answers:
        (found,) = answer.warnings
        assert found.startswith(expected)
    names = [each.candidate.name for each in house.lock(["xx"], HOST).packages]
    assert names == (["xx", "zz"] if text.startswith("-r") else ["xx"])


def environment_with_pip(directory: Path, python: str, version: str) -> Path:
    """A virtual environment whose metadata says that it has that pip; returns its Python."""
    import subprocess

    subprocess.run([python, "-m", "venv", "--without-pip", str(directory)], check=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    (packages / f"pip-{version}.dist-info").mkdir()
    return directory / "bin/python"


@pytest.mark.parametrize(("version", "warned"), [("19.3.1", True), ("20.2.4", True), ("20.3", False)])
def test_the_targets_own_pip_may_stop_where_newer_ones_go_on(
    version: str, warned: bool, site: Site, tmp_path: Path
) -> None:
    import sys

    python = environment_with_pip(tmp_path / "env", sys.executable, version)
    host = detect_host(python=str(python), arch="generic", layer="none", site=site)
    house = Wheelhouse(site)
    expected = (
        f"pip {version} of this Python fails on py-2.0-py3-none-any.whl (Requires-Python >=3.99); "
        "pip 20.3 and later go on to older versions"
    )
    answers = (pick(house, "py", host), why_not(house, "py", host), house.available(host, ["py"]))
    for answer in answers:
        assert (expected in answer.warnings) == warned
    assert pick(house, "xx", host).warnings == ()


@pytest.mark.slow
@pytest.mark.network
def test_such_a_pip_does_stop(site: Site, tmp_path: Path, pips_directory: Path) -> None:
    python = python_that_runs("pip==20.2.4")
    if python is None:
        pytest.skip("no Python that runs this pip")
    program = program_of("pip==20.2.4", pips_directory)
    done = run_pip(
        *("install", "--target", tmp_path / "here", "py"),
        environ=environ_of(site, tmp_path),
        pip=[*program.command],
    )
    assert done.returncode == 1
    assert "requires a different Python" in done.stderr


def test_a_pip_that_does_not_know_the_releases_setting_is_named(site: Site, tmp_path: Path) -> None:
    import sys

    python = environment_with_pip(tmp_path / "env", sys.executable, "25.3")
    host = detect_host(python=str(python), arch="generic", layer="none", site=site)
    found = pick(Wheelhouse(with_table(site, {"only-final": "zz"})), "zz", host)
    assert found.warnings == (
        "pip 25.3 of this Python ignores all-releases and only-final: 26.0 and later obey",
    )
