"""The sections that are made of what builds get say the same of each of them."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from wheelhouse_resolver.builder.recipes.loader import RecipeFile
from wheelhouse_resolver.builder.shell_recipes.sections import recipe_of
from wheelhouse_resolver.builder.shell_recipes.worlds import Axes, World

AXES = Axes(
    layers={"new": {}, "old": {}, "none": {}},
    archs=["generic", "avx2"],
    versions=[Version("1.0"), Version("2.0")],
    pythons=[Version("3.11")],
)
#: A version and a Python at each point of their axes.
VERSIONS = ("0.9", "1.0", "1.0.post1", "2.0", "2.1")
PYTHONS = ("3.10", "3.11", "3.12")

WORDS = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2, unique=True)
SOURCES = [{"project": "x"}, {"url": "u"}, {"url": "v"}, {"git": "g", "ref": "r"}]
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "source": st.sampled_from(SOURCES),
        "pythons": st.just(["3.11"]),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"]), min_size=1),
        "modules": st.fixed_dictionaries({}, optional={"build": WORDS, "run": WORDS, "default": WORDS}),
        "patch": WORDS.map(lambda names: [{"file": name} for name in names]),
        "placeholder": st.just({"message": "m"}),
    },
)


def saying(document: dict[str, Any]) -> dict[str, Any]:
    """*document* without empty tables and lists of patches."""
    return {
        key: value
        for key, value in document.items()
        if value not in ({}, []) or key not in ("modules", "patch")
    }


@settings(max_examples=10, deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_each_build_gets_what_it_got(documents: list[dict[str, Any]], random: Any) -> None:
    worlds = {world: random.choice(documents) for world in AXES.worlds()}
    file = RecipeFile(name="demo", path="x", digest="", document=recipe_of(worlds, AXES))  # type: ignore[arg-type]
    for world, document in worlds.items():
        assert saying(applied(file, world)) == saying(document)


def applied(file: RecipeFile, world: World) -> dict[str, Any]:
    layer = None if world.layer == "none" else world.layer
    return file.applied(Version(VERSIONS[world.version]), PYTHONS[world.python], layer, world.arch)
