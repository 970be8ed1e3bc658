"""What stops each file, and what would help: for each rule, each kind of help, and for any tree at all."""

from __future__ import annotations

import os
import pickle
import platform
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from tests.factories import make_tree, make_wheel, pack, plain_python, wheel_files, with_metadata
from tests.questions import pick, why_not
from wheelhouse_resolver.explain.answer import Answer, Verdict
from wheelhouse_resolver.explain.suggestions import Action, Step, Suggestion
from wheelhouse_resolver.host.cpu import Cpu
from wheelhouse_resolver.host.detect import Host, Machine
from wheelhouse_resolver.host.python_probe import Answers
from wheelhouse_resolver.host.target_python import TargetPython, target_python
from wheelhouse_resolver.selection.reasons import Exclusion, Rule, grouped, python_labels
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.selection.requirements_file import read_requirements
from wheelhouse_resolver.selection.together import contradictory
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, Arch, Layer
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelfile import metadata
from wheelhouse_resolver.wheelfile.metadata import read_metadata
from wheelhouse_resolver.wheelhouse import Wheelhouse

LINUX = f"linux_{platform.machine()}"
HOST = Host(arch="avx", layer="gentoo", archs=("sse3", "avx"), python=plain_python("3.11"))

Wheels = Mapping[str, Sequence[str]]


def answer(root: Path, wheels: Wheels, requirement: str, host: Host = HOST, text: str = "") -> Answer:
    """The answer in a tree of *wheels*; *text*: a requirements file that counts, too."""
    site = make_tree(root / "tree", wheels)
    files = RequirementsFile()
    if text:
        (root / "r.txt").write_text(text)
        files = read_requirements(str(root / "r.txt"), {})
    return why_not(Wheelhouse(site), requirement, host, files=files)


def stops(found: Answer) -> dict[str, tuple[Exclusion, ...]]:
    """What stops each file, by its label and name."""
    return {f"{each.file.directory.label}/{each.file.filename}": each.exclusions for each in found.files}


def steps(found: Answer) -> list[tuple[Step, ...]]:
    return [each.steps for each in found.suggestions]


def where(suggestion: Suggestion) -> str:
    assert suggestion.gives is not None
    return f"{suggestion.gives.directory.label}/{suggestion.gives.filename}"


# -- what stops a file ------------------------------------------------------------------------------------


class TestStops:
    def test_a_file_that_is_no_wheel_by_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "tree/generic").mkdir(parents=True)
        (tmp_path / "tree/generic/demo-1.0-py3.whl").touch()
        ((stop,),) = stops(answer(tmp_path, {}, "demo")).values()
        assert stop.rule is Rule.FILENAME
        assert "demo-1.0-py3" in stop.about[0]

    @pytest.mark.parametrize(
        ("name", "kind", "about"),
        [
            (f"cp312-cp312-{LINUX}", "python", ("3.12",)),
            (f"cp313-cp313t-{LINUX}", "python", ("3.13t",)),
            (f"cp312-abi3-{LINUX}", "python", ("3.12 and newer",)),
            ("py313-none-any", "python", ("3.13 and newer",)),
            ("py2-none-any", "python", ("2",)),
            (f"pp310-pypy310_pp73-{LINUX}", "python", ("PyPy 3.10",)),
            (f"cp39.cp310-cp39.cp310-{LINUX}", "python", ("3.9", "3.10")),
            ("cp311-cp311-win_amd64", "platform", ("win_amd64",)),
            ("cp312-cp312-linux_s390x", "platform", ("linux_s390x",)),
        ],
    )
    def test_tags(self, name: str, kind: str, about: tuple[str, ...], tmp_path: Path) -> None:
        found = answer(tmp_path, {"generic": [f"demo-1.0-{name}.whl"]}, "demo")
        assert [*stops(found).values()] == [
            (Exclusion(Rule.TAG, kind, about, "3.11" if kind == "python" else ""),)
        ]

    def test_a_wheel_for_another_python_is_also_asked_for_its_version(self, tmp_path: Path) -> None:
        wheels = {"generic": [f"demo-{version}-cp312-cp312-{LINUX}.whl" for version in ("1.0", "2.0", "3.0")]}
        found = stops(answer(tmp_path, wheels, "demo<3"))
        tag = Exclusion(Rule.TAG, "python", ("3.12",), "3.11")
        assert [*found.values()] == [(tag,), (tag,), (tag, Exclusion(Rule.SPECIFIER, about=("<3",)))]

    def test_version_constraint_and_pre_release(self, tmp_path: Path) -> None:
        (tmp_path / "c.txt").write_text("# ours\ndemo<2\n")
        names = ["demo-0.9-py3-none-any.whl", "demo-1.0-py3-none-any.whl", "demo-1.1rc1-py3-none-any.whl"]
        found = answer(
            tmp_path, {"generic": [*names, "demo-2.0-py3-none-any.whl"]}, "demo>=1", text="-c c.txt\n"
        )
        assert found.best is not None
        assert found.best.filename == names[1]
        assert stops(found) == {
            "generic/demo-2.0-py3-none-any.whl": (
                Exclusion(Rule.CONSTRAINT, about=(f"demo<2 ({tmp_path}/c.txt, line 2)",)),
            ),
            f"generic/{names[2]}": (Exclusion(Rule.PRERELEASE),),
            f"generic/{names[0]}": (Exclusion(Rule.SPECIFIER, about=(">=1",)),),
        }

    def test_a_constraint_on_a_wheel_for_another_python(self, tmp_path: Path) -> None:
        (tmp_path / "c.txt").write_text("demo<2\n")
        wheels = {"generic": [f"demo-2.0-cp312-cp312-{LINUX}.whl"]}
        ((_, second),) = stops(answer(tmp_path, wheels, "demo", text="-c c.txt\n")).values()
        assert second == Exclusion(Rule.CONSTRAINT, about=(f"demo<2 ({tmp_path}/c.txt, line 1)",))

    def test_requires_python_of_the_best_build_stops_the_lower_ones_too(self, tmp_path: Path) -> None:
        make_wheel(tmp_path / "tree/generic", "demo-1.0-2-py3-none-any.whl", requires_python=">=3.12")
        found = answer(tmp_path, {"generic": ["demo-1.0-1-py3-none-any.whl"]}, "demo")
        assert [*stops(found).values()] == [
            (Exclusion(Rule.REQUIRES_PYTHON, "own", (">=3.12",), "3.11.0"),),
            (
                Exclusion(
                    Rule.REQUIRES_PYTHON, "build", (">=3.12", "generic/demo-1.0-2-py3-none-any.whl"), "3.11.0"
                ),
            ),
        ]

    def test_what_lost_and_to_which(self, tmp_path: Path) -> None:
        names = [f"demo-1.0-2-cp311-cp311-{LINUX}.whl", f"demo-1.0-1-cp311-cp311-{LINUX}.whl"]
        best = f"gentoo/avx/{names[0]}"
        wheels = {
            "gentoo/avx": [
                *names,
                f"demo-1.0-9-cp311-abi3-{LINUX}.whl",
                f"Demo-1.0-2-cp311-cp311-{LINUX}.whl",
            ],
            "gentoo/generic": [names[0]],
            "generic": ["demo-0.9-py3-none-any.whl"],
        }
        found = answer(tmp_path, wheels, "demo")
        assert found.verdict is Verdict.PICKED
        rules = {name: stop.rule for name, (stop,) in stops(found).items()}
        # Of names that differ in nothing else the one that sorts first wins.
        assert rules == {
            f"gentoo/avx/{names[0]}": Rule.LOST_NAME,
            f"gentoo/avx/{names[1]}": Rule.LOST_BUILD,
            f"gentoo/avx/demo-1.0-9-cp311-abi3-{LINUX}.whl": Rule.LOST_TAG,
            f"gentoo/generic/{names[0]}": Rule.LOST_RANK,
            "generic/demo-0.9-py3-none-any.whl": Rule.LOST_VERSION,
        }
        assert {stop.about for (stop,) in stops(found).values()} == {(best.replace("demo-", "Demo-"),)}

    def test_a_label_that_hides_a_better_arch_is_the_reason(self, tmp_path: Path) -> None:
        best = f"gentoo/generic/demo-1.0+site-cp311-cp311-{LINUX}.whl"
        wheels = {
            "gentoo/avx": [f"demo-1.0.0-cp311-cp311-{LINUX}.whl", f"demo-0.9-cp311-cp311-{LINUX}.whl"],
            "gentoo/generic": [os.path.basename(best)],
            "generic": [f"demo-1.0-cp311-cp311-{LINUX}.whl"],
        }
        found = answer(tmp_path, wheels, "demo")
        reasons = {each.file.path.removeprefix(f"{found.site.root}/"): each.reason for each in found.files}
        hidden = ", by its local label alone, and so passed over for a less specific directory"
        assert reasons == {
            f"gentoo/avx/demo-1.0.0-cp311-cp311-{LINUX}.whl": f"older than {best}{hidden}",
            f"gentoo/avx/demo-0.9-cp311-cp311-{LINUX}.whl": f"older than {best}",
            f"generic/demo-1.0-cp311-cp311-{LINUX}.whl": f"older than {best}",
        }

    def test_no_binary(self, tmp_path: Path) -> None:
        make_tree(
            tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"], "nix/generic": ["demo-2.0-py3-none-any.whl"]}
        )
        site = Site.default(tmp_path)._replace(pip={"no-binary": "demo"})
        found = why_not(Wheelhouse(site), "demo", HOST)
        no = Exclusion(Rule.NO_BINARY)
        assert [*stops(found).values()] == [(no,), (Exclusion(Rule.OUTSIDE, "layer", ("nix",), "gentoo"), no)]


class TestOutside:
    """What is outside the search path is told apart by what would be needed to search it."""

    def test_why_it_is_not_searched(self, tmp_path: Path) -> None:
        name = "demo-1.0-py3-none-any.whl"
        labels = ["gentoo/avx512", "nix/avx512", "nix/avx"]
        found = stops(answer(tmp_path, {label: [name] for label in labels}, "demo"))
        layer = Exclusion(Rule.OUTSIDE, "layer", ("nix",), "gentoo")
        arch = Exclusion(Rule.OUTSIDE, "arch", ("avx512",), "avx")
        assert found == {
            f"gentoo/avx512/{name}": (arch,),
            f"nix/avx512/{name}": (layer, arch),
            f"nix/avx/{name}": (layer,),
        }

    def test_an_arch_that_the_host_runs_but_the_site_does_not_search(self, tmp_path: Path) -> None:
        make_tree(tmp_path, {"gentoo/sse3": ["demo-1.0-py3-none-any.whl"]})
        site = Site.default(tmp_path)._replace(search={"avx": ("avx",)})
        found = why_not(Wheelhouse(site), "demo", HOST)
        assert [*stops(found).values()] == [(Exclusion(Rule.OUTSIDE, "search", ("sse3",), "avx"),)]
        assert steps(found) == [(Step(Action.LOWER, ("sse3",)),), (Step(Action.NODE, ("avx2",)),)]

    def test_a_directory_that_layers_share_is_not_of_another_layer(self, tmp_path: Path) -> None:
        name = "demo-1.0-py3-none-any.whl"
        make_tree(tmp_path, {"shared/avx512": [name], "old/generic": [name]})
        archs = ("avx", "avx512")
        layers = (
            Layer(name="old", directories=("old", "shared"), archs=archs),
            Layer(name="new", directories=("new", "shared"), archs=archs),
        )
        site = Site(root=str(tmp_path), layers=layers)
        found = why_not(Wheelhouse(site), "demo", HOST._replace(layer="new"))
        assert stops(found) == {
            f"shared/avx512/{name}": (Exclusion(Rule.OUTSIDE, "arch", ("avx512",), "avx"),),
            f"old/generic/{name}": (Exclusion(Rule.OUTSIDE, "layer", ("old",), "new"),),
        }
        assert steps(found) == [(Step(Action.LAYER, ("old",)),), (Step(Action.NODE, ("avx512",)),)]

    def test_whether_it_would_do_there(self, tmp_path: Path) -> None:
        make_wheel(tmp_path / "tree/nix/generic", "demo-5.0-py3-none-any.whl", requires_python="<3")
        wheels = {"nix/generic": [f"demo-{n}.0-cp31{n}-cp31{n}-{LINUX}.whl" for n in (0, 1, 2)]}
        found = stops(answer(tmp_path, wheels, "demo>=1"))
        layer = Exclusion(Rule.OUTSIDE, "layer", ("nix",), "gentoo")
        assert {name.split("-")[1]: each for name, each in found.items()} == {
            "0.0": (
                layer,
                Exclusion(Rule.TAG, "python", ("3.10",), "3.11"),
                Exclusion(Rule.SPECIFIER, about=(">=1",)),
            ),
            "1.0": (layer,),
            "2.0": (layer, Exclusion(Rule.TAG, "python", ("3.12",), "3.11")),
            "5.0": (layer, Exclusion(Rule.REQUIRES_PYTHON, "own", ("<3",), "3.11.0")),
        }

    def test_one_that_would_lose_there_is_right_otherwise(self, tmp_path: Path) -> None:
        wheels = {"nix/generic": ["demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"]}
        assert [len(each) for each in stops(answer(tmp_path, wheels, "demo")).values()] == [1, 1]


class TestGroups:
    def test_what_is_stopped_alike_is_one_group_about_all_of_it(self, tmp_path: Path) -> None:
        names = [f"demo-{v}-cp3{n}-cp3{n}-{LINUX}.whl" for v in ("2.1", "2.3") for n in (9, 12, 10)]
        found = answer(tmp_path, {"generic": names, "gentoo/generic": ["demo-1.0-py2-none-any.whl"]}, "demo")
        (group,) = grouped(found.files)
        assert group.exclusions == (Exclusion(Rule.TAG, "python", ("2", "3.9", "3.10", "3.12"), "3.11"),)
        assert len(group.files) == 7

    def test_different_grounds_make_different_groups(self, tmp_path: Path) -> None:
        for version, needs in (("1.0", ">=3.12"), ("2.0", ">=3.13"), ("3.0", ">=3.12")):
            name = f"demo-{version}-py3-none-any.whl"
            make_wheel(tmp_path / "tree/generic", name, requires_python=needs)
        wheels = {"nix/generic": ["demo-1.0-py3-none-any.whl"], "gentoo/avx2": ["demo-1.0-py3-none-any.whl"]}
        groups = grouped(answer(tmp_path, wheels, "demo").files)
        assert [len(group.files) for group in groups] == [2, 1, 1, 1]


def test_the_labels_of_pythons_are_in_their_order() -> None:
    from packaging.tags import parse_tag

    tags = parse_tag("cp39.cp310.py3.pp39-none-any")
    assert python_labels(tags) == ["3", "3.9", "PyPy 3.9", "3.10"]
    assert python_labels(parse_tag("jy27-none-any")) == ["jy27"]


# -- what would help --------------------------------------------------------------------------------------


class TestHelps:
    def test_nothing_when_something_is_picked(self, tmp_path: Path) -> None:
        found = answer(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"]}, "demo")
        assert (found.verdict, found.suggestions, found.positive) == (Verdict.PICKED, (), True)

    def test_close_names_when_there_is_no_such_project(self, tmp_path: Path) -> None:
        wheels = {
            "generic": ["scikit_learn-1.0-py3-none-any.whl", "numpy-1.0-py3-none-any.whl"],
            "nix/generic": ["numba-1.0-py3-none-any.whl", "zope-1.0-py3-none-any.whl"],
        }
        found = answer(tmp_path, wheels, "scikitlearn>=1")
        assert (found.verdict, found.close) == (Verdict.UNKNOWN, ("scikit-learn",))
        assert steps(found) == [(Step(Action.NAME, ("scikit-learn",)),)]
        assert found.suggestions[0].command == "pip install 'scikit-learn>=1'"

    def test_a_close_name_that_has_no_wheel_here_is_no_help(self, tmp_path: Path) -> None:
        wheels = {"nix/generic": ["numpy-1.0-py3-none-any.whl"], "generic": ["numba-1.0-py3-none-any.whl"]}
        found = answer(tmp_path, wheels, "numpa")
        assert found.close == ("numpy", "numba")
        assert steps(found) == [(Step(Action.NAME, ("numba",)),)]

    def test_a_close_name_in_another_version(self, tmp_path: Path) -> None:
        found = answer(tmp_path, {"generic": ["numpy-1.0-py3-none-any.whl"]}, "nunpy[x]>=2")
        assert steps(found) == [(Step(Action.NAME, ("numpy",)), Step(Action.VERSION, ("==1.0",)))]
        assert found.suggestions[0].command == "pip install 'numpy[x]==1.0'"

    def test_close_names_are_told_only_when_there_is_no_such_project(self, tmp_path: Path) -> None:
        wheels = {"nix/generic": ["nunpy-1.0-py3-none-any.whl"], "generic": ["numpy-1.0-py3-none-any.whl"]}
        found = answer(tmp_path, wheels, "nunpy")
        assert (found.close, steps(found)) == ((), [(Step(Action.LAYER, ("nix",)),)])

    def test_another_version_is_the_newest_that_there_is(self, tmp_path: Path) -> None:
        wheels = {"generic": ["demo-1.0-py3-none-any.whl", "demo-1.2+site-py3-none-any.whl"]}
        found = answer(tmp_path, wheels, "demo>=2; python_version > '3'")
        assert steps(found) == [(Step(Action.VERSION, ("==1.2+site",)),)]
        assert shlex.split(found.suggestions[0].command) == [
            "pip",
            "install",
            'demo==1.2+site; python_version > "3"',
        ]

    def test_pre_releases(self, tmp_path: Path) -> None:
        make_wheel(tmp_path / "tree/generic", "demo-1.0-py3-none-any.whl", requires_python=">=3.12")
        found = answer(tmp_path, {"generic": ["demo-2.0rc1-py3-none-any.whl"]}, "demo")
        assert steps(found) == [
            (Step(Action.PRE),),
            (Step(Action.PYTHON, ("3.12",), onward="3.12"),),
        ]
        assert found.suggestions[0].command == "pip install --pre demo"
        assert where(found.suggestions[0]) == "generic/demo-2.0rc1-py3-none-any.whl"

    def test_a_no_binary_that_can_be_overridden(self, tmp_path: Path) -> None:
        make_tree(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"]})
        site = Site.default(tmp_path)._replace(pip={"no-binary": ":all:"})
        found = why_not(Wheelhouse(site), "demo", HOST)
        assert steps(found) == [(Step(Action.BINARY),)]
        assert found.suggestions[0].command == "pip install --only-binary demo demo"

    def test_other_pythons_newest_first(self, tmp_path: Path) -> None:
        names = [f"demo-1.0-cp3{n}-cp3{n}-{LINUX}.whl" for n in (9, 10, 13)]
        found = answer(tmp_path, {"generic": [*names, f"demo-1.0-cp313-cp313t-{LINUX}.whl"]}, "demo")
        assert steps(found) == [(Step(Action.PYTHON, ("3.13", "3.10", "3.9", "3.13t")),)]
        assert where(found.suggestions[0]) == f"generic/{names[2]}"
        assert found.suggestions[0].command is None

    @pytest.mark.parametrize(
        ("tags", "needs", "expected"),
        [
            (f"cp312-abi3-{LINUX}", None, Step(Action.PYTHON, ("3.12",), onward="3.12")),
            (f"cp312-abi3-{LINUX}", ">=3.13", Step(Action.PYTHON, ("3.13",), onward="3.13")),
            ("py3-none-any", ">=3.12, !=3.13.*", Step(Action.PYTHON, ("3.12",), onward="3.14")),
            ("py3-none-any", "<3.10", Step(Action.PYTHON, ("3.9",))),
            ("py3-none-any", ">=3.8,<3.11", Step(Action.PYTHON, ("3.10", "3.9", "3.8"))),
            ("py2-none-any", None, Step(Action.PYTHON, ("2.7",))),
        ],
        ids=str,
    )
    def test_pythons_that_no_tag_names_alone(
        self, tags: str, needs: str | None, expected: Step, tmp_path: Path
    ) -> None:
        make_wheel(tmp_path / "tree/generic", f"demo-1.0-{tags}.whl", requires_python=needs)
        assert steps(answer(tmp_path, {}, "demo")) == [(expected,)]

    def test_a_python_for_which_pip_ignores_the_requirement_is_no_help(self, tmp_path: Path) -> None:
        names = [f"demo-1.0-cp3{n}-cp3{n}-{LINUX}.whl" for n in (10, 12)]
        found = answer(tmp_path, {"generic": names}, "demo; python_version < '3.12'")
        assert steps(found) == [(Step(Action.PYTHON, ("3.10",)),)]

    def test_the_layer_and_the_lowest_arch_that_is_enough(self, tmp_path: Path) -> None:
        name = "demo-1.0-py3-none-any.whl"
        labels = ["gentoo/avx512", "gentoo/avx2", "nix/generic"]
        found = answer(tmp_path, {label: [name] for label in labels}, "demo")
        assert steps(found) == [(Step(Action.LAYER, ("nix",)),), (Step(Action.NODE, ("avx2",)),)]
        assert [where(each) for each in found.suggestions] == [f"nix/generic/{name}", f"gentoo/avx2/{name}"]

    def test_archs_of_another_cpu_family_are_no_help(self, tmp_path: Path) -> None:
        name = "demo-1.0-py3-none-any.whl"
        make_tree(tmp_path, {"gentoo/neoverse": [name]})
        other = Arch(name="neoverse", rank=600, target="neoverse_v1", family="aarch64")
        ladder = (*BUILTIN_LADDER, other)
        layer = Layer(name="gentoo", directories=("gentoo",), archs=tuple(each.name for each in ladder))
        site = Site(root=str(tmp_path), ladder=ladder, layers=(layer,))
        found = why_not(Wheelhouse(site), "demo", HOST)
        assert [*stops(found).values()] == [(Exclusion(Rule.OUTSIDE, "arch", ("neoverse",), "avx"),)]
        assert steps(found) == [(Step(Action.BUILD),)]
        cpu = Cpu("aarch64", "ARM", "", frozenset(), frozenset())
        machine = Machine(cpu, HOST.python, {}, {})
        host = HOST._replace(
            arch="generic", archs=(), machine=machine, detected_for=(site.ladder, site.layers)
        )
        assert steps(why_not(Wheelhouse(site), "demo", host)) == [(Step(Action.NODE, ("neoverse",)),)]

    def test_a_constraint_of_the_site(self, tmp_path: Path) -> None:
        (tmp_path / "c.txt").write_text("demo<1\nother<1\n")
        make_tree(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"]})
        site = Site.default(tmp_path)._replace(pip={"constraint": (f"{tmp_path}/c.txt",)})
        found = why_not(Wheelhouse(site), "demo", HOST)
        assert steps(found) == [(Step(Action.CONSTRAINT, (f"demo<1 ({tmp_path}/c.txt, line 1)",)),)]

    def test_all_that_would_help_most_useful_first(self, tmp_path: Path) -> None:
        wheels = {
            "generic": ["demo-1.0-py3-none-any.whl", f"demo-2.0-cp310-cp310-{LINUX}.whl"],
            "nix/generic": ["demo-2.1-py3-none-any.whl"],
            "gentoo/avx512": ["demo-2.2-py3-none-any.whl"],
        }
        found = answer(tmp_path, wheels, "demo>=2")
        assert [[step.action for step in each] for each in steps(found)] == [
            [Action.VERSION],
            [Action.PYTHON],
            [Action.LAYER],
            [Action.NODE],
        ]

    def test_several_changes_only_where_no_single_one_helps(self, tmp_path: Path) -> None:
        wheels = {
            "nix/generic": [f"demo-1.0-cp312-cp312-{LINUX}.whl", f"demo-1.0-cp310-cp310-{LINUX}.whl"],
            "gentoo/avx2": [f"demo-1.0-cp312-cp312-{LINUX}.whl"],
            "nix/avx512": [f"demo-1.0-cp39-cp39-{LINUX}.whl"],
        }
        found = answer(tmp_path, wheels, "demo")
        assert steps(found) == [
            (Step(Action.PYTHON, ("3.12", "3.10")), Step(Action.LAYER, ("nix",))),
            (Step(Action.PYTHON, ("3.12",)), Step(Action.NODE, ("avx2",))),
        ]
        wheels["gentoo/generic"] = [f"demo-1.0-cp312-cp312-{LINUX}.whl"]
        assert steps(answer(tmp_path, wheels, "demo")) == [(Step(Action.PYTHON, ("3.12",)),)]

    def test_all_changes_at_once(self, tmp_path: Path) -> None:
        found = answer(tmp_path, {"nix/avx2": [f"demo-1.0-cp312-cp312-{LINUX}.whl"]}, "demo>1")
        assert steps(found) == [
            (
                Step(Action.VERSION, ("==1.0",)),
                Step(Action.PYTHON, ("3.12",)),
                Step(Action.LAYER, ("nix",)),
                Step(Action.NODE, ("avx2",)),
            )
        ]

    @pytest.mark.parametrize(
        "wheels",
        [{}, {"generic": ["demo-1.0-cp311-cp311-win_amd64.whl", "demo-1.0-pp310-pypy310_pp73-any.whl"]}],
        ids=["nothing", "nothing-for-this-platform"],
    )
    def test_to_build_it_when_nothing_that_is_there_would_do(self, wheels: Wheels, tmp_path: Path) -> None:
        found = answer(tmp_path, wheels, "demo")
        assert steps(found) == [(Step(Action.BUILD),)]
        assert (found.suggestions[0].gives, found.suggestions[0].command) == (None, None)

    def test_another_python_of_a_given_path_is_judged_on_that_ones_machine(self, tmp_path: Path) -> None:
        target = target_python(sys.executable)[0]
        assert target.answers is not None
        # Its policy module refuses manylinux, and so will that of its neighbours.
        target = target._replace(answers=target.answers._replace(manylinux=()))
        machine = platform.machine()
        names = [f"demo-1.0-cp38-cp38-manylinux_2_17_{machine}.whl", f"demo-1.0-cp37-cp37m-{LINUX}.whl"]
        found = answer(tmp_path, {"generic": names}, "demo", HOST._replace(python=target))
        assert steps(found) == [(Step(Action.PYTHON, ("3.7",)),)]

    def test_the_same_version_of_another_kind_of_python(self, tmp_path: Path) -> None:
        names = [f"demo-1.0-cp313-cp313-{LINUX}.whl", f"demo-1.0-cp310-cp310-{LINUX}.whl"]
        threaded = HOST._replace(python=plain_python("3.13t"))
        found = answer(tmp_path, {"generic": names}, "demo", threaded)
        assert (found.python, steps(found)) == (
            "3.13t",
            [(Step(Action.PYTHON, ("3.13", "3.10")),)],
        )
        said = Answers(
            version="3.10.14",
            implementation="pypy",
            soabi="pypy310-pp73",
            platform=f"linux-{platform.machine()}",
            libc="glibc 2.28",
            manylinux=(),
            markers=(("platform_python_implementation", "PyPy"), ("python_full_version", "3.10.14")),
        )
        pypy = HOST._replace(python=TargetPython("/some/pypy", None, answers=said))
        found = answer(tmp_path, {"generic": names}, "demo", pypy)
        assert (found.python, steps(found)) == (
            "PyPy 3.10",
            [(Step(Action.PYTHON, ("3.13", "3.10")),)],
        )


class TestBroken:
    def test_the_wheel_that_pip_would_choose_and_fail_on(self, tmp_path: Path) -> None:
        broken = tmp_path / "tree/generic/demo-2.0-py3-none-any.whl"
        broken.parent.mkdir(parents=True)
        broken.write_bytes(b"PK")
        found = answer(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"]}, "demo")
        assert (found.verdict, found.positive) == (Verdict.BROKEN, False)
        assert "invalid zip file" in found.problem
        assert steps(found) == [(Step(Action.VERSION, ("!=2.0",)),), (Step(Action.REPLACE, (str(broken),)),)]
        assert found.suggestions[0].command == "pip install 'demo!=2.0'"
        assert where(found.suggestions[0]) == "generic/demo-1.0-py3-none-any.whl"
        assert found.suggestions[1].command == (
            f"wheelhouse-resolver withdraw --root {tmp_path}/tree --to generic demo-2.0-py3-none-any.whl"
        )
        assert found.warnings == ()

    def test_several_broken_versions_are_all_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "tree/generic").mkdir(parents=True)
        for version in ("2.0", "3.0"):
            (tmp_path / f"tree/generic/demo-{version}-py3-none-any.whl").touch()
        found = answer(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"]}, "demo>=1")
        assert (
            found.suggestions[0].requirement.specifier == parse_requirement("demo>=1,!=2.0,!=3.0").specifier
        )

    def test_many_broken_versions_are_read_once_each_and_not_all_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "tree/generic").mkdir(parents=True)
        for number in range(40):
            (tmp_path / f"tree/generic/demo-2.{number}-py3-none-any.whl").touch()
        opened: Counter[str] = Counter()

        def counted(path: str) -> Any:
            opened[path] += 1
            return read_metadata(path)

        monkeypatch.setattr(metadata, "read_metadata", counted)
        found = answer(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"]}, "demo>=1")
        assert steps(found)[0] == (Step(Action.VERSION, ("==1.0",)),)
        assert len(opened) == 41
        assert set(opened.values()) == {1}

    def test_no_way_around_is_told_when_there_is_a_direct_one(self, tmp_path: Path) -> None:
        broken = tmp_path / "tree/gentoo/avx/demo-2.0-py3-none-any.whl"
        broken.parent.mkdir(parents=True)
        broken.touch()
        found = answer(tmp_path, {"generic": ["demo-2.0-py3-none-any.whl"]}, "demo==2.0")
        assert steps(found)[0] == (Step(Action.LAYER, ("none",)),)
        found = answer(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl"]}, "demo")
        assert [each[0].action for each in steps(found)] == [Action.VERSION, Action.REPLACE]

    def test_a_broken_wheel_is_never_what_helps(self, tmp_path: Path) -> None:
        for label in ("nix/generic", "gentoo/avx2"):
            (tmp_path / "tree" / label).mkdir(parents=True)
            (tmp_path / "tree" / label / "demo-1.0-py3-none-any.whl").touch()
        assert steps(answer(tmp_path, {}, "demo")) == [(Step(Action.BUILD),)]

    @pytest.mark.parametrize(
        ("headers", "problem"),
        [
            ({"Version": "odd"}, "its METADATA has the invalid version 'odd'"),
            ({"Name": None}, "its METADATA has no name"),
            ({"Version": None}, "its METADATA has no version"),
            ({"Name": "Demo", "Version": "1.0.0"}, ""),
        ],
        ids=str,
    )
    def test_metadata_without_what_pip_needs(
        self, headers: dict[str, str | None], problem: str, tmp_path: Path
    ) -> None:
        name = "demo-1.0-py3-none-any.whl"
        pack(tmp_path / "tree/generic" / name, with_metadata(name, **headers))
        found = answer(tmp_path, {}, "demo")
        assert found.problem == problem
        assert found.verdict is (Verdict.BROKEN if problem else Verdict.PICKED)

    @pytest.mark.parametrize(
        ("headers", "problem"),
        [
            ({"Name": "other"}, "its METADATA has the name 'other'"),
            ({"Version": "1.1"}, "its METADATA has the version '1.1'"),
            ({"Requires-Dist": "foo>=1.0.*"}, "invalid Requires-Dist 'foo>=1.0.*'"),
        ],
        ids=str,
    )
    def test_a_wheel_that_pip_passes_over(
        self, headers: dict[str, str | None], problem: str, tmp_path: Path
    ) -> None:
        name = "demo-2.0-py3-none-any.whl"
        path = pack(tmp_path / "tree/generic" / name, with_metadata(name, **headers))
        found = answer(tmp_path, {"gentoo/avx": ["demo-1.0-py3-none-any.whl"]}, "demo==2.0")
        assert (found.verdict, found.positive, found.best) == (Verdict.NOTHING, False, None)
        assert found.files[0].reason == f"passed over by pip: {problem}"
        (older, replace) = found.suggestions
        assert (older.steps, where(older)) == (
            (Step(Action.VERSION, ("==1.0",)),),
            "gentoo/avx/demo-1.0-py3-none-any.whl",
        )
        assert (replace.steps, replace.gives) == ((Step(Action.REPLACE, (str(path),)),), None)
        assert replace.command == f"wheelhouse-resolver withdraw --root {tmp_path}/tree --to generic {name}"
        found = answer(tmp_path, {}, "demo")
        assert (found.verdict, found.suggestions) == (Verdict.PICKED, ())
        assert found.warnings == (f"{path}: passed over by pip: {problem}",)

    def test_damage_that_shows_only_when_it_is_unpacked_is_a_warning(self, tmp_path: Path) -> None:
        path = make_wheel(tmp_path / "tree/generic", "demo-1.0-py3-none-any.whl")
        files = wheel_files("demo-1.0-py3-none-any.whl")
        files["demo.py"] = b"rot"
        pack(path, files)
        found = answer(tmp_path, {}, "demo")
        assert found.verdict is Verdict.PICKED
        (warning,) = found.warnings
        assert warning.startswith(f"{path} is damaged")
        assert "demo.py" in warning


class TestVerdicts:
    def test_a_marker_that_does_not_hold(self, tmp_path: Path) -> None:
        found = answer(tmp_path, {}, "demo; python_version < '3'")
        assert (found.verdict, found.positive, found.suggestions) == (Verdict.IGNORED, True, ())
        assert "its marker does not hold" in found.problem

    @pytest.mark.parametrize(
        ("requirement", "text", "warned"),
        [
            ("demo>=1", "", True),
            ("demo", "", False),
            ("demo>=1", "--pre", False),
            ("demo>=2.0rc1", "", False),
        ],
    )
    def test_a_pre_release_that_older_pips_do_not_take(
        self, requirement: str, text: str, warned: bool, tmp_path: Path
    ) -> None:
        found = answer(tmp_path, {"generic": ["demo-2.0rc1-py3-none-any.whl"]}, requirement, text=text)
        assert found.verdict is Verdict.PICKED
        assert [f"pip install --pre '{requirement}'" in each for each in found.warnings] == [True] * warned

    def test_an_answer_is_a_frozen_value_and_json(self, tmp_path: Path) -> None:
        import json

        found = answer(tmp_path, {"nix/generic": ["demo-1.0-py3-none-any.whl"]}, "demo")
        with pytest.raises(AttributeError):
            found.verdict = Verdict.PICKED  # type: ignore[misc]
        assert pickle.loads(pickle.dumps(found.suggestions)) == found.suggestions
        told = json.loads(json.dumps(found.to_dict()))
        assert told["verdict"] == "nothing"
        assert told["suggestions"][0]["steps"] == [{"action": "other-layer", "values": ["nix"], "onward": ""}]
        assert told["suggestions"][0]["gives"]["layer"] == "nix"
        assert told["files"][0]["rule"] == "outside-search-path"


# -- of any tree ------------------------------------------------------------------------------------------

_VERSIONS = ["0.9", "1.0", "1.0+site", "2.0rc1", "2.0"]
_TAGS = [
    "py3-none-any",
    f"cp310-cp310-{LINUX}",
    f"cp311-cp311-{LINUX}",
    f"cp312-abi3-{LINUX}",
    "py2-none-any",
]
_LABELS = ["generic", "gentoo/generic", "gentoo/avx", "gentoo/avx2", "nix/generic", "nix/avx512"]
_NEEDS = [None, None, None, ">=3.12", "<3.11", ">=3.8"]
_PYTHONS = ("2.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")
_LAYERS = ("gentoo", "nix", None)
_ARCHS = ("generic", "sse3", "avx", "avx2", "avx512")

_WHEELS = st.tuples(
    st.builds("demo-{}-{}.whl".format, st.sampled_from(_VERSIONS), st.sampled_from(_TAGS)),
    st.sampled_from(_LABELS),
    st.sampled_from(_NEEDS),
    st.sampled_from([False] * 9 + [True]),
)
_REQUIREMENTS = st.sampled_from(["demo", "demo", "demo>=1", "demo>=2", "demo<1", "demo==1.0", "demo>=3"])


class Asked:
    """A tree, a host and a question, asked through `pick` alone."""

    def __init__(self, site: Site, requirement: str, host: Host, files: RequirementsFile) -> None:
        self.site, self.requirement, self.host, self.files = site, requirement, host, files

    def picks(
        self, host: Host | None = None, requirement: str | None = None, files: RequirementsFile | None = None
    ) -> str | None:
        """The path of the sound wheel that is picked when something is changed."""
        wheelhouse = Wheelhouse(self.site)
        best = pick(
            wheelhouse, requirement or self.requirement, host or self.host, files=files or self.files
        ).best
        return best.path if best is not None else None

    def single_changes(self) -> Iterator[str | None]:
        """What every single change leads to."""
        for version in _PYTHONS:
            yield self.picks(self.host._replace(python=plain_python(version)))
        for layer in _LAYERS:
            yield self.picks(self.host._replace(layer=layer))
        for arch in _ARCHS:
            yield self.picks(self.host._replace(arch=arch, archs=()))
        # `==1.0` takes the site's own 1.0+site, too; `===1.0` does not.
        for specifier in ("", *(f"{sign}{version}" for sign in ("==", "===") for version in _VERSIONS)):
            yield self.picks(requirement=f"demo{specifier}")
        yield self.picks(files=self.files._replace(prereleases=True))
        yield self.picks(files=self.files._replace(constraints=()))

    def follow(self, suggestion: Suggestion, python: str | None = None) -> str | None:
        """What is picked by whoever takes the steps of *suggestion*."""
        host, files = self.host, self.files
        for step in suggestion.steps:
            if step.action is Action.PYTHON:
                host = host._replace(python=plain_python(python or step.values[0]))
            elif step.action is Action.LAYER:
                host = host._replace(layer=None if step.values == ("none",) else step.values[0])
            elif step.action in (Action.NODE, Action.LOWER):
                host = host._replace(arch=step.values[0], archs=())
            elif step.action is Action.PRE:
                files = files._replace(prereleases=True)
            elif step.action is Action.CONSTRAINT:
                files = files._replace(constraints=())
        return self.picks(host, str(suggestion.requirement), files)


#: What the examples do not vary.
_ONE_HOST: dict[str, Any] = {
    "python": "3.8",
    "layer": "gentoo",
    "arch": "generic",
    "constraint": "",
    "prereleases": False,
}


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@example(  # a pre-release by its name, where no final version fits
    wheels=[
        ("demo-0.9-py3-none-any.whl", "generic", ">=3.12", False),
        ("demo-2.0rc1-py3-none-any.whl", "generic", None, False),
    ],
    requirement="demo>=2",
    **_ONE_HOST,
)
@example(  # the same, where what is asked for is not there at all
    wheels=[
        ("demo-0.9-py3-none-any.whl", "generic", None, False),
        ("demo-1.0-py3-none-any.whl", "generic", None, False),
        ("demo-1.0+site-py3-none-any.whl", "generic", None, True),
    ],
    requirement="demo>=2",
    **_ONE_HOST,
)
@example(  # what helps is `===1.0`
    wheels=[
        ("demo-0.9-py3-none-any.whl", "generic", None, True),
        ("demo-1.0-py3-none-any.whl", "generic", None, False),
        ("demo-1.0+site-py3-none-any.whl", "generic", None, True),
    ],
    requirement="demo",
    **_ONE_HOST,
)
@given(
    wheels=st.lists(_WHEELS, max_size=6, unique_by=lambda each: each[:2]),
    requirement=_REQUIREMENTS,
    python=st.sampled_from(_PYTHONS[1:]),
    layer=st.sampled_from(_LAYERS),
    arch=st.sampled_from(_ARCHS),
    constraint=st.sampled_from(["", "", "demo<1", "demo>=1"]),
    prereleases=st.booleans(),
)
def test_every_suggestion_leads_to_a_pick_and_there_is_one_if_a_single_change_does(
    wheels: list[tuple[str, str, str | None, bool]],
    requirement: str,
    python: str,
    layer: str | None,
    arch: str,
    constraint: str,
    prereleases: bool,
) -> None:
    files = RequirementsFile(
        constraints=(parse_requirement(constraint),) if constraint else (), prereleases=prereleases
    )
    host = Host(arch=arch, layer=layer, python=plain_python(python))
    with TemporaryDirectory() as directory:
        site = make_tree(Path(directory), {})
        for filename, label, needs, broken in wheels:
            path = make_wheel(Path(directory, label), filename, requires_python=needs)
            if broken:
                path.write_bytes(b"PK")
        asked = Asked(site, requirement, host, files)
        found = why_not(Wheelhouse(site), requirement, host, files=files)

        assert found.positive == (asked.picks() is not None)
        told = [each.file.path for each in found.files]
        told += [found.best.path] if found.best is not None else []
        assert sorted(told) == sorted(f"{directory}/{label}/{filename}" for filename, label, _, _ in wheels)
        assert all(each.exclusions for each in found.files)

        real = [
            each for each in found.suggestions if each.steps[0].action not in (Action.BUILD, Action.REPLACE)
        ]
        for each in real:
            assert each.gives is not None
            assert asked.follow(each) == each.gives.path
            for step in each.steps:
                for other in step.values if step.action is Action.PYTHON else ():
                    assert asked.follow(each, other) is not None
        if found.positive:
            assert not found.suggestions
        elif any(asked.single_changes()):
            assert real
            assert all(len(each.steps) == 1 for each in real)
        else:
            assert all(len(each.steps) > 1 for each in real)


@pytest.mark.parametrize(
    ("specifier", "none"),
    [
        (">=1,<1", True),
        (">1,<=1", True),
        (">=2,<1,!=3", True),
        ("==1,==2", True),
        ("~=2.0,<2", True),
        ("==1.0,>1.0", True),
        (">=1,<=1", False),
        ("==1.0+site,<=1.0", False),
        (">=1,<2", False),
        ("==1.*,<1", False),
        ("==1.*,==2.*", True),
        ("==1.*,>=2.dev0", True),
        ("~=1.2,>=2", True),
        ("~=1.2,>1.9", False),
        ("==1!2.*,<1!3", False),
        ("==1,!=1", True),
        ("==1,===1+site", False),
        ("===odd,>1", True),
        ("", False),
    ],
)
def test_specifiers_that_no_version_can_satisfy(specifier: str, none: bool) -> None:
    assert contradictory(SpecifierSet(specifier)) == none
