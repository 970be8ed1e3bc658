from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wheelhouse_resolver.builder.planning.waves import CycleError, sharing_order, waves

NAMES = st.sampled_from("abcdefgh")
GRAPHS = st.dictionaries(NAMES, st.lists(NAMES, unique=True, max_size=4))


def has_cycle(needs: dict[str, list[str]]) -> bool:
    """By another way: take away what needs nothing that is left, until nothing changes."""
    left = dict(needs)
    while ready := [
        n for n, needed in left.items() if not {each for each in needed if each != n} & set(left)
    ]:
        for name in ready:
            del left[name]
    return bool(left)


@given(GRAPHS)
def test_every_order_respects_the_needs_and_cycles_are_found_iff_there_are_any(
    needs: dict[str, list[str]],
) -> None:
    if has_cycle(needs):
        with pytest.raises(CycleError) as caught:
            waves(needs)
        cycle = caught.value.cycle
        assert cycle[0] == cycle[-1]
        assert len({*cycle}) == len(cycle) - 1 > 1
        for one, other in pairwise(cycle):
            assert other in needs[one]
        return
    found = waves(needs)
    assert sorted(name for wave in found for name in wave) == sorted(needs)
    place = {name: number for number, wave in enumerate(found) for name in wave}
    for name, needed in needs.items():
        before = [place[each] for each in needed if each in place and each != name]
        assert place[name] == max(before, default=-1) + 1
    for wave in found:
        assert wave == [name for name in needs if name in wave]


def test_a_cycle_is_shown() -> None:
    with pytest.raises(
        CycleError, match=r"a cycle of requirements: (a -> b -> c -> a|b -> c -> a -> b|c -> a)"
    ):
        waves({"x": ["a"], "a": ["b"], "b": ["c"], "c": ["a"]})


def test_nodes_are_called_by_their_names() -> None:
    with pytest.raises(CycleError) as caught:
        waves({("a", 1): [("b", 1)], ("b", 1): [("a", 1)]}, lambda node: node[0])
    assert set(caught.value.cycle) == {"a", "b"}


def test_what_is_there_already_needs_no_wave() -> None:
    assert waves({"a": ["there"]}) == [["a"]]


def test_whose_wheel_may_serve_a_build_as_well() -> None:
    """Two Pythons on two archs: everything waits in the end for the first Python on the first arch."""
    assert sharing_order(0, 0) == []
    assert sharing_order(0, 1) == [(0, 0)]
    assert sharing_order(1, 0) == [(0, 0)]
    assert sharing_order(1, 1) == [(0, 1)]
