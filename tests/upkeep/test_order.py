from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest

from wheelhouse_resolver.upkeep.order import building_waves, needed_among, reached, required_from


@pytest.mark.parametrize(
    ("needs", "waves"),
    [
        ({}, []),
        ({"b": [], "a": []}, [[("a",), ("b",)]]),
        ({"a": ["b"], "b": ["c"], "c": [], "d": ["c"]}, [[("c",)], [("b",), ("d",)], [("a",)]]),
        ({"a": ["b", "elsewhere"], "b": ["a"], "c": ["a"]}, [[("a", "b")], [("c",)]]),
        # Two cycles that share a project are one.
        ({"a": ["b"], "b": ["c", "a"], "c": ["b"], "d": ["a", "d"]}, [[("a", "b", "c")], [("d",)]]),
        # Two that don't.
        ({"a": ["b"], "b": ["a"], "c": ["d", "a"], "d": ["c"]}, [[("a", "b")], [("c", "d")]]),
    ],
    ids=["nothing", "independent", "diamond", "cycle", "joined cycles", "two cycles"],
)
def test_waves(needs: dict[str, list[str]], waves: list[list[tuple[str, ...]]]) -> None:
    assert building_waves(needs) == waves


def test_what_is_needed_by_way_of_what_exists_and_of_extras() -> None:
    """`app` wants the extra of `frame`, which exists; that requires `plot`, a gap, for this extra alone."""
    requires: dict[tuple[str, str], list[tuple[str, list[str]]]] = {
        ("app", ""): [("frame", ["fast"]), ("app", [])],
        ("frame", ""): [("base", [])],
        ("frame", "fast"): [("plot", []), ("ring", [])],
        ("base", ""): [("low", [])],
        ("low", ""): [("base", [])],
        ("ring", ""): [("frame", [])],
    }
    asked = []

    def needs(
        several: Collection[tuple[str, frozenset[str]]],
    ) -> Iterator[tuple[str, list[tuple[str, frozenset[str]]]]]:
        for name, extras in several:
            asked.append(name)
            found = [each for extra in ("", *extras) for each in requires.get((name, extra), [])]
            yield name, [(each, frozenset(more)) for each, more in found]

    gaps = ["app", "plot", "base", "alone"]
    below = required_from(gaps, needs)
    assert {name: needed_among(gaps, name, lambda each: below.get(each, ())) for name in gaps} == {
        "app": {"plot", "base"},
        "plot": set(),
        "base": set(),
        "alone": set(),
    }
    assert reached(["ring"], below.__getitem__) == {"ring", "frame", "base", "low", "plot"}
    assert max(map(asked.count, asked)) == 1  # `frame` is asked once, with the extra
