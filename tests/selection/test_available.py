from __future__ import annotations

import json
import platform
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import make_tree, make_wheel, pack, pip_report, plain_python, run_pip, with_metadata
from tests.pips import pip_environ
from tests.questions import pick
from wheelhouse_resolver.errors import InvalidRequirementError, NoWheelhouseError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.selection import available as module
from wheelhouse_resolver.selection.available import (
    COLUMNS,
    Listing,
    Scope,
    avail,
    condensed,
    texts_of,
)
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.selection.requirements_file import read_requirements
from wheelhouse_resolver.selection.wanted import wanted_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse

LINUX = f"linux_{platform.machine()}"
HOST = Host(arch="avx", layer="gentoo", python=plain_python("3.11"))


def put(root: Path, **wheels: str) -> Site:
    """A tree of wheels: label (`__` for `/`) -> their names without `.whl`, blanks between them."""
    return make_tree(
        root,
        {
            label.replace("__", "/"): [f"{name}.whl" for name in names.split()]
            for label, names in wheels.items()
        },
    )


def listing(site: Site, *texts: str, files: RequirementsFile | None = None, **scope: bool) -> Listing:
    wanted = wanted_of(texts, files or RequirementsFile())
    return avail(Wheelhouse(site), HOST, wanted, Scope(**scope))


def shown(site: Site, *texts: str, **options: Any) -> list[str]:
    """Each row as `directory/name-version`."""
    rows = listing(site, *texts, **options).rows
    return [f"{row.value('directory')}/{row.name}-{row.wheels[0].version}" for row in rows]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return put(
        tmp_path,
        generic="demo-1.0-py3-none-any demo-0.9-py3-none-any B.c-1.0+site-py3-none-any "
        "pre-2.0rc1-py3-none-any",
        gentoo__generic="demo-2.0rc1-py3-none-any demo-1.0-100000generic-py3-none-any b_c-1.0-py3-none-any",
        gentoo__avx=f"demo-1.0-cp311-cp311-{LINUX} demo-1.0-cp310-cp310-{LINUX} demo-1.0-py3-none-any",
        gentoo__avx2="demo-3.0-py3-none-any only-1.0-py3-none-any",
        nix__avx="demo-1.0-py3-none-any",
    )


class TestWhichAndInWhichOrder:
    def test_the_newest_version_of_everything_most_specific_directory_first(self, site: Site) -> None:
        assert shown(site) == [
            "generic/b-c-1.0+site",
            "gentoo/avx/demo-1.0",
            "gentoo/generic/demo-1.0",
            "generic/demo-1.0",
            "generic/pre-2.0rc1",
        ]

    def test_of_one_directory_the_wheel_that_policy_prefers(self, site: Site) -> None:
        assert listing(site, "demo").rows[0].value("filename") == f"demo-1.0-cp311-cp311-{LINUX}.whl"

    def test_a_name_in_any_spelling(self, site: Site) -> None:
        assert shown(site, "B_c") == shown(site, "b.C") == ["generic/b-c-1.0+site"]

    @pytest.mark.parametrize(
        ("text", "versions"),
        [
            ("demo<1", ["0.9"]),
            ("demo==1.0", ["1.0"]),
            ("demo>=1", ["1.0"]),
            ("demo==2.0rc1", ["2.0rc1"]),
            ("demo>=2.0rc1", ["2.0rc1"]),
            ("b-c==1.0", ["1.0+site"]),
            ("b-c==1.0+site", ["1.0+site"]),
            ("b-c===1.0", ["1.0"]),
            ("pre", ["2.0rc1"]),
            ("demo>3", []),
        ],
    )
    def test_a_requirement_means_what_it_means_to_pip(
        self, site: Site, text: str, versions: list[str]
    ) -> None:
        rows = listing(site, text).rows
        assert list(dict.fromkeys(str(row.wheels[0].version) for row in rows)) == versions

    def test_two_requirements_on_one_project_add_up_in_one_order(self, site: Site) -> None:
        both = shown(site, "demo<1", "demo", "d*")
        assert both == [*shown(site, "demo"), "generic/demo-0.9"]
        assert shown(site, "demo", "demo<1") == both

    def test_patterns_match_normalised_names(self, site: Site) -> None:
        assert shown(site, "B_?", "P*") == ["generic/b-c-1.0+site", "generic/pre-2.0rc1"]
        assert shown(site, "[bp]*") == ["generic/b-c-1.0+site", "generic/pre-2.0rc1"]

    def test_files_that_are_no_wheels_are_not_there(self, site: Site) -> None:
        for name in ("demo-9.0-py3-none.whl", "demo-9.0-x-py3-none-any.whl", "demo__-9.0-py3-none-any.whl"):
            Path(site.root, "generic", name).touch()
        Path(site.root, "generic", "demo-x-py3-none-any.whl").touch()
        Path(site.root, "generic", "demo_-9.0-1-1-py3-none-any.whl").touch()
        assert shown(site, "demo")[0] == shown(site)[1] == "gentoo/avx/demo-1.0"

    def test_without_a_root_it_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(NoWheelhouseError):
            listing(Site.default(tmp_path / "gone"))


class TestScope:
    def test_all_versions_with_pre_releases_newest_first(self, site: Site) -> None:
        assert shown(site, "demo", all_versions=True) == [
            "gentoo/generic/demo-2.0rc1",
            "gentoo/avx/demo-1.0",
            "gentoo/generic/demo-1.0",
            "generic/demo-1.0",
            "generic/demo-0.9",
        ]
        assert shown(site, "demo<1", all_versions=True) == ["generic/demo-0.9"]

    def test_all_archs_are_all_directories_of_the_site(self, site: Site) -> None:
        assert shown(site, "demo", all_archs=True) == ["gentoo/avx2/demo-3.0"]
        assert shown(site, "demo<2", all_archs=True) == [
            "gentoo/avx/demo-1.0",
            "nix/avx/demo-1.0",
            "gentoo/generic/demo-1.0",
            "generic/demo-1.0",
        ]
        assert "gentoo/avx2/only-1.0" in shown(site, all_archs=True)

    def test_all_pythons_show_every_wheel(self, site: Site) -> None:
        rows = listing(site, "demo", all_pythons=True).rows
        assert [row.value("python") for row in rows] == ["cp310", "cp311", "py3", "py3", "py3"]

    def test_a_wheel_for_another_python_is_seen_with_all_pythons_only(self, tmp_path: Path) -> None:
        site = put(tmp_path, generic="demo-2.0-cp312-cp312-win_amd64 demo-1.0-py3-none-any")
        assert shown(site, "demo") == ["generic/demo-1.0"]
        assert shown(site, "demo", all_pythons=True) == ["generic/demo-2.0"]

    def test_pythons_are_in_the_order_of_their_versions(self, tmp_path: Path) -> None:
        tags = ["cp39-cp39", "cp310-cp310", "cp312-cp312"]
        names = [f"demo-1.0-{tag}-linux_x86_64.whl" for tag in tags]
        site = make_tree(tmp_path / "order", {"generic": names[:2], "nix/avx": names[2:]})
        rows = listing(site, "demo", all_archs=True, all_pythons=True).rows
        assert [row.value("python") for row in rows] == ["cp312", "cp39", "cp310"]
        (row,) = condensed(rows)
        assert (row.value("python"), row.value("abi")) == (["cp39", "cp310", "cp312"],) * 2

    def test_condensed_a_row_stands_for_a_version(self, site: Site) -> None:
        rows = condensed(listing(site, "demo", all_versions=True, all_archs=True, all_pythons=True).rows)
        assert [row.value("version") for row in rows] == ["3.0", "2.0rc1", "1.0", "0.9"]
        texts = texts_of(rows, ("version", "python", "arch", "layer"))
        assert texts[2] == ("1.0", "cp310,cp311,py3", "avx,generic", "gentoo,nix,none")
        assert rows[2].to_dict()["arch"] == ["avx", "generic"]
        assert rows[2].to_dict()["version"] == "1.0"


class TestWhatPipCouldInstall:
    def test_constraints_of_the_site_and_of_files_count(self, site: Site, tmp_path: Path) -> None:
        (tmp_path / "c.txt").write_text("demo<1\npre<1; python_version < '3'\n")
        root = site.root
        constrained = Site.parse(f'root = "{root}"\n[pip]\nconstraint = "{tmp_path}/c.txt"\n', "site.toml")
        assert shown(constrained, "demo") == ["generic/demo-0.9"]
        assert shown(constrained)[1:] == ["generic/demo-0.9", "generic/pre-2.0rc1"]
        given = read_requirements(str(tmp_path / "c.txt"), {}, constraints=True)
        assert shown(site, "demo", files=given) == ["generic/demo-0.9"]

    def test_pre_of_the_site_lets_pre_releases_in(self, site: Site) -> None:
        eager = Site.parse(f'root = "{site.root}"\n[pip]\npre = true\n', "site.toml")
        assert shown(eager, "demo") == ["gentoo/generic/demo-2.0rc1"]
        assert "gentoo/generic/demo-2.0rc1" in shown(eager)

    def test_what_the_site_says_no_binary_of_is_not_there(self, site: Site) -> None:
        source = Site.parse(f'root = "{site.root}"\n[pip]\nno-binary = ["Demo"]\n', "site.toml")
        assert shown(source) == ["generic/b-c-1.0+site", "generic/pre-2.0rc1"]
        assert [row.name for row in listing(source, "demo").missing] == ["demo"]
        none = Site.parse(
            f'root = "{site.root}"\n[pip]\nno-binary = ":all:"\nonly-binary = "pre"\n', "site.toml"
        )
        assert shown(none) == ["generic/pre-2.0rc1"]


class TestRequiresPython:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        site = make_tree(tmp_path, {"generic": ["demo-1.0-py3-none-any.whl", "demo-2.0-py3-none-any.whl"]})
        make_wheel(tmp_path / "gentoo/avx", "demo-2.0-py3-none-any.whl", requires_python=">=3.99")
        make_wheel(tmp_path / "generic", "demo-3.0-py3-none-any.whl", requires_python=">=3.99")
        return site

    @pytest.mark.parametrize("asked", ["demo", "demo>=0.1", "d*"])
    def test_what_is_asked_for_shows_no_version_that_pip_would_pass_over(
        self, site: Site, asked: str
    ) -> None:
        # Of 2.0 the best build is for another Python: pip does not take the lower one.
        assert shown(site, asked) == ["generic/demo-1.0"]
        assert shown(site, asked, all_versions=True) == ["generic/demo-1.0"]

    def test_nothing_is_opened_for_a_listing_of_everything(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "try_builds", lambda *_: pytest.fail("a wheel was opened"))
        assert shown(site) == ["generic/demo-3.0"]

    def test_nor_for_patterns_that_match_many(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        make_wheel(Path(site.root, "generic"), "double-1.0-py3-none-any.whl")
        assert shown(site, "d*") == ["generic/demo-1.0", "generic/double-1.0"]
        monkeypatch.setattr(module, "CHECKED", 1)
        assert shown(site, "d*") == ["generic/demo-3.0", "generic/double-1.0"]
        assert shown(site, "de*") == ["generic/demo-1.0"]

    def test_a_name_counts_whatever_patterns_match(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "CHECKED", 0)
        assert shown(site, "d*", "demo") == ["generic/demo-1.0"]

    def test_it_is_no_matter_for_all_pythons(self, site: Site) -> None:
        assert shown(site, "demo", all_pythons=True) == ["generic/demo-3.0"]

    def test_in_directories_of_other_hosts_each_wheel_speaks_for_itself(self, site: Site) -> None:
        assert shown(site, "demo", all_archs=True) == ["generic/demo-2.0"]

    def test_a_broken_wheel_that_pip_would_choose_is_a_warning_and_no_row(self, site: Site) -> None:
        broken = Path(site.root, "generic", "demo-4.0-py3-none-any.whl")
        broken.write_bytes(b"PK")
        found = listing(site, "demo", "demo>1")
        assert found.rows == ()  # pip would choose it and fail: not an older one instead
        (warning,) = found.warnings
        assert warning.startswith(f"{broken}: pip would choose it and fail: invalid zip file")
        assert shown(site, "demo", all_versions=True) == ["generic/demo-1.0"]
        assert shown(site, "demo<4") == ["generic/demo-1.0"]
        assert shown(site) == ["generic/demo-4.0"]  # in a listing of everything no file is opened

    @pytest.mark.parametrize("scope", [{}, {"all_versions": True}, {"all_archs": True}], ids=str)
    def test_a_wheel_that_pip_passes_over_is_a_warning_and_no_row(
        self, scope: dict[str, Any], site: Site
    ) -> None:
        passed = make_wheel(
            Path(site.root, "generic"), "demo-1.5-py3-none-any.whl", requires_dist=["foo>=1.0.*"]
        )
        found = listing(site, "demo<2", **scope)
        assert [row.wheels[0].filename for row in found.rows] == ["demo-1.0-py3-none-any.whl"]
        assert found.warnings == (f"{passed}: passed over by pip: invalid Requires-Dist 'foo>=1.0.*'",)

    def test_where_metadata_is_of_something_else_the_next_build_is_there(self, site: Site) -> None:
        foreign = pack(
            Path(site.root, "gentoo/avx/demo-1.0-py3-none-any.whl"),
            with_metadata("demo-1.0-py3-none-any.whl", Version="1.1"),
        )
        for all_archs in (False, True):
            found = listing(site, "demo<2", all_archs=all_archs)
            assert [row.value("directory") for row in found.rows] == ["generic"]
            assert found.warnings == (f"{foreign}: passed over by pip: its METADATA has the version '1.1'",)


class TestNotAvailable:
    def test_a_requirement_that_nothing_serves_is_a_row_of_its_own(self, site: Site) -> None:
        found = listing(site, "zzz", "demo>=4,!=5", "demo")
        assert [(row.name, row.wanted, row.wheels) for row in found.missing] == [
            ("demo", "!=5,>=4", ()),
            ("zzz", "", ()),
        ]
        assert len(found.rows) == 3
        told = found.missing[0].to_dict()
        assert tuple(told) == COLUMNS
        assert {key: value for key, value in told.items() if value is not None} == {
            "name": "demo",
            "state": "not available",
            "wanted": "!=5,>=4",
        }
        assert texts_of(found.missing, ("name", "version", "layer", "wanted")) == [
            ("demo", "", "", "!=5,>=4"),
            ("zzz", "", "", "any"),
        ]

    def test_a_pattern_that_matches_nothing_installable(self, site: Site) -> None:
        found = listing(site, "zz*", "onl?", "d*")
        assert (found.unmatched, found.missing) == (("zz*", "onl?"), ())

    def test_a_requirement_for_other_pythons_is_not_missing(self, site: Site) -> None:
        found = listing(site, "zzz; python_version < '3'", "demo")
        warning = 'ignored zzz; python_version < "3": its marker does not hold for this Python'
        assert (found.missing, found.warnings[-1]) == ((), warning)
        assert {row.name for row in found.rows} == {"demo"}

    def test_nothing_but_what_is_ignored_is_not_everything(self, site: Site) -> None:
        assert shown(site, "demo; python_version < '3'") == []


class TestValues:
    def test_of_a_wheel(self, tmp_path: Path) -> None:
        name = "A.b-1!1.0rc1+site.2-400007avx2-py2.py3-none-any"
        put(tmp_path, gentoo__avx=name)
        (row,) = listing(Site.default(tmp_path)).rows
        assert row.to_dict() == {
            "name": "a-b",
            "version": "1!1.0rc1",
            "local": "site.2",
            "build": "400007avx2",
            "python": "py2.py3",
            "abi": "none",
            "platform": "any",
            "arch": "avx",
            "layer": "gentoo",
            "rank": 300,
            "directory": "gentoo/avx",
            "filename": f"{name}.whl",
            "path": f"{tmp_path}/gentoo/avx/{name}.whl",
            "state": "available",
            "wanted": None,
        }
        assert texts_of([row], COLUMNS) == [tuple(str(v or "") for v in row.to_dict().values())]

    def test_equal_versions_are_one_version_each_as_it_is_written(self, tmp_path: Path) -> None:
        rows = listing(
            put(tmp_path, gentoo__avx="demo-1.0-py3-none-any", generic="demo-1.0.0-py3-none-any")
        ).rows
        assert [row.value("version") for row in rows] == ["1.0", "1.0.0"]
        assert [row.value("version") for row in condensed(rows)] == ["1.0"]

    def test_where_there_is_none(self, tmp_path: Path) -> None:
        (row,) = listing(put(tmp_path, generic="demo-1.0-py3-none-any")).rows
        told = row.to_dict(("local", "build", "layer"))
        assert told == {"local": None, "build": None, "layer": None}
        assert texts_of([row], told) == [("", "", "none")]


@pytest.mark.parametrize("text", ["py*;", "py*[x]@y", "py* x", "py*;os_name", "py*==x", "py*>=1.*"])
def test_a_pattern_has_versions_and_nothing_else(text: str) -> None:
    with pytest.raises(InvalidRequirementError, match=r"invalid specifier|pattern"):
        wanted_of([text], RequirementsFile())


@pytest.mark.parametrize(
    ("texts", "versions", "found"),
    [
        (["*emo*==1.0"], "", ["1.0+site"]),
        (["d*<2,!=1.0"], "", ["0.9"]),
        (["[!a]emo >= 1.0.dev0, < 2"], "", ["1.0+site"]),
        (["demo*==2.0rc1"], "", ["2.0rc1"]),
        (["de* ~=0.9", "*mo==0.9"], "", ["0.9"]),
        (["d*==0.9", "demo==1.0"], "", ["1.0+site", "0.9"]),
        (["demo", "d*"], "0.*", ["0.9"]),
        (["demo<2"], ">=1", ["1.0+site"]),
        (["demo<1"], ">=1", []),
    ],
    ids=str,
)
def test_versions_of_patterns_and_of_all_that_is_asked_for(
    texts: list[str], versions: str, found: list[str], tmp_path: Path
) -> None:
    names = [f"demo-{each}-py3-none-any" for each in ("0.9", "1.0", "1.0+site", "2.0rc1")]
    site = put(tmp_path, generic=" ".join(names))
    rows = avail(Wheelhouse(site), HOST, wanted_of(texts, RequirementsFile(), versions), Scope()).rows
    assert [str(row.wheels[0].version) for row in rows] == found


@pytest.mark.parametrize("text", ["demo==1.*", "demo[fast]", "demo !=1.*", "demo; extra == '*'"])
def test_a_star_behind_the_name_makes_no_pattern(text: str) -> None:
    wanted = wanted_of([text], RequirementsFile())
    assert wanted.patterns == ()
    assert wanted.files.requirements == (parse_requirement(text),)


_NAMES = st.builds(
    "{}-{}{}-{}.whl".format,
    st.sampled_from(["demo", "Demo", "other", "a_b", "A.b"]),
    st.sampled_from(["0.9", "1.0.dev1", "1.0rc1", "1.0", "1.0.0", "1.0+site", "1.0.post1", "2.0a1", "1!0"]),
    st.sampled_from(["", "-1", "-1a", "-10", "-300000avx"]),
    st.sampled_from(
        [
            "py3-none-any",
            f"cp311-cp311-{LINUX}",
            f"cp37-abi3-{LINUX}",
            f"cp312-cp312-{LINUX}",
            f"py2.py3-none-{LINUX}",
        ]
    ),
)
_LABELS = st.sampled_from(
    ["generic", "gentoo/generic", "gentoo/sse3", "gentoo/avx", "gentoo/avx2", "nix/avx"]
)
_REQUIRES = st.sampled_from([None, None, ">=3.8", ">=3.99"])


@settings(max_examples=80, deadline=None)
@given(
    wheels=st.dictionaries(st.tuples(_LABELS, _NAMES), _REQUIRES, max_size=12),
    specifier=st.sampled_from(["", "", "<1.0", "==1.0", ">=1.0rc1", "===1.0", "!=1.0", "<=1.0"]),
    pre=st.booleans(),
)
def test_the_first_row_of_a_project_is_what_pick_picks(
    tmp_path_factory: pytest.TempPathFactory,
    wheels: dict[tuple[str, str], str | None],
    specifier: str,
    pre: bool,
) -> None:
    root = tmp_path_factory.mktemp("tree")
    make_tree(root, {})
    for (label, filename), requires in wheels.items():
        make_wheel(root / label, filename, requires_python=requires)
    site = Site.parse(f'root = "{root}"\n[pip]\npre = {str(pre).lower()}\n', "site.toml")
    projects = ("demo", "other", "a-b")
    found = listing(site, *(f"{project}{specifier}" for project in projects))
    first = {name: next(rows).wheels[0].path for name, rows in groupby(found.rows, lambda row: row.name)}
    picks = {name: pick(Wheelhouse(site), f"{name}{specifier}", HOST).best for name in projects}
    assert first == {name: best.path for name, best in picks.items() if best is not None}
    assert {row.name for row in found.missing} == {name for name, best in picks.items() if best is None}
    if not specifier:
        assert listing(site, "*").rows == found.rows
    if all(requires != ">=3.99" for requires in wheels.values()):
        assert specifier or listing(site).rows == found.rows
        every = listing(site, *(f"{project}{specifier}" for project in projects), all_versions=True).rows
        assert {*found.rows} <= {*every}


class TestStockPip:
    """What is listed is what a real pip finds."""

    HERE = f"cp{sys.version_info.major}{sys.version_info.minor}"
    RUNNING = Host(arch="avx", layer="gentoo")

    @pytest.fixture
    def site(self, tmp_path: Path) -> Site:
        here = f"{self.HERE}-{self.HERE}-{LINUX}"
        return make_tree(
            tmp_path / "tree",
            {
                "generic": [
                    "alpha-1.0-1000generic-py3-none-any.whl",
                    "alpha-1.2-1000generic-py3-none-any.whl",
                    "alpha-1.10-1000generic-py3-none-any.whl",
                    "alpha-2.0rc1-1000generic-py3-none-any.whl",
                    "beta-1.0rc1-1000generic-py3-none-any.whl",
                    "beta-1.0rc2-1000generic-py3-none-any.whl",
                    f"gamma-1.0+site-1000generic-{here}.whl",
                    "gamma-9.0-1000generic-cp27-cp27mu-win_amd64.whl",
                ],
                "gentoo/avx": [
                    "alpha-1.10-300000avx-py3-none-any.whl",
                    f"gamma-1.0+site-300000avx-{here}.whl",
                ],
                "gentoo/avx2": ["alpha-5.0-400000avx2-py3-none-any.whl"],
            },
        )

    def test_the_versions(self, site: Site, tmp_path: Path) -> None:
        environ = self._environ(site, tmp_path)
        for project in ("alpha", "beta", "gamma"):
            done = run_pip("index", "versions", "--pre", project, environ=environ)
            (line,) = [text for text in done.stdout.splitlines() if text.startswith("Available versions: ")]
            found = avail(
                Wheelhouse(site),
                self.RUNNING,
                wanted_of([project], RequirementsFile()),
                Scope(all_versions=True),
            )
            ours = dict.fromkeys(str(row.wheels[0].version) for row in found.rows)
            assert line.partition(": ")[2].split(", ") == [*ours]

    def test_what_it_installs_is_the_first_row(self, site: Site, tmp_path: Path) -> None:
        asked = ["alpha<2", "beta", "gamma==1.0"]
        found = avail(Wheelhouse(site), self.RUNNING, wanted_of(asked, RequirementsFile()), Scope())
        first = {name: next(rows).wheels[0].path for name, rows in groupby(found.rows, lambda row: row.name)}
        installed = pip_report("--no-deps", *asked, environ=self._environ(site, tmp_path))
        assert {name: file_url(path) for name, path in first.items()} == installed
        assert len(installed) == 3

    def _environ(self, site: Site, tmp_path: Path) -> dict[str, str]:
        config = tmp_path / "pip.conf"
        config.write_text(pip_config(site, self.RUNNING, offline=True).render("ini"))
        return pip_environ(PIP_CONFIG_FILE=str(config))


def test_the_values_are_fit_for_json(site: Site) -> None:
    for row in (*listing(site).rows, *condensed(listing(site).rows), *listing(site, "zzz").missing):
        assert json.loads(json.dumps(row.to_dict())) == row.to_dict()
