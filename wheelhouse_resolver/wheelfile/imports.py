"""The modules in a wheel, by the names of its files (which match RECORD: `wheelfile.validate`)."""

from __future__ import annotations

import re
import zipfile
from keyword import iskeyword

from wheelhouse_resolver.wheelfile.bounds import open_wheel

#: The file names of extension modules: the module's name, and how they end.
_EXTENSION = re.compile(r"([A-Za-z_]\w*)(\.(abi3|cpython|pypy|graalpy)[\w.-]*)?\.so", re.ASCII)

#: What a `.data` directory has for `site-packages`.
_PACKAGES = re.compile(r"^[^/]+\.data/(purelib|platlib)/")

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
    with open_wheel(wheel) as file, zipfile.ZipFile(file) as archive:
        paths = [_PACKAGES.sub("", name).split("/") for name in archive.namelist()]
    if max(map(len, paths), default=0) > 1000:
        raise ValueError("its directories are nested too deeply")
    modules = {(*above, name) for *above, file in paths if (name := _module_name(file)) is not None}
    packages = {path[:-1] for path in modules if path[-1] == "__init__"}
    found = set()
    for path in modules:
        if all(each.isidentifier() and not iskeyword(each) for each in path[:-1]):
            parts = (path[:end] for end in range(1, len(path)))
            found.add(next((each for each in parts if each in packages), path))
    names = {".".join(each) for each in found if each[-1] not in ("__init__", "__main__")}
    return sorted({each for each in names if each.partition(".")[0] not in _BY_THE_WAY} or names)


def _module_name(filename: str) -> str | None:
    """The name of the module in a file of that name; None for other files, such as a library (`libx.so`)."""
    if filename.endswith(".py"):
        name = filename.removesuffix(".py")
        return name if name.isidentifier() and not iskeyword(name) else None
    found = _EXTENSION.fullmatch(filename)
    if found is None or (found[2] is None and found[1].startswith("lib")):
        return None
    return found[1]
