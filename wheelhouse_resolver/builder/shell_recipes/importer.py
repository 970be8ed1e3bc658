"""Taking over a directory of shell recipes: each project's become one recipe. None of them is run."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import tomli_w
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.recipes.loader import SUFFIX as RECIPE_SUFFIX
from wheelhouse_resolver.builder.recipes.loader import load_recipe, lost_commands
from wheelhouse_resolver.builder.recipes.model import RecipeError
from wheelhouse_resolver.builder.shell_recipes.conditions import asked_in
from wheelhouse_resolver.builder.shell_recipes.findings import Finding, Findings
from wheelhouse_resolver.builder.shell_recipes.reader import CLOSE, OPEN, Reader, misspelt
from wheelhouse_resolver.builder.shell_recipes.sections import recipe_of
from wheelhouse_resolver.builder.shell_recipes.syntax import Statement, parse_shell
from wheelhouse_resolver.builder.shell_recipes.translate import Translation
from wheelhouse_resolver.builder.shell_recipes.worlds import World, axes_of
from wheelhouse_resolver.errors import FileProblemError, OutputError, printable, reason_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.filesystem import read_settings, write_text

SUFFIX = ".sh"

#: The most worlds that one recipe is read in.
_MOST_WORLDS = 3000

#: Where the build script and what it names are, when it reads a recipe.
_SCRIPT = {
    "THIS_SCRIPT": "build_wheel.sh",
    "CONFIGDIR": f"{OPEN}${{SCRIPT_DIR}}{CLOSE}/config",
    "PYTHON_CMD": "python3",
}


class ShellRecipesError(FileProblemError, ValueError):
    """A directory of shell recipes that cannot be taken over."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShellRecipe:
    """A shell recipe. *version*: the only one that it is for; empty: any. *name*: the project.

    problem: why its *text* is not known; empty if it is.
    """

    name: str
    version: str
    path: str
    text: str
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """The recipe of one project.

    name:     the project. paths: its shell recipes.
    document: the recipe; None: they could not be read. files: those that it needs, below the root.
    findings: what a person must look at, and notes.
    """

    name: NormalizedName
    paths: tuple[str, ...]
    document: Mapping[str, Any] | None
    files: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()

    @property
    def reported(self) -> list[Finding]:
        """What a person must look at."""
        return [each for each in self.findings if not each.note]

    @property
    def sections(self) -> int:
        """How many `[[when]]` it has."""
        return len((self.document or {}).get("when", ()))

    @property
    def commands(self) -> int:
        """How many commands are kept for its phases."""
        document = self.document or {}
        every = (document, *document.get("when", ()))
        return sum(len(each) for section in every for each in section.get("phases", {}).values())

    def to_dict(self) -> dict[str, Any]:
        """For JSON: name, recipes, sections, commands, findings."""
        return {
            "name": self.name,
            "recipes": list(self.paths),
            "sections": self.sections,
            "commands": self.commands,
            "findings": [each.to_dict() for each in self.findings],
        }


def shell_recipes(directory: str) -> list[ShellRecipe]:
    """The shell recipes in *directory*, by name. Raises `ShellRecipesError`."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(SUFFIX))
    except OSError as error:
        raise ShellRecipesError(directory, f"cannot be read: {reason_of(error)}") from error
    if not names:
        raise ShellRecipesError(directory, f"has no shell recipes (*{SUFFIX})")
    return [_shell_recipe(directory, name) for name in names]


def _shell_recipe(directory: str, name: str) -> ShellRecipe:
    path, text, problem = os.path.join(directory, name), "", ""
    try:
        text = read_settings(path).decode("utf-8")
    except OSError as error:
        problem = f"it cannot be read: {reason_of(error)}"
    except UnicodeDecodeError:
        problem = "it is not a UTF-8 text file"
    project, _, version = name.removesuffix(SUFFIX).rpartition("-")
    if not project or not re.match(r"\d+\.", version) or not _is_version(version):
        project, version = name.removesuffix(SUFFIX), ""
    text = text.replace(OPEN, "").replace(CLOSE, "")  # what marks something in values
    return ShellRecipe(name=project, version=version, path=path, text=text, problem=problem)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def import_recipes(directory: str, site: Site | None) -> list[Imported]:
    """The recipes that those in *directory* come to, by name; nothing is written, and nothing of them is run.

    site: has the layers and archs that their conditions are about; None: those of their writers.

    Raises `ShellRecipesError` and `MissingExtraError`.
    """
    groups: dict[NormalizedName, list[ShellRecipe]] = {}
    for each in shell_recipes(directory):
        groups.setdefault(canonicalize_name(each.name), []).append(each)
    root = os.path.dirname(os.path.abspath(directory))
    return [_imported(name, recipes, site, root) for name, recipes in sorted(groups.items())]


#: What a project may be called.
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


def _imported(name: NormalizedName, recipes: Sequence[ShellRecipe], site: Site | None, root: str) -> Imported:
    """The recipe of the project *name*."""
    findings = {each.path: Findings(each.path) for each in recipes}
    first = findings[recipes[0].path]
    readable = [each for each in recipes if not each.problem]
    for each in recipes:
        if each.problem:
            findings[each.path].report(1, f"{each.problem}: it is not taken over")
    files: set[str] = set()
    document = None
    if not _PROJECT.fullmatch(recipes[0].name):
        first.report(1, "its name is not that of a project: it is not taken over")
    elif readable:
        try:
            document = _read(_chosen(name, readable, findings), findings, site, (root, files))
        except RecursionError:
            first.report(1, "it is nested too deeply: it is not taken over")
    return Imported(
        name=name,
        paths=tuple(each.path for each in recipes),
        document=document,
        files=frozenset(files),
        findings=tuple(finding for each in recipes for finding in sorted(findings[each.path].found)),
    )


def _chosen(
    name: str, recipes: Sequence[ShellRecipe], findings: Mapping[str, Findings]
) -> dict[str, ShellRecipe]:
    """The shell recipes of a project by version: the first of each."""
    chosen: dict[Version | None, ShellRecipe] = {}
    for each in recipes:
        version = Version(each.version) if each.version else None
        if (other := chosen.setdefault(version, each)) is not each:
            text = f"is also a recipe of {name}: only {os.path.basename(other.path)} counts"
            findings[each.path].add(1, text, note=each.text == other.text)
    return {each.version: each for each in chosen.values()}


def _read(
    recipes: Mapping[str, ShellRecipe],
    findings: Mapping[str, Findings],
    site: Site | None,
    place: tuple[str, set[str]],
) -> dict[str, Any]:
    """The recipe of a project: *recipes* by version. *place*: the root, and where needed files are noted."""
    read = {each.path: parse_shell(each.text) for each in recipes.values()}
    for each in recipes.values():
        misspelt(read[each.path], each.text, findings[each.path])
    return _document(recipes, read, findings, site, place)


def _document(
    recipes: Mapping[str, ShellRecipe],
    read: Mapping[str, Sequence[Statement]],
    findings: Mapping[str, Findings],
    site: Site | None,
    place: tuple[str, set[str]],
) -> dict[str, Any]:
    """The recipe of a project: *recipes* by version. *place*: the root, and where needed files are noted."""
    root, files = place
    asked = [asked_in(statements) for statements in read.values()]
    own = [Version(version) for version in recipes if version]
    axes = axes_of(
        site,
        layers=any(each.layers for each in asked),
        archs=any(each.archs for each in asked),
        versions=[*own, *(version for each in asked for version in each.versions)],
        pythons=[python for each in asked for python in each.pythons],
    )
    if axes.number > _MOST_WORLDS:
        for noted in findings.values():
            noted.report(1, f"its conditions tell {axes.number} kinds of builds apart: it is not taken over")
        return {}
    documents: dict[World, Mapping[str, Any]] = {}
    by_version = {Version(version): recipe for version, recipe in recipes.items() if version}
    for world in axes.worlds():
        exact = axes.versions[world.version // 2] if world.version % 2 else None
        recipe = by_version.get(exact, recipes.get("")) if exact is not None else recipes.get("")
        if recipe is None:
            documents[world] = {}
            continue
        noted = findings[recipe.path]
        initial = {**_SCRIPT, "PACKAGE": recipe.name, "PACKAGE_FOLDER_NAME": recipe.name}
        if recipe.version:
            initial["VERSION"] = recipe.version
        reading = Reader(axes, world, initial, noted, root).read(read[recipe.path])
        taken = {**initial, "THIS_SCRIPT": "unmanylinuxize.sh"}
        if "THIS_SCRIPT" in recipe.text:
            other = Reader(axes, world, taken, Findings(recipe.path), root).read(read[recipe.path])
            reading.values = {**other.values, **reading.values}
            if reading.refusal is not None and other.refusal is None:
                reading.upstream = reading.upstream or ()
        translation = Translation(recipe.name, recipe.version, reading, noted, root)
        documents[world] = translation.translate()
        files |= translation.files
    return recipe_of(documents, axes)


def write_recipes(imported: Sequence[Imported], directory: str, source: str) -> list[Imported]:
    """Write the recipes and what they need into the new or empty *directory*.

    source: the directory of the shell recipes. Returns *imported*, with what is wrong with a recipe as it is
    written among its findings.

    Raises `OutputError`.
    """
    root = os.path.dirname(os.path.abspath(source))
    try:
        os.makedirs(directory, exist_ok=True)
        if os.listdir(directory):
            raise OutputError(directory, "it is not empty: name a new directory")
        for path in sorted({path for each in imported for path in each.files}):
            target = os.path.join(directory, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(os.path.join(root, path), target)
    except OSError as error:
        raise error if isinstance(error, OutputError) else OutputError.from_os(directory, error) from error
    return [_written(each, directory) for each in imported]


def _written(imported: Imported, directory: str) -> Imported:
    """*imported*, whose recipe is written into *directory*, and checked."""
    if imported.document is None:
        return imported
    path = os.path.join(directory, imported.name + RECIPE_SUFFIX)
    names = ", ".join(os.path.basename(each) for each in imported.paths)
    said = [f"{os.path.basename(each.path)}:{each.line}: {each.text}" for each in imported.findings]
    lines = [f"# {printable(line)}" for line in (f"Taken over from {names}.", *said)]
    write_text(path, "\n".join([*lines, "", tomli_w.dumps(imported.document, multiline_strings=True)]))
    try:
        problems = lost_commands(load_recipe(path))
    except RecipeError as error:
        problems = [f"{key}: {problem}" if key else problem for key, problem in error.findings]
    first = imported.paths[0]
    found = [Finding(path=first, line=1, text=each.removeprefix(f"{path}: ")) for each in problems]
    return replace(imported, findings=(*imported.findings, *found))
