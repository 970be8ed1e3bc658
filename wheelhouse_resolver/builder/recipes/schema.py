"""What a recipe file may say: its keys, and what is wrong with a document.

Pure, but for a look whether the patches are there.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from wheelhouse_resolver.builder.recipes.model import PHASES, below, variables_in
from wheelhouse_resolver.utils import schema
from wheelhouse_resolver.utils.schema import Check, Findings, Pairs, Problem, Table, Tables, text, texts
from wheelhouse_resolver.utils.text import invalid_character
from wheelhouse_resolver.wheelfile.rewrite import labelled

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODULE_NAME = re.compile(r"[\w.+/@:=][\w.+/@:=-]*")
_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SLURM_MEMORY = re.compile(r"\d+[KMGT]?")
_SLURM_TIME = re.compile(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}|UNLIMITED|INFINITE")

#: No test takes longer (s).
_LONGEST = 7 * 24 * 3600


def findings_in(document: Mapping[str, Any], directory: str) -> list[tuple[str, str]]:
    """Everything that is wrong with the *document* of a recipe in *directory*, as (key, problem) pairs."""
    found = _Findings(directory)
    _SCHEMA(found, document, "")
    if not found.noted:
        _check_sources(found, document)
    return found.noted


class _Findings(Findings):
    """What was found wrong so far in a recipe of that *directory*."""

    __slots__ = ("directory",)

    def __init__(self, directory: str) -> None:
        super().__init__()
        self.directory = directory


def _text_or_texts(problem_of: Problem) -> Check:
    """A string, or an array of them."""
    one, several = text(problem_of), texts(problem_of)
    return lambda found, value, key: (several if isinstance(value, list) else one)(found, value, key)


# -- what can be wrong with a string ------------------------------------------------------------------------


def _matching(expression: re.Pattern[str], what: str) -> Problem:
    return lambda text: None if expression.fullmatch(text) else f"{text!r} is no {what}"


def _variables(text: str) -> str | None:
    """The text is one that is expanded."""
    for name in variables_in(text):
        if not _VARIABLE_NAME.fullmatch(name):
            return f"`${{{name}}}` in {text!r} is no variable: write ${{NAME}}, and `$$` for a dollar sign"
    if re.search(r"(?<!\$)(\$\$)*\$\{[^}]*$", text):
        return f"a `${{` in {text!r} has no `}}`: write ${{NAME}}, and `$$` for a dollar sign"
    return None


def _requirement(text: str) -> str | None:
    try:
        Requirement(text)
    except (InvalidRequirement, RecursionError) as error:
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
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python warns of is about to mean something else
            re.compile(text)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        return f"{text!r} is no regular expression: {error}"
    return None


def _local_label(text: str) -> str | None:
    try:
        labelled(Version("1"), text)
    except ValueError as error:
        return str(error)
    return None


def _subdirectory(text: str) -> str | None:
    if os.path.isabs(text) or ".." in text.split("/"):
        return f"{text!r} is not below the source"
    return None


def _files(text: str) -> str | None:
    if any("**" in part and part != "**" for part in text.split("/")):
        return f"{text!r}: `**`, for any directories, stands alone between slashes"
    return _subdirectory(text)


def _python_module(text: str) -> str | None:
    return None if all(part.isidentifier() for part in text.split(".")) else f"{text!r} is no module"


def _wheel_tags(text: str) -> str | None:
    if text.count("-") != 2:
        return f"{text!r} is no wheel tag: give PYTHON-ABI-PLATFORM; a part left empty stays what it is"
    return None


# -- the keys -----------------------------------------------------------------------------------------------


def _patch_file(found: Findings, value: Any, key: str) -> None:
    assert isinstance(found, _Findings)  # see findings_in
    if found.fine(text(empty=False), value, key) and not os.path.isfile(below(found.directory, value)):
        found.note(key, f"there is no file {below(found.directory, value)}")


def _replacement_fits(found: Findings, value: Any, key: str) -> None:
    try:  # compiles the replacement although nothing matches
        re.sub(value["pattern"], value["replacement"], "")
    except (re.error, IndexError, DeprecationWarning) as error:
        found.note(f"{key}.replacement", f"{value['replacement']!r} does not fit the pattern: {error}")


def _has_condition(found: Findings, value: Any, key: str) -> None:
    if not any(value.get(condition) for condition in CONDITIONS):
        found.note(key, f"has no condition: give one of {', '.join(CONDITIONS)}")


def _check_sources(found: Findings, document: Mapping[str, Any]) -> None:
    """Every `source`, as it is where it applies, names one place, and nothing that this place has not."""
    base = document.get("source", {})
    stated = [("source", base)]
    for number, section in enumerate(document.get("when", ()), 1):
        stated.append((f"when[{number}].source", section.get("source", {})))
    for key, table in stated:
        kinds = [kind for kind in SOURCE_KINDS if kind in table]
        if len(kinds) > 1:
            found.note(key, f"names {' and '.join(kinds)}: give one of them")
        # A section that names no place changes the one that is there.
        places = table if kinds else base
        for name, wanted in (("ref", "git"), ("sha256", "url")):
            if name in table and wanted not in places:
                found.note(f"{key}.{name}", f"belongs to a source with `{wanted}`")


_requirements = texts(_requirement)
_modules = texts(_matching(_MODULE_NAME, "module's name"))
_names = _text_or_texts(
    lambda text: f"{text!r}: {invalid_character(text)}" if invalid_character(text) else None
)

#: The keys of `source` that name a place.
SOURCE_KINDS = ("url", "git", "directory")

_COMMON: dict[str, Check] = {
    "modules": Table({"build": _modules, "run": _modules}),
    "build-requires": _requirements,
    "build-isolation": schema.flag,
    "no-binary": schema.flag,
    "arch-flags": schema.flag,
    "source": Table(
        {
            **dict.fromkeys(SOURCE_KINDS, text(_variables, empty=False)),
            "ref": text(_variables, empty=False),
            "subdirectory": text(_subdirectory),
            "sha256": text(_matching(_SHA256, "sha256 (64 hexadecimal digits)"), empty=False),
        }
    ),
    "env": Pairs(text(_variables), _matching(_VARIABLE_NAME, "name of a variable")),
    "config-settings": Pairs(
        _text_or_texts(_variables),
        lambda name: "no name of a setting" if not name or "=" in name or invalid_character(name) else None,
    ),
    "patch": Tables(Table({"file": _patch_file, "strip": schema.whole_number(0, 99)}, needed=["file"])),
    "substitute": Tables(
        Table(
            {
                "files": text(_files, empty=False),
                "pattern": text(_pattern, empty=False),
                "replacement": text(_variables),
            },
            needed=["files", "pattern", "replacement"],
            then=_replacement_fits,
        )
    ),
    "test": Table(
        {
            "imports": texts(_python_module),
            "statements": texts(),
            "command": text(),
            "requires": _requirements,
            "timeout": schema.seconds(_LONGEST),
        }
    ),
    "wheel": Table(
        {
            "add-requires": _requirements,
            "remove-requires": texts(_matching(_PROJECT, "name of a project")),
            "replace-requires": _requirements,
            "local-label": text(_local_label),
            "tags": text(_wheel_tags),
            "rpath": texts(_variables),
        }
    ),
    "phases": Table(dict.fromkeys(PHASES, texts())),
    "resources": Table(
        {
            "cores": schema.whole_number(1, 9999),
            "memory": text(_matching(_SLURM_MEMORY, "amount of memory, such as 8G")),
            "time": text(_matching(_SLURM_TIME, "time limit, such as 2:00:00")),
            "constraint": text(),
            "partition": text(),
        }
    ),
}

#: The conditions of a `[[when]]`.
CONDITIONS: Mapping[str, Check] = {
    "version": text(_specifier, empty=False),
    "python": text(_specifier, empty=False),
    "layer": _names,
    "arch": _names,
}


_WHEN = Table({**_COMMON, **CONDITIONS}, then=_has_condition)
_SCHEMA = Table({**_COMMON, "when": Tables(_WHEN)})


def _keys(checks: Mapping[str, Check], above: str = "") -> Iterator[str]:
    for name, check in checks.items():
        one = check.one if isinstance(check, Tables) else check
        if isinstance(one, Table):
            yield from _keys(one.schema, f"{above}{name}.")
        else:
            yield above + name


#: Every key that a recipe may have (`source.url`); in a `[[when]]` all of them, and its conditions.
KEYS = (*_keys(_COMMON), *(f"when.{condition}" for condition in CONDITIONS))
