"""Classifying a wheel: which directory of the wheelhouse it belongs to, and why (see `clues`).

Undecided is an answer. A guess would put a wheel where it crashes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wheelhouse_resolver.builder.classification import clues
from wheelhouse_resolver.builder.classification.clues import Clue, Subject
from wheelhouse_resolver.builder.classification.glibc import glibc_needed, layers_glibc, stated_glibc
from wheelhouse_resolver.errors import FileProblemError, reason_of
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.elf import ElfFile
from wheelhouse_resolver.utils.safe_io import BAD_ZIP
from wheelhouse_resolver.utils.serialise import to_plain
from wheelhouse_resolver.wheelfile.bounds import open_wheel
from wheelhouse_resolver.wheelfile.elf import elf_files
from wheelhouse_resolver.wheelfile.machines import unusable
from wheelhouse_resolver.wheelfile.name import WheelName

if TYPE_CHECKING:
    from wheelhouse_resolver.builder.records.record import BuildRecord
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.site.model import Site


class ClassifyError(FileProblemError, ValueError):
    """A file that cannot be classified, as it is not a valid wheel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """Where a wheel belongs.

    wheel:     its path.
    directory: of the site; None when it cannot be decided, or no directory can have it.
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
        place = {key: getattr(self.directory, name, None) for key, name in names.items()}
        return {"wheel": self.wheel, **place, **to_plain(self, "reasons", "warnings", "possible")}


def classify(
    wheel: str,
    site: Site,
    *,
    record: BuildRecord | None = None,
    scan: bool = False,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> Classification:
    """Which directory of *site* the *wheel* (a path) belongs to.

    record:  of its build, if there is one.
    scan:    also warn of instructions with wide registers, which takes `objdump`.
    environ: what `$VARIABLE` in a layer's patterns stands for.

    Raises `ClassifyError` for an invalid wheel, `SiteFileError` for a wrong `[build.glibc]`.
    """
    invalid = ""
    try:
        os.stat(wheel)  # that it does not exist is reported before an invalid name
        name = WheelName.parse(os.path.basename(wheel))
        if problem := unusable(name.tags):
            return Classification(wheel=wheel, directory=None, reasons=(problem,))
        invalid = "invalid zip file: "
        files = elf_files(wheel)
        doubts = _scan(wheel, files) if scan else []
    except FileNotFoundError as error:
        raise ClassifyError(wheel, "does not exist") from error
    except OSError as error:
        raise ClassifyError.from_os(wheel, error, "cannot be read") from error
    except BAD_ZIP as error:
        raise ClassifyError(wheel, f"{invalid}{error}") from error
    subject = Subject(
        site=site,
        files=files,
        platforms=frozenset(tag.platform for tag in name.tags),
        record=record,
        glibc=layers_glibc(site.layers, environ) if files else {},
        environ=environ,
    )
    found = decide(wheel, subject)
    return replace(found, warnings=(*found.warnings, *doubts))


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


def count_instructions(wheel: str, paths: Sequence[str]) -> Counter[tuple[str, str]]:
    """How many instructions the ELF files at *paths* in *wheel* have with each kind of register, if any.

    By (path, register); one with several kinds counts for the widest. That proves nothing about the CPU that
    they need: a library may choose among its instructions at run time, as numpy's does.

    Raises `OSError` when objdump cannot be run, and what it raises of a damaged archive (`BAD_ZIP`).
    """
    counts: Counter[tuple[str, str]] = Counter()
    with (
        open_wheel(wheel) as whole,
        zipfile.ZipFile(whole) as archive,
        tempfile.TemporaryDirectory() as scratch,
    ):
        copy = os.path.join(scratch, "file")
        for path in paths:
            with archive.open(path) as packed, open(copy, "wb") as file:
                shutil.copyfileobj(packed, file, 1 << 20)
            with subprocess.Popen(
                ["objdump", "--disassemble", "--no-show-raw-insn", copy],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    # The widest first; AVX has ymm registers, AVX-512 has zmm ones.
                    if register := next((each for each in ("zmm", "ymm") if each.encode() in line), ""):
                        counts[path, register] += 1
    return counts


def decide(wheel: str, subject: Subject) -> Classification:
    """Which directory the evidence leads to. Pure."""
    site, files = subject.site, subject.files
    if not files:
        (top,) = site.search_path_for(None, GENERIC)
        reason = "it contains no compiled code: it runs anywhere"
        return Classification(wheel=wheel, directory=top, reasons=(reason,))
    glibc = {**subject.glibc, **stated_glibc(site)}  # what the site file states comes first
    subject = replace(subject, glibc=glibc)
    layers = clues.for_layer(subject)
    layer = layers[0] if layers else None
    every = list(clues.for_arch(subject, layer.value if layer else None))
    archs = [each for each in every if subject.is_for(each.value)]
    foreign = [each for each in every if each not in archs]
    arch = archs[0] if archs else None

    warnings = list(filter(None, [subject.broken_promise]))
    warnings += [f"{each.path}: {each.problem}" for each in files if each.problem]
    for what, name in subject.unknown_names().items():
        warnings.append(f"the build record says {what} {name}, which this site does not have")
    warnings += _overruled("layer", layers) + _overruled("arch", _contradicting(site, archs))
    warnings += [
        f"{each.reason}: overruled, it is for {', '.join(subject.families)} CPUs" for each in foreign
    ]
    needed = glibc_needed(files)
    if layer is not None and layer.value in glibc and needed is not None and needed > glibc[layer.value]:
        warnings.append(f"it needs glibc {needed}, and layer {layer.value} has {glibc[layer.value]}")

    reasons = [layer.reason if layer else "no evidence for a layer", arch.reason if arch else _no_arch(files)]
    directory = None
    matching = _matching(subject, layer, arch)
    if layer is not None and arch is not None:
        if matching and (layer.value is not None or len({each.layer for each in matching}) == 1):
            directory = matching[0]  # of directories that are searched side by side, the most specific one
        elif matching:
            reasons.append(f"it needs no layer, and several have a directory for {arch.value}")
        else:
            whose = f"layer {layer.value}" if layer.value else "the site"
            reasons.append(f"{whose} has no directory for {arch.value}")
    possible = [] if directory is not None else matching or _matching(subject, layer, None)
    return Classification(
        wheel=wheel,
        directory=directory,
        reasons=tuple(reasons),
        warnings=tuple(warnings),
        possible=tuple(each.label for each in possible),
    )


def _matching(subject: Subject, layer: Clue | None, arch: Clue | None) -> list[Directory]:
    """The directories that *layer* and *arch* leave, most specific first.

    What needs no layer belongs to the top-level directory if it needs no arch either, else to a layer's.
    What needs no arch belongs to the directory that a layer has for the CPU family, if there is one.
    """
    site = subject.site
    generic = arch is not None and arch.value == GENERIC
    if layer is None or (layer.value is None and not generic):
        able = [each for each in site.own_directories() if subject.is_for(each.arch)]
        return [each for each in able if arch is None or each.arch == arch.value]
    if arch is None:
        archs = [*(each.name for each in reversed(site.ladder) if subject.is_for(each.name)), GENERIC]
        return [directory for each in archs for directory in site.directories_for(layer.value, each)]
    family = [each.name for each in site.ladder if [each.target] == subject.families] if generic else []
    places = (site.directories_for(layer.value, each) for each in (*family, str(arch.value)))
    return list(next(filter(None, places), ()))


def _overruled(what: str, found: Sequence[Clue]) -> list[str]:
    """A warning for each of *found* that contradicts the first."""
    return [
        f"{each.reason}, which says {what} {each.value or 'none'}: overruled"
        for each in found[1:]
        if each.value != found[0].value
    ]


def _contradicting(site: Site, archs: Sequence[Clue]) -> list[Clue]:
    """*archs* without the marks that the first arch fulfils."""
    first = next((arch for arch in site.ladder if archs and arch.name == archs[0].value), None)
    enough = clues.bit_of(first)
    return [*archs[:1], *(each for each in archs[1:] if not 0 < each.mark <= enough)]


def _no_arch(files: Sequence[ElfFile]) -> str:
    file, bit = clues.highest_mark(files)
    if bit > 1:
        return f"{file.path} is marked to need {clues.level_name(bit)}, which no arch of the site has"
    return "no evidence for an arch: no build record, no rpath, no mark of the linker"
