from __future__ import annotations

from datetime import date

import pytest

from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.utils.text import invalid_character, is_true, suggest_name, toml_type, version_key
from wheelhouse_resolver.utils.toml import TomlError, parse_toml


@pytest.mark.parametrize(
    "in_order",
    [
        ["cp39", "cp310", "cp312", "py2.py3", "py3"],
        ["3.8 (x86_64)", "3.12 (x86_64)", "3.12 (x86_64, musl)", "3.13t (x86_64)"],
        ["manylinux_2_5_x86_64", "manylinux_2_17_x86_64"],
        ["", "9" * 5000],
    ],
)
def test_numbers_in_a_text_count_as_numbers(in_order: list[str]) -> None:
    shuffled = in_order[::-1]
    assert sorted(shuffled, key=version_key) == in_order


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "true or false"),
        ("x", "a string"),
        ([1], "an array"),
        ({}, "a table"),
        (3, "3"),
        (0.5, "0.5"),
        (date(2020, 1, 2), "datetime.date(2020, 1, 2)"),
        pytest.param(1 << 99_999, "a very large number", id="large"),
    ],
)
def test_what_a_value_is(value: object, kind: str) -> None:
    assert toml_type(value) == kind


class TestUnknownNames:
    def test_the_nearest_is_named(self) -> None:
        assert (
            suggest_name("key", "modul", ["env", "modules"]) == "unknown key 'modul': did you mean 'modules'?"
        )

    def test_or_all_in_order(self) -> None:
        assert suggest_name("arch", "zzz", ["b", "a"]) == "unknown arch 'zzz': known: a, b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("a\nb\x1b[m", "a\\nb\\x1b[m"),
        ("ü", "ü"),
        ("\udcff", "\\udcff"),
        ("\u2028", "\\u2028"),
    ],
    ids=ascii,
)
def test_text_on_one_line(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("plain ü", None),
        ("a\nb", "it holds a newline"),
        ("\x85", "it holds a control character (U+0085)"),
        ("\u2029", "it holds a control character (U+2029)"),
        ("\udcff", "it is not valid UTF-8"),
    ],
    ids=ascii,
)
def test_what_cannot_stand_on_a_line(text: str, problem: str | None) -> None:
    assert invalid_character(text) == problem


@pytest.mark.parametrize(
    ("value", "true"), [("on", True), (True, True), ("1", True), ("no", False), (0, False)]
)
def test_what_switches_a_flag_on(value: object, true: bool) -> None:
    assert is_true(value) is true


class TestToml:
    def test_is_read(self) -> None:
        assert parse_toml("a.b = [1]\n") == {"a": {"b": [1]}}

    @pytest.mark.parametrize(
        ("text", "line", "problem"),
        [
            ("a = 1\nb", 2, "not valid TOML: "),
            ("a = '''\nx\n", 3, "not valid TOML: "),
            ("a = " + "[" * 100_000, None, "not valid TOML: nested too deeply"),
            ("a = " + "9" * 9_000, None, "not valid TOML: "),
            ("x = 1\na" + ".a" * 50_000 + " = 1", 2, "not valid TOML: a key of more than 100 parts"),
            ("[a" + ' . "a"' * 50_000 + "]", 1, "not valid TOML: a key of more than 100 parts"),
        ],
        ids=["line", "end", "deep", "digits", "key", "header"],
    )
    def test_what_is_none(self, text: str, line: int | None, problem: str) -> None:
        with pytest.raises(TomlError) as caught:
            parse_toml(text)
        assert caught.value.line == line
        assert caught.value.problem.startswith(problem)
