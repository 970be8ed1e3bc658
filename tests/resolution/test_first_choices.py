"""Where each first choice will do, the answer is resolvelib's, and comes in steps that grow with the set."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.graphs import random_graph
from tests.resolution import lock
from tests.resolution.test_resolver import HOST, house, told
from wheelhouse_resolver.resolution import resolver as module


@pytest.mark.slow
def test_the_answer_is_that_of_resolvelib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    direct = 0
    for seed in range(60):
        graph = random_graph(Random(seed), tmp_path / f"{seed}")
        asked = [*graph.requirements]
        found = lock(asked, graph.site, graph.host)
        with monkeypatch.context() as patched:
            patched.setattr(module, "choose_first", lambda *_: None)
            searched = lock(asked, graph.site, graph.host)
        assert found.packages == searched.packages, seed
        assert found.warnings == searched.warnings, seed
        assert (found.conflict is None) == (searched.conflict is None), seed
        with monkeypatch.context() as patched:
            patched.setattr(module, "Search", None)
            try:
                lock(asked, graph.site, graph.host)
                direct += 1
            except TypeError:
                pass
    assert 5 < direct < 60


def test_one_that_takes_a_search_is_left_to_it(tmp_path: Path) -> None:
    site = house(tmp_path, {"a-1.0": ["b<2"], "c-1.0": ["b"], "b-1.0": [], "b-2.0": []})
    assert [each.candidate.filename for each in lock(["b", "a"], site, HOST).packages] == [
        "a-1.0-py3-none-any.whl",
        "b-1.0-py3-none-any.whl",
    ]


@pytest.mark.parametrize("asked", [["a", "b"], ["b", "a"]])
def test_a_file_by_url_is_not_what_is_required_by_name(asked: list[str], tmp_path: Path) -> None:
    # Neither has a specifier: that of the URL would be taken for one that is met already.
    site = house(tmp_path, {"a-1.0": ["b @ https://example.org/b-1.0.zip"], "b-1.0": []})
    assert told(lock(asked, site, HOST)) == [
        "a 1.0 needs b @ https://example.org/b-1.0.zip, which is not a wheel of this wheelhouse "
        "(a was asked for)"
    ]


@pytest.mark.parametrize("number", [20, 80])
def test_what_is_looked_at_grows_with_what_is_required(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"p{place}" for place in range(number)]
    site = house(
        tmp_path,
        {f"{name}-1.0": ["common>=1", *names[place : place + 1]] for place, name in enumerate(names, 1)}
        | {"common-1.0": []},
    )
    counts = {"is_satisfied_by": 0, "find_matches": 0}
    for name in counts:
        real = getattr(module._Provider, name)

        def counted(*arguments: object, real=real, name=name) -> object:  # type: ignore[no-untyped-def]
            counts[name] += 1
            return real(*arguments)

        monkeypatch.setattr(module._Provider, name, counted)
    assert len(lock(names, site, HOST).packages) == number + 1
    assert counts["is_satisfied_by"] <= 3 * number
    assert counts["find_matches"] <= 2 * number + 2
