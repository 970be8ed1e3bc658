from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import REAL_LAYOUT
from wheelhouse_resolver.errors import InvalidSiteError, UnknownArchError, UnknownLayerError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.site.layout import (
    BUILTIN_LADDER,
    BUILTIN_LAYERS,
    GENERIC,
    Arch,
    Directory,
    Layer,
    SearchPath,
)
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.ranks import assign_ranks, rank_offsets

BUILTIN = Site.default("/wheelhouse")

#: A site with a layer of two directories, one with directory names of its own, and a search table.
THREE_LAYERS = Site.parse(REAL_LAYOUT, "site.toml", root="/cvmfs/soft.example.org/custom/python/wheelhouse")

#: A site with no OS layers: its arch directories stand at the root.
NO_LAYERS = Site(
    root="/w",
    layers=(Layer(name="plain", directories=(".",), archs=("avx2", "avx512"), default=True),),
)

#: A site with nodes of three CPU families.
THREE_FAMILIES = Site.parse(
    """
    root = "/w"
    [[arch]]
    name = "avx2"
    [[arch]]
    name = "avx512"
    [[arch]]
    name = "neoverse_n1"
    target = "neoverse_n1"
    [[arch]]
    name = "neoverse_v1"
    target = "neoverse_v1"
    [[arch]]
    name = "power10"
    target = "power10le"
    [[layer]]
    name = "soft"
    """,
    "site.toml",
)


def labels(path: SearchPath | tuple[Directory, ...]) -> list[str]:
    return [directory.label for directory in path]


def ranks(site: Site) -> dict[str, int]:
    return {directory.label: directory.rank for directory in site.directories()}


# -- the built-in site ---------------------------------------------------------------------------------


def test_the_built_in_site_has_these_directories_and_ranks() -> None:
    expected = {"generic": 1}
    for layer in ("nix", "gentoo"):
        for arch, rank in (("generic", 100), ("sse3", 200), ("avx", 300), ("avx2", 400), ("avx512", 500)):
            expected[f"{layer}/{arch}"] = rank
    assert ranks(BUILTIN) == expected


@pytest.mark.parametrize(
    ("layer", "arch", "expected"),
    [
        pytest.param(
            "gentoo",
            "avx512",
            ["gentoo/avx512", "gentoo/avx2", "gentoo/avx", "gentoo/sse3", "gentoo/generic", "generic"],
            id="avx512-on-gentoo",
        ),
        pytest.param("nix", "avx", ["nix/avx", "nix/sse3", "nix/generic", "generic"], id="avx-on-nix"),
        pytest.param("nix", "generic", ["nix/generic", "generic"], id="below-the-ladder"),
        pytest.param(None, "avx512", ["generic"], id="no-layer"),
        pytest.param("none", "avx512", ["generic"], id="no-layer-by-name"),
    ],
)
def test_the_search_path_of_the_built_in_site(layer: str | None, arch: str, expected: list[str]) -> None:
    assert labels(BUILTIN.search_path_for(layer, arch)) == expected


def test_a_search_path_knows_paths_archs_layer_and_ranks() -> None:
    path = BUILTIN.search_path_for("gentoo", "sse3")
    assert [directory.to_dict() for directory in path] == [
        {"path": "/wheelhouse/gentoo/sse3", "layer": "gentoo", "arch": "sse3", "rank": 200},
        {"path": "/wheelhouse/gentoo/generic", "layer": "gentoo", "arch": "generic", "rank": 100},
        {"path": "/wheelhouse/generic", "layer": None, "arch": "generic", "rank": 1},
    ]
    assert (path.layer, path.arch) == ("gentoo", "sse3")


def test_a_stated_host_searches_all_archs_below_its_own() -> None:
    path = BUILTIN.search_path(Host(arch="avx", layer="nix"))
    assert labels(path) == ["nix/avx", "nix/sse3", "nix/generic", "generic"]


def test_a_host_searches_only_archs_that_it_can_run() -> None:
    # A guest whose hypervisor masks AVX but not AVX2's successors: unlikely, not impossible.
    path = BUILTIN.search_path(Host(arch="avx2", layer="nix", archs=("sse3", "avx2")))
    assert labels(path) == ["nix/avx2", "nix/sse3", "nix/generic", "generic"]


def test_the_default_site_makes_its_root_absolute(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Site.default("here").root == str(tmp_path / "here")


# -- a site with several directories a layer, and names of its own ---------------------------------------


def test_directories_of_a_layer_are_searched_side_by_side_arch_by_arch() -> None:
    path = THREE_LAYERS._replace(search={}).search_path_for("gentoo2020", "avx512")
    assert labels(path) == [
        "gentoo2020/avx512",
        "gentoo/avx512",
        "gentoo2020/avx2",
        "gentoo/avx2",
        "gentoo2020/avx",
        "gentoo/avx",
        "gentoo2020/sse3",
        "gentoo/sse3",
        "gentoo2020/generic",
        "gentoo/generic",
        "generic",
    ]
    assert [directory.rank for directory in path] == [501, 500, 401, 400, 301, 300, 201, 200, 101, 100, 1]


@pytest.mark.parametrize(
    ("layer", "arch", "expected"),
    [
        pytest.param(
            "gentoo2020",
            "avx512",
            [
                ("gentoo2020/avx512", 501),
                ("gentoo/avx512", 500),
                ("gentoo2020/avx2", 401),
                ("gentoo/avx2", 400),
                ("gentoo2020/generic", 101),
                ("gentoo/generic", 100),
                ("generic", 1),
            ],
            id="gentoo2020-avx512",
        ),
        pytest.param(
            "gentoo2020",
            "avx",
            [
                ("gentoo2020/avx", 301),
                ("gentoo/avx", 300),
                ("gentoo2020/generic", 101),
                ("gentoo/generic", 100),
                ("generic", 1),
            ],
            id="gentoo2020-avx",
        ),
        pytest.param(
            "gentoo2020",
            "sse3",
            [
                ("gentoo2020/sse3", 201),
                ("gentoo/sse3", 200),
                ("gentoo2020/generic", 101),
                ("gentoo/generic", 100),
                ("generic", 1),
            ],
            id="gentoo2020-sse3-not-in-the-table",
        ),
        pytest.param(
            "gentoo2023",
            "avx512",
            [
                ("gentoo2023/x86-64-v4", 500),
                ("gentoo2023/x86-64-v3", 400),
                ("gentoo2023/generic", 100),
                ("generic", 1),
            ],
            id="gentoo2023-avx512",
        ),
        pytest.param(
            "gentoo2023",
            "avx2",
            [("gentoo2023/x86-64-v3", 400), ("gentoo2023/generic", 100), ("generic", 1)],
            id="gentoo2023-avx2",
        ),
        pytest.param(
            "gentoo2023",
            "avx",
            [("gentoo2023/generic", 100), ("generic", 1)],
            id="gentoo2023-below-the-layer's-archs",
        ),
        pytest.param("nix", "avx2", [("nix/avx2", 400), ("nix/generic", 100), ("generic", 1)], id="nix-avx2"),
        pytest.param(None, "avx512", [("generic", 1)], id="no-layer"),
    ],
)
def test_the_search_table_and_the_layers_own_names(
    layer: str | None, arch: str, expected: list[tuple[str, int]]
) -> None:
    path = THREE_LAYERS.search_path_for(layer, arch)
    assert [(directory.label, directory.rank) for directory in path] == expected


def test_the_arch_that_counts_is_the_highest_that_the_layer_has() -> None:
    # gentoo2023 begins at avx2, and a table that limits avx says nothing about this host's generic.
    assert THREE_LAYERS.search_path_for("gentoo2023", "avx").arch == GENERIC
    site = THREE_LAYERS._replace(
        layers=(Layer(name="old", directories=("old",), archs=("sse3", "avx", "avx2")),)
    )
    path = site.search_path_for("old", "avx512")
    assert (path.arch, labels(path)) == ("avx2", ["old/avx2", "old/generic", "generic"])


@pytest.mark.parametrize("name", ["avx2", "x86-64-v3"])
def test_an_arch_is_understood_by_the_ladders_name_and_by_the_layers_own(name: str) -> None:
    found = THREE_LAYERS.arch(name)
    assert found is not None
    assert found.name == "avx2"
    assert labels(THREE_LAYERS.search_path_for("gentoo2023", name))[0] == "gentoo2023/x86-64-v3"


def test_where_layers_disagree_about_a_name_the_layer_in_question_counts() -> None:
    old = Layer(name="old", directories=("old",), archs=("avx", "avx2"), names=(("avx", "fast"),))
    new = Layer(name="new", directories=("new",), archs=("avx", "avx2"), names=(("avx2", "fast"),))
    site = Site(root="/w", layers=(old, new))
    assert site.search_path_for("old", "fast").arch == "avx"
    assert site.search_path_for("new", "fast").arch == "avx2"


def test_an_unknown_arch_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownArchError) as caught:
        THREE_LAYERS.search_path_for("nix", "avx3")
    assert str(caught.value) == (
        "unknown arch 'avx3': this site has generic, sse3, avx, avx2, avx512, x86-64-v3, x86-64-v4"
    )


def test_an_unknown_layer_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UnknownLayerError) as caught:
        BUILTIN.search_path(Host(layer="guix"))
    assert str(caught.value) == "unknown layer 'guix': this site has nix, gentoo, none"


# -- other shapes of site --------------------------------------------------------------------------------


def test_a_site_without_layers_has_its_archs_beside_generic() -> None:
    path = NO_LAYERS.search_path_for("plain", "avx512")
    assert [(d.label, d.rank, d.layer) for d in path] == [
        ("avx512", 500, "plain"),
        ("avx2", 400, "plain"),
        ("generic", 1, None),
    ]
    assert [directory.path for directory in path] == ["/w/avx512", "/w/avx2", "/w/generic"]


def test_a_site_without_layers_has_generic_once() -> None:
    assert ranks(NO_LAYERS) == {"avx512": 500, "avx2": 400, "generic": 1}


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ("avx512", ["soft/avx512", "soft/avx2", "soft/generic", "generic"]),
        ("neoverse_v1", ["soft/neoverse_v1", "soft/neoverse_n1", "soft/generic", "generic"]),
        ("power10", ["soft/power10", "soft/generic", "generic"]),
    ],
)
def test_a_host_searches_no_arch_of_another_cpu_family(arch: str, expected: list[str]) -> None:
    assert labels(THREE_FAMILIES.search_path_for("soft", arch)) == expected


def test_archs_of_several_families_share_one_order_of_ranks() -> None:
    assert ranks(THREE_FAMILIES) == {
        "soft/power10": 800,
        "soft/neoverse_v1": 700,
        "soft/neoverse_n1": 600,
        "soft/avx512": 500,
        "soft/avx2": 400,
        "soft/generic": 100,
        "generic": 1,
    }


def test_layers_may_share_a_directory_which_then_has_one_rank() -> None:
    site = Site(
        root="/w",
        layers=(
            Layer(name="old", directories=("old", "common"), archs=("avx",)),
            Layer(name="new", directories=("new", "old", "common"), archs=("avx",)),
        ),
    )
    path = site.search_path_for("old", "avx")
    assert [(d.label, d.rank) for d in path][:2] == [("old/avx", 301), ("common/avx", 300)]
    path = site.search_path_for("new", "avx")
    assert [(d.label, d.rank) for d in path][:3] == [("new/avx", 302), ("old/avx", 301), ("common/avx", 300)]


def test_layers_that_order_the_same_directories_differently_have_no_ranks() -> None:
    layers = (
        Layer(name="one", directories=("a", "b"), archs=()),
        Layer(name="two", directories=("b", "a"), archs=()),
    )
    with pytest.raises(ValueError, match="opposite orders"):
        rank_offsets(layers)


def test_a_site_with_no_layer_and_no_arch_is_just_generic() -> None:
    site = Site(root="/w", ladder=(), layers=())
    assert labels(site.directories()) == ["generic"]
    assert labels(site.search_path_for(None, "generic")) == ["generic"]


# -- kinds of hosts ----------------------------------------------------------------------------------------


def test_a_site_knows_every_kind_of_host_that_it_can_have() -> None:
    kinds = THREE_FAMILIES.host_kinds()
    assert [kind.label for kind in kinds][:3] == ["none", "soft/generic", "soft/avx2"]
    assert {kind.label: kind.family for kind in kinds} == {
        "none": None,
        "soft/generic": None,
        "soft/avx2": "x86_64",
        "soft/avx512": "x86_64",
        "soft/neoverse_n1": "aarch64",
        "soft/neoverse_v1": "aarch64",
        "soft/power10": "ppc64le",
    }


@pytest.mark.parametrize("site", [BUILTIN, NO_LAYERS, THREE_LAYERS, THREE_FAMILIES])
def test_each_kind_of_host_has_the_search_path_of_such_a_host(site: Site) -> None:
    kinds = site.host_kinds()
    assert len({(kind.layer, kind.arch) for kind in kinds}) == len(kinds)
    for kind in kinds:
        assert kind.search_path == site.search_path_for(kind.layer, kind.arch)


# -- sites made by hand ------------------------------------------------------------------------------------


def test_sites_are_equal_whatever_options_lead_to_them() -> None:
    site = Site("/w", options=("--root", "/w"))
    assert site == Site("/w")
    assert hash(site) == hash(Site("/w"))
    assert site != Site("/v")
    assert not site != Site("/w")  # noqa: SIM202 - the operator has a method of its own


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"root": "here"}, "root: 'here' is not an absolute path"),
        ({"root": "/a\nb"}, "root: '/a\\nb' cannot be used: it holds a newline"),
        (
            {"ladder": (Arch("avx2", 400, "x86_64_v3"), Arch("avx", 300, features=("avx",))), "layers": ()},
            "[[arch]]: the rank of arch 'avx' is 300, not above 400, the one before it on the ladder",
        ),
        (
            {"ladder": (Arch("avx2", 400, "x86_64_v33"),), "layers": ()},
            "[[arch]] 'avx2'.target: unknown archspec microarchitecture 'x86_64_v33'",
        ),
        (
            {"ladder": (Arch("avx", 300),), "layers": ()},
            "[[arch]] 'avx': needs either `target` or `features`",
        ),
        (
            {"ladder": (Arch("a/b", 300, features=("avx",)),), "layers": ()},
            "[[arch]] 'a/b'.name: invalid name 'a/b'",
        ),
        ({"ladder": ()}, "[[layer]] 'nix'.archs: unknown arch 'sse3'"),
        (
            {"layers": (Layer("a", ("a",), ()), Layer("a", ("b",), ()))},
            "[[layer]] 'a': is listed twice",
        ),
        (
            {"layers": (Layer("a", ("../a",), ()),)},
            "[[layer]] 'a'.directories: '../a' is not a plain path below the root",
        ),
        (
            {"layers": (Layer("a", ("x", "y"), ()), Layer("b", ("y", "x"), ()))},
            "[[layer]] directories: layers list the same directories in opposite orders",
        ),
        ({"search": {"avx": ("avx2",)}}, "[search] avx: 'avx2' is above 'avx': such a host cannot run it"),
        ({"search": {"avx3": ()}}, "[search] avx3: unknown arch 'avx3'"),
    ],
)
def test_a_site_made_by_hand_is_checked(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidSiteError) as caught:
        Site(**{"root": "/w", **fields})
    assert str(caught.value).startswith(f"invalid site: {problem}")
    assert isinstance(caught.value, ValueError)


def test_everything_that_is_wrong_with_a_site_is_said() -> None:
    with pytest.raises(InvalidSiteError) as caught:
        Site(root="w", layers=(Layer("none", (), ("avx9",)),), search={"x": ("generic",)})
    assert [key for key, _ in caught.value.findings] == [
        "root",
        "[[layer]] 'none'.name",
        "[[layer]] 'none'.directories",
        "[[layer]] 'none'.archs",
        "[search] x",
    ]


# -- ranks by default --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ladder", "expected"),
    [
        pytest.param([("sse3", None), ("avx", None), ("avx2", None)], [200, 300, 400], id="built-in"),
        pytest.param([("avx2", None), ("avx512", None)], [400, 500], id="some-built-in"),
        pytest.param([("avx", None), ("fma", None), ("avx2", None)], [300, 350, 400], id="between"),
        pytest.param(
            [("avx", None), ("a", None), ("b", None), ("c", None), ("avx2", None)],
            [300, 325, 350, 375, 400],
            id="three-between",
        ),
        pytest.param([("mmx", None), ("sse3", None)], [150, 200], id="below-the-lowest"),
        pytest.param([("avx512", None), ("amx", None), ("apx", None)], [500, 600, 700], id="beyond"),
        pytest.param([("a", None), ("b", None)], [200, 300], id="all-its-own"),
        pytest.param([("a", 1000), ("b", None)], [1000, 1100], id="after-a-stated-rank"),
        pytest.param([("avx2", 450), ("avx512", None)], [450, 500], id="a-stated-rank-beats-the-built-in"),
        pytest.param([], [], id="empty"),
    ],
)
def test_an_arch_without_a_rank_gets_one_that_leaves_the_others_alone(
    ladder: list[tuple[str, int | None]], expected: list[int]
) -> None:
    assert assign_ranks(ladder) == expected


@pytest.mark.parametrize(
    ("ladder", "culprit"),
    [
        pytest.param([("avx2", None), ("avx", None)], "'avx'", id="built-in-names-from-high-to-low"),
        pytest.param([("a", 300), ("b", 200)], "'b'", id="falling"),
        pytest.param([("a", 300), ("b", 300)], "'b'", id="equal"),
        pytest.param([("a", 100)], "'a'", id="not-above-the-layers'-generic"),
        pytest.param([("a", 300), ("m", None), ("b", 301)], "'m'", id="no-room-between"),
    ],
)
def test_ranks_that_do_not_rise_with_the_ladder_are_refused(
    ladder: list[tuple[str, int | None]], culprit: str
) -> None:
    with pytest.raises(ValueError, match=f"rank of arch {culprit} is"):
        assign_ranks(ladder)


# -- values ------------------------------------------------------------------------------------------------


def test_a_search_path_is_an_immutable_sequence() -> None:
    path = BUILTIN.search_path_for("nix", "sse3")
    assert (len(path), path[0].label) == (3, "nix/sse3")
    assert path == BUILTIN.search_path_for("nix", "sse3")
    assert len({path, BUILTIN.search_path_for("nix", "sse3"), BUILTIN.search_path_for("nix", "avx")}) == 2
    with pytest.raises(AttributeError, match="immutable"):
        path.arch = "avx"


def test_a_search_path_can_be_narrowed_without_losing_its_order() -> None:
    path = BUILTIN.search_path_for("nix", "avx")
    kept = path.only([path[3], path[1]])
    assert labels(kept) == ["nix/sse3", "generic"]
    assert (kept.layer, kept.arch) == ("nix", "avx")


# -- what holds for every site -------------------------------------------------------------------------------

_NAMES = ["sse3", "avx", "avx2", "avx512", "amx", "x86-64-v5", "neoverse_v1", "power10"]
_FAMILIES = ["x86_64"] * 6 + ["aarch64", "ppc64le"]


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Sites of any shape that a site file can describe."""
    chosen = sorted(draw(st.sets(st.sampled_from(range(len(_NAMES))), max_size=6)))
    ladder = tuple(
        Arch(_NAMES[place], rank, features=("fma",), family=_FAMILIES[place])
        for place, rank in zip(chosen, assign_ranks([(_NAMES[place], None) for place in chosen]), strict=True)
    )
    names = [arch.name for arch in ladder]
    # Layers may share directories; listing them in one order everywhere keeps them rankable.
    common = draw(st.permutations([".", "soft", "soft/new", "gentoo", "nix"]))
    layers = []
    for number in range(draw(st.integers(0, 3))):
        listed = draw(st.sets(st.sampled_from(common), min_size=1, max_size=4))
        layers.append(
            Layer(
                name=f"layer{number}",
                directories=tuple(sorted(listed, key=common.index)),
                archs=tuple(name for name in names if draw(st.booleans())),
            )
        )
    search = {
        name: tuple(other for other in names[: names.index(name) + 1] if draw(st.booleans()))
        for name in names
        if draw(st.booleans())
    }
    return Site(root="/w", ladder=ladder, layers=tuple(layers), search=search)


@st.composite
def sites_with_a_host(draw: st.DrawFn) -> tuple[Site, str | None, str]:
    site = draw(sites())
    layer = draw(st.sampled_from([None, *(layer.name for layer in site.layers)]))
    return site, layer, draw(st.sampled_from([GENERIC, *(arch.name for arch in site.ladder)]))


@given(sites_with_a_host())
def test_in_every_search_path_ranks_strictly_fall_to_the_top_level_generic(
    given_: tuple[Site, str | None, str],
) -> None:
    site, layer, arch = given_
    path = site.search_path_for(layer, arch)
    assert all(above.rank > below.rank for above, below in pairwise(path))
    assert (path[-1].label, path[-1].rank) == ("generic", 1)


@given(sites_with_a_host())
def test_a_directory_has_the_same_rank_in_every_search_path(given_: tuple[Site, str | None, str]) -> None:
    site, layer, arch = given_
    known = {directory.path: directory.rank for directory in site.directories()}
    for directory in site.search_path_for(layer, arch):
        assert known[directory.path] == directory.rank


@given(sites())
def test_a_site_lists_each_of_its_directories_once_highest_rank_first(site: Site) -> None:
    listed = site.directories()
    assert len({directory.path for directory in listed}) == len(listed)
    assert [d.rank for d in listed] == sorted((d.rank for d in listed), reverse=True)


@given(sites_with_a_host())
def test_no_host_searches_an_arch_above_its_own_or_of_another_family(
    given_: tuple[Site, str | None, str],
) -> None:
    site, layer, arch = given_
    chosen = site.arch(arch)
    allowed = {GENERIC, *(site.archs_up_to(chosen) if chosen else ())}
    assert {directory.arch for directory in site.search_path_for(layer, arch)} <= allowed


def test_the_built_in_values_satisfy_their_own_rules() -> None:
    assert assign_ranks([(arch.name, arch.rank) for arch in BUILTIN_LADDER]) == [200, 300, 400, 500]
    assert {layer.archs for layer in BUILTIN_LAYERS} == {("sse3", "avx", "avx2", "avx512")}
