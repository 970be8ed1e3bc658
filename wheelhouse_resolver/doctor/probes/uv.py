"""The probe of uv: its variables and configuration files, as `uv pip` reads them (measured with 0.13)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from wheelhouse_resolver.doctor.facts import UvFacts, UvSetting
from wheelhouse_resolver.doctor.probes.pip import link_states
from wheelhouse_resolver.errors import reason_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.filesystem import read_settings
from wheelhouse_resolver.utils.redact import presentable, redact
from wheelhouse_resolver.utils.text import is_true
from wheelhouse_resolver.utils.toml import TomlError, parse_toml
from wheelhouse_resolver.utils.urls import local_path

#: The variables that decide where wheels come from and which, with the option that each sets and what
#: separates its values.
_VARIABLES = {
    "UV_FIND_LINKS": ("find-links", ","),
    "UV_INDEX": ("index", " "),
    "UV_DEFAULT_INDEX": ("index", " "),
    "UV_INDEX_URL": ("index", " "),
    "UV_EXTRA_INDEX_URL": ("index", " "),
    "UV_CONSTRAINT": ("constraint", " "),
    "UV_NO_BINARY": ("no-binary", ","),
    "UV_NO_BINARY_PACKAGE": ("no-binary", " "),
    "UV_OFFLINE": ("offline", ","),
    "UV_REQUIRE_HASHES": ("require-hashes", ","),
}

#: Options of configuration files that mean the same.
_KEYS = {
    **{name: name for name in ("find-links", "index", "no-binary", "offline", "require-hashes")},
    "index-url": "index",
    "extra-index-url": "index",
    "no-binary-package": "no-binary",
    "no-index": "no-index",
    "constraint-dependencies": "constraint-dependencies",
}

_SWITCHES = frozenset({"UV_NO_BINARY", "UV_OFFLINE", "UV_REQUIRE_HASHES"})


def uv_facts(site: Site, environ: Mapping[str, str]) -> UvFacts | None:
    """The uv on PATH with its settings; None for none."""
    path = shutil.which("uv", path=environ.get("PATH"))
    if path is None:
        return None
    settings = list(_variables(environ))
    problem = problem_file = ""
    for file in _files(environ):
        try:
            document = parse_toml(read_settings(file).decode("utf-8"))
        except OSError as error:
            problem, problem_file = reason_of(error), file
        except (TomlError, UnicodeDecodeError) as error:
            problem, problem_file = presentable(str(error)), file
        else:
            table = document.get("pip")
            settings += _in_file(document, file)
            settings += _in_file(table, file) if isinstance(table, Mapping) else ()
    values = [
        each for setting in settings if setting.option in ("find-links", "index") for each in setting.values
    ]
    constraints = [local_path(each) for s in settings if s.option == "constraint" for each in s.values]
    return UvFacts(
        path=path,
        settings=tuple(settings),
        links=link_states(values, site),
        problem=problem,
        problem_file=problem_file,
        missing=tuple(each for each in constraints if ":/" not in each and not os.path.exists(each)),
    )


def _variables(environ: Mapping[str, str]) -> Iterator[UvSetting]:
    for variable, (option, separator) in _VARIABLES.items():
        value = environ.get(variable, "")
        words = [each.strip() for each in value.split(None if separator == " " else separator)]
        if option == "index":
            words = [each.partition("=")[2] if "=" in each.partition(":/")[0] else each for each in words]
        if variable in _SWITCHES:
            words = ["true"] if is_true(value) else []
        if words := [redact(each) for each in words if each]:
            yield UvSetting(option, tuple(words), variable, variable=variable)


def _files(environ: Mapping[str, str]) -> list[str]:
    """The configuration files that uv reads outside of any project."""
    if named := environ.get("UV_CONFIG_FILE"):
        return [named]
    if is_true(environ.get("UV_NO_CONFIG", "")):
        return []
    home = environ.get("HOME")
    own = environ.get("XDG_CONFIG_HOME") or (os.path.join(home, ".config") if home else "")
    shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    machine = [*(os.path.join(each, "uv", "uv.toml") for each in shared if each), "/etc/uv/uv.toml"]
    users = [os.path.join(own, "uv", "uv.toml")] if own else []
    return [each for each in users if os.path.isfile(each)] + [
        each for each in machine if os.path.isfile(each)
    ][:1]


def _in_file(table: Mapping[str, Any], file: str) -> Iterator[UvSetting]:
    for key, value in table.items():
        if key not in _KEYS or value is False:
            continue
        items = value if isinstance(value, list) else [value]
        words = [str(each.get("url", "")) if isinstance(each, Mapping) else str(each) for each in items]
        words = ["true" if each == "True" else redact(each) for each in words if each]
        if words:
            yield UvSetting(_KEYS[key], tuple(words), f"{key} in {file}", file=file)
