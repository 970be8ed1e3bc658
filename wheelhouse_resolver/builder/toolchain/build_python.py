"""The Python of a build: with a pip that builds as the recipe says, and what that requires."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence

from packaging.version import Version

from wheelhouse_resolver.builder.recipes.model import Recipe
from wheelhouse_resolver.builder.toolchain import provenance
from wheelhouse_resolver.builder.toolchain.variables import constraint_lines, with_path
from wheelhouse_resolver.utils.filesystem import write_text

#: The first pip whose `pip wheel` takes `--config-settings` more than once.
_OLDEST_PIP = Version("23.1")

#: Runs a command, called so, with that environment. Raises if it fails.
Run = Callable[[Sequence[str], str, Mapping[str, str]], None]


def make_ready(python: str, requires: Sequence[str], environ: Mapping[str, str], run: Run) -> dict[str, str]:
    """Let the *python* of a new environment build with *requires*; returns *environ* with that activated."""
    active = with_path(environ, python)
    install = [python, "-m", "pip", "install"]
    if not is_pip_able(python, active):
        run([*install, "--upgrade", f"pip>={_OLDEST_PIP}"], "pip install", active)
    if requires:
        run([*install, *requires], "pip install", active)
    return active


def is_pip_able(python: str, environ: Mapping[str, str]) -> bool:
    """Whether the pip of the environment of *python* is new enough to build with."""
    return Version(provenance.installed(python, environ).get("pip", "0")) >= _OLDEST_PIP


def installed_to_build(recipe: Recipe) -> tuple[str, ...]:
    """What *recipe* has installed besides pip; with isolation nothing: pip takes what the source asks for."""
    return () if recipe.isolation else (*recipe.build_requires, *recipe.extra_requires)


def constraint_files(recipe: Recipe, directory: str) -> list[str]:
    """The path of the new file, in *directory*, that limits what pip takes for an isolated build."""
    if not recipe.isolation:
        return []
    path = os.path.join(directory, "constraints.txt")
    lines = constraint_lines(recipe.build_requires, recipe.name)
    write_text(path, "".join(f"{line}\n" for line in lines))
    return [path]


def pip_options(recipe: Recipe, environ: Mapping[str, str], version: str) -> list[str]:
    """How pip is to build, or to ask the backend. Raises `VariableError`."""
    isolation = [] if recipe.isolation else ["--no-build-isolation"]
    settings = recipe.settings(environ, version)
    return ["--no-deps", "--no-cache-dir", "--use-pep517", *isolation, *settings]
