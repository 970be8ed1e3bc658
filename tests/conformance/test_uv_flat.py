"""The promise without stamps: what `pip-conf --format uv` writes makes uv take what policy picks.

Asked of an old and the newest uv, on trees whose wheels were copied in as they are, beside an index that has
better wheels of the same versions. Each run of uv is asked for all projects at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import cycle, islice, product
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from packaging.version import Version

from tests.conformance.houses import SITES, builtin_site, pairs
from tests.conformance.uv import settings_for, taken_by
from tests.factories import make_wheel
from tests.programs import MACHINE, Program, glibc_levels, python_versions, write_index
from wheelhouse_resolver.installers.ordering import INSTALLERS, PythonKind
from wheelhouse_resolver.installers.pip_config import PipConfig, Setting
from wheelhouse_resolver.publishing.order import policy_choice, visible
from wheelhouse_resolver.site.layout import Directory, HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.utils.urls import file_url

(UV,) = (each for each in INSTALLERS if each.name == "uv")


class Wheel(NamedTuple):
    """A wheel of the tree: its file name, and the directory that it is copied into."""

    filename: str
    directory: Directory


class House(NamedTuple):
    """A tree of unstamped wheels, and an index.

    ours:     the candidates in the directories that are searched, by project and version.
    theirs:   the projects and versions that the index has, whose URL is *url*.
    searched: the directories that uv is to search.
    """

    ours: dict[tuple[str, Version], list[Candidate]]
    theirs: frozenset[tuple[str, Version]]
    url: str
    searched: Sequence[Directory]

    @property
    def config(self) -> PipConfig:
        """What uv is given."""
        there = [each for each in self.searched if Path(each.path).is_dir()]
        links = Setting("find-links", tuple(file_url(each.path) for each in there))
        settings = (links, Setting("index-url", (self.url,)))
        return PipConfig("a comment", settings, (), tuple(each.label for each in there))

    def seen_by(self, host: HostKind) -> House:
        """The same for *host*, which may search some of the directories only."""
        ours = {key: visible(candidates, host) for key, candidates in self.ours.items()}
        return self._replace(ours=ours, searched=host.search_path.directories)

    @property
    def versions(self) -> dict[str, list[Version]]:
        """The versions that there are of each project, newest first."""
        found: dict[str, list[Version]] = defaultdict(list)
        for project, version in sorted({*self.ours, *self.theirs}, reverse=True):
            found[project].append(version)
        return found


def platforms() -> tuple[str, str]:
    """The lowest and the highest manylinux platform of this machine."""
    levels = glibc_levels()
    if not levels:
        pytest.skip("this machine's C library takes no manylinux wheels")
    low, high = (f"manylinux_{major}_{minor}_{MACHINE}" for major, minor in (levels[0], levels[-1]))
    return low, high


def kinds(short: str) -> list[str]:
    """A tag of every kind, for the Python `cp311`; the last one is not for it."""
    low, high = platforms()
    other = "cp310" if short != "cp310" else "cp39"
    return [
        f"{short}-{short}-linux_{MACHINE}",
        f"{short}-{short}-{low}",
        f"{short}-{short}-{high}",
        f"{short}-{short}-linux_{MACHINE}.{low}",
        f"cp38-abi3-linux_{MACHINE}",
        f"cp37-abi3-{low}.{high}",
        f"{other}.{short}-none-any",
        "py3-none-any",
        "py2.py3-none-any",
        f"{other}-{other}-linux_{MACHINE}",
    ]


def furnish(site: Site, work: Path, wheels: Iterable[Wheel], theirs: Iterable[str]) -> House:
    """Copy *wheels* in, and lay out an index of those that *theirs* names."""
    ours: dict[tuple[str, Version], list[Candidate]] = defaultdict(list)
    for filename, directory in wheels:
        mark = f"{directory.label}/{filename}"
        files = {f"{filename.split('-')[0]}.py": f"MARK = {mark!r}\n"}
        make_wheel(Path(directory.path), filename, files=files)
        candidate = parse_candidate(filename, directory)
        assert isinstance(candidate, Candidate)
        ours[candidate.name, candidate.version].append(candidate)
    made = [
        make_wheel(work / "theirs", name, files={f"{name.split('-')[0]}.py": "MARK = 'index'\n"})
        for name in theirs
    ]
    parts = (each.name.split("-") for each in made)
    there = frozenset((part[0], Version(part[1])) for part in parts)
    return House(ours, there, write_index(work / "index", made), site.directories())


def taken(house: House, uv: Program, work: Path, python: str | None = None) -> dict[str, str]:
    """What *uv* takes for all projects, as `label/file name`, or `index`."""
    return taken_by(uv, house.versions, settings_for(house.config, "uv", work), work, python=python)


def wanted(house: House, python: PythonKind) -> dict[str, str]:
    """What policy picks of the newest version that *python* can install, of which the index has wheels."""
    found: dict[str, str] = {}
    for project, versions in house.versions.items():
        for version in versions:
            best = policy_choice(house.ours.get((project, version), []), python, UV)
            if best is not None:
                found[project] = f"{best.directory.label}/{best.filename}"
            elif (project, version) in house.theirs:
                found[project] = "index"
            if project in found:
                break
    return found


def in_pairs(site: Site, short: str, *, every: bool) -> Iterator[Wheel]:
    """Each pair of directories with each pair of kinds; unless *every*: each pair of either once."""
    places, tags = pairs(site), list(product(kinds(short), repeat=2))
    cases = list(product(places, tags))
    if not every:
        Random(1).shuffle(tags)
        count = max(len(places), len(tags))
        cases = list(islice(zip(cycle(places), cycle(tags), strict=False), count))
    for number, (directories, two) in enumerate(cases):
        for directory, tag in zip(directories, two, strict=True):
            yield Wheel(f"p{number}-1.0-{tag}.whl", directory)


@pytest.fixture(scope="module")
def house_of_pairs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, bool], House]:
    """A tree of all pairs of a site for a Python, made once; the index has the best wheel of each version."""

    @cache
    def made(name: str, short: str, every: bool) -> House:
        work = tmp_path_factory.mktemp(name)
        site = SITES[name](work)
        wheels = list(in_pairs(site, short, every=every))
        best = f"1.0-999-{short}-{short}-{platforms()[1]}.whl"
        theirs = {f"{each.filename.split('-')[0]}-{best}": None for each in wheels}
        return furnish(site, work, wheels, theirs)

    return made


@pytest.mark.parametrize(
    ("site", "every"),
    [*((each, False) for each in SITES), pytest.param("built-in", True, marks=pytest.mark.slow)],
)
def test_the_first_directory_wins_whatever_the_tags(
    uv: Program, site: str, every: bool, house_of_pairs: Callable[[str, str, bool], House], tmp_path: Path
) -> None:
    house = house_of_pairs(site, "cp{}{}".format(*uv.kind.version), every)
    found = taken(house, uv, tmp_path / "work")
    assert found == wanted(house, uv.kind)
    assert 0 < list(found.values()).count("index") < len(found) / 10  # where neither wheel is for this Python


def at_random(site: Site, shorts: Sequence[str], seed: int, projects: int) -> tuple[list[Wheel], list[str]]:
    """Wheels of some versions and builds for several Pythons; and an index with some of the same versions."""
    random = Random(seed)
    wheels: dict[Wheel, None] = {}
    theirs: list[str] = []
    for number in range(projects):
        for version in random.sample(["1.0", "1.0.post1", "1.1", "1.1+site", "2.0"], random.randint(1, 3)):
            for _ in range(random.randint(1, 5)):
                build = random.choice(["", "", "-1", "-7x", "-500000avx512"])
                tag = random.choice(kinds(random.choice(shorts)))
                wheel = Wheel(f"r{number}-{version}{build}-{tag}.whl", random.choice(site.directories()))
                wheels[wheel] = None
            if random.random() < 0.3:
                theirs += [f"r{number}-{version}-999-{each}-{each}-{platforms()[1]}.whl" for each in shorts]
        theirs.append(f"r{number}-0.1-py3-none-any.whl")
    return list(wheels), theirs


@cache
def several_pythons() -> list[tuple[str, tuple[int, int]]]:
    """The Pythons of this machine that both releases of uv install for."""
    found = {version: python for python, version in python_versions() if (3, 8) <= version <= (3, 13)}
    if not found:
        pytest.skip("no Python from 3.8 to 3.13 on this machine")
    return [(python, version) for version, python in found.items()]


@pytest.fixture(scope="module")
def random_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    work = tmp_path_factory.mktemp("random")
    site = builtin_site(work)
    shorts = ["cp{}{}".format(*version) for _, version in several_pythons()]
    return furnish(site, work, *at_random(site, shorts, 1, 60))


@pytest.mark.slow
def test_random_trees_for_every_python_and_host(uv: Program, random_house: House, tmp_path: Path) -> None:
    hosts = builtin_site(tmp_path).host_kinds()
    for number, (python, version) in enumerate(several_pythons()):
        house = random_house.seen_by(hosts[number * 2 % len(hosts)])
        kind = uv.kind._replace(version=version, flags="")
        assert taken(house, uv, tmp_path / str(number), python) == wanted(house, kind)
