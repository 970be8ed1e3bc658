from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.factories import make_tree, make_wheel, plain_python
from wheelhouse_resolver.errors import UnknownNameError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.upkeep.coverage import Coverage
from wheelhouse_resolver.upkeep.gaps import Gap, Gaps
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


def test_a_wheel_that_cannot_be_read_is_a_gap_with_a_warning(tmp_path: Path) -> None:
    site = make_tree(tmp_path, {})
    broken = tmp_path / f"nix/avx/broken-1.0-{NATIVE}.whl"
    broken.write_bytes(b"no zip")
    found = gaps(site)
    assert names(found) == ["broken"]
    assert found.warnings == (f"{broken}: its METADATA cannot be read, so what it requires is unknown",)


def test_only_wheels_of_gaps_and_those_that_may_bar_the_python_are_read(
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
