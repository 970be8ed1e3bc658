"""The commands of shell recipes: what of them has a key of its own, and what is kept for a phase.

Shell commands here are what the build script gives to `eval`: on one line, whatever the recipe has.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from wheelhouse_resolver.builder.shell_recipes.findings import Findings
from wheelhouse_resolver.builder.shell_recipes.reader import (
    CLOSE,
    ENVIRONMENT,
    MODULE_VARIABLE,
    OPEN,
    Value,
)
from wheelhouse_resolver.builder.shell_recipes.syntax import (
    Assignment,
    Both,
    Command,
    Other,
    Statement,
    Word,
    parse_shell,
)

#: What the build script calls things, and what phases call them.
_NAMES = {
    "VERSION": "WHEELHOUSE_VERSION",
    "PACKAGE": "WHEELHOUSE_PROJECT",
    "WHEEL_NAME": "WHEELHOUSE_WHEEL",
    "ARCHNAME": "WHEELHOUSE_WHEEL",
    "SCRIPT_DIR": "WHEELHOUSE_RECIPE_DIR",
}

#: Functions of the build script whose work a build does by itself.
_DONE_ANYWAY = ("verify_and_patch_arch_flags", "pwd", "true", ":")

#: Variables that are always set in a build.
_ALWAYS_SET = frozenset(["PATH", "PWD", "HOME", "TMPDIR", "VIRTUAL_ENV"])

_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_]\w*)([^{}]*)\}|([A-Za-z_]\w*))")
_PLAIN_DEFAULT = re.compile(r":?-[^$`'\"{}]*")
_SET_IN = re.compile(r"(?<![\w$])([A-Za-z_]\w*)=|\bfor ([A-Za-z_]\w*) in\b")


class Commands:
    """What the commands in a variable come to.

    env:       variables of the build. modules: to load for it.
    kept:      commands of a phase, in order. directory: where they have gone, below the source.
    requires:  edits of the wheel's requirements: `add-requires`, ...
    rpath, tags: of the wheel.
    """

    def __init__(self) -> None:
        self.env: dict[str, str] = {}
        self.modules: list[str] = []
        self.kept: list[str] = []
        self.directory = "."
        self.requires: dict[str, list[str]] = {}
        self.rpath: list[str] = []
        self.tags = ""


def evaluated(text: str) -> tuple[Statement, ...]:
    """The statements of *text* as `eval` gets it: on one line."""
    return parse_shell(" ".join(text.split()))


def recipe_text(text: str) -> str | None:
    """The shell *text* for a key of a recipe whose variables are expanded; None: it cannot be said there."""
    unsaid = []

    def reference(match: re.Match[str]) -> str:
        name, rest = match[1] or match[3], match[2] or ""
        if name == "ORIGIN":  # for the loader
            return "$ORIGIN"
        if name == "VERSION" and (not rest or re.match(r":?[?-]", rest)):
            return "${version}"
        if name in ("VERSION", "WHEEL_NAME", "ARCHNAME") or (rest and not _PLAIN_DEFAULT.fullmatch(rest)):
            unsaid.append(name)
        if not rest and not MODULE_VARIABLE.fullmatch(name) and name not in _NAMES:
            rest = ":-"  # to a shell it would be empty
        return f"${{{_NAMES.get(name, name)}{':' * rest.startswith('-')}{rest}}}"

    found = _REFERENCE.sub(reference, text.replace(OPEN, "").replace(CLOSE, ""))
    return None if unsaid or any(each in found for each in ("$(", "`", "${#")) else found


def command_text(text: str) -> str:
    """The shell *text* as a command of a phase: with the names that phases use, and safe under `set -u`."""
    own = {name for match in _SET_IN.finditer(text) for name in match.groups() if name}
    own = {name for name in own if not re.search(rf"\b{name}=[^;\n]*\$\{{?{name}\b", text)}
    found, quote, at = [], "", 0
    while at < len(text):
        char = text[at]
        if char == OPEN:
            end = text.index(CLOSE, at)
            inner = _reference_text(text[at + 1 : end], own)
            found.append(f"'\"{inner}\"'" if quote == "'" else inner)
            at = end + 1
            continue
        if char == "\\" and quote != "'":
            found.append(text[at : at + 2])
            at += 2
            continue
        if char in "'\"" and quote in ("", char):
            quote = "" if quote else char
        match = _REFERENCE.match(text, at) if char == "$" and quote != "'" else None
        found.append(_reference_text(match[0], own) if match else char)
        at += len(match[0]) if match else 1
    return "".join(found)


def _reference_text(text: str, own: Iterable[str]) -> str:
    """The reference *text* to a variable in a command."""
    match = _REFERENCE.fullmatch(text)
    if match is None:
        return text
    name, rest = match[1] or match[3], match[2] or ""
    if name in _NAMES:
        return f"${{{_NAMES[name]}{rest}}}" if rest or match[1] else f"${_NAMES[name]}"
    if rest or name in own or name in _ALWAYS_SET or MODULE_VARIABLE.fullmatch(name):
        return text
    return f"${{{name}-}}"


def word_text(word: Word) -> str:
    """The value of *word* as shell text, without its quotes."""
    return "".join(part if isinstance(part, str) else part.text for part in word.parts)


def flat(statements: Iterable[Statement]) -> Iterator[Statement]:
    """*statements*, those joined with `&&` one by one: each of a phase's commands must succeed."""
    for statement in statements:
        if isinstance(statement, Both):
            yield from flat(statement.statements)
        else:
            yield statement


class Sorter:
    """Sorts the commands in a variable into what `Commands` has."""

    def __init__(self, value: Value, name: str, findings: Findings) -> None:
        self.value, self.name, self.findings = value, name, findings
        self.found = Commands()
        #: Whether what follows needs what its shell was left with: it is one command then.
        self.joined = False
        self.stack: list[str] = []
        self.local: set[str] = set()
        self.placed: list[tuple[str, str]] = []

    def sort(self) -> Commands:
        """All of it."""
        for statement in flat(evaluated(self.value.text)):
            self._sort(statement)
        self._place()
        return self.found

    def _sort(self, statement: Statement) -> None:
        if isinstance(statement, Other) and statement.what == "invalid":
            shown = statement.text if len(statement.text) <= 80 else statement.text[:77] + "..."
            self.findings.report(self.value.line, f"{self.name}: `{command_text(shown)}` is not valid shell")
        elif isinstance(statement, Assignment):
            self._assignment(statement)
        elif isinstance(statement, Command) and statement.words:
            self._command(statement)
        elif isinstance(statement, Command) and len(statement.assigned) and not statement.words:
            for each in statement.assigned:
                self._assignment(each)
        else:
            self._keep(statement.text)

    def _assignment(self, statement: Assignment) -> None:
        name = statement.name
        if name in ("WHEEL_NAME", "ARCHNAME", "PACKAGE_DOWNLOAD_NAME"):
            return  # a phase finds its wheel by itself
        reaches = statement.exported or name in ENVIRONMENT
        text = recipe_text(" ".join(word_text(each) for each in statement.words))
        if text is None or not reaches or name in self.found.env or self._is_local(text) or self.joined:
            self.local.add(name)
            self.joined = self.joined or not reaches
            self._keep(f"export {statement.text}" if reaches else statement.text)
        else:
            self.found.env[name] = text

    def _is_local(self, text: str) -> bool:
        names = {match[1] or match[3] for match in _REFERENCE.finditer(text)}
        return bool(names & (self.local | {"PWD"}))

    def _command(self, command: Command) -> None:
        words = [word_text(each) for each in command.words]
        name, rest = words[0], words[1:]
        if name in _DONE_ANYWAY and not command.assigned:
            return
        if name in ("cd", "pushd", "popd") and not command.assigned and not self.joined:
            self._go(name, rest)
        elif name in ("module", "ml") and rest[:1] == ["load"] and all(map(_is_plain, rest)):
            self.found.modules += rest[1:]
        elif name == "setrpaths" or name == "setrpaths.sh":
            self._rpath(command, rest)
        elif name.endswith("manipulate_wheels.py"):
            self._manipulate(rest)
        elif (tags := _tags(" ".join(words))) is not None:
            self.found.tags = tags
        else:
            self._keep(command.text)

    def _go(self, name: str, words: Sequence[str]) -> None:
        """Follow `cd`."""
        target = next((each for each in words if not each.startswith("-")), "")
        if name == "popd":
            self.found.directory = self.stack.pop() if self.stack else "."
            return
        if name == "pushd":
            self.stack.append(self.found.directory)
        if not target or target.startswith(("/", "~")) or not _is_plain(target):
            self.joined = True
            self._keep(f"{name} {' '.join(words)}")
            return
        self.found.directory = posixpath.normpath(posixpath.join(self.found.directory, target))

    def _keep(self, text: str) -> None:
        if self.joined and self.placed:
            where, before = self.placed[-1]
            self.placed[-1] = (where, f"{before}\n{command_text(text)}")
        else:
            self.placed.append((self.found.directory, command_text(text)))

    def _place(self) -> None:
        """Let each command run where it would have, seen from where all of them end."""
        for number, (where, text) in enumerate(self.placed):
            others = " ".join(each for _, each in self.placed[:number] + self.placed[number + 1 :])
            alone = re.fullmatch(r"(\w+)=\S*", text)
            if alone and not re.search(rf"\$\{{?{alone[1]}\b", others):
                continue  # for what has become a key
            path = posixpath.relpath(where, self.found.directory)
            self.found.kept.append(text if path == "." else f"cd {path}\n{text}")

    def _rpath(self, command: Command, words: Sequence[str]) -> None:
        """`setrpaths --path WHEEL --add_path PATHS --add_origin`."""
        options = _options(words)
        if options.get("--path", [""])[0].strip(f"{OPEN}{CLOSE}${{}}") not in ("WHEEL_NAME", "ARCHNAME"):
            self.findings.report(
                self.value.line, f"{self.name}: setrpaths is the site's own program: use patchelf instead"
            )
            self._keep(command.text)
            return
        self.found.rpath += rpaths(":".join(options.get("--add_path", [])))
        self.found.rpath += ["$ORIGIN"] if "--add_origin" in options else []

    def _manipulate(self, words: Sequence[str]) -> None:
        """`manipulate_wheels.py --add_req A B --remove_req C --update_req D`."""
        options = _options(words)
        for names, key in (
            (("--add_req", "-a"), "add-requires"),
            (("--remove_req", "-r"), "remove-requires"),
            (("--update_req", "-u"), "replace-requires"),
        ):
            stated = [each for name in names for each in options.get(name, ())]
            if stated:
                self.found.requires.setdefault(key, []).extend(stated)
        known = {"--add_req", "-a", "--remove_req", "-r", "--update_req", "-u"}
        known |= {"-w", "--wheels", "-v", "--verbose", "--inplace", "--force"}
        if unknown := sorted(set(options) - known):
            self.findings.report(
                self.value.line, f"{self.name}: manipulate_wheels.py {' '.join(unknown)} is not taken over"
            )


def _is_plain(word: str) -> bool:
    return not any(char in word for char in f"$`*?[{OPEN}")


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    """Each option in *words*, and what follows it."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            found.setdefault(name, []).extend([value] if equals else [])
        elif name:
            found[name].append(word)
    return found


def rpaths(text: str) -> list[str]:
    """The directories in *text*, without quotes."""
    paths = text.replace("'", "").replace('"', "").replace("\\$", "$").split(":")
    return [each for path in paths if path.strip() for each in [recipe_text(path.strip())] if each]


_OWN_TAG = re.compile(r"cp\$\{PYVER//\.\}")
_WHEEL_TAGS = re.compile(
    r"wheel tags(?: --remove)?((?: --(?:abi|python|platform)-tag[= ]\S+)+) \$\{?WHEEL_NAME\}?"
)
_MOVED = re.compile(r"mv \$WHEEL_NAME \$\{WHEEL_NAME/py3-none-any/(\S+)-linux_x86_64\}")


def _tags(text: str) -> str | None:
    """The wheel tag that the command *text* gives the wheel, None if it does not do that."""
    if _MOVED.fullmatch(text):
        return "{cp}-{cp}-linux_x86_64"
    match = _WHEEL_TAGS.fullmatch(text)
    if match is None:
        return None
    stated = dict(re.findall(r"--(abi|python|platform)-tag[= ](\S+)", match[1]))
    tags = [_OWN_TAG.sub("{cp}", stated.get(name, "")) for name in ("python", "abi", "platform")]
    return "-".join(tags) if _is_plain("".join(tags)) else None
