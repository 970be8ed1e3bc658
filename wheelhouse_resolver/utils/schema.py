"""Checking the tables of a TOML document."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.utils.text import invalid_character, suggest_name, toml_type

__all__ = ["Tables"]


class Tables:
    """Reading the tables of a site file: what is wrong in them is an error that names the file and the key.

    For the tables of other rooms too, which read `Site.tables`. *source*: the file. Every method raises
    `SiteFileError`.
    """

    def __init__(self, source: str) -> None:
        self._source = source

    def fail(self, key: str, problem: str) -> NoReturn:
        """Say that the value of *key* has this *problem*."""
        raise SiteFileError(self._source, f"{key}: {problem}")

    def only_known(self, table: Mapping[str, Any], known: Collection[str], where: str) -> None:
        """Let *table*, which stands at *where*, have no key but the *known* ones."""
        for key in table:
            if key not in known:
                problem = suggest_name("key", key, known)
                raise SiteFileError(self._source, f"{where}: {problem}" if where else problem)

    def table(self, value: Any, key: str) -> Mapping[str, Any]:
        """*value*, which must be a table."""
        if not isinstance(value, Mapping):
            self.fail(key, f"must be a table, not {toml_type(value)}")
        return value

    def text(self, value: Any, key: str) -> str:
        """*value*, which must be a text that fits on a line."""
        if not isinstance(value, str) or not value:
            self.fail(key, f"must be a string that is not empty, not {toml_type(value)}")
        if problem := invalid_character(value):
            self.fail(key, f"{value!r} cannot be used: {problem}")
        return value

    def texts(self, value: Any, key: str) -> list[str]:
        """*value*, which must be an array of such texts."""
        if not isinstance(value, (list, tuple)):
            self.fail(key, f"must be an array of strings, not {toml_type(value)}")
        return [self.text(item, key) for item in value]

    def pairs(self, value: Any, key: str) -> list[tuple[str, str]]:
        """The keys and values of *value*, which must be a table of such texts."""
        return [(name, self.text(item, f"{key}.{name}")) for name, item in self.table(value, key).items()]
