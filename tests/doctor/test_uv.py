"""What the doctor says of uv's real files and variables, beside what the real uv then takes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.doctor.test_diagnose import healthy
from tests.factories import make_wheel
from tests.pips import pip_environ
from tests.programs import write_index
from wheelhouse_resolver.doctor.diagnose import run_checks
from wheelhouse_resolver.doctor.facts import DirectoryState, EnvironmentFacts, SiteFacts
from wheelhouse_resolver.doctor.probes.uv import uv_facts
from wheelhouse_resolver.doctor.python_facts import PythonFacts
from wheelhouse_resolver.site.model import Site

#: What uv takes of each project with the site's settings: the first directory of equals, the newest version.
SITES = {"tie": "gentoo/avx2", "split": "generic"}

#: What it takes of `split` when it looks no further than the first directory that has it.
FIRST = {**SITES, "split": "gentoo/avx2"}

NONE = {"tie": "", "split": ""}


class Case(NamedTuple):
    """What a user has, the checks that find it, and what uv takes; `{}` in texts: where the test's files are.

    files: path -> text. fixed: whether the commands given put all of it right.
    """

    found: dict[str, str]
    takes: Mapping[str, str]
    environ: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    fixed: bool = True


USER, PROJECT = "home/.config/uv/uv.toml", "here/uv.toml"

OTHER = '[[index]]\nurl = "{}/mine"\n'

CASES = {
    "nothing": Case({}, SITES),
    "strategy-variable": Case({"uv-strategy": "error"}, FIRST, {"UV_INDEX_STRATEGY": "first-index"}),
    "strategy-user": Case({"uv-strategy": "error"}, FIRST, files={USER: 'index-strategy = "first-index"\n'}),
    "strategy-user-pip": Case(
        {"uv-strategy": "error"}, FIRST, files={USER: '[pip]\nindex-strategy = "unsafe-first-match"\n'}
    ),
    "strategy-project": Case(
        {"uv-strategy": "error"},
        FIRST,
        files={"here/pyproject.toml": '[tool.uv]\nindex-strategy = "first-index"\n'},
    ),
    "strategy-of-a-project-above": Case(
        {"uv-strategy": "error"},
        FIRST,
        files={"here/pyproject.toml": "[project]\n", "uv.toml": 'index-strategy = "first-index"\n'},
    ),
    "uv-toml-beats-pyproject": Case(
        {}, SITES, files={PROJECT: "", "here/pyproject.toml": '[tool.uv]\nindex-strategy = "first-index"\n'}
    ),
    "no-index": Case({"uv-strategy": "error"}, NONE, files={USER: "no-index = true\n"}, fixed=False),
    "no-index-beaten": Case({}, SITES, files={USER: "no-index = true\n", PROJECT: "no-index = false\n"}),
    "index-variable": Case({"uv-index": "warning"}, {**SITES, "tie": "mine"}, {"UV_INDEX": "own={}/mine"}),
    "index-user": Case({"uv-index": "warning"}, {**SITES, "tie": "mine"}, files={USER: OTHER}, fixed=False),
    "index-project": Case(
        {"uv-index": "warning"}, {**SITES, "tie": "mine"}, files={PROJECT: OTHER}, fixed=False
    ),
    "index-behind": Case({}, SITES, files={USER: 'extra-index-url = ["{}/mine"]\n'}),
    "index-explicit": Case({}, SITES, files={USER: OTHER + 'name = "own"\nexplicit = true\n'}),
    "index-of-the-same-name": Case(
        {"uv-index": "warning", "uv-find-links": "error"},
        {**SITES, "tie": "mine"},
        files={USER: OTHER + 'name = "wheelhouse-gentoo-avx2"\n'},
        fixed=False,
    ),
    "default-variable": Case({"uv-index": "note"}, SITES, {"UV_DEFAULT_INDEX": "{}/mine"}),
    "default-user": Case({"uv-index": "note"}, SITES, files={USER: OTHER + "default = true\n"}, fixed=False),
    "exclude-newer": Case({"uv-exclude-newer": "note"}, SITES, {"UV_EXCLUDE_NEWER": "2020-01-01"}),
    "exclude-newer-of-an-index-of-files": Case(
        {"uv-exclude-newer": "error"},
        SITES,
        {"UV_EXCLUDE_NEWER": "2020-01-01", "UV_EXTRA_INDEX_URL": ""},
        files={USER: 'extra-index-url = ["{}/mine"]\n'},
    ),
    "find-links": Case({"uv-find-links": "warning"}, SITES, {"UV_FIND_LINKS": "{}/links"}),
    "no-value": Case({"uv-settings": "error"}, NONE, {"UV_LINK_MODE": ""}),
    "config-file": Case({"uv": "warning"}, NONE, {"UV_CONFIG_FILE": "{}/other.toml"}),
    "null-device": Case({"uv": "warning"}, NONE, {"UV_CONFIG_FILE": os.devnull}),
    "no-config": Case({"uv": "warning"}, NONE, {"UV_NO_CONFIG": "1"}),
    "another-root-first": Case({"uv": "warning"}, NONE, {"XDG_CONFIG_DIRS": "{}/first:{}/xdg"}),
    "another-root-later": Case({}, SITES, {"XDG_CONFIG_DIRS": "{}/nowhere:{}/xdg:{}/first"}),
    "a-directory-is-gone": Case(
        {"uv-find-links": "error", "uv-index": "warning"},
        NONE,
        files={USER: OTHER.replace("mine", "gone") + 'format = "flat"\n'},
        fixed=False,
    ),
    "another-host": Case(
        {"uv-find-links": "error"},
        {**SITES, "split": "nix/avx2"},
        files={USER: OTHER.replace("mine", "tree/nix/avx2") + 'format = "flat"\n'},
        fixed=False,
    ),
}


@pytest.fixture
def uv() -> str:
    """The real uv."""
    path = Path(sysconfig.get_path("scripts"), "uv")
    if not path.exists():
        pytest.skip("uv is not installed")
    return str(path)


class Place:
    """A wheelhouse, the site's root for configuration, and a user, below *above*."""

    def __init__(self, above: Path, uv: str) -> None:
        self.above, self.uv = above, uv
        self.site = Site.default(str(above / "tree"))
        searched = [*self.site.search_path_for("gentoo", "avx2")]
        for each in self.site.directories():
            Path(each.path).mkdir(parents=True)
        for project, version, label in [
            *(("tie", "1.0", label) for label in ("gentoo/avx2", "generic")),
            *(("split", "1.0", "gentoo/avx2"), ("split", "2.0", "generic"), ("split", "3.0", "nix/avx2")),
        ]:
            self.wheel(above / "tree" / label, project, version, label)
        mine = [self.wheel(above / "drafts", name, "1.0", "mine") for name in SITES]
        write_index(above / "mine", mine)
        self.wheel(above / "links", "tie", "1.0", "links")
        entries = [
            f'[[index]]\nname = "wheelhouse-{each.label.replace("/", "-")}"\n'
            f'url = "{Path(each.path).as_uri()}"\nformat = "flat"\n'
            for each in searched
        ]
        last = f'[[index]]\nurl = "{Path(searched[-1].path).as_uri()}"\nformat = "flat"\ndefault = true\n'
        self.write("xdg/uv/uv.toml", 'index-strategy = "unsafe-best-match"\n' + "".join([*entries, last]))
        self.write("first/uv/uv.toml", f'[[index]]\nurl = "{above.as_uri()}/empty"\ndefault = true\n')
        self.write("other.toml", f'[[index]]\nurl = "{above.as_uri()}/empty"\ndefault = true\n')
        for name in ("here", "home", "empty"):
            (above / name).mkdir(exist_ok=True)
        self.environ = {
            **{name: value for name, value in pip_environ().items() if not name.startswith("UV_")},
            "HOME": str(above / "home"),
            "XDG_CONFIG_DIRS": str(above / "xdg"),
            "PATH": os.path.dirname(uv),
        }
        states = [
            DirectoryState(each, os.path.realpath(each.path), each in searched, True, wheels=1)
            for each in self.site.directories()
        ]
        states.sort(key=lambda each: each.directory not in searched)
        self.facts = healthy(
            site=SiteFacts(self.site, root=self.site.root, real_root=os.path.realpath(self.site.root)),
            directories=tuple(states),
        )

    def wheel(self, directory: Path, project: str, version: str, mark: str) -> Path:
        name = f"{project}-{version}-py3-none-any.whl"
        directory.mkdir(exist_ok=True)
        return make_wheel(directory, name, files={f"{project}.py": f"MARK = {mark!r}\n"})

    def write(self, path: str, text: str) -> None:
        (self.above / path).parent.mkdir(parents=True, exist_ok=True)
        (self.above / path).write_text(text)

    def found(self, target: PythonFacts | None = None) -> dict[str, tuple[str, str]]:
        """The findings about uv: check -> severity and fix."""
        facts: EnvironmentFacts = replace(
            self.facts, uv=uv_facts(self.site, self.environ, target), environ=self.environ
        )
        findings = [each for each in run_checks(facts) if each.check.startswith("uv")]
        assert len({each.check for each in findings}) == len(findings)
        return {each.check: (each.severity.value, each.fix) for each in findings}

    def takes(self) -> dict[str, str]:
        """What uv takes of each project: the mark of the wheel; empty for nothing."""
        return {project: self._takes(project) for project in SITES}

    def _takes(self, project: str) -> str:
        target = self.above / f"target{len(os.listdir(self.above))}"
        into = ["--python", sys.executable, "--target", str(target), "--no-cache"]
        done = subprocess.run(
            [self.uv, "pip", "install", "--quiet", *into, project],
            env={**self.environ, "UV_HTTP_RETRIES": "0", "ALL_PROXY": "http://127.0.0.1:9"},
            capture_output=True,
        )
        target.mkdir(exist_ok=True)
        module = target / f"{project}.py"
        return module.read_text().split("'")[1] if done.returncode == 0 else ""

    def do(self, fix: str) -> None:
        """What *fix* does to variables."""
        word, rest = fix.split(" ", 1)
        if word == "unset":
            del self.environ[rest]
        else:
            name, value = shlex.split(rest)[0].split("=", 1)
            assert word == "export"
            self.environ[name] = value


def placed(case: Case, above: Path, uv: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place with what the user of *case* has."""
    place = Place(above, uv)
    for path, text in case.files.items():
        place.write(path, text.replace("{}", above.as_uri()))
    for name, value in case.environ.items():
        place.environ[name] = value.replace(
            "{}", above.as_uri() if "://" in value or "INDEX" in name else str(above)
        )
    monkeypatch.chdir(above / "here")
    return place


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_what_is_found(case: Case, uv: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = placed(case, tmp_path, uv, monkeypatch)
    found = place.found()
    assert {check: severity for check, (severity, _) in found.items()} == case.found
    if case.fixed:
        for _, fix in found.values():
            place.do(fix)
        assert place.found() == {}
    else:
        assert all(fix.startswith("vi ") for _, fix in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_what_uv_takes(case: Case, uv: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That what is found is so, and that nothing is found where nothing is wrong; the fixes put it right."""
    place = placed(case, tmp_path, uv, monkeypatch)
    assert place.takes() == case.takes
    if case.fixed:
        for _, fix in place.found().values():
            place.do(fix)
        assert place.takes() == SITES


def test_what_the_sites_file_says_is_not_the_users(
    uv: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = placed(CASES["nothing"], tmp_path, uv, monkeypatch)
    text = (tmp_path / "xdg/uv/uv.toml").read_text()
    more = 'constraint-dependencies = ["tie<2"]\nexclude-newer = "2020-01-01T00:00:00Z"\n'
    place.write("xdg/uv/uv.toml", more + text)
    assert place.found() == {}
    place.write(USER, more)
    assert {*place.found()} == {"uv-settings", "uv-exclude-newer"}


def test_a_cache_on_another_file_system(uv: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv warns of it unless it is told to copy."""
    other = next((each for each in ("/dev/shm", "/tmp", "/var/tmp") if _is_elsewhere(each, tmp_path)), None)
    if other is None:
        pytest.skip("there is no other file system that can be written to")
    place = placed(CASES["nothing"], tmp_path, uv, monkeypatch)
    target = replace(place.facts.python, site_packages=(str(tmp_path / "packages"),))  # type: ignore[type-var]
    assert place.found(target) == {}
    place.environ["UV_CACHE_DIR"] = f"{other}/wheelhouse-resolver-{os.getpid()}"
    ((severity, fix),) = place.found(target).values()
    assert severity == "note"
    place.do(fix)
    assert place.found(target) == {}


def _is_elsewhere(place: str, path: Path) -> bool:
    return os.path.isdir(place) and os.access(place, os.W_OK) and os.stat(place).st_dev != path.stat().st_dev
