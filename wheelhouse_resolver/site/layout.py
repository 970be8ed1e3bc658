"""The parts of a site: archs, layers, directories and search paths. Frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self

#: The arch that needs nothing of a CPU; it is below every ladder.
GENERIC = "generic"

#: What `--layer` takes to mean: no layer.
NO_LAYER = "none"


class Arch(NamedTuple):
    """A CPU level that directories are named after.

    name:     as the ladder and the directories call it.
    rank:     its place in the site's order, times nothing: `rank * 1000` opens its band of build numbers.
    target:   the archspec microarchitecture that a CPU must be at least, or None;
    features: or the archspec features that a CPU must have, all of them.
    family:   the CPU family it belongs to (`x86_64`, `aarch64`, ...), None if it is not known.
    """

    name: str
    rank: int
    target: str | None = None
    features: tuple[str, ...] = ()
    family: str | None = None


class Layer(NamedTuple):
    """An OS-abstraction layer and the evidence by which it is recognised.

    name:        as users and files call it.
    directories: below the root, searched side by side at each arch, the first one more specific.
    archs:       the archs that it has directories for.
    names:       what it calls its directories where that differs, as (arch or `generic`, path) pairs.
    env:         (variable, glob pattern of its value) pairs that speak for the layer.
    interpreter: glob patterns of the target Python's ELF program interpreter or prefix;
                 `$VARIABLE` at the start of one is replaced by its value.
    os_release:  (variable of /etc/os-release, glob patterns of its value) pairs that speak for the layer, all
                 of them together; a text alone is an ID.
    default:     whether it is the host's layer when nothing else is evident.
    generic:     whether it has a generic directory of its own.
    """

    name: str
    directories: tuple[str, ...]
    archs: tuple[str, ...]
    names: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    interpreter: tuple[str, ...] = ()
    os_release: tuple[str | tuple[str, tuple[str, ...]], ...] = ()
    default: bool = False
    generic: bool = True

    def name_of(self, arch: str, generic: str = GENERIC) -> str:
        """What this layer calls its directory for *arch*; *generic*: what the site calls generic ones."""
        return dict(self.names).get(arch, generic if arch == GENERIC else arch)


class Directory(NamedTuple):
    """One leaf of the tree: a (layer, arch) pair and its rank.

    path:  absolute (as far as the root is).
    label: below the root, `/`-separated: `gentoo/avx2`; of a base, its name precedes: `national/gentoo/avx2`.
    layer: the layer's name; None for the top-level generic directory.
    arch:  the ladder's name, or `generic`.
    rank:  its place in the site's one order; higher is more specific.
    base:  the name of the base that it is one of, where nothing is written; None: it is the site's own.
    shift: how much its rank is above the one in stamps, which are those of its base's own site.
    """

    path: str
    label: str
    layer: str | None
    arch: str
    rank: int
    base: str | None = None
    shift: int = 0

    def to_dict(self) -> dict[str, Any]:
        """For JSON: path, layer, arch, rank; base, if it is one's."""
        found = {"path": self.path, "layer": self.layer, "arch": self.arch, "rank": self.rank}
        return found if self.base is None else {**found, "base": self.base}


class SearchPath:
    """The directories that a host may use, most specific first. An immutable sequence of `Directory`.

    layer, arch: what it was made for; *arch* is the one that counted, after the layer's own archs.
    """

    __slots__ = ("arch", "directories", "layer")

    directories: tuple[Directory, ...]
    layer: str | None
    arch: str

    def __init__(self, directories: Sequence[Directory], layer: str | None, arch: str) -> None:
        object.__setattr__(self, "directories", tuple(directories))
        object.__setattr__(self, "layer", layer)
        object.__setattr__(self, "arch", arch)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a SearchPath is immutable: cannot set {name!r}")

    def __iter__(self) -> Iterator[Directory]:
        return iter(self.directories)

    def __len__(self) -> int:
        return len(self.directories)

    def __getitem__(self, index: int) -> Directory:
        return self.directories[index]

    def _key(self) -> tuple[object, ...]:
        return (self.directories, self.layer, self.arch)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchPath) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"SearchPath({[directory.label for directory in self.directories]})"

    def only(self, directories: Sequence[Directory]) -> SearchPath:
        """The same search path with just those of its directories that are in *directories*."""
        kept = frozenset(directories)
        return SearchPath([d for d in self.directories if d in kept], self.layer, self.arch)


class HostKind(NamedTuple):
    """A kind of host that a site can have, and what it searches.

    layer:       the layer's name, or None.
    arch:        the highest arch that it runs, among those that the layer has directories for.
    family:      the CPU family of that arch; None: any.
    search_path: the directories that it may use.
    also:        further archs that it runs, which not every CPU of *arch* does, high to low.
    """

    layer: str | None
    arch: str
    family: str | None
    search_path: SearchPath
    also: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """`layer/arch` (`layer/arch+another`), or `none` for a host with no layer."""
        return f"{self.layer}/{'+'.join((self.arch, *self.also))}" if self.layer is not None else NO_LAYER


#: What the compilers mean by these levels; Knights Landing has only F and CD of x86_64_v4, so it is avx2.
BUILTIN_LADDER = (
    Arch(name="sse3", rank=200, features=("sse3",), family="x86_64"),
    Arch(name="avx", rank=300, features=("avx",), family="x86_64"),
    Arch(name="avx2", rank=400, target="x86_64_v3", family="x86_64"),
    Arch(name="avx512", rank=500, target="x86_64_v4", family="x86_64"),
)

#: The layers that HPC sites use, with what speaks for each.
BUILTIN_LAYERS = (
    Layer(
        name="nix",
        directories=("nix",),
        archs=tuple(arch.name for arch in BUILTIN_LADDER),
        env=(("NIXUSER_PROFILE", "*"), ("EBROOTNIXPKGS", "*"), ("NIX_PROFILES", "*")),
        interpreter=(
            "*/nix/store/*",
            "*/nix/var/nix/profiles/*",
            "*/.nix-profile/*",
            "$NIXUSER_PROFILE/*",
        ),
        os_release=("nixos",),
    ),
    Layer(
        name="gentoo",
        directories=("gentoo",),
        archs=tuple(arch.name for arch in BUILTIN_LADDER),
        env=(("EBROOTGENTOO", "*"), ("EBVERSIONGENTOO", "*"), ("EPREFIX", "*")),
        interpreter=("*/gentoo/*", "$EPREFIX/*", "$EBROOTGENTOO/*"),
        os_release=("gentoo",),
    ),
)


class Base(NamedTuple):
    """The wheelhouse of another site, read-only, which the hosts of this one search after its own.

    name:   as the labels of its directories begin.
    root:   its root directory, absolute.
    ladder, layers, search, generic, links: as of a `Site`. What archs and layers only it has is not searched.
    stamps: how much the ranks in its stamps are above those of its ladder: above 0 if it has bases itself.
    """

    name: str
    root: str
    ladder: tuple[Arch, ...]
    layers: tuple[Layer, ...]
    search: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    stamps: int = 0
    generic: str = GENERIC
    links: Mapping[str, str] = MappingProxyType({})


class SiteFields(NamedTuple):
    """The fields of a `Site`, which explains them."""

    root: str
    ladder: tuple[Arch, ...] = BUILTIN_LADDER
    layers: tuple[Layer, ...] = BUILTIN_LAYERS
    search: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    pip: Mapping[str, Any] = MappingProxyType({})
    tables: Mapping[str, Any] = MappingProxyType({})
    source: str | None = None
    generic: str = GENERIC
    bases: tuple[Base, ...] = ()
    links: Mapping[str, str] | None = None
    options: tuple[str, ...] = ()

    def below(self, base: Base) -> Self:
        """The wheelhouse *base* as a site of its own."""
        return self._replace(
            root=base.root,
            ladder=base.ladder,
            layers=base.layers,
            search=base.search,
            pip=MappingProxyType({}),
            generic=base.generic,
            links=base.links,
            bases=(),
        )
