"""The Pythons to build for: a recipe's beat the site's."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from packaging.version import Version

from wheelhouse_resolver.builder.recipes.loader import find_recipe, pythons_of, recipe_directories
from wheelhouse_resolver.builder.recipes.model import pinned_version
from wheelhouse_resolver.host.interpreters import Target, target_of
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.site.model import Site


def pythons_by_recipe(
    asked: RequirementsFile, targets: Sequence[Target], site: Site, layer: str | None, arch: str
) -> dict[str, tuple[str, ...]]:
    """The Pythons that each requirement of *asked* (as text) is built for: its recipe's, else all *targets*.

    Empty if no recipe names any. Raises what reading recipes raises.
    """
    directories = recipe_directories(site)
    own: dict[str, tuple[str, ...]] = {}
    for each in asked.requirements:
        file = find_recipe(each.name, directories)
        version = pinned_version(f"{each.name}{each.specifier}")
        if file is not None and (pythons := pythons_of(file, version, layer, arch)):
            own[str(each)] = tuple(pythons)
    default = tuple(target.version for target in targets)
    return {str(each): own.get(str(each), default) for each in asked.requirements} if own else {}


def with_versions(targets: Sequence[Target], versions: Collection[str]) -> list[Target]:
    """The Pythons of *versions*, the oldest first: those of *targets* where they are among them.

    All *targets* if there are no *versions*. Raises `PythonError` for one that is not on PATH.
    """
    known = {target.version: target for target in targets}
    found = [known.get(version) or target_of(version) for version in versions or known]
    return sorted(found, key=lambda target: Version(target.version))
