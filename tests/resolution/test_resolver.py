from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from tests.factories import make_tree, make_wheel, pack, plain_python, with_metadata
from tests.resolution import lock
from wheelhouse_resolver.errors import TooComplexError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.resolution import candidates
from wheelhouse_resolver.resolution import resolver as module
from wheelhouse_resolver.resolution.resolver import Resolution
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata, cached_metadata_of_many

HOST = Host(arch="avx2", layer="gentoo", python=plain_python("3.11"))

#: `name-version` -> its Requires-Dist lines, or the options of `wheel_files`.
Wheels = Mapping[str, Sequence[str] | Mapping[str, Any]]


def house(root: Path, wheels: Wheels, *, tags: str = "py3-none-any", **more: Any) -> Site:
    """A wheelhouse with *wheels* in its top-level directory."""
    site = make_tree(root, {})
    for wheel, needs in wheels.items():
        options = needs if isinstance(needs, Mapping) else {"requires_dist": needs}
        make_wheel(root / "generic", f"{wheel}-{tags}.whl", **options)
    return site._replace(**more)


def chosen(resolution: Resolution) -> list[str]:
    """`name version` of what was chosen."""
    assert resolution.conflict is None, resolution.conflict.lines()
    return [f"{each.candidate.name} {each.candidate.version}" for each in resolution.packages]


def told(resolution: Resolution) -> list[str]:
    """The explanation of why there is no solution."""
    assert resolution.packages == ()
    assert resolution.conflict is not None
    return resolution.conflict.lines()


class TestChoice:
    def test_the_whole_closure_by_name(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"c-1.0": [], "B-1.0": ["c>=1"], "a-1.0": ["b", "c"], "other-1.0": []})
        found = lock(["a"], site, HOST)
        assert chosen(found) == ["a 1.0", "b 1.0", "c 1.0"]
        assert [each.dependencies for each in found.packages] == [("b", "c"), ("c",), ()]

    def test_of_one_version_the_most_specific_build(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b"], "b-1.0": []})
        make_wheel(tmp_path / "gentoo/avx2", "b-1.0-py3-none-any.whl")
        make_wheel(tmp_path / "gentoo/avx512", "b-1.0-py3-none-any.whl")
        found = lock(["a"], site, HOST)
        assert [each.candidate.directory.label for each in found.packages] == ["generic", "gentoo/avx2"]

    def test_an_older_version_where_the_newest_does_not_go_with_the_rest(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b<2"], "b-1.0": [], "b-2.0": [], "c-1.0": [], "c-2.0": ["b>=2"]})
        assert chosen(lock(["c", "a"], site, HOST)) == ["a 1.0", "b 1.0", "c 1.0"]

    def test_a_cycle(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b"], "b-1.0": ["a"]})
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0", "b 1.0"]

    def test_nothing_asked_for_here(self, tmp_path: Path) -> None:
        found = lock(["a; python_version < '3'"], house(tmp_path, {}), HOST)
        assert (chosen(found), found.requirements) == ([], ())
        assert found.warnings == (
            'ignored a; python_version < "3": its marker does not hold for this Python',
        )

    def test_markers_are_those_of_the_target_python(self, tmp_path: Path) -> None:
        site = house(
            tmp_path,
            {"a-1.0": ["b; python_version < '3.10'", "c; python_version >= '3.10'"], "b-1": [], "c-1": []},
        )
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0", "c 1"]
        older = HOST._replace(python=plain_python("3.9"))
        assert chosen(lock(["a"], site, older)) == ["a 1.0", "b 1"]

    def test_a_pre_release_only_when_asked_for_or_alone(self, tmp_path: Path) -> None:
        site = house(
            tmp_path, {"a-1.0": ["b"], "a-2.0": ["b>=2.0rc1"], "b-1.0": [], "b-2.0rc1": [], "c-1.0b1": []}
        )
        assert chosen(lock(["a<2", "c"], site, HOST)) == ["a 1.0", "b 1.0", "c 1.0b1"]
        assert chosen(lock(["a"], site, HOST)) == ["a 2.0", "b 2.0rc1"]

    def test_constraints_restrict_and_add_nothing(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b"], "b-1.0": [], "b-2.0": [], "c-1.0": []})
        found = lock(["a"], site, HOST, constraints=["B<2", "c", "b>5; python_version < '3'"])
        assert chosen(found) == ["a 1.0", "b 1.0"]

    def test_the_sites_own_constraints_and_no_binary_count(self, tmp_path: Path) -> None:
        (tmp_path / "constraints.txt").write_text("b<2\n")
        wheels = {"a-1.0": ["b"], "b-1.0": [], "b-2.0": []}
        site = house(tmp_path / "tree", wheels, pip={"constraint": str(tmp_path / "constraints.txt")})
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0", "b 1.0"]
        assert told(lock(["a"], site._replace(pip={"no-binary": "b"}), HOST)) == [
            "a 1.0 needs b (a was asked for)",
            "b 1.0, 2.0 cannot be used: the site's [pip] table or a file says no-binary",
        ]


class TestRequiresPython:
    def test_the_next_older_version_never_a_lower_build(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": []})
        make_wheel(tmp_path / "gentoo/avx2", "a-2.0-py3-none-any.whl", requires_python=">=3.99")
        make_wheel(tmp_path / "generic", "a-2.0-py3-none-any.whl", requires_python=">=3.8")
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0"]

    def test_one_that_makes_no_sense_is_told_and_not_checked(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": {"requires_python": "maybe"}})
        found = lock(["a"], site, HOST)
        assert chosen(found) == ["a 1.0"]
        assert found.warnings == (
            f"{tmp_path}/generic/a-1.0-py3-none-any.whl: its Requires-Python is invalid and was not checked",
        )


class TestExtras:
    WHEELS: ClassVar[Wheels] = {
        "a-1.0": {
            "requires_dist": ["b; extra == 'fast'", "c; extra == 'Big_Data'"],
            "extras": ["fast", "Big_Data"],
        },
        "a-2.0": {"requires_dist": ["b>=9; extra == 'fast'"], "extras": ["fast"]},
        "b-1.0": [],
        "c-1.0": ["a[fast]"],
    }

    def test_none(self, tmp_path: Path) -> None:
        assert chosen(lock(["a"], house(tmp_path, self.WHEELS), HOST)) == ["a 2.0"]

    def test_one_that_only_an_older_version_can_have(self, tmp_path: Path) -> None:
        found = lock(["A[Fast]"], house(tmp_path, self.WHEELS), HOST)
        assert chosen(found) == ["a 1.0", "b 1.0"]
        assert found.packages[0].dependencies == ("b",)

    def test_spelled_in_any_way_and_wanted_by_others(self, tmp_path: Path) -> None:
        site = house(tmp_path, self.WHEELS)
        assert chosen(lock(["a[big.data]<2"], site, HOST)) == ["a 1.0", "b 1.0", "c 1.0"]

    def test_two_of_one_project_are_of_one_version(self, tmp_path: Path) -> None:
        wheels: Wheels = {
            "a-1.0": {"extras": ["x", "y"]},
            "a-2.0": {"requires_dist": ["nothing; extra == 'y'"], "extras": ["x", "y"]},
        }
        assert chosen(lock(["a[x]", "a[y]"], house(tmp_path, wheels), HOST)) == ["a 1.0"]

    def test_an_unknown_one_is_a_warning(self, tmp_path: Path) -> None:
        found = lock(["a[bogus]"], house(tmp_path, self.WHEELS), HOST)
        assert chosen(found) == ["a 2.0"]
        assert found.warnings == ("a-2.0-py3-none-any.whl does not provide the extra 'bogus'",)


class TestBrokenWheels:
    def left_out(self, tmp_path: Path, problem: str) -> None:
        """The newest version, which is broken, is left out with a warning that names the file."""
        found = lock(["a"], Site.default(tmp_path), HOST)
        assert chosen(found) == ["a 1.0"]
        (warning,) = found.warnings
        assert warning.startswith(f"left out {tmp_path}/generic/a-2.0-py3-none-any.whl: {problem}")
        assert len(warning.splitlines()) == 1

    def test_no_zip_file(self, tmp_path: Path) -> None:
        house(tmp_path, {"a-1.0": []})
        (tmp_path / "generic/a-2.0-py3-none-any.whl").write_bytes(b"PK\3\4 not really")
        self.left_out(tmp_path, "pip would choose it and fail: invalid zip file")

    def test_no_metadata(self, tmp_path: Path) -> None:
        house(tmp_path, {"a-1.0": []})
        pack(tmp_path / "generic/a-2.0-py3-none-any.whl", {"a.py": b""})
        self.left_out(tmp_path, "pip would choose it and fail: has 0 .dist-info directories")

    def test_a_requirement_that_is_none(self, tmp_path: Path) -> None:
        house(tmp_path, {"a-1.0": [], "a-2.0": ["b (>=1", "c"]})
        self.left_out(tmp_path, "passed over by pip: invalid Requires-Dist 'b (>=1'")

    @pytest.mark.parametrize(
        ("header", "value", "problem"),
        [
            ("Name", "other", "passed over by pip: its METADATA has the name 'other'"),
            ("Version", "3.0", "passed over by pip: its METADATA has the version '3.0'"),
            ("Version", "none", "pip would choose it and fail: its METADATA has the invalid version 'none'"),
        ],
    )
    def test_metadata_of_something_else(self, header: str, value: str, problem: str, tmp_path: Path) -> None:
        house(tmp_path, {"a-1.0": []})
        name = "a-2.0-py3-none-any.whl"
        pack(tmp_path / "generic" / name, with_metadata(name, **{header: value}))
        self.left_out(tmp_path, problem)

    def test_a_lower_build_may_stand_in_for_one_of_something_else_only(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": [], "a-2.0": []})
        better = tmp_path / "gentoo/avx2/a-2.0-py3-none-any.whl"
        pack(better, with_metadata("a-2.0-py3-none-any.whl", Name="b"))
        assert chosen(lock(["a"], site, HOST)) == ["a 2.0"]
        better.write_bytes(b"")
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0"]

    def test_a_marker_that_has_no_meaning_is_told_and_taken_to_hold(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b; os_name ~= 'posix'"], "b-1.0": []})
        found = lock(["a"], site, HOST)
        assert chosen(found) == ["a 1.0", "b 1.0"]
        assert "cannot be evaluated" in found.warnings[0]

    def test_a_wheel_that_was_replaced_is_read_anew(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b"], "b-1.0": [], "c-1.0": []})
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0", "b 1.0"]
        make_wheel(tmp_path / "new", "a-1.0-py3-none-any.whl", requires_dist=["c"]).replace(
            tmp_path / "generic/a-1.0-py3-none-any.whl"
        )
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0", "c 1.0"]


class TestConflict:
    """Explanations as people read them."""

    def test_two_that_do_not_go_together(self, tmp_path: Path) -> None:
        site = house(
            tmp_path,
            {
                "scipy-1.11.4": ["numpy<1.28,>=1.21"],
                "seaborn-0.13": ["pandas>=1.2", "matplotlib"],
                "pandas-2.2": ["numpy>=2"],
                "matplotlib-3.8": ["numpy>=1.20"],
                "numpy-1.26.4": [],
                "numpy-2.1.0": [],
            },
        )
        assert told(lock(["matplotlib", "scipy", "seaborn"], site, HOST)) == [
            "pandas 2.2 needs numpy>=2 (pandas>=1.2 was asked for by seaborn 0.13, which was asked for)",
            "scipy 1.11.4 needs numpy<1.28,>=1.21 (scipy was asked for)",
            "there are numpy 1.26.4, 2.1.0",
        ]

    def test_all_versions_that_say_the_same_are_one_line(self, tmp_path: Path) -> None:
        wheels: dict[str, list[str]] = {f"a-1.{minor}": ["b>=2"] for minor in range(8)}
        site = house(tmp_path, {**wheels, "a-2.0": ["b>=3"], "a-2.1": ["b>=3"], "b-1.0": []})
        assert told(lock(["a"], site, HOST)) == [
            "a 1.0 to 1.7 (8 versions) need b>=2 (a was asked for)",
            "a 2.0, 2.1 need b>=3 (a was asked for)",
            "there is b 1.0",
        ]

    def test_the_user_against_a_wheel(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b>=2"], "b-1.0": [], "b-2.0": []})
        assert told(lock(["a", "b<2"], site, HOST)) == [
            "b<2 was asked for",
            "a 1.0 needs b>=2 (a was asked for)",
            "there are b 1.0, 2.0",
        ]

    def test_a_constraint(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b>=2"], "b-1.0": [], "b-2.0": []})
        assert told(lock(["a"], site, HOST, constraints=["b<2", "a>0"])) == [
            "a 1.0 needs b>=2 (a was asked for)",
            "a constraint allows only b<2",
            "there are b 1.0, 2.0",
        ]

    def test_a_narrow_question_is_part_of_the_reason(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b<2"], "a-2.0": [], "b-2.0": []})
        assert told(lock(["a<2"], site, HOST)) == [
            "a 1.0 needs b<2 (a<2 was asked for)",
            "there is b 2.0",
        ]
        make_wheel(tmp_path / "generic", "c-1.0-py3-none-any.whl", requires_dist=["a<2"])
        assert told(lock(["c<3"], site, HOST)) == [
            "a 1.0 needs b<2 (a<2 was asked for by c 1.0, which was asked for as c<3)",
            "there is b 2.0",
        ]

    def test_a_python_that_is_too_old(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b"], "b-1.0": {"requires_python": ">=3.12"}})
        assert told(lock(["a"], site, HOST)) == [
            "b 1.0 needs Python >=3.12 (b was asked for by a 1.0, which was asked for)",
            "the target is Python 3.11.0",
        ]

    def test_a_project_that_does_not_exist(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["nmupy>=1"], "numpy-1.0": [], "other-1.0": []})
        assert told(lock(["a"], site, HOST)) == [
            "a 1.0 needs nmupy>=1 (a was asked for)",
            "there is no nmupy in the search path; close names: numpy",
        ]
        assert told(lock(["xyz"], site, HOST)) == [
            "xyz was asked for",
            "there is no xyz in the search path",
        ]

    def test_wheels_for_other_pythons_only(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": [], "a-2.0": []}, tags="cp27-none-any")
        assert told(lock(["a"], site, HOST)) == [
            "a was asked for",
            "a 1.0, 2.0 cannot be used: its wheels are not for Python 3.11 here",
        ]

    def test_nothing_but_broken_wheels(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["(b"]})
        first, second = told(lock(["a"], site, HOST))
        assert first == "a was asked for"
        assert second == "a 1.0 cannot be used: passed over by pip: invalid Requires-Dist '(b'"

    def test_a_file_that_is_named_by_url(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b @ https://example.org/b-1.0.zip"], "b-1.0": []})
        assert told(lock(["a"], site, HOST)) == [
            "a 1.0 needs b @ https://example.org/b-1.0.zip, which is not a wheel of this wheelhouse "
            "(a was asked for)",
        ]

    def test_a_url_that_does_not_concern_the_host_is_none_of_its_business(self, tmp_path: Path) -> None:
        url = "b @ https://example.org/b-1.0.zip ; sys_platform == 'win32'"
        site = house(tmp_path, {"a-1.0": [url]})
        assert chosen(lock(["a"], site, HOST)) == ["a 1.0"]

    def test_with_an_extra(self, tmp_path: Path) -> None:
        site = house(
            tmp_path, {"a-1.0": {"requires_dist": ["b>1; extra == 'x'"], "extras": ["x"]}, "b-1.0": []}
        )
        assert told(lock(["a[x]"], site, HOST)) == [
            "a[x] 1.0 needs b>1 (a[x] was asked for)",
            "there is b 1.0",
        ]

    def test_what_takes_no_part_is_left_out(self, tmp_path: Path) -> None:
        """However many others want the same project, and whatever was tried on the way."""
        many = {f"user{number}-{version}.0": ["b>=1"] for number in range(12) for version in (1, 2)}
        site = house(tmp_path, {**many, "a-1.0": ["b<2"], "c-1.0": ["b>=2"], "b-1.0": [], "b-2.0": []})
        found = lock([f"user{number}" for number in range(12)] + ["a", "c"], site, HOST)
        assert told(found) == [
            "a 1.0 needs b<2 (a was asked for)",
            "c 1.0 needs b>=2 (c was asked for)",
            "there are b 1.0, 2.0",
        ]

    def test_hostile_metadata_prints_on_one_line(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b @ https://x/\x1b[31m\u2028y"]})
        assert all(line.isprintable() for line in told(lock(["a"], site, HOST)))

    def test_as_data(self, tmp_path: Path) -> None:
        site = house(tmp_path, {"a-1.0": ["b<2"], "b-2.0": []})
        conflict = json.loads(json.dumps(lock(["a"], site, HOST).to_dict()))["conflict"]
        assert conflict == {
            "demands": [
                {
                    "by": "a",
                    "versions": ["1.0"],
                    "requirement": "b<2",
                    "asked": [{"requirement": "a", "by": None, "versions": []}],
                    "constraint": False,
                    "elsewhere": False,
                    "where": None,
                }
            ],
            "exists": [{"project": "b", "versions": ["2.0"], "unusable": [], "close": []}],
            "complete": True,
        }

    def test_when_the_smallest_is_not_found_in_time_what_is_told_is_true(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "_ROUNDS_TO_EXPLAIN", 0)
        site = house(tmp_path, {"a-1.0": ["b<2"], "c-1.0": ["b>=2"], "b-1.0": [], "b-2.0": []})
        found = lock(["a", "c"], site, HOST)
        assert told(found) == [
            "a 1.0 needs b<2 (a was asked for)",
            "c 1.0 needs b>=2 (c was asked for)",
            "there are b 1.0, 2.0",
            "this is where the search ended; there are other combinations, which failed as well",
        ]
        assert found.conflict is not None
        assert not found.conflict.complete


def test_giving_up_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROUNDS", 2)
    site = house(tmp_path, {"a-1.0": ["b", "c"], "b-1.0": [], "b-2.0": ["c<1"], "c-1.0": []})
    with pytest.raises(TooComplexError, match="gave up after 2 rounds"):
        lock(["a"], site, HOST)


def pigeons(number: int) -> dict[str, list[str]]:
    """One more project than places for them: no search by trying ends soon."""
    wheels: dict[str, list[str]] = {}
    for bird in range(number + 1):
        for hole in range(1, number + 1):
            wheels[f"bird{bird}-{hole}.0"] = [f"hole{hole}=={bird}.0"]
            wheels[f"hole{hole}-{bird}.0"] = []
    return wheels


def test_what_conflicts_is_said_when_it_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROUNDS", 400)
    site = house(tmp_path, pigeons(6))
    files = RequirementsFile(tuple(parse_requirement(f"bird{bird}") for bird in range(7)))
    rounds: list[int] = []
    with pytest.raises(TooComplexError) as caught:
        module.resolve(Tree(site), files, HOST, progress=lambda _, __, number: rounds.append(number))
    assert 300 in rounds
    found = re.search(r"; what conflicted most often: (.*)", str(caught.value))
    assert found is not None
    conflicting = found[1].split(", ")
    assert len(conflicting) == 5
    assert all(re.fullmatch(r"hole\d==\d\.0 \(of bird\d\)", each) for each in conflicting)


def test_progress_is_told_as_wheels_are_read(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    site = house(tmp_path, {"a-1.0": ["b"], "b-1.0": ["c"], "c-1.0": []})
    files = RequirementsFile((parse_requirement("a"),))
    module.resolve(Tree(site), files, HOST, progress=lambda done, total, _: steps.append((done, total)))
    assert [done for done, _ in steps] == [1, 2, 3]
    assert all(done <= total for done, total in steps)


def test_wheels_are_read_a_generation_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many waits as the graph is deep, not as many as there are wheels."""
    asked: list[list[str]] = []

    def counted(paths: Iterable[str]) -> dict[str, CoreMetadata]:
        listed = list(paths)
        asked.append([Path(path).name.partition("-")[0] for path in listed])
        return cached_metadata_of_many(listed)

    monkeypatch.setattr(candidates, "cached_metadata_of_many", counted)
    wheels = {"a-1.0": ["b", "c[x]"], "b-1.0": ["d", "a"], "c-1.0": ["d"], "d-1.0": [], "d-2.0": []}
    lock(["a"], house(tmp_path, wheels), HOST)
    assert asked == [["a"], ["b", "c"], ["d"]]


# -- against all there is -----------------------------------------------------------------------------------

_PROJECTS = "abcde"
_VERSIONS = ("1", "2", "3")
_SPECIFIERS = ("", "", ">=2", "<2", "==1", "==3", "!=2", "<3")


class Needed(NamedTuple):
    """A Requires-Dist line: of *project*, with its extra or not; only for the own extra or always."""

    project: str
    specifier: str
    extra: bool
    for_extra: bool

    def __str__(self) -> str:
        marker = "; extra == 'x'" if self.for_extra else ""
        return f"{self.project}{'[x]' if self.extra else ''}{self.specifier}{marker}"


_NEEDED = st.builds(
    Needed,
    st.sampled_from(_PROJECTS),
    st.sampled_from(_SPECIFIERS),
    st.booleans(),
    st.booleans(),
)
_WHEELS = st.dictionaries(
    st.tuples(st.sampled_from(_PROJECTS), st.sampled_from(_VERSIONS)),
    st.lists(_NEEDED, max_size=3),
    max_size=len(_PROJECTS) * len(_VERSIONS),
)
_ROOTS = st.lists(
    st.builds(
        Needed, st.sampled_from(_PROJECTS), st.sampled_from(_SPECIFIERS), st.booleans(), st.just(False)
    ),
    min_size=1,
    max_size=3,
)
Graph = Mapping[tuple[str, str], Sequence[Needed]]


def closure(wheels: Graph, roots: Sequence[Needed], versions: Mapping[str, str]) -> set[str] | None:
    """The projects that *roots* come to when each has the version given; None where a need is not met."""
    reached: set[tuple[str, bool]] = set()
    waiting = list(roots)
    while waiting:
        need = waiting.pop()
        version = versions.get(need.project)
        if version is None or not SpecifierSet(need.specifier).contains(version):
            return None
        for extra in {False, need.extra}:
            if (need.project, extra) not in reached:
                reached.add((need.project, extra))
                lines = wheels[need.project, version]
                waiting += [each for each in lines if extra or not each.for_extra]
    return {project for project, _ in reached}


def solvable(wheels: Graph, roots: Sequence[Needed]) -> bool:
    """Whether any choice of versions meets all needs, by trying every one."""
    there = [project for project in _PROJECTS if any((project, version) in wheels for version in _VERSIONS)]
    offers = [[version for version in _VERSIONS if (project, version) in wheels] for project in there]
    for versions in product(*offers):
        if closure(wheels, roots, dict(zip(there, versions, strict=True))) is not None:
            return True
    return False


@settings(deadline=None, max_examples=80)
@given(wheels=_WHEELS, roots=_ROOTS)
def test_a_solution_is_found_if_there_is_one_and_holds_what_is_needed_alone(
    wheels: Graph, roots: list[Needed]
) -> None:
    with TemporaryDirectory() as directory:
        made: Wheels = {
            f"{project}-{version}": {"requires_dist": list(map(str, needs)), "extras": ["x"]}
            for (project, version), needs in wheels.items()
        }
        found = lock(list(map(str, roots)), house(Path(directory), made), HOST)
    assert (found.conflict is None) == solvable(wheels, roots)
    if found.conflict is None:
        versions = {str(each.candidate.name): str(each.candidate.version) for each in found.packages}
        assert closure(wheels, roots, versions) == {*versions}
    else:
        assert found.conflict.demands
        assert found.conflict.lines()
