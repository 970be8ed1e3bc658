"""Conditions of shell recipes: what they ask for, and whether they hold in a world."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.shell_recipes.syntax import (
    Assignment,
    Both,
    Branches,
    Command,
    Statement,
    Substitution,
    Test,
    Variable,
    Word,
)
from wheelhouse_resolver.builder.shell_recipes.worlds import LAYER_VARIABLE, Axes, World

#: Variables that say for what is built.
_LAYERS = (LAYER_VARIABLE, "EBROOTGENTOO", "YEAR")
_ARCHS = ("RSNT_ARCH", "EBVERSIONARCH")
_NUMBERS = {"VERSION": "version", "EBVERSIONPYTHON": "python"}

_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "-lt": operator.lt,
    "-le": operator.le,
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-ge": operator.ge,
    "-gt": operator.gt,
}

#: A regular expression or pattern that takes the versions that begin so.
_BEGINNING = re.compile(r"\^?(\d+(?:(?:\\?\.)\d+)*)(?:\\?\.)?(?:\.?\*|\[0-9\]\+?|\.)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Comparison:
    """A version or Python (*axis*) compared with *bound*; with *end*, whether it is from there to that."""

    axis: str
    operator: str
    bound: Version
    end: Version | None = None


#: Gives a word's value, None if it is not known.
ValueOf = Callable[[Word], "str | None"]


def tests_in(statements: Iterable[Statement]) -> Iterator[Test]:
    """Every single condition in *statements*."""
    for statement in statements:
        if isinstance(statement, Branches):
            for test, body in statement.branches:
                yield from _single(test)
                yield from tests_in(body)
            yield from tests_in(statement.otherwise)
        elif isinstance(statement, Both):
            yield from tests_in(statement.statements)


def _single(test: Test) -> Iterator[Test]:
    if test.tests:
        for each in test.tests:
            yield from _single(each)
    else:
        yield test


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What conditions ask for: see `axes_of`."""

    layers: bool
    archs: bool
    versions: tuple[Version, ...]
    pythons: tuple[Version, ...]


def asked_in(statements: Sequence[Statement]) -> Asked:
    """What the conditions in *statements* ask for."""
    names: set[str] = set()
    bounds: dict[str, list[Version]] = {"version": [], "python": []}
    for test in tests_in(statements):
        names.update(name for word in test.words for name in _names(word))
        if found := _comparison(test):
            bounds[found.axis] += [found.bound, *([found.end] if found.end is not None else [])]
    return Asked(
        layers=bool(names & set(_LAYERS)),
        archs=bool(names & set(_ARCHS)),
        versions=tuple(bounds["version"]),
        pythons=tuple(bounds["python"]),
    )


def _names(word: Word) -> Iterator[str]:
    for part in word.parts:
        if isinstance(part, Variable):
            yield part.name


def holds(test: Test, world: World, axes: Axes, value_of: ValueOf, root: str) -> bool | None:
    """Whether *test* holds in *world*; None if that is not known. *root*: where the recipes are from."""
    if test.operator in ("and", "or"):
        found = [holds(each, world, axes, value_of, root) for each in test.tests]
        decisive = test.operator == "or"
        return decisive if decisive in found else None if None in found else not decisive
    if test.operator == "not":
        inner = holds(test.tests[0], world, axes, value_of, root)
        return None if inner is None else not inner
    if found_one := _comparison(test):
        return _compare(found_one, world, axes)
    if test.operator in ("-z", "-n") and _axis(test.words[0]) is not None:
        return test.operator == "-n"  # a build knows its version and Python
    if test.operator in ("-e", "-f", "-d", "-s"):
        return _exists(test.words[0], value_of, root)
    values = [_value(word, world, axes, value_of) for word in test.words]
    if not values or None in values:
        return None
    return _decide(test.operator, [each or "" for each in values], test.words)


def _decide(sign: str, values: Sequence[str], words: Sequence[Word]) -> bool | None:
    """Whether a condition of texts or whole numbers holds."""
    if sign in ("-z", "-n"):
        return (values[0] == "") == (sign == "-z")
    if len(values) < 2:
        return None
    first, second = values
    if sign in ("==", "=", "!="):
        same = first == second if words[1].quoted else fnmatchcase(first, second)
        return same == (sign != "!=")
    if sign == "=~":
        if len(first) + len(second) > 200 or "(" in second:  # some take for ever
            return None
        try:
            return bool(re.search(re.escape(second) if words[1].quoted else second, first))
        except re.error:
            return None
    if sign in _COMPARISONS:
        numbers = [_number(each) for each in values]
        if None not in numbers:
            return _COMPARISONS[sign](numbers[0] or 0, numbers[1] or 0)
    return None


def _number(text: str) -> int | None:
    """The whole number that *text* is to a shell: none is 0."""
    return int(text) if text.isdecimal() else 0 if not text else None


def _exists(word: Word, value_of: ValueOf, root: str) -> bool | None:
    """Whether the file that *word* names, of the recipes' own, is there."""
    text = word.text.strip("\"'")
    for start in ("$(dirname $0)/", '$(dirname "$0")/', "$SCRIPT_DIR/", "${SCRIPT_DIR}/"):
        if text.startswith(start):
            parts = Word(parts=_without_first(word), text=text, line=word.line)
            rest = value_of(parts)
            return None if rest is None else os.path.exists(os.path.join(root, rest.lstrip("/")))
    return None


def _without_first(word: Word) -> tuple[str | Variable | Substitution, ...]:
    return word.parts[1:]


def _value(word: Word, world: World, axes: Axes, value_of: ValueOf) -> str | None:
    """The value of *word* in *world*: what its layer and arch say, and what the recipe has set."""
    known: dict[str, str] = {**dict.fromkeys(_LAYERS, ""), **axes.layers[world.layer]}
    known |= {"YEAR": known[LAYER_VARIABLE] or "2017", **dict.fromkeys(_ARCHS, world.arch)}
    parts = [
        known[part.name] if isinstance(part, Variable) and part.name in known and not part.rest else part
        for part in word.parts
    ]
    return value_of(Word(parts=tuple(parts), text=word.text, line=word.line, quoted=word.quoted))


def _axis(word: Word) -> str | None:
    """`version` or `python`, if *word* is that: `$VERSION`, `$(translate_version $VERSION)`."""
    parts = [part for part in word.parts if part != "10#"]
    if len(parts) != 1:
        return None
    (part,) = parts
    if isinstance(part, Variable):
        return _NUMBERS.get(part.name) if not part.rest.startswith(("%", "#", "/", ":", "^", ",")) else None
    translated = _translated(part)
    return _axis(translated) if translated is not None else None


def _translated(part: object) -> Word | None:
    """The argument of `$(translate_version ...)`."""
    if isinstance(part, Substitution) and len(part.body) == 1 and isinstance(part.body[0], Command):
        words = part.body[0].words
        if len(words) == 2 and words[0].text == "translate_version":
            return words[1]
    return None


def _comparison(test: Test) -> _Comparison | None:
    """What *test* compares a version or Python with."""
    if len(test.words) != 2:
        return None
    axis = _axis(test.words[0])
    if axis is None:
        return None
    other = test.words[1]
    parts = [part for part in other.parts if part != "10#"]
    text = parts[0] if len(parts) == 1 and isinstance(parts[0], str) else ""
    if len(parts) == 1 and (translated := _translated(parts[0])):
        text = "".join(each for each in translated.parts if isinstance(each, str))
    try:
        if test.operator in _COMPARISONS:
            return _Comparison(axis=axis, operator=test.operator, bound=Version(text))
        if test.operator in ("==", "=", "!=") and not text.endswith("*"):
            sign = "-ne" if test.operator == "!=" else "-eq"
            return _Comparison(axis=axis, operator=sign, bound=Version(text))
        match = _BEGINNING.fullmatch(text) if test.operator in ("==", "=", "!=", "=~") else None
        if match is None:
            return None
        release = Version(match[1].replace("\\", "")).release
        end = Version(".".join(map(str, (*release[:-1], release[-1] + 1))))
        sign = "outside" if test.operator == "!=" else "within"
        return _Comparison(axis=axis, operator=sign, bound=Version(".".join(map(str, release))), end=end)
    except InvalidVersion:
        return None


def _compare(found: _Comparison, world: World, axes: Axes) -> bool:
    bounds = axes.versions if found.axis == "version" else axes.pythons
    point = world.version if found.axis == "version" else world.python
    place = 2 * bounds.index(found.bound) + 1
    if found.end is not None:
        within = place <= point < 2 * bounds.index(found.end) + 1
        return within == (found.operator == "within")
    return _COMPARISONS[found.operator](point, place)


def assigned_in(statements: Iterable[Statement]) -> Iterator[Assignment]:
    """Every assignment in *statements*, in whatever branch."""
    for statement in statements:
        if isinstance(statement, Assignment):
            yield statement
        elif isinstance(statement, Command):
            yield from statement.assigned if not statement.words else ()
        elif isinstance(statement, Both):
            yield from assigned_in(statement.statements)
        elif isinstance(statement, Branches):
            for _, body in statement.branches:
                yield from assigned_in(body)
            yield from assigned_in(statement.otherwise)
