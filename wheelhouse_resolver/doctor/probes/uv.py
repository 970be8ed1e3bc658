"""The probe of uv: its variables and configuration files, as `uv pip` reads them (measured with 0.13.9)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wheelhouse_resolver.doctor.facts import UvCache, UvFacts
from wheelhouse_resolver.doctor.probes.pip import link_states
from wheelhouse_resolver.doctor.python_facts import PythonFacts
from wheelhouse_resolver.doctor.uv_settings import UvFile, UvIndex, UvSetting, uv_setting
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
    "UV_INDEX_STRATEGY": ("index-strategy", ","),
    "UV_EXCLUDE_NEWER": ("exclude-newer", ","),
    "UV_CACHE_DIR": ("cache-dir", ""),
    "UV_LINK_MODE": ("link-mode", ","),
}

#: Options of configuration files that mean the same.
_KEYS = {
    **{name: name for name in ("find-links", "index", "no-binary", "offline", "require-hashes")},
    **{name: name for name in ("no-index", "index-strategy", "exclude-newer", "cache-dir", "link-mode")},
    "index-url": "index",
    "extra-index-url": "index",
    "no-binary-package": "no-binary",
    "constraint-dependencies": "constraint-dependencies",
}

_SWITCHES = frozenset({"UV_NO_BINARY", "UV_OFFLINE", "UV_REQUIRE_HASHES"})

_PLACES = ("find-links", "index")


def uv_facts(site: Site, environ: Mapping[str, str], target: PythonFacts | None) -> UvFacts | None:
    """The uv on PATH with its settings, for the *target* Python; None for none."""
    path = shutil.which("uv", path=environ.get("PATH"))
    if path is None:
        return None
    read, unread = _files(environ)
    settings, (problem_file, problem) = list(_variables(environ)), ("", "")
    for file in read:
        found, why = _settings_in(file.path)
        settings += found
        problem_file, problem = (file.path, why) if why else (problem_file, problem)
    others = [each for file in unread for each in _settings_in(file)[0] if each.option in _PLACES]
    values = [value for each in [*settings, *others] if each.option in _PLACES for value in each.values]
    constraints = [local_path(each) for s in settings if s.option == "constraint" for each in s.values]
    return UvFacts(
        path=path,
        settings=tuple(settings),
        links=link_states(values, site),
        files=tuple(read),
        unread=tuple(others),
        problem=problem,
        problem_file=problem_file,
        missing=tuple(each for each in constraints if ":/" not in each and not os.path.exists(each)),
        cache=_cache(settings, environ, target),
    )


def _settings_in(file: str) -> tuple[list[UvSetting], str]:
    """What the *file* says, and why uv refuses it; empty when it does not."""
    try:
        document = parse_toml(read_settings(file).decode("utf-8"))
    except OSError as error:
        return [], reason_of(error)
    except (TomlError, UnicodeDecodeError) as error:
        return [], presentable(str(error))
    if os.path.basename(file) == _PROJECT:
        document = dict(_own_table(document) or {})
    table = document.get("pip")
    inner = list(_in_file(table, file, in_pip=True)) if isinstance(table, Mapping) else []
    return [*_in_file(document, file), *inner], ""


def _variables(environ: Mapping[str, str]) -> Iterator[UvSetting]:
    for variable, (option, separator) in _VARIABLES.items():
        value = environ.get(variable, "")
        words = [value]
        if separator:
            words = [each.strip() for each in value.split(None if separator == " " else separator)]
        names = [""] * len(words)
        if option == "index":
            named = [
                each.partition("=") if "=" in each.partition(":/")[0] else ("", "", each) for each in words
            ]
            names, words = [each[0] for each in named], [each[2] for each in named]
        if variable in _SWITCHES:
            words = ["true"] if is_true(value) else []
        if words := [redact(each) for each in words if each]:
            default = variable in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
            indexes = [UvIndex(url, name, default=default) for url, name in zip(words, names, strict=False)]
            of_index = tuple(indexes) if option == "index" else ()
            yield UvSetting(option, tuple(words), variable, variable=variable, indexes=of_index)


#: Where a project keeps what it says to its tools.
_PROJECT = "pyproject.toml"


def _own_table(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a `pyproject.toml` says to uv; None for nothing."""
    tools = document.get("tool")
    table = tools.get("uv") if isinstance(tools, Mapping) else None
    return table if isinstance(table, Mapping) else None


def _project() -> str:
    """The file of the project that the working directory is in; empty for none."""
    with suppress(OSError):  # the working directory has been removed
        here = Path.cwd()
        for above in (here, *here.parents):
            if (above / "uv.toml").is_file():
                return str(above / "uv.toml")
            with suppress(OSError, TomlError, UnicodeDecodeError):
                path = str(above / _PROJECT)
                if _own_table(parse_toml(read_settings(path).decode("utf-8"))) is not None:
                    return path
    return ""


def _files(environ: Mapping[str, str]) -> tuple[list[UvFile], list[str]]:
    """The files that uv reads, and those of the machine that it does not."""
    shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    machine = [*(os.path.join(each, "uv", "uv.toml") for each in shared if each), "/etc/uv/uv.toml"]
    machine = [each for each in dict.fromkeys(machine) if os.path.isfile(each)]
    if named := environ.get("UV_CONFIG_FILE"):
        read = [] if named == os.devnull else [UvFile("UV_CONFIG_FILE", named)]
        return read, [each for each in machine if each != named]
    if is_true(environ.get("UV_NO_CONFIG", "")):
        return [], machine
    home = environ.get("HOME")
    own = environ.get("XDG_CONFIG_HOME") or (os.path.join(home, ".config") if home else "")
    user = os.path.join(own, "uv", "uv.toml") if own else ""
    weaker = [("user", user)] if user and os.path.isfile(user) else []
    weaker += [("machine", each) for each in machine[:1]]
    project = _project()
    stronger = [("project", project)] if project and project not in (path for _, path in weaker) else []
    return [UvFile(*each) for each in [*stronger, *weaker]], machine[1:]


def _in_file(table: Mapping[str, Any], file: str, *, in_pip: bool = False) -> Iterator[UvSetting]:
    for key, value in table.items():
        if key not in _KEYS or (value is False and key != "no-index"):
            continue
        items = value if isinstance(value, list) else [value]
        words = [str(each.get("url", "")) if isinstance(each, Mapping) else str(each) for each in items]
        words = [each.lower() if each in ("True", "False") else redact(each) for each in words]
        pairs = list(zip(words, items, strict=True))
        if pairs := [each for each in pairs if each[0]]:
            where = f"{'pip.' if in_pip else ''}{key} in {file}"
            indexes = [_index(word, each, key) for word, each in pairs] if _KEYS[key] == "index" else []
            values = tuple(word for word, _ in pairs)
            kept = tuple(each for each in indexes if each is not None)
            yield UvSetting(_KEYS[key], values, where, file=file, in_pip=in_pip, indexes=kept)


def _index(url: str, entry: object, key: str) -> UvIndex | None:
    """The index of one *entry* of *key*; None for one that only those projects ask that name it."""
    if not isinstance(entry, Mapping):
        return UvIndex(url, default=key == "index-url", last=True)
    if entry.get("explicit") is True:
        return None
    return UvIndex(
        url,
        name=str(entry.get("name", "")),
        flat=entry.get("format") == "flat",
        default=entry.get("default") is True,
        dated=entry.get("exclude-newer") is not False,
    )


def _cache(
    settings: list[UvSetting], environ: Mapping[str, str], target: PythonFacts | None
) -> UvCache | None:
    above = environ.get("XDG_CACHE_HOME") or (
        os.path.join(environ["HOME"], ".cache") if environ.get("HOME") else ""
    )
    named = uv_setting(settings, "cache-dir")
    path = os.path.expanduser(named.values[0]) if named else os.path.join(above, "uv") if above else ""
    if not path or is_true(environ.get("UV_NO_CACHE", "")):
        return None
    into = target.site_packages[:1] if target is not None and not target.read_only else ()
    mode = uv_setting(settings, "link-mode")
    elsewhere = any(_device(each) != _device(path) for each in into)
    return UvCache(path, elsewhere, mode.values[0] if mode else "")


def _device(path: str) -> int:
    """The file system that *path* is on, or would be."""
    for each in (Path(path).absolute(), *Path(path).absolute().parents):
        with suppress(OSError):
            return os.stat(each).st_dev
    return 0
