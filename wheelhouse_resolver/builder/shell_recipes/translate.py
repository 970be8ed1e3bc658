"""What a shell recipe says in one world, in the keys of our recipes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from wheelhouse_resolver.builder.shell_recipes.commands import (
    Commands,
    Sorter,
    evaluated,
    recipe_text,
    rpaths,
    word_text,
)
from wheelhouse_resolver.builder.shell_recipes.findings import Findings
from wheelhouse_resolver.builder.shell_recipes.origin import joined_path, report_unpacked, source_of
from wheelhouse_resolver.builder.shell_recipes.reader import CLOSE, OPEN, Reading, Value
from wheelhouse_resolver.builder.shell_recipes.syntax import Command
from wheelhouse_resolver.builder.shell_recipes.trial import Test

#: Where patches are, beside the directory of the recipes and below the imported ones.
PATCHES = "patches"

_MODULE = re.compile(r"[\w.+/@:=][\w.+/@:=-]*")

#: Options of `pip install` that make no difference in a new environment.
_NO_DIFFERENCE = ("-U", "--upgrade", "--ignore-installed", "--no-cache", "--no-cache-dir", "-q", "-v")


class Translation:
    """Makes the document of one recipe in one world.

    name: the project. version: the only one that it is for; empty: any.
    root: the directory above that of the recipes, with their patches.
    """

    def __init__(self, name: str, version: str, reading: Reading, findings: Findings, root: str) -> None:
        self.name, self.version, self.reading = name, version, reading
        self.findings, self.root = findings, root
        self.values = dict(reading.values)
        self.document: dict[str, Any] = {}
        #: Commands before the test, and those whose effect ends with their shell: they become part of it.
        self.before_test: list[str] = []
        self.limits: list[str] = []
        #: The files that the recipe needs, below *root*.
        self.files: set[str] = set()

    def translate(self) -> dict[str, Any]:
        """The document."""
        if self.reading.refusal is not None:
            self._refused(self.reading.refusal)
        self._source()
        self._modules()
        self._requirements()
        self._patches()
        self._commands()
        if list(self.document.get("phases", ())) == ["taken-wheel"] and "patch" not in self.document:
            self.document["only-binary"] = True  # it says nothing of a build, unless of what is there for it
        self._arguments()
        self._test()
        self._wheel()
        self._exports()
        return _tidy(self.document)

    def _table(self, name: str) -> dict[str, Any]:
        table: dict[str, Any] = self.document.setdefault(name, {})
        return table

    def _words(self, name: str, check: Callable[[str], bool], what: str) -> list[str] | None:
        """The words of the variable *name*; None if it is not set. Others than *what* are reported."""
        value = self.values.get(name)
        if value is None:
            return None
        found = []
        for word in value.text.split():
            if check(word):
                found.append(word)
            else:
                shown = _shown(word)
                self.findings.report(value.line, f"{name}: {shown!r} is not a {what}: it is left out")
        return list(dict.fromkeys(found))

    def _refused(self, value: Value) -> None:
        """A recipe that says why nothing is built."""
        text = _shown(value.text).replace("Not building wheel.", "").strip()
        if self.reading.upstream is not None:
            self.findings.report(
                value.line,
                f"the wheel is taken from upstream, not built: wheelhouse-resolver fetch {self.name}",
            )
        elif match := re.search(r"MODULE_RUNTIME_DEPS='([^']+)'", text):
            self.document["placeholder"] = {"message": f"load the module {match[1]} first"}
        elif re.search(r"\bmodules?\b", text):
            self.document["placeholder"] = {"message": text}
        else:
            self.findings.report(value.line, f"it is not built: {text or 'the recipe does not say why'}")

    def _source(self) -> None:
        found = source_of(self.values, self.version, self.findings)
        package, suffix = self.values.get("PACKAGE"), self.values.get("PACKAGE_SUFFIX")
        base = _shown(package.text) if package is not None else ""
        if base and canonicalize_name(base) != canonicalize_name(self.name):
            found["project"] = base
            called = canonicalize_name(base + (_shown(suffix.text) if suffix else ""))
            if called != canonicalize_name(self.name):
                line = package.line if package is not None else 1
                self.findings.report(line, f"the wheel was {called}: now it is {self.name}, as the recipe")
        elif suffix is not None and suffix.text and base + suffix.text != self.name:
            self.findings.report(
                suffix.line, f"a wheel with the suffix {suffix.text!r} needs a recipe of its own, named so"
            )
        if found:
            self.document["source"] = found

    def _modules(self) -> None:
        modules = self._table("modules")
        run = self._words("MODULE_RUNTIME_DEPS", _is_module, "module") or []
        build = self._words("MODULE_BUILD_DEPS", _is_module_or_without, "module") or []
        without = [word[1:].partition("/")[0] for word in (*run, *build) if word.startswith("-")]
        both = [word for word in dict.fromkeys([*run, *build]) if not word.startswith("-")]
        modules |= {"build": both, "run": run, "without": without}
        default = self._words("MODULE_BUILD_DEPS_DEFAULT", _is_module, "module")
        if default is not None:
            modules["default"] = default

    def _requirements(self) -> None:
        if needed := self._requires("PYTHON_DEPS"):
            self.document["extra-build-requires"] = needed
        default = self._requires("PYTHON_DEPS_DEFAULT")
        if default is not None:
            self.document["default-build-requires"] = default
        pythons = self._words("PYTHON_VERSIONS", _is_python, "Python, such as python/3.12")
        if pythons:
            self.document["pythons"] = [word.partition("/")[2] for word in pythons]

    def _requires(self, name: str) -> list[str] | None:
        """The requirements in the variable *name*."""
        value = self.values.get(name)
        if value is None:
            return None
        found = []
        for word in re.sub(r"[\"']", "", value.text).split() if ";" not in value.text else value.text.split():
            if word.startswith("--find-links="):
                self.findings.note(value.line, f"{name}: {word} is left out: builds look into the wheelhouse")
            elif word not in _NO_DIFFERENCE:
                found += self._requirement(word, name, value.line)
        return list(dict.fromkeys(found))

    def _requirement(self, text: str, name: str, line: int) -> list[str]:
        try:
            return [str(Requirement(text))]
        except InvalidRequirement:
            shown = _shown(text)
            self.findings.report(line, f"{name}: {shown!r} is not a requirement: it is left out")
            return []

    def _patches(self) -> None:
        value = self.values.get("PATCHES")
        for name in value.text.split() if value is not None else ():
            path = f"{PATCHES}/{name}"
            line = value.line if value is not None else 1
            if OPEN in name:
                problem = f"the patch {_shown(name)} is left out: name it for each version"
                self.findings.report(line, problem)
            elif not self._is_own(path):
                self.findings.report(line, f"there is no patch {path}: it is left out")
            else:
                self.files.add(path)
                self.document.setdefault("patch", []).append({"file": path})

    def _commands(self) -> None:
        """Those of the phases."""
        source = self._table("source")
        for name, phase in (
            ("PRE_SETUP_COMMANDS", "after-source"),
            ("PRE_DOWNLOAD_COMMANDS", "before-source"),
            ("POST_DOWNLOAD_COMMANDS", "after-source"),
            ("PRE_BUILD_COMMANDS", "before-build"),
            ("POST_BUILD_COMMANDS", "after-build"),
            ("PATCH_WHEEL_COMMANDS", "taken-wheel"),
            ("PRE_TEST_COMMANDS", "before-test"),
        ):
            value = self.values.get(name)
            if value is None or not value.text.strip():
                continue
            if name == "POST_DOWNLOAD_COMMANDS":
                report_unpacked(value, self.findings)
                continue
            found = Sorter(value, name, self.findings).sort()
            if phase == "before-test":
                self._before_test(found)
                continue
            self._table("env").update(found.env)
            modules = self._table("modules")
            modules["build"] = list(dict.fromkeys([*modules.get("build", ()), *found.modules]))
            self._edits(found, value, name)
            kept = [self._with_files(each) for each in found.kept]
            if kept:
                self._table("phases").setdefault(phase, []).extend(kept)
            if phase == "before-build" and (
                below := joined_path(source.get("subdirectory", ""), found.directory)
            ):
                source["subdirectory"] = below

    def _before_test(self, found: Commands) -> None:
        kept = [f"export {name}={_quoted(text)}" for name, text in found.env.items()]
        kept += [self._with_files(each) for each in found.kept]
        for command in kept:
            words = command.split()
            phase = self.limits if words[:1] in (["ulimit"], ["umask"], ["cd"]) else self.before_test
            phase.append(command)
        if self.before_test:
            self._table("phases")["before-test"] = self.before_test

    def _with_files(self, command: str) -> str:
        """*command*, whose files of the recipes' own are noted."""
        for path in re.findall(r"\$\{?WHEELHOUSE_RECIPE_DIR\}?/([\w./-]+)", command):
            if self._is_own(path):
                self.files.add(path)
        return command

    def _is_own(self, path: str) -> bool:
        """Whether *path* is a file below the root, also by where links lead."""
        root = os.path.realpath(self.root)
        found = os.path.realpath(os.path.join(root, path))
        within = found.startswith(root + os.sep) and ".." not in path.split("/")
        return within and os.path.isfile(found)

    def _edits(self, found: Commands, value: Value, name: str) -> None:
        """What commands change of the wheel."""
        wheel = self._table("wheel")
        for key, texts in found.requires.items():
            for text in texts:
                if key == "replace-requires":
                    self._update(text, name, value.line)
                elif key == "remove-requires":
                    needed = self._requirement(text, name, value.line)
                    wheel.setdefault(key, []).extend(Requirement(each).name for each in needed)
                else:
                    wheel.setdefault(key, []).extend(self._requirement(text, name, value.line))
        if found.rpath:
            wheel.setdefault("rpath", []).extend(found.rpath)
        if found.tags:
            wheel["tags"] = found.tags

    def _update(self, text: str, name: str, line: int) -> None:
        """`REQUIREMENT` in place of the wheel's own, or `NAME->REQUIREMENT`."""
        wheel = self._table("wheel")
        old, arrow, new = (each.strip() for each in text.partition("->"))
        needed = self._requirement(new if arrow else old, name, line)
        if needed and arrow:
            wheel.setdefault("rename-requires", {})[old] = needed[0]
        elif needed:
            wheel.setdefault("replace-requires", []).extend(needed)

    def _arguments(self) -> None:
        settings = self._table("config-settings")
        for name, texts in (("BDIST_WHEEL_ARGS", self._split("BDIST_WHEEL_ARGS")),):
            stated = [recipe_text(each) for each in texts]
            if None in stated:
                self.findings.report(self.values[name].line, f"{name} cannot be said in config-settings")
            elif stated:
                settings["--build-option"] = stated if len(stated) > 1 else stated[0]
        words = self._split("PIP_WHEEL_ARGS")
        while words:
            word = words.pop(0)
            match = re.fullmatch(r"(?:-C|--config-settings?(?:=|$))(.*)", word, re.DOTALL)
            setting = (match[1] or (words.pop(0) if words else "")) if match else ""
            key, equals, text = setting.partition("=")
            stated_text = recipe_text(text)
            if not equals or stated_text is None:
                shown = _shown(word)
                self.findings.report(
                    self.values["PIP_WHEEL_ARGS"].line, f"PIP_WHEEL_ARGS: {shown!r} is not taken over"
                )
            else:
                settings.setdefault(key, []).append(stated_text)

    def _split(self, name: str) -> list[str]:
        """The words of the variable *name*, as the shell splits them."""
        value = self.values.get(name)
        if value is None or not value.text.strip():
            return []
        found = evaluated(f"x {value.text}")
        if len(found) != 1 or not isinstance(found[0], Command):
            self.findings.report(value.line, f"{name} is not understood")
            return []
        return [word_text(each) for each in found[0].words[1:]]

    def _test(self) -> None:
        test = Test(self.name, self.values, self.limits, self.findings).table()
        self.document["test"] = test
        self._with_files(test.get("command", ""))

    def _wheel(self) -> None:
        wheel = self._table("wheel")
        if value := self.values.get("RPATH_TO_ADD"):
            wheel.setdefault("rpath", []).extend(rpaths(value.text))
        if (value := self.values.get("RPATH_ADD_ORIGIN")) and value.text:
            wheel.setdefault("rpath", []).append("$ORIGIN")
        if (value := self.values.get("UPDATE_REQUIREMENTS")) and value.text.strip():
            self._updates(value)
        upstream = " ".join(self.reading.upstream or ())
        if match := re.search(r"--add_path (\S+)", upstream):
            wheel.setdefault("rpath", []).extend(rpaths(match[1].replace(" ", ":")))

    def _updates(self, value: Value) -> None:
        text = value.text.strip()
        if "$(" in text or "`" in text:
            shown = _shown(text)
            problem = f"UPDATE_REQUIREMENTS: {shown} is only known in a build: list them in `wheel`"
            self.findings.report(value.line, problem)
            return
        # Each in quotes; one that has none is meant as one, though the shell would see several words.
        quoted = re.findall(r"'([^']*)'|\"([^\"]*)\"", text)
        for each in [first or second for first, second in quoted] or [text]:
            self._update(each, "UPDATE_REQUIREMENTS", value.line)

    def _exports(self) -> None:
        """Variables that the recipe exports while it is read."""
        env = self._table("env")
        stated: dict[str, str] = {}
        for name, value in self.reading.exports.items():
            text = recipe_text(value.text)
            if text is None:
                problem = f"export {name}: its value is only known in a build: set it in `env`"
                self.findings.report(value.line, problem)
            else:
                stated[name] = self._with_files(text)
        self.document["env"] = {**stated, **env}


def _is_module(word: str) -> bool:
    return bool(_MODULE.fullmatch(word))


def _is_module_or_without(word: str) -> bool:
    return _is_module(word.removeprefix("-"))


def _is_python(word: str) -> bool:
    return bool(re.fullmatch(r"python/\d+\.\d+", word))


def _shown(text: str) -> str:
    return text.replace(OPEN, "").replace(CLOSE, "")


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\`])', r"\\\1", text) + '"'


#: What an empty table or array says nothing with; an empty `default` says that there is none.
_MEANT = ("default", "default-build-requires")


def _tidy(document: Mapping[str, Any]) -> dict[str, Any]:
    """*document* without empty tables and arrays."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        kept = _tidy(value) if isinstance(value, dict) else value
        if isinstance(kept, list):
            kept = _unique(kept)
        if kept not in ({}, [], "") or key in _MEANT:
            found[key] = kept
    return found


def _unique(values: Sequence[Any]) -> list[Any]:
    """*values*, each once. Build options may be there twice."""
    texts = all(isinstance(each, str) for each in values)
    options = texts and any(each.startswith("-") for each in values)
    return [*values] if options or not texts else list(dict.fromkeys(values))
