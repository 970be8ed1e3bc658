"""The modules in a wheel, by the names of its files (which match RECORD: `wheelfile.validate`)."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

#: The file names of extension modules: the module's name, and how they end.
_EXTENSION = re.compile(r"([A-Za-z_]\w*)(\.(abi3|cpython|pypy|graalpy)[\w.-]*)?\.so", re.ASCII)

#: What wheels contain at their top besides what they are for, mostly by mistake.
_BY_THE_WAY = frozenset(
    {"benchmark", "benchmarks", "conftest", "doc", "docs", "example", "examples", "setup", "test", "tests"}
)


def import_names(wheel: str) -> list[str]:
    """The top-level modules and packages in the wheel at that path, sorted.

    Of a namespace package (a directory without `__init__`, PEP 420) those that are in it. What projects keep
    for themselves (tests, documentation, `setup.py`) is left out, unless there is nothing else. Raises
    `OSError` and `BAD_ZIP` as they come.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
    tree: dict[str, Any] = {}
    for name in names:
        parts = name.split("/")
        if parts[0].endswith(".data") and parts[1:2] in (["purelib"], ["platlib"]):
            parts = parts[2:]
        elif parts[0].endswith((".data", ".dist-info")):
            continue
        place = tree
        for part in parts[:-1]:
            place = place.setdefault(f"{part}/", {})
        if parts:
            place[parts[-1]] = None
    found = _importable(tree, "")
    return sorted({each for each in found if each.partition(".")[0] not in _BY_THE_WAY} or found)


def _importable(tree: Mapping[str, Any], prefix: str) -> set[str]:
    found: set[str] = set()
    for name, inner in tree.items():
        if inner is None:
            module = _module_name(name)
            if module is not None and module not in ("__init__", "__main__"):
                found.add(prefix + module)
            continue
        package = name.removesuffix("/")
        if not package.isidentifier() or iskeyword(package):
            continue
        if any(each is None and _module_name(entry) == "__init__" for entry, each in inner.items()):
            found.add(prefix + package)
        else:
            found |= _importable(inner, f"{prefix}{package}.")
    return found


def _module_name(filename: str) -> str | None:
    """The name of the module in a file of that name; None for other files, such as a library (`libx.so`)."""
    if filename.endswith(".py"):
        name = filename.removesuffix(".py")
        return name if name.isidentifier() and not iskeyword(name) else None
    found = _EXTENSION.fullmatch(filename)
    if found is None or (found[2] is None and found[1].startswith("lib")):
        return None
    return found[1]
