"""The site: where the wheelhouse is, which archs and layers it has, and the one order of its directories.

A site's values are frozen, and every decision here is a pure function of them: which directories there
are, the rank of each, and which of them a host searches. Reading a site from its TOML file is at the
edge, in `site_file`.

The values on this path are named tuples, not dataclasses: `pip-conf` runs at every module load, and
importing dataclasses costs as much as starting Python a second time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import UnknownArchError, UnknownLayerError

if TYPE_CHECKING:
    from wheelhouse_resolver.host import Host

__all__ = [
    "BUILTIN_LADDER",
    "BUILTIN_LAYERS",
    "GENERIC",
    "LAYER_RANK",
    "NO_LAYER",
    "Arch",
    "Directory",
    "Layer",
    "SearchPath",
    "Site",
    "side_by_side",
    "tidy_ranks",
]

#: The arch that needs nothing of a CPU; it is below every ladder.
GENERIC = "generic"

#: What `--layer` takes to mean: no layer.
NO_LAYER = "none"

#: Rank of the top-level generic directory.
_TOP_RANK = 1

#: Rank of a layer's generic directory.
LAYER_RANK = 100

#: Ranks of the archs that have a fixed place; a site's own archs go between or beyond them.
_FIXED_RANKS = {"sse3": 200, "avx": 300, "avx2": 400, "avx512": 500}


class Arch(NamedTuple):
    """A CPU level that directories are named after.

    name:     as the ladder and the directories call it.
    rank:     its place in the site's order, times nothing: `rank * 1000` opens its band of build numbers.
    target:   the archspec microarchitecture that a CPU must be at least, or None;
    features: or the archspec features that a CPU must have, all of them.
    family:   the CPU family it belongs to (`x86_64`, `aarch64`, ...), None if that cannot be told.
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
    names:       what it calls its arch directories where that differs, as (arch, name) pairs.
    env:         (variable, glob pattern of its value) pairs that speak for the layer.
    interpreter: glob patterns of the target Python's ELF program interpreter or prefix;
                 `$VARIABLE` at the start of one stands for that variable's value.
    os_release:  IDs of /etc/os-release that speak for the layer.
    default:     whether it is the host's layer when nothing else is evident.
    """

    name: str
    directories: tuple[str, ...]
    archs: tuple[str, ...]
    names: tuple[tuple[str, str], ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    interpreter: tuple[str, ...] = ()
    os_release: tuple[str, ...] = ()
    default: bool = False

    def name_of(self, arch: str) -> str:
        """What this layer calls its directory for *arch*."""
        return dict(self.names).get(arch, arch)


class Directory(NamedTuple):
    """One leaf of the tree: a (layer, arch) pair and its rank.

    path:  absolute (as far as the root is).
    label: below the root, `/`-separated: `gentoo/avx2`.
    layer: the layer's name; None for the top-level generic directory.
    arch:  the ladder's name, or `generic`.
    rank:  its place in the site's one order; higher is more specific.
    """

    path: str
    label: str
    layer: str | None
    arch: str
    rank: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON: path, layer, arch, rank."""
        return {"path": self.path, "layer": self.layer, "arch": self.arch, "rank": self.rank}


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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SearchPath):
            return NotImplemented
        return (self.directories, self.layer, self.arch) == (
            other.directories,
            other.layer,
            other.arch,
        )

    def __hash__(self) -> int:
        return hash((self.directories, self.layer, self.arch))

    def __repr__(self) -> str:
        return f"SearchPath({[directory.label for directory in self.directories]})"

    def only(self, directories: Sequence[Directory]) -> SearchPath:
        """The same search path with just those of its directories that are in *directories*."""
        kept = frozenset(directories)
        return SearchPath([d for d in self.directories if d in kept], self.layer, self.arch)


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


class Site(NamedTuple):
    """A site's configuration.

    root:     the wheelhouse's root directory.
    ladder:   the archs, low to high.
    layers:   the layers, in the order of the site file.
    search:   for some archs, the archs that a host of that arch searches; the others search their own
              and all lower ones of the same CPU family.
    pip:      what goes into pip's configuration: option -> value, or section -> {option: value}.
    tables:   the tables of other rooms (`publish`, `build`), unread.
    source:   the file it was read from; None for the built-in site.
    """

    root: str
    ladder: tuple[Arch, ...] = BUILTIN_LADDER
    layers: tuple[Layer, ...] = BUILTIN_LAYERS
    search: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    pip: Mapping[str, Any] = MappingProxyType({})
    tables: Mapping[str, Any] = MappingProxyType({})
    source: str | None = None

    @staticmethod
    def load(
        path: str | os.PathLike[str] | None = None,
        *,
        root: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Site:
        """The site of this machine, or the one that the TOML file at *path* describes.

        Without *path*: the file named by `WHEELHOUSE_CONFIG`, else `wheelhouse-resolver/site.toml` in the
        user's and then in the machine's configuration directory, else the built-in site. *root*,
        else `WHEELHOUSE_ROOT`, replaces the root. *environ* stands for `os.environ`.

        Raises `SiteFileError` when the file cannot be read or is wrong, `NoWheelhouseError` when nothing
        says where the root is.
        """
        from wheelhouse_resolver import site_file

        return site_file.load(path, root=root, environ=os.environ if environ is None else environ)

    @staticmethod
    def default(root: str | os.PathLike[str]) -> Site:
        """The built-in site at *root*: generic, and nix and gentoo with sse3, avx, avx2, avx512."""
        return Site(root=os.path.abspath(os.fspath(root)))

    def arch(self, name: str, layer: Layer | None = None) -> Arch | None:
        """The arch of that *name*, which may be a layer's own name for it; None for `generic`.

        Where layers disagree about a name, *layer*'s own meaning counts. Raises `UnknownArchError`.
        """
        if name == GENERIC:
            return None
        layers = [layer, *self.layers] if layer is not None else list(self.layers)
        own = [arch for each in layers for arch, called in each.names if called == name]
        for arch in self.ladder:
            if arch.name in (name, *own[:1]):
                return arch
        known = {called for each in self.layers for _, called in each.names}
        names = [arch.name for arch in self.ladder]
        raise UnknownArchError(name, [GENERIC, *names, *sorted(known - {*names})])

    def layer(self, name: str | None) -> Layer | None:
        """The layer of that *name*; None for None and `none`. Raises `UnknownLayerError`."""
        if name is None or name == NO_LAYER:
            return None
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise UnknownLayerError(name, [layer.name for layer in self.layers] + [NO_LAYER])

    def lower(self, arch: Arch) -> tuple[str, ...]:
        """*arch* and the archs below it that a CPU of its family may have, low to high."""
        below = self.ladder[: self.ladder.index(arch) + 1]
        return tuple(a.name for a in below if None in (a.family, arch.family) or a.family == arch.family)

    def search_path(self, host: Host) -> SearchPath:
        """The directories that *host* may use, most specific first, whether or not they exist.

        A host that was detected for another site is judged by this one's ladder and layers. Raises
        `UnknownArchError` or `UnknownLayerError` when it names what this site does not have.
        """
        host = host.on(self)
        return self.search_path_for(host.layer, host.arch, runnable=host.archs)

    def search_path_for(
        self, layer: str | None, arch: str, *, runnable: Sequence[str] | None = None
    ) -> SearchPath:
        """The search path of hosts with that *layer* and *arch*.

        *runnable* are the archs that such a host can run, as the ladder names them; by default
        *arch* and all lower ones of its family. The arch that counts is the highest of the layer's
        own archs among them. A host with no layer searches the top-level generic directory only.
        """
        chosen = self.layer(layer)
        highest = self.arch(arch, chosen)
        able = set(self.lower(highest) if highest else ())
        if runnable:
            able &= set(runnable)
        top = self._directory(None, GENERIC, GENERIC)
        if chosen is None:
            return SearchPath([top], None, GENERIC)
        own = [a.name for a in self.ladder if a.name in able and a.name in chosen.archs]
        counted = own[-1] if own else GENERIC
        wanted = self.search.get(counted, own)
        found = {
            directory.path: directory
            for name in [*(name for name in reversed(own) if name in wanted), GENERIC]
            for directory in self._directories_of(chosen, name)
        }
        # The generic directory of a layer's directory `.` is the top-level one, the last of all.
        found.pop(top.path, None)
        return SearchPath([*found.values(), top], chosen.name, counted)

    def directories(self) -> tuple[Directory, ...]:
        """Every directory that this site may have, once each, highest rank first."""
        found: dict[str, Directory] = {}
        for layer in self.layers:
            for arch in [*layer.archs, GENERIC]:
                for directory in self._directories_of(layer, arch):
                    found.setdefault(directory.path, directory)
        top = self._directory(None, GENERIC, GENERIC)
        found.setdefault(top.path, top)
        return tuple(sorted(found.values(), key=lambda d: (-d.rank, d.label)))

    def _directories_of(self, layer: Layer, arch: str) -> list[Directory]:
        return [
            self._directory(layer, os.path.normpath(f"{above}/{layer.name_of(arch)}"), arch, above)
            for above in layer.directories
        ]

    def _directory(self, layer: Layer | None, label: str, arch: str, above: str | None = None) -> Directory:
        path = os.path.join(self.root, *label.split("/"))
        if layer is None or above is None or label == GENERIC:
            return Directory(path, label, None, GENERIC, _TOP_RANK)
        rank = LAYER_RANK
        for each in self.ladder:
            if each.name == arch:
                rank = each.rank
        return Directory(path, label, layer.name, arch, rank + side_by_side(self.layers)[above])


@lru_cache(maxsize=8)
def side_by_side(layers: tuple[Layer, ...]) -> Mapping[str, int]:
    """How much each layer directory ranks above the least specific one that it is searched beside.

    A directory that layers share has one place for all of them: 1 above the next in every list that it
    is in. Raises `ValueError` when two layers list the same directories in opposite orders.
    """
    offsets = {directory: 0 for layer in layers for directory in layer.directories}
    for _ in range(len(offsets) + 1):
        settled = True
        for layer in layers:
            for above, below in pairwise(layer.directories):
                if offsets[above] <= offsets[below]:
                    offsets[above] = offsets[below] + 1
                    settled = False
        if settled:
            return MappingProxyType(offsets)
    raise ValueError("layers list the same directories in opposite orders")


def tidy_ranks(ladder: Sequence[tuple[str, int | None]]) -> list[int]:
    """The rank of each arch of a *ladder* given low to high as (name, stated rank or None).

    A stated rank is kept, and so is the rank of an arch that the built-in ladder knows by that name; the
    others are spread evenly between their neighbours, or 100 apart above the last. Raises
    `ValueError` when the ranks do not rise with the ladder above the layers' generic rank.
    """
    ranks = [stated if stated is not None else _FIXED_RANKS.get(name) for name, stated in ladder]
    below, start = LAYER_RANK, 0
    settled: list[int] = []
    while start < len(ranks):
        end = start
        while end < len(ranks) and ranks[end] is None:
            end += 1
        gap = end - start
        above = ranks[end] if end < len(ranks) else None
        for place in range(1, gap + 1):
            step = 100 * place if above is None else (above - below) * place // (gap + 1)
            settled.append(below + step)
        if above is not None:
            settled.append(above)
        below, start = settled[-1], end + 1
    floor = LAYER_RANK
    for (name, _), rank in zip(ladder, settled, strict=True):
        if rank <= floor:
            raise ValueError(
                f"the rank of arch {name!r} is {rank}, not above {floor}, the one before it on the ladder "
                f"(generic has {LAYER_RANK}): list the archs from low to high, with rising ranks"
            )
        floor = rank
    return settled
