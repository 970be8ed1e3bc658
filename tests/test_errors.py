from __future__ import annotations

import inspect
import pickle
from collections.abc import Sequence
from typing import Any, get_type_hints

import pytest

from wheelhouse_resolver import errors
from wheelhouse_resolver.errors import (
    CpuinfoError,
    FileProblemError,
    InvalidRequirementError,
    NoWheelhouseError,
    OutputError,
    SiteFileError,
    UnknownArchError,
    UnsafeValueError,
    WheelhouseError,
    printable,
    reason_of,
)
from wheelhouse_resolver.utils.text import invalid_character

#: What a file system may hold: line ends of every kind, terminal codes, undecodable bytes.
HOSTILE = "a\nb\r\x0b\x0c\x1c\x85\u2028\u2029\x1b[31m\x00\udc80\u202ez"

#: What others derive from, and what is never raised itself.
BASES = (WheelhouseError, FileProblemError)

ALL = [getattr(errors, name) for name in errors.__all__ if inspect.isclass(getattr(errors, name))]


def example(kind: type[WheelhouseError], text: str) -> WheelhouseError:
    """An error of that *kind* whose fields all hold *text*."""
    if kind is WheelhouseError:
        return WheelhouseError("what, where, and what to do")
    fields: dict[str, Any] = {}
    hints = get_type_hints(kind)
    for name in kind._fields:
        hint = hints[name]
        if hint in (str, str | None):
            fields[name] = text
        elif hint in (int, int | None):
            fields[name] = 3
        elif hint in (Sequence[str], tuple[str, ...]):
            fields[name] = (text, "other")
        else:
            pytest.fail(f"{kind.__name__}: give this test an example for {name}: {hint}")
    return kind(**fields)


def test_every_error_of_the_module_is_exported() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, WheelhouseError) and not name.startswith("_")
    }
    assert defined == {kind.__name__ for kind in ALL}


@pytest.mark.parametrize("kind", ALL)
def test_an_error_is_a_wheelhouse_error_and_a_standard_one(kind: type[WheelhouseError]) -> None:
    standard = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    assert issubclass(kind, WheelhouseError)
    assert kind in BASES or len(standard) > len(WheelhouseError.__mro__) - 1


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("text", ["/plain", HOSTILE], ids=["plain", "hostile"])
def test_an_error_survives_pickling(kind: type[WheelhouseError], text: str) -> None:
    error = example(kind, text)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))


@pytest.mark.parametrize("kind", ALL)
def test_an_error_is_one_printable_line_whatever_it_speaks_of(kind: type[WheelhouseError]) -> None:
    text = str(example(kind, HOSTILE))
    assert text.isprintable()
    assert text.encode("utf-8")


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not WheelhouseError])
def test_an_error_says_all_that_it_carries(kind: type[WheelhouseError]) -> None:
    error = example(kind, "/this")
    assert "/this" in str(error)
    assert vars(error)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (SiteFileError("s.toml", "wrong"), "s.toml: wrong"),
        (SiteFileError("s.toml", "wrong", 7), "s.toml, line 7: wrong"),
        (UnknownArchError("avx3", ["generic", "avx"]), "unknown arch 'avx3': this site has generic, avx"),
        (NoWheelhouseError(None, "none found"), "none found"),
        (NoWheelhouseError("/w", "no such directory"), "wheelhouse /w: no such directory"),
        (InvalidRequirementError("a b", "odd"), "invalid requirement 'a b': odd"),
        (InvalidRequirementError("a b", "odd", "r.txt:3"), "r.txt:3: invalid requirement 'a b': odd"),
        (UnsafeValueError("root", "/a\nb", "no"), r"cannot write root '/a\nb' safely: no"),
        (CpuinfoError("/c", "is empty"), "/c: is empty"),
        (OutputError("/o", "No space left on device"), "cannot write /o: No space left on device"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_an_error_says(error: WheelhouseError, expected: str) -> None:
    assert str(error) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "No such file or directory"),
        (OSError("odd"), "odd"),
        (OSError(), "OSError"),
    ],
    ids=["from-the-system", "with-a-text", "with-nothing"],
)
def test_the_reason_of_a_system_error_is_what_the_system_said(error: OSError, expected: str) -> None:
    assert reason_of(error) == expected


# -- the text of which errors and files are made ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ü \U0001f600", "plain ü \U0001f600"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\udcffb", r"a\udcffb"),
        ("a\u2028b", r"a\u2028b"),
    ],
    ids=["plain", "newline-and-tab", "terminal-code", "undecodable-byte", "line-separator"],
)
def test_printable_text_is_left_alone_and_all_else_is_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a b/%#'\"$\\/ü", None),
        ("", None),
        ("a\nb", "it holds a newline"),
        ("a\rb", "it holds a control character (U+000D)"),
        ("\x7f", "it holds a control character (U+007F)"),
        ("\x85", "it holds a control character (U+0085)"),
        ("\u2029", "it holds a control character (U+2029)"),
        ("\udc80", "it is not valid UTF-8"),
    ],
    ids=["hostile-yet-fine", "empty", "newline", "return", "delete", "next-line", "paragraph", "bytes"],
)
def test_the_problem_of_a_text_that_does_not_fit_on_a_line(text: str, expected: str | None) -> None:
    assert invalid_character(text) == expected
