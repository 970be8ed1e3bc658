from __future__ import annotations

import ast
import errno
import importlib
import pickle
import pkgutil
import types
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

import wheelhouse_resolver
from wheelhouse_resolver.errors import (
    CpuinfoError,
    FileProblemError,
    InvalidRequirementError,
    MissingExtraError,
    NoWheelhouseError,
    OutputError,
    SiteFileError,
    UnknownArchError,
    UnreadableWheelError,
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


def every_error() -> list[type[WheelhouseError]]:
    """Every error class of the package, wherever it is defined."""
    for module in pkgutil.walk_packages(wheelhouse_resolver.__path__, "wheelhouse_resolver."):
        if not module.name.endswith(("__main__", "sitecustomize")):
            importlib.import_module(module.name)
    found: list[type[WheelhouseError]] = [WheelhouseError]
    for kind in found:
        found += [each for each in kind.__subclasses__() if each not in found]
    ours = [kind for kind in found if kind.__module__.startswith("wheelhouse_resolver.")]
    return sorted(ours, key=lambda kind: (kind.__module__, kind.__name__))


def _is_declared(kind: type[WheelhouseError]) -> bool:
    """Whether an error leaves its construction and its text to the base, in whole."""
    bases = [each for each in kind.__mro__ if issubclass(each, WheelhouseError)][:-1]
    return {"__init__", "__str__", "__reduce__"}.isdisjoint(name for each in bases for name in vars(each))


ALL = [kind for kind in every_error() if _is_declared(kind)]


def value_for(hint: Any, text: str) -> Any:
    """A value of the type *hint*, whose texts are *text*."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return value_for(arguments[0], text)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return tuple(value_for(each, text) for each in arguments)
    if origin is not None and issubclass(origin, Mapping):
        return {value_for(arguments[0], text): value_for(arguments[1], text)}
    if origin is not None and issubclass(origin, Iterable):
        return (value_for(arguments[0], text), value_for(arguments[0], "other"))
    if hint in (int, float, bool):
        return hint(3)
    if hint in (str, Any, object) or issubclass(hint, str):
        return text
    if issubclass(hint, Enum):
        return next(iter(hint))
    if issubclass(hint, Exception):
        return hint(text)
    return hint(**{name: value_for(each, text) for name, each in get_type_hints(hint).items()})


def example(kind: type[WheelhouseError], text: str) -> WheelhouseError:
    """An error of that *kind* whose fields all hold *text*."""
    if kind is WheelhouseError:
        return WheelhouseError("what, where, and what to do")
    hints = get_type_hints(kind)
    return kind(**{name: value_for(hints[name], text) for name in kind._fields})


def test_errors_declare_their_fields_and_have_no_constructor_of_their_own() -> None:
    others = [kind.__name__ for kind in every_error() if kind not in ALL]
    assert others == []
    assert all(kind._fields for kind in ALL if kind is not WheelhouseError)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_is_a_wheelhouse_error_and_a_standard_one(kind: type[WheelhouseError]) -> None:
    standard = [base for base in kind.__mro__ if base.__module__ == "builtins"]
    assert kind in BASES or len(standard) > len(WheelhouseError.__mro__) - 1


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("text", ["/plain", HOSTILE], ids=["plain", "hostile"])
def test_an_error_survives_pickling(kind: type[WheelhouseError], text: str) -> None:
    error = example(kind, text).with_hint("do this")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        copy = pickle.loads(pickle.dumps(error, protocol))
        assert (type(copy), vars(copy), str(copy)) == (type(error), vars(error), str(error))
        assert copy.to_dict() == error.to_dict()
        if isinstance(error, OSError):
            assert (copy.errno, copy.filename) == (error.errno, error.filename)


@pytest.mark.parametrize("kind", ALL)
def test_an_error_and_its_hint_are_a_printable_line_each(kind: type[WheelhouseError]) -> None:
    error = example(kind, HOSTILE)
    for text in (str(error), error.message, error.hint, error.with_hint(f"run {HOSTILE}").hint):
        assert text.isprintable()
        assert text.isascii() or text.encode("utf-8")


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not WheelhouseError])
def test_an_error_says_what_it_carries(kind: type[WheelhouseError]) -> None:
    error = example(kind, "/this")
    assert "/this" in str(error)
    assert vars(error)


@pytest.mark.parametrize("kind", [kind for kind in ALL if issubclass(kind, OSError)])
def test_an_error_of_the_operating_system_has_a_number_and_a_file(kind: type[OSError]) -> None:
    error: Any = example(kind, "/this")  # type: ignore[arg-type]
    assert error.errno in errno.errorcode
    assert error.filename == "/this"


def test_the_number_is_that_of_what_the_system_said() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/elsewhere")
    error = OutputError.from_os("/o", full)
    assert (error.errno, error.filename, error.problem) == (errno.ENOSPC, "/o", "No space left on device")
    assert pickle.loads(pickle.dumps(error)).errno == errno.ENOSPC
    unreadable = UnreadableWheelError.from_os("/w", full, "cannot be read")
    assert str(unreadable) == "/w: cannot be read: No space left on device"


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


def test_what_the_system_said_is_never_the_whole_message() -> None:
    """Nobody can do anything about `Permission denied` alone: an error says of what, too."""
    package = Path(wheelhouse_resolver.__file__).parent
    alone, count = [], 0
    for path in sorted(package.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(call, ast.Call):
                given = [*call.args, *(each.value for each in call.keywords)]
                reasons = [each for each in given if _is_reason(each)]
                count += len(reasons)
                name = ast.unparse(call.func)
                others = len(given) - len(reasons)
                if reasons and not others and not name.endswith(".append"):
                    alone.append(f"{path.relative_to(package)}:{call.lineno}: {name}")
    assert alone == []
    assert count  # it finds some


def _is_reason(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return len(node.values) == 1 and _is_reason(node.values[0])
    if isinstance(node, ast.FormattedValue):
        return _is_reason(node.value)
    return isinstance(node, ast.Call) and ast.unparse(node.func).endswith("reason_of")


def test_what_an_extra_lacks_is_in_the_command_that_installs_it() -> None:
    """Also where the installed metadata is older than the code."""
    hint = MissingExtraError("a table", "tabulate", "tables").hint
    assert hint.endswith(" -m pip install 'tabulate>=0.9'")
    assert MissingExtraError("a table", "new_one", "tables").hint == f"{hint} new-one"
    assert MissingExtraError("a table", "new_one", "gone").hint.endswith(" -m pip install new-one")
