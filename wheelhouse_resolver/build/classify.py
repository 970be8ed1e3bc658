"""Classifying a wheel: which directory of the wheelhouse it belongs to, and why.

The evidence, most trusted first. For the layer: the build record; the paths that its ELF files look into
(rpath, program interpreter), by the layers' own patterns; the C library that they need against the layers'.
For the arch: the build record; the rpath, where a directory in it is named after an arch; the note that the
linker left (x86 ISA needed). Instructions prove nothing: a library may choose among them at run time.

Undecided is an answer. A guess would put a wheel where it crashes.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from wheelhouse_resolver.build.elf import ElfFile, elf_files
from wheelhouse_resolver.build.flags import level_of
from wheelhouse_resolver.errors import UnknownLayerError, WheelhouseError, reason_of
from wheelhouse_resolver.metadata import BAD_ZIP
from wheelhouse_resolver.site import GENERIC
from wheelhouse_resolver.text import printable

if TYPE_CHECKING:
    from wheelhouse_resolver.build.record import BuildRecord
    from wheelhouse_resolver.site import Directory, Layer, Site

__all__ = ["Classification", "ClassifyError", "Evidence", "classify", "decide", "instructions"]

#: The bits of the ELF note, the highest first, with archspec's name of the level.
_LEVELS = ((8, "x86_64_v4"), (4, "x86_64_v3"), (2, "x86_64_v2"))

#: The levels in rising order; None is the baseline.
_ORDER: tuple[str | None, ...] = (None, "x86_64_v2", "x86_64_v3", "x86_64_v4")

_GLIBC = re.compile(r"GLIBC_(\d+(?:\.\d+)+)")


class ClassifyError(WheelhouseError, ValueError):
    """A file that cannot be classified, as it is no wheel. Attributes: *path*, *problem*."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{printable(self.path)}: {printable(self.problem)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One thing that speaks for a layer or an arch, in words. *value*: its name; None for no layer."""

    value: str | None
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """Where a wheel belongs.

    wheel:     its path.
    directory: of the site; None when it cannot be decided.
    reasons:   what decided, or why nothing did, in words.
    warnings:  evidence that was overruled, and doubts.
    """

    wheel: str
    directory: Directory | None
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()

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
        }


def classify(
    wheel: str, site: Site, *, record: BuildRecord | None = None, scan: bool = False
) -> Classification:
    """Which directory of *site* the *wheel* (a path) belongs to.

    record: of its build, if there is one. scan: also warn of instructions with wide registers, which takes
    `objdump`. Raises `ClassifyError` for what is no wheel.
    """
    try:
        _, _, _, tags = parse_wheel_filename(os.path.basename(wheel))
        files = elf_files(wheel)
    except InvalidWheelFilename as error:
        raise ClassifyError(wheel, str(error)) from error
    except OSError as error:
        raise ClassifyError(wheel, f"cannot be read: {reason_of(error)}") from error
    except BAD_ZIP as error:
        raise ClassifyError(wheel, f"not a sound zip file: {error}") from error
    found = decide(wheel, site, files, frozenset(tag.platform for tag in tags), record)
    if scan and files:
        found = _scanned(found, files)
    return found


def decide(
    wheel: str,
    site: Site,
    files: Sequence[ElfFile],
    platforms: frozenset[str],
    record: BuildRecord | None,
) -> Classification:
    """What the evidence comes to: *files* in the wheel, its *platforms* by name, its build *record*. Pure."""
    if not files:
        directory = _directory(site, None, GENERIC)
        return Classification(
            wheel=wheel, directory=directory, reasons=("it holds no compiled code: it runs anywhere",)
        )
    portable = bool(platforms) and all(each.startswith(("manylinux", "musllinux")) for each in platforms)
    layers = list(_layer_evidence(site, files, record, portable))
    archs = list(_arch_evidence(site, files, record, portable, layers[0].value if layers else None))
    warnings = [f"{each.path}: {each.problem}" for each in files if each.problem]
    warnings += _overruled("layer", layers) + _overruled("arch", archs)
    reasons = [each.reason for each in (*layers[:1], *archs[:1])]
    undecided = []
    if not layers:
        undecided.append("nothing says which layer it is for")
    if not archs:
        undecided.append("nothing says which arch it needs: no build record, no rpath, no note of the linker")
    if undecided:
        return Classification(
            wheel=wheel, directory=None, reasons=(*reasons, *undecided), warnings=tuple(warnings)
        )
    layer, arch = layers[0].value, archs[0].value or GENERIC
    directory = _directory(site, layer, arch)
    if directory is None:
        where = f"layer {layer} has no directory for {arch}" if layer else f"{arch} is below a layer only"
        reasons.append(where)
    return Classification(wheel=wheel, directory=directory, reasons=tuple(reasons), warnings=tuple(warnings))


def _directory(site: Site, layer: str | None, arch: str) -> Directory | None:
    """The most specific directory of that layer and arch."""
    found = [each for each in site.directories() if (each.layer, each.arch) == (layer, arch)]
    return found[0] if found else None


def _overruled(what: str, evidence: Sequence[Evidence]) -> list[str]:
    """A warning for all evidence that says other than the first."""
    return [
        f"{each.reason}, which says {what} {each.value or 'none'}: overruled"
        for each in evidence[1:]
        if each.value != evidence[0].value
    ]


# -- the layer ----------------------------------------------------------------------------------------------


def _layer_evidence(
    site: Site, files: Sequence[ElfFile], record: BuildRecord | None, portable: bool
) -> Iterator[Evidence]:
    if record is not None and _knows(site, record.layer):
        yield Evidence(value=record.layer, reason=f"built for layer {record.layer or 'none'} (build record)")
    for layer in site.layers:
        for file in files:
            seen = next((path for path in _paths(file) if _speaks_for(layer, path)), None)
            if seen is not None:
                reason = f"{file.path} looks into {seen}, of layer {layer.name}"
                yield Evidence(value=layer.name, reason=reason)
                break
    if portable:
        # A repaired wheel (auditwheel) brings its libraries along, and names the oldest glibc that will do.
        yield Evidence(value=None, reason="its platform tags promise that it needs no layer")
        return
    yield from _by_glibc(site, files)
    default = [each for each in site.layers if each.default] or list(site.layers)
    if len(default) == 1:
        only = "the site's default layer" if default[0].default else "the site's only layer"
        yield Evidence(value=default[0].name, reason=f"{only} is {default[0].name}")


def _knows(site: Site, layer: str | None) -> bool:
    try:
        site.layer(layer)
    except UnknownLayerError:
        return False
    return True


def _paths(file: ElfFile) -> Iterator[str]:
    """The absolute paths that an ELF file names."""
    yield from (each for each in (file.interpreter, *file.rpath, *file.runpath) if each.startswith("/"))


def _speaks_for(layer: Layer, path: str) -> bool:
    patterns = [pattern for pattern in layer.interpreter if not pattern.startswith("$")]
    return any(
        fnmatchcase(path, pattern) or fnmatchcase(path.rstrip("/") + "/", pattern) for pattern in patterns
    )


def _by_glibc(site: Site, files: Sequence[ElfFile]) -> Iterator[Evidence]:
    """The one layer whose C library is new enough, if the site file tells theirs (`[build.glibc]`)."""
    stated = site.tables.get("build", {}).get("glibc", {})
    needed = _glibc_needed(files)
    if needed is None:
        return
    able = [layer.name for layer in site.layers if Version(stated.get(layer.name, "0")) >= needed]
    if len(able) == 1 and all(layer.name in stated for layer in site.layers):
        yield Evidence(value=able[0], reason=f"it needs glibc {needed}, which layer {able[0]} alone has")


def _glibc_needed(files: Sequence[ElfFile]) -> Version | None:
    versions = [
        Version(match[1])
        for file in files
        for _, version in file.versions
        if (match := _GLIBC.fullmatch(version))
    ]
    return max(versions, default=None)


# -- the arch -----------------------------------------------------------------------------------------------


def _arch_evidence(
    site: Site, files: Sequence[ElfFile], record: BuildRecord | None, portable: bool, layer: str | None
) -> Iterator[Evidence]:
    archs = {arch.name for arch in site.ladder} | {GENERIC}
    if record is not None and record.arch in archs:
        yield Evidence(value=record.arch, reason=f"built for arch {record.arch} (build record)")
    names = _arch_names(site, layer)
    for file in files:
        for path in _paths(file):
            named = next((names[part] for part in reversed(path.split("/")) if part in names), None)
            if named is not None:
                yield Evidence(value=named, reason=f"{file.path} looks into {path}, named after {named}")
    yield from _by_note(site, files)
    if portable:
        yield Evidence(
            value=GENERIC, reason="its platform tags promise that it runs on every CPU of the family"
        )


def _arch_names(site: Site, layer: str | None) -> dict[str, str]:
    """What directories are called after archs: by the ladder's names and the layers' own, *layer*'s last."""
    found = {arch.name: arch.name for arch in site.ladder}
    for each in sorted(site.layers, key=lambda other: other.name == layer):
        found |= {called: arch for arch, called in each.names}
    return found


def _by_note(site: Site, files: Sequence[ElfFile]) -> Iterator[Evidence]:
    """The lowest arch of the ladder whose CPUs all have the highest level that a file is marked with."""
    marked = [file for file in files if file.isa_needed]
    if not marked:
        return
    highest = max(marked, key=lambda file: file.isa_needed)
    level = next((name for bit, name in _LEVELS if highest.isa_needed & bit), None)
    if level is None:
        if len(marked) == len([file for file in files if file.dynamic]):
            reason = "all its libraries are marked for the baseline of x86-64"
            yield Evidence(value=GENERIC, reason=reason)
        return
    wanted = _ORDER.index(level)
    for arch in site.ladder:
        if arch.family == "x86_64" and _ORDER.index(level_of(arch)) >= wanted:
            reason = f"{highest.path} is marked to need {level.replace('_', '-')}"
            yield Evidence(value=arch.name, reason=f"{reason}: {arch.name}")
            return


# -- instructions -------------------------------------------------------------------------------------------


def _scanned(found: Classification, files: Sequence[ElfFile]) -> Classification:
    """*found*, with a warning for each kind of wide register that its libraries use."""
    warnings = list(found.warnings)
    try:
        counts = instructions(found.wheel, [file.path for file in files])
    except OSError as error:
        warnings.append(f"not scanned: objdump: {reason_of(error)}")
    else:
        warnings += [
            f"{path} holds {count} instructions with {register} registers: a doubt at most, "
            "since a library may choose among them at run time"
            for (path, register), count in counts.items()
        ]
    return Classification(
        wheel=found.wheel, directory=found.directory, reasons=found.reasons, warnings=tuple(warnings)
    )


def instructions(wheel: str, paths: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many instructions with ymm and zmm registers the files at *paths* in *wheel* hold (objdump).

    Raises `OSError` when objdump cannot be run.
    """
    counts: dict[tuple[str, str], int] = {}
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as scratch:
        copy = os.path.join(scratch, "file")
        for path in paths:
            with open(copy, "wb") as file:
                file.write(archive.read(path))
            with subprocess.Popen(
                ["objdump", "--disassemble", "--no-show-raw-insn", copy],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            ) as process:
                assert process.stdout is not None
                for line in process.stdout:
                    for register in ("zmm", "ymm"):
                        if register.encode() in line:
                            key = (path, register)
                            counts[key] = counts.get(key, 0) + 1
                            break
    return counts
