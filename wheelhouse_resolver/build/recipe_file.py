"""Recipe files: TOML, checked as a whole, and resolved for one version, Python, layer and arch."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from wheelhouse_resolver.build.recipe import (
    PHASES,
    Patch,
    Recipe,
    RecipeError,
    Resources,
    Source,
    Substitution,
    Test,
    below,
    variables_in,
)
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.relabel import Edits
from wheelhouse_resolver.repack import labelled
from wheelhouse_resolver.site import NO_LAYER
from wheelhouse_resolver.text import kind_of, problem_in, unknown
from wheelhouse_resolver.toml_text import TomlError, parse_toml

if TYPE_CHECKING:
    from wheelhouse_resolver.site import Site

__all__ = [
    "KEYS",
    "SHIPPED",
    "SUFFIX",
    "RecipeFile",
    "find_recipe",
    "load_recipe",
    "recipe_directories",
    "recipe_files",
]

SUFFIX = ".toml"

#: Where the recipes that come with this program are.
SHIPPED = os.path.join(os.path.dirname(os.path.dirname(__file__)), "recipes")

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODULE_NAME = re.compile(r"[\w.+/@:=-]+")
_SLURM_MEMORY = re.compile(r"\d+[KMGT]?")
_SLURM_TIME = re.compile(r"(\d+-)?\d+(:\d+){0,2}|UNLIMITED|INFINITE")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

#: The arrays of tables; in a `[[when]]` they are added to, all else replaces.
_ADDED = ("patch", "substitute")


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipeFile:
    """A recipe file that was found valid.

    name: the project. path: absolute. digest: sha256 of the file. document: what stands in it.
    """

    name: NormalizedName
    path: str
    digest: str
    document: Mapping[str, Any]

    def resolve(self, version: Version | None, python: str, layer: str | None, arch: str) -> Recipe:
        """The recipe for one *version* on a *python* (`3.11`) with that *layer* and *arch*.

        Every `[[when]]` whose conditions all hold is laid over the rest, in the order of the file: tables key
        by key, `[[patch]]` and `[[substitute]]` are added, all else is replaced. While *version* is not
        known (None), no condition on it holds.
        """
        document = {key: value for key, value in self.document.items() if key != "when"}
        for section in self.document.get("when", ()):
            if _applies(section, version, python, layer, arch):
                laid = {key: value for key, value in section.items() if key not in _CONDITIONS}
                document = _merged(document, laid)
        return _recipe(self, document)


def recipe_directories(site: Site) -> list[str]:
    """Where recipes are looked for: the site's `[build] recipes`, then those that come with this program.

    A relative path there is one beside the site file.
    """
    stated = site.tables.get("build", {}).get("recipes", ())
    beside = os.path.dirname(os.path.abspath(site.source)) if site.source else os.getcwd()
    return [*(below(beside, os.path.expanduser(each)) for each in stated), SHIPPED]


def recipe_files(directories: Sequence[str]) -> dict[NormalizedName, str]:
    """The recipe file of every project that has one in *directories*; the first directory counts."""
    found: dict[NormalizedName, str] = {}
    for directory in directories:
        try:
            names = sorted(os.listdir(directory))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            problem = f"cannot be listed: {reason_of(error)}"
            raise RecipeError(directory, (("", problem),)) from error
        for name in names:
            if name.endswith(SUFFIX):
                project = canonicalize_name(name.removesuffix(SUFFIX))
                found.setdefault(project, os.path.join(directory, name))
    return found


def find_recipe(project: str, directories: Sequence[str]) -> RecipeFile | None:
    """The recipe of *project*, in any spelling of its name (PEP 503); None if there is none.

    Raises `RecipeError`.
    """
    path = recipe_files(directories).get(canonicalize_name(project))
    return load_recipe(path) if path is not None else None


def load_recipe(path: str) -> RecipeFile:
    """The recipe in the file at *path*. Raises `RecipeError` with everything that is wrong in it."""
    path = os.path.abspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
        document = parse_toml(data.decode("utf-8"))
    except OSError as error:
        raise RecipeError(path, (("", f"cannot be read: {reason_of(error)}"),)) from error
    except UnicodeDecodeError as error:
        raise RecipeError(path, (("", "is not a text file in UTF-8"),)) from error
    except TomlError as error:
        where = f"line {error.line}" if error.line is not None else ""
        raise RecipeError(path, ((where, error.problem),)) from error
    check = _Check(os.path.dirname(path))
    check.table(document, "", _SCHEMA)
    if check.findings:
        raise RecipeError(path, tuple(check.findings))
    name = canonicalize_name(os.path.basename(path).removesuffix(SUFFIX))
    return RecipeFile(name=name, path=path, digest=hashlib.sha256(data).hexdigest(), document=document)


# -- what a file may say ------------------------------------------------------------------------------------


class _Check:
    """Compares a document with a schema, and collects what is wrong."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.findings: list[tuple[str, str]] = []

    def note(self, key: str, problem: str) -> None:
        self.findings.append((key, problem))

    def table(self, value: Any, key: str, schema: Mapping[str, _Checker]) -> None:
        """*value* is a table with keys of *schema* only."""
        if not isinstance(value, dict):
            self.note(key, f"must be a table, not {kind_of(value)}")
            return
        for name, item in value.items():
            inner = f"{key}.{name}" if key else name
            checker = schema.get(name)
            if checker is None:
                self.note(key, unknown("key", name, schema))
            else:
                checker(self, item, inner)

    def text(self, value: Any, key: str) -> bool:
        """*value* is a string that can be used."""
        if not isinstance(value, str):
            self.note(key, f"must be a string, not {kind_of(value)}")
            return False
        if any(not name for name in variables_in(value)) or re.search(r"\$\{[^}]*$", value):
            self.note(key, f"{value!r} has a `${{` without a name or without its `}}`; a dollar sign is `$$`")
            return False
        if "\x00" in value:
            self.note(key, "holds a NUL character")
            return False
        return True


_Checker = Callable[[_Check, Any, str], None]


def _text(problem_of: Callable[[str], str | None] | None = None) -> _Checker:
    """A string; *problem_of* says what is wrong with it, if anything."""

    def check(self: _Check, value: Any, key: str) -> None:
        if self.text(value, key) and problem_of is not None and (problem := problem_of(value)):
            self.note(key, problem)

    return check


def _texts(problem_of: Callable[[str], str | None] | None = None) -> _Checker:
    """An array of strings."""
    one = _text(problem_of)

    def check(self: _Check, value: Any, key: str) -> None:
        if not isinstance(value, list):
            self.note(key, f"must be an array of strings, not {kind_of(value)}")
            return
        for item in value:
            one(self, item, key)

    return check


def _text_or_texts(problem_of: Callable[[str], str | None] | None = None) -> _Checker:
    one, several = _text(problem_of), _texts(problem_of)
    return lambda self, value, key: (several if isinstance(value, list) else one)(self, value, key)


def _flag(self: _Check, value: Any, key: str) -> None:
    if not isinstance(value, bool):
        self.note(key, f"must be true or false, not {kind_of(value)}")


def _number(least: int, *, whole: bool = True) -> _Checker:
    def check(self: _Check, value: Any, key: str) -> None:
        right = isinstance(value, int) or (isinstance(value, float) and not whole)
        if not right or isinstance(value, bool) or value < least:
            self.note(key, f"must be a{' whole' if whole else ''} number from {least}, not {kind_of(value)}")

    return check


def _pairs(values: _Checker, name_problem: Callable[[str], str | None]) -> _Checker:
    """A table of any names."""

    def check(self: _Check, value: Any, key: str) -> None:
        if not isinstance(value, dict):
            self.note(key, f"must be a table, not {kind_of(value)}")
            return
        for name, item in value.items():
            if problem := name_problem(name):
                self.note(f"{key}.{name}", problem)
            values(self, item, f"{key}.{name}")

    return check


def _table(schema: Mapping[str, _Checker], needed: Sequence[str] = ()) -> _Checker:
    def check(self: _Check, value: Any, key: str) -> None:
        self.table(value, key, schema)
        for name in needed:
            if isinstance(value, dict) and name not in value:
                self.note(f"{key}.{name}", "missing")

    return check


def _tables(one: _Checker) -> _Checker:
    def check(self: _Check, value: Any, key: str) -> None:
        if not isinstance(value, list):
            self.note(key, f"must be an array of tables: [[{key}]]")
            return
        for number, item in enumerate(value, 1):
            one(self, item, f"[[{key}]] number {number}")

    return check


def _requirement(text: str) -> str | None:
    try:
        Requirement(text)
    except InvalidRequirement as error:
        return f"invalid requirement {text!r}: {str(error).splitlines()[0]}"
    return None


def _specifier(text: str) -> str | None:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        return f"{text!r} is no version specifier, such as >=1.20,<2"
    return None


def _pattern(text: str) -> str | None:
    try:
        re.compile(text)
    except re.error as error:
        return f"{text!r} is no regular expression: {error}"
    return None


def _local_label(text: str) -> str | None:
    if not text:
        return None
    try:
        labelled(Version("1"), text)
    except ValueError as error:
        return str(error)
    return None


def _one_of(expression: re.Pattern[str], what: str) -> Callable[[str], str | None]:
    return lambda text: None if expression.fullmatch(text) or not text else f"{text!r} is no {what}"


def _subdirectory(text: str) -> str | None:
    if os.path.isabs(text) or ".." in text.split("/"):
        return f"{text!r} is not below the source"
    return None


def _layer_or_arch(text: str) -> str | None:
    problem = problem_in(text)
    return f"{text!r} cannot be used: {problem}" if problem else None


def _wheel_tags(text: str) -> str | None:
    if text and text.count("-") != 2:
        return f"{text!r} is no wheel tag: give PYTHON-ABI-PLATFORM, empty parts are kept"
    return None


def _project(text: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?", text, re.ASCII) else "no project's name"


def _patch_file(self: _Check, value: Any, key: str) -> None:
    if self.text(value, key) and not os.path.isfile(below(self.directory, value)):
        self.note(key, f"{value!r} is not beside the recipe")


def _source(self: _Check, value: Any, key: str) -> None:
    self.table(value, key, _SOURCE)
    if isinstance(value, dict):
        if len(kinds := [kind for kind in _SOURCE_KINDS if kind in value]) > 1:
            self.note(key, f"names {' and '.join(kinds)}: give one of them")
        for name, wanted in (("ref", "git"), ("sha256", "url")):
            if name in value and wanted not in value and kinds:
                self.note(f"{key}.{name}", f"belongs to `{wanted}`")


_requirements = _texts(_requirement)
_modules = _texts(_one_of(_MODULE_NAME, "module's name"))

_SOURCE_KINDS = ("url", "git", "directory")
_SOURCE: dict[str, _Checker] = {
    "url": _text(),
    "git": _text(),
    "directory": _text(),
    "ref": _text(),
    "subdirectory": _text(_subdirectory),
    "sha256": _text(_one_of(_SHA256, "sha256 (64 hexadecimal digits)")),
}
_COMMON: dict[str, _Checker] = {
    "modules": _table({"build": _modules, "run": _modules}),
    "build-requires": _requirements,
    "build-isolation": _flag,
    "arch-flags": _flag,
    "source": _source,
    "env": _pairs(_text(), _one_of(_ENVIRONMENT_NAME, "name of a variable")),
    "config-settings": _pairs(_text_or_texts(), problem_in),
    "patch": _tables(_table({"file": _patch_file, "strip": _number(0)}, ["file"])),
    "substitute": _tables(
        _table(
            {"files": _text(_subdirectory), "pattern": _text(_pattern), "replacement": _text()},
            ["files", "pattern", "replacement"],
        )
    ),
    "test": _table(
        {
            "imports": _texts(),
            "statements": _texts(),
            "command": _text(),
            "requires": _requirements,
            "timeout": _number(1, whole=False),
        }
    ),
    "wheel": _table(
        {
            "add-requires": _requirements,
            "remove-requires": _texts(_project),
            "replace-requires": _requirements,
            "local-label": _text(_local_label),
            "tags": _text(_wheel_tags),
            "rpath": _texts(),
        }
    ),
    "phases": _table({phase: _texts() for phase in PHASES}),
    "resources": _table(
        {
            "cores": _number(1),
            "memory": _text(_one_of(_SLURM_MEMORY, "amount of memory, such as 8G")),
            "time": _text(_one_of(_SLURM_TIME, "time limit, such as 2:00:00")),
            "constraint": _text(),
            "partition": _text(),
        }
    ),
}
_CONDITIONS: dict[str, _Checker] = {
    "version": _text(_specifier),
    "python": _text(_specifier),
    "layer": _text_or_texts(_layer_or_arch),
    "arch": _text_or_texts(_layer_or_arch),
}


def _when(self: _Check, value: Any, key: str) -> None:
    self.table(value, key, {**_COMMON, **_CONDITIONS})
    if isinstance(value, dict) and not any(condition in value for condition in _CONDITIONS):
        self.note(key, f"has no condition: give one of {', '.join(_CONDITIONS)}")


_SCHEMA: dict[str, _Checker] = {**_COMMON, "when": _tables(_when)}

#: Every key that a recipe may have, as the documentation lists them.
KEYS = (
    "modules.build",
    "modules.run",
    "build-requires",
    "build-isolation",
    "arch-flags",
    *(f"source.{key}" for key in _SOURCE),
    "env",
    "config-settings",
    "patch.file",
    "patch.strip",
    "substitute.files",
    "substitute.pattern",
    "substitute.replacement",
    "test.imports",
    "test.statements",
    "test.command",
    "test.requires",
    "test.timeout",
    "wheel.add-requires",
    "wheel.remove-requires",
    "wheel.replace-requires",
    "wheel.local-label",
    "wheel.tags",
    "wheel.rpath",
    *(f"phases.{phase}" for phase in PHASES),
    "resources.cores",
    "resources.memory",
    "resources.time",
    "resources.constraint",
    "resources.partition",
    *(f"when.{condition}" for condition in _CONDITIONS),
)


# -- what it comes to ---------------------------------------------------------------------------------------


def _applies(
    section: Mapping[str, Any], version: Version | None, python: str, layer: str | None, arch: str
) -> bool:
    """Whether all conditions of a `[[when]]` hold."""

    def matches(condition: str, value: str) -> bool:
        stated = section.get(condition)
        if stated is None:
            return True
        return any(fnmatchcase(value, each) for each in ([stated] if isinstance(stated, str) else stated))

    if "version" in section and (
        version is None or not SpecifierSet(section["version"]).contains(version, prereleases=True)
    ):
        return False
    if "python" in section and not SpecifierSet(section["python"]).contains(python, prereleases=True):
        return False
    return matches("layer", layer or NO_LAYER) and matches("arch", arch)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """*over* laid over *under*."""
    found = dict(under)
    for key, value in over.items():
        if key == "source":  # another place altogether, not a mixture of two
            found[key] = value
        elif isinstance(value, dict) and isinstance(found.get(key), dict):
            found[key] = {**found[key], **value}
        elif key in _ADDED:
            found[key] = [*found.get(key, ()), *value]
        else:
            found[key] = value
    return found


def _recipe(file: RecipeFile, document: Mapping[str, Any]) -> Recipe:
    modules, wheel = document.get("modules", {}), document.get("wheel", {})
    test, resources = document.get("test", {}), document.get("resources", {})
    beside = os.path.dirname(file.path)
    settings: list[tuple[str, str]] = []
    for key, value in document.get("config-settings", {}).items():
        settings += [(key, each) for each in ([value] if isinstance(value, str) else value)]
    return Recipe(
        name=file.name,
        path=file.path,
        digest=file.digest,
        build_modules=tuple(modules.get("build", ())),
        run_modules=tuple(modules.get("run", ())),
        build_requires=tuple(document.get("build-requires", ())),
        isolation=document.get("build-isolation", True),
        source=_source_of(document.get("source", {})),
        env=tuple(document.get("env", {}).items()),
        config_settings=tuple(settings),
        patches=tuple(
            Patch(path=below(beside, each["file"]), strip=each.get("strip", 1))
            for each in document.get("patch", ())
        ),
        substitutions=tuple(
            Substitution(files=each["files"], pattern=each["pattern"], replacement=each["replacement"])
            for each in document.get("substitute", ())
        ),
        test=Test(
            imports=tuple(test.get("imports", ())),
            statements=tuple(test.get("statements", ())),
            command=test.get("command", ""),
            requires=tuple(test.get("requires", ())),
            timeout=float(test.get("timeout", Test().timeout)),
        ),
        edits=Edits(
            add=tuple(wheel.get("add-requires", ())),
            remove=tuple(wheel.get("remove-requires", ())),
            replace=tuple(wheel.get("replace-requires", ())),
            local_label=wheel.get("local-label", ""),
            tags=wheel.get("tags", ""),
        ),
        rpath=tuple(wheel.get("rpath", ())),
        phases=tuple((phase, tuple(commands)) for phase, commands in document.get("phases", {}).items()),
        march=document.get("arch-flags", True),
        resources=Resources(**resources),
    )


def _source_of(table: Mapping[str, Any]) -> Source:
    kind = next((each for each in _SOURCE_KINDS if each in table), "index")
    return Source(
        kind=kind,
        location=table.get(kind, ""),
        ref=table.get("ref", ""),
        subdirectory=table.get("subdirectory", ""),
        sha256=table.get("sha256", "").lower(),
    )
