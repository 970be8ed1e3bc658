"""What audit says that an installer would choose, the real installer chooses: on random wheelhouses.

Many projects stand in one tree, each in two to four directories, stamped or not, with tags and build numbers
of all kinds; one run of an installer answers for all that a host sees.
"""

from __future__ import annotations

import platform
import sys
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from random import Random

import pytest
from packaging.tags import platform_tags

from tests.factories import make_tree
from tests.programs import (
    BETWEEN,
    MACHINE,
    Program,
    glibc_levels,
    one_of_each_everyday,
    program_of,
)
from tests.questions import pick
from wheelhouse_resolver.audit.findings import Finding, Severity
from wheelhouse_resolver.audit.run import audit
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.ordering import INSTALLERS, PythonKind, choice
from wheelhouse_resolver.publishing.order import policy_choice
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelfile.build_tag import build_text, stamp_build
from wheelhouse_resolver.wheelhouse import Wheelhouse

#: One more than uv can count to.
TOO_HIGH = str(1 << 64)


def manylinux(random: Random) -> str:
    """A manylinux platform that this machine accepts, as wheels name it; plain linux if it accepts none."""
    levels = glibc_levels()
    if not levels:
        return f"linux_{MACHINE}"
    level = random.choice(levels)
    name = f"manylinux_{level[0]}_{level[1]}_{MACHINE}"
    legacy = {(2, 5): "manylinux1", (2, 12): "manylinux2010", (2, 17): "manylinux2014"}.get(level)
    return random.choice([name, f"{name}.{legacy}_{MACHINE}", f"{legacy}_{MACHINE}"]) if legacy else name


def random_tag(random: Random, kind: PythonKind) -> str:
    python = f"{kind.version[0]}{kind.version[1]}"
    cpython = f"cp{python}-cp{python}{kind.flags}"
    linux = f"linux_{MACHINE}"
    return random.choice(
        [
            f"{cpython}-{linux}",
            f"{cpython}-{linux}",
            f"{cpython}-{manylinux(random)}",
            f"{cpython}-{manylinux(random)}",
            f"{cpython}-{linux}.{manylinux(random)}",
            f"cp37-abi3-{linux}",
            f"cp37-abi3-{manylinux(random)}",
            f"py3-none-{linux}",
            f"py3-none-{manylinux(random)}",
            f"py{python}-none-any",
            "py3-none-any",
            "py2.py3-none-any",
        ]
    )


def random_build(random: Random, directory: Directory, directories: Sequence[Directory]) -> str:
    """A build tag: none, upstream's, that of the directory, or one that is stale."""
    own = random.choice([0, 0, 1, 7, 999])
    kinds = [
        "",
        "",
        "0",
        "1",
        "2a",
        "10",
        "999z",
        TOO_HIGH,
        build_text(stamp_build(random.choice(directories), own)),
    ]
    return random.choice([*kinds, *[build_text(stamp_build(directory, own))] * 4])


def random_tree(random: Random, root: Path, projects: int, kind: PythonKind) -> Site:
    site = Site.default(root)
    directories = site.directories()
    searched = [
        list(site.search_path_for(layer, arch))
        for layer, arch in [("nix", "avx512"), ("nix", "avx512"), ("gentoo", "avx2")]
    ]
    wheels: dict[str, set[str]] = defaultdict(set)
    for number in range(projects):
        path = random.choice(searched)
        places = random.sample(path, random.randint(2, min(4, len(path))))
        if random.random() < 0.2:
            places.append(places[0])  # two in one directory
        style = random.choice(["unstamped", "stamped", "stamped", "any"])
        one_tag = random_tag(random, kind) if random.random() < 0.4 else None
        for directory in places:
            build = ""
            if style == "stamped":
                build = build_text(stamp_build(directory, random.choice([0, 0, 3])))
            elif style == "any":
                build = random_build(random, directory, directories)
            tag = one_tag or random_tag(random, kind)
            middle = f"-{build}" if build else ""
            wheels[directory.label].add(f"p{number}-1.0{middle}-{tag}.whl")
    return make_tree(root, {label: sorted(names) for label, names in wheels.items()})


def seen(site: Site, paths: Collection[str]) -> dict[str, list[Candidate]]:
    """The candidates of each project in the directories at *paths*."""
    found: dict[str, list[Candidate]] = defaultdict(list)
    directories = [directory for directory in site.directories() if directory.path in paths]
    for directory in directories:
        projects = {path.name.split("-")[0] for path in Path(directory.path).glob("*.whl")}
        for project in sorted(projects):
            read = Wheelhouse(site).read(project, [directory])
            found[project] += [each for each in read if isinstance(each, Candidate)]
    return found


def claims(findings: Sequence[Finding], program: Program, host: str) -> dict[str, tuple[str, str]]:
    """What audit says of *program* on *host*: project -> the paths that policy wants and that it takes."""
    found: dict[str, tuple[str, str]] = {}
    for each in findings:
        chosen = dict(each.chosen).get(program.model.name)
        if chosen and host in each.hosts and str(program.kind) in each.pythons:
            assert each.project not in found
            found[each.project] = (each.wanted, chosen)
    return found


def compare(seed: int, projects: int, program: Program, work: Path) -> tuple[int, int]:
    """Compare on one tree; returns for how many projects the installer kept and broke policy's order."""
    random = Random(seed)
    site = random_tree(random, work / "wheelhouse", projects, program.kind)
    findings = list(audit(site))
    with_errors = {each.project for each in findings if each.severity is Severity.ERROR}
    right = wrong = 0
    for label in ("nix/avx512", "gentoo/avx2"):
        (host,) = [kind for kind in site.host_kinds() if kind.label == label]
        paths = [directory.path for directory in host.search_path]
        candidates = seen(site, paths)
        predicted = {
            project: chosen
            for project, each in candidates.items()
            if (chosen := choice(program.model, each, program.kind)) is not None
        }
        links = [file_url(path) for path in paths]
        random.shuffle(links)
        taken = program.install(links, list(predicted), work / "work")
        expected = {project: f"{each.directory.label}/{each.filename}" for project, each in predicted.items()}
        differing = {
            project: (expected[project], taken.get(project))
            for project in expected
            if expected[project] != taken.get(project)
        }
        assert not differing
        claimed = claims(findings, program, label)
        for project, chosen in predicted.items():
            wanted = policy_choice(candidates[project], program.kind, program.model)
            assert wanted is not None
            if wanted.directory == chosen.directory:
                assert project not in claimed
                right += 1
            else:
                assert claimed[project] == (wanted.path, chosen.path)
                assert project in with_errors
                wrong += 1
    return right, wrong


@pytest.mark.slow
@one_of_each_everyday
def test_audit_predicts_what_the_installer_chooses(program: Program, tmp_path: Path) -> None:
    right, wrong = compare(1, 80, program, tmp_path)
    assert min(right, wrong) > 10


@pytest.mark.large
def test_audit_predicts_what_the_installer_chooses_of_many(program: Program, tmp_path: Path) -> None:
    right, wrong = compare(100, 150, program, tmp_path)
    assert min(right, wrong) > 25


@pytest.mark.large
@pytest.mark.network
@pytest.mark.parametrize("release", BETWEEN)
def test_audit_predicts_the_first_and_last_of_each_range(
    release: str, pips_directory: Path, tmp_path: Path
) -> None:
    right, wrong = compare(200, 150, program_of(release, pips_directory), tmp_path)
    assert min(right, wrong) > 25


@pytest.mark.parametrize("seed", range(10))
def test_audit_wants_what_pick_picks(seed: int, tmp_path: Path) -> None:
    here = PythonKind((sys.version_info.major, sys.version_info.minor), "", platform.machine())
    # Our packaging ranks linux_* as the newest pip does, or as pip before 26.3.
    linux_first = next(iter(platform_tags())).startswith("linux")
    installer = next(each for each in INSTALLERS if each.linux_first == linux_first)
    site = random_tree(Random(seed), tmp_path / "wheelhouse", 20, here)
    for layer, arch in [("nix", "avx512"), ("nix", "sse3"), ("gentoo", "avx2"), (None, "generic")]:
        host = Host(arch=arch, layer=layer)
        paths = frozenset(directory.path for directory in site.search_path(host))
        for project, candidates in seen(site, paths).items():
            best = pick(Wheelhouse(site), project, host).best
            assert policy_choice(candidates, here, installer) == best
