"""pip's configuration: from a search path and the site's [pip] table to what pip, uv and shells read.

Everything that could be read back as something else is refused with `UnsafeValueError` when the
configuration is made, so that rendering cannot fail.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import UnsafeValueError
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.text import invalid_character, is_true
from wheelhouse_resolver.utils.urls import file_url

if TYPE_CHECKING:
    from wheelhouse_resolver.host.detect import Host
    from wheelhouse_resolver.site.layout import SearchPath
    from wheelhouse_resolver.site.model import Site

__all__ = ["FORMATS", "PipConfig", "Setting", "pip_config", "static_configs"]


#: What `PipConfig.render` can write.
FORMATS = ("ini", "sh", "csh", "fish", "json", "uv")


#: pip splits the values of these at white space; so each may be several, and none may hold a space.
_SEPARATED = frozenset(
    {
        "build-constraint",
        "constraint",
        "extra-index-url",
        "find-links",
        "requirement",
        "trusted-host",
        "use-feature",
        "use-deprecated",
    }
)


#: Of these, the ones that name files, for which a URL may stand.
_FILES = frozenset({"build-constraint", "constraint", "find-links", "requirement"})


#: pip splits the values of these at commas.
_COMMAS = frozenset({"no-binary", "only-binary"})


#: What uv calls an option of pip in its environment, and what it separates several values with.
_UV_VARIABLES = {
    "build-constraint": ("UV_BUILD_CONSTRAINT", " "),
    "constraint": ("UV_CONSTRAINT", " "),
    "extra-index-url": ("UV_EXTRA_INDEX_URL", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
}


#: What uv calls an option of pip in its configuration file, and whether it is a list there.
_UV_KEYS = {
    "extra-index-url": ("extra-index-url", True),
    "find-links": ("find-links", True),
    "index-url": ("index-url", False),
    "trusted-host": ("allow-insecure-host", True),
}


_OPTION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Setting(NamedTuple):
    """One option of pip and its value or values, as text."""

    option: str
    values: tuple[str, ...]

    @property
    def is_true(self) -> bool:
        """Whether it switches something on."""
        return is_true(self.values[0])


class PipConfig(NamedTuple):
    """A configuration of pip for one search path.

    comment:  what it is for, in words.
    settings: of every command (`[global]`), `find-links` first.
    commands: of single commands (`[install]`, ...): they beat `[global]`.
    """

    comment: str
    settings: tuple[Setting, ...]
    commands: tuple[tuple[str, tuple[Setting, ...]], ...] = ()

    @property
    def find_links(self) -> tuple[str, ...]:
        """The URLs of the directories, most specific first."""
        return next((s.values for s in self.settings if s.option == "find-links"), ())

    def environment(self) -> dict[str, str]:
        """The same as environment variables, for pip (`PIP_*`) and uv (`UV_*`).

        pip has no variables for single commands: see `left_out`.
        """
        found: dict[str, str] = {}
        for setting in self.settings:
            name = "PIP_" + setting.option.upper().replace("-", "_")
            found[name] = ("," if setting.option in _COMMAS else " ").join(setting.values)
        for setting in self.settings:
            if setting.option in _UV_VARIABLES:
                name, separator = _UV_VARIABLES[setting.option]
                found[name] = separator.join(setting.values)
            elif setting.option == "no-index" and setting.is_true:
                found["UV_OFFLINE"] = "1"  # uv has no variable for --no-index
            elif setting.option == "pre" and setting.is_true:
                found["UV_PRERELEASE"] = "allow"
            elif setting.option == "require-hashes" and setting.is_true:
                found["UV_REQUIRE_HASHES"] = "1"
            elif setting.option == "only-binary" and ":all:" in setting.values:
                found["UV_NO_BUILD"] = "1"
            elif setting.option == "only-binary":
                found["UV_NO_BUILD_PACKAGE"] = " ".join(setting.values)
            elif setting.option == "no-binary" and ":all:" in setting.values:
                found["UV_NO_BINARY"] = "1"
            elif setting.option == "no-binary":
                found["UV_NO_BINARY_PACKAGE"] = " ".join(setting.values)
        return found

    def left_out(self, form: str) -> list[str]:
        """What *form* cannot express though it bears on what is installed, in words."""
        if form == "ini":
            return []
        sections = [
            f"[pip.{name}]: only an INI file has settings of single commands" for name, _ in self.commands
        ]
        if form != "uv":
            return sections
        names = {
            "constraint": "UV_CONSTRAINT",
            "build-constraint": "UV_BUILD_CONSTRAINT",
            "require-hashes": "UV_REQUIRE_HASHES",
        }
        lost = [s.option for s in self.settings if s.option in names and (s.is_true or s.option in _FILES)]
        return [*sections, *(f"{name}: uv.toml has no key for it; set {names[name]}" for name in lost)]

    def render(self, form: str = "ini") -> str:
        """The configuration as text in one of `FORMATS`.

        `ini`: a file for PIP_CONFIG_FILE. `sh`, `csh`, `fish`: commands to be evaluated by that shell.
        `json`: an object of environment variables. `uv`: a file for UV_CONFIG_FILE. Raises `ValueError`
        for another.
        """
        try:
            return _RENDERERS[form](self)
        except KeyError:
            raise ValueError(f"unknown format {form!r}: one of {', '.join(FORMATS)}") from None


def pip_config(site: Site, host: Host, *, offline: bool = False, keep_missing: bool = False) -> PipConfig:
    """The configuration that makes pip search what *host* may use of *site*'s wheelhouse.

    offline:      pip must look nowhere else (`no-index`).
    keep_missing: also name directories that don't exist (pip warns of them, uv fails).

    Raises `UnsafeValueError`, `NoWheelhouseError`, and what `Site.search_path` raises.
    """
    listing.check_root(site)
    return _for_search_path(site, site.search_path(host), offline, keep_missing)


def static_configs(site: Site, *, offline: bool = False, keep_missing: bool = False) -> dict[str, PipConfig]:
    """One configuration for every (layer, arch) that a host of *site* can have, by file name.

    `pip-<arch>-<layer>.conf`, with the layer's own name for the arch; `pip-generic-<layer>.conf` for a
    host below the ladder; `pip-generic.conf` for one with no layer.
    """
    listing.check_root(site)
    found: dict[str, PipConfig] = {}
    for layer in site.layers:
        for arch in [*reversed(layer.archs), GENERIC]:
            name = f"pip-{layer.name_of(arch)}-{layer.name}.conf"
            path = site.search_path_for(layer.name, arch)
            found[name] = _for_search_path(site, path, offline, keep_missing)
    path = site.search_path_for(None, GENERIC)
    found["pip-generic.conf"] = _for_search_path(site, path, offline, keep_missing)
    return found


def _for_search_path(site: Site, search_path: SearchPath, offline: bool, keep_missing: bool) -> PipConfig:
    kept = search_path if keep_missing else listing.existing(search_path)
    links = tuple(file_url(directory.path) for directory in kept)
    options = {key: value for key, value in site.pip.items() if not isinstance(value, Mapping)}
    sections = {key: value for key, value in site.pip.items() if isinstance(value, Mapping)}
    commands: list[tuple[str, tuple[Setting, ...]]] = []
    for name, table in sections.items():
        if not _OPTION.fullmatch(name) or name == "global":
            raise UnsafeValueError(f"[pip.{name}]", name, "it is no command of pip")
        commands.append((name, _settings(table, f"pip.{name}", links, False, always=False)))
    where = f"layer {search_path.layer or 'none'}, arch {search_path.arch}"
    return PipConfig(
        comment=f"wheelhouse of {where}, most specific directory first",
        settings=_settings(options, "pip", links, offline, always=True),
        commands=tuple(commands),
    )


def _settings(
    table: Mapping[str, Any], where: str, links: tuple[str, ...], offline: bool, *, always: bool
) -> tuple[Setting, ...]:
    """The options of *table* as text; ours first wherever `find-links` is set (a section replaces it)."""
    found: dict[str, tuple[str, ...]] = {}
    if links and (always or "find-links" in table):
        found["find-links"] = links
    if offline:
        found["no-index"] = ("true",)
    for key, value in table.items():
        option = key.replace("_", "-")
        if not _OPTION.fullmatch(option):
            raise UnsafeValueError(f"[{where}] {key}", key, "it is no option of pip")
        if option in found and option not in ("find-links", "no-index"):
            raise UnsafeValueError(f"[{where}] {key}", key, "pip refuses an option that stands twice")
        values = tuple(_texts(option, value, f"[{where}] {key}"))
        if values:
            found[option] = (*found.get(option, ()), *values) if option == "find-links" else values
    if offline:
        found["no-index"] = ("true",)
    return tuple(Setting(option, values) for option, values in found.items())


def _texts(option: str, value: Any, where: str) -> Iterable[str]:
    items = list(value) if isinstance(value, tuple) else [value]
    for item in items:
        text = str(item).lower() if isinstance(item, bool) else str(item)
        if problem := invalid_character(text):
            raise UnsafeValueError(where, text, problem)
        if option in _SEPARATED and len(text.split()) > 1 and all(map(_is_place, text.split())):
            yield from (_text(option, part, where) for part in text.split())
        elif option in _COMMAS:
            yield from (part.strip() for part in text.split(",") if part.strip())
        elif text:
            yield _text(option, text, where)


def _is_place(text: str) -> bool:
    return text.startswith("/") or _SCHEME.match(text) is not None


def _text(option: str, text: str, where: str) -> str:
    """*text* as pip will read it back, or an error."""
    plain = text.isascii() and not (option in _SEPARATED and " " in text)
    if option in _FILES and os.path.isabs(text) and not (plain and re.fullmatch(r"[\w/.~+-]+", text)):
        return file_url(text)
    if not text.isascii():
        raise UnsafeValueError(where, text, "pip reads its file in the locale's encoding: use ASCII")
    if not plain:
        raise UnsafeValueError(where, text, "pip splits this option at spaces")
    if text != text.strip():
        raise UnsafeValueError(where, text, "pip drops white space at the ends")
    if text.startswith(("#", ";")):
        raise UnsafeValueError(where, text, "pip takes it for a comment")
    return text


def _ini(config: PipConfig) -> str:
    lines = [f"# {config.comment}"]
    for section, settings in [("global", config.settings), *config.commands]:
        if section != "global":
            lines.append("")
        lines.append(f"[{section}]")
        for option, values in settings:
            if option in _COMMAS:
                lines.append(f"{option} = {','.join(values)}")
            elif option in _SEPARATED:
                lines += [f"{option} =", *(f"    {value}" for value in values)]
            else:
                lines += [f"{option} = {values[0]}", *(f"    {value}" for value in values[1:])]
    return "\n".join(lines) + "\n"


def _uv(config: PipConfig) -> str:
    found: dict[str, Any] = {}
    for setting in config.settings:
        option, values = setting
        if option in _UV_KEYS:
            key, several = _UV_KEYS[option]
            found[key] = list(values) if several else values[0]
        elif option == "no-index" and setting.is_true:
            found["no-index"] = True
        elif option == "pre" and setting.is_true:
            found["prerelease"] = "allow"
        elif option == "only-binary":
            found.update({"no-build": True} if ":all:" in values else {"no-build-package": [*values]})
        elif option == "no-binary":
            found.update({"no-binary": True} if ":all:" in values else {"no-binary-package": [*values]})
    lines = [f"# {config.comment}"]
    for key, value in found.items():
        if isinstance(value, list):
            # ASCII without control characters: a JSON string is a TOML string.
            lines += [f"{key} = [", *(f"    {json.dumps(item)}," for item in value), "]"]
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"


def _quoted_for_sh(value: str) -> str:
    return "'" + value.replace("'", "'\\''") + "'"


def _quoted_for_csh(value: str) -> str:
    # History substitution reaches into single quotes there.
    return _quoted_for_sh(value).replace("!", "\\!")


def _quoted_for_fish(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _shell(template: str, quoted: Callable[[str], str]) -> Callable[[PipConfig], str]:
    def render(config: PipConfig) -> str:
        return "".join(
            template.format(name, quoted(value)) + "\n" for name, value in config.environment().items()
        )

    return render


_RENDERERS: dict[str, Callable[[PipConfig], str]] = {
    "ini": _ini,
    "sh": _shell("export {}={};", _quoted_for_sh),
    "csh": _shell("setenv {} {};", _quoted_for_csh),
    "fish": _shell("set -gx {} {};", _quoted_for_fish),
    "json": lambda config: json.dumps(config.environment(), indent=2) + "\n",
    "uv": _uv,
}
