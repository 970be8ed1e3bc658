from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from tests.test_errors import HOSTILE
from wheelhouse_resolver.builder.recipes.model import (
    Patch,
    Recipe,
    RecipeError,
    Source,
    Substitution,
    Test,
    VariableError,
    no_recipe,
    pinned_version,
    variables_in,
)
from wheelhouse_resolver.builder.sources.fetched import SourceError
from wheelhouse_resolver.builder.sources.patch import ChangeError
from wheelhouse_resolver.builder.sources.unpack import ArchiveError
from wheelhouse_resolver.builder.toolchain.environment_modules import ModulesError
from wheelhouse_resolver.builder.toolchain.flags import FlagsError, ToolchainError
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.wheelfile.edit import Edits

NOTHING = no_recipe("demo")


def test_a_project_without_a_recipe_is_built_as_it_says() -> None:
    recipe = no_recipe("Some.Project")
    assert recipe == Recipe(name=recipe.name)
    assert recipe.name == "some-project"
    assert (recipe.isolation, recipe.march, recipe.source.kind) == (True, True, "index")
    assert recipe.takes_wheel
    assert not recipe.changes_source


# -- variables ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${ROOT}/lib", "/opt/lib"),
        ("${ROOT}${ROOT}", "/opt/opt"),
        ("v${version}", "v1.0"),
        ("$$", "$"),
        ("$${ROOT}", "${ROOT}"),
        ("$$${ROOT}", "$/opt"),
        ("$ROOT $(x) 5$", "$ROOT $(x) 5$"),
        ("${NESTED}", "${ROOT}"),
        ("${ROOT:-/usr}:${EMPTY:-1}:${UNSET:-a b}:${UNSET:-}", "/opt:1:a b:"),
    ],
)
def test_variables_are_expanded_once(text: str, expected: str) -> None:
    environ = {"ROOT": "/opt", "NESTED": "${ROOT}", "EMPTY": ""}
    assert NOTHING.expanded(text, environ, "1.0", "env.A") == expected


def test_version_means_the_version_even_where_a_variable_is_called_so() -> None:
    assert NOTHING.expanded("${version}", {"version": "other"}, "1.0", "env.A") == "1.0"


def test_a_variable_that_is_not_set_is_an_error_that_names_recipe_key_and_variable() -> None:
    recipe = replace(NOTHING, path="/r/demo.toml", env=(("CPATH", "${EBROOTHDF5}/include"),))
    with pytest.raises(VariableError) as caught:
        recipe.environment({}, "1.0")
    assert str(caught.value).startswith(
        "/r/demo.toml: env.CPATH: '${EBROOTHDF5}/include' uses EBROOTHDF5, which is not set"
    )


def test_the_variables_of_a_text() -> None:
    assert variables_in("a${A}b$${B}c${version}") == ["A", "version"]


def test_a_variable_of_the_recipe_may_use_those_before_it_and_the_modules() -> None:
    recipe = replace(NOTHING, env=(("A", "${ROOT}/a"), ("PATH", "${A}:${PATH}"), ("V", "${version}")))
    given = {"ROOT": "/m", "PATH": "/bin"}
    assert recipe.environment(given, "2.0") == {
        "ROOT": "/m", "A": "/m/a", "PATH": "/m/a:/bin", "V": "2.0",
    }  # fmt: skip
    assert given == {"ROOT": "/m", "PATH": "/bin"}


def test_settings_become_options_of_pip_and_a_key_may_stand_twice() -> None:
    recipe = replace(NOTHING, config_settings=(("setup-args", "-Da=${A}"), ("setup-args", "-Db=${version}")))
    assert recipe.settings({"A": "x y"}, "1.0") == [
        "--config-settings=setup-args=-Da=x y",
        "--config-settings=setup-args=-Db=1.0",
    ]
    with pytest.raises(VariableError, match=r"config-settings\.setup-args"):
        recipe.settings({}, "1.0")


# -- what a recipe amounts to ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "changes_source", "takes_wheel"),
    [
        ({"patches": (Patch(path="/p"),)}, True, False),
        ({"substitutions": (Substitution(files="a", pattern="b", replacement="c"),)}, True, False),
        ({"source": Source(kind="git", location="x")}, True, False),
        ({"phases": (("before-build", ("true",)),)}, True, False),
        ({"phases": (("before-test", ("true",)),)}, False, True),
        ({"no_binary": True}, False, False),
        ({"env": (("A", "b"),)}, False, False),
        ({"config_settings": (("a", "b"),)}, False, False),
        ({"build_modules": ("gcc",)}, False, False),
        ({"build_requires": ("cython<3",)}, False, False),
        ({"isolation": False}, False, False),
        ({"run_modules": ("hdf5",)}, False, True),
        ({"test": Test(imports=("a",))}, False, True),
        ({"edits": Edits(add=("numpy",))}, False, True),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_wheel_of_the_index_serves_unless_the_recipe_says_anything_of_the_build(
    changes: dict[str, Any], changes_source: bool, takes_wheel: bool
) -> None:
    recipe = replace(NOTHING, **changes)
    assert (recipe.changes_source, recipe.takes_wheel) == (changes_source, takes_wheel)


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        ("demo", None),
        ("demo>=1", None),
        ("demo==1.*", None),
        ("demo==1.0", "1.0"),
        ("demo[x] == 1.0RC1 ; python_version > '3'", "1.0rc1"),
        ("demo===1.0", "1.0"),
        ("demo===odd-", None),
        ("demo>=1,==2.0", "2.0"),
    ],
)
def test_the_version_that_a_requirement_pins(requirement: str, expected: str | None) -> None:
    assert pinned_version(requirement) == expected


# -- errors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        RecipeError(HOSTILE, ((HOSTILE, HOSTILE), ("", "b"))),
        VariableError(HOSTILE, HOSTILE, HOSTILE),
        FlagsError(HOSTILE, HOSTILE),
        ToolchainError(HOSTILE, HOSTILE),
        ModulesError((HOSTILE, "b"), HOSTILE),
        SourceError(HOSTILE, HOSTILE),
        ArchiveError(HOSTILE, HOSTILE),
        ChangeError(HOSTILE, HOSTILE),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_are_one_line_and_survive_pickling(error: WheelhouseError) -> None:
    assert str(error).isprintable()
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))
    assert next(base for base in type(error).__mro__ if base.__module__ == "builtins") is not Exception


def test_env_can_use_what_is_built_and_where_its_recipe_is() -> None:
    stated = (
        ("FILE", "${WHEELHOUSE_RECIPE_DIR}/site.cfg"),
        ("WHAT", "${WHEELHOUSE_PROJECT} ${WHEELHOUSE_VERSION}"),
    )
    recipe = replace(NOTHING, path="/sw/recipes/demo.toml", env=stated)
    assert recipe.environment({}, "1.0") == {"FILE": "/sw/recipes/site.cfg", "WHAT": "demo 1.0"}
