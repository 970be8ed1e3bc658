"""The evidence for the layer and the arch that a wheel is for, the most trusted first. Nothing is run.

For the layer: the build record; the paths that its ELF files look into (program interpreter, rpath), by the
layers' own patterns; platform tags that promise that any layer will do; the C library that it needs against
the layers'; the site's only or default layer. For the arch: the build record; the rpath, where a directory in
it is named after an arch; the note that the linker left (x86 ISA needed); platform tags. Instructions prove
nothing: a library may choose among them at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wheelhouse_resolver.builder.classification.glibc import glibc_needed, glibc_promised
from wheelhouse_resolver.builder.toolchain.flags import level_of
from wheelhouse_resolver.errors import UnknownLayerError
from wheelhouse_resolver.host.layer import path_evidence
from wheelhouse_resolver.site.layout import GENERIC

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelhouse_resolver.builder.records.record import BuildRecord
    from wheelhouse_resolver.site.layout import Arch
    from wheelhouse_resolver.site.model import Site
    from wheelhouse_resolver.utils.elf import ElfFile

#: The x86-64 levels as archspec names them, by the bit that stands for each in the ELF note.
_LEVELS = {1: None, 2: "x86_64_v2", 4: "x86_64_v3", 8: "x86_64_v4"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Indication:
    """One reason for a layer or an arch.

    value:  its name; None for no layer.
    reason: the text.
    mark:   for the linker's mark, which is a lower bound: the level, as its bit; else 0.
    """

    value: str | None
    reason: str
    mark: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is known of a wheel that is classified for *site*.

    files:     the ELF files in it. platforms: its platform tags. record: of its build, if there is one.
    glibc:     that of each layer, where it is known.
    environ:   what `$VARIABLE` in a layer's patterns stands for.
    """

    site: Site
    files: Sequence[ElfFile]
    platforms: frozenset[str]
    record: BuildRecord | None = None
    glibc: Mapping[str, Version] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_portable(self) -> bool:
        """Whether its platform tags promise that it needs no layer, and the promise holds.

        A repaired wheel (auditwheel) contains its libraries, and names the oldest glibc that will do.
        """
        return self._promises() and not self.broken_promise

    @property
    def broken_promise(self) -> str:
        """A warning if it needs a later glibc than its platform tags promise; else empty."""
        needed, promised = glibc_needed(self.files), glibc_promised(self.platforms)
        if not self._promises() or needed is None or (promised is not None and needed <= promised):
            return ""
        than = f"glibc {promised}" if promised is not None else "musl"
        return f"its platform tags promise {than}, but it needs glibc {needed}"

    def _promises(self) -> bool:
        names = ("manylinux", "musllinux")
        return bool(self.platforms) and all(each.startswith(names) for each in self.platforms)

    def has_layer(self, name: str | None) -> bool:
        """Whether the site has that layer."""
        try:
            self.site.layer(name)
        except UnknownLayerError:
            return False
        return True

    def has_arch(self, name: str) -> bool:
        """Whether the site's ladder has that arch."""
        return name == GENERIC or any(arch.name == name for arch in self.site.ladder)

    def paths(self) -> Iterator[tuple[ElfFile, str]]:
        """The absolute paths that each ELF file names."""
        for file in self.files:
            for path in (file.interpreter, *file.rpath, *file.runpath):
                if path.startswith("/"):
                    yield file, path


def layer_indications(subject: Subject) -> list[Indication]:
    """All evidence for a layer; the site's default counts only if there is no other."""
    found = list(_layer_indications(subject))
    layers = [each for each in subject.site.layers if each.default] or list(subject.site.layers)
    if not found and not layers:
        found.append(Indication(value=None, reason="the site has no layers"))
    elif not found and len(layers) == 1:
        only = "the site's default layer" if layers[0].default else "the site's only layer"
        found.append(Indication(value=layers[0].name, reason=f"{only} is {layers[0].name}"))
    return found


def _layer_indications(subject: Subject) -> Iterator[Indication]:
    layers, record, glibc = subject.site.layers, subject.record, subject.glibc
    if record is not None and subject.has_layer(record.layer):
        yield Indication(
            value=record.layer, reason=f"built for layer {record.layer or 'none'} (build record)"
        )
    seen: set[str] = set()
    for file, path in subject.paths():
        named = next((e.value for e in path_evidence(layers, "", "", [path], subject.environ)), None)
        if named is not None and named not in seen:
            seen.add(named)
            yield Indication(value=named, reason=f"{file.path} looks into {path}, of layer {named}")
    needed = glibc_needed(subject.files)
    if subject.is_portable:
        yield Indication(value=None, reason="its platform tags promise that it needs no layer")
    elif needed is not None and all(layer.name in glibc for layer in layers):
        able = [layer.name for layer in layers if glibc[layer.name] >= needed]
        if len(able) == 1 and len(layers) > 1:
            yield Indication(value=able[0], reason=f"it needs glibc {needed}, which only layer {able[0]} has")


def arch_indications(subject: Subject, layer: str | None) -> Iterator[Indication]:
    """All evidence for an arch. *layer*: the one that was decided on."""
    record = subject.record
    if record is not None and subject.has_arch(record.arch):
        yield Indication(value=record.arch, reason=f"built for arch {record.arch} (build record)")
    yield from _by_rpath(subject, layer)
    yield from _by_mark(subject)
    if subject.is_portable:
        reason = "its platform tags promise that it runs on every CPU of the family"
        yield Indication(value=GENERIC, reason=reason)


def _by_rpath(subject: Subject, layer: str | None) -> Iterator[Indication]:
    """The highest arch that a directory is named after which a file looks into: all lower ones run there."""
    ladder = subject.site.ladder
    places = {arch.name: place for place, arch in enumerate(ladder)}
    names = dict(places)
    # Where layers disagree about a name, *layer*'s own meaning counts.
    for each in sorted(subject.site.layers, key=lambda other: other.name == layer):
        names |= {called: places[arch] for arch, called in each.names}
    found = [
        (names[part], file.path, path)
        for file, path in subject.paths()
        for part in path.split("/")
        if part in names
    ]
    if found:
        place, file_path, path = max(found, key=lambda each: each[0])
        name = ladder[place].name
        yield Indication(value=name, reason=f"{file_path} looks into {path}, named after {name}")


def _by_mark(subject: Subject) -> Iterator[Indication]:
    """The lowest arch of the ladder whose CPUs all have the highest level that a file is marked with."""
    file, bit = highest_mark(subject.files)
    if bit == 1 and all(each.isa_needed for each in subject.files if each.dynamic):
        reason = "all its libraries are marked for the baseline of x86-64"
        yield Indication(value=GENERIC, reason=reason, mark=bit)
    arch = next((each for each in subject.site.ladder if bit_of(each) >= bit), None)
    if bit > 1 and arch is not None:
        reason = f"{file.path} is marked to need {level_name(bit)}: {arch.name}"
        yield Indication(value=arch.name, reason=reason, mark=bit)


def highest_mark(files: Sequence[ElfFile]) -> tuple[ElfFile, int]:
    """The file that is marked with the highest level, and that as its bit; 0 if none is marked."""
    marks = [(file, max((bit for bit in _LEVELS if file.isa_needed & bit), default=0)) for file in files]
    return max(marks, key=lambda each: each[1])


def bit_of(arch: Arch | None) -> int:
    """The highest level that every CPU of *arch* (None: generic) has, as its bit; 0 for another family."""
    if arch is not None and arch.family != "x86_64":
        return 0
    level = level_of(arch) if arch is not None else None
    return next(bit for bit, name in _LEVELS.items() if name == level)


def level_name(bit: int) -> str:
    """The linker's name of a level: `x86-64-v3`."""
    return str(_LEVELS[bit]).replace("_", "-")
