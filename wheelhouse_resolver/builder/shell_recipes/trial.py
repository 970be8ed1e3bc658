"""How a shell recipe tests its wheel: the keys of `test`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from wheelhouse_resolver.builder.shell_recipes.commands import command_text
from wheelhouse_resolver.builder.shell_recipes.findings import Findings
from wheelhouse_resolver.builder.shell_recipes.reader import CLOSE, OPEN, Value


class Test:
    """The test of the project *name*. *limits*: commands before it whose effect ends with their shell."""

    __test__ = False  # for pytest

    def __init__(
        self, name: str, values: Mapping[str, Value], limits: Sequence[str], findings: Findings
    ) -> None:
        self.name, self.values, self.limits, self.findings = name, values, limits, findings

    def table(self) -> dict[str, Any]:
        """The keys of `test`."""
        command = self.values.get("TEST_COMMAND")
        text = command_text(" ".join(command.text.split())) if command is not None else ""
        found = {"command": text} if text else self._in_python()
        if self.limits:
            text = text or "\n".join(f"python -c {shlex.quote(each)}" for each in self._lines(found))
            found = {"command": "\n".join([*self.limits, text])}
        return found

    def _lines(self, found: Mapping[str, Any]) -> list[str]:
        imports = found.get("imports", () if "statements" in found else [self.name.replace("-", "_")])
        return [*(f"import {each}" for each in imports), *found.get("statements", ())]

    def _in_python(self) -> dict[str, Any]:
        stated, tests = self.values.get("PYTHON_IMPORT_NAME"), self.values.get("PYTHON_TESTS")
        name = _shown(stated).replace("-", "_").strip()
        code = _without_defaults(_shown(tests))
        if not name and not code:
            return {}
        module = name or self.name.replace("-", "_")
        if not code and all(each.isidentifier() for each in module.split(".")):
            return {"imports": [module]}
        text = f"import {module}; {code}" if code else f"import {module}"
        try:
            compile(text, "test", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            line = (tests or stated or Value(text="", line=1)).line
            self.findings.report(line, f"the test {text!r} is not Python: it is left out")
            return {}
        return {"statements": [text]}


def _shown(value: Value | None) -> str:
    return value.text.replace(OPEN, "").replace(CLOSE, "") if value is not None else ""


def _without_defaults(text: str) -> str:
    """The Python *text* with defaults in place of what only a shell would replace."""
    plain = re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", text)
    return " ".join(plain.split()).rstrip(";") if "\n" in plain else plain.strip().rstrip(";")
