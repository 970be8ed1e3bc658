"""Tag inversions: a better wheel tag in a less specific directory, where no stamp helps."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.tags import parse_tag

from wheelhouse_resolver.installers.inversion import beats, concerned_pythons, inversions, retagged
from wheelhouse_resolver.installers.ordering import INSTALLERS, PythonKind, choice, tag_priorities
from wheelhouse_resolver.publishing.order import policy_choice, visible
from wheelhouse_resolver.site.layout import Layer
from wheelhouse_resolver.site.model import Site, searched_together
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.wheelfile.build_tag import build_text, stamp_build
from wheelhouse_resolver.wheelfile.tags import compressed_tags

SITE = Site.default("/sw")
BY_LABEL = {directory.label: directory for directory in SITE.directories()}
TOGETHER = searched_together(SITE)


def stamped(label: str, tags: str) -> Candidate:
    directory = BY_LABEL[label]
    found = parse_candidate(f"x-1.0-{build_text(stamp_build(directory))}-{tags}.whl", directory)
    assert isinstance(found, Candidate)
    return found


LINUX = "cp311-cp311-linux_x86_64"
MANY = "cp311-cp311-manylinux_2_17_x86_64"
NEWER = "cp311-cp311-manylinux_2_28_x86_64"
ABI3 = "cp37-abi3-linux_x86_64"
PURE = "py3-none-any"


NEWEST = ("pip >= 26.3",)
BEFORE = ("pip 21.1 to 26.2", "uv")
ALL = (*NEWEST, *BEFORE)


@pytest.mark.parametrize(
    ("higher", "lower", "installers"),
    [
        (LINUX, MANY, BEFORE),
        (MANY, LINUX, NEWEST),
        (MANY, NEWER, ALL),
        (ABI3, LINUX, ALL),
        (PURE, LINUX, ALL),
        (PURE, ABI3, ALL),
        (ABI3, "cp39-abi3-linux_x86_64", ALL),
        ("py3-none-any", "py311-none-any", ALL),
    ],
)
def test_a_better_tag_below_is_an_inversion(higher: str, lower: str, installers: tuple[str, ...]) -> None:
    above, below = stamped("nix/avx2", higher), stamped("nix/generic", lower)
    (found,) = inversions([above, below], TOGETHER)
    assert (found.higher, found.lower) == (above, below)
    assert found.installers == installers
    told = str(found)
    assert told.startswith(
        f"nix/generic/{below.filename} has a better wheel tag than nix/avx2/{above.filename}"
    )
    assert told.endswith(f"and wins with {', '.join(installers)}")


@pytest.mark.parametrize(
    ("higher", "lower"),
    [
        (LINUX, LINUX),
        (LINUX, ABI3),
        (LINUX, PURE),
        (ABI3, PURE),
        (LINUX, "cp310-cp310-manylinux_2_17_x86_64"),  # no Python accepts both
        (LINUX, "cp311-cp311-manylinux_2_17_aarch64"),  # nor does a machine
        (f"{LINUX}.manylinux_2_17_x86_64", MANY),
        (f"{LINUX}.manylinux_2_17_x86_64", LINUX),
        (ABI3, "cp36-abi3-linux_x86_64"),
        (LINUX, "cp311-cp311-musllinux_1_2_x86_64"),  # on these hosts nobody can install it
        ("cp311-cp311-musllinux_1_10_x86_64", "cp311-cp311-musllinux_1_2_x86_64"),
    ],
)
def test_an_equal_or_worse_tag_below_is_none(higher: str, lower: str) -> None:
    assert inversions([stamped("nix/avx2", higher), stamped("nix/generic", lower)], TOGETHER) == []


def test_wheels_that_no_host_searches_together_cannot_invert() -> None:
    assert inversions([stamped("nix/avx2", LINUX), stamped("gentoo/generic", MANY)], TOGETHER) == []
    assert inversions([stamped("nix/avx2", LINUX), stamped("generic", MANY)], TOGETHER) != []


def test_each_pair_is_told_once() -> None:
    wheels = [stamped("nix/avx512", ABI3), stamped("nix/avx2", LINUX), stamped("generic", MANY)]
    found = inversions(wheels, TOGETHER)
    assert [(each.higher.directory.label, each.lower.directory.label) for each in found] == [
        ("nix/avx512", "nix/avx2"),
        ("nix/avx512", "generic"),
        ("nix/avx2", "generic"),
    ]


def test_directories_are_searched_together_as_the_site_says() -> None:
    def labels(site: Site) -> set[frozenset[str]]:
        names = {directory.path: directory.label for directory in site.directories()}
        return {frozenset(names[path] for path in paths) for paths in searched_together(site)}

    assert frozenset({"nix/avx", "nix/sse3", "nix/generic", "generic"}) in labels(SITE)
    assert frozenset({"gentoo/generic", "generic"}) in labels(SITE)
    assert not any(
        {"nix", "gentoo"} <= {label.partition("/")[0] for label in together} for together in labels(SITE)
    )
    own = Site(
        root="/sw",
        layers=(Layer(name="one", directories=("one", "shared"), archs=("avx", "avx2")),),
        search={"avx2": ("avx2",)},
    )
    assert frozenset({"one/avx2", "shared/avx2", "one/generic", "shared/generic", "generic"}) in labels(own)
    assert not any({"one/avx2", "one/avx"} <= together for together in labels(own))


def test_the_pythons_to_compare_for_are_those_that_the_wheels_name() -> None:
    def concerned(*tags: str) -> set[str]:
        return {str(each) for each in concerned_pythons([stamped("generic", each) for each in tags])}

    assert concerned(LINUX) == {"3.11 (x86_64)"}
    assert concerned(LINUX, "cp312-cp312-linux_aarch64") == {
        "3.11 (x86_64)",
        "3.11 (aarch64)",
        "3.12 (x86_64)",
        "3.12 (aarch64)",
    }
    assert {"3.8 (x86_64)", "3.13 (x86_64)"} <= concerned(PURE)
    assert {"3.8 (x86_64)", "3.13 (x86_64)"} <= concerned(ABI3)
    assert "3.13t (x86_64)" in concerned("cp313-cp313t-linux_x86_64")
    musl = "cp311-cp311-musllinux_1_2_x86_64"
    assert concerned(musl) == {"3.11 (x86_64, musl)"}
    assert concerned(musl, LINUX) == {"3.11 (x86_64)"}


@pytest.mark.parametrize(
    ("above", "below", "expected"),
    [
        (LINUX, MANY, "cp311-cp311-linux_x86_64.manylinux_2_17_x86_64"),
        (MANY, LINUX, "cp311-cp311-linux_x86_64.manylinux_2_17_x86_64"),
        (PURE, LINUX, "cp311.py3-cp311.none-any.linux_x86_64"),
        (ABI3, LINUX, "cp311.cp37-abi3.cp311-linux_x86_64"),
        # A Python that could not install it must not come to: cp312 does not run on 3.11.
        ("cp312-cp312-linux_x86_64", LINUX, "cp312-cp312-linux_x86_64"),
    ],
)
def test_retagging_the_one_above_gives_it_the_tags_of_the_one_below(
    above: str, below: str, expected: str
) -> None:
    new = retagged(stamped("nix/avx2", above), [stamped("nix/generic", below)])
    assert compressed_tags(new) == expected
    assert not inversions([stamped("nix/avx2", expected), stamped("nix/generic", below)], TOGETHER)


def test_retagging_the_one_below_a_plain_one_takes_its_manylinux_tags() -> None:
    new = retagged(stamped("nix/generic", f"{MANY}.manylinux2014_x86_64"), [stamped("nix/avx2", LINUX)])
    assert compressed_tags(new) == LINUX


def test_a_compressed_tag_set_says_at_least_these_tags() -> None:
    tags = parse_tag("py2.py3-none-any")
    assert compressed_tags(tags) == "py2.py3-none-any"
    some = frozenset({*parse_tag(LINUX), *parse_tag(PURE)})
    assert some < parse_tag(compressed_tags(some))


def test_beating_needs_a_python_that_accepts_both() -> None:
    python = PythonKind((3, 11), "", "x86_64")
    priorities = tag_priorities(python, frozenset({"linux_x86_64", "manylinux_2_17_x86_64"}), False)
    assert beats(stamped("generic", MANY), stamped("nix/avx2", LINUX), priorities)
    assert not beats(stamped("generic", LINUX), stamped("nix/avx2", MANY), priorities)
    assert not beats(stamped("generic", MANY), stamped("nix/avx2", "cp310-cp310-linux_x86_64"), priorities)


TAGS = st.sampled_from(
    [
        LINUX,
        MANY,
        NEWER,
        ABI3,
        PURE,
        f"{LINUX}.manylinux_2_17_x86_64",
        f"{MANY}.manylinux2014_x86_64",
        "cp39-abi3-manylinux_2_28_x86_64",
        "cp312-cp312-linux_x86_64",
        "py3-none-linux_x86_64",
        "py2.py3-none-any",
    ]
)
WHEELS = st.dictionaries(st.sampled_from(sorted(BY_LABEL)), TAGS, min_size=2, max_size=4)


@settings(max_examples=60, deadline=None)
@given(WHEELS)
def test_stamped_wheels_without_an_inversion_are_taken_as_policy_says(wheels: dict[str, str]) -> None:
    candidates = [stamped(label, tags) for label, tags in wheels.items()]
    found = inversions(candidates, TOGETHER)
    wrong = False
    for host, installer in product(SITE.host_kinds(), INSTALLERS):
        seen = visible(candidates, host)
        for python in concerned_pythons(candidates):
            chosen = choice(installer, seen, python)
            wrong = wrong or chosen != policy_choice(seen, python, installer)
    assert wrong == bool(found)


@settings(max_examples=60, deadline=None)
@given(TAGS, TAGS)
def test_retagging_lets_nobody_install_a_wheel_who_could_not_before(above: str, below: str) -> None:
    higher, lower = stamped("nix/avx2", above), stamped("nix/generic", below)
    for wheel, rival in ((higher, lower), (lower, higher)):
        new = wheel._replace(tags=retagged(wheel, [rival]))
        for python in concerned_pythons([wheel, rival]):
            if choice(INSTALLERS[0], [new], python) is not None:
                assert choice(INSTALLERS[0], [wheel], python) is not None
