"""Which archs of a ladder go together, for every CPU that archspec knows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from archspec.cpu import TARGETS, Microarchitecture

from wheelhouse_resolver.errors import InvalidSiteError
from wheelhouse_resolver.site.ladder import archs_below, combinations
from wheelhouse_resolver.site.layout import BUILTIN_LADDER, GENERIC, Arch
from wheelhouse_resolver.site.model import Site

#: archspec's microarchitectures that Linux can tell apart; of the generic ones of Arm it cannot.
KNOWN = [
    target
    for target in TARGETS.values()
    if str(target.family) in ("x86_64", "ppc64le", "riscv64")
    or (str(target.family) == "aarch64" and (target.vendor != "generic" or target.name == "aarch64"))
]

LADDERS = {
    "arm": "neoverse_n1 neoverse_v1 neoverse_n2 neoverse_v2 a64fx",
    "x86": "haswell zen3 x86_64_v3 skylake_avx512 cascadelake icelake zen4 x86_64_v4",
    "backwards": "icelake cascadelake haswell neoverse_v3ae neoverse_v2 power10le power9le",
    "everything": " ".join(target.name for target in KNOWN),
}


def site_of(targets: str) -> Site:
    entries = [f'[[arch]]\nname = "{name}"\ntarget = "{name}"\n' for name in targets.split()]
    layer = '[[layer]]\nname = "site"\ndirectories = ["."]\n'
    return Site.parse('root = "/w"\n' + "".join(entries) + layer, "site.toml")


def runs(cpu: Microarchitecture, arch: Microarchitecture) -> bool:
    """What archspec says: a descendant, or one of the same family and maker with all that is needed."""
    if arch == cpu or arch in cpu.ancestors:
        return True
    if str(cpu.family) in ("ppc64le", "riscv64") or cpu.family != arch.family:
        return False
    # Models of one maker with the same features: the part tells them apart.
    if arch.cpu_part and cpu.cpu_part != arch.cpu_part and cpu.features <= arch.features:
        return False
    if str(arch.family) == "aarch64" and arch.vendor == "generic":
        return False
    return arch.vendor in (cpu.vendor, "generic") and arch.features <= cpu.features


@pytest.mark.parametrize("targets", LADDERS.values(), ids=LADDERS)
def test_an_arch_searches_what_archspec_says_that_each_cpu_of_it_runs(targets: str) -> None:
    site = site_of(targets)
    names = [arch.name for arch in site.ladder]
    for place, name in enumerate(names):
        lower = [other for other in names[:place] if runs(TARGETS[name], TARGETS[other])]
        assert list(archs_below(site.ladder)[name]) == lower, name
        searched = [each.arch for each in site.search_path_for("site", name)]
        assert searched == [name, *reversed(lower), GENERIC]


@pytest.mark.parametrize("targets", LADDERS.values(), ids=LADDERS)
def test_every_cpu_is_of_one_kind_and_no_kind_is_listed_twice(targets: str) -> None:
    site = site_of(targets)
    kinds = site.host_kinds()
    assert len({kind.label for kind in kinds}) == len({kind.search_path for kind in kinds}) == len(kinds)
    by_archs = site.kinds_by_archs(site.layers[0])
    order = [arch.name for arch in site.ladder]
    for cpu in KNOWN:
        archs = tuple(name for name in order if runs(cpu, TARGETS[name]))
        kind = by_archs[archs]
        assert [each.arch for each in kind.search_path] == [*reversed(archs), GENERIC], cpu.name
        assert (kind.arch, kind in kinds) == (archs[-1] if archs else GENERIC, True)


def test_the_built_in_ladder_is_what_archspec_says_of_it() -> None:
    asked = tuple(arch._replace(rank=arch.rank + 1) for arch in BUILTIN_LADDER)  # not the known one
    names = tuple(arch.name for arch in asked)
    assert archs_below(asked) == archs_below(BUILTIN_LADDER)
    assert combinations(asked, names) == combinations(BUILTIN_LADDER, names)
    assert combinations(asked, names[1:3]) == combinations(BUILTIN_LADDER, names[1:3])
    assert all(set(low) < set(high) for low, high in pairwise(combinations(asked, names)))


@pytest.mark.parametrize(
    ("archs", "labels"),
    [
        pytest.param(
            "neoverse_n1 neoverse_v1 neoverse_v2",
            ["generic", "neoverse_n1", "neoverse_v1", "neoverse_v2", "neoverse_v2+neoverse_v1"],
            id="two-that-need-not-be-together",
        ),
        pytest.param("haswell zen3", ["generic", "haswell", "zen3"], id="two-that-cannot-be-together"),
        pytest.param(
            "x86_64_v4 zen2 zen4",
            ["generic", "x86_64_v4", "zen2", "zen2+x86_64_v4", "zen4"],
            id="a-guest-without-what-the-next-needs",
        ),
    ],
)
def test_hosts_that_run_more_than_their_arch_are_kinds_of_their_own(archs: str, labels: list[str]) -> None:
    assert [kind.label for kind in site_of(archs).host_kinds()] == ["none", *(f"site/{x}" for x in labels)]


def test_archs_that_go_together_in_too_many_ways_are_refused() -> None:
    features = "aes adx bmi1 bmi2 clwb fma f16c movbe pku rdseed sha_ni vaes"
    ladder = tuple(
        # With no CPU that has both, nothing is below it.
        Arch(name, 200 + place, features=(name, "altivec"))
        for place, name in enumerate(features.split())
    )
    with pytest.raises(InvalidSiteError, match="more than 1000 different sets"):
        combinations(ladder, tuple(features.split()))


def test_an_arch_of_features_has_below_it_what_every_known_cpu_with_them_has() -> None:
    ladder = (
        Arch("sse3", 200, features=("sse3",), family="x86_64"),
        Arch("bmi2", 300, features=("bmi2",), family="x86_64"),
        Arch("zen", 400, target="zen", family="x86_64"),
        Arch("odd", 500, features=("sse4a", "amx_tile"), family="x86_64"),  # of AMD, and of Intel
    )
    below = {"sse3": (), "bmi2": ("sse3",), "zen": ("sse3", "bmi2"), "odd": ()}
    assert archs_below(ladder) == below
