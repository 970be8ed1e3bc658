"""The promise: of one version, every installer takes the wheel of the most specific directory.

Asked of the real programs, for every pair of directories that share a search path.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.houses import SITES, House, copied, published, shuffled, viewed
from tests.programs import Program, one_of_each, one_of_each_everyday, write_index
from wheelhouse_resolver.installers.ordering import choice
from wheelhouse_resolver.tree.candidate import Candidate
from wheelhouse_resolver.wheelhouse import Wheelhouse

Made = Callable[[str, str, str], House]

OTHER_ORDERS = ("policy", "1")


def sites_and_orders(*everyday: str) -> pytest.MarkDecorator:
    """All sites with find-links in several orders; *everyday* once for each of these sites, else slow."""
    cases = [(site, order) for site in SITES for order in ("reversed", *OTHER_ORDERS)]

    def often(site: str, order: str) -> bool:
        return site in everyday and order == "reversed"

    return pytest.mark.parametrize(
        ("site", "order"),
        [pytest.param(*case, marks=() if often(*case) else pytest.mark.slow) for case in cases],
    )


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A wheelhouse by site, how it was filled, and the tag of its wheels; made once."""
    made: dict[tuple[str, str, str], House] = {}

    def get(site: str, how: str, tag: str) -> House:
        key = (site, how, tag)
        if key not in made:
            work = tmp_path_factory.mktemp(f"{site}-{how}-")
            if how == "published":
                made[key] = published(SITES[site](work), work, tag)
            elif how == "copied":
                made[key] = copied(SITES[site](work), work, tag)
            else:
                made[key] = viewed(get(site, "copied", tag), work / "view of it")
        return made[key]

    return get


def in_order(house: House, order: str) -> list[str]:
    if order == "policy":
        return list(house.find_links)
    if order == "reversed":
        return list(reversed(house.find_links))
    return shuffled(house.find_links, int(order))


@sites_and_orders("built-in")
def test_published_wheels_are_taken_as_policy_says(
    program: Program, site: str, order: str, house: Made, tmp_path: Path
) -> None:
    ours = house(site, "published", program.tag)
    taken = program.install(in_order(ours, order), list(ours.picks), tmp_path)
    assert taken == ours.picks


@one_of_each_everyday
@sites_and_orders("built-in")
def test_an_index_with_the_same_version_and_tags_changes_nothing(
    program: Program, site: str, order: str, house: Made, tmp_path: Path
) -> None:
    ours = house(site, "published", program.tag)
    index = write_index(tmp_path / "index", ours.theirs)
    taken = program.install(in_order(ours, order), list(ours.picks), tmp_path / "work", index=index)
    assert taken == ours.picks


@pytest.mark.slow
@one_of_each
@sites_and_orders("side-by-side")
def test_a_view_of_unstamped_wheels_is_as_good(
    program: Program, site: str, order: str, house: Made, tmp_path: Path
) -> None:
    ours = house(site, "viewed", program.tag)
    taken = program.install(in_order(ours, order), list(ours.picks), tmp_path)
    assert taken == ours.picks


@one_of_each_everyday
@pytest.mark.parametrize("site", ["built-in", pytest.param("side-by-side", marks=pytest.mark.slow)])
def test_without_stamps_no_installer_keeps_the_promise(
    program: Program, site: str, house: Made, tmp_path: Path
) -> None:
    ours = house(site, "copied", program.tag)
    taken = program.install(list(ours.find_links), list(ours.picks), tmp_path)
    assert taken.keys() == ours.picks.keys()
    wrong = {project for project, label in taken.items() if label != ours.picks[project]}
    assert len(wrong) > len(ours.picks) / 4
    for project in ours.picks:  # and which ones it gets wrong, our model of it knows
        found = Wheelhouse(ours.site).read(project, ours.site.directories())
        candidates = [each for each in found if isinstance(each, Candidate)]
        predicted = choice(program.model, candidates, program.kind)
        assert predicted is not None
        assert taken[project] == predicted.directory.label
