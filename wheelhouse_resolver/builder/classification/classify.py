"""Classifying a wheel: which directory of the wheelhouse it belongs to, and why.

The evidence, most trusted first. For the layer: the build record; the paths that its ELF files look into
(program interpreter, rpath), by the layers' own patterns; platform tags that promise that any will do; the C
library that it needs against the layers'; the site's only or default layer. For the arch: the build record;
the rpath, where a directory in it is named after an arch; the note that the linker left (x86 ISA needed);
platform tags. Instructions prove nothing: a library may choose among them at run time.

Undecided is an answer. A guess would put a wheel where it crashes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelhouse_resolver.builder.classification.glibc import (
    glibc_needed,
    glibc_promised,
    layers_glibc,
    stated_glibc,
)
from wheelhouse_resolver.builder.classification.instructions import instructions
from wheelhouse_resolver.builder.toolchain.flags import level_of
from wheelhouse_resolver.errors import FileProblemError, UnknownLayerError, reason_of
from wheelhouse_resolver.host.layer import path_evidence
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.elf import elf_files

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelhouse_resolver.builder.records.record import BuildRecord
    from wheelhouse_resolver.site.layout import Arch, Directory
    from wheelhouse_resolver.site.model import Site

__all__ = ["Classification", "ClassifyError", "Evidence", "classify", "decide"]

#: The x86-64 levels as archspec names them, by the bit that stands for each in the ELF note.
_LEVELS = {1: None, 2: "x86_64_v2", 4: "x86_64_v3", 8: "x86_64_v4"}

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ClassifyError(FileProblemError, ValueError):
    """A file that cannot be classified, as it is no wheel. Attributes: *path*, *problem*."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One thing that speaks for a layer or an arch.

    value:  its name; None for no layer.
    reason: in words.
    mark:   for the linker's mark, which says the least that will do: the level, as its bit; else 0.
    """

    value: str | None
    reason: str
    mark: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """Where a wheel belongs.

    wheel:     its path.
    directory: of the site; None when it cannot be decided.
    reasons:   what decided, or why nothing did, in words.
    warnings:  evidence that was overruled, and doubts.
    possible:  when it cannot be decided: the labels of the directories that nothing speaks against.
    """

    wheel: str
    directory: Directory | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        directory = self.directory
        return {
            "wheel": self.wheel,
            "directory": directory.label if directory is not None else None,
            "path": directory.path if directory is not None else None,
            "layer": directory.layer if directory is not None else None,
            "arch": directory.arch if directory is not None else None,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "possible": list(self.possible),
        }


def classify(
    wheel: str,
    site: Site,
    *,
    record: BuildRecord | None = None,
    scan: bool = False,
    environ: Mapping[str, str] = _NOTHING,
) -> Classification:
    """Which directory of *site* the *wheel* (a path) belongs to.

    record:  of its build, if there is one.
    scan:    also warn of instructions with wide registers, which takes `objdump`.
    environ: what `$VARIABLE` in a layer's patterns stands for.

    Raises `ClassifyError` for what is no wheel, `SiteFileError` for a wrong `[build.glibc]`.
    """
    try:
        os.stat(wheel)  # a typing error in a name is no bad name
        _, _, _, tags = parse_wheel_filename(os.path.basename(wheel))
        files = elf_files(wheel)
        counts, unscanned = _scan(wheel, files) if scan else ({}, [])
    except InvalidWheelFilename as error:
        raise ClassifyError(wheel, str(error)) from error
    except FileNotFoundError as error:
        raise ClassifyError(wheel, "does not exist") from error
    except OSError as error:
        raise ClassifyError(wheel, f"cannot be read: {reason_of(error)}") from error
    except BAD_ZIP as error:
        raise ClassifyError(wheel, f"not a sound zip file: {error}") from error
    platforms = frozenset(tag.platform for tag in tags)
    glibc = layers_glibc(site.layers, environ) if files else {}
    found = decide(wheel, site, files, platforms, record, glibc=glibc, environ=environ)
    doubts = [
        f"{path} holds {count} instructions with {register} registers: a doubt at most, "
        "since a library may choose among them at run time"
        for (path, register), count in counts.items()
    ]
    return replace(found, warnings=(*found.warnings, *unscanned, *doubts))


def _scan(wheel: str, files: Sequence[ElfFile]) -> tuple[dict[tuple[str, str], int], list[str]]:
    """What `instructions` counts in *files*, or a warning that it cannot."""
    try:
        return instructions(wheel, [file.path for file in files]), []
    except OSError as error:
        return {}, [f"not scanned: objdump: {reason_of(error)}"]


def decide(
    wheel: str,
    site: Site,
    files: Sequence[ElfFile],
    platforms: frozenset[str],
    record: BuildRecord | None,
    *,
    glibc: Mapping[str, Version] = _NOTHING,
    environ: Mapping[str, str] = _NOTHING,
) -> Classification:
    """What the evidence comes to: *files* in the wheel, its *platforms* by name, its build *record*. Pure.

    glibc: that of each layer, where it was found; what the site file states comes before.
    """
    if not files:
        (top,) = [each for each in site.directories() if each.layer is None and each.arch == GENERIC]
        reason = "it holds no compiled code: it runs anywhere"
        return Classification(wheel=wheel, directory=top, reasons=(reason,))
    glibc = {**glibc, **stated_glibc(site)}
    portable, warnings = _portable(files, platforms)
    warnings += [f"{each.path}: {each.problem}" for each in files if each.problem]
    layers = list(_layer_evidence(site, files, record, portable, glibc, environ))
    layer = layers[0] if layers else None
    archs = list(_arch_evidence(site, files, record, portable, layer.value if layer else None))
    arch = archs[0] if archs else None
    warnings += _unknown_to(site, record) + _overruled("layer", layers) + _overruled_archs(site, archs)
    needed = glibc_needed(files)
    if layer is not None and layer.value in glibc and needed is not None and needed > glibc[layer.value]:
        warnings.append(f"it needs glibc {needed}, and layer {layer.value} has {glibc[layer.value]}")

    reasons = [each.reason for each in (layer, arch) if each is not None]
    directory = None
    if layer is None:
        reasons.append("nothing says which layer it is for")
    if arch is None:
        reasons.append(_no_arch(files))
    if layer is not None and arch is not None:
        fitting = _fitting(site, layer, arch)
        if len({each.layer for each in fitting}) == 1:
            directory = fitting[0]  # of directories that are searched side by side, the most specific one
        elif fitting:
            reasons.append(f"it needs no layer, and several have a directory for {arch.value}")
        else:
            whose = f"layer {layer.value}" if layer.value else "the site"
            reasons.append(f"{whose} has no directory for {arch.value}")
    possible = [] if directory is not None else _fitting(site, layer, arch) or _fitting(site, layer, None)
    return Classification(
        wheel=wheel,
        directory=directory,
        reasons=tuple(reasons),
        warnings=tuple(warnings),
        possible=tuple(each.label for each in possible),
    )


def _fitting(site: Site, layer: Evidence | None, arch: Evidence | None) -> list[Directory]:
    """The directories that *layer* and *arch* leave, most specific first.

    What needs no layer belongs to the top-level directory if it needs no arch either, else to a layer's.
    """
    found = [each for each in site.directories() if arch is None or each.arch == arch.value]
    if layer is None or (layer.value is None and (arch is None or arch.value != GENERIC)):
        return found
    own = [each for each in found if each.layer == layer.value]
    if not own and arch is not None and arch.value == GENERIC:
        own = list(
            site.search_path_for(layer.value, GENERIC)
        )  # a layer at the root: its one is the top-level one
    return own


def _portable(files: Sequence[ElfFile], platforms: frozenset[str]) -> tuple[bool, list[str]]:
    """Whether the *platforms* promise that the wheel needs no layer, and warnings if that is not so.

    A repaired wheel (auditwheel) brings its libraries along, and names the oldest glibc that will do.
    """
    if not platforms or not all(each.startswith(("manylinux", "musllinux")) for each in platforms):
        return False, []
    needed, promised = glibc_needed(files), glibc_promised(platforms)
    if needed is None or (promised is not None and needed <= promised):
        return True, []
    than = f"glibc {promised}" if promised is not None else "musl"
    return False, [f"its platform tags promise {than}, but it needs glibc {needed}"]


def _overruled(what: str, evidence: Sequence[Evidence]) -> list[str]:
    """A warning for all evidence that says other than the first."""
    return [
        f"{each.reason}, which says {what} {each.value or 'none'}: overruled"
        for each in evidence[1:]
        if each.value != evidence[0].value
    ]


def _unknown_to(site: Site, record: BuildRecord | None) -> list[str]:
    if record is None:
        return []
    return [
        f"the build record says {what} {name}, which this site does not have"
        for what, name, known in (
            ("layer", record.layer, _knows(site, record.layer)),
            ("arch", record.arch, record.arch == GENERIC or record.arch in _ladder(site)),
        )
        if not known
    ]


# -- the layer ----------------------------------------------------------------------------------------------


def _layer_evidence(
    site: Site,
    files: Sequence[ElfFile],
    record: BuildRecord | None,
    portable: bool,
    glibc: Mapping[str, Version],
    environ: Mapping[str, str],
) -> Iterator[Evidence]:
    found = False
    for evidence in _strong_layer_evidence(site, files, record, portable, glibc, environ):
        found = True
        yield evidence
    if found:
        return
    default = [each for each in site.layers if each.default] or list(site.layers)
    if not default:
        yield Evidence(value=None, reason="the site has no layers")
    elif len(default) == 1:
        only = "the site's default layer" if default[0].default else "the site's only layer"
        yield Evidence(value=default[0].name, reason=f"{only} is {default[0].name}")


def _strong_layer_evidence(
    site: Site,
    files: Sequence[ElfFile],
    record: BuildRecord | None,
    portable: bool,
    glibc: Mapping[str, Version],
    environ: Mapping[str, str],
) -> Iterator[Evidence]:
    if record is not None and _knows(site, record.layer):
        yield Evidence(value=record.layer, reason=f"built for layer {record.layer or 'none'} (build record)")
    seen: set[str | None] = set()
    for file in files:
        for path in _paths(file):
            named = next((e.value for e in path_evidence(site.layers, "", "", [path], environ)), None)
            if named is not None and named not in seen:
                seen.add(named)
                yield Evidence(value=named, reason=f"{file.path} looks into {path}, of layer {named}")
    needed = glibc_needed(files)
    if portable:
        yield Evidence(value=None, reason="its platform tags promise that it needs no layer")
    elif needed is not None and all(layer.name in glibc for layer in site.layers):
        able = [layer.name for layer in site.layers if glibc[layer.name] >= needed]
        if len(able) == 1 and len(site.layers) > 1:
            yield Evidence(value=able[0], reason=f"it needs glibc {needed}, which layer {able[0]} alone has")


def _knows(site: Site, layer: str | None) -> bool:
    try:
        site.layer(layer)
    except UnknownLayerError:
        return False
    return True


def _paths(file: ElfFile) -> Iterator[str]:
    """The absolute paths that an ELF file names."""
    yield from (each for each in (file.interpreter, *file.rpath, *file.runpath) if each.startswith("/"))


# -- the arch -----------------------------------------------------------------------------------------------


def _ladder(site: Site) -> dict[str, Arch]:
    return {arch.name: arch for arch in site.ladder}


def _arch_evidence(
    site: Site, files: Sequence[ElfFile], record: BuildRecord | None, portable: bool, layer: str | None
) -> Iterator[Evidence]:
    if record is not None and (record.arch == GENERIC or record.arch in _ladder(site)):
        yield Evidence(value=record.arch, reason=f"built for arch {record.arch} (build record)")
    yield from _by_rpath(site, files, layer)
    yield from _by_note(site, files)
    if portable:
        reason = "its platform tags promise that it runs on every CPU of the family"
        yield Evidence(value=GENERIC, reason=reason)


def _by_rpath(site: Site, files: Sequence[ElfFile], layer: str | None) -> Iterator[Evidence]:
    """The highest arch that a directory is named after which a file looks into: all lower ones run there."""
    names = _arch_names(site, layer)
    found = [
        (place, file, path)
        for file in files
        for path in _paths(file)
        for part in path.split("/")
        if (place := names.get(part)) is not None
    ]
    if found:
        place, file, path = max(found, key=lambda each: each[0])
        name = site.ladder[place].name
        yield Evidence(value=name, reason=f"{file.path} looks into {path}, named after {name}")


def _arch_names(site: Site, layer: str | None) -> dict[str, int]:
    """What directories are called after archs, by the ladder and by the layers: their places on the ladder.

    Where layers disagree about a name, *layer*'s own meaning counts.
    """
    places = {arch.name: place for place, arch in enumerate(site.ladder)}
    found = dict(places)
    for each in sorted(site.layers, key=lambda other: other.name == layer):
        found |= {called: places[arch] for arch, called in each.names}
    return found


def _by_note(site: Site, files: Sequence[ElfFile]) -> Iterator[Evidence]:
    """The lowest arch of the ladder whose CPUs all have the highest level that a file is marked with."""
    file, bit = _highest_mark(files)
    if bit == 1 and all(each.isa_needed for each in files if each.dynamic):
        reason = "all its libraries are marked for the baseline of x86-64"
        yield Evidence(value=GENERIC, reason=reason, mark=bit)
    arch = next((each for each in site.ladder if _bit_of(each) >= bit), None)
    if bit > 1 and arch is not None:
        reason = f"{file.path} is marked to need {_words(bit)}: {arch.name}"
        yield Evidence(value=arch.name, reason=reason, mark=bit)


def _highest_mark(files: Sequence[ElfFile]) -> tuple[ElfFile, int]:
    """The file that is marked with the highest level, and that as its bit; 0 if none is marked."""
    marks = [(file, max((bit for bit in _LEVELS if file.isa_needed & bit), default=0)) for file in files]
    return max(marks, key=lambda each: each[1])


def _bit_of(arch: Arch | None) -> int:
    """The highest level that every CPU of *arch* (None: generic) has, as its bit; 0 for another family."""
    if arch is not None and arch.family != "x86_64":
        return 0
    level = level_of(arch) if arch is not None else None
    return next(bit for bit, name in _LEVELS.items() if name == level)


def _words(bit: int) -> str:
    return str(_LEVELS[bit]).replace("_", "-")


def _overruled_archs(site: Site, archs: Sequence[Evidence]) -> list[str]:
    """Warnings, as `_overruled` has them; none for a mark that is met."""
    if not archs:
        return []
    enough = _bit_of(_ladder(site).get(archs[0].value or ""))
    return _overruled("arch", [archs[0], *(each for each in archs[1:] if not 0 < each.mark <= enough)])


def _no_arch(files: Sequence[ElfFile]) -> str:
    file, bit = _highest_mark(files)
    if bit > 1:
        return f"{file.path} is marked to need {_words(bit)}, which no arch of the site has"
    return "nothing says which arch it needs: no build record, no rpath, no note of the linker"
