"""Module files for Lmod and Environment Modules, from the templates in `templates/`.

A static module file decides the arch in the module language, from a table that is generated here from the
site's ladder, and names one of the places that `pip-conf --all` wrote: no Python starts. A dynamic one
evaluates what `pip-conf --format sh` prints at each load.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wheelhouse_resolver.errors import UnsafeValueError
from wheelhouse_resolver.installers.pip_config import class_name
from wheelhouse_resolver.installers.static_files import check_directory, needed_files, place_of
from wheelhouse_resolver.installers.template_files import filled, template, template_path
from wheelhouse_resolver.installers.uv_table import offered_variables
from wheelhouse_resolver.site.cpu_requirements import requirements_for
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.utils.text import invalid_character

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Layer
    from wheelhouse_resolver.site.model import Site

#: The module languages: Lmod's Lua, and the Tcl of Environment Modules (>= 5.1), which Lmod reads too.
DIALECTS = ("lmod", "tcl")

#: The variables from which our own commands read what these options say.
_VARIABLES = {"--config": "WHEELHOUSE_CONFIG", "--root": "WHEELHOUSE_ROOT"}

#: What has a backslash before it in a quoted text. Braces too: they would still count in the block around it.
_ESCAPED = {"lmod": '\\"', "tcl": '\\"$[]{};#'}

#: What Tcl reads as one word, as it is.
_PLAIN = re.compile(r"[\w.:/+,-]+", re.ASCII)

#: A line of a generated table is at most about as long, in characters.
_WIDTH = 100


def static_modulefile(
    site: Site,
    layer: str | None,
    dialect: str,
    directory: str,
    *,
    form: str = "file",
    cpuinfo: str = "/proc/cpuinfo",
) -> str:
    """A module file that picks for its host what `pip-conf --all --form FORM --output-dir DIRECTORY` wrote.

    layer:   whose module file it is; None: for hosts without a layer.
    form:    one of `pip_config.STATIC_FORMS`.
    cpuinfo: where the CPU is read from.

    Raises `UnsafeValueError`, `UnknownLayerError`, `SiteFileError`.
    """
    chosen = site.layer(layer)
    directory = os.path.abspath(directory)
    _check("--static", directory, dialect)
    check_directory(directory, form, "--static")
    ours = site._replace(options=_options(site))
    classes = classes_of(site, chosen)
    offered = offered_variables(site)
    values = {
        "directory": directory,
        "cpuinfo": cpuinfo,
        "levels": _items(list(_levels(site)), dialect),
        "own": _items(site.archs_of(chosen) if chosen else (), dialect),
        "files": _items({archs: place_of(name, form) for archs, name in classes.items()}, dialect),
        "needed": _items(needed_files(form), dialect),
        "write_command": ours.command("pip-conf", "--all", "--form", form, "--output-dir", directory),
        "offered": _items(offered, dialect),
        "called": _items(_called(site, chosen), dialect),
    }
    return _modulefile(("static", form), site, layer, dialect, values)


def classes_of(site: Site, layer: Layer | None) -> dict[str, str]:
    """The archs of *layer* that a host can run, low to high -> the name of the class of such hosts."""
    if layer is None:
        return {"": class_name(None, site.host_kinds()[0])}
    kinds = site.kinds_by_archs(layer)
    return {" ".join(archs): class_name(layer, kind) for archs, kind in kinds.items()}


def dynamic_modulefile(
    site: Site, layer: str | None, dialect: str, command: Sequence[str] | None = None
) -> str:
    """A module file that evaluates `pip-conf --format sh` at each load, by the module system's own means.

    Tcl: by `source-sh`, with which a user's own earlier PIP_FIND_LINKS is gone after unloading.
    Lmod: by `capture` and `pushenv`, which give it back. Not by `source_sh`: that takes a variable that
    was set before for a search path, and splits the URLs in it at their colons (Lmod 8.6.19).

    command: runs our command line; None: with the running Python.

    Raises `UnsafeValueError`, `UnknownLayerError`.
    """
    site.layer(layer)
    # The layer is stated, not detected, so that a module of one layer never configures another's.
    words = [*(command or (sys.executable, "-m", "wheelhouse_resolver")), "pip-conf", "--format", "sh"]
    words += ["--layer", layer or NO_LAYER, *_options(site)]
    for word in words:
        _check("the command", word, "lmod")
    for option, value in site.pip.items() if dialect == "tcl" else ():
        if not isinstance(value, Mapping) and set("$`") & set(str(value)):
            problem = "source-sh of Environment Modules 5.2 puts a backslash before $ and `"
            raise UnsafeValueError(f"[pip] {option}", str(value), problem)
    if dialect == "lmod":
        values = {"command": shlex.join(words)}
    else:
        words.insert(0, template_path("evaluate.sh"))
        values = {"command": _Code(" ".join(_word(word, dialect) for word in words))}
    return _modulefile(("dynamic",), site, layer, dialect, values)


class _Code(str):
    """Text in the module language, not to be quoted."""

    __slots__ = ()


def _modulefile(
    parts: Sequence[str], site: Site, layer: str | None, dialect: str, values: Mapping[str, str]
) -> str:
    options = _options(site)
    pairs = [(_VARIABLES[name], value) for name, value in zip(options[::2], options[1::2], strict=True)]
    for name, value in (("the root", site.root), *pairs):
        _check(name, value, dialect)
    variables = _items(pairs if dialect == "lmod" else [word for pair in pairs for word in pair], dialect)
    common = {
        "root": site.root,
        "kind": f"layer {layer}" if layer else "no layer",
        "layer": layer or NO_LAYER,
        "site": variables,
    }
    given = {**common, **values}
    code = {k: v if isinstance(v, _Code) else _word(v, dialect) for k, v in given.items()}
    suffix = "lua" if dialect == "lmod" else "tcl"
    return filled("".join(template(f"{part}.{suffix}") for part in ("head", *parts, "foot")), code)


def _options(site: Site) -> tuple[str, ...]:
    """The options with which our own commands find *site* again."""
    option, path = ("--config", site.source) if site.source else ("--root", site.root)
    return site.options or (option, os.path.abspath(path))


def _levels(site: Site) -> Iterator[dict[str, Any]]:
    """The archs as a module file sees them, low to high.

    ways:  what /proc/cpuinfo must show, any one of them.
    lower: the arch and those below it, low to high: a CPU that lacks one of these is not of the arch.
    """
    for arch in site.ladder:
        yield {
            "name": arch.name,
            "ways": [way._asdict() for way in requirements_for(arch)],
            "lower": site.archs_up_to(arch),
        }


def _called(site: Site, layer: Layer | None) -> dict[str, str]:
    """Every name by which an override may ask for an arch -> the ladder's name."""
    own = {name for each in site.layers for _, name in each.names}
    names = {site.generic, *(arch.name for arch in site.ladder), *own}
    found = {name: site.arch(name, layer) for name in sorted(names)}
    return {GENERIC: GENERIC, **{name: arch.name if arch else GENERIC for name, arch in found.items()}}


def _check(what: str, value: str, dialect: str) -> None:
    problem = invalid_character(value)
    if problem is None and dialect == "tcl" and ":" in value:
        problem = "Environment Modules keeps what pushenv saves in a list that it splits at colons"
    if problem is not None:
        raise UnsafeValueError(what, value, problem)


def _word(text: str, dialect: str) -> str:
    """*text* as a word of the language."""
    quoted = _quoted(text, dialect)
    bare = dialect == "lmod" or text.isascii()
    return quoted if bare else f"[encoding convertfrom [encoding system] {quoted}]"


def _quoted(text: str, dialect: str) -> str:
    """*text* in quotes; in Tcl with its bytes instead of what is not ASCII.

    In which encoding Environment Modules reads a module file depends on its version, on whether it has its
    library in C, and on the locale; the bytes of a path do not, nor what the locale makes of them.
    """
    escaped = list(text)
    if dialect == "tcl":
        escaped = [f"\\{byte:03o}" if byte > 127 else chr(byte) for byte in text.encode()]
    return '"' + "".join(f"\\{char}" if char in _ESCAPED[dialect] else char for char in escaped) + '"'


def _items(value: Any, dialect: str) -> _Code:
    """The items of a table in the module language, without the braces around them."""
    return _Code(_table(value, dialect)[1:-1])


def _table(value: Any, dialect: str, indent: str = "  ") -> str:
    """*value*, of mappings, sequences, text and numbers, in the module language."""
    lua = dialect == "lmod"
    if isinstance(value, str):
        return value if not lua and _PLAIN.fullmatch(value) else _quoted(value, dialect)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        pair = "[{}] = {}" if lua else "{} {}"
        items = [
            pair.format(*(_table(each, dialect, indent + "  ") for each in item)) for item in value.items()
        ]
    else:
        items = [_table(each, dialect, indent + "  ") for each in value]
    separator = "," if lua else ""
    line = f"{separator} ".join(items)
    if len(line) <= _WIDTH and "\n" not in line:
        return f"{{{line}}}"
    return "{\n" + "".join(f"{indent}{item}{separator}\n" for item in items) + indent[2:] + "}"
