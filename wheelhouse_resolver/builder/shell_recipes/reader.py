"""What a shell recipe says in one world: assignments are followed, nothing is run.

A value is shell text. What the shell would have put into it while it read the recipe, but is only known in a
build (`"$VERSION"`, `"$EBROOTHDF5"`), is between two marks.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wheelhouse_resolver.builder.shell_recipes.conditions import assigned_in, holds
from wheelhouse_resolver.builder.shell_recipes.findings import Findings
from wheelhouse_resolver.builder.shell_recipes.syntax import (
    Assignment,
    Both,
    Branches,
    Command,
    Other,
    Statement,
    Substitution,
    Variable,
    Word,
)
from wheelhouse_resolver.builder.shell_recipes.worlds import Axes, World

#: Around what is known in a build only.
OPEN, CLOSE = "\ue000", "\ue001"

#: The variables of a recipe that the build script reads.
KNOWN = frozenset(
    (
        *("PACKAGE", "VERSION", "PYTHON_VERSIONS", "RECURSIVE", "PACKAGE_SUFFIX", "PATCHES"),
        *(f"PACKAGE_DOWNLOAD_{each}" for each in ("ARGUMENT", "CMD", "METHOD", "NAME")),
        *("PACKAGE_FOLDER_NAME", "BDIST_WHEEL_ARGS", "PIP_WHEEL_ARGS", "UPDATE_REQUIREMENTS"),
        *("MODULE_BUILD_DEPS", "MODULE_BUILD_DEPS_DEFAULT", "MODULE_RUNTIME_DEPS"),
        *("PYTHON_DEPS", "PYTHON_DEPS_DEFAULT", "PYTHON_IMPORT_NAME", "PYTHON_TESTS", "TEST_COMMAND"),
        *(f"PRE_{each}_COMMANDS" for each in ("DOWNLOAD", "SETUP", "BUILD", "TEST")),
        *("POST_DOWNLOAD_COMMANDS", "POST_BUILD_COMMANDS", "PATCH_WHEEL_COMMANDS"),
        *("PRE_BUILD_COMMANDS_DEFAULT", "RPATH_ADD_ORIGIN", "RPATH_TO_ADD"),
    )
)

#: The variables that modules set.
MODULE_VARIABLE = re.compile(r"EBROOT\w+|EBVERSION\w+|RSNT_\w+|\w*ROOT|CUDA_\w+|NIXUSER_PROFILE")

#: Variables that compilers and loaders read and that modules export: an assignment to one reaches them.
ENVIRONMENT = frozenset(
    (
        *("CC", "CFLAGS", "CMAKE_PREFIX_PATH", "CPATH", "CPLUS_INCLUDE_PATH", "CPPFLAGS", "CXX", "CXXFLAGS"),
        *("C_INCLUDE_PATH", "FFLAGS", "LDFLAGS", "LD_LIBRARY_PATH", "LIBRARY_PATH", "PATH"),
        *("PKG_CONFIG_PATH", "PYTHONPATH"),
    )
)

_ARRAY_INDEX = ("[*]", "[@]")

#: The longest value: `A=$A$A` doubles one.
_LONGEST = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """The value of a variable. *line*: where it was set."""

    text: str
    line: int


class Reading:
    """What a recipe says in one world.

    values:   of the variables that it sets. exports: of those that it exports.
    refusal:  what it prints before it refuses to build, and the line; None: it does not.
    upstream: the words of the call that takes a wheel of the index instead; None: there is none.
    """

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}
        self.exports: dict[str, Value] = {}
        self.refusal: Value | None = None
        self.upstream: tuple[str, ...] | None = None


class _Stop(Exception):
    """The recipe ends here: `exit`."""


class Reader:
    """Reads one recipe in one world.

    initial: what the build script has set before. root: the directory above that of the recipes.
    """

    def __init__(
        self, axes: Axes, world: World, initial: Mapping[str, str], findings: Findings, root: str
    ) -> None:
        self.axes, self.world, self.findings, self.root = axes, world, findings, root
        self.initial = initial
        self.reading = Reading()
        self.said: list[str] = []
        self.loads: list[Command] = []

    def read(self, statements: Sequence[Statement]) -> Reading:
        """What *statements* say."""
        try:
            self._run(statements)
        except _Stop:
            self.loads.clear()  # they were for what ran before it
        for command in self.loads:
            self._not_taken(command)
        return self.reading

    def _run(self, statements: Iterable[Statement]) -> None:
        for statement in statements:
            if isinstance(statement, Assignment):
                self._assign(statement)
            elif isinstance(statement, Branches):
                self._run(self._chosen(statement))
            elif isinstance(statement, Command):
                self._command(statement)
            elif isinstance(statement, Both) and not self.said and not self._is_setting(statement):
                self._not_taken(statement)
            elif isinstance(statement, Both):
                self._run(statement.statements)
            else:
                self._not_taken(statement)

    def _is_setting(self, statement: Both) -> bool:
        return all(isinstance(each, Assignment) for each in statement.statements)

    def _not_taken(self, statement: Both | Other | Command) -> None:
        shown = brief(statement.text)
        invalid = isinstance(statement, Other) and statement.what == "invalid"
        reason = "is not valid shell" if invalid else "is left out: it would run when the recipe is read"
        self.findings.report(statement.line, f"`{shown}` {reason}")

    def _chosen(self, branches: Branches) -> Sequence[Statement]:
        """The statements of the branch whose condition holds."""
        for test, body in branches.branches:
            found = holds(test, self.world, self.axes, self._known, self.root)
            if found is None:
                problem = f"the condition `{brief(test.text)}` is not understood: its branches are left out"
                self.findings.report(test.line, problem)
                return ()
            if found:
                return body
        return branches.otherwise

    def _known(self, word: Word) -> str | None:
        """The value of *word* in a condition: what nobody has set is empty; None: not known."""
        text = ""
        for part in word.parts:
            if isinstance(part, str):
                text += part
            elif isinstance(part, Substitution):
                return self._translated(part)
            elif (value := self._value_of(part.name)) is not None:
                text += value
            elif MODULE_VARIABLE.fullmatch(part.name) or not part.name:
                return None
            else:
                self._unset(part.name, word.line)
        return text if OPEN not in text else None

    def _translated(self, part: Substitution) -> str | None:
        """What `translate_version` makes of a version: a number that compares as it does."""
        command = part.body[0] if len(part.body) == 1 else None
        if not isinstance(command, Command) or command.words[0].text != "translate_version":
            return None
        text = self._known(command.words[1]) if len(command.words) > 1 else ""
        if text is None:
            return None
        numbers = [re.match(r"\d*", each) for each in [*text.split("."), "", "", "", ""][:4]]
        return "".join(f"{int((each and each[0]) or 0):03}" for each in numbers)

    def _unset(self, name: str, line: int) -> None:
        self.findings.note(line, f"{name} is for who builds to set: here it counts as not set")

    def _value_of(self, name: str) -> str | None:
        """The value of the variable *name*, with `VERSION` as it is known in a build."""
        for found in (self.reading.values, self.reading.exports):
            if name in found:
                return found[name].text
        return self.initial.get(name)

    def _assign(self, statement: Assignment) -> None:
        text = " ".join(self.value(word) for word in statement.words)
        if statement.append:
            text = (self._value_of(statement.name) or "") + (" " if statement.array else "") + text
        value = Value(text=text, line=statement.line)
        if statement.exported or statement.name in ENVIRONMENT:
            self.reading.exports[statement.name] = value
        else:
            self.reading.values[statement.name] = value

    def value(self, word: Word) -> str:
        """The value of *word*."""
        found = "".join(self._part(part, word.line) for part in word.parts)
        if len(found) > _LONGEST:
            self.findings.report(word.line, "a value is too long: it is left out")
            return ""
        return found

    def _part(self, part: str | Variable | Substitution, line: int) -> str:
        if isinstance(part, str):
            return part
        if isinstance(part, Substitution):
            return self._output(part, line)
        value = self._value_of(part.name)
        rest = part.rest if part.rest not in _ARRAY_INDEX else ""
        if value is not None and (applied := _applied(value, rest)) is not None:
            return applied
        if part.name == "VERSION" and re.match(r":?[?-]", rest):
            rest = ""
        elif rest.startswith((":+", "+")) and not MODULE_VARIABLE.fullmatch(part.name) and value is None:
            self._unset(part.name, line)
            return ""
        return f"{OPEN}${{{part.name}{rest}}}{CLOSE}" if part.name else part.text

    def _output(self, part: Substitution, line: int) -> str:
        """What a command would print: known of `cat` with a here-document; else the command, for later."""
        command = part.body[0] if len(part.body) == 1 else None
        heredoc = command.heredoc if isinstance(command, Command) else None
        if isinstance(command, Command) and heredoc and [word.text for word in command.words] == ["cat"]:
            return self.value(heredoc).rstrip("\n")
        shown = brief(part.text)
        text = f"`{shown}` would run when the recipe is read: now it runs when used"
        self.findings.add(line, text, note=shown == "$(ls *.whl)")  # a phase knows its wheel
        return part.text

    def _command(self, command: Command) -> None:
        words = [self.value(word) for word in command.words]
        name = words[0] if words else ""
        if name == "exit":
            text = " ".join(each for each in self.said if each).strip()
            self.reading.refusal = Value(text=text, line=command.line)
            raise _Stop
        if name == "echo":
            self.said.append(" ".join(each for each in words[1:] if not each.startswith("-")))
        elif name == "bash" and any(each.endswith("unmanylinuxize.sh") for each in words[1:2]):
            self.reading.upstream = tuple(words[2:])
            self.reading.refusal = Value(text="", line=command.line)
        elif name == "unset":
            for removed in words[1:]:
                self.reading.values.pop(removed, None)
                self.reading.exports.pop(removed, None)
        elif command.assigned and not words:
            for each in command.assigned:
                self._assign(each)
        elif not words and not command.text.startswith("["):
            pass
        elif name in ("module", "ml"):
            self.loads.append(command)
        else:
            self._not_taken(command)


def brief(text: str) -> str:
    """*text* on one line that is not long."""
    shown = " ".join(text.replace(OPEN, "").replace(CLOSE, "").split())
    return shown if len(shown) <= 80 else shown[:77] + "..."


def _applied(value: str, rest: str) -> str | None:
    """*value* after `${NAME<rest>}`; None for what is not known here."""
    if not rest or re.match(r":?\?", rest) or (rest.startswith(":-") and value) or rest.startswith("-"):
        return value
    if rest.startswith(":-"):
        return rest[2:]
    if rest.startswith(":+"):
        return rest[2:] if value else ""
    if match := re.fullmatch(r"//(\\?[^/*?\[]+)/(.*)", rest, re.DOTALL):
        return value.replace(match[1].removeprefix("\\"), match[2])
    if OPEN in value:
        return None
    if match := re.fullmatch(r"%(\.)\*", rest):
        return value.rpartition(match[1])[0] or value
    return None


def misspelt(statements: Sequence[Statement], text: str, findings: Findings) -> None:
    """Report the variables in *statements* that nothing reads, with the nearest that something does.

    *text*: the whole recipe, which may read variables of its own.
    """
    read = {*KNOWN, *ENVIRONMENT, *re.findall(r"\$\{?(\w+)", text)}
    for each in assigned_in(statements):
        if not each.exported and each.name not in read:
            _report_unread(each.name, each.line, findings)
    for statement in statements:
        if isinstance(statement, Command) and statement.words:
            word = statement.words[0].text
            name = re.split(r"['\"]", word, maxsplit=1)[0]
            if name != word and name in KNOWN:
                findings.report(statement.line, f"{name} is not set: there is no `=` after it")


def _report_unread(name: str, line: int, findings: Findings) -> None:
    near = difflib.get_close_matches(name, sorted(KNOWN), n=1, cutoff=0.7)
    advice = f"did you mean {near[0]}?" if near else "nothing is taken over of it"
    findings.report(line, f"nothing reads {name}: {advice}")
