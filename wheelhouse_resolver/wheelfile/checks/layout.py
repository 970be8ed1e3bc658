"""Where the files of a wheel go, and the commands that it brings: `.data` directories and entry_points.txt.

Refused is what pip, uv or PyPA's `installer` refuses, or what one installs otherwise than another (measured:
pip 20.3.4 to 26.3, uv 0.13.9, installer 1.1.0). pip on Python before 3.11 reads all entry points strictly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.utils.text import few
from wheelhouse_resolver.wheelfile.checks.opened import OpenWheel

#: The directories that a `.data` directory may have (sysconfig's install schemes, PEP 427).
_SCHEMES = ("data", "headers", "platlib", "purelib", "scripts")

#: The groups of entry points for which installers write commands.
_COMMANDS = ("console_scripts", "gui_scripts")

#: The name of a group, and what an entry point may be, as pkg_resources reads them.
_GROUP = re.compile(r"\w+(\.\w+)*", re.ASCII)
_OBJECT = re.compile(r"[\w.]+(\s*:\s*[\w.]+)?\s*(\[.*\])?", re.ASCII)

#: What a command may be: pip takes `module : function` to have no function.
_CALLABLE = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*\s*(\[.*\])?", re.ASCII)


def check_layout(wheel: OpenWheel) -> None:
    """Note files that have no place, entry points that cannot be read, and commands that cannot be made."""
    scripts = _check_data(wheel)
    path = f"{wheel.info_directory}/entry_points.txt"
    if any(info.filename == path for info in wheel.entries):
        _check_entry_points(wheel, wheel.text("entry_points.txt") or "", scripts)


def _check_data(wheel: OpenWheel) -> set[str]:
    """Note what has no place in a `.data` directory; returns the names of the scripts in it."""
    own = wheel.info_directory.removesuffix(".dist-info") + ".data"
    names = {info.filename for info in wheel.entries}
    others, scripts = set(), set()
    for info in wheel.entries:
        top, _, path = info.filename.removesuffix("/").partition("/")
        if not top.endswith(".data"):
            continue
        shown, (scheme, _, rest) = printable(info.filename), path.partition("/")
        if top != own:
            others.add(printable(top))
        elif path and scheme not in _SCHEMES:
            wheel.note(f"{shown!r}: {own} may have the directories {', '.join(_SCHEMES)}, and nothing else")
        elif not rest and not info.is_dir():
            wheel.note(f"{shown!r} is a file, not a directory")
        elif scheme == "scripts" and "/" in rest:
            wheel.note(f"{shown!r} is in a directory below scripts, which uv refuses")
        elif scheme in ("purelib", "platlib") and rest in names and not info.is_dir():
            wheel.note(f"{shown!r} has the same place as {printable(rest)!r}")
        elif scheme == "scripts":
            scripts.add(rest)
    if others:
        wheel.note(f"{few(others)} is not {own}: pip takes it for a data directory, uv for a package")
    return scripts


def _check_entry_points(wheel: OpenWheel, text: str, scripts: set[str]) -> None:
    """Note what is wrong with *text*, the entry points. *scripts*: the commands that are there as files."""
    if text.startswith("\ufeff"):
        wheel.note("entry_points.txt begins with a byte order mark")
        return
    for group, name, value, where in _entry_points(wheel, text):
        if group not in _COMMANDS:
            if not _OBJECT.fullmatch(value):
                wheel.note(f"{where}: {value!r} is not `module` or `module:object`")
            continue
        if name in (".", "..") or re.search(r"[/\\:\s]", name):
            wheel.note(f"{where}: {name!r} cannot be the name of a command")
        elif name in scripts:
            wheel.note(f"{where}: the wheel also has a script {name!r}")
        scripts.add(name)
        if not _CALLABLE.fullmatch(value):
            wheel.note(f"{where}: {value!r} is not `module:function`")


def _entry_points(wheel: OpenWheel, text: str) -> Iterator[tuple[str, str, str, str]]:
    """(group, name, value, where it is) of each entry point, with notes of lines that not all readers take.

    Not by configparser, which reads what others do not: defaults, `:` for `=`, continued lines, `;`.
    """
    group, groups, names = "", set[str](), set[str]()
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        where, stripped = f"entry_points.txt, line {number}", line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, equals, value = (each.strip() for each in stripped.partition("="))
        if header := re.fullmatch(r"\[([^\[\]]+)\]", stripped):
            group = header[1].strip()
            if group in groups:
                wheel.note(f"{where}: a second group [{group}]")
            elif group == "DEFAULT" or not _GROUP.fullmatch(group):
                wheel.note(f"{where}: [{group}] cannot be the name of a group")
            groups.add(group)
            names.clear()
        elif not group:
            wheel.note(f"{where}: {stripped!r} is in no group, such as [console_scripts]")
            return
        elif not equals or not name or (line[0].isspace() and group in _COMMANDS):
            wheel.note(f"{where}: {stripped!r} is not `name = module:object`")
        elif name in names:
            wheel.note(f"{where}: a second {name!r} in [{group}]")
        else:
            names.add(name)
            yield group, name, value, where
