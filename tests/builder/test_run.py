from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.quick import QuickExecutor, make_quick
from tests.factories import make_tree, make_wheel
from tests.requires import requires
from wheelhouse_resolver.builder.config import SlurmSettings
from wheelhouse_resolver.builder.executors.base import Result, Task, TaskObserver
from wheelhouse_resolver.builder.planning.model import Entry, Plan, PlanSettings
from wheelhouse_resolver.builder.planning.planner import make_plan
from wheelhouse_resolver.builder.records.job import BuildOptions
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.builder.run import BuildOutcome, execute
from wheelhouse_resolver.errors import PythonError
from wheelhouse_resolver.host.interpreters import target_of, targets_of
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.report import FileChange
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.compatibility import fits


class Heard:
    """A `BuildReporter` that remembers."""

    def __init__(self) -> None:
        self.began_with: list[list[str]] = []
        self.outcomes: list[BuildOutcome] = []
        self.places: list[tuple[str, ...]] = []

    def began(self, entries: Sequence[Entry]) -> None:
        self.began_with.append([entry.job.project for entry in entries])

    def started(self, entry: Entry, log: str) -> None:
        pass

    def held(self, entries: Sequence[Entry], why: str) -> None:
        pass

    def ended(self, outcome: BuildOutcome) -> None:
        self.outcomes.append(outcome)

    def published(self, outcome: BuildOutcome) -> None:
        self.places.append(outcome.places)

    def waiting(self) -> None:
        pass


class Workplace:
    """Plans and runs of packages in *sources*, with quick builds."""

    def __init__(self, directory: Path, executor: QuickExecutor) -> None:
        self.directory = directory
        self.executor = executor
        self.sources = directory / "sources"
        self.site = make_tree(directory / "house", {})
        self.options = BuildOptions(
            site=self.site,
            work=str(directory / "work"),
            output=str(directory / "out"),
            logs=str(directory / "logs"),
        )
        self._scratches = 0

    def scratch(self) -> str:
        self._scratches += 1
        path = self.directory / f"scratch-{self._scratches}"
        path.mkdir()
        return str(path)

    def plan(
        self, *requirements: str, archs: Sequence[str] = ("generic",), build_requires: bool = False
    ) -> Plan:
        return make_plan(
            RequirementsFile(requirements=tuple(parse_requirement(each) for each in requirements)),
            PlanSettings(
                targets=(target_of(None),),
                archs=tuple(archs),
                layer="gentoo",
                scratch=self.scratch(),
                recursive=True,
                build_requires=build_requires,
            ),
            self.options,
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    return Workplace(tmp_path, make_quick(monkeypatch, tmp_path / "sources"))


@pytest.mark.slow
def test_every_wave_is_given_to_the_executor_as_a_whole(place: Workplace) -> None:
    make_package(place.sources, "app", requires=["left", "right"])
    make_package(place.sources, "left", requires=["base"])
    make_package(place.sources, "right", requires=["base"])
    make_package(place.sources, "base")
    heard = Heard()
    outcomes = execute(place.plan("app"), place.executor, place.options, heard)
    assert heard.began_with == [["base"], ["left", "right"], ["app"]]
    assert [len(wave) for wave in place.executor.waves] == [1, 2, 1]
    assert [outcome.result for outcome in outcomes] == ["built"] * 4
    assert heard.outcomes == outcomes


def test_two_versions_of_a_project_are_two_builds(place: Workplace) -> None:
    """What else is asked for goes with the first, and is built with that."""
    for version in ("1.0", "1.5", "2.0"):
        make_package(place.sources, "base", version, requires=["below"])
    make_package(place.sources, "app", requires=["base<2"])
    make_package(place.sources, "below")
    heard = Heard()
    plan = place.plan("base==1.5", "app", "base==2.0", "base==1.0; python_version<'3'")
    outcomes = execute(plan, place.executor, place.options, heard)
    assert [[each.job.requirement for each in wave] for wave in plan.waves] == [
        ["below==1.0"],
        ["base==1.5", "base==2.0"],
        ["app==1.0"],
    ]
    assert [outcome.result for outcome in outcomes] == ["built"] * 4
    assert plan.entries[-1].needs == {("base", "base==1.5")}
    assert place.plan("base>=2", "base==1.0").entries[0].problem  # these are one requirement


def test_a_wave_in_which_nothing_has_to_be_built_starts_nothing(place: Workplace) -> None:
    make_package(place.sources, "app")
    plan = place.plan("app")
    execute(plan, place.executor, place.options, Heard())
    heard = Heard()
    (outcome,) = execute(plan, place.executor, place.options, heard)
    assert outcome.result == "present"
    assert heard.began_with == [[]]
    assert len(place.executor.waves) == 1


@requires("gcc")  # whose flags are those of the arch
def test_a_source_is_fetched_once_for_all_archs(place: Workplace) -> None:
    sdist = make_package(place.sources, "app")
    plan = place.plan("app", archs=["generic", "sse3"])
    sources = [entry.job.source for entry in plan.entries]
    assert sources[0] is not None
    assert sources[0] == sources[1]
    assert len(list(Path(plan.settings.scratch).glob("source-*"))) == 1
    # Nothing else is needed to build it.
    sdist.unlink()
    outcomes = execute(plan, place.executor, place.options, Heard())
    assert [outcome.result for outcome in outcomes] == ["built", "present"]


@pytest.mark.slow
def test_one_that_was_built_without_verification_does_not_count_as_verified(place: Workplace) -> None:
    make_package(place.sources, "app")
    plan = place.plan("app")
    unverified = replace(place.options, verify=False)
    for options, ran in ((unverified, 1), (unverified, 1), (place.options, 2)):
        execute(plan, place.executor, options, Heard())
        assert len(place.executor.ran) == ran


class TestTasks:
    class Remembers:
        """An executor whose tasks all vanish."""

        def __init__(self, leaves: str | None = None) -> None:
            self.tasks: list[Task] = []
            self._leaves = leaves

        def run(self, tasks: Sequence[Task], observer: TaskObserver) -> list[Result]:
            self.tasks += tasks
            results = []
            for task in tasks:
                if self._leaves is not None:
                    Path(task.result).write_text(self._leaves)
                vanished = "" if self._leaves is not None else "the node burnt down"
                results.append(Result(task=task, vanished=vanished))
                observer.finished(results[-1])
            return results

    @requires("gcc")  # whose flags are those of the arch
    def test_what_a_task_is_told_and_given(self, place: Workplace) -> None:
        make_package(place.sources, "app")
        executor = self.Remembers()
        slurm = SlurmSettings(resources=Resources(memory="8G"), constraints=(("sse3", "old"),))
        plan = place.plan("app", archs=["sse3"])
        execute(plan, executor, place.options, Heard(), slurm=slurm)
        (task,) = executor.tasks
        assert task.argv[:3] == (sys.executable, "-m", "wheelhouse_resolver.builder.worker")
        told = json.loads(Path(task.argv[3]).read_text())
        assert told["job"]["requirement"] == "app==1.0"
        assert told["options"]["output"] == f"{place.options.output}/gentoo/sse3"
        assert told["result"] == task.result
        assert task.resources == Resources(memory="8G", constraint="old")
        assert task.name == f"app 1.0 cp{sys.version_info[0]}{sys.version_info[1]} sse3"

    def test_builds_that_leave_their_environment_as_it_is_share_one(
        self, place: Workplace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made: list[str] = []

        def make(python: str, directory: str, **_: object) -> str:
            made.append(directory)
            return python

        monkeypatch.setattr("wheelhouse_resolver.builder.run.make_environment", make)
        (place.directory / "recipes").mkdir()
        (place.directory / "recipes/own.toml").write_text('[phases]\nbefore-build = ["true"]\n')
        site = Site.parse(
            f'root = "{place.site.root}"\n[build]\nrecipes = ["recipes"]\n', f"{place.directory}/s"
        )
        place.options = replace(place.options, site=site)
        for name in ("one", "two", "own"):
            make_package(place.sources, name)
        executor = self.Remembers()
        execute(place.plan("one", "two", "own"), executor, place.options, Heard())
        jobs = [json.loads(Path(task.argv[3]).read_text())["job"] for task in executor.tasks]
        assert [bool(job["environment"]) for job in jobs] == [True, True, False]
        assert len(made) == 1

    @pytest.mark.slow
    @requires("gcc")  # whose flags are those of the arch
    @pytest.mark.parametrize("here", [True, False], ids=["local", "slurm"])
    def test_what_is_stated_for_all_builds_beats_recipe_and_site(self, here: bool, place: Workplace) -> None:
        make_package(place.sources, "app")
        executor = self.Remembers()
        plan = place.plan("app")
        plan = replace(plan, settings=replace(plan.settings, here=here))
        options = replace(place.options, cores=3, time="9", network=False)
        slurm = SlurmSettings(resources=Resources(cores=2, memory="8G", time="5"))
        execute(plan, executor, options, Heard(), slurm=slurm)
        (task,) = executor.tasks
        assert task.resources == Resources(cores=3, memory="8G", time="9")
        told = json.loads(Path(task.argv[3]).read_text())["options"]
        stated = {name: told[name] for name in ("cores", "memory", "time", "network", "offline")}
        # What a scheduler limits, the build need not.
        assert stated == {
            "cores": 3, "memory": "", "time": "9" if here else "", "network": False, "offline": True
        }  # fmt: skip

    def test_one_that_vanished_has_failed(self, place: Workplace) -> None:
        make_package(place.sources, "app", requires=["base"])
        make_package(place.sources, "base")
        base, app = execute(place.plan("app"), self.Remembers(), place.options, Heard())
        assert (base.result, base.problem) == ("failed", "the node burnt down")
        assert (app.result, app.problem) == ("skipped", "base failed")

    @pytest.mark.slow
    @pytest.mark.parametrize("leaves", ["", "{}", '{"result": "built"', "[1]"])
    def test_a_result_that_says_nothing_is_a_failure(self, leaves: str, place: Workplace) -> None:
        make_package(place.sources, "app")
        (outcome,) = execute(place.plan("app"), self.Remembers(leaves), place.options, Heard())
        assert outcome.result == "failed"
        assert outcome.problem.startswith("cannot read its result: ")


class TestPublishing:
    @requires("gcc")
    def test_after_each_wave_and_a_wheel_for_several_archs_once(self, place: Workplace) -> None:
        make_package(place.sources, "app", requires=["base"])
        make_package(place.sources, "base")
        published: list[tuple[str, int]] = []

        def publish(wheel: str, site: Site, record: BuildRecord) -> list[FileChange]:
            assert site is place.site
            published.append((record.project, len(place.executor.ran)))
            result = "placed" if record.project == "app" else "present"
            return [FileChange(wheel, f"/house/{Path(wheel).name}", result)]

        outcomes = execute(
            place.plan("app", archs=["generic", "sse3"]),
            place.executor,
            place.options,
            Heard(),
            publish=publish,
        )
        assert published == [("base", 1), ("app", 2)]
        assert {outcome.places for outcome in outcomes if outcome.entry.job.project == "app"} == {
            ("/house/app-1.0-py3-none-any.whl",)
        }
        # What was there before, or is by another arch, is not placed again.
        placed = [(outcome.entry.job.project, outcome.placed) for outcome in outcomes]
        app = ("app", ("/house/app-1.0-py3-none-any.whl",))
        assert sorted(placed) == [("app", ()), app, ("base", ()), ("base", ())]

    def test_one_that_cannot_be_published_has_failed_and_what_needs_it_is_skipped(
        self, place: Workplace
    ) -> None:
        make_package(place.sources, "app", requires=["base"])
        make_package(place.sources, "base")

        def publish(wheel: str, *_: object) -> list[FileChange]:
            raise PublishError(Path(wheel).name, "nowhere to go")

        base, app = execute(
            place.plan("app"),
            place.executor,
            place.options,
            Heard(),
            publish=publish,
        )
        assert (base.result, base.problem) == (
            "failed",
            "publish: base-1.0-py3-none-any.whl: nowhere to go",
        )
        assert app.result == "skipped"


class TestPythons:
    def test_the_running_one_by_default(self) -> None:
        (target,) = targets_of(None)
        own = "{}.{}".format(*sys.version_info[:2])
        assert (target.path, target.version) == (sys.executable, own)

    def test_a_version_is_the_first_on_the_path_before_the_running_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = "{}.{}".format(*sys.version_info[:2])
        monkeypatch.setenv("PATH", str(tmp_path))
        assert targets_of(f"{own},{sys.executable}") == [target_of(None)]
        first = tmp_path / f"python{own}"
        first.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        first.chmod(0o755)
        assert target_of(own).path == str(first)

    def test_two_of_one_version(self, tmp_path: Path) -> None:
        other = tmp_path / "python"
        other.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        other.chmod(0o755)
        with pytest.raises(PythonError, match=f"as {sys.executable} is") as caught:
            targets_of(f"{sys.executable},{other}")
        assert caught.value.hint == "name one of the two"

    def test_a_shim_that_refuses_is_passed_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, script in {"a": "exit 127", "b": f'exec {sys.executable} "$@"'}.items():
            path = tmp_path / name / "python3.98"
            path.parent.mkdir()
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}/a:{tmp_path}/b")
        # The second is a Python, but of another version than its name says.
        with pytest.raises(PythonError, match=r"no python3\.98 on PATH"):
            target_of("3.98")

    @pytest.mark.parametrize(
        ("filename", "requires_python", "expected"),
        [
            ("demo-1.0-py3-none-any.whl", None, True),
            ("demo-1.0-py3-none-any.whl", ">=3.99", False),
            ("demo-1.0-cp39-abi3-linux_x86_64.whl", None, True),
            ("demo-1.0-cp398-abi3-linux_x86_64.whl", None, False),
            ("demo-1.0-cp39-cp39-linux_x86_64.whl", None, False),
        ],
    )
    def test_which_wheels_fit_one(
        self, filename: str, requires_python: str | None, expected: bool, tmp_path: Path
    ) -> None:
        wheel = make_wheel(tmp_path, filename, requires_python=requires_python)
        assert fits(str(wheel), target_of(None).python) is expected
