"""The one order of a site's directories: the rank of each arch and layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType

from wheelhouse_resolver.site.layout import Base, Layer

#: Rank of the top-level generic directory.
TOP_RANK = 1

#: Rank of a layer's generic directory.
LAYER_RANK = 100

#: Ranks of a wheelhouse that is above or below another are below this, so that each has a band for its own.
BASE_BAND = 100_000

#: Ranks of what is above bases begin at a multiple of this, the same for one base and for several.
OWN_BAND = 1_000_000

#: Ranks of the archs that have a fixed place; a site's own archs go between or beyond them.
_FIXED_RANKS = {"sse3": 200, "avx": 300, "avx2": 400, "avx512": 500}


@lru_cache(maxsize=8)
def rank_offsets(layers: tuple[Layer, ...]) -> Mapping[str, int]:
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


def assign_ranks(ladder: Sequence[tuple[str, int | None]]) -> list[int]:
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
    for (name, _), floor, rank in zip(ladder, [LAYER_RANK, *settled], settled, strict=False):
        if rank <= floor:
            raise ValueError(
                f"the rank of arch {name!r} is {rank}, not above {floor}, the one before it on the ladder "
                f"(generic has {LAYER_RANK}), yet archs are listed from low to high, with rising ranks"
            )
    return settled


def rank_bands(bases: Sequence[Base]) -> tuple[int, tuple[int, ...]]:
    """How much the ranks of a site's own directories are raised, and those of each of its *bases*.

    Each root is above the next one, and the site's own stamps are above those of all bases, which stay as the
    bases' own sites made them. Without bases nothing is raised.
    """
    bands: list[int] = []
    for base in reversed(bases):
        bands.append(max([base.stamps, *(band + BASE_BAND for band in bands[-1:])]))
    own = OWN_BAND * (1 + max(bands) // OWN_BAND) if bands else 0
    return own, tuple(reversed(bands))
