"""The text of a proposed site file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wheelhouse_resolver.site.layout import BUILTIN_LADDER, BUILTIN_LAYERS, GENERIC
from wheelhouse_resolver.tree.level_names import CpuLevel

#: Names of layers that say which releases of which systems they are of: the systems' IDs in os-release.
_SYSTEMS = {
    **dict.fromkeys(
        ("el", "rhel", "rocky", "almalinux", "centos", "ol"), ("rhel", "rocky", "almalinux", "ol", "centos")
    ),
    **{name: (name,) for name in ("debian", "ubuntu", "fedora", "sles")},
}

_RANKS = {True: (110, 10), False: (200, 20)}


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposedDirectory:
    """A directory of an existing tree, and what the proposed site file says of it.

    label:  its path below the root. wheels: how many it holds.
    layer:  the layer that it is of; None for the top-level one, and where it is not known.
    arch:   as the proposed ladder names it, or `generic`; None: not known, and in the file as a comment only.
    reason: why. doubt: what speaks against it; empty for nothing.
    """

    label: str
    wheels: int
    layer: str | None
    arch: str | None
    reason: str
    doubt: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposedLayer:
    """A layer to be.

    directory: below the root; `.` is the root. levels: each with its directory's name below that one.
    generic:   the name of the generic one; None: it has none. looks_into: where its libraries look.
    """

    name: str
    directory: str
    levels: Mapping[CpuLevel, str]
    generic: str | None = None
    looks_into: tuple[str, ...] = ()


#: The headings of the table.
_KNOWN = "# Directories, how many wheels each holds, and what it is taken for:"
_UNKNOWN = "# Not known, so not in the site. Add a [[layer]] for them, or publish their wheels elsewhere:"


def site_text(
    root: str,
    generic: str | None,
    layers: Sequence[ProposedLayer],
    directories: Sequence[ProposedDirectory],
) -> str:
    """The site file for the tree at *root*; comments say what each of *directories* is taken for, and why."""
    levels = sorted({level for layer in layers for level in layer.levels}, key=lambda level: level.place)
    lines = ["# The site file of wheelhouse-resolver, as `init --from` proposes it: look through it."]
    lines += ["#", *_table(directories), "", f"root = {_quoted(root)}"]
    if generic not in (None, GENERIC):
        lines.append(f"generic = {_quoted(str(generic))}")
    if not layers:
        lines.append("layer = []")
    if not {level.name for level in levels} <= {arch.name for arch in BUILTIN_LADDER}:
        lines += _ladder(levels)
    for layer in layers:
        lines += _layer(layer, levels, generic or GENERIC, alone=len(layers) == 1)
    return "\n".join(lines) + "\n"


def _table(directories: Sequence[ProposedDirectory]) -> Iterator[str]:
    width = max(len(_plain(each.label)) for each in directories)
    for known in (True, False):
        rows = [each for each in directories if (each.arch is not None) == known]
        if rows:
            yield _KNOWN if known else _UNKNOWN
        for each in rows:
            what = f"{f'{each.layer}, ' if each.layer else ''}{each.arch}: " if known else ""
            doubt = f" -- BUT {each.doubt}" if each.doubt else ""
            yield f"#   {_plain(each.label):{width}} {each.wheels:6}  {_plain(what + each.reason)}{doubt}"


def _ladder(levels: Sequence[CpuLevel]) -> Iterator[str]:
    yield "\n# The ladder, low to high. Ranks end up in file names: change them before wheels are stamped."
    ranks = {known: start for known, (start, _) in _RANKS.items()}
    for level in levels:
        family = level.target == level.family
        what = (
            f"target = {_quoted(level.target)}" if level.target else f"features = {_listed(level.features)}"
        )
        yield f"[[arch]]\nname = {_quoted(level.name)}\n{what}\nrank = {ranks[family]}"
        ranks[family] += _RANKS[family][1]


def _layer(layer: ProposedLayer, levels: Sequence[CpuLevel], generic: str, *, alone: bool) -> Iterator[str]:
    own = [level for level in levels if level in layer.levels]
    names = {level.name: layer.levels[level] for level in own if layer.levels[level] != level.name}
    if layer.generic is not None and layer.generic != generic:
        names = {GENERIC: layer.generic, **names}
    yield f"\n[[layer]]\nname = {_quoted(layer.name)}"
    if layer.directory != layer.name:
        yield f"directories = {_listed([layer.directory])}"
    yield f"archs = {_listed([level.name for level in own])}"
    if names:
        yield f"names = {{ {', '.join(f'{key} = {_quoted(name)}' for key, name in names.items())} }}"
    if layer.generic is None and any(level.target == level.family for level in own):
        yield "generic = false"
    yield from _evidence(layer, alone=alone)


def _evidence(layer: ProposedLayer, *, alone: bool) -> Iterator[str]:
    """What tells the hosts of *layer*: by its name, or nothing."""
    if layer.looks_into:
        yield f"# Its wheels look into {', '.join(map(_plain, layer.looks_into))}"
    system = re.fullmatch(r"([a-z]+)-?(\d+(?:\.\d+)?)", layer.name)
    if layer.directory == "." or (alone and system is None and layer.name not in _builtin()):
        yield "default = true                          # it is the only one, or the one at the root"
    elif system is not None and system[1] in _SYSTEMS:
        ids = _SYSTEMS[system[1]]
        version = [system[2], f"{system[2]}.*"]
        yield "# By its name: check it with `detect` on a node."
        yield f"os-release = {{ ID = {_listed(ids)}, VERSION_ID = {_listed(version)} }}"
    elif system is not None and system[1] == "gentoo":
        yield "# By its name: check it with `detect` on a node."
        yield f"env = {{ EBVERSIONGENTOO = {_quoted(system[2])} }}"
    elif layer.name in _builtin():
        yield "# Recognised as the built-in layer of that name is."
    else:
        yield "# Say what tells its hosts (env, interpreter, os-release). Until then --layer names it."


def _builtin() -> set[str]:
    return {layer.name for layer in BUILTIN_LAYERS}


def _quoted(text: str) -> str:
    # Without control characters, which a site file refuses, a JSON string is a TOML string.
    return json.dumps(text, ensure_ascii=False)


def _listed(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"


def _plain(text: str) -> str:
    """*text* without what would end a comment."""
    return "".join(char if char.isprintable() else "?" for char in text)
