"""Schemas of TOML documents: everything that is wrong is found, with its key."""

from __future__ import annotations

from typing import Any

import pytest

from wheelhouse_resolver.errors import SiteFileError
from wheelhouse_resolver.utils import schema

ITEM = schema.Table(
    {"name": schema.line(), "size": schema.whole_number(1, 9), "on": schema.flag}, needed=["name"]
)
DOCUMENT = schema.Table(
    {
        "text": schema.text(),
        "texts": schema.texts(),
        "line": schema.line(schema.one_of("colour", ["red", "blue"])),
        "lines": schema.lines(),
        "wait": schema.seconds(60),
        "item": schema.Tables(ITEM),
        "layer": schema.Tables(ITEM, named=True),
        "pairs": schema.Pairs(schema.line(), lambda name: "too long" if len(name) > 3 else None),
        "section": schema.Table({"wait": schema.seconds(60, zero=True)}, header="part.section"),
        "rest": schema.anything,
    }
)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        pytest.param([], [("", "must be a table, not an array")], id="document"),
        pytest.param({"txt": 1}, [("", "unknown key 'txt': did you mean 'text'?")], id="unknown"),
        pytest.param({"text": 1}, [("text", "must be a string, not 1")], id="text"),
        pytest.param({"text": "a\0"}, [("text", "holds a NUL character")], id="nul"),
        pytest.param({"texts": "a"}, [("texts", "must be an array of strings, not a string")], id="texts"),
        pytest.param({"texts": ["", "a"]}, [("texts", "must not be empty")], id="texts-empty"),
        pytest.param({"line": ""}, [("line", "must not be empty")], id="line-empty"),
        pytest.param(
            {"line": "a\nb"}, [("line", "'a\\nb' cannot be used: it holds a newline")], id="line-newline"
        ),
        pytest.param(
            {"line": "rd"}, [("line", "unknown colour 'rd': did you mean 'red'?")], id="line-choice"
        ),
        pytest.param({"lines": ["a", True]}, [("lines", "must be a string, not true or false")], id="lines"),
        *(
            pytest.param(
                {"wait": value},
                [("wait", f"must be a number of seconds above 0, at most 60, not {said}")],
                id=f"wait-{value}",
            )
            for value, said in [(0, "0"), (61, "61"), (True, "true or false"), (float("nan"), "nan")]
        ),
        pytest.param(
            {"section": {"wait": -1}},
            [("[part.section] wait", "must be a number of seconds from 0, at most 60, not -1")],
            id="header",
        ),
        pytest.param({"section": 1}, [("[part.section]", "must be a table, not 1")], id="header-itself"),
        pytest.param(
            {"item": {}}, [("item", "must be an array of tables, [[item]], not a table")], id="array"
        ),
        pytest.param({"item": [{}]}, [("item[1].name", "missing")], id="missing"),
        pytest.param(
            {"item": [{"name": "a", "size": 0}]},
            [("item[1].size", "must be a whole number from 1 to 9, not 0")],
            id="number",
        ),
        pytest.param(
            {"layer": [{"name": "nix", "on": 1}, {"on": True}, 3]},
            [
                ("[[layer]] 'nix'.on", "must be true or false, not 1"),
                ("[[layer]] number 2.name", "missing"),
                ("[[layer]] number 3", "must be a table, not 3"),
            ],
            id="named",
        ),
        pytest.param(
            {"layer": [{"name": "nix"}, {"name": "nix"}]},
            [("[[layer]] 'nix'", "is listed twice")],
            id="twice",
        ),
        pytest.param(
            {"pairs": {"a": 1, "long": "b"}},
            [("pairs.a", "must be a string, not 1"), ("pairs.long", "too long")],
            id="pairs",
        ),
        pytest.param(
            {"text": 1, "rest": [1, {}], "nothing": 2, "section": {"x": 1}},
            [
                ("text", "must be a string, not 1"),
                (
                    "",
                    "unknown key 'nothing': known: item, layer, line, lines, pairs, rest, section, text, "
                    "texts, wait",
                ),
                ("[part.section]", "unknown key 'x': known: wait"),
            ],
            id="all-of-it",
        ),
    ],
)
def test_everything_that_is_wrong_is_found_with_its_key(document: Any, found: list[tuple[str, str]]) -> None:
    assert list(schema.problems(DOCUMENT, document)) == found


def test_a_document_that_fits_is_handed_back() -> None:
    document = {"text": "", "line": "red", "wait": 0.5, "item": [{"name": "a", "size": 9, "on": False}]}
    assert schema.require(DOCUMENT, document, "site.toml") is document


def test_one_error_says_everything_on_one_line() -> None:
    with pytest.raises(SiteFileError) as caught:
        schema.require(DOCUMENT, {"text": 1, "line": "a\x1bb", "item": 2}, "etc/site.toml")
    assert str(caught.value) == (
        "etc/site.toml: text: must be a string, not 1; "
        "line: 'a\\x1bb' cannot be used: it holds a control character (U+001B); "
        "item: must be an array of tables, [[item]], not 2"
    )
    assert [key for key, _ in caught.value.findings] == ["text", "line", "item"]


def test_a_table_is_looked_at_as_a_whole_once_its_keys_are_fine() -> None:
    seen: list[tuple[dict[str, Any], str]] = []
    table = schema.Table({"a": schema.flag}, then=lambda _, value, key: seen.append((dict(value), key)))
    schema.problems(table, {"a": 1})
    schema.problems(table, {"b": 1})
    assert seen == []
    schema.problems(table, {"a": True})
    assert seen == [({"a": True}, "")]
