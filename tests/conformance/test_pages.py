"""What pip and uv take through the pages of a static index of wheels without stamps, against policy.

One run of an installer is asked for many projects, each of which has wheels of one version here and there.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from tests.conformance.houses import SITES, pairs
from tests.factories import make_wheel
from tests.programs import MACHINE, ONE_OF_EACH, PROGRAMS, Program, glibc_levels
from tests.static_index.test_rule import Python, taken, wanted
from wheelhouse_resolver.installers.pip_config import class_name
from wheelhouse_resolver.site.layout import Directory, HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.conflicts import conflicts
from wheelhouse_resolver.static_index.index import write_index
from wheelhouse_resolver.static_index.pages import IndexedFile, IndexedWheel, page_entries
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate

Made = Callable[[str, str, int, int], "Index"]

#: All ways to choose, and the first and last releases of each.
ALL = (*PROGRAMS, "pip==19.3.1", "pip==20.2.4", "pip==21.0.1", "pip==21.1.3", "pip==26.2", "uv==0.6.17")

each_program = pytest.mark.parametrize(
    "program",
    [
        pytest.param(each, marks=[pytest.mark.network, *([] if each in ONE_OF_EACH else [pytest.mark.slow])])
        for each in ALL
    ],
    indirect=True,
)

BOUNDS = (
    "",
    "",
    "",
    ">=3.8",
    ">=3.{0}",
    "<3.{0}",
    ">=3.{1}",
    "<3.{1}",
    "!=3.{0}.*",
    ">=3.{0}.2,<3.{1}",
    "==3.{0}.*",
)


def kinds(minor: int) -> list[str]:
    """Wheels that a Python 3.*minor* of this machine accepts, by their tags."""
    levels = glibc_levels()
    if not levels:
        pytest.skip("this machine's C library takes no manylinux wheels")
    newest, older = (f"manylinux_{level[0]}_{level[1]}_{MACHINE}" for level in (levels[-1], levels[0]))
    linux, short = f"linux_{MACHINE}", f"cp3{minor}-cp3{minor}"
    both = f"{older}.manylinux2014_{MACHINE}"
    return [
        *(f"{short}-{platform}" for platform in (linux, newest, both, f"{linux}.{newest}")),
        *(f"cp3{low}-abi3-{platform}" for low, platform in ((8, linux), (minor, both), (minor - 1, newest))),
        *(
            "py3-none-any",
            "py2.py3-none-any",
            f"py3-none-{linux}",
            f"py3-none-{both}",
        ),
        f"cp3{minor}.cp3{minor + 1}-cp3{minor}.cp3{minor + 1}-{linux}",
        f"cp3{minor}-none-any",  # worse than what is compiled for all: uv cannot be told to take it
    ]


class Project(NamedTuple):
    """A project, and its wheels: directory, rest of the file name, Requires-Python."""

    name: str
    wheels: tuple[tuple[Directory, str, str], ...]

    @property
    def files(self) -> list[IndexedWheel]:
        found = []
        for directory, ending, requires_python in self.wheels:
            candidate = parse_candidate(f"{self.name}-1.0-{ending}.whl", directory)
            assert isinstance(candidate, Candidate)
            found.append(IndexedWheel(candidate, requires_python, ""))
        return found


def projects(site: Site, kind: HostKind, minor: int) -> list[Project]:
    """Every pair of directories with one tag, every pair of kinds of tags, and what chance brings."""
    random, tags = Random(minor), kinds(minor)
    searched = [(high, low) for high, low in pairs(site) if {high, low} <= {*kind.search_path}]
    found = [((high, tags[0], ""), (low, tags[0], "")) for high, low in searched]
    for one, other in permutations(tags[:-1], 2):
        high, low = random.choice(searched)
        found.append(((high, one, ""), (low, other, "")))
    plain = [Project(f"pair{number}", wheels) for number, wheels in enumerate(found)]
    mixed = []
    for number in range(100):
        chosen = {
            (directory, random.choice(["", "", "1-", "2-"]) + tag): random.choice(BOUNDS).format(
                minor, minor + 1
            )
            for directory in random.sample([*kind.search_path], random.randint(2, 4))
            for tag in random.sample(tags, random.randint(1, 2))
        }
        mixed.append(Project(f"mixed{number}", tuple((*each, bound) for each, bound in chosen.items())))
    return [*plain, *mixed]


def real_release(python: str) -> str:
    """The version of *python*."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run([python, "-c", code], text=True, stdout=subprocess.PIPE, check=True).stdout.strip()


class Index(NamedTuple):
    """An index, and what is in it. *url*: of the class's pages; *machine*: of its hosts."""

    projects: list[Project]
    url: str
    machine: str | None


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The index of a site for one of its kinds of hosts, with wheels for Python 3.*minor*; made once."""
    made: dict[tuple[str, str, int, int], Index] = {}

    def get(name: str, layer: str, minor: int, most: int) -> Index:
        key = (name, layer, minor, most)
        if key not in made:
            work = tmp_path_factory.mktemp("pages-")
            site = SITES[name](work)
            (kind,) = [each for each in site.host_kinds() if each.label == f"{layer}/avx512"]
            found = projects(site, kind, minor)
            Random(1).shuffle(found)
            for project in found[:most]:
                lowest = kind.search_path[-1]
                place(project.name, "0.5-py3-none-any.whl", lowest, "older", "")
                for directory, ending, bound in project.wheels:
                    filename = f"1.0-{ending}.whl"
                    place(
                        project.name,
                        filename,
                        directory,
                        f"{directory.label}/{project.name}-{filename}",
                        bound,
                    )
            assert write_index(site, str(work / "index")).ok
            url = (work / "index" / class_name(site.layer(layer), kind)).as_uri()
            made[key] = Index(found[:most], url, kind.family)
        return made[key]

    return get


def place(project: str, rest: str, directory: Directory, mark: str, bound: str) -> None:
    make_wheel(
        Path(directory.path),
        f"{project}-{rest}",
        files={f"{project}.py": f"MARK = {mark!r}\n"},
        requires_python=bound or None,
    )


def compare(index: Index, program: Program, minor: int, patch: int, work: Path) -> None:
    """Ask *program* for all of *index*, for Python 3.*minor*.*patch*.

    pip before 20.3 knows no older abi3 for another Python than its own, and `pip install` has METADATA's
    Requires-Python obeyed by its own.
    """
    own = program.version < (20, 3) and program.model.hides
    release = real_release(program.python) if own else f"3.{minor}.{patch}"
    python = Python(release, machine=program.kind.machine)
    strange = program.model.hides and minor != program.kind.version[1]
    expected: dict[str, str] = {}
    exceptions: set[str] = set()
    for project in index.projects:
        if strange and not {bound for _, _, bound in project.wheels} <= {"", ">=3.8"}:
            continue
        files: list[IndexedFile] = [*project.files]
        page = page_entries(files, None, index.machine)
        ours, theirs = wanted(files, python, program.model), taken(page, python, program.model)
        expected[project.name] = f"{theirs.directory.label}/{theirs.filename}" if theirs else "older"
        if ours is not None and ours != theirs and (theirs is None or ours.directory != theirs.directory):
            exceptions.add(project.name)
            known = conflicts(files, page, None, index.machine)
            assert any(program.model.name in each.installers for each in known if each[:2] == (ours, theirs))
    # What a page cannot say: to uv, which Pythons a link is for; to pip before 20.3, what the others get.
    if program.model.perennial:
        assert not any(name.startswith("pair") for name in exceptions)
    if program.model.perennial and program.model.hides:
        assert exceptions == set()
    found = program.install([], [*expected], work, index=index.url, python=None if own else release)
    assert found == expected


@each_program
def test_without_stamps_pages_give_what_policy_wants(program: Program, index: Made, tmp_path: Path) -> None:
    minor = program.kind.version[1]
    compare(index("built-in", "gentoo", minor, 25), program, minor, 3, tmp_path)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize(
    ("site", "layer", "program"),
    [
        *(("built-in", "nix", each) for each in ("pip==19.3.1", "pip==20.3.4", "pip==24.0", "pip", "uv")),
        *(("side-by-side", "gentoo2020", each) for each in ("pip", "uv")),
    ],
    indirect=["program"],
)
def test_every_pair_of_directories_and_of_tags(
    program: Program, site: str, layer: str, index: Made, tmp_path: Path
) -> None:
    minor = program.kind.version[1]
    asked = (
        [(minor, 1), (minor + 1, 0)] if site == "built-in" and program.version >= (20, 3) else [(minor, 3)]
    )
    for number, patch in asked:
        compare(index(site, layer, minor, 1000), program, number, patch, tmp_path)
