"""Reading recipe files, and resolving them for one version, Python, layer and arch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.builder.recipes import model
from wheelhouse_resolver.builder.recipes.defaults import completed, digest_with
from wheelhouse_resolver.builder.recipes.model import Recipe, RecipeError, UnreadableRecipeError, below
from wheelhouse_resolver.builder.recipes.schema import CONDITIONS, SOURCE_KINDS, recipe_problems
from wheelhouse_resolver.builder.recipes.shell_lines import lost
from wheelhouse_resolver.builder.records.job import Job
from wheelhouse_resolver.builder.records.settings import NOTHING, BuildSettings
from wheelhouse_resolver.builder.resources import Resources
from wheelhouse_resolver.errors import SiteFileError, reason_of
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.filesystem import read_settings
from wheelhouse_resolver.utils.schema import Table, lines, require
from wheelhouse_resolver.utils.toml import TomlError, parse_toml
from wheelhouse_resolver.wheelfile.edit import Edits

SUFFIX = ".toml"

#: Where the recipes that come with this program are.
SHIPPED = os.path.join(os.path.dirname(__file__), "shipped")


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeFile:
    """A valid recipe file. *name*: the project. *path*: absolute. *digest*: sha256. *document*: all of it."""

    name: NormalizedName
    path: str
    digest: str
    document: Mapping[str, Any]

    def resolve(
        self,
        version: Version | None,
        python: str,
        layer: str | None,
        arch: str,
        *,
        site: BuildSettings = NOTHING,
        given: BuildSettings = NOTHING,
    ) -> Recipe:
        """The recipe for one *version* on a *python* (`3.11`) with that *layer* and *arch*; see `applied`.

        Completed with what the *site* and the command line (*given*) say of all builds.
        """
        document = self.applied(version, python, layer, arch)
        return _to_recipe(self, document, python, site, given)

    def applied(self, version: Version | None, python: str, layer: str | None, arch: str) -> dict[str, Any]:
        """The document for one *version* on a *python* (`3.11`) with that *layer* and *arch*.

        Each `[[when]]` whose conditions all hold is merged, in the order of the file: tables key by key (but
        a `source` with another place replaces it), `[[patch]]` and `[[substitute]]` are added, all else is
        replaced. While the *version* is not known (None), no condition on it holds.
        """
        document = {key: value for key, value in self.document.items() if key != "when"}
        for section in self.document.get("when", ()):
            if _applies(section, version, python, layer, arch):
                document = _merge(document, section)
        return document


def recipe_directories(site: Site) -> list[str]:
    """Where recipes are: the site's `[build] recipes`, then those that come with this program.

    Relative paths are relative to the site file. Raises `SiteFileError`, also for one that does not exist.
    """
    stated = site.tables.get("build", {}).get("recipes", ())
    require(Table({"recipes": lines()}, header="build"), {"recipes": stated}, site.source or "site")
    beside = os.path.dirname(os.path.abspath(site.source)) if site.source else os.getcwd()
    found = [below(beside, os.path.expanduser(each)) for each in stated]
    for path in found:
        if not os.path.isdir(path):
            raise SiteFileError(site.source or "site", f"[build] recipes: {path}: no such directory")
    return [*found, SHIPPED]


def recipe_files(directories: Sequence[str]) -> dict[NormalizedName, str]:
    """The recipe file of every project that has one in *directories*; the first directory wins.

    A missing directory has none. Raises `RecipeError` for one that cannot be listed, or that has two recipes
    for one project in different spellings.
    """
    found: dict[NormalizedName, str] = {}
    for directory in directories:
        try:
            names = sorted(os.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise RecipeError(directory, (("", f"cannot be listed: {reason_of(error)}"),)) from error
        here: dict[NormalizedName, str] = {}
        for name in names:
            if name.endswith(SUFFIX) and not name.startswith("."):
                project = canonicalize_name(name.removesuffix(SUFFIX))
                if project in here:
                    problem = f"has two recipes of {project}: {here[project]} and {name}; remove one"
                    raise RecipeError(directory, (("", problem),))
                here[project] = name
        found = {project: os.path.join(directory, name) for project, name in here.items()} | found
    return found


def find_recipe(project: str, directories: Sequence[str]) -> RecipeFile | None:
    """The recipe of *project*, in any spelling (PEP 503); None if there is none. Raises `RecipeError`."""
    path = recipe_files(directories).get(canonicalize_name(project))
    return load_recipe(path) if path is not None else None


def load_recipe(path: str) -> RecipeFile:
    """The recipe in the file at *path*.

    Raises `RecipeError` with everything that is wrong in it, and `UnreadableRecipeError`.
    """
    path = os.path.abspath(path)
    try:
        data = read_settings(path)
        document = parse_toml(data.decode("utf-8"))
    except OSError as error:
        raise UnreadableRecipeError(path, (("", f"cannot be read: {reason_of(error)}"),)) from error
    except UnicodeDecodeError as error:
        raise RecipeError(path, (("", "not a UTF-8 text file"),)) from error
    except TomlError as error:
        where = f"line {error.line}" if error.line is not None else ""
        raise RecipeError(path, ((where, error.problem),)) from error
    if findings := recipe_problems(document, os.path.dirname(path)):
        raise RecipeError(path, findings)
    name = canonicalize_name(os.path.basename(path).removesuffix(SUFFIX))
    return RecipeFile(name=name, path=path, digest=hashlib.sha256(data).hexdigest(), document=document)


def resolved(
    file: RecipeFile | None, job: Job, version: str | None, site: BuildSettings, given: BuildSettings
) -> Recipe:
    """The recipe of *job* in *file*, as far as the *version* is known; without one, what all builds have."""
    if file is None:
        file = RecipeFile(name=canonicalize_name(job.project), path="", digest="", document={})
    known = Version(version) if version is not None else None
    return file.resolve(known, job.python_version, job.layer, job.arch, site=site, given=given)


def pythons_of(file: RecipeFile, version: str | None, layer: str | None, arch: str) -> list[str]:
    """The Pythons to build for; empty: those of the site. No section for some Pythons counts."""
    sections = [each for each in file.document.get("when", ()) if "python" not in each]
    known = Version(version) if version is not None else None
    found = replace(file, document={**file.document, "when": sections}).applied(known, "0", layer, arch)
    return list(found.get("pythons", ()))


def unmatched_conditions(file: RecipeFile, site: Site) -> list[str]:
    """The archs and layers in the `[[when]]` of *file* that *site* does not have, a line each."""
    known = {
        "arch": [GENERIC, *(arch.name for arch in site.ladder)],
        "layer": [NO_LAYER, *(layer.name for layer in site.layers)],
    }
    return [
        f"{file.path}: when[{number}].{condition}: this site has no {each!r}: it knows {', '.join(names)}"
        for number, section in enumerate(file.document.get("when", ()), 1)
        for condition, names in known.items()
        for each in _stated(section, condition)
        if not any(fnmatchcase(name, each) for name in names)
    ]


def lost_commands(file: RecipeFile) -> list[str]:
    """The commands of phases in *file* that end with what changes only their own shell, a line each."""
    sections = [("", file.document)]
    sections += [(f"when[{number}].", each) for number, each in enumerate(file.document.get("when", ()), 1)]
    return [
        f"{file.path}: {where}phases.{phase}: {found[0]!r} changes only its own shell, "
        f"and the next command has another: {found[1]}"
        for where, section in sections
        for phase, commands in section.get("phases", {}).items()
        for found in map(lost, commands)
        if found is not None
    ]


def _applies(
    section: Mapping[str, Any], version: Version | None, python: str, layer: str | None, arch: str
) -> bool:
    """Whether all conditions of a `[[when]]` hold."""
    for condition, number in (("version", version), ("python", python)):
        if condition in section and (
            number is None or not SpecifierSet(section[condition]).contains(number, prereleases=True)
        ):
            return False
    return all(
        condition not in section or any(fnmatchcase(name, each) for each in _stated(section, condition))
        for condition, name in (("layer", layer or NO_LAYER), ("arch", arch))
    )


def _stated(section: Mapping[str, Any], key: str) -> Sequence[str]:
    """What *section* says for *key*: a text, or several."""
    stated: str | Sequence[str] = section.get(key, ())
    return [stated] if isinstance(stated, str) else stated


def _merge(document: Mapping[str, Any], section: Mapping[str, Any]) -> dict[str, Any]:
    """*document* with what the `[[when]]` *section* says."""
    found = dict(document)
    for key, value in section.items():
        if key in CONDITIONS:
            continue
        if key == "source" and any(kind in value for kind in SOURCE_KINDS):
            found[key] = value  # another place altogether, not a mixture of two
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = {**found[key], **value}
        elif key in ("patch", "substitute"):  # arrays of tables
            found[key] = [*found.get(key, ()), *value]
        else:
            found[key] = value
    return found


def _to_recipe(
    file: RecipeFile, own: Mapping[str, Any], python: str, site: BuildSettings, given: BuildSettings
) -> Recipe:
    document = completed(own, site, given)
    modules, wheel, test, resources = (
        _values(document.get(key, {})) for key in ("modules", "wheel", "test", "resources")
    )
    beside = os.path.dirname(file.path)
    source = dict(document.get("source", {}))
    kind = next((each for each in SOURCE_KINDS if each in source), "index")
    settings = document.get("config-settings", {})
    build = (*modules.get("build", ()), *document.get("build-requires", ()))
    ours = {*own.get("modules", {}).get("build", ()), *own.get("build-requires", ())}
    return Recipe(
        name=file.name,
        path=file.path or None,
        digest=digest_with(file.digest, site, given),
        build_modules=modules.get("build", ()),
        run_modules=modules.get("run", ()),
        build_requires=tuple(document.get("build-requires", ())),
        extra_requires=tuple(document.get("extra-build-requires", ())),
        isolation=document.get("build-isolation", True),
        not_own=tuple(each for each in build if each not in ours),
        source=model.Source(
            kind=kind, location=source.pop(kind, ""), sha256=source.pop("sha256", "").lower(), **source
        ),
        placeholder=model.Placeholder(**_values(found)) if (found := document.get("placeholder")) else None,
        no_binary=document.get("no-binary", False),
        only_binary=document.get("only-binary", False),
        env=tuple(document.get("env", {}).items()),
        config_settings=tuple((key, each) for key in settings for each in _stated(settings, key)),
        patches=tuple(
            model.Patch(path=below(beside, each["file"]), strip=each.get("strip", 1))
            for each in document.get("patch", ())
        ),
        substitutions=tuple(model.Substitution(**each) for each in document.get("substitute", ())),
        test=model.Test(**test),
        rpath=wheel.pop("rpath", ()),  # all else in this table are edits
        narrow=wheel.pop("narrow_requires", ()),
        edits=_edits(wheel, python),
        phases=tuple((phase, tuple(commands)) for phase, commands in document.get("phases", {}).items()),
        march=document.get("arch-flags", True),
        resources=Resources(**resources),
    )


def _edits(wheel: Mapping[str, Any], python: str) -> Edits:
    """The edits in the table `wheel`, for a *python* (`3.11`)."""
    found = {key.removesuffix("_requires"): value for key, value in wheel.items()}
    if "rename" in found:
        found["rename"] = tuple(found["rename"].items())
    if "tags" in found:
        found["tags"] = found["tags"].replace("{cp}", f"cp{python.replace('.', '')}")
    return Edits(**found)


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """*table* as the fields of a dataclass."""
    return {
        key.replace("-", "_"): tuple(value) if isinstance(value, list) else value
        for key, value in table.items()
    }
