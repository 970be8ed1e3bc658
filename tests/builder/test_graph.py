"""What a plan is made of besides waves: several versions, what builds require, and its graph."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.quick import make_quick
from tests.builder.test_run import Heard, Workplace
from tests.factories import make_wheel
from wheelhouse_resolver.builder.planning.build_system import read_build_system
from wheelhouse_resolver.builder.planning.graph import Graph, GraphFileError, replayed
from wheelhouse_resolver.builder.planning.model import Plan
from wheelhouse_resolver.builder.planning.waves import CycleError
from wheelhouse_resolver.builder.run import execute


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    return Workplace(tmp_path, make_quick(monkeypatch, tmp_path / "sources"))


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What each project says that its build requires; the source itself is not asked."""
    told: dict[str, list[str]] = {}
    monkeypatch.setattr(
        "wheelhouse_resolver.builder.planning.sources.SourceFetcher.get_build_requires",
        lambda _self, _fetched, recipe, *_: told.get(recipe.name, []),
    )
    return told


def requirements(plan: Plan) -> list[list[str]]:
    return [[each.job.requirement for each in wave] for wave in plan.waves]


def test_what_is_asked_for_beside_two_versions_takes_the_one_that_suits_it(place: Workplace) -> None:
    for version in ("1.0", "2.0"):
        make_package(place.sources, "base", version, requires=["below<2" if version == "1.0" else "below"])
        make_package(place.sources, "below", version)
    make_package(place.sources, "new", requires=["base>=2"])
    make_package(place.sources, "any", requires=["base"])
    plan = place.plan("base==1.0", "base==2.0", "new", "any")
    needs = {each.job.requirement: sorted(need for _, need in each.needs) for each in plan.entries}
    assert not any(each.problem for each in plan.entries)
    assert needs == {
        "below==1.0": [],
        "below==2.0": [],
        "base==1.0": ["below==1.0"],
        "base==2.0": ["below==2.0"],
        "new==1.0": ["base==2.0"],
        "any==1.0": ["base==2.0"],
    }


class TestBuildRequires:
    def plan(self, place: Workplace, *asked: str) -> Plan:
        return place.plan(*asked, build_requires=True)

    def test_each_build_has_its_own(self, place: Workplace, tools: dict[str, list[str]]) -> None:
        """Two builds that exclude each other's tools get one each, and what the tools run with."""
        tools |= {"old": ["tool<2"], "new": ["tool>=2"], "tool": ["backend"]}
        make_package(place.sources, "old", requires=["new"])
        make_package(place.sources, "new")
        make_package(place.sources, "tool", "1.0", requires=["lib"])
        make_package(place.sources, "tool", "2.0")
        make_package(place.sources, "lib")
        make_package(place.sources, "backend")
        plan = self.plan(place, "old")
        assert requirements(plan) == [
            ["lib==1.0", "backend==1.0"],
            ["tool==1.0", "tool==2.0"],
            ["new==1.0"],
            ["old==1.0"],
        ]
        (old,) = plan.waves[-1]
        assert {need for _, need in old.needs} == {"new==1.0", "tool==1.0", "lib==1.0"}
        execute(plan, place.executor, place.options, Heard())
        tasks = Path(plan.settings.scratch, "tasks").glob("*.json")
        assert {json.loads(task.read_text())["options"]["offline"] for task in tasks} == {True}

    def test_what_the_wheelhouse_has_is_not_built(
        self, place: Workplace, tools: dict[str, list[str]]
    ) -> None:
        tools |= {"app": ["tool"]}
        make_package(place.sources, "app")
        make_package(place.sources, "tool", "2.0")
        wheel = make_wheel(Path(place.site.root) / "generic", "tool-1.0-1000generic-py3-none-any.whl")
        plan = self.plan(place, "app")
        assert requirements(plan) == [["app==1.0"]]
        assert plan.satisfied == (("tool", str(wheel)),)

    @pytest.mark.parametrize("needs", [["app"], ["tool"]], ids=["itself", "by-another"])
    def test_a_cycle_says_how_it_is_broken(
        self, needs: list[str], place: Workplace, tools: dict[str, list[str]]
    ) -> None:
        tools |= {"app": needs, "tool": ["app"]}
        make_package(place.sources, "app")
        make_package(place.sources, "tool")
        with pytest.raises(CycleError, match="app -> ") as caught:
            self.plan(place, "app")
        assert "publish a wheel of one of them" in caught.value.hint

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (None, (["setuptools>=40.8.0"], "setuptools.build_meta:__legacy__", [])),
            ("[project]\nname = 'a'\n", (["setuptools>=40.8.0"], "setuptools.build_meta:__legacy__", [])),
            ("[build-system]\nrequires = ['a']\n", (["a"], "setuptools.build_meta:__legacy__", [])),
            (
                "[build-system]\nrequires = ['a', 'b']\nbuild-backend = 'b.c:d'\nbackend-path = ['x']\n",
                (["a", "b"], "b.c:d", ["x"]),
            ),
        ],
    )
    def test_what_a_source_says(
        self, text: str | None, expected: tuple[list[str], str, list[str]], tmp_path: Path
    ) -> None:
        if text is not None:
            (tmp_path / "pyproject.toml").write_text(text)
        requires, backend, path = read_build_system(str(tmp_path))
        assert (list(requires), backend) == expected[:2]
        assert list(path) == [str(tmp_path / each) for each in expected[2]]

    def test_a_build_system_without_requires_is_invalid(self, tmp_path: Path) -> None:
        (tmp_path / "pyproject.toml").write_text("[build-system]\nbuild-backend = 'a'\n")
        with pytest.raises(ValueError, match="requires is missing"):
            read_build_system(str(tmp_path))


class TestGraph:
    @pytest.fixture
    def plan(self, place: Workplace, tools: dict[str, list[str]]) -> Plan:
        tools |= {"app": ["tool>1"]}
        make_package(place.sources, "app", requires=["base", "there"])
        make_package(place.sources, "base")
        make_package(place.sources, "tool", "2.0")
        make_wheel(Path(place.site.root) / "generic", "there-1.0-1000generic-py3-none-any.whl")
        return place.plan("app", build_requires=True)

    def test_it_says_why_each_is_there_and_what_for(self, plan: Plan, tmp_path: Path) -> None:
        (tmp_path / "graph.json").write_text(Graph.of(plan).text())
        graph = Graph.read(str(tmp_path / "graph.json"))
        assert graph == Graph.of(plan)
        why = {node.project: list(node.why) for node in graph.nodes}
        assert why == {
            "app": ["app"], "base": ["app", "base"], "tool": ["app", "tool>1"], "there": ["app", "there"]
        }  # fmt: skip
        kinds = {(link.requirement, link.kind) for link in graph.links}
        assert kinds == {("app", "asked"), ("base", "run"), ("there", "run"), ("tool>1", "build")}

    def test_it_can_be_drawn(self, plan: Plan) -> None:
        own = plan.entries[0].job.python_version.replace(".", "")
        lines = [line.strip() for line in Graph.of(plan).dot().splitlines()]
        app, tool = (f'"{each} cp{own} generic"' for each in ("app==1.0", "tool==2.0"))
        assert f'{app} -> {tool} [label="tool>1", style=dashed];' in lines
        assert f"{app} [label={app}];" in lines
        assert any(line.endswith(", shape=plaintext];") and "there-1.0" in line for line in lines)

    def test_it_is_planned_again_as_it_was(self, plan: Plan, place: Workplace) -> None:
        """Newer releases, and wheels that have come since, make no difference."""
        make_package(place.sources, "base", "2.0")
        make_package(place.sources, "tool", "3.0")
        make_wheel(Path(place.site.root) / "generic", "base-1.0-1000generic-py3-none-any.whl")
        again = self.replay(plan, place)
        assert requirements(again) == requirements(plan)
        assert [each.needs for each in again.entries] == [each.needs for each in plan.entries]
        assert again.settings.build_requires
        assert Graph.of(again) == Graph.of(plan)
        assert {each.result for each in execute(again, place.executor, place.options, Heard())} == {"built"}

    def test_what_is_not_as_it_was_is_a_problem(self, plan: Plan, place: Workplace) -> None:
        make_package(place.sources, "base", code="pass  # changed")
        (wheel,) = Path(place.site.root).rglob("there-*.whl")
        wheel.unlink()
        problems = {each.job.project: each.problem for each in self.replay(plan, place).entries}
        assert problems["base"].startswith("source: it is not that of the graph: its sha256 is ")
        assert problems["app"] == f"graph: {wheel} is gone, which it needs"
        assert problems["tool"] == ""

    def replay(self, plan: Plan, place: Workplace) -> Plan:
        settings = replace(plan.settings, scratch=place.scratch())
        return replayed(Graph.of(plan), settings, place.options, say=lambda _: None)

    @pytest.mark.parametrize("text", ["", "{}", '{"nodes": [], "links": [], "format": 99}'])
    def test_a_file_that_is_no_graph(self, text: str, tmp_path: Path) -> None:
        (tmp_path / "graph.json").write_text(text)
        with pytest.raises(GraphFileError, match=r"graph\.json: (not a valid graph|format 99 is unknown)"):
            Graph.read(str(tmp_path / "graph.json"))
