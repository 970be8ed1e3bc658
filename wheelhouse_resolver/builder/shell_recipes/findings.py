"""What the import of a shell recipe has to say about it, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Finding:
    """Something in a shell recipe that a person must look at, unless it is a mere *note*.

    path: the recipe. line: 1-based. text: what it is, and what to do.
    """

    path: str
    line: int
    text: str
    note: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {'note: ' if self.note else ''}{self.text}"

    def to_dict(self) -> dict[str, Any]:
        """For JSON: path, line, text, note."""
        return {"path": self.path, "line": self.line, "text": self.text, "note": self.note}


class Findings:
    """Those of one shell recipe, each once. *path*: of it."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: dict[Finding, None] = {}

    def report(self, line: int, text: str) -> None:
        """Report what a person must look at."""
        self.add(line, text, note=False)

    def note(self, line: int, text: str) -> None:
        """Note what a person may want to know."""
        self.add(line, text, note=True)

    def add(self, line: int, text: str, *, note: bool) -> None:
        """Report it, or *note* it."""
        self.found[Finding(path=self.path, line=line, text=text, note=note)] = None
