from __future__ import annotations

import pickle

import pytest

from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.toml import TomlError, parse_toml


def test_a_document() -> None:
    assert parse_toml('a = 1\n[b]\nc = ["d"]\n') == {"a": 1, "b": {"c": ["d"]}}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb = \n", 2, "not valid TOML"),
        ("a = ", 1, "not valid TOML"),
        ("a = " + "[" * 9999, None, "deeply"),
    ],
    ids=["in a line", "at the end", "nested"],
)
def test_what_is_none_is_an_error_that_says_where(text: str, line: int | None, words: str) -> None:
    with pytest.raises(TomlError, match=words) as raised:
        parse_toml(text)
    assert raised.value.line == line
    assert isinstance(raised.value, (WheelhouseError, ValueError))
    copy = pickle.loads(pickle.dumps(raised.value))
    assert (copy.problem, copy.line, str(copy)) == (raised.value.problem, line, str(raised.value))
