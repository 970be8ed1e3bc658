"""What a recipe file may contain: its keys, and what is wrong with a document.

Pure, except that it checks whether the patches exist.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from wheelhouse_resolver.builder.process.memory import SIZE, size_of
from wheelhouse_resolver.builder.recipes.model import PHASES, below, variables_in
from wheelhouse_resolver.builder.records.settings import LABEL, MODULE, NARROWED, PYTHON, REQUIREMENT
from wheelhouse_resolver.utils import schema
from wheelhouse_resolver.utils.schema import (
    Check,
    Findings,
    Problem,
    Table,
    accepted_by,
    matching,
    text,
    texts,
)
from wheelhouse_resolver.utils.text import invalid_character


def recipe_problems(document: Mapping[str, Any], directory: str) -> tuple[tuple[str, str], ...]:
    """Everything that is wrong with the *document* of a recipe in *directory*, as (key, problem) pairs."""
    return schema.problems(recipe_schema(directory), document)


_variable_name = matching(r"[A-Za-z_][A-Za-z0-9_]*", "variable name")


def _variables(value: str) -> str | None:
    """The text is one that is expanded."""
    wrong = [
        f"`${{{name}}}` in {value!r} is not a variable"
        for name in variables_in(value)
        if _variable_name(name)
    ]
    if re.search(r"(?<!\$)(\$\$)*\$\{[^}]*$", value):
        wrong.append(f"a `${{` in {value!r} has no `}}`")
    return f"{wrong[0]}: write ${{NAME}}, or `$$` for a dollar sign" if wrong else None


_specifier = accepted_by(SpecifierSet, "invalid version specifier {value!r}: write it as in >=1.20,<2")


def _subdirectory(value: str) -> str | None:
    outside = os.path.isabs(value) or ".." in value.split("/")
    return f"{value!r} is not below the source" if outside else None


def _files(value: str) -> str | None:
    if any("**" in part and part != "**" for part in value.split("/")):
        return f"{value!r}: `**`, for any directories, must be alone between slashes"
    return _subdirectory(value)


def _python_module(value: str) -> str | None:
    valid = all(part.isidentifier() for part in value.split("."))
    return None if valid else f"{value!r} is not a module name"


def _wheel_tags(value: str) -> str | None:
    problem = f"invalid wheel tag {value!r}: expected PYTHON-ABI-PLATFORM, parts may be empty"
    plain = value.replace("{cp}", "cp")
    return problem if plain.count("-") != 2 or "{" in plain else None


def _one_line(value: str) -> str | None:
    problem = invalid_character(value)
    return f"{value!r}: {problem}" if problem else None


def _setting_name(value: str) -> str | None:
    return "invalid name of a setting" if not value or "=" in value or invalid_character(value) else None


def _text_or_texts(problem_of: Problem) -> Check:
    """A string, or an array of them."""
    one, several = text(problem_of), texts(problem_of)
    return lambda found, value, key: (several if isinstance(value, list) else one)(found, value, key)


def _patches(directory: str) -> schema.Tables:
    def problem(value: str) -> str | None:
        path = below(directory, value)
        return None if os.path.isfile(path) else f"no such file: {path}"

    one = {"file": text(problem, empty=False), "strip": schema.whole_number(0, 99)}
    return schema.Tables(Table(one, needed=["file"]))


def _check_replacement(found: Findings, value: Any, key: str) -> None:
    try:  # compiles the replacement although nothing matches
        re.sub(value["pattern"], value["replacement"], "")
    except (re.error, IndexError, DeprecationWarning) as error:
        found.note(f"{key}.replacement", f"{value['replacement']!r} does not fit the pattern: {error}")


def _check_conditions(found: Findings, value: Any, key: str) -> None:
    if not any(value.get(condition) for condition in CONDITIONS):
        found.note(key, f"has no condition: give one of {', '.join(CONDITIONS)}")


def _check_document(found: Findings, document: Any, key: str) -> None:
    _check_sources(found, document, key)
    for number, section in enumerate((document, *document.get("when", ()))):
        where = f"when[{number}]." if number else ""
        if section.get("no-binary") and section.get("only-binary"):
            found.note(f"{where}only-binary", "contradicts no-binary")


def _check_sources(found: Findings, document: Any, _: str) -> None:
    """Every `source`, where it applies, has one place, and only the keys for that kind of place."""
    base = document.get("source", {})
    for number, section in enumerate((document, *document.get("when", ()))):
        key = f"when[{number}].source" if number else "source"
        table = section.get("source", {})
        kinds = [kind for kind in SOURCE_KINDS if kind in table]
        if len(kinds) > 1:
            found.note(key, f"has {' and '.join(kinds)}: give one of them")
        # A section without a place changes the one of the whole recipe.
        places = table if kinds else base
        for name, wanted in (("ref", "git"), ("sha256", "url")):
            if name in table and wanted not in places:
                found.note(f"{key}.{name}", f"belongs to a source with `{wanted}`")


#: The keys of `source` that say where it is.
SOURCE_KINDS = ("url", "git", "directory")

_requirements = texts(REQUIREMENT)
_modules = texts(MODULE)
_project = matching(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", "project name")

#: The conditions of a `[[when]]`.
CONDITIONS: Mapping[str, Check] = {
    "version": text(_specifier, empty=False),
    "python": text(_specifier, empty=False),
    "layer": _text_or_texts(_one_line),
    "arch": _text_or_texts(_one_line),
}

#: All keys but `when`; `patch` depends on the recipe's directory.
_COMMON: dict[str, Check] = {
    "pythons": texts(PYTHON),
    "modules": Table({"build": _modules, "run": _modules, "default": _modules, "without": _modules}),
    "build-requires": _requirements,
    "extra-build-requires": _requirements,
    "default-build-requires": _requirements,
    "build-isolation": schema.flag,
    "no-binary": schema.flag,
    "only-binary": schema.flag,
    "arch-flags": schema.flag,
    "source": Table(
        {
            **dict.fromkeys((*SOURCE_KINDS, "ref"), text(_variables, empty=False)),
            "subdirectory": text(_subdirectory),
            "sha256": text(matching(r"[0-9a-fA-F]{64}", "sha256 (64 hexadecimal digits)"), empty=False),
            "project": text(_project, empty=False),
        }
    ),
    "placeholder": Table(
        {
            "message": schema.line(),
            "imports": texts(_python_module),
            "versions": texts(accepted_by(Version, "invalid version {value!r}")),
        },
        needed=["message"],
    ),
    "env": schema.Pairs(text(_variables), _variable_name),
    "config-settings": schema.Pairs(_text_or_texts(_variables), _setting_name),
    "patch": _patches(""),
    "substitute": schema.Tables(
        Table(
            {
                "files": text(_files, empty=False),
                "pattern": text(
                    accepted_by(re.compile, "invalid regular expression {value!r}: {error}"), empty=False
                ),
                "replacement": text(_variables),
            },
            needed=["files", "pattern", "replacement"],
            then=_check_replacement,
        )
    ),
    "test": Table(
        {
            "imports": texts(_python_module),
            "statements": texts(),
            "command": text(),
            "requires": _requirements,
            "timeout": schema.seconds(7 * 24 * 3600),
            "memory": text(accepted_by(size_of, "{error}")),
        }
    ),
    "wheel": Table(
        {
            "add-requires": _requirements,
            "remove-requires": texts(_project),
            "rename-requires": schema.Pairs(text(REQUIREMENT, empty=False), _project),
            "replace-requires": _requirements,
            "narrow-requires": texts(schema.one_of("project", NARROWED)),
            "local-label": text(LABEL),
            "tags": text(_wheel_tags),
            "rpath": texts(_variables),
        }
    ),
    "phases": Table(dict.fromkeys(PHASES, texts())),
    "resources": Table(
        {
            "cores": schema.whole_number(1, 9999),
            "memory": text(matching(SIZE.pattern, "size of memory, such as 8G")),
            "time": text(
                matching(
                    r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}|UNLIMITED|INFINITE", "time limit, such as 2:00:00"
                )
            ),
            "constraint": text(),
            "partition": text(),
        }
    ),
}


def recipe_schema(directory: str) -> Table:
    """What a recipe in *directory* may contain."""
    common: dict[str, Check] = {**_COMMON, "patch": _patches(directory)}
    when = Table({**common, **CONDITIONS}, then=_check_conditions)
    return Table({**common, "when": schema.Tables(when)}, then=_check_document)
