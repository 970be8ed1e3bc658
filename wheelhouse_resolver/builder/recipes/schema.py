"""What a recipe file may say: its keys, and what is wrong with a document.

Pure, but for a look whether the patches are there.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from wheelhouse_resolver.builder.recipes.model import PHASES, below, variables_in
from wheelhouse_resolver.utils.text import invalid_character, suggest_name, toml_type
from wheelhouse_resolver.wheelfile.rewrite import labelled

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MODULE_NAME = re.compile(r"[\w.+/@:=][\w.+/@:=-]*")
_PROJECT = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_SLURM_MEMORY = re.compile(r"\d+[KMGT]?")
_SLURM_TIME = re.compile(r"\d+(:\d+){0,2}|\d+-\d+(:\d+){0,2}|UNLIMITED|INFINITE")

#: No test takes longer (s).
_LONGEST = 7 * 24 * 3600

_Problem = Callable[[str], "str | None"]
_Checker = Callable[["_Findings", Any, str], None]


def findings_in(document: Mapping[str, Any], directory: str) -> list[tuple[str, str]]:
    """Everything that is wrong with the *document* of a recipe in *directory*, as (key, problem) pairs."""
    found = _Findings(directory)
    _Table(schema={**_COMMON, "when": _Tables(one=_when)})(found, document, "")
    if not found.noted:
        _check_sources(found, document)
    return found.noted


class _Findings:
    """What was found wrong so far in a recipe of that *directory*."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.noted: list[tuple[str, str]] = []

    def note(self, key: str, problem: str) -> None:
        self.noted.append((key, problem))


# -- kinds of values ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """A table with the keys of *schema* only, those in *needed* at least."""

    schema: Mapping[str, _Checker]
    needed: Sequence[str] = ()

    def __call__(self, found: _Findings, value: Any, key: str) -> None:
        if not isinstance(value, Mapping):
            found.note(key, f"must be a table, not {toml_type(value)}")
            return
        for name, item in value.items():
            if name in self.schema:
                self.schema[name](found, item, f"{key}.{name}" if key else name)
            else:
                found.note(key, suggest_name("key", name, self.schema))
        for name in self.needed:
            if name not in value:
                found.note(f"{key}.{name}", "missing")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Tables:
    """An array of tables."""

    one: _Checker

    def __call__(self, found: _Findings, value: Any, key: str) -> None:
        if not isinstance(value, list):
            found.note(key, f"must be an array of tables, [[{key}]], not {toml_type(value)}")
            return
        for number, item in enumerate(value, 1):
            self.one(found, item, f"{key}[{number}]")


def _pairs(name_problem: _Problem, item: _Checker) -> _Checker:
    """A table of any names that *name_problem* finds nothing wrong with."""

    def check(found: _Findings, value: Any, key: str) -> None:
        if not isinstance(value, Mapping):
            found.note(key, f"must be a table, not {toml_type(value)}")
            return
        for name, each in value.items():
            if problem := name_problem(name):
                found.note(f"{key}.{name}", problem)
            item(found, each, f"{key}.{name}")

    return check


def _text(problem_of: _Problem = lambda _: None, *, empty: bool = True) -> _Checker:
    """A string that *problem_of* finds nothing wrong with."""

    def check(found: _Findings, value: Any, key: str) -> None:
        if not isinstance(value, str):
            found.note(key, f"must be a string, not {toml_type(value)}")
        elif "\0" in value:
            found.note(key, "holds a NUL character")
        elif not value:
            if not empty:
                found.note(key, "must not be empty")
        elif problem := problem_of(value):
            found.note(key, problem)

    return check


def _texts(problem_of: _Problem = lambda _: None) -> _Checker:
    """An array of strings, none of them empty."""
    one = _text(problem_of, empty=False)

    def check(found: _Findings, value: Any, key: str) -> None:
        if not isinstance(value, list):
            found.note(key, f"must be an array of strings, not {toml_type(value)}")
            return
        for item in value:
            one(found, item, key)

    return check


def _text_or_texts(problem_of: _Problem) -> _Checker:
    """A string, or an array of them."""
    one, several = _text(problem_of), _texts(problem_of)
    return lambda found, value, key: (several if isinstance(value, list) else one)(found, value, key)


def _flag(found: _Findings, value: Any, key: str) -> None:
    if not isinstance(value, bool):
        found.note(key, f"must be true or false, not {toml_type(value)}")


def _whole_number(least: int, most: int) -> _Checker:
    def check(found: _Findings, value: Any, key: str) -> None:
        if type(value) is not int or not least <= value <= most:
            found.note(key, f"must be a whole number from {least} to {most}, not {toml_type(value)}")

    return check


def _seconds(found: _Findings, value: Any, key: str) -> None:
    if type(value) not in (int, float) or not 0 < value <= _LONGEST:
        found.note(key, f"must be a number of seconds above 0, at most {_LONGEST}, not {toml_type(value)}")


# -- what can be wrong with a string ------------------------------------------------------------------------


def _one_of(expression: re.Pattern[str], what: str) -> _Problem:
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


def _patch_file(found: _Findings, value: Any, key: str) -> None:
    before = len(found.noted)
    _text(empty=False)(found, value, key)
    if len(found.noted) == before and not os.path.isfile(below(found.directory, value)):
        found.note(key, f"there is no file {below(found.directory, value)}")


def _substitute(found: _Findings, value: Any, key: str) -> None:
    before = len(found.noted)
    _SUBSTITUTION(found, value, key)
    if len(found.noted) == before:
        try:  # compiles the replacement although nothing matches
            re.sub(value["pattern"], value["replacement"], "")
        except (re.error, IndexError, DeprecationWarning) as error:
            found.note(f"{key}.replacement", f"{value['replacement']!r} does not fit the pattern: {error}")


def _when(found: _Findings, value: Any, key: str) -> None:
    before = len(found.noted)
    _Table(schema={**_COMMON, **CONDITIONS})(found, value, key)
    if len(found.noted) == before and not any(value.get(condition) for condition in CONDITIONS):
        found.note(key, f"has no condition: give one of {', '.join(CONDITIONS)}")


def _check_sources(found: _Findings, document: Mapping[str, Any]) -> None:
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


_requirements = _texts(_requirement)
_modules = _texts(_one_of(_MODULE_NAME, "module's name"))
_names = _text_or_texts(
    lambda text: f"{text!r}: {invalid_character(text)}" if invalid_character(text) else None
)

#: The keys of `source` that name a place.
SOURCE_KINDS = ("url", "git", "directory")

_SUBSTITUTION = _Table(
    schema={
        "files": _text(_files, empty=False),
        "pattern": _text(_pattern, empty=False),
        "replacement": _text(_variables),
    },
    needed=["files", "pattern", "replacement"],
)

_COMMON: dict[str, _Checker] = {
    "modules": _Table(schema={"build": _modules, "run": _modules}),
    "build-requires": _requirements,
    "build-isolation": _flag,
    "no-binary": _flag,
    "arch-flags": _flag,
    "source": _Table(
        schema={
            **dict.fromkeys(SOURCE_KINDS, _text(_variables, empty=False)),
            "ref": _text(_variables, empty=False),
            "subdirectory": _text(_subdirectory),
            "sha256": _text(_one_of(_SHA256, "sha256 (64 hexadecimal digits)"), empty=False),
        }
    ),
    "env": _pairs(_one_of(_VARIABLE_NAME, "name of a variable"), _text(_variables)),
    "config-settings": _pairs(
        lambda name: "no name of a setting" if not name or "=" in name or invalid_character(name) else None,
        _text_or_texts(_variables),
    ),
    "patch": _Tables(
        one=_Table(schema={"file": _patch_file, "strip": _whole_number(0, 99)}, needed=["file"])
    ),
    "substitute": _Tables(one=_substitute),
    "test": _Table(
        schema={
            "imports": _texts(_python_module),
            "statements": _texts(),
            "command": _text(),
            "requires": _requirements,
            "timeout": _seconds,
        }
    ),
    "wheel": _Table(
        schema={
            "add-requires": _requirements,
            "remove-requires": _texts(_one_of(_PROJECT, "name of a project")),
            "replace-requires": _requirements,
            "local-label": _text(_local_label),
            "tags": _text(_wheel_tags),
            "rpath": _texts(_variables),
        }
    ),
    "phases": _Table(schema=dict.fromkeys(PHASES, _texts())),
    "resources": _Table(
        schema={
            "cores": _whole_number(1, 9999),
            "memory": _text(_one_of(_SLURM_MEMORY, "amount of memory, such as 8G")),
            "time": _text(_one_of(_SLURM_TIME, "time limit, such as 2:00:00")),
            "constraint": _text(),
            "partition": _text(),
        }
    ),
}

#: The conditions of a `[[when]]`.
CONDITIONS: Mapping[str, _Checker] = {
    "version": _text(_specifier, empty=False),
    "python": _text(_specifier, empty=False),
    "layer": _names,
    "arch": _names,
}


def _keys(schema: Mapping[str, _Checker], above: str = "") -> Iterator[str]:
    for name, checker in schema.items():
        one = checker.one if isinstance(checker, _Tables) else checker
        one = _SUBSTITUTION if one is _substitute else one
        if isinstance(one, _Table):
            yield from _keys(one.schema, f"{above}{name}.")
        else:
            yield above + name


#: Every key that a recipe may have (`source.url`); in a `[[when]]` all of them, and its conditions.
KEYS = (*_keys(_COMMON), *(f"when.{condition}" for condition in CONDITIONS))
