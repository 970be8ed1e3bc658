"""Plain, current English, as pip, uv and git write it: in all that users read, in docstrings and comments."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

#: What is not written here, and what is written instead.
BANNED = {
    r"\btold\b": "print, report, warn, give: say what happens",
    r"\bmend(s|ed|ing|able)?\b": "fix",
    r"\b(un)?heed(s|ed)?\b": "obeyed, ignored",
    r"\bstands?\b(?! for\b)|\bstood\b": "is, exists",
    r"\bin words\b": "say what text it is",
    r"\bwhat is no\b": "an invalid ..., anything but a ...",
    r"\bis no wheel name\b|\bwheel's name\b": "invalid wheel file name",
    r"\bspare[sd]\b": "saves, drops",
    r"\bfault in\b": "internal error",
    r"\bhopeless\b": "cannot be fixed",
}

_PATTERN = re.compile("|".join(f"(?:{each})" for each in BANNED), re.IGNORECASE)


def texts() -> Iterator[tuple[Path, int, str]]:
    """(file, line, text) of all strings and comments of the package, and of all lines that people read."""
    for path in sorted((PROJECT / "wheelhouse_resolver").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in _TEXTS:
                for number, line in enumerate(token.string.split("\n")):
                    yield path, token.start[0] + number, line
    for pattern in ("*.md", "docs/**/*.md", "examples/*", "wheelhouse_resolver/**/templates/*", "Makefile"):
        for path in sorted(PROJECT.glob(pattern)):
            if path.is_file() and "_build" not in path.parts:
                for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    yield path, number, line


#: Python 3.12 splits f-strings into parts.
_TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def test_the_words_are_plain() -> None:
    found = [
        f"{path.relative_to(PROJECT)}:{number}: {match[0]!r} in: {line.strip()}"
        for path, number, line in texts()
        if (match := _PATTERN.search(line))
    ]
    assert not found, "\n".join(["", *found])


def test_a_banned_word_is_found() -> None:
    for text in ("is told on stderr", "Mend it", "the wheel stands there", "not heeded", "a fault in us"):
        assert _PATTERN.search(text)
    for text in ("recommended", "stands for `/`", "amend", "outstanding", "default in"):
        assert not _PATTERN.search(text)
