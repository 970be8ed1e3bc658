"""The pick is what real pip chooses, on random wheelhouses whose names leave pip no choice of its own.

One run of pip costs half a second, so one tree holds many projects that have nothing to do with each other,
and one `pip install --dry-run --report` is asked for many of them.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.factories import make_wheel, run_pip
from tests.pips import pip_environ
from tests.questions import pick
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.selection.pick import Pick
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse

HERE = f"{sys.version_info.major}{sys.version_info.minor}"
LINUX = f"linux_{platform.machine()}"

#: Tags that the running Python accepts, best first. No two of them leave pip's releases in doubt.
FITTING = (
    f"cp{HERE}-cp{HERE}-{LINUX}",
    f"cp{HERE}-abi3-{LINUX}",
    f"cp37-abi3-{LINUX}",
    f"py3-none-{LINUX}",
    f"py{HERE}-none-any",
    "py3-none-any",
)
OTHERS = (
    f"cp27-cp27mu-{LINUX}",
    f"cp{HERE}-cp{HERE}-win_amd64",
    f"cp{HERE}-cp{HERE}-macosx_11_0_arm64",
    f"cp{HERE}-cp{HERE}-linux_s390x",
    f"cp399-abi3-{LINUX}",
    f"pp39-pypy39_pp73-{LINUX}",
    "py2-none-any",
)

VERSIONS = (
    "0.9", "0.9.post1", "1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0+site", "1.0+site.2", "1.0.post1",
    "1.0.1", "1.1", "1.10", "2.0.dev3", "2.0rc1", "2.0", "2.0+site", "10.0", "1!0.5",
)  # fmt: skip

#: As many projects are asked for in one run: the time that an old pip takes grows with their square.
_AT_ONCE = 25


@dataclass(frozen=True)
class Case:
    """One project and what is asked of it. *modern*: releases of pip before 26 see it differently."""

    project: str
    requirement: str
    modern: bool


def random_case(random: Random, project: str, site: Site, host: Host) -> Case:
    """Put some wheels of *project* into the tree, and ask for one of them."""
    inside = list(site.search_path(host))
    outside = [each for each in site.directories() if each not in inside]
    versions = random.sample(VERSIONS, random.randint(1, 6))
    if random.random() < 0.15:  # nothing but pre-releases
        versions = random.sample([v for v in VERSIONS if Version(v).is_prerelease], 2)
    for version in versions:
        unfit = random.random() < 0.1
        if not unfit:
            _fitting_wheels(random, Path(site.root), project, version, inside)
        for directory in random.sample(inside, random.randint(unfit, 1)):
            _put(site.root, directory, f"{project}-{version}-{random.choice(OTHERS)}.whl")
        for directory in random.sample(outside, random.randint(unfit, 1)):
            _put(site.root, directory, f"{project}-{version}-{FITTING[-1]}.whl")
    specifier = random_specifier(random, random.choice(versions))
    extra = random.choice(["", "", "", "[fast]"])
    parsed = SpecifierSet(specifier)
    # Before packaging 26: no pre-release for a specifier that names none, and `<`, `>` and `!=` named none.
    asks = bool(parsed) and not any(
        each.prereleases and each.operator not in ("<", ">", "!=") for each in parsed
    )
    return Case(project, f"{project}{extra}{specifier}", modern=asks)


def _fitting_wheels(random: Random, root: Path, project: str, version: str, inside: list[Directory]) -> None:
    requires = random.choice([None, None, ">=3.8", ">=3.8", ">=3.99"])
    kind = random.choice(["one", "one", "tags", "builds", "stamped", "better tag in the better directory"])
    places = random.sample(inside, min(len(inside), random.randint(2, 3)))
    places.sort(key=lambda directory: -directory.rank)
    if kind == "one":
        names = {places[0]: [f"-{random.choice(FITTING)}"]}
    elif kind == "tags":
        names = {places[0]: [f"-{tag}" for tag in random.sample(FITTING, 3)]}
    elif kind == "builds":
        tag = random.choice(FITTING)
        names = {places[0]: [f"{build}-{tag}" for build in random.sample(["", "-0", "-2", "-2b", "-10"], 3)]}
    elif kind == "stamped":
        tag = random.choice(FITTING)
        names = {each: [f"-{each.rank * 1000}{each.arch}-{tag}"] for each in places}
    else:
        tags = sorted(random.sample(range(len(FITTING)), len(places)))
        names = {each: [f"-{FITTING[tag]}"] for each, tag in zip(places, tags, strict=True)}
    for directory, endings in names.items():
        for ending in endings:
            _put(str(root), directory, f"{project}-{version}{ending}.whl", requires)


def _put(root: str, directory: Directory, filename: str, requires: str | None = None) -> None:
    make_wheel(Path(root, directory.label), filename, requires_python=requires)


def random_specifier(random: Random, version: str) -> str:
    """A specifier of any kind around *version*."""
    public = Version(version).public
    release = Version(version).base_version
    return random.choice(
        [
            "",
            "",
            f"=={version}",
            f"=={public}",
            f"==={version}",
            f">={public}",
            f"<={public}",
            f">{release}",
            f"<{release}.1",
            f"!={public}",
            f"~={release}" if "." in release else f">={release}",
            f"=={release}.*",
            f">={release},<{release}.9",
            f">={release}.dev0",
        ]
    )


def expected_of(site: Site, host: Host, cases: list[Case]) -> dict[str, Pick]:
    return {case.project: pick(Wheelhouse(site), case.requirement, host) for case in cases}


def agrees(site: Site, host: Host, cases: list[Case], pip: list[str], work: Path, alone: int) -> int:
    """Assert that *pip* chooses what we pick for *cases*; returns how many were compared.

    Those that we find nothing for must be asked one at a time: only the first *alone* of them are.
    """
    config = work / "pip.conf"
    config.write_text(pip_config(site, host, offline=True).render("ini"))
    environ = pip_environ(PIP_CONFIG_FILE=str(config))
    picks = expected_of(site, host, cases)
    install = ["install", "--dry-run", "--quiet", "--ignore-installed", "--no-deps"]

    wanted = [case for case in cases if picks[case.project].best is not None]
    chosen: dict[str, str] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        requirements = [case.requirement for case in wanted[start : start + _AT_ONCE]]
        done = run_pip(*install, "--report", "-", *requirements, environ=environ, pip=pip)
        assert done.returncode == 0, done.stderr
        for item in json.loads(done.stdout)["install"]:
            chosen[item["metadata"]["name"]] = item["download_info"]["url"]
    ours = {name: file_url(each.best.path) for name, each in picks.items() if each.best is not None}
    asked = {case.project: case.requirement for case in cases}
    differing = {
        asked[name]: (ours[name], chosen[name], picks[name].to_dict())
        for name in ours
        if ours[name] != chosen[name]
    }
    assert not differing, json.dumps(differing, indent=2)

    missing = [case for case in cases if picks[case.project].best is None][:alone]
    for case in missing:
        done = run_pip(*install, case.requirement, environ=environ, pip=pip)
        assert done.returncode == 1, (case.requirement, done.stdout, done.stderr)
        refusal = r"No matching distribution found|requires? a different Python"
        assert re.search(refusal, done.stderr), (case.requirement, done.stderr)
    return len(wanted) + len(missing)


def compare(seed: int, projects: int, alone: int, pip: list[str], modern: bool, work: Path) -> int:
    random = Random(seed)
    site = Site.default(work / "wheelhouse")
    layer = random.choice(["nix", "gentoo"])
    host = Host(arch=random.choice(["sse3", "avx2", "avx512"]), layer=layer)
    for directory in site.directories():
        Path(directory.path).mkdir(parents=True)
    cases = [random_case(random, f"p{number}", site, host) for number in range(projects)]
    if not modern:
        picks = expected_of(site, host, cases)

        def doubtful(case: Case) -> bool:
            best = picks[case.project].best
            return case.modern and best is not None and best.version.is_prerelease

        cases = [case for case in cases if not doubtful(case)]
    return agrees(site, host, cases, pip, work, alone)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("release", ["oldest_pip", "newest_pip"])
def test_pip_chooses_what_we_pick(
    seed: int, release: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pip: list[str] = request.getfixturevalue(release)
    assert compare(seed, 75, 3, pip, release == "newest_pip", tmp_path) > 45


@pytest.mark.large
@pytest.mark.network
@pytest.mark.parametrize("seed", range(100, 103))
@pytest.mark.parametrize("release", ["oldest_pip", "newest_pip"])
def test_pip_chooses_what_we_pick_of_many(
    seed: int, release: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pip: list[str] = request.getfixturevalue(release)
    assert compare(seed, 60, 5, pip, release == "newest_pip", tmp_path) > 35
