"""Own wheels above another site's unstamped ones, through the index, a view and uv's flat indexes.

Of each pair of directories that one host searches there is a project that only these two have, once each.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest

from tests.conformance.uv import settings_for, taken_by
from tests.factories import make_wheel
from tests.programs import ONE_OF_EACH, Program
from wheelhouse_resolver.installers.pip_config import static_configs
from wheelhouse_resolver.publishing.publish import publish
from wheelhouse_resolver.publishing.view import make_view
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.index import write_index

pytestmark = pytest.mark.network

programs = pytest.mark.parametrize(
    "program",
    [
        pytest.param(each, id=each, marks=[] if each in ("pip", "uv") else [pytest.mark.slow])
        for each in ("pip==19.3.1", *sorted(ONE_OF_EACH))
    ],
    indirect=True,
)

HOST = "avx512-gentoo"


def laid_out(work: Path, tag: str, *, stamped: bool) -> tuple[Site, dict[str, str]]:
    """A site above a base, and what policy takes: project -> MARK. *stamped*: whether the base is."""
    site = Site.parse(
        f'root = "{work}/own"\n[[layer]]\nname = "gentoo"\narchs = ["avx2"]\n'
        f'[[base]]\nname = "national"\nroot = "{work}/national"\n'
        '[[base.layer]]\nname = "gentoo"\narchs = ["avx", "avx2", "avx512"]\n',
        str(work / "site.toml"),
    )
    national = Site.parse(f'root = "{work}/national"\n', "national.toml")
    theirs = {each.path: each for each in national.directories()}
    picks: dict[str, str] = {}
    wheels: dict[Directory, list[Path]] = {}
    for number, two in enumerate(combinations(site.search_path_for("gentoo", "avx512"), 2)):
        picks[f"pair{number}"] = two[0].label
        for each in two:
            place = Path(each.path) if each.base and not stamped else work / "sources" / each.label
            files = {f"pair{number}.py": f"MARK = {each.label!r}\n"}
            wheels.setdefault(each, []).append(make_wheel(place, f"pair{number}-1.0-{tag}.whl", files=files))
    for root in (site.root, national.root):
        Path(root).mkdir(exist_ok=True)
    for each in wheels:
        if each.base is None:
            assert publish(site, wheels[each], each).ok
        elif stamped:
            assert publish(national, wheels[each], theirs[each.path]).ok
    return site, picks


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Site, dict[str, str]]]:
    made: dict[str, tuple[Site, dict[str, str]]] = {}

    def get(tag: str) -> tuple[Site, dict[str, str]]:
        if tag not in made:
            made[tag] = laid_out(tmp_path_factory.mktemp("overlay"), tag, stamped=False)
        return made[tag]

    return get


@programs
def test_an_unstamped_base_below_a_stamped_tree_is_taken_as_policy_says(
    program: Program, house: Callable[[str], tuple[Site, dict[str, str]]], tmp_path: Path
) -> None:
    site, picks = house(program.tag)
    index, view = tmp_path / "index", tmp_path / "view"
    assert write_index(site, str(index)).ok
    make_view(site, str(view))
    bases = tuple(each._replace(root=str(view / each.name)) for each in site.bases)
    links = static_configs(site._replace(root=str(view), bases=bases))[HOST].find_links
    through = {
        "index": program.install([], list(picks), tmp_path / "a", index=(index / HOST).as_uri()),
        "view": program.install(links, list(picks), tmp_path / "b"),
    }
    if program.release == "uv":
        settings = settings_for(static_configs(site)[HOST], "uv", tmp_path)
        through["flat"] = taken_by(program, picks, settings, tmp_path / "c")
    assert through == dict.fromkeys(through, picks)


@programs
def test_find_links_do_where_both_are_stamped_by_their_own_sites(program: Program, tmp_path: Path) -> None:
    site, picks = laid_out(tmp_path, program.tag, stamped=True)
    links = static_configs(site)[HOST].find_links
    assert program.install(links[::-1], list(picks), tmp_path / "work") == picks
