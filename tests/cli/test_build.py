"""`build` on local source distributions, with the real builder and the local executor."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builder.packages import make_package
from tests.builder.quick import QuickExecutor, make_quick
from tests.builder.sources import make_sdist
from tests.builder.tasks import is_alive
from tests.cli.conftest import Cli, Outcome
from tests.factories import clean_environ, make_tree, make_wheel, run_cli, run_pip
from tests.pips import real_environ
from tests.programs import pythons
from tests.requires import compiles, requires
from wheelhouse_resolver.builder.process.memory import PARENT, processes
from wheelhouse_resolver.builder.records.record import record_of

Build = Callable[..., Outcome]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    make_tree(tmp_path / "house", {})
    return tmp_path / "house"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "sources").mkdir()
    return tmp_path / "sources"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "wheels"


@pytest.fixture
def arguments(house: Path, sources: Path, output: Path) -> list[str]:
    return [
        "--root", str(house), "--layer", "gentoo", "--find-links", str(sources), "--offline",
        "--output", str(output),
    ]  # fmt: skip


@pytest.fixture
def build(cli: Cli, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> Build:
    """Run `build` for an arch that every host is."""
    # The tests' own process must not keep the handlers.
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*more: str, arch: str = "generic") -> Outcome:
        return cli("build", *more, *arguments, "--arch", arch)

    return run


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, sources: Path) -> QuickExecutor:
    """Builds that take no time; without it they are real."""
    return make_quick(monkeypatch, sources)


def rows(outcome: Outcome) -> list[list[str]]:
    """The cells of the summary table."""
    return [line.split() for line in outcome.out.splitlines()[1:]]


def wheels(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.whl"))


@pytest.mark.usefixtures("quick")
class TestOne:
    def test_a_wheel_with_its_record_and_a_line_that_says_so(
        self, build: Build, sources: Path, output: Path
    ) -> None:
        make_package(sources, "demo")
        done = build("demo")
        assert done.code == 0, done.err
        assert wheels(output) == ["gentoo/generic/demo-1.0-py3-none-any.whl"]
        wheel = output / "gentoo/generic/demo-1.0-py3-none-any.whl"
        record = record_of(str(wheel))
        assert record is not None
        assert (record.project, record.version, record.result) == ("demo", "1.0", "built")
        own = "{}.{}".format(*sys.version_info[:2])
        assert rows(done) == [["demo", "1.0", own, "generic", "built", rows(done)[0][5], str(wheel)]]
        assert f"built demo 1.0 cp{own.replace('.', '')} generic (" in done.err

    def test_what_an_earlier_run_made_is_not_made_again(self, build: Build, sources: Path) -> None:
        make_package(sources, "demo")
        build("demo")
        assert rows(build("demo"))[0][4] == "present"

    @pytest.mark.slow
    @pytest.mark.parametrize("change", ["source", "wheel", "record"])
    def test_unless_it_is_not_the_same(
        self, change: str, build: Build, quick: QuickExecutor, sources: Path, output: Path
    ) -> None:
        make_package(sources, "demo")
        build("demo")
        wheel = output / "gentoo/generic/demo-1.0-py3-none-any.whl"
        if change == "source":
            make_package(sources, "demo", code="pass  # changed")
        elif change == "wheel":
            wheel.unlink()
        else:
            Path(f"{wheel}.build.json").write_text("{")
        assert build("demo").code == 0
        assert len(quick.ran) == 2

    @pytest.mark.slow
    def test_a_failed_build_says_the_phase_the_last_lines_and_where_the_log_is(
        self, build: Build, sources: Path
    ) -> None:
        make_package(sources, "demo", code="print('at work'); raise SystemExit('no compiler today')")
        done = build("demo")
        assert done.code == 1
        assert rows(done)[0][4] == "failed"
        assert "\n  build: exited with 1\n" in done.err
        assert "\n  | no compiler today\n" in done.err
        (log,) = [line.removeprefix("  log: ") for line in done.err.splitlines() if "  log: " in line]
        assert "no compiler today" in Path(log).read_text()
        assert done.out.splitlines()[1].endswith("  build: exited with 1")

    def test_the_table_holds_a_short_problem(self, build: Build, sources: Path) -> None:
        make_package(sources, "demo")
        wanted = f"demo>=2,!={'.'.join(['1'] * 100)}"
        done = build(wanted)
        (problem,) = [line.strip() for line in done.err.splitlines() if line.startswith("  ")][:1]
        assert len(problem) > 200
        assert done.out.splitlines()[1].endswith(f"  {problem[:60]}...")

    def test_a_host_of_no_layer_is_told_what_it_builds_with(self, build: Build, sources: Path) -> None:
        make_package(sources, "demo")
        told = "this host is of no layer: building for gentoo with its compilers and C library"
        done = build("demo", "--dry-run", "--json")
        assert [line for line in done.err.splitlines() if told in line] == [f"warning: {told}"]
        assert json.loads(done.out)["waves"]

    @pytest.mark.parametrize(
        ("arch", "said"),
        [
            ("generic", "there is no compiler on PATH (cc, gcc, clang), and setup.py has ext_modules"),
            ("sse3", "prepare: compiler gcc: command not found"),
        ],
    )
    def test_a_plan_says_that_there_is_no_compiler(
        self,
        arch: str,
        said: str,
        build: Build,
        sources: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        make_sdist(sources, "plain")
        make_sdist(sources, "fast", files={"setup.py": "setup(ext_modules=[])"})
        monkeypatch.setenv("PATH", str(sources))
        done = build("plain", "fast", "--dry-run", arch=arch)
        assert done.code == (0 if arch == "generic" else 1)  # the flags of an arch are asked for anyway
        plain, fast = done.out.splitlines()[1:]
        assert said in fast
        assert (said in plain) == (arch == "sse3")
        again = json.loads(build("fast", "--dry-run", "--json", arch=arch).out)["waves"][0][0]
        assert said in again["note"] + again["problem"]

    def test_a_requirement_that_nothing_satisfies(self, build: Build, sources: Path) -> None:
        make_package(sources, "demo")
        done = build("demo>=2", "demo==1.0")
        assert done.code == 1
        assert rows(done)[0][3] == "failed"  # it has no version
        assert "  source: nothing satisfies demo==1.0,>=2" in done.err

    def test_json(self, build: Build, sources: Path) -> None:
        make_package(sources, "demo")
        (found,) = json.loads(build("demo", "--json").out)
        assert (found["project"], found["version"], found["result"]) == ("demo", "1.0", "built")
        assert found["record"]["wheel"] == Path(found["wheel"]).name

    def test_the_plan_shows_who_wins_of_site_recipe_and_command_line(
        self, build: Build, sources: Path, house: Path, tmp_path: Path
    ) -> None:
        for name in ("demo", "plain"):
            make_package(sources, name)
        (tmp_path / "demo.toml").write_text(
            'build-requires = ["cython<3"]\nwheel.local-label = "own"\nmodules.default = []\n'
        )
        (tmp_path / "site.toml").write_text(
            f'root = "{house}"\n[build]\nrecipes = ["."]\npythons = ["{sys.executable}"]\n'
            'build-requires = ["cython>=3", "wheel"]\n[publish]\nlocal-label = "site"\n'
        )
        dry = ("plain", "demo", "--dry-run", "--config", str(tmp_path / "site.toml"))
        lines = build(*dry).out.splitlines()
        assert lines[1].endswith("(recipe: none; build requirements: cython>=3, wheel; local label: site)")
        assert lines[2].endswith("demo.toml; build requirements: wheel, cython<3; local label: own)")
        found = json.loads(build(*dry, "--json", "--build-constraint", "cython==3.1", "--local-label=x").out)
        told = [(each["build_requires"], each["local_label"]) for each in found["waves"][0]]
        assert told == [(["wheel", "cython==3.1"], "x")] * 2
        (tmp_path / "demo.toml").write_text('pythons = ["2.4"]\n')
        assert "no python2.4 on PATH runs" in build(*dry).err
        own = "{}.{}".format(*sys.version_info[:2])
        assert len(build(*dry, "--python", own).out.splitlines()) == 3

    @pytest.mark.parametrize(
        ("option", "problem"),
        [
            ("--module=-x", "--module: '-x' is not a module name"),
            ("--build-constraint=a b", "--build-constraint: invalid requirement 'a b'"),
            ("--local-label=a b", "--local-label: invalid local label 'a b'"),
        ],
    )
    def test_what_the_command_line_cannot_say(self, option: str, problem: str, build: Build) -> None:
        done = build("demo", option)
        assert done.code == 2
        assert problem in done.err

    def test_a_marker_that_does_not_hold(self, build: Build, sources: Path) -> None:
        make_package(sources, "demo")
        done = build("demo", "other; python_version < '3'")
        assert done.code == 0
        assert "warning: ignored other" in done.err


class TestSources:
    """With the pip that fetches them."""

    @pytest.mark.slow
    def test_what_only_the_site_itself_has_made_has_no_source(
        self, build: Build, house: Path, output: Path
    ) -> None:
        make_wheel(house / "generic", "demo-1.0-py3-none-any.whl")
        done = build("demo", "--dry-run")
        assert done.code == 1
        assert "source: demo: pip download exited with 1: ERROR: No matching distribution found" in done.out
        (log,) = (output / ".build/logs").glob("*-plan.log")
        err = build("demo").err
        assert f"log: {log}" in err
        # Once in the problem, once in the log's last lines: no earlier attempt, no earlier run.
        assert err.count("ERROR: No matching distribution") == 2

    def test_no_log_is_named_where_nothing_was_run(self, build: Build, house: Path, tmp_path: Path) -> None:
        (tmp_path / "demo.toml").write_text('[source]\ndirectory = "gone"\n')
        (tmp_path / "site.toml").write_text(f'root = "{house}"\n[build]\nrecipes = ["."]\n')
        done = build("demo", "--config", str(tmp_path / "site.toml"))
        assert (done.code, "gone: not a directory" in done.err) == (1, True)
        assert "log:" not in done.out + done.err

    def test_a_recipe_may_have_another_source_for_the_version_that_is_found(
        self, build: Build, house: Path, tmp_path: Path
    ) -> None:
        for name, version in (("new", "2.0"), ("old", "1.0")):
            (tmp_path / name).mkdir()
            (tmp_path / name / "PKG-INFO").write_text(f"Version: {version}\n")
        (tmp_path / "fixed").mkdir()
        (tmp_path / "demo.toml").write_text(
            'source.directory = "new"\n[[when]]\nversion = "==2.0"\nsource = { directory = "fixed" }\n'
        )
        (tmp_path / "site.toml").write_text(f'root = "{house}"\n[build]\nrecipes = ["."]\n')
        done = build("demo", "--dry-run", "--json", "--config", str(tmp_path / "site.toml"))
        ((entry,),) = json.loads(done.out)["waves"]
        assert (entry["requirement"], entry["problem"]) == ("demo==2.0", "")
        assert entry["source"]["origin"] == (tmp_path / "fixed").as_uri()


@pytest.mark.usefixtures("quick")
class TestRecursive:
    def test_what_is_needed_is_built_first_each_once(
        self, build: Build, quick: QuickExecutor, sources: Path
    ) -> None:
        make_package(sources, "app", requires=["left", "right>=1"])
        make_package(sources, "left", requires=["base"])
        make_package(sources, "right", requires=["base<2"], dynamic=True)
        make_package(sources, "base")
        make_package(sources, "base", "2.0")
        done = build("app", "--recursive")
        assert done.code == 0, done.err
        assert [row[:2] for row in rows(done)] == [
            ["base", "1.0"],
            ["left", "1.0"],
            ["right", "1.0"],
            ["app", "1.0"],
        ]
        assert [name.split()[0] for name in quick.ran] == ["base", "left", "right", "app"]

    def test_without_it_only_what_was_asked_for(self, build: Build, sources: Path) -> None:
        make_package(sources, "app", requires=["base"])
        make_package(sources, "base")
        assert [row[0] for row in rows(build("app"))] == ["app"]

    def test_what_the_wheelhouse_satisfies_is_not_built_but_what_that_needs_is(
        self, build: Build, sources: Path, house: Path
    ) -> None:
        make_package(sources, "app", requires=["there>=1", "newer>=2"])
        make_package(sources, "newer", "2.0")
        make_package(sources, "below")
        make_wheel(house / "gentoo/generic", "there-1.0-py3-none-any.whl", requires_dist=["below"])
        make_wheel(house / "generic", "newer-1.0-py3-none-any.whl")
        done = build("app", "--recursive")
        assert sorted(row[0] for row in rows(done)) == ["app", "below", "newer"]
        assert rows(done)[-1][0] == "app"

    @pytest.mark.slow
    def test_what_the_output_directory_satisfies_is_not_built(self, build: Build, sources: Path) -> None:
        make_package(sources, "base")
        build("base")
        make_package(sources, "base", "2.0")
        make_package(sources, "app", requires=["base"])
        assert [row[0] for row in rows(build("app", "--recursive"))] == ["app"]

    def test_a_file_of_requirements_with_constraints(
        self, build: Build, sources: Path, tmp_path: Path
    ) -> None:
        make_package(sources, "app", requires=["base"])
        make_package(sources, "base", "1.0")
        make_package(sources, "base", "2.0")
        (tmp_path / "packages.txt").write_text("app  # the best\n-c constraints.txt\n")
        (tmp_path / "constraints.txt").write_text("base<2\nunrelated==1\n")
        done = build("-r", str(tmp_path / "packages.txt"), "--recursive")
        assert [row[:2] for row in rows(done)] == [["base", "1.0"], ["app", "1.0"]]

    def test_extras_and_markers(self, build: Build, sources: Path) -> None:
        make_package(
            sources,
            "app",
            requires=[
                "fast; extra == 'fast'",
                "all; extra == 'all'",
                "app[fast]; extra == 'all'",
                "old; python_version < '3'",
            ],
            extras=["fast", "all"],
        )
        make_package(sources, "fast")
        make_package(sources, "all")
        assert [row[0] for row in rows(build("app", "--recursive", "--dry-run"))] == ["app"]
        done = build("app[all]", "--recursive")
        assert done.code == 0, done.err
        assert sorted(row[0] for row in rows(done)) == ["all", "app", "fast"]

    def test_a_cycle_is_an_error_that_shows_it(self, build: Build, sources: Path, output: Path) -> None:
        make_package(sources, "a", requires=["b"])
        make_package(sources, "b", requires=["c"])
        make_package(sources, "c", requires=["a"])
        done = build("a", "--recursive")
        assert (done.code, done.out) == (2, "")
        error, hint = done.err.splitlines()[-2:]
        assert error.startswith("error: a cycle of requirements: ")
        assert hint.startswith("hint: remove one of these requirements with a recipe (wheel.remove-requires)")
        assert (
            "a -> b -> c -> a" in done.err or "b -> c -> a -> b" in done.err or "c -> a -> b -> c" in done.err
        )
        assert wheels(output) == []

    def test_what_needs_a_failed_build_is_skipped_and_the_others_go_on(
        self, build: Build, sources: Path
    ) -> None:
        make_package(sources, "app", requires=["bad"])
        make_package(sources, "top", requires=["app"])
        make_package(sources, "bad", code="raise SystemExit(1)")
        make_package(sources, "good")
        done = build("top", "good", "gone", "--recursive")
        assert done.code == 1
        assert {row[0]: row[4 if row[0] != "gone" else 3] for row in rows(done)} == {
            "bad": "failed",
            "good": "built",
            "app": "skipped",
            "top": "skipped",
            "gone": "failed",
        }
        assert "bad failed" in done.out
        assert "app skipped" in done.out

    def test_a_recipe_that_adds_to_the_flags_of_the_arch(
        self, build: Build, sources: Path, house: Path, tmp_path: Path
    ) -> None:
        """The build backend is asked for the metadata with what it will be built with."""
        make_package(sources, "app", requires=["base"], dynamic=True)
        make_package(sources, "base")
        (tmp_path / "app.toml").write_text('env = { CFLAGS = "${CFLAGS} -DX=1" }\n')
        (tmp_path / "site.toml").write_text(f'root = "{house}"\n[build]\nrecipes = ["."]\n')
        done = build("app", "--recursive", "--dry-run", "--config", str(tmp_path / "site.toml"))
        assert (done.code, "base 1.0" in done.out) == (0, True), done.out

    def test_the_plan_alone(self, build: Build, sources: Path, house: Path, output: Path) -> None:
        make_package(sources, "app", requires=["base", "there"])
        make_package(sources, "base")
        there = make_wheel(house / "generic", "there-1.0-py3-none-any.whl")
        done = build("app", "--recursive", "--dry-run")
        own = "cp{}{}".format(*sys.version_info[:2])
        assert done.out.splitlines() == [
            "wave 1",
            f"  base 1.0 {own} generic (recipe: none)",
            "wave 2",
            f"  app 1.0 {own} generic (recipe: none)",
            f"exists: there: {there}",
        ]
        assert wheels(output) == []
        plan = json.loads(build("app", "--recursive", "--dry-run", "--json").out)
        assert [[job["project"] for job in wave] for wave in plan["waves"]] == [["base"], ["app"]]
        assert plan["satisfied"] == [{"requirement": "there", "path": str(there)}]


@pytest.mark.usefixtures("quick")
class TestGraph:
    @pytest.mark.slow
    def test_a_run_leaves_its_graph_and_another_does_the_same_again(
        self, build: Build, cli: Cli, sources: Path, house: Path, output: Path, tmp_path: Path
    ) -> None:
        make_package(sources, "app", requires=["base"])
        make_package(sources, "base")
        done = build("app", "--recursive", "--graph", str(tmp_path / "g.dot"))
        assert done.code == 0, done.err
        assert (tmp_path / "g.dot").read_text().startswith("digraph builds {\n")
        graph = output / "graph.json"
        assert [node["project"] for node in json.loads(graph.read_text())["nodes"]] == ["base", "app"]
        make_package(sources, "base", "2.0")
        again = cli(
            "build", "--replay", str(graph), "--root", str(house), "--find-links", str(sources), "--offline",
            "--output", str(tmp_path / "again"),
        )  # fmt: skip
        assert again.code == 0, again.err
        assert [row[:2] for row in rows(again)] == [["base", "1.0"], ["app", "1.0"]]
        assert wheels(tmp_path / "again") == wheels(output)
        assert (tmp_path / "again/graph.json").read_text() == graph.read_text()

    def test_a_plan_alone_leaves_none_unless_asked(
        self, build: Build, sources: Path, output: Path, tmp_path: Path
    ) -> None:
        make_package(sources, "app")
        assert build("app", "--dry-run", "--graph", str(tmp_path / "g.json")).code == 0
        assert json.loads((tmp_path / "g.json").read_text())["nodes"][0]["why"] == ["app"]
        assert not (output / "graph.json").exists()


def other_python() -> str:
    """The path of another CPython 3 than the running one, newer if possible."""
    own = sys.version_info[:2]
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    found: dict[tuple[int, ...], str] = {}
    for path in pythons():
        asked = subprocess.run([path, "-c", code], capture_output=True, text=True)
        version = tuple(map(int, asked.stdout.split())) if asked.returncode == 0 else own
        if version != own and version >= (3, 9):
            found.setdefault(version, path)
    if not found:
        pytest.skip("there is only one Python with ensurepip here")
    return found[min((each for each in found if each > own), default=max(found))]


@pytest.mark.usefixtures("quick")
class TestSeveral:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("tag", "built"),
        [("py3-none-any", 1), ("OWN-none-any", 2)],
    )
    def test_pythons(self, tag: str, built: int, build: Build, sources: Path, output: Path) -> None:
        make_package(sources, "demo", tag=tag)
        done = build("demo", "--python", f"{sys.executable},{other_python()}")
        assert done.code == 0, done.err
        assert [row[4] for row in rows(done)].count("built") == built
        assert len(rows(done)) == 2
        assert len(wheels(output)) == built

    @pytest.mark.slow
    @requires("gcc")  # whose flags are those of the arch
    def test_a_pure_wheel_is_built_once_for_all_archs_and_stands_with_each(
        self, build: Build, sources: Path, output: Path
    ) -> None:
        make_package(sources, "demo")
        done = build("demo", arch="generic,sse3")
        assert [row[4] for row in rows(done)] == ["built", "present"]
        assert wheels(output) == [
            "gentoo/generic/demo-1.0-py3-none-any.whl",
            "gentoo/sse3/demo-1.0-py3-none-any.whl",
        ]
        assert record_of(str(output / "gentoo/sse3/demo-1.0-py3-none-any.whl")) is not None

    @compiles
    def test_a_compiled_one_is_built_for_each(self, build: Build, sources: Path, output: Path) -> None:
        make_package(sources, "demo", tag="OWN-OWN-linux_x86_64")
        done = build("demo", arch="generic,sse3")
        assert [row[4] for row in rows(done)] == ["built", "built"], done.err
        assert len(wheels(output)) == 2

    @pytest.mark.slow
    def test_an_older_python_that_failed_does_not_keep_the_newer_from_trying(
        self, build: Build, sources: Path
    ) -> None:
        code = "assert sys.version_info[:2] != {}, 'not this one'"
        pythons = sorted([sys.version_info[:2], _version(other_python())])
        make_package(sources, "demo", code=code.format(pythons[0]))
        done = build("demo", "--python", f"{sys.executable},{other_python()}")
        assert done.code == 1
        assert [row[4] for row in rows(done)] == ["failed", "built"]


def _version(python: str) -> tuple[int, ...]:
    asked = [python, "-c", "import sys; print(*sys.version_info[:2])"]
    return tuple(map(int, subprocess.run(asked, capture_output=True, text=True).stdout.split()))


@pytest.mark.usefixtures("quick")
class TestPublish:
    @compiles
    def test_each_wheel_goes_where_it_belongs(self, build: Build, sources: Path, house: Path) -> None:
        make_package(sources, "app", requires=["base"])
        make_package(sources, "base", tag="OWN-OWN-linux_x86_64")
        done = build("app", "--recursive", "--publish", arch="sse3")
        assert done.code == 0, done.err
        own = "cp{}{}".format(*sys.version_info[:2])
        assert wheels(house) == [
            "generic/app-1.0-1000generic-py3-none-any.whl",
            f"gentoo/sse3/base-1.0-200000sse3-{own}-{own}-linux_x86_64.whl",
        ]
        assert f"published {house}/generic/app-1.0-1000generic-py3-none-any.whl" in done.err
        again = build("app", "--recursive", "--publish", arch="sse3")
        assert again.code == 0
        assert len(wheels(house)) == 2

    @pytest.mark.slow
    def test_what_an_earlier_run_built_without_publishing_is_published_too(
        self, build: Build, quick: QuickExecutor, sources: Path, house: Path
    ) -> None:
        make_package(sources, "app", requires=["base"])
        make_package(sources, "base")
        build("app", "--recursive")
        done = build("app", "--recursive", "--publish")
        assert [(row[0], row[4]) for row in rows(done)] == [("base", "present"), ("app", "present")]
        assert len(wheels(house)) == len(quick.ran) == 2

    def test_the_sites_command_runs_once_after(
        self, build: Build, sources: Path, house: Path, tmp_path: Path
    ) -> None:
        make_package(sources, "one")
        make_package(sources, "two")
        note = tmp_path / "note"
        config = tmp_path / "site.toml"
        config.write_text(f'root = "{house}"\n[publish]\nafter = ["sh", "-c", "echo x >> {note}"]\n')
        assert build("one", "two", "--publish", "--config", str(config)).code == 0
        assert note.read_text() == "x\n"

    def test_one_that_cannot_be_placed_has_failed(self, build: Build, sources: Path, house: Path) -> None:
        make_package(sources, "demo")
        make_wheel(house / "generic", "demo-1.0-1000generic-py3-none-any.whl")
        done = build("demo", "--publish")
        assert done.code == 1
        assert "publish: " in done.out
        assert "--rebuild" in done.err


@pytest.mark.usefixtures("quick")
class TestBadInput:
    @pytest.mark.parametrize(
        ("where", "said", "hint"),
        [
            (("none", "sse3"), "sse3 without a layer", "give --layer (nix, gentoo), or --arch generic"),
            (("new", "generic,sse3"), "sse3 in layer new", "give --arch: it has avx2, generic"),
        ],
    )
    def test_publishing_where_there_is_no_directory(
        self, where: tuple[str, str], said: str, hint: str, cli: Cli, house: Path, tmp_path: Path
    ) -> None:
        """Refused before anything is fetched."""
        config = tmp_path / "site.toml"
        layers = "".join(f'[[layer]]\nname = "{each}"\n' for each in ("nix", "gentoo"))
        layers += '[[layer]]\nname = "new"\narchs = ["avx2"]\n' if where[0] == "new" else ""
        config.write_text(f'root = "{house}"\n{layers}')
        how = ["--config", config, "--layer", where[0], "--arch", where[1], "--output", tmp_path / "out"]
        self.refused(cli("build", "demo", "--publish", *how), f"what is built for {said}", hint)

    def refused(self, done: Outcome, *words: str) -> None:
        assert (done.code, done.out) == (2, "")
        error, *hint = [line for line in done.err.splitlines() if line.startswith(("error: ", "hint: "))]
        assert error.startswith("error: ")
        assert len(hint) <= 1
        for word in words:
            assert word in error + "".join(hint)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("app", "--build-requires"), "--build-requires needs --recursive"),
            (("app", "--recursive", "--replay", "g"), "leave out REQUIREMENT, --recursive, --arch, --layer"),
            (("app", "--mem", "8 G"), "argument --mem: '8 G' is not a size of memory"),
            (("app", "--time", "soon"), "argument --time: 'soon' is not a time"),
        ],
    )
    def test_options_that_do_not_go_together(self, options: tuple[str, ...], said: str, build: Build) -> None:
        self.refused(build(*options), said)

    def test_a_graph_that_is_not_there(self, cli: Cli, house: Path) -> None:
        self.refused(cli("build", "--replay", "gone.json", "--root", str(house)), "gone.json: cannot be read")

    def test_no_requirement(self, build: Build, tmp_path: Path) -> None:
        self.refused(build(), "no requirement")
        (tmp_path / "r.txt").touch()
        self.refused(build("-r", str(tmp_path / "r.txt")), "r.txt")

    @pytest.mark.parametrize("requirement", ["demo>=", "demo @ file:///x.whl", "./demo"])
    def test_no_requirement_of_an_index(self, requirement: str, build: Build) -> None:
        self.refused(build(requirement), "invalid requirement")

    @pytest.mark.parametrize("links", ["nodir", "https://example.org/simple"])
    def test_links_that_are_no_directory(self, links: str, build: Build) -> None:
        self.refused(build("demo", "--find-links", links), f"{links}: --find-links: no such directory")

    def test_recipes_that_are_not_there(self, build: Build, house: Path, tmp_path: Path) -> None:
        config = tmp_path / "site.toml"
        config.write_text(f'root = "{house}"\n[build]\nrecipes = ["/nope"]\n')
        self.refused(
            build("demo", "--config", str(config)), f"{config}: [build] recipes: /nope: no such directory"
        )

    def test_an_unknown_arch(self, build: Build, sources: Path) -> None:
        make_package(sources, "demo")
        self.refused(build("demo", arch="sse3,mmx"), "'mmx'", "avx2")

    @pytest.mark.parametrize("python", ["3.99", "/nowhere/python", "/bin/true"])
    def test_an_unknown_python(self, python: str, build: Build) -> None:
        self.refused(build("demo", "--python", python), "target Python")

    @pytest.mark.parametrize("option", [("--jobs", "0"), ("--timeout", "-1"), ("--executor", "pbs")])
    def test_an_option_that_makes_no_sense(self, option: tuple[str, str], build: Build) -> None:
        self.refused(build("demo", *option), option[1])

    def test_a_wrong_build_table(self, build: Build, house: Path, tmp_path: Path) -> None:
        config = tmp_path / "site.toml"
        config.write_text(f'root = "{house}"\n[build]\nrecipe = []\n')
        self.refused(build("demo", "--config", str(config)), str(config), "did you mean 'recipes'")

    def test_a_recipe_with_a_typo(self, build: Build, house: Path, sources: Path, tmp_path: Path) -> None:
        make_package(sources, "demo")
        (tmp_path / "recipes").mkdir()
        (tmp_path / "recipes/demo.toml").write_text("bild_requires = []\n")
        config = tmp_path / "site.toml"
        config.write_text(f'root = "{house}"\n[build]\nrecipes = ["{tmp_path}/recipes"]\n')
        self.refused(build("demo", "--config", str(config)), "demo.toml", "bild_requires")

    def test_a_wrong_command_for_after_publishing(self, build: Build, house: Path, tmp_path: Path) -> None:
        config = tmp_path / "site.toml"
        config.write_text(f'root = "{house}"\n[publish]\nafter = "rsync"\n')
        self.refused(build("demo", "--publish", "--config", str(config)), "[publish] after")

    def test_a_root_that_is_not_there(self, cli: Cli) -> None:
        self.refused(cli("build", "demo", "--root", "/nowhere"), "/nowhere")

    def test_an_output_that_cannot_be_made(self, cli: Cli, house: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        done = cli("build", "demo", "--root", str(house), "--output", str(tmp_path / "file"))
        self.refused(done, "cannot write")

    def test_slurm_that_is_not_there(
        self, build: Build, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_package(sources, "demo")
        (tmp_path / "bin").mkdir()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        self.refused(build("demo", "--executor", "slurm"), "sbatch", "on PATH")


@pytest.mark.slow
class TestReal:
    """With pip, virtual environments, verification and classification; no network."""

    @compiles
    def test_two_archs_are_built_published_and_installed_by_stock_pip(
        self, build: Build, sources: Path, house: Path, output: Path, tmp_path: Path
    ) -> None:
        make_package(sources, "app", requires=["fast"])
        make_package(sources, "fast", tag="OWN-OWN-linux_x86_64")
        done = build("app", "--recursive", "--publish", "--jobs", "2", "--no-verify", arch="avx,avx2")
        assert done.code == 0, done.err
        assert [(row[0], row[3], row[4]) for row in rows(done)] == [
            ("fast", "avx", "built"),
            ("app", "avx", "built"),
            ("fast", "avx2", "built"),
            ("app", "avx2", "present"),
        ]
        assert [path.name for path in (output / ".build").iterdir()] == ["logs"]
        for arch in ("avx", "avx2"):
            links = clean_environ(WHEELHOUSE_ARCH=arch, WHEELHOUSE_LAYER="gentoo", WHEELHOUSE_ROOT=str(house))
            conf = tmp_path / f"{arch}.conf"
            told = run_cli("pip-conf", "--output", conf, environ=links)
            assert told.returncode == 0, told.stderr
            target = tmp_path / arch
            installed = run_pip(
                "install",
                "--no-index",
                "--target",
                target,
                "app",
                environ=clean_environ(PIP_CONFIG_FILE=str(conf)),
            )
            assert installed.returncode == 0, installed.stderr
            # Told by its compiler; not imported: this machine need not be able to.
            (library,) = target.glob("_fast*.so")
            assert f"LEVEL IS {arch}." in library.read_bytes().decode("latin-1")

    def test_verified_on_this_host(self, build: Build, sources: Path) -> None:
        make_package(sources, "app", requires=["base"])
        (app,) = json.loads(build("app", "--json").out)
        assert app["result"] == "failed"  # what it needs is nowhere
        assert app["problem"].startswith("verify: ")
        make_package(sources, "base")
        done = build("app", "--recursive", "--json")
        assert done.code == 0, done.err
        assert [each["record"]["phases"][-2]["name"] for each in json.loads(done.out)] == ["verify"] * 2

    def test_keeping_the_build_directory(self, build: Build, sources: Path, output: Path) -> None:
        make_package(sources, "demo")
        build("demo", "--keep-build-dir", "--no-verify")
        (kept,) = (output / ".build").glob("kept-*")
        assert list(kept.rglob("backend.py"))


@pytest.mark.network
@pytest.mark.slow
def test_pyaml_and_what_it_needs_from_the_index(
    cli: Cli, house: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name, value in real_environ().items():
        if name.startswith("PIP_"):
            monkeypatch.setenv(name, value)
    arguments = ("--root", house, "--layer", "gentoo", "--arch", "generic", "--output", output)
    done = cli("build", "pyaml", "--recursive", "--publish", *arguments)
    assert done.code == 0, done.err
    assert [row[0] for row in rows(done)] == ["pyyaml", "pyaml"]
    record = json.loads(
        next((output / "gentoo/generic").glob("[Pp]y[Yy][Aa][Mm][Ll]-*.whl.build.json")).read_text()
    )
    assert [phase["name"] for phase in record["phases"]][-3:] == ["edit", "verify", "finish"]
    target = tmp_path / "installed"
    installed = run_pip(
        "install", "--no-index", "--find-links", house / "generic", "--find-links", house / "gentoo/generic",
        "--target", target, "pyaml",
    )  # fmt: skip
    assert installed.returncode == 0, installed.stderr
    code = "import pyaml; print(pyaml.dump({'a': 1}))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=target, capture_output=True, text=True)
    assert ran.stdout == "a: 1\n\n"


@pytest.mark.slow
class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
    def test_it_stops_all_says_what_is_done_and_goes_on_when_run_again(
        self, number: signal.Signals, arguments: list[str], sources: Path, output: Path, tmp_path: Path
    ) -> None:
        flag = tmp_path / "sleeping"
        make_package(sources, "base")
        make_package(
            sources,
            "app",
            requires=["base"],
            code=f"if not os.path.exists({str(flag)!r}): open({str(flag)!r}, 'w').close(); time.sleep(600)",
        )
        command = [
            sys.executable, "-m", "wheelhouse_resolver", "build", "app", "--recursive", *arguments,
            "--arch", "generic", "--no-verify",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environ()
        )
        deadline = time.monotonic() + 60
        while not flag.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 128 + number, err
        assert [line.split()[0] for line in out.splitlines()[1:]] == ["base"]
        assert "interrupted: 1 done" in err
        assert wheels(output) == ["gentoo/generic/base-1.0-py3-none-any.whl"]
        assert [path.name for path in (output / ".build").iterdir()] == ["logs"]
        again = subprocess.run(command, capture_output=True, text=True, env=clean_environ())
        assert again.returncode == 0, again.stderr
        assert [line.split()[0] for line in again.stdout.splitlines()[1:]] == ["app"]
        assert len(wheels(output)) == 2

    def test_one_that_was_killed_is_run_again(
        self, arguments: list[str], sources: Path, output: Path, tmp_path: Path
    ) -> None:
        flag = tmp_path / "sleeping"
        asleep = f"open({str(flag)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
        wait = f"if not os.path.exists({str(flag)!r}): {asleep}"
        make_package(sources, "base")
        make_package(sources, "app", requires=["base"], code=wait)
        command = [
            sys.executable, "-m", "wheelhouse_resolver", "build", "app", "--recursive", *arguments,
            "--arch", "generic", "--no-verify",
        ]  # fmt: skip
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=clean_environ())
        deadline = time.monotonic() + 60
        while not (flag.exists() and flag.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        # And what it started: nobody is left to stop the backend, whose parents are gone.
        workers = [pid for pid, fields in processes().items() if fields[PARENT] == str(process.pid)]
        process.send_signal(signal.SIGSTOP)
        for pid in (*workers, process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
        backend = int(flag.read_text())
        assert is_alive(backend)
        assert wheels(output) == ["gentoo/generic/base-1.0-py3-none-any.whl"]
        again = subprocess.run(command, capture_output=True, text=True, env=clean_environ())
        assert again.returncode == 0, again.stderr
        assert [line.split()[0] for line in again.stdout.splitlines()[1:]] == ["app"]
        assert len(wheels(output)) == 2
        assert not is_alive(backend)
        assert [path.name for path in (output / ".build").iterdir()] == ["logs"]
