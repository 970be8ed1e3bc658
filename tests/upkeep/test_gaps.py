from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_tree, make_wheel, plain_python
from wheelhouse_resolver.errors import UnknownNameError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.resolution.resolver import solve
from wheelhouse_resolver.selection.requirements import Requirement
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.upkeep.coverage import Coverage
from wheelhouse_resolver.upkeep.gap import Gap, Gaps
from wheelhouse_resolver.upkeep.gaps import find_gaps as find
from wheelhouse_resolver.wheelfile.metadata_cache import CoreMetadata, cached_metadata_of_many
from wheelhouse_resolver.wheelhouse import Wheelhouse

MACHINE = os.uname().machine
NATIVE = f"cp311-cp311-linux_{MACHINE}"


def host(python: str = "3.14", arch: str = "avx2", layer: str | None = "gentoo") -> Host:
    return Host(arch=arch, layer=layer, python=plain_python(python))


def gaps(site: Site, *patterns: str, like: tuple[str, ...] = (), **of_host: str) -> Gaps:
    return Wheelhouse(site).gaps(host(**of_host), patterns, like=like)


def names(found: Gaps) -> list[str]:
    return [row.name for row in found.rows]


def covered(found: Gaps) -> dict[str, str]:
    return {row.name: row.state.value for row in found.covered}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    found = make_tree(
        tmp_path / "house",
        {
            "generic": ["pure-1.0-py3-none-any.whl", "old_pure-1.0-py3-none-any.whl"],
            "gentoo/avx2": [
                f"stable-1.0-cp39-abi3-linux_{MACHINE}.whl",
                f"native-2.0-{NATIVE}.whl",
                f"native-1.0-{NATIVE}.whl",
                f"native-1.0-cp314-cp314-linux_{MACHINE}.whl",
                f"built-3.0-{NATIVE}.whl",
                f"built-3.0+site-cp314-cp314-linux_{MACHINE}.whl",
            ],
            "nix/avx": [f"elsewhere-0.5-{NATIVE}.whl"],
        },
    )
    make_wheel(tmp_path / "house/generic", "old_pure-2.0-py3-none-any.whl", requires_python=">=3.8,<3.14")
    return found


def test_what_is_missing_what_is_older_and_what_pure_and_abi3_wheels_serve(site: Site) -> None:
    found = gaps(site)
    assert {row.name: (row.state, row.has, row.requirement) for row in found.rows} == {
        "elsewhere": (Coverage.MISSING, None, "elsewhere==0.5"),
        "native": (Coverage.OLDER, "1.0", "native==2.0"),
        # A pure wheel whose METADATA bars this Python is a gap; to ask for its version would be in vain.
        "old-pure": (Coverage.OLDER, "1.0", "old-pure"),
    }
    assert covered(found) == {"built": "platform", "pure": "pure", "stable": "abi3"}
    assert next(row.barred for row in found.rows if row.name == "old-pure") == ">=3.8,<3.14"
    elsewhere = found.rows[0]
    assert (elsewhere.pythons, elsewhere.archs, elsewhere.layers) == (["3.11"], ["avx"], ["nix"])


def test_for_a_python_that_they_were_built_for_only_another_layers_is_a_gap(site: Site) -> None:
    assert names(gaps(site, python="3.11")) == ["elsewhere"]


def test_an_arch_with_fewer_directories_has_more_gaps(site: Site) -> None:
    assert names(gaps(site, python="3.11", arch="sse3")) == ["built", "elsewhere", "native", "stable"]


@pytest.mark.parametrize(
    ("like", "of_host", "expected"),
    [
        (("3.11",), {}, ["native", "old-pure"]),
        (("3.13",), {}, ["old-pure"]),
        (("nix",), {"python": "3.11"}, ["elsewhere"]),
        (("nix, avx",), {"python": "3.11"}, ["elsewhere"]),
        (("nix", "sse3"), {"python": "3.11"}, []),
        (("avx2",), {"python": "3.11", "arch": "sse3"}, ["built", "native", "stable"]),
        (("none",), {}, ["old-pure"]),
    ],
    ids=str,
)
def test_like_says_who_the_others_are(
    like: tuple[str, ...], of_host: dict[str, str], expected: list[str], site: Site
) -> None:
    assert names(gaps(site, like=like, **of_host)) == expected


def test_an_unknown_name_of_the_others(site: Site) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown name 'gento': this site has X\.Y, nix, gentoo"):
        gaps(site, like=("gento",))


def test_patterns(site: Site) -> None:
    found = gaps(site, "Old.*", "zz*")
    assert (names(found), found.unmatched) == (["old-pure"], ("zz*",))


def test_the_constraints_of_the_site_count(site: Site, tmp_path: Path) -> None:
    (tmp_path / "limits.txt").write_text("native<2\n")
    limited = site._replace(pip={"constraint": (str(tmp_path / "limits.txt"),)})
    assert "native" not in names(gaps(limited))


def test_pre_releases_count_as_pip_counts_them(tmp_path: Path) -> None:
    site = make_tree(
        tmp_path,
        {
            "nix/avx": [f"some-2.0rc1-{NATIVE}.whl", f"only-1.0rc1-{NATIVE}.whl"],
            "generic": ["some-1.0-py3-none-any.whl"],
        },
    )
    assert names(gaps(site)) == ["only"]
    eager = site._replace(pip={"pre": True})
    assert names(gaps(eager)) == ["only", "some"]


def test_the_order_of_building(tmp_path: Path) -> None:
    """By what METADATA requires for this Python, also by way of wheels that exist; cycles are together."""
    site = make_tree(tmp_path, {})
    needs = {
        "app": ["frame[fast]", "never; python_version < '3'", "not a requirement !"],
        "aleph": ["beth"],
        "beth": ["aleph", "zero"],
        "never": [],
        "zero": [],
        "plot": [],
    }
    for name, requires in needs.items():
        make_wheel(tmp_path / "nix/avx", f"{name}-1.0-{NATIVE}.whl", requires_dist=requires)
    frame = ["plot; extra == 'fast'", "never; extra == 'slow'"]
    make_wheel(
        tmp_path / "generic", "frame-1.0-py3-none-any.whl", requires_dist=frame, extras=["fast", "slow"]
    )
    rows = gaps(site).rows
    waves = [("never", 1), ("plot", 1), ("zero", 1), ("aleph", 2), ("beth", 2), ("app", 2)]
    assert [(row.name, row.wave) for row in rows] == waves
    by_name: dict[str, Gap] = {row.name: row for row in rows}
    assert by_name["app"].needs == ("plot",)
    assert (by_name["beth"].needs, by_name["beth"].cycle) == (("aleph", "zero"), ("aleph",))


class Elsewhere:
    """A site of which only another layer has native wheels; `gaps` of its host, by key."""

    def __init__(self, root: Path) -> None:
        self.root, self.site = root, make_tree(root, {})

    def have(self, *wheels: str, label: str = "nix/avx", tag: str = NATIVE) -> None:
        """Each of *wheels* is `name version: requirement, ...`."""
        for each in wheels:
            stated, _, requires = each.partition(": ")
            name = f"{stated.replace(' ', '-')}-{tag}.whl"
            make_wheel(self.root / label, name, requires_dist=[*filter(None, requires.split(", "))])

    def gaps(self, *patterns: str) -> dict[str, tuple[int, tuple[str, ...], str]]:
        return {row.key: (row.wave, row.needs, row.note) for row in gaps(self.site, *patterns).rows}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    return Elsewhere(tmp_path)


#: What the host can install, and what has its METADATA read for that alone.
PURE = {"label": "generic", "tag": "py3-none-any"}


def test_other_versions_that_something_requires_are_gaps_too(elsewhere: Elsewhere) -> None:
    """For what the host has, too, and with what they need. Once all is built, each can be installed."""
    elsewhere.have("a 1.0: b<2", "b 2.0", "b 1.5: d", "b 1.0", "d 1.0", "over 1.0: a, b", "new 1.0: b>=2")
    elsewhere.have("plain 1.0: b[more]==1.0", **PURE)
    assert elsewhere.gaps() == {
        "b": (1, (), ""),
        "b==1.0": (1, (), "for plain"),
        "d": (1, (), ""),
        "b==1.5": (2, ("d",), "for a"),
        "new": (2, ("b",), ""),
        "a": (3, ("b==1.5",), ""),
        "over": (4, ("a", "b==1.5"), ""),
    }
    wheelhouse = Wheelhouse(elsewhere.site)
    assert wheelhouse.lock(["plain"], host()).conflict is not None
    for row in wheelhouse.gaps(host()).rows:
        requires = cached_metadata_of_many([row.wheels[0].path]).popitem()[1].requires_dist
        name = f"{row.name}-{row.version}-cp314-cp314-linux_{MACHINE}.whl"
        make_wheel(elsewhere.root / "gentoo/avx2", name, requires_dist=requires)
    assert not wheelhouse.gaps(host()).rows
    for project in ("a", "b", "d", "over", "new", "plain"):
        assert wheelhouse.lock([project], host()).conflict is None


@pytest.mark.parametrize(
    ("present", "others", "expected"),
    [
        (["b 1.0"], ["a 1.0: b<2"], {"a": ""}),  # the host has one that will do: the newest is not needed
        (["b 1.5"], ["a 1.0: b<1.5"], {"a": "", "b==1.0": "for a"}),
        (
            [],
            ["a 1.0: e", "e 1.0: b[more]<2", "b 1.1: d; extra == 'more'"],
            {"a": "", "e": "", "b==1.1": "for e"},
        ),
        ([], ["a 1.0: b>=3, nobody"], {"a": "unmet: b>=3"}),
        ([], ["a 1.0: b>=3, d<2", "d 2.0", "d 1.0"], {"a": "unmet: b>=3", "d": "", "d==1.0": "for a"}),
        (
            [],
            ["a 1.0: b<2", "c 1.0: a, b>=2"],
            {"a": "", "b==1.0": "for a", "c": "unmet: b<2 (of a), b>=2 (of c)"},
        ),
        # An older version of what it needs will do.
        (
            [],
            ["a 1.0", "a 2.0: b<2", "c 1.0: a, b>=2"],
            {"a": "", "a==1.0": "for c", "b==1.0": "for a", "c": ""},
        ),
        # Two that go with other versions by themselves than together.
        (
            [],
            ["a 1.0: b<2", "e 1.0: b!=2.0, b>1.0", "b 1.1", "f 1.0: b==1.0", "g 1.0: a, f"],
            {"a": "", "e": "", "f": "", "g": "", "b==1.0": "for a, f", "b==1.1": "for a, e"},
        ),
    ],
    ids=["present", "older", "extra", "nobody", "nobody and another", "conflict", "older one", "several"],
)
def test_versions_that_something_requires(
    present: list[str], others: list[str], expected: dict[str, str], elsewhere: Elsewhere
) -> None:
    elsewhere.have("b 2.0", "b 1.0", *others)
    elsewhere.have(*present, label="gentoo/avx2", tag=f"cp314-cp314-linux_{MACHINE}")
    assert {key: note for key, (_, _, note) in elsewhere.gaps().items()} == {"b": "", **expected}


def test_a_pattern_is_for_what_needs_other_versions(elsewhere: Elsewhere) -> None:
    elsewhere.have("a 1.0: b<2", "b 2.0", "b 1.0: d", "d 1.0", "over 1.0: a", "other 1.0: b==2.0")
    assert elsewhere.gaps("ov*") == {"b==1.0": (1, (), "for a"), "over": (2, ("b==1.0",), "")}
    assert elsewhere.gaps("other") == {"other": (1, (), "")}


def test_the_constraints_and_requires_python_count_for_other_versions(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.have("a 1.0: b<2", "b 2.0", "b 1.0")
    make_wheel(tmp_path / "nix/avx", f"b-1.5-{NATIVE}.whl", requires_python="<3.14")
    assert elsewhere.gaps()["b==1.0"] == (1, (), "for a")
    (tmp_path / "limits.txt").write_text("b!=1.0\n")
    limited = elsewhere.site._replace(pip={"constraint": (str(tmp_path / "limits.txt"),)})
    notes = {row.key: row.note for row in gaps(limited).rows}
    assert notes == {"a": "unmet: Python <3.14 (of b)", "b": ""}


def test_resolvelib_is_asked_about_what_rules_out_a_version_alone(
    elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.have("a 1.0: b", "b 2.0", "b 1.0", "c 1.0: b>=1, a==1.0")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "wheelhouse_resolver.upkeep.together", None)  # not importable
        assert [*elsewhere.gaps()] == ["b", "a", "c"]
    elsewhere.have("d 1.0: b<2", "over 1.0: d, b", "conflict 1.0: d, b>=2")
    asked: list[str] = []

    def noting(factory: Any, requirements: Sequence[Requirement], rounds: int) -> Any:
        asked.extend(map(str, requirements))
        return solve(factory, requirements, rounds)

    monkeypatch.setattr("wheelhouse_resolver.upkeep.together.solve", noting)
    elsewhere.gaps()
    assert asked == ["d==1.0", "conflict==1.0"]
    monkeypatch.setattr("wheelhouse_resolver.upkeep.together._ALL_ROUNDS", 0)
    assert elsewhere.gaps()["conflict"][2] == "unmet: the search was given up"
    assert elsewhere.gaps()["b==1.0"][2] == "for d"  # that took no search


def test_a_wheel_that_cannot_be_read_is_a_gap_with_a_warning(tmp_path: Path) -> None:
    site = make_tree(tmp_path, {})
    broken = tmp_path / f"nix/avx/broken-1.0-{NATIVE}.whl"
    broken.write_bytes(b"no zip")
    found = gaps(site)
    assert names(found) == ["broken"]
    assert found.warnings == (f"{broken}: its METADATA cannot be read, so what it requires is unknown",)


def test_of_each_project_the_wheel_that_counts_is_read_and_those_that_may_bar_the_python(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def noting(paths: Iterable[str]) -> dict[str, CoreMetadata]:
        several = list(paths)
        read.extend(map(os.path.basename, several))
        return cached_metadata_of_many(several)

    monkeypatch.setattr("wheelhouse_resolver.upkeep.gaps.cached_metadata_of_many", noting)
    gaps(site)
    assert sorted(read) == [
        f"built-3.0+site-cp314-cp314-linux_{MACHINE}.whl",
        f"elsewhere-0.5-{NATIVE}.whl",
        f"native-1.0-cp314-cp314-linux_{MACHINE}.whl",  # whether the older one can be installed
        f"native-2.0-{NATIVE}.whl",
        "old_pure-1.0-py3-none-any.whl",
        "old_pure-2.0-py3-none-any.whl",
        "pure-1.0-py3-none-any.whl",
        f"stable-1.0-cp39-abi3-linux_{MACHINE}.whl",
    ]


def test_the_loader_is_asked_where_the_others_are_of_another_layer(site: Site) -> None:
    asked: list[str] = []

    def tried(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
        asked.extend(paths)
        return {asked[0]: ("libold.so.1",)}

    found = find(Wheelhouse(site), host(python="3.11"), like=["nix"], tried=tried)
    assert [os.path.basename(each) for each in asked] == [f"elsewhere-0.5-{NATIVE}.whl"]
    assert found.rows[0].libraries == ("libold.so.1",)
    assert found.rows[0].note == "not found: libold.so.1"
    asked.clear()
    find(Wheelhouse(site), host(python="3.14"), like=["3.11"], tried=tried)
    assert not asked
