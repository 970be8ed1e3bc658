"""Who wins: the command line, the recipe, the site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.factories import make_tree
from wheelhouse_resolver.builder.config import site_pythons, site_settings
from wheelhouse_resolver.builder.planning.pythons import pythons_by_recipe, with_versions
from wheelhouse_resolver.builder.recipes.defaults import completed, digest_with
from wheelhouse_resolver.builder.recipes.loader import load_recipe, resolved
from wheelhouse_resolver.builder.records.job import Job
from wheelhouse_resolver.builder.records.settings import NOTHING, BuildSettings
from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.host.interpreters import Target
from wheelhouse_resolver.host.target_python import TargetPython
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.site.model import Site

SITE = BuildSettings(
    modules=("gcc/12", "cmake", "rust"),
    build_requires=("setuptools>70", "cython"),
    isolation=False,
    narrow=("numpy",),
    local_label="site",
)


@pytest.mark.parametrize(
    ("own", "given", "expected"),
    [
        (
            {},
            NOTHING,
            {
                "modules": {"build": ["gcc/12", "cmake", "rust"]},
                "build-requires": ["setuptools>70", "cython"],
                "build-isolation": False,
                "wheel": {"local-label": "site", "narrow-requires": ("numpy",)},
            },
        ),
        (
            {
                "modules": {"build": ["gcc/13", "hdf5"], "run": ["hdf5"], "without": ["rust"]},
                "build-requires": ["Cython<3; python_version<'3.12'", "cython>=3; python_version>='3.12'"],
                "build-isolation": True,
                "wheel": {"local-label": "own", "narrow-requires": [], "tags": "py3--"},
            },
            NOTHING,
            {
                "modules": {"build": ["cmake", "gcc/13", "hdf5"], "run": ["hdf5"]},
                "build-requires": [
                    "setuptools>70",
                    "Cython<3; python_version<'3.12'",
                    "cython>=3; python_version>='3.12'",
                ],
                "build-isolation": True,
                "wheel": {"local-label": "own", "narrow-requires": [], "tags": "py3--"},
            },
        ),
        (
            {
                "modules": {"default": [], "build": ["gcc/13"]},
                "default-build-requires": ["flit-core"],
                "wheel": {"local-label": "", "narrow-requires": []},
            },
            BuildSettings(modules=("gcc/14", "cuda"), build_requires=("numpy",), local_label="test"),
            {
                "modules": {"build": ["gcc/14", "cuda"]},
                "build-requires": ["flit-core", "numpy"],
                "build-isolation": False,
                "wheel": {"local-label": "test", "narrow-requires": []},
            },
        ),
    ],
    ids=["site", "recipe", "command line"],
)
def test_who_wins(own: dict[str, Any], given: BuildSettings, expected: dict[str, Any]) -> None:
    before = repr(own)
    assert completed(own, SITE, given) == expected
    assert repr(own) == before


def test_a_site_without_defaults_changes_no_recipe() -> None:
    document = {"modules": {"build": ["gcc/12"]}, "build-requires": ["cython"], "env": {"A": "b"}}
    assert completed(document, NOTHING, NOTHING) == document
    assert digest_with("ab", NOTHING, NOTHING) == "ab"
    digests = [
        digest_with("ab", SITE, NOTHING),
        digest_with("ab", NOTHING, SITE),
        digest_with("", SITE, SITE),
    ]
    assert len({"ab", *digests}) == 4


def test_what_the_site_says_does_not_keep_a_pure_wheel_from_being_taken(tmp_path: Path) -> None:
    job = Job(requirement="demo", project="demo", python="python", python_version="3.11")
    site = BuildSettings(modules=("gcc/12",), build_requires=("setuptools>70",), local_label="site")
    recipe = resolved(None, job, None, site, BuildSettings(modules=("cuda",)))
    assert (recipe.build_modules, recipe.build_requires) == (("gcc/12", "cuda"), ("setuptools>70",))
    assert (recipe.path, recipe.edits.local_label, recipe.takes_wheel) == (None, "site", True)
    (tmp_path / "demo.toml").write_text("modules.build = ['hdf5']\n")
    own = resolved(load_recipe(str(tmp_path / "demo.toml")), job, "1.0", site, NOTHING)
    assert (own.build_modules, own.takes_wheel) == (("gcc/12", "hdf5"), False)
    (tmp_path / "demo.toml").write_text("modules.build = ['hdf5']\nonly-binary = true\n")
    assert resolved(load_recipe(str(tmp_path / "demo.toml")), job, "1.0", site, NOTHING).takes_wheel


TEXT = """\
root = "/w"
[build]
modules = ["gcc/12"]
build-requires = ["setuptools>70"]
build-isolation = false
pythons = ["3.11", "/sw/python3.12"]
narrow-requires = ["numpy", "torch"]
[publish]
local-label = "site"
"""


def test_what_a_site_file_says_of_all_builds() -> None:
    site = Site.parse(TEXT, "site.toml")
    assert site_settings(site) == BuildSettings(
        modules=("gcc/12",),
        build_requires=("setuptools>70",),
        isolation=False,
        narrow=("numpy", "torch"),
        local_label="site",
    )
    assert site_pythons(site) == "3.11,/sw/python3.12"
    empty = Site.parse('root = "/w"\n', "site.toml")
    assert (site_settings(empty), site_pythons(empty)) == (NOTHING, None)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("gcc/12", "gcc; rm", r"\[build\] modules: 'gcc; rm' is not a module name"),
        ("setuptools>70", "a b", r"\[build\] build-requires: invalid requirement 'a b'"),
        ('"torch"', '"scipy"', r"\[build\] narrow-requires: unknown project 'scipy': known: numpy, torch"),
        ('"site"', '"no way"', r"\[publish\] local-label: invalid local label 'no way'"),
        ('"site"', "true", r"\[publish\] local-label: must be a string"),
    ],
)
def test_what_is_wrong_in_it(old: str, new: str, words: str) -> None:
    with pytest.raises(SiteFileError, match=words):
        site_settings(Site.parse(TEXT.replace(old, new), "site.toml"))


def target(version: str) -> Target:
    return Target(f"/sw/python{version}", version, TargetPython(version, None))


def test_the_pythons_of_recipes_beat_those_of_the_site(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(
        "pythons = ['3.9']\n[[when]]\nversion = '>=2'\npythons = ['3.9', '3.11']\n"
        "[[when]]\npython = '<4'\npythons = ['3.8']\n"
    )
    site = make_tree(tmp_path / "house", {})._replace(tables={"build": {"recipes": (str(tmp_path),)}})
    both = [target("3.11"), target("3.12")]

    def asked(*texts: str) -> dict[str, tuple[str, ...]]:
        file = RequirementsFile(tuple(map(parse_requirement, texts)))
        return pythons_by_recipe(file, both, site, None, "generic")

    assert asked("demo") == {}
    assert asked("demo", "old") == {"demo": ("3.11", "3.12"), "old": ("3.9",)}
    assert asked("old==2.0") == {"old==2.0": ("3.9", "3.11")}
    assert with_versions(both, []) == both
    assert with_versions(both, ["3.11"]) == both[:1]
