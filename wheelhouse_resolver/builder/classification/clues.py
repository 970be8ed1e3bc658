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
from itertools import starmap
from typing import TYPE_CHECKING, NamedTuple

from wheelhouse_resolver.builder.classification.glibc import glibc_needed, glibc_promised
from wheelhouse_resolver.builder.toolchain.linker_mark import LEVELS, level_of
from wheelhouse_resolver.host.layer import path_evidence
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.wheelfile.machines import families_of

if TYPE_CHECKING:
    from packaging.version import Version

    from wheelhouse_resolver.builder.records.record import BuildRecord
    from wheelhouse_resolver.site.layout import Arch
    from wheelhouse_resolver.site.model import Site
    from wheelhouse_resolver.utils.elf import ElfFile

#: The x86-64 levels as archspec names them, by the bit that stands for each in the ELF note.
_LEVELS: Mapping[int, str | None] = {1: None, **{bit: level for level, bit in LEVELS.items()}}


class Clue(NamedTuple):
    """One reason for a layer or an arch.

    value:  its name; None for no layer. reason: the text.
    mark:   for the linker's mark, which is a lower bound: the level, as its bit; else 0.
    """

    value: str | None
    reason: str
    mark: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What is known of a wheel that is classified for *site*.

    files:   the ELF files in it. platforms: its platform tags. record: of its build, if there is one.
    glibc:   that of each layer, where it is known.
    environ: what `$VARIABLE` in a layer's patterns stands for.
    """

    site: Site
    files: Sequence[ElfFile]
    platforms: frozenset[str]
    record: BuildRecord | None = None
    glibc: Mapping[str, Version] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def families(self) -> list[str]:
        """The CPU families that its platform tags name, else those of its ELF files; empty if not known."""
        own = families_of(self.platforms) or {each.family for each in self.files if each.family}
        return sorted(own)

    def is_for(self, arch: str | None) -> bool:
        """Whether the arch of that name is of one of its families."""
        cpu = next((each.family for each in self.site.ladder if each.name == arch), None)
        families = self.families
        return cpu is None or not families or cpu in families

    @property
    def is_portable(self) -> bool:
        """Whether its platform tags promise that it needs no layer, and the promise holds."""
        return self.broken_promise == ""

    @property
    def broken_promise(self) -> str | None:
        """A warning if it needs a later glibc than its platform tags promise; None if they promise nothing.

        A repaired wheel (auditwheel) contains its libraries, and names the oldest glibc that will do.
        """
        tags = ("manylinux", "musllinux")
        if not self.platforms or not all(each.startswith(tags) for each in self.platforms):
            return None
        needed, promised = glibc_needed(self.files), glibc_promised(self.platforms)
        if needed is None or (promised is not None and needed <= promised):
            return ""
        than = f"glibc {promised}" if promised is not None else "musl"
        return f"its platform tags promise {than}, but it needs glibc {needed}"

    def unknown_names(self) -> dict[str, str | None]:
        """The layer and the arch of the build record, as far as the site does not have them."""
        if self.record is None:
            return {}
        layers = {None, *(each.name for each in self.site.layers)}
        archs = {GENERIC, *(each.name for each in self.site.ladder)}
        unknown = {} if self.record.layer in layers else {"layer": self.record.layer}
        return unknown if self.record.arch in archs else {**unknown, "arch": self.record.arch}

    def paths(self) -> list[tuple[ElfFile, str]]:
        """The absolute paths that each ELF file names."""
        named = ((each, (each.interpreter, *each.rpath, *each.runpath)) for each in self.files)
        return [(file, path) for file, paths in named for path in paths if path.startswith("/")]


def for_layer(subject: Subject) -> list[Clue]:
    """All evidence for a layer; the site's default counts only if there is no other."""
    if found := list(_for_layer(subject)):
        return found
    layers = [each for each in subject.site.layers if each.default] or subject.site.layers
    if not layers:
        return [Clue(None, "the site has no layers")]
    kind = "default" if layers[0].default else "only"
    return [Clue(each.name, f"the site's {kind} layer is {each.name}") for each in layers if len(layers) == 1]


def _for_layer(subject: Subject) -> Iterator[Clue]:
    layers, record, glibc = subject.site.layers, subject.record, subject.glibc
    if record is not None and "layer" not in subject.unknown_names():
        done = "built" if record.upstream is None else "adapted and verified"
        yield Clue(record.layer, f"{done} for layer {record.layer or 'none'} (build record)")
    named: dict[str | None, str] = {}
    for file, path in subject.paths():
        for clue in path_evidence(layers, "", "", [path], subject.environ)[:1]:
            named.setdefault(clue.value, f"{file.path} looks into {path}, of layer {clue.value}")
    yield from starmap(Clue, named.items())
    needed = glibc_needed(subject.files)
    if subject.is_portable:
        yield Clue(None, "its platform tags promise that it needs no layer")
    elif needed is not None and all(layer.name in glibc for layer in layers):
        able = [layer.name for layer in layers if glibc[layer.name] >= needed]
        if len(able) == 1 and len(layers) > 1:
            yield Clue(able[0], f"it needs glibc {needed}, which only layer {able[0]} has")


def for_arch(subject: Subject, layer: str | None) -> Iterator[Clue]:
    """All evidence for an arch. *layer*: the one that was decided on."""
    record = subject.record
    fetched = record is not None and record.upstream is not None and record.arch == GENERIC
    if record is not None and "arch" not in subject.unknown_names() and not fetched:
        yield Clue(record.arch, f"built for arch {record.arch} (build record)")
    yield from _by_rpath(subject, layer)
    yield from _by_mark(subject)
    if subject.is_portable:
        yield Clue(GENERIC, "its platform tags promise that it runs on every CPU of the family")
    elif fetched:
        yield Clue(GENERIC, "wheels of an index run on every CPU of the family (build record)")


def _by_rpath(subject: Subject, layer: str | None) -> Iterator[Clue]:
    """The highest arch that a directory is named after which a file looks into: all lower ones run there."""
    ladder = [arch.name for arch in subject.site.ladder]
    places = {name: place for place, name in enumerate(ladder)}
    names = dict(places)
    # Where layers disagree about a name, *layer*'s own meaning counts.
    for each in sorted(subject.site.layers, key=lambda other: other.name == layer):
        names |= {called: places[arch] for arch, called in each.names if arch != GENERIC}
    found = [
        (place, f"{file.path} looks into {path}, named after {ladder[place]}")
        for file, path in subject.paths()
        for called, place in names.items()
        if f"/{called}/" in f"{path}/"
    ]
    if found:
        place, reason = max(found, key=lambda each: each[0])
        yield Clue(ladder[place], reason)


def _by_mark(subject: Subject) -> Iterator[Clue]:
    """The lowest arch of the ladder whose CPUs all have the highest level that a file is marked with."""
    file, bit = highest_mark(subject.files)
    if bit == 1 and all(each.isa_needed for each in subject.files if each.dynamic):
        yield Clue(GENERIC, "all its libraries are marked for the baseline of x86-64", bit)
    arch = next((each for each in subject.site.ladder if bit_of(each) >= bit), None)
    if bit > 1 and arch is not None:
        yield Clue(arch.name, f"{file.path} is marked to need {level_name(bit)}: {arch.name}", bit)


def highest_mark(files: Sequence[ElfFile]) -> tuple[ElfFile, int]:
    """The file that is marked with the highest level, and that as its bit; 0 if none is marked."""
    marks = [(file, max((bit for bit in _LEVELS if file.isa_needed & bit), default=0)) for file in files]
    return max(marks, key=lambda each: each[1])


def bit_of(arch: Arch | None) -> int:
    """The highest level that every CPU of *arch* (None: generic) has, as its bit; 0 for another family."""
    if arch is None:
        return 1
    bits = {level: bit for bit, level in _LEVELS.items()}
    return bits[level_of(arch)] if arch.family == "x86_64" else 0


def level_name(bit: int) -> str:
    """The linker's name of a level: `x86-64-v3`."""
    return str(_LEVELS[bit]).replace("_", "-")
