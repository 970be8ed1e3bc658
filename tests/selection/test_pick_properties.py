"""What must hold of the policy's order for any wheels at all."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import groupby, pairwise, permutations
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import make_tree, plain_python
from tests.questions import pick
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.target_python import supported_tags
from wheelhouse_resolver.selection.pick import Pick
from wheelhouse_resolver.selection.policy import policy_key
from wheelhouse_resolver.site.layout import Directory
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, parse_candidate
from wheelhouse_resolver.wheelhouse import Wheelhouse

LINUX = f"linux_{platform.machine()}"
HOST = Host(arch="avx512", layer="gentoo", python=plain_python("3.11"))
PRIORITIES = {tag: number for number, tag in enumerate(supported_tags(HOST.python))}
SITE = Site.default("/wheelhouse")

_VERSIONS = ["0.9", "1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0+site", "1.0+site.2", "1.0.post1", "2.0", "1!0"]
_TAGS = ["py3-none-any", f"cp311-cp311-{LINUX}", f"cp37-abi3-{LINUX}", f"py2.py3-none-{LINUX}"]
_BUILDS = ["", "-0", "-1", "-1a", "-1b", "-02", "-400000avx2", "-10"]

_FILENAMES = st.builds(
    "demo-{}{}-{}.whl".format, st.sampled_from(_VERSIONS), st.sampled_from(_BUILDS), st.sampled_from(_TAGS)
)
_DIRECTORIES = st.sampled_from(list(SITE.search_path(HOST)))


def _candidate(filename: str, directory: Directory) -> Candidate:
    candidate = parse_candidate(filename, directory)
    assert isinstance(candidate, Candidate)
    return candidate


_CANDIDATES = st.builds(_candidate, _FILENAMES, _DIRECTORIES)


def key(candidate: Candidate) -> Any:
    return policy_key(candidate, PRIORITIES)


@given(a=_CANDIDATES, b=_CANDIDATES)
def test_of_any_two_wheels_one_comes_first_or_they_are_equal_in_all_that_counts(
    a: Candidate, b: Candidate
) -> None:
    assert [key(a) < key(b), key(a) == key(b), key(a) > key(b)].count(True) == 1
    assert (key(a) < key(b)) == (key(b) > key(a))
    if key(a) == key(b):
        assert (a.version, a.directory.rank, a.build) == (b.version, b.directory.rank, b.build)


@given(a=_CANDIDATES, b=_CANDIDATES, c=_CANDIDATES)
def test_the_order_is_transitive(a: Candidate, b: Candidate, c: Candidate) -> None:
    for first, second, third in permutations([a, b, c]):
        if key(first) <= key(second) <= key(third):
            assert key(first) <= key(third)


@given(candidates=st.lists(_CANDIDATES, max_size=12), shuffle=st.randoms(use_true_random=False))
def test_sorting_gives_one_order_whatever_the_order_before(
    candidates: list[Candidate], shuffle: Random
) -> None:
    shuffled = list(candidates)
    shuffle.shuffle(shuffled)
    assert [*map(key, sorted(candidates, key=key))] == [*map(key, sorted(shuffled, key=key))]


@given(candidates=st.lists(_CANDIDATES, min_size=1, max_size=12))
def test_version_then_rank_then_tag_then_build(candidates: list[Candidate]) -> None:
    for lower, higher in pairwise(sorted(candidates, key=key)):
        assert lower.version <= higher.version
    for _, same in groupby(sorted(candidates, key=key), lambda each: each.version):
        for lower, higher in pairwise(same):
            assert lower.directory.rank <= higher.directory.rank
            if lower.directory == higher.directory and lower.tags == higher.tags:
                assert (lower.build or (-1, "")) <= (higher.build or (-1, ""))


@contextmanager
def listed_in_the_order_of(shuffle: Random) -> Iterator[None]:
    """Directories list their files in any order that *shuffle* likes, as file systems do."""
    scandir = os.scandir

    @contextmanager
    def shuffled(entries: list[os.DirEntry[str]]) -> Iterator[Iterator[os.DirEntry[str]]]:
        yield iter(entries)

    def listing(path: str) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        with scandir(path) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        shuffle.shuffle(entries)
        return shuffled(entries)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "scandir", listing)
        yield


@pytest.fixture(scope="module")
def full_tree(tmp_path_factory: pytest.TempPathFactory) -> Site:
    random = Random(20)
    wheels: dict[str, list[str]] = {}
    for directory in SITE.directories():
        names = [
            f"{project}-{version}{random.choice(_BUILDS)}-{random.choice(_TAGS)}.whl"
            for project in ("demo", "Demo")
            for version in random.sample(_VERSIONS, 3)
        ]
        wheels[directory.label] = sorted({*names})
    site = make_tree(tmp_path_factory.mktemp("tree"), wheels)
    Path(site.root, "gentoo/avx/demo-3.0-py3-none.whl").touch()
    return site


@settings(max_examples=40, deadline=None)
@given(
    shuffle=st.randoms(use_true_random=False),
    requirement=st.sampled_from(["demo", "demo<1", "demo==1.0", "demo<=1.0rc1", "demo>9", "demo[x]"]),
)
def test_the_answer_does_not_depend_on_how_directories_list_their_files(
    full_tree: Site, shuffle: Random, requirement: str
) -> None:
    def answer() -> dict[str, Any]:
        result: Pick = pick(Wheelhouse(full_tree), requirement, HOST)
        return result.to_dict()

    expected = answer()
    with listed_in_the_order_of(shuffle):
        assert answer() == expected


@settings(max_examples=60, deadline=None)
@given(
    wheels=st.lists(st.tuples(_FILENAMES, _DIRECTORIES), min_size=1, max_size=8, unique=True),
    requirement=st.sampled_from(
        ["demo", "demo<=1.0", "demo==1.0", "demo>=1.0rc1", "demo===1.0", "demo!=1.0"]
    ),
)
def test_every_wheel_is_either_the_best_or_rejected_once(
    tmp_path_factory: pytest.TempPathFactory,
    wheels: list[tuple[str, Directory]],
    requirement: str,
) -> None:
    by_label: dict[str, list[str]] = {}
    for filename, directory in wheels:
        by_label.setdefault(directory.label, []).append(filename)
    site = make_tree(tmp_path_factory.mktemp("tree"), by_label)
    result = pick(Wheelhouse(site), requirement, HOST)
    told = [(each.file.filename, each.file.directory.label) for each in result.rejected]
    if result.best is not None:
        told.append((result.best.filename, result.best.directory.label))
        for each in result.rejected:
            if each.rule.value.startswith("lost-"):
                assert isinstance(each.file, Candidate)
                assert key(each.file) <= key(result.best)
    assert sorted(told) == sorted((filename, directory.label) for filename, directory in wheels)
    assert all(each.reason for each in result.rejected)
