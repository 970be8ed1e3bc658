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
from wheelhouse_resolver.site.index_table import index_table
from wheelhouse_resolver.site.layout import GENERIC, HostKind
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.text import invalid_character, is_true
from wheelhouse_resolver.utils.urls import file_url

if TYPE_CHECKING:
    from wheelhouse_resolver.host.detect import Host
    from wheelhouse_resolver.site.layout import Directory, Layer, SearchPath
    from wheelhouse_resolver.site.model import Site
    from wheelhouse_resolver.site.pip_table import Constraints

#: What `PipConfig.render` can write.
FORMATS = ("ini", "sh", "csh", "fish", "json", "uv", "uv-find-links")

#: How `static_files` can write it.
STATIC_FORMS = ("file", "xdg")

#: How the comment of every configuration begins.
COMMENT = "wheelhouse of layer"

#: The options that name files, or URLs instead.
_FILES = frozenset({"build-constraint", "constraint", "find-links", "requirement"})

#: pip splits the values of these at white space; so each may be several, and none may hold a space.
_SEPARATED = _FILES | {"extra-index-url", "trusted-host", "use-feature", "use-deprecated"}

#: pip splits the values of these at commas.
_COMMAS = frozenset({"all-releases", "no-binary", "only-binary", "only-final"})

#: Which indexes pip asks: nothing of that is left where ours is the only one.
_INDEXES = frozenset({"extra-index-url", "index-url", "no-index"})

_OPTION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Setting(NamedTuple):
    """One option of pip and its value or values, as text."""

    option: str
    values: tuple[str, ...]


class PipConfig(NamedTuple):
    """A configuration of pip for one search path.

    comment:  what it is for.
    settings: of every command (`[global]`), `find-links` first.
    commands: of single commands (`[install]`, ...): they beat `[global]`.
    labels:   what the site calls the directories, which are the first of `find_links`.
    constraints: what the constraints files say, for uv, whose file cannot name them; None: not read yet.
    uv_file:  the path of a file in the form `uv`, which the environment names; empty: uv gets variables.
    index_path: the directory of the static index that the settings name; empty: there is none.
    """

    comment: str
    settings: tuple[Setting, ...]
    commands: tuple[tuple[str, tuple[Setting, ...]], ...] = ()
    labels: tuple[str, ...] = ()
    constraints: Constraints | None = None
    uv_file: str = ""
    index_path: str = ""

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
        if self.uv_file:
            return {**found, "UV_CONFIG_FILE": self.uv_file}
        from wheelhouse_resolver.installers.uv_config import uv_variables

        return found | uv_variables(self.settings)

    def left_out(self, form: str) -> list[str]:
        """What *form* cannot express though it bears on what is installed, a line each."""
        if form == "ini":
            return []
        from wheelhouse_resolver.installers.uv_config import uv_left_out

        lost = [
            f"[pip.{name}]: only an INI file has settings of single commands" for name, _ in self.commands
        ]
        lost += uv_left_out(self.settings, self.constraints, file=bool(self.uv_file) or form.startswith("uv"))
        return lost

    def render(self, form: str = "ini") -> str:
        """The configuration as text in one of `FORMATS`.

        `ini`: a file for PIP_CONFIG_FILE. `sh`, `csh`, `fish`: commands to be evaluated by that shell.
        `json`: an object of environment variables. `uv`: a file for UV_CONFIG_FILE, or an `uv/uv.toml`;
        `uv-find-links`: the same for uv before 0.6.11. Raises `ValueError` for another.
        """
        try:
            return _RENDERERS[form](self)
        except KeyError:
            raise ValueError(f"unknown format {form!r}: one of {', '.join(FORMATS)}") from None


def pip_config(
    site: Site, host: Host, *, offline: bool = False, keep_missing: bool = False, index: str | None = None
) -> PipConfig:
    """The configuration that makes pip search what *host* may use of *site*'s wheelhouse.

    offline:      pip must look nowhere else (`no-index`, or our index alone).
    keep_missing: also name directories that don't exist (pip warns of them, uv fails).
    index:        the directory of a static index to name instead of the directories; None: the one of the
                  site file's [index], if it has one; empty: none.

    Raises `UnsafeValueError`, `NoWheelhouseError`, `SiteFileError`, and what `Site.search_path` raises.
    """
    listing.check_root(site)
    site = site.with_links()
    path = site.search_path(host)
    return _for_search_path(site, path, _ours(site, path, None, offline, keep_missing, index))


def class_name(layer: Layer | None, kind: HostKind) -> str:
    """The name of the class of hosts of that *kind*, which is of *layer*; a file name.

    `<arch>-<layer>`, with the layer's own name for the arch, unless that is a path; `generic` without a
    layer. Where not every CPU of the arch runs all that such a host does: `<arch>+<another>-<layer>`.
    """
    if layer is None:
        return GENERIC
    called = {arch: name for arch, name in layer.names if arch != GENERIC and "/" not in name}
    return f"{'+'.join(called.get(arch, arch) for arch in (kind.arch, *kind.also))}-{layer.name}"


def host_classes(site: Site, what: str) -> dict[str, HostKind]:
    """The kinds of hosts that *site* can have, by `class_name`.

    Raises `UnsafeValueError` where two have the same name; *what*: what that is the name of.
    """
    found: dict[str, HostKind] = {}
    for kind in reversed(site.host_kinds()):
        name = class_name(site.layer(kind.layer), kind)
        if (other := found.setdefault(name, kind)).label != kind.label:
            both = f"{kind.label} and {other.label} would share it: rename a layer or its name of the arch"
            raise UnsafeValueError(what, name, both)
    return found


def static_configs(
    site: Site, *, offline: bool = False, keep_missing: bool = False, index: str | None = None
) -> dict[str, PipConfig]:
    """One configuration for every kind of host that *site* can have, by `class_name`.

    Raises `UnsafeValueError` where two have the same name, and as `pip_config` does.
    """
    listing.check_root(site)
    site = site.with_links()
    found: dict[str, PipConfig] = {}
    for name, kind in host_classes(site, "the class of hosts").items():
        path = kind.search_path
        found[name] = _for_search_path(site, path, _ours(site, path, kind, offline, keep_missing, index))
    return found


class _Ours(NamedTuple):
    """What makes pip find our wheels.

    labels, links: of the directories: what the site calls them, and their URLs.
    index_path: the directory of the index; empty: there is none.
    offline: whether pip must look nowhere else.
    """

    labels: tuple[str, ...]
    links: tuple[str, ...]
    index_path: str
    offline: bool


def _ours(
    site: Site, path: SearchPath, kind: HostKind | None, offline: bool, keep_missing: bool, given: str | None
) -> _Ours:
    table = index_table(site)
    directory = given if given is not None else table.directory if table is not None else ""
    kept: Iterable[Directory] = ()
    if not directory or (table is not None and table.find_links):
        kept = path if keep_missing else listing.existing(path)
    labels, links = tuple(each.label for each in kept), tuple(file_url(each.path) for each in kept)
    if not directory:
        return _Ours(labels, links, "", offline)
    if kind is None:
        same = (each for each in site.host_kinds() if each.search_path == path)
        kind = next(same, HostKind(path.layer, path.arch, None, path))
    place = os.path.join(os.path.abspath(directory), class_name(site.layer(kind.layer), kind))
    alone = any(is_true(site.pip.get(key)) for key in ("no-index", "no_index"))
    return _Ours(labels, links, place, offline or alone)


def _for_search_path(site: Site, search_path: SearchPath, ours: _Ours) -> PipConfig:
    options: dict[str, Any] = {}
    commands: list[tuple[str, tuple[Setting, ...]]] = []
    for name, value in site.pip.items():
        if not isinstance(value, Mapping):
            options[name] = value
        elif not _OPTION.fullmatch(name) or name == "global":
            raise UnsafeValueError(f"[pip.{name}]", name, "not a command of pip")
        else:
            commands.append((name, _settings(value, f"pip.{name}", ours)))
    where = f"{search_path.layer or 'none'}, arch {search_path.arch}"
    comment = f"{COMMENT} {where}{', most specific directory first' if not ours.index_path else ''}"
    settings = _settings(options, "pip", ours)
    return PipConfig(comment, settings, tuple(commands), ours.labels, index_path=ours.index_path)


def _settings(table: Mapping[str, Any], where: str, ours: _Ours) -> tuple[Setting, ...]:
    """The options of *table* as text, with ours; in a section wherever it would replace them."""
    section = where != "pip"
    found: dict[str, tuple[str, ...]] = {}
    if ours.links and (not section or "find-links" in table):
        found["find-links"] = ours.links
    no_index = ours.offline and not ours.index_path and not section
    if no_index:
        found["no-index"] = ("true",)
    for key, value in table.items():
        option = key.replace("_", "-")
        if not _OPTION.fullmatch(option):
            raise UnsafeValueError(f"[{where}] {key}", key, "not an option of pip")
        if option in found and option not in ("find-links", "no-index"):
            raise UnsafeValueError(f"[{where}] {key}", key, "pip refuses an option that is given twice")
        values = tuple(_texts(option, value, f"[{where}] {key}"))
        if ours.index_path and section and option == "no-index" and is_true(value) and not ours.links:
            raise UnsafeValueError(f"[{where}] {key}", "true", "pip would not ask our index either")
        if values and not (ours.index_path and ours.offline and option in _INDEXES):
            found[option] = (*found.get(option, ()), *values) if option == "find-links" else values
    if no_index:
        found["no-index"] = ("true",)
    if ours.index_path and ours.offline and not section:
        found["index-url"] = (file_url(ours.index_path),)
    elif ours.index_path and not ours.offline and (not section or "extra-index-url" in found):
        # Of equal wheels, pip takes that of the last index (20.3.4 to 26.3).
        found["extra-index-url"] = (*found.get("extra-index-url", ()), file_url(ours.index_path))
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
                values = (",".join(values),)
            first, *more = ("", *values) if option in _SEPARATED else values
            lines += [f"{option} = {first}".rstrip(), *(f"    {value}" for value in more)]
    return "\n".join(lines) + "\n"


def _uv(config: PipConfig, *, find_links: bool) -> str:
    from wheelhouse_resolver.installers.uv_config import uv_file

    given = config.constraints
    return uv_file(
        config.comment, config.settings, labels=config.labels, constraints=given, find_links=find_links
    )


def _shell(command: str, escapes: dict[str, str]) -> Callable[[PipConfig], str]:
    """Renders for a shell with this *command*, and these *escapes* within its single quotes."""
    table = str.maketrans(escapes)
    return lambda config: "".join(
        f"{command.format(name, value.translate(table))}\n" for name, value in config.environment().items()
    )


_RENDERERS: dict[str, Callable[[PipConfig], str]] = {
    "ini": _ini,
    "sh": _shell("export {}='{}';", {"'": r"'\''"}),
    # History substitution reaches into single quotes there.
    "csh": _shell("setenv {} '{}';", {"'": r"'\''", "!": r"\!"}),
    "fish": _shell("set -gx {} '{}';", {"\\": r"\\", "'": r"\'"}),
    "json": lambda config: json.dumps(config.environment(), indent=2) + "\n",
    "uv": lambda config: _uv(config, find_links=False),
    "uv-find-links": lambda config: _uv(config, find_links=True),
}
