"""The static form for XDG_CONFIG_DIRS in the real Lmod and Environment Modules, and in pip and uv."""

from __future__ import annotations

import os
import shlex
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.factories import make_tree, make_wheel
from tests.modules.engines import Engine, Step
from tests.modules.house import CPUINFO, HOSTILE, House
from tests.programs import program_of
from wheelhouse_resolver.utils.toml import parse_toml

NAMES = ("XDG_CONFIG_DIRS", "UV_CACHE_DIR", "UV_LINK_MODE", "UV_PYTHON_DOWNLOADS")

UV = {"cache-dir": "$SCRATCH/${USER}s/ü [exit 1]{;", "link-mode": "copy", "python-downloads": "never"}

#: A user's own values, for each of these.
OWN = {"XDG_CONFIG_DIRS": "/home/me/my settings:/opt/etc", "UV_LINK_MODE": "symlink", "UV_CACHE_DIR": "/mine"}


def uv_variables(step: Step) -> tuple[str | None, ...]:
    return tuple(step[name] for name in NAMES[1:])


def said(step: Step) -> str:
    return step.said.partition("The following have been reloaded")[0].strip()


@pytest.mark.parametrize("own", [{}, {"XDG_CONFIG_DIRS": ""}, OWN], ids=["nothing", "empty", "own-values"])
def test_whatever_the_order_in_the_end_there_is_what_was_before(
    own: Mapping[str, str], engine: Engine, tmp_path: Path
) -> None:
    house = House(tmp_path, engine, form="xdg", uv=UV)
    lua, tcl = (
        'prepend_path("XDG_CONFIG_DIRS", "/theirs")\n',
        "#%Module\nprepend-path XDG_CONFIG_DIRS /theirs\n",
    )
    house.add("theirs/1", lua if engine.name == "lmod" else tcl)
    steps = house.run(
        "module load wheelhouse/gentoo",
        "module load wheelhouse/gentoo",
        "module swap wheelhouse/gentoo wheelhouse/nix",
        "module swap wheelhouse/nix wh-gentoo/1",
        # The node is another one now, as in a job, and so is the scratch directory.
        f"cp '{CPUINFO}/amd-zen4.txt' '{house.cpuinfo}'; SCRATCH=/tmp/job; module load theirs",
        "module reload" if engine.name == "modules" else "module load wh-gentoo/1",
        "module unload wh-gentoo/1",
        "module load wheelhouse/none",
        "module unload theirs",
        "module purge",
        **{"SCRATCH": "/scratch", "USER": "me", **own},
    )
    assert [(step.code, said(step)) for step in steps] == [(0, "")] * len(steps)
    before = own.get("XDG_CONFIG_DIRS")
    rest = f":{before}" if before else ":/etc/xdg"
    gentoo, nix, none = (f"{house.pip}/{name}" for name in ("avx2-gentoo", "avx2-nix", "generic"))
    # Modules loads all modules again.
    v4 = f"{house.pip}/avx512-gentoo"
    reloaded = f"/theirs:{v4}{rest}" if engine.name == "modules" else f"{v4}:/theirs{rest}"
    assert [step["XDG_CONFIG_DIRS"] for step in steps] == [
        gentoo + rest,
        gentoo + rest,
        nix + rest,
        gentoo + rest,
        f"/theirs:{gentoo}{rest}",
        reloaded,
        f"/theirs:{before}" if before else "/theirs",
        f"{none}:/theirs:{before}" if before else f"{none}:/theirs",
        f"{none}:{before}" if before else none,
        before or None,
    ]
    mine = (own.get("UV_CACHE_DIR"), own.get("UV_LINK_MODE"), None)
    at_login = (mine[0] or "/scratch/mes/ü [exit 1]{;", mine[1] or "copy", "never")
    in_job = (mine[0] or "/tmp/job/mes/ü [exit 1]{;", mine[1] or "copy", "never")
    assert [uv_variables(step) for step in steps] == [*[at_login] * 5, in_job, mine, in_job, in_job, mine]
    assert [name for name in steps[-1].environ if "WHEELHOUSE_" in name.upper()] == []
    assert [step["PIP_CONFIG_FILE"] for step in steps] == [None] * len(steps)


@pytest.mark.parametrize("form", ["file", "xdg"])
def test_what_users_set_themselves_stays_when_the_module_goes(
    form: str, engine: Engine, tmp_path: Path
) -> None:
    """Where a variable that the site names is not set, or not to a path, there is nothing of ours."""
    house = House(tmp_path, engine, form=form, uv=UV)
    steps = house.run(
        "module load wheelhouse/gentoo",
        "export UV_LINK_MODE=hardlink UV_CACHE_DIR=/mine; module purge",
        "unset UV_LINK_MODE UV_CACHE_DIR; export SCRATCH=relative; module load wheelhouse/gentoo",
        "module show wheelhouse/gentoo",
    )
    assert [step.code for step in steps] == [0] * len(steps)
    assert [uv_variables(step) for step in steps[:3]] == [
        (None, "copy", "never"),
        ("/mine", "hardlink", None),
        (None, "copy", "never"),
    ]
    assert uv_variables(steps[3]) == uv_variables(steps[2])


@pytest.mark.parametrize("file", ["pip/pip.conf", "uv/uv.toml"])
def test_a_missing_file_is_an_error_and_changes_nothing(file: str, engine: Engine, tmp_path: Path) -> None:
    house = House(tmp_path, engine, form="xdg", uv=UV)
    (house.pip / "avx2-gentoo" / file).unlink()
    (step,) = house.run("module load wheelhouse/gentoo")
    assert step.code != 0
    told = " ".join(step.said.split())
    assert f"avx2-gentoo/{file} does not exist; write it with wheelhouse-resolver pip-conf --root" in told
    assert "--all --form xdg --output-dir" in told
    assert [step[name] for name in NAMES] == [None] * len(NAMES)


#: A user's own project, which has an index of its own.
PROJECT = """\
[project]
name = "mine"
version = "1.0"
requires-python = ">=3.9"
dependencies = ["other", "own", "users"]
[[tool.uv.index]]
name = "own"
url = "{url}"
format = "flat"
"""


@pytest.fixture(params=["here", pytest.param("uv==0.6.17", marks=[pytest.mark.network, pytest.mark.slow])])
def uv(request: pytest.FixtureRequest, pips_directory: Path) -> str:
    """The uv of the tests, and an old one."""
    if request.param == "here":
        return os.path.join(sysconfig.get_path("scripts"), "uv")
    (command,) = program_of(request.param, pips_directory).command
    return command


def test_pip_and_uv_obey_it_and_the_users_own_settings(uv: str, engine: Engine, tmp_path: Path) -> None:
    """Those of a user's `pip.conf` and `uv.toml`, and of a uv project, all at once."""
    house = House(tmp_path, engine, HOSTILE, form="xdg")
    builds = ("gentoo/avx512", "gentoo/avx2", "generic")
    make_tree(Path(house.site.root), {label: ["other-2.0-py3-none-any.whl"] for label in builds})
    own, users = tmp_path / "own", tmp_path / "users"
    make_wheel(own, "own-1.0-py3-none-any.whl")
    make_wheel(users, "users-1.0-py3-none-any.whl")
    settings = Path(os.environ["HOME"]) / ".config"
    for path, text in (
        (tmp_path / "project/pyproject.toml", PROJECT.format(url=own.as_uri())),
        (settings / "pip/pip.conf", "[global]\ntimeout = 77\n[install]\nno-warn-script-location = true\n"),
        (settings / "uv/uv.toml", f'[[index]]\nurl = "{users.as_uri()}"\nformat = "flat"\n'),
    ):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    steps = house.run(
        "module load wheelhouse/gentoo",
        f"'{sys.executable}' -m pip config list",
        f"cd '{tmp_path}/project' && '{uv}' lock --offline --python '{sys.executable}'",
        f"'{uv}' pip install --offline --python '{sys.executable}' --target '{tmp_path}/here' other",
    )
    assert [step.code for step in steps] == [0] * len(steps), steps[2].said
    assert "global.timeout='77'" in steps[1].said
    assert "install.no-warn-script-location='true'" in steps[1].said
    assert "global.find-links='" in steps[1].said
    lock = parse_toml((tmp_path / "project/uv.lock").read_text())
    # Old ones write relative paths.
    places = {each["name"]: each["source"].get("registry", "") for each in lock["package"]}
    places = {name: os.path.normpath(tmp_path / "project" / path) for name, path in places.items()}
    del places["mine"]
    site = f"{house.site.root}/gentoo/avx2"
    assert places == {"own": str(own), "users": str(users), "other": site}
    assert (tmp_path / "here/other.py").read_text() == "MARK = 'gentoo/avx2/other-2.0-py3-none-any.whl'\n"


@pytest.mark.network
@pytest.mark.slow
def test_the_order_of_pips_files(any_pip: list[str], engine: Engine, tmp_path: Path) -> None:
    """Of several in XDG_CONFIG_DIRS the last one counts, for pip; the user's own beats them all."""
    house = House(tmp_path, engine, form="xdg")
    make_tree(Path(house.site.root), {"gentoo/avx2": ["other-2.0-400000avx2-py3-none-any.whl"]})
    behind, own = tmp_path / "behind/pip/pip.conf", Path(os.environ["HOME"]) / ".config/pip/pip.conf"
    for path in (behind, own):
        path.parent.mkdir(parents=True)
        path.write_text(f"[global]\nfind-links = file://{path.parent}\n")
    install = f"{shlex.join(any_pip)} install --no-index --no-cache-dir --target '{tmp_path}/here' other"
    steps = house.run(
        "module load wheelhouse/gentoo",
        install,
        f"rm '{own}'; {install}",
        f"rm '{behind}'; {install}",
        XDG_CONFIG_DIRS=str(tmp_path / "behind"),
    )
    for step, path in zip(steps[1:3], (own, behind), strict=True):
        assert step.said.startswith(f"Looking in links: file://{path.parent}\n")
    assert steps[3].code == 0, steps[3].said
    assert "gentoo/avx2/" in (tmp_path / "here/other.py").read_text()
