"""What is locked is what pip's own resolver chooses, on random wheelhouses whose wheels need each other.

One run of pip answers for one graph only, so everyday a few graphs are tried and many in the slow stage.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from tests.factories import run_pip
from tests.graphs import Graph, random_graph
from tests.pips import pip_environ
from tests.questions import pick
from tests.resolution import lock
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.resolution.resolver import Resolution
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse


def asked_of_pip(graph: Graph, pip: list[str], work: Path) -> dict[str, str] | None:
    """project -> URL of what *pip* would install; None when it finds no solution."""
    configuration = work / "pip.conf"
    configuration.write_text(pip_config(graph.site, graph.host, offline=True).render("ini"))
    constraints = work / "constraints.txt"
    constraints.write_text("".join(f"{each}\n" for each in graph.constraints))
    done = run_pip(
        *("install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-", "-c", constraints),
        *graph.requirements,
        environ=pip_environ(PIP_CONFIG_FILE=str(configuration)),
        pip=pip,
    )
    if done.returncode != 0:
        # Anything else would be no answer.
        assert "ResolutionImpossible" in done.stderr or "No matching distribution" in done.stderr or (
            "requires a different Python" in done.stderr or "require a different Python" in done.stderr
        ), done.stderr  # fmt: skip
        return None
    found = json.loads(done.stdout)["install"]
    return {item["metadata"]["name"]: item["download_info"]["url"] for item in found}


def urls(resolution: Resolution) -> dict[str, str] | None:
    if resolution.conflict is not None:
        return None
    return {str(each.candidate.name): file_url(each.candidate.path) for each in resolution.packages}


def compare(seed: int, pip: list[str], work: Path) -> Resolution:
    graph = random_graph(Random(seed), work / "wheelhouse")
    ours = lock(graph.requirements, graph.site, graph.host, constraints=graph.constraints)
    assert urls(ours) == asked_of_pip(graph, pip, work), (seed, graph.requirements, graph.constraints)
    return ours


@pytest.mark.network
@pytest.mark.parametrize("seed", [*range(24), 1275])  # the last goes back over what nothing requires then
def test_pip_installs_what_we_lock(seed: int, newest_pip: list[str], tmp_path: Path) -> None:
    compare(seed, newest_pip, tmp_path)


@pytest.mark.large
@pytest.mark.network
@pytest.mark.parametrize("start", range(1000, 1120, 20))
def test_pip_installs_what_we_lock_of_many(start: int, newest_pip: list[str], tmp_path: Path) -> None:
    found = [compare(seed, newest_pip, tmp_path / str(seed)) for seed in range(start, start + 20)]
    assert 3 < len([each for each in found if each.conflict is None]) < 20  # both kinds are among them


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("start", [0, pytest.param(400, marks=pytest.mark.slow)])
def test_the_oldest_pip_agrees_where_there_is_nothing_to_decide(
    start: int, oldest_pip: list[str], tmp_path: Path
) -> None:
    """It searches in another order: asked only where the newest of everything goes together."""
    compared = 0
    for seed in range(start, start + (100 if start else 25)):
        work = tmp_path / str(seed)
        graph = random_graph(Random(seed), work / "wheelhouse", extras=["[fast]"])
        ours = lock(graph.requirements, graph.site, graph.host, constraints=graph.constraints)
        chosen = [each.candidate for each in ours.packages]
        newest = [pick(Wheelhouse(graph.site), each.name, graph.host).best for each in chosen]
        # What it makes of pre-releases is another matter: `test_pick_oracle` has it.
        if chosen and chosen == newest and not any(each.version.is_prerelease for each in chosen):
            compared += 1
            assert urls(ours) == asked_of_pip(graph, oldest_pip, work), seed
    assert compared > 2
