"""Classifying a wheel: which directory of the wheelhouse it belongs to, and why (see `evidence`).

Undecided is an answer. A guess would put a wheel where it crashes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wheelhouse_resolver.builder.classification.evidence import (
    Indication,
    Subject,
    arch_indications,
    bit_of,
    highest_mark,
    layer_indications,
    level_name,
)
from wheelhouse_resolver.builder.classification.glibc import glibc_needed, layers_glibc, stated_glibc
from wheelhouse_resolver.builder.classification.instructions import count_instructions
from wheelhouse_resolver.errors import FileProblemError, reason_of
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.validate import WheelName

if TYPE_CHECKING:
    from wheelhouse_resolver.builder.records.record import BuildRecord
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.site.model import Site

_NOTHING: Mapping[str, str] = MappingProxyType({})


class ClassifyError(FileProblemError, ValueError):
    """A file that cannot be classified, as it is not a valid wheel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """Where a wheel belongs.

    wheel:     its path.
    directory: of the site; None when it cannot be decided.
    reasons:   what decided, or why nothing did.
    warnings:  evidence that was overruled, and doubts.
    possible:  when it cannot be decided: the labels of the directories that no evidence excludes.
    """

    wheel: str
    directory: Directory | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    possible: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = {"directory": "label", "path": "path", "layer": "layer", "arch": "arch"}
        return {
            "wheel": self.wheel,
            **{key: getattr(self.directory, name, None) for key, name in names.items()},
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

    Raises `ClassifyError` for an invalid wheel, `SiteFileError` for a wrong `[build.glibc]`.
    """
    try:
        os.stat(wheel)  # that it does not exist is reported before an invalid name
        platforms = {tag.platform for tag in _name(wheel).tags}
        files = elf_files(wheel)
        doubts = _scan(wheel, files) if scan else []
    except FileNotFoundError as error:
        raise ClassifyError(wheel, "does not exist") from error
    except OSError as error:
        raise ClassifyError(wheel, f"cannot be read: {reason_of(error)}") from error
    except BAD_ZIP as error:
        if isinstance(error, ClassifyError):
            raise
        raise ClassifyError(wheel, f"invalid zip file: {error}") from error
    subject = Subject(
        site=site,
        files=files,
        platforms=frozenset(platforms),
        record=record,
        glibc=layers_glibc(site.layers, environ) if files else {},
        environ=environ,
    )
    found = decide(wheel, subject)
    return replace(found, warnings=(*found.warnings, *doubts))


def _name(wheel: str) -> WheelName:
    try:
        return WheelName.parse(os.path.basename(wheel))
    except ValueError as error:
        raise ClassifyError(wheel, str(error)) from error


def _scan(wheel: str, files: Sequence[ElfFile]) -> list[str]:
    """Warnings of instructions with wide registers in *files*, or that they cannot be counted."""
    try:
        counts = count_instructions(wheel, [file.path for file in files])
    except OSError as error:
        return [f"not scanned: objdump: {reason_of(error)}"]
    return [
        f"{path} holds {count} instructions with {register} registers: a doubt at most, "
        "since a library may choose among them at run time"
        for (path, register), count in counts.items()
    ]


def decide(wheel: str, subject: Subject) -> Classification:
    """Which directory the evidence leads to. Pure."""
    site, files = subject.site, subject.files
    if not files:
        (top,) = [each for each in site.directories() if each.layer is None and each.arch == GENERIC]
        reason = "it contains no compiled code: it runs anywhere"
        return Classification(wheel=wheel, directory=top, reasons=(reason,))
    glibc = {**subject.glibc, **stated_glibc(site)}  # what the site file states comes first
    subject = replace(subject, glibc=glibc)
    layers = layer_indications(subject)
    layer = layers[0] if layers else None
    archs = list(arch_indications(subject, layer.value if layer else None))
    arch = archs[0] if archs else None

    warnings = list(filter(None, [subject.broken_promise]))
    warnings += [f"{each.path}: {each.problem}" for each in files if each.problem]
    warnings += _unknown_names(subject) + _overruled("layer", layers) + _overruled_archs(site, archs)
    needed = glibc_needed(files)
    if layer is not None and layer.value in glibc and needed is not None and needed > glibc[layer.value]:
        warnings.append(f"it needs glibc {needed}, and layer {layer.value} has {glibc[layer.value]}")

    reasons = [each.reason for each in (layer, arch) if each is not None]
    if layer is None:
        reasons.append("no evidence for a layer")
    if arch is None:
        reasons.append(_no_arch(files))
    directory = None
    if layer is not None and arch is not None:
        matching = _matching(site, layer, arch)
        if len({each.layer for each in matching}) == 1:
            directory = matching[0]  # of directories that are searched side by side, the most specific one
        elif matching:
            reasons.append(f"it needs no layer, and several have a directory for {arch.value}")
        else:
            whose = f"layer {layer.value}" if layer.value else "the site"
            reasons.append(f"{whose} has no directory for {arch.value}")
    possible = [] if directory is not None else _matching(site, layer, arch) or _matching(site, layer, None)
    return Classification(
        wheel=wheel,
        directory=directory,
        reasons=tuple(reasons),
        warnings=tuple(warnings),
        possible=tuple(each.label for each in possible),
    )


def _matching(site: Site, layer: Indication | None, arch: Indication | None) -> list[Directory]:
    """The directories that *layer* and *arch* leave, most specific first.

    What needs no layer belongs to the top-level directory if it needs no arch either, else to a layer's.
    """
    found = [each for each in site.directories() if arch is None or each.arch == arch.value]
    generic = arch is not None and arch.value == GENERIC
    if layer is None or (layer.value is None and not generic):
        return found
    own = [each for each in found if each.layer == layer.value]
    if not own and generic:  # a layer at the root: its generic directory is the top-level one
        own = list(site.search_path_for(layer.value, GENERIC))
    return own


def _overruled(what: str, evidence: Sequence[Indication]) -> list[str]:
    """A warning for all evidence that contradicts the first."""
    return [
        f"{each.reason}, which says {what} {each.value or 'none'}: overruled"
        for each in evidence[1:]
        if each.value != evidence[0].value
    ]


def _overruled_archs(site: Site, archs: Sequence[Indication]) -> list[str]:
    """Warnings as of `_overruled`; none for a mark that the first arch fulfils."""
    if not archs:
        return []
    enough = bit_of(next((arch for arch in site.ladder if arch.name == archs[0].value), None))
    return _overruled("arch", [archs[0], *(each for each in archs[1:] if not 0 < each.mark <= enough)])


def _unknown_names(subject: Subject) -> list[str]:
    record = subject.record
    if record is None:
        return []
    unknown = [f"layer {record.layer}"] if not subject.has_layer(record.layer) else []
    unknown += [f"arch {record.arch}"] if not subject.has_arch(record.arch) else []
    return [f"the build record says {each}, which this site does not have" for each in unknown]


def _no_arch(files: Sequence[ElfFile]) -> str:
    file, bit = highest_mark(files)
    if bit > 1:
        return f"{file.path} is marked to need {level_name(bit)}, which no arch of the site has"
    return "no evidence for an arch: no build record, no rpath, no mark of the linker"
