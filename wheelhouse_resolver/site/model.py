"""The site: where the wheelhouse is, which archs and layers it has, and the one order of its directories.

A site's values are frozen, and every decision here is a pure function of them: which directories there
are, the rank of each, and which of them a host searches. Reading a site from its TOML file is at the
edge, in `config`.

The values on this path are named tuples, not dataclasses: `pip-conf` runs at every module load, and
importing dataclasses costs as much as starting Python a second time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wheelhouse_resolver.errors import InvalidSiteError, SiteFileError, UnknownArchError, UnknownLayerError
from wheelhouse_resolver.site import layout
from wheelhouse_resolver.site.ladder import archs_below, combinations
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER, Arch, Directory, HostKind, Layer, SearchPath
from wheelhouse_resolver.site.ranks import LAYER_RANK, TOP_RANK, rank_bands, rank_offsets


class SearchingHost(Protocol):
    """What a site must know of a host to say what it searches."""

    @property
    def layer(self) -> str | None:
        """The name of its OS-abstraction layer, or None."""

    @property
    def arch(self) -> str:
        """The highest arch of the ladder that it runs."""

    @property
    def archs(self) -> tuple[str, ...]:
        """All archs that it can run, low to high; empty: *arch* and those below it."""

    def for_site(self, site: Site) -> SearchingHost:
        """The same host, by the ladder and layers of *site*."""


class Site(layout.SiteFields):
    """A site's configuration. Raises `InvalidSiteError` when its parts contradict each other.

    root:     the wheelhouse's root directory, absolute.
    ladder:   the archs, low to high.
    layers:   the layers, in the order of the site file.
    search:   for some archs, the archs that a host of that arch searches; the others search all that they
              can run.
    pip:      what goes into pip's configuration: option -> value, or section -> {option: value}.
    tables:   the tables of other rooms (`publish`, `build`), unread.
    source:   the file it was read from; None for the built-in site.
    generic:  the directory of the wheels that run anywhere, below the root (`.`: the root itself). Layers
              call theirs the same, unless they have a name of their own.
    bases:    the read-only wheelhouses that are searched after its own, most specific first.
    links:    of each directory that is another one under a second name, its label -> that one's, as
              `with_links` finds them; None: nobody has looked.
    options:  the command-line options that lead to this site: `--config FILE`, `--root DIR`; () if none need.
              Two sites that differ in these only are equal.
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # for type checkers, the parameters are the fields

        def __new__(cls, *fields, **named):
            """The site with these fields, if they fit each other."""
            site = super().__new__(cls, *fields, **named)
            builtin = site.ladder is layout.BUILTIN_LADDER and site.layers is layout.BUILTIN_LAYERS
            plain = builtin and not (site.search or site.pip or site.bases) and site.generic == GENERIC
            if not plain or not os.path.isabs(site.root) or not site.root.isprintable():
                from wheelhouse_resolver.site.validation import site_problems

                if found := site_problems(site):
                    raise InvalidSiteError(found)
            return site

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Site) and self._key() == other._key()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def _key(self) -> tuple[object, ...]:
        return (*self[:-2], self.links or {})

    def __hash__(self) -> int:
        return hash((self.root, self.ladder, self.layers, self.source))

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
        else `WHEELHOUSE_ROOT`, replaces the root. *environ* replaces `os.environ`. The tree is looked at for
        links, if it is there.

        Raises `SiteFileError` when the file cannot be read or is wrong, `NoWheelhouseError` when nothing
        says where the root is.
        """
        from wheelhouse_resolver.site import config

        fields = config.load(path, root=root, environ=os.environ if environ is None else environ)
        return _checked(fields).with_links()

    @staticmethod
    def parse(text: str, source: str, *, root: str | None = None) -> Site:
        """The site that the TOML *text* describes; *source* names it in errors; *root* replaces its root.

        Raises `SiteFileError`.
        """
        from wheelhouse_resolver.site.document import parse

        return _checked(parse(text, source, root=root))

    @staticmethod
    def default(root: str | os.PathLike[str]) -> Site:
        """The built-in site at *root*: generic, and nix and gentoo with sse3, avx, avx2, avx512."""
        root = os.path.abspath(os.fspath(root))
        return Site(root=root, options=("--root", root))

    def with_links(self) -> Site:
        """This site, knowing which of its directories are others under a second name: the tree is looked at.

        Such a directory counts once, under one name, everywhere. Once it is known, nobody looks again.
        """
        if self.links is not None:
            return self
        from wheelhouse_resolver.site.links import find_links

        bases = [each._replace(links=find_links(self.below(each)._every())) for each in self.bases]
        return self._replace(links=find_links(self._every()), bases=tuple(bases))

    def command(self, *words: str) -> str:
        """Our command of these *words*, about this site, as a shell's user can run it from any directory."""
        from shlex import join

        return join(("wheelhouse-resolver", *words[:1], *self.options, *words[1:]))

    def arch(self, name: str, layer: Layer | None = None) -> Arch | None:
        """The arch of that *name*, which may be a layer's own name for it; None for the generic one.

        Where layers disagree about a name, *layer*'s own meaning counts. Raises `UnknownArchError`.
        """
        if name == GENERIC:
            return None
        layers = [layer, *self.layers] if layer is not None else list(self.layers)
        own = [arch for each in layers for arch, called in each.names if called == name]
        for arch in self.ladder:
            if arch.name in (name, *own[:1]):
                return arch
        if own[:1] == [GENERIC] or name == self.generic:
            return None
        names = [GENERIC, *(arch.name for arch in self.ladder)]
        known = {self.generic, *(called for each in self.layers for _, called in each.names)}
        raise UnknownArchError(name, [*names, *sorted(known - {*names})])

    def layer(self, name: str | None) -> Layer | None:
        """The layer of that *name*; None for None and `none`. Raises `UnknownLayerError`."""
        if name is None or name == NO_LAYER:
            return None
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise UnknownLayerError(name, [layer.name for layer in self.layers] + [NO_LAYER])

    def family_of(self, directory: Directory) -> str | None:
        """The CPU family that *directory* is for; None for a generic one, and where it is not known."""
        return next((arch.family for arch in self.ladder if arch.name == directory.arch), None)

    def archs_up_to(self, arch: Arch) -> tuple[str, ...]:
        """*arch* and the lower ones that every CPU of that arch runs too, low to high."""
        return (*archs_below(self.ladder)[arch.name], arch.name)

    def search_path(self, host: SearchingHost) -> SearchPath:
        """The directories that *host* may use, most specific first, whether or not they exist.

        A host that was detected for another site goes by this one's ladder and layers. Raises
        `UnknownArchError` or `UnknownLayerError` when it names what this site does not have.
        """
        host = host.for_site(self)
        return self.search_path_for(host.layer, host.arch, runnable=host.archs)

    def search_path_for(
        self, layer: str | None, arch: str, *, runnable: Sequence[str] | None = None
    ) -> SearchPath:
        """The search path of hosts with that *layer* and *arch*.

        *runnable* are the archs that such a host can run, as the ladder names them; by default
        `archs_up_to` *arch*. The arch that counts is the highest of the layer's own archs among them. A
        host with no layer searches the top-level generic directory only.
        """
        chosen = self.layer(layer)
        highest = self.arch(arch, chosen)
        able = frozenset(runnable or (self.archs_up_to(highest) if highest else ()))
        own = self._searched(chosen, able)
        if not self.bases:
            return own
        parts = [root._searched(root._layer_called(own.layer), able) for root in self._roots()]
        directories = [each for number, part in enumerate(parts) for each in self._placed(number, part)]
        archs = [GENERIC, *(each.name for each in self.ladder)]
        return SearchPath(directories, own.layer, max((part.arch for part in parts), key=archs.index))

    def _searched(self, chosen: Layer | None, able: frozenset[str]) -> SearchPath:
        """What hosts of the layer *chosen*, *able* to run these archs, search below the site's own root."""
        top = self._top()
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
        # A link may lead to a directory of another rank.
        own_ones = sorted(found.values(), key=lambda each: -each.rank) if self.links else found.values()
        return SearchPath([*own_ones, top], chosen.name, counted)

    def host_kinds(self) -> tuple[HostKind, ...]:
        """Every kind of host that this site can have: with no layer, then of each layer, low to high.

        Hosts that search the same by the same arch are of one kind.
        """
        top = HostKind(None, GENERIC, None, self.search_path_for(None, GENERIC))
        kinds = [kind for layer in self.layers for kind in self.kinds_by_archs(layer).values()]
        return tuple(dict.fromkeys([top, *kinds]))

    def kinds_by_archs(self, layer: Layer) -> dict[tuple[str, ...], HostKind]:
        """Archs of *layer* that a host can run, low to high -> the kind of the hosts that run just these."""
        families = {arch.name: arch.family for arch in self.ladder}
        own = self.archs_of(layer)
        found: dict[tuple[str, ...], HostKind] = {}
        once: dict[SearchPath, HostKind] = {}
        for archs in combinations(self.ladder, own):
            arch = archs[-1] if archs else GENERIC
            path = self.search_path_for(layer.name, arch, runnable=archs or (GENERIC,))
            if path not in once:
                once[path] = HostKind(layer.name, arch, families.get(arch), path, self._besides(archs))
            found[archs] = once[path]
        return found

    def _besides(self, archs: tuple[str, ...]) -> tuple[str, ...]:
        """Which of *archs* are not below the highest of them, nor below another such; high to low."""
        below, left = archs_below(self.ladder), list(archs)
        found: list[str] = []
        while left:
            found.append(left.pop())
            left = [each for each in left if each not in below[found[-1]]]
        return tuple(found[1:])

    def directories_for(self, layer: str | None, arch: str) -> tuple[Directory, ...]:
        """Where wheels for *layer* and *arch* (as the ladder names it) are put, most specific first.

        (): nowhere. Those that `[search]` leaves out are among them; links to a directory of a lower arch are
        not, since hosts of that one would take the wheels. Raises `UnknownLayerError`.
        """
        chosen = self.layer(layer)
        found = [self._top()] if arch == GENERIC else []
        if chosen is not None:
            found = self._directories_of(chosen, arch) if arch in (*chosen.archs, GENERIC) else []
        needs = {each.name: (each.target, each.features) for each in self.ladder}
        found = [each for each in found if needs.get(each.arch) == needs.get(arch)]
        return tuple(self._placed(0, sorted(found, key=lambda each: -each.rank)))

    def archs_of(self, layer: Layer) -> tuple[str, ...]:
        """The archs that *layer* has directories for, here or in a base; low to high."""
        layers = [each for root in self._roots() if (each := root._layer_called(layer.name))]
        return tuple(arch.name for arch in self.ladder if any(arch.name in each.archs for each in layers))

    def directories(self) -> tuple[Directory, ...]:
        """Every directory that this site may have, those of its bases too, once each, highest rank first."""
        names = [layer.name for layer in self.layers], [GENERIC, *(arch.name for arch in self.ladder)]
        parts = [root._leaves(*names) for root in self._roots()]
        found = [each for number, part in enumerate(parts) for each in self._placed(number, part)]
        return tuple(sorted(found, key=lambda d: (-d.rank, d.label)))

    def own_directories(self) -> tuple[Directory, ...]:
        """Those of the `directories` that are the site's own: wheels are written there only."""
        return tuple(each for each in self.directories() if each.base is None)

    def _leaves(self, layers: Sequence[str], archs: Sequence[str]) -> list[Directory]:
        """The directories below the site's root, of these layers and archs only."""
        wanted = (None, *layers)
        known = [each for each in self._every() if each.layer in wanted and each.arch in archs]
        # Of a directory that layers share, the first one counts.
        once = {each.path: each for each in reversed(known) if each.label not in (self.links or ())}
        return list(once.values())

    def _roots(self) -> list[Site]:
        """This site, and each of its bases as a site of its own."""
        return [self, *map(self.below, self.bases)]

    def _layer_called(self, name: str | None) -> Layer | None:
        return next((layer for layer in self.layers if layer.name == name), None)

    def _placed(self, number: int, directories: Iterable[Directory]) -> Iterable[Directory]:
        """*directories* of the root of that *number* at their place in the order of all."""
        if not self.bases:
            return directories
        own, bands = rank_bands(self.bases)
        if number == 0:
            return [each._replace(rank=each.rank + own) for each in directories]
        base, band = self.bases[number - 1], bands[number - 1]
        return [
            each._replace(
                label=os.path.normpath(f"{base.name}/{each.label}"),
                rank=each.rank + band,
                base=base.name,
                shift=band - base.stamps,
            )
            for each in directories
        ]

    def _every(self) -> list[Directory]:
        """All directories under all their names, in the order of the site file."""
        pairs = [(layer, arch) for layer in self.layers for arch in (*layer.archs, GENERIC)]
        return [self._top(), *(each for layer, arch in pairs for each in self._named(layer, arch))]

    def _top(self) -> Directory:
        return Directory(self._path_of(self.generic), self.generic, None, GENERIC, TOP_RANK)

    def _path_of(self, label: str) -> str:
        return os.path.join(self.root, *label.split("/")) if label != "." else self.root

    def _directories_of(self, layer: Layer, arch: str) -> list[Directory]:
        named = self._named(layer, arch)
        return [self._linked(each) for each in named] if self.links else named

    def _linked(self, directory: Directory) -> Directory:
        """*directory*, or the one that it is a link to, as one of the same layer."""
        label = (self.links or {}).get(directory.label)
        found = next((each for each in self._every() if each.label == label), directory)
        return found._replace(layer=directory.layer) if found.layer is not None else found

    def _named(self, layer: Layer, arch: str) -> list[Directory]:
        if arch == GENERIC and not layer.generic:
            return []
        return [self._directory(layer, arch, above) for above in layer.directories]

    def _directory(self, layer: Layer, arch: str, above: str) -> Directory:
        label = os.path.normpath(f"{above}/{layer.name_of(arch, self.generic)}")
        if label == self.generic:
            return self._top()
        rank = next((each.rank for each in self.ladder if each.name == arch), LAYER_RANK)
        return Directory(
            self._path_of(label), label, layer.name, arch, rank + rank_offsets(self.layers)[above]
        )


def _checked(fields: dict[str, Any]) -> Site:
    """The site with these *fields*, which a site file gave."""
    try:
        return Site(**fields)
    except InvalidSiteError as error:
        if fields.get("source") is None:
            raise
        raise SiteFileError.of(fields["source"], error.findings) from None


def searched_together(site: Site) -> list[frozenset[str]]:
    """The directories (by path) that some host of *site* searches together, for every kind of host."""
    return [frozenset(each.path for each in kind.search_path) for kind in site.host_kinds()]
