"""What `why-not` says of a requirement is what real pip does, and so is what it says would help."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.factories import make_tree, make_wheel, pack, run_pip, wheel_files
from tests.pips import pip_environ
from tests.questions import why_not
from wheelhouse_resolver.explain.answer import Answer
from wheelhouse_resolver.explain.suggestions import Action, Suggestion
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse

LINUX = f"linux_{platform.machine()}"
MINOR = sys.version_info.minor
HERE = f"cp3{MINOR}-cp3{MINOR}-{LINUX}"
NEXT = f"cp3{MINOR + 1}-cp3{MINOR + 1}-{LINUX}"
HOST = Host(arch="avx", layer="gentoo")

#: Label -> wheels, with what their METADATA requires of Python.
TREE: dict[str, list[tuple[str, str | None]]] = {
    "generic": [
        ("sound-1.0-py3-none-any.whl", None),
        ("sound-2.0-py3-none-any.whl", ">=3.99"),
        ("other-1.0-py3-none-any.whl", None),
        ("other-2.0-py3-none-any.whl", None),
        ("pre-1.0-py3-none-any.whl", ">=3.99"),
        ("pre-2.0rc1-py3-none-any.whl", None),
        ("broken-0.9-py3-none-any.whl", None),
        ("builds-1.0-1-py3-none-any.whl", None),
        ("builds-1.0-2-py3-none-any.whl", ">=3.99"),
        ("source-1.0-py3-none-any.whl", None),
        ("limited-1.0-py3-none-any.whl", None),
        ("limited-2.0-py3-none-any.whl", None),
        ("nothere-1.0-cp311-cp311-win_amd64.whl", None),
    ],
    "gentoo/avx": [(f"sound-1.0-{HERE}.whl", None), (f"later-1.0-{NEXT}.whl", None)],
    "gentoo/avx512": [(f"higher-1.0-{HERE}.whl", None), (f"both-1.0-{NEXT}.whl", None)],
    "nix/generic": [(f"elsewhere-1.0-{HERE}.whl", None), (f"elsewhere-2.0-{NEXT}.whl", None)],
}

#: Requirement -> whether pip finds it.
CASES = {
    "sound": True,
    "other[extra]<2": True,
    "sound>=2": False,
    "sound==3.*": False,
    "pre": False,
    "broken": False,
    "renamed": False,
    "builds": False,
    "source": False,
    "limited": True,
    "limited>=2": False,
    "nothere": False,
    "later": False,
    "higher": False,
    "both": False,
    "elsewhere": False,
    "soundd<2": False,
}


class House(NamedTuple):
    """The tree of these tests, and the pip that is asked about it."""

    site: Site
    pip: list[str]
    work: Path

    def answer(self, requirement: str) -> Answer:
        return why_not(Wheelhouse(self.site), requirement, HOST)

    def install(self, *words: str, host: Host = HOST) -> list[str]:
        """The URLs of what pip would install on *host*; none if it fails."""
        config = self.work / f"{host.layer}-{host.arch}.conf"
        config.write_text(pip_config(self.site, host, offline=True).render("ini"))
        done = run_pip(
            "install", "--dry-run", "--quiet", "--ignore-installed", "--no-deps", "--report", "-", *words,
            environ=pip_environ(PIP_CONFIG_FILE=str(config)), pip=self.pip,
        )  # fmt: skip
        if done.returncode != 0:
            assert "Traceback" not in done.stderr or "BadZipFile" in done.stderr
            return []
        return [item["download_info"]["url"] for item in json.loads(done.stdout)["install"]]

    def follow(self, suggestion: Suggestion) -> list[str]:
        host, words = HOST, [str(suggestion.requirement)]
        if suggestion.command:
            program, command, *words = shlex.split(suggestion.command)
            assert (program, command) == ("pip", "install")
        for step in suggestion.steps:
            if step.action is Action.LAYER:
                host = host._replace(layer=step.values[0])
            elif step.action in (Action.NODE, Action.LOWER):
                host = host._replace(arch=step.values[0])
        return self.install(*words, host=host)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = make_tree(tmp_path / "tree", {})
    for label, wheels in TREE.items():
        for filename, needs in wheels:
            make_wheel(tmp_path / "tree" / label, filename, requires_python=needs)
    (tmp_path / "tree/generic/broken-1.0-py3-none-any.whl").write_bytes(b"PK")
    # The file name says 1.0, the METADATA 1.1.
    pack(tmp_path / "tree/generic/renamed-1.0-py3-none-any.whl", wheel_files("renamed-1.1-py3-none-any.whl"))
    (tmp_path / "constraints.txt").write_text("limited<2\n")
    pip = {"constraint": (f"{tmp_path}/constraints.txt",), "no-binary": "source"}
    return site._replace(pip=pip)


@pytest.mark.slow
def test_nothing_is_installable_for_us_when_it_is_not_for_pip_and_the_other_way_round(
    site: Site, any_pip: list[str], tmp_path: Path
) -> None:
    house = House(site, any_pip, tmp_path)
    answers = {requirement: house.answer(requirement) for requirement in CASES}
    assert {requirement: answer.positive for requirement, answer in answers.items()} == CASES
    picked = [answer.best for answer in answers.values() if answer.positive and answer.best is not None]
    installable = [requirement for requirement, positive in CASES.items() if positive]
    assert sorted(house.install(*installable)) == sorted(file_url(best.path) for best in picked)
    for requirement in CASES.keys() - installable:
        assert house.install(requirement) == [], requirement


@pytest.mark.slow
@pytest.mark.network
def test_what_would_help_does(site: Site, newest_pip: list[str], tmp_path: Path) -> None:
    house = House(site, newest_pip, tmp_path)
    followed = set()
    for requirement, positive in CASES.items():
        for suggestion in [] if positive else house.answer(requirement).suggestions:
            actions = {step.action for step in suggestion.steps}
            # Another Python would need one; a wheel that has to be made first is not there.
            if actions.isdisjoint({Action.PYTHON, Action.CONSTRAINT, Action.REPLACE, Action.BUILD}):
                assert suggestion.gives is not None
                assert house.follow(suggestion) == [file_url(suggestion.gives.path)], (requirement, actions)
                followed |= actions
    assert followed == {
        Action.NAME, Action.VERSION, Action.PRE, Action.BINARY, Action.LAYER, Action.NODE,
    }  # fmt: skip
