"""Which of pip's files win, and what an empty value takes away: as `doctor` says, so does every pip."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.factories import make_wheel
from tests.pips import pip_environ
from tests.programs import program_of
from wheelhouse_resolver.doctor.pip_settings import PipSetting, environment_settings, in_force

#: What files may say; `{A}` is the directory of the wheel A.
A, B, EMPTY, EMPTY_SECTION = (
    "[global]\nfind-links = {A}\n",
    "[global]\nfind-links = {B}\n",
    "[global]\nfind_links =\n",
    "[download]\nfind-links =\n",
)


class Case(NamedTuple):
    """Files, the weakest first: (origin, text); variables; which wheel pip takes; empty for none."""

    files: tuple[tuple[str, str], ...]
    takes: str
    environ: Mapping[str, str] = {}


CASES = {
    "site": Case((("global", A),), "A"),
    "the-last-of-the-machines": Case((("global", A), ("global", B)), "B"),
    "user": Case((("global", A), ("user", B)), "B"),
    "empty-user": Case((("global", A), ("user", EMPTY)), ""),
    "empty-machine": Case((("global", A), ("global", EMPTY)), ""),
    "weaker-empty": Case((("global", EMPTY), ("global", A)), "A"),
    "empty-section": Case((("global", A), ("user", EMPTY_SECTION)), "A"),
    "empty-variable": Case((("global", A),), "A", {"PIP_FIND_LINKS": ""}),
    "config-file": Case((("global", A), ("env", B)), "B"),
    "empty-config-file": Case((("global", A), ("env", EMPTY)), ""),
    "isolated-variable": Case((("global", A), ("user", B)), "B", {"PIP_ISOLATED": "1"}),
}

#: The first, the last, and some between.
_RELEASES = ("pip==19.3.1", "pip==20.3.4", "pip==24.0", "pip==26.2", "pip")


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("release", _RELEASES)
def test_what_pip_takes(release: str, pips_directory: Path, tmp_path: Path) -> None:
    pip = program_of(release, pips_directory)
    for name, case in CASES.items():
        settings, environ = _written(case, tmp_path / name)
        found = in_force([*settings, *environment_settings(environ)], "download").get("find-links")
        assert (os.path.basename(found.value) if found else "") == case.takes, name
        into = tmp_path / name / "taken"
        command = [
            *pip.command,
            "download",
            "--quiet",
            "--no-index",
            "--no-deps",
            "--dest",
            str(into),
            "demo",
        ]
        subprocess.run(command, env=environ, capture_output=True, cwd=tmp_path)
        taken = [each.name.split("-")[1] for each in into.glob("*.whl")]
        assert taken == ([{"A": "1.0", "B": "2.0"}[case.takes]] if case.takes else []), name


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("release", ["pip==20.3.4", "pip"])
def test_the_null_device_leaves_out_every_file(release: str, pips_directory: Path, tmp_path: Path) -> None:
    pip = program_of(release, pips_directory)
    _, environ = _written(CASES["site"], tmp_path / "place")
    command = [*pip.command, "config", "list"]
    for config_file, shown in (("/nowhere/pip.conf", True), (os.devnull, False)):
        done = subprocess.run(
            command, env={**environ, "PIP_CONFIG_FILE": config_file}, capture_output=True, text=True
        )
        assert ("find-links" in done.stdout) == shown


def _written(case: Case, above: Path) -> tuple[list[PipSetting], dict[str, str]]:
    """The settings of *case*, its files being below *above*, and the variables with which pip reads them."""
    places = {name: above / name for name in ("A", "B")}
    for version, place in zip(("1.0", "2.0"), places.values(), strict=True):
        place.mkdir(parents=True)
        make_wheel(place, f"demo-{version}-py3-none-any.whl")
    home = above / "home"
    home.mkdir()
    settings, shared, more = [], [], dict(case.environ)
    for number, (origin, text) in enumerate(case.files):
        path = home / ".config/pip/pip.conf"
        if origin == "global":
            shared.append(str(above / f"xdg{number}"))
            path = above / f"xdg{number}/pip/pip.conf"
        elif origin == "env":
            path = above / "named.conf"
            more["PIP_CONFIG_FILE"] = str(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = text.format(**places)
        path.write_text(text)
        section, line = text.splitlines()
        value = line.partition("=")[2].strip()
        settings.append(
            PipSetting(
                origin=origin, file=str(path), section=section.strip("[]"), option="find-links", value=value
            )
        )
    more |= {"HOME": str(home), "XDG_CONFIG_DIRS": os.pathsep.join(shared)}
    kept = {name: value for name, value in pip_environ().items() if not name.startswith("PIP_")}
    return settings, {**kept, **more, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
