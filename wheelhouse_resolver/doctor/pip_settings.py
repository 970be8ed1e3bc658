"""pip's settings, as `pip config debug` and `pip config list` print them, and which of them are in force.

`config debug` (pip >= 20.2) names the file of every setting, `config list` (pip >= 10) only the outcome of
all files. pip < 26.3 repeats, below each of several files of one kind, what all of them say together:
`where_stated` looks which it is.

Passwords are masked here, before anything keeps or prints a value.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from wheelhouse_resolver.utils.filesystem import read_settings
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.utils.text import is_true

#: Where settings come from, weakest first (pip: `Configuration`, override order): the machine's files, the
#: user's, the virtual environment's, the file that PIP_CONFIG_FILE names, PIP_* variables. `files`: pip did
#: not say which.
ORIGINS = ("files", "global", "user", "site", "env", "env_var")

#: The options that name where wheels are.
PLACES = ("find-links", "index-url", "extra-index-url")

#: What `config debug` calls the kinds of files; its `env_var` holds what the environment says anyway.
_HEADER = re.compile(r"(env_var|env|global|site|user):")
_FILE = re.compile(r"  (.*), exists: (True|False)")
_DEBUG_SETTING = re.compile(r"    ([A-Za-z][\w-]*)\.([A-Za-z][\w-]*): (.*)")
_LIST_SETTING = re.compile(r"(?!:env:)([^\s.=]+)\.([^\s=]+)=(.*)")


class PipFile(NamedTuple):
    """A file that pip reads settings from.

    origin:  one of `ORIGINS`.
    problem: why pip passes over it, though it exists; empty when it does not.
    """

    origin: str
    path: str
    exists: bool
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PipSetting:
    """One setting of pip, whether or not another one beats it.

    origin:  one of `ORIGINS`.
    file:    the file that it is in; empty for a variable.
    section: `global`, or the command that it is for.
    option:  as on the command line, without `--`.
    value:   masked.
    """

    origin: str
    file: str = ""
    section: str = "global"
    option: str
    value: str

    @property
    def values(self) -> list[str]:
        """Several values, as pip splits them for options that take several."""
        return self.value.split()

    @property
    def where(self) -> str:
        """Where it was set, for people."""
        if self.origin == "env_var":
            return self.variable
        return f"[{self.section}] {self.option} in {self.file or 'a file that this pip does not name'}"

    @property
    def variable(self) -> str:
        """The environment variable that sets this option."""
        return "PIP_" + self.option.upper().replace("-", "_")


def _setting(origin: str, file: str, section: str, option: str, value: str) -> PipSetting:
    """A setting as it was read, its option in pip's spelling, its value masked."""
    option = option.lower().replace("_", "-")
    value = redact(value.strip(), option)
    return PipSetting(origin=origin, file=file, section=section, option=option, value=value)


def environment_settings(environ: Mapping[str, str]) -> tuple[PipSetting, ...]:
    """The settings that PIP_* variables make. An empty one sets nothing."""
    settings = [
        _setting("env_var", "", "global", name.removeprefix("PIP_"), value)
        for name, value in sorted(environ.items())
        if name.startswith("PIP_") and value
    ]
    return tuple(each for each in settings if each.option not in ("config-file", "version", "help"))


def parse_debug(text: str) -> tuple[tuple[PipFile, ...], tuple[PipSetting, ...]]:
    """The files and their settings that `pip config debug` prints; what it says of variables is left out."""
    files: list[PipFile] = []
    found: list[list[str]] = []  # origin, file, section, option, value
    origin = "env_var"
    for line in text.splitlines():
        if header := _HEADER.fullmatch(line):
            origin = header[1]
        elif origin == "env_var":
            continue
        elif file := _FILE.fullmatch(line):
            files.append(PipFile(origin=origin, path=file[1], exists=file[2] == "True"))
        elif files and (setting := _DEBUG_SETTING.fullmatch(line)):
            found.append([origin, files[-1].path, *setting.groups()])
        elif found and line.strip():  # a value of several lines
            found[-1][-1] += "\n" + line.strip()
    return tuple(files), tuple(_setting(*each) for each in found)


def where_stated(settings: Iterable[PipSetting]) -> tuple[PipSetting, ...]:
    """Those of *settings* whose file states them; where one cannot tell, pip is believed."""
    found = tuple(settings)
    stated = {each.file: _stated(each.file) for each in found}
    return tuple(
        each
        for each in found
        if (inside := stated[each.file]) is None or (each.section, each.option) in inside
    )


def _stated(path: str) -> set[tuple[str, str]] | None:
    """The sections and options in the file at *path*; None if it cannot be read."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(read_settings(path).decode("utf-8", "surrogateescape"))
    except (OSError, configparser.Error):
        return None
    return {
        (section, option.replace("_", "-").removeprefix("--"))
        for section in parser.sections()
        for option in parser.options(section)
    }


def parse_list(text: str) -> tuple[PipSetting, ...]:
    """The settings that `pip config list` prints, each with the value that won among the files."""
    found = []
    for each in filter(None, map(_LIST_SETTING.fullmatch, text.splitlines())):
        with suppress(ValueError, SyntaxError):
            found.append(_setting("files", "", each[1], each[2], str(ast.literal_eval(each[3]))))
    return tuple(found)


def in_force(settings: Iterable[PipSetting], command: str = "install") -> dict[str, PipSetting]:
    """Which of *settings* count for that *command* of pip: option -> setting.

    A section of the command beats `[global]`, whatever the files; variables beat both. An empty value sets
    nothing, and in a file it also takes away what weaker files say in the same section (pip 19.3 to 26.3).
    """
    found: dict[tuple[bool, str, str], PipSetting] = {}
    for each in sorted(settings, key=_strength):
        if each.section in ("global", command):
            found[(each.origin == "env_var", each.section, each.option)] = each
    return {each.option: each for each in found.values() if each.value}


def emptied_by(settings: Iterable[PipSetting], beaten: PipSetting) -> PipSetting | None:
    """The empty setting of a stronger file that takes *beaten* away; None for none."""
    same = [
        each
        for each in sorted(settings, key=_strength)
        if each.origin != "env_var" and _key(each) == _key(beaten)
    ]
    return same[-1] if same and not same[-1].value and beaten.value and beaten in same else None


def _key(setting: PipSetting) -> tuple[str, str]:
    return (setting.section, setting.option)


def indexes(settings: Mapping[str, PipSetting], default: str) -> list[tuple[str, str]]:
    """The indexes that pip asks with these *settings* in force: (URL, where it was set), main one first.

    *default*: the one that pip asks when nobody names another.
    """
    if (offline := settings.get("no-index")) and is_true(offline.value):
        return []
    main, more = settings.get("index-url"), settings.get("extra-index-url")
    found = [(main.value, main.where) if main else (default, "pip's default")]
    return found + ([(url, more.where) for url in more.values] if more else [])


def _strength(setting: PipSetting) -> tuple[bool, bool, int]:
    return (setting.origin == "env_var", setting.section != "global", ORIGINS.index(setting.origin))
