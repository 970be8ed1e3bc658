"""A recipe's document completed with what the site and the command line say. Pure.

The command line beats the recipe, and the recipe beats the site. Lists are joined in the order site, recipe,
command line; of two entries with one name (`gcc/12` and `gcc/13`, two requirements on one project) only that
of the last who named it stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from wheelhouse_resolver.builder.records.settings import NOTHING, BuildSettings


def completed(document: Mapping[str, Any], site: BuildSettings, given: BuildSettings) -> dict[str, Any]:
    """*document* as a build follows it, with what *site* and the command line (*given*) say.

    The keys that are there for this alone (`modules.default`, ...) are gone.
    """
    found = dict(document)
    modules = dict(found.pop("modules", {}))
    without = modules.pop("without", ())
    default = [each for each in modules.pop("default", site.modules) if module_name(each) not in without]
    modules["build"] = _joined(module_name, default, modules.get("build", ()), given.modules)
    requires = _joined(
        _project,
        found.pop("default-build-requires", site.build_requires),
        found.get("build-requires", ()),
        given.build_requires,
    )
    wheel = dict(found.pop("wheel", {}))
    for name, ours, theirs in (
        ("local-label", site.local_label, given.local_label),
        ("narrow-requires", site.narrow, None),
    ):
        stated = theirs if theirs is not None else wheel.get(name, ours)
        wheel |= {name: stated} if stated is not None else {}
    if site.isolation is not None:
        found.setdefault("build-isolation", site.isolation)
    modules = {key: value for key, value in modules.items() if value}
    tables = {"modules": modules, "build-requires": requires, "wheel": wheel}
    return {**found, **{key: value for key, value in tables.items() if value}}


def digest_with(digest: str, site: BuildSettings, given: BuildSettings) -> str:
    """The hash of all that a build follows: the file's *digest*, unless the site or the user say more."""
    if (site, given) == (NOTHING, NOTHING):
        return digest
    values = [[repr(getattr(each, name)) for name in each.__slots__] for each in (site, given)]
    return hashlib.sha256(json.dumps([digest, *values]).encode()).hexdigest()


def module_name(module: str) -> str:
    """`gcc` of the module `gcc/12.3`."""
    return module.partition("/")[0]


def _project(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)


def _joined(name: Callable[[str], str], *lists: Sequence[str]) -> list[str]:
    """The entries of all *lists*, without those that a later list has another of the same *name* for."""
    found: list[str] = []
    for entries in lists:
        names = {name(each) for each in entries}
        found = [*(each for each in found if name(each) not in names), *entries]
    return found
