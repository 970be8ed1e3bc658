"""Checking TOML documents: a schema says what a document may hold, and all that is wrong is collected.

A schema is a check, made of checks::

    schema = Table({"name": line(), "rank": whole_number(1, 999)}, needed=["name"])
    for key, problem in problems(schema, document):
        ...
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.utils.text import invalid_character, suggest_name, toml_type


class Findings:
    """What is wrong so far, as (key, problem) pairs."""

    __slots__ = ("noted",)

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    def note(self, key: str, problem: str) -> None:
        """Note the *problem* of the value at *key*."""
        self.noted.append((key, problem))

    def expect(self, kind: type | tuple[type, ...], name: str, value: Any, key: str) -> bool:
        """Whether *value* is of that *kind*; *name* says what it must be."""
        if isinstance(value, kind):
            return True
        self.note(key, f"must be {name}, not {toml_type(value)}")
        return False


class Check(Protocol):
    """Notes what is wrong with a value, which is at a key."""

    def __call__(self, found: Findings, value: Any, key: str, /) -> None:
        """Note it."""


#: What is wrong with a text, or None.
Problem = Callable[[str], "str | None"]


def problems(schema: Check, document: Any) -> tuple[tuple[str, str], ...]:
    """Everything that is wrong with *document*, as (key, problem) pairs."""
    found = Findings()
    schema(found, document, "")
    return tuple(found.noted)


def require(schema: Check, document: Any, source: str, hint: str = "") -> Any:
    """*document*, if nothing is wrong with it.

    Raises `SiteFileError`, which names the file *source* and everything that is wrong, with the *hint*.
    """
    if found := problems(schema, document):
        raise SiteFileError.of(source, found).with_hint(hint)
    return document


def _below(key: str, name: str) -> str:
    header = key.startswith("[") and key.endswith("]")
    return f"{key} {name}" if header else f"{key}.{name}" if key else name


class Table(NamedTuple):
    """A table with the keys of *schema* only, those in *needed* at least.

    header: how the table is called in a site file (`build.slurm`); its keys read `[build.slurm] cores` then.
    then: looks at a table whose keys are all fine.
    """

    schema: Mapping[str, Check]
    needed: Collection[str] = ()
    header: str = ""
    then: Check | None = None

    def __call__(self, found: Findings, value: Any, key: str) -> None:
        """Note what is wrong with *value*."""
        key = f"[{self.header}]" if self.header else key
        if not found.expect(Mapping, "a table", value, key):
            return
        before = len(found.noted)
        for name, item in value.items():
            if name in self.schema:
                self.schema[name](found, item, _below(key, name))
            else:
                found.note(key, suggest_name("key", name, self.schema))
        for name in self.needed:
            if name not in value:
                found.note(_below(key, name), "missing")
        if self.then is not None and len(found.noted) == before:
            self.then(found, value, key)


class Pairs(NamedTuple):
    """A table of any names that *name* finds nothing wrong with. header: as of `Table`."""

    item: Check
    name: Problem = lambda _: None
    header: str = ""

    def __call__(self, found: Findings, value: Any, key: str) -> None:
        """Note what is wrong with *value*."""
        key = f"[{self.header}]" if self.header else key
        if not found.expect(Mapping, "a table", value, key):
            return
        for name, item in value.items():
            if problem := self.name(name):
                found.note(_below(key, name), problem)
            self.item(found, item, _below(key, name))


class Tables(NamedTuple):
    """An array of tables: `patch[1]`, `patch[2]`, ...

    named: whether each has a `name` by which it is called: `[[layer]] 'nix'`.
    """

    one: Table
    named: bool = False

    def __call__(self, found: Findings, value: Any, key: str) -> None:
        """Note what is wrong with *value*."""
        if not found.expect((list, tuple), self._name(key), value, key):
            return
        keys = [self._key(key, number, item) for number, item in enumerate(value, 1)]
        for number, item in enumerate(value):
            self.one(found, item, keys[number])
            if keys[number] in keys[:number]:
                found.note(keys[number], "is listed twice")

    def _name(self, key: str) -> str:
        """What it must be; the key in a table with a header cannot be written as a header of its own."""
        return "an array of tables" if key.startswith("[") else f"an array of tables, [[{key}]]"

    def _key(self, key: str, number: int, item: Any) -> str:
        if not self.named:
            return f"{key}[{number}]"
        name = item.get("name") if isinstance(item, Mapping) else None
        if name is None or problems(self.one.schema["name"], name):
            return f"[[{key}]] number {number}"
        return f"[[{key}]] {name!r}"


def array(item: Check, of: str) -> Check:
    """An array whose items pass *item*; *of* says what they are (`strings`)."""

    def check(found: Findings, value: Any, key: str) -> None:
        if found.expect((list, tuple), f"an array of {of}", value, key):
            for each in value:
                item(found, each, key)

    return check


def anything(found: Findings, value: Any, key: str) -> None:
    """Whatever it is: what reads it checks it."""


def text(problem_of: Problem = lambda _: None, *, empty: bool = True) -> Check:
    """A string that *problem_of* finds nothing wrong with."""

    def check(found: Findings, value: Any, key: str) -> None:
        if not found.expect(str, "a string", value, key):
            return
        if "\0" in value:
            found.note(key, "holds a NUL character")
        elif not value and not empty:
            found.note(key, "must not be empty")
        elif value and (problem := problem_of(value)):
            found.note(key, problem)

    return check


def texts(problem_of: Problem = lambda _: None) -> Check:
    """An array of strings, none of them empty."""
    return array(text(problem_of, empty=False), "strings")


def line(problem_of: Problem = lambda _: None) -> Check:
    """A string that is not empty and fits on a line, and that *problem_of* finds nothing wrong with."""

    def problem(value: str) -> str | None:
        found = invalid_character(value)
        return f"{value!r} cannot be used: {found}" if found else problem_of(value)

    return text(problem, empty=False)


def lines(problem_of: Problem = lambda _: None) -> Check:
    """An array of such strings."""
    return array(line(problem_of), "strings")


def one_of(kind: str, names: Iterable[str]) -> Problem:
    """A name of a *kind* (`arch`) that has these *names* only."""
    known = list(names)
    return lambda name: None if name in known else suggest_name(kind, name, known)


def matching(expression: str, what: str) -> Problem:
    """A text that all of the regular *expression* matches: *what* it is otherwise not."""
    compiled = re.compile(expression)
    return lambda value: None if compiled.fullmatch(value) else f"{value!r} is not a {what}"


def accepted_by(parse: Callable[[str], object], problem: str) -> Problem:
    """A text that *parse* takes. *problem*: a template of the `value` and the `error`."""

    def check(value: str) -> str | None:
        import warnings

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # what Python warns about will change its meaning
                parse(value)
        except (ValueError, re.error, OverflowError, RecursionError, Warning) as error:
            return problem.format(value=value, error=str(error).partition("\n")[0])
        return None

    return check


def not_absolute(path: str) -> str | None:
    """Why *path* cannot be used; None if it is absolute, or below somebody's home (`~`)."""
    return None if os.path.isabs(os.path.expanduser(path)) else f"{path!r} must be an absolute path"


def flag(found: Findings, value: Any, key: str) -> None:
    """True or false."""
    found.expect(bool, "true or false", value, key)


def whole_number(least: int, most: int) -> Check:
    """A whole number from *least* to *most*."""

    def check(found: Findings, value: Any, key: str) -> None:
        if type(value) is not int or not least <= value <= most:
            found.note(key, f"must be a whole number from {least} to {most}, not {toml_type(value)}")

    return check


def seconds(most: int, *, zero: bool = False) -> Check:
    """A number of seconds, above 0 (with *zero*: or 0), at most *most*."""
    least = "from 0" if zero else "above 0"

    def check(found: Findings, value: Any, key: str) -> None:
        number = type(value) in (int, float)
        if not number or not 0 <= value <= most or (value == 0 and not zero):
            found.note(key, f"must be a number of seconds {least}, at most {most}, not {toml_type(value)}")

    return check
