"""Directories that are called something else than `generic` and the arch: at the top and in layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import make_tree, make_wheel
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.installers.pip_config import pip_config, static_configs
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.urls import file_url
from wheelhouse_resolver.wheelhouse import Wheelhouse

#: Two releases with two CPU families each; el8 has a generic directory, el9 none.
TEXT = """
root = "/w"
generic = "common"
[[arch]]
name = "aarch64"
target = "aarch64"
[[arch]]
name = "x86_64"
target = "x86_64"
[[arch]]
name = "avx2"
rank = 400
[[layer]]
name = "el8"
names = { generic = "noarch", x86_64 = "x86_64/generic", avx2 = "x86_64/v3" }
[[layer]]
name = "el9"
generic = false
names = { avx2 = "x86_64/v3" }
[[layer]]
name = "el10"
"""

SITE = Site.parse(TEXT, "site.toml")


def labels(layer: str | None, arch: str, site: Site = SITE) -> list[str]:
    return [directory.label for directory in site.search_path_for(layer, arch)]


@pytest.mark.parametrize(
    ("layer", "arch", "expected"),
    [
        ("el8", "avx2", ["el8/x86_64/v3", "el8/x86_64/generic", "el8/noarch", "common"]),
        ("el8", "aarch64", ["el8/aarch64", "el8/noarch", "common"]),
        ("el9", "x86_64/v3", ["el9/x86_64/v3", "el9/x86_64", "common"]),
        ("el9", "generic", ["common"]),
        ("el10", "common", ["el10/common", "common"]),  # a layer calls it what the top does
        ("el8", "noarch", ["el8/noarch", "common"]),
        (None, "avx2", ["common"]),
    ],
)
def test_each_host_searches_the_directories_by_their_own_names(
    layer: str | None, arch: str, expected: list[str]
) -> None:
    assert labels(layer, arch) == expected


def test_they_have_the_ranks_of_any_other() -> None:
    ranks = {directory.label: directory.rank for directory in SITE.directories()}
    assert (ranks["common"], ranks["el8/noarch"], ranks["el10/common"]) == (1, 100, 100)
    assert ranks["el8/x86_64/v3"] == ranks["el9/x86_64/v3"] == 400
    assert "el9/common" not in ranks


def test_the_wheels_may_lie_at_the_root_itself(tmp_path: Path) -> None:
    site = Site.parse('generic = "."\n[[layer]]\nname = "el9"\n', "site.toml", root=str(tmp_path))
    assert [each.path for each in site.search_path_for("el9", "sse3")] == [
        f"{tmp_path}/el9/sse3", f"{tmp_path}/el9", str(tmp_path),
    ]  # fmt: skip
    make_wheel(tmp_path, "demo-1.0-py3-none-any.whl")
    assert Wheelhouse(site).pick("demo", Host(layer="el9")).best is not None
    assert pip_config(site, Host()).find_links == (file_url(str(tmp_path)),)


def test_where_every_arch_is_at_the_root_so_is_generic() -> None:
    site = Site.parse('generic = "any"\n[[layer]]\nname = "s"\ndirectories = ["."]\n', "f", root="/w")
    assert labels("s", "sse3", site) == ["sse3", "any"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('generic = "a/../b"', "generic: 'a/../b' is not a plain path below the root"),
        ("generic = false", "generic: must be a string"),
        ('[[layer]]\nname = "x"\ngeneric = true', "[[layer]] 'x'.generic: must be false"),
        ('[[layer]]\nname = "x"\nnames = { generic = "avx2" }', "'avx2' is another arch of the ladder"),
        ('[[layer]]\nname = "x"\nnames = { avx2 = "a//b" }', "invalid directory name 'a//b'"),
        (
            '[[layer]]\nname = "x"\nnames = { generic = "a", avx2 = "a" }',
            "two archs would share the directory 'a'",
        ),
        (
            'generic = "x/avx2"\n[[layer]]\nname = "x"\nnames = { generic = "any" }',
            "'x/avx2' is avx2 here and generic in another layer",
        ),
    ],
)
def test_names_that_cannot_be(text: str, problem: str) -> None:
    with pytest.raises(WheelhouseError) as caught:
        Site.parse(text, "site.toml", root="/w")
    assert problem in str(caught.value)


def test_a_configuration_for_each_kind_of_host_names_them(tmp_path: Path) -> None:
    site = SITE._replace(root=str(tmp_path))
    make_tree(tmp_path, {}, labels=[each.label for each in site.directories()])
    found = static_configs(site)
    # A path is no part of a file's name: the ladder's own name is.
    assert sorted(found) == [
        "aarch64-el10", "aarch64-el8", "aarch64-el9", "avx2-el10", "avx2-el8", "avx2-el9",
        "generic", "generic-el10", "generic-el8", "generic-el9", "x86_64-el10", "x86_64-el8", "x86_64-el9",
    ]  # fmt: skip
    assert found["avx2-el8"].find_links == tuple(
        file_url(f"{tmp_path}/{each}") for each in labels("el8", "avx2")
    )


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("generic", "common"), ("common", "common"), ("el8/generic", "el8/noarch"), ("el8", "el8/noarch"),
        ("el8/noarch", "el8/noarch"), ("el9/x86_64", "el9/x86_64"), ("el9/avx2", "el9/x86_64/v3"),
    ],
)  # fmt: skip
def test_where_to_publish_is_understood_by_either_name(to: str, expected: str) -> None:
    found = destination(SITE, None, to) if to == "el8" else destination(SITE, to)
    assert found is not None
    assert found.label == expected


def test_a_layer_without_a_generic_directory_takes_no_wheel_without_an_arch() -> None:
    with pytest.raises(WheelhouseError, match="--arch generic: layer el9 has no directory for it"):
        destination(SITE, None, "el9")
