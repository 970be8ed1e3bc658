"""The waves of a plan's builds."""

from __future__ import annotations

from collections.abc import Iterable

from wheelhouse_resolver.builder.planning.model import Entry
from wheelhouse_resolver.builder.planning.waves import CycleError, sharing_order, waves

#: How a cycle through build requirements is broken.
BOOTSTRAP = (
    "publish a wheel of one of them (a build requirement that the wheelhouse has is not built), "
    "or build without --build-requires"
)


def arranged(entries: Iterable[Entry], *, build_requires: bool = False) -> tuple[tuple[Entry, ...], ...]:
    """*entries* in waves: each after what it needs, and after builds whose wheel may serve it as well.

    build_requires: some are needed to build others. Raises `CycleError`.
    """
    found = {entry.key: entry for entry in entries}
    order = {
        key: [
            *((*need, entry.target, entry.arch) for need in entry.needs),
            *((*key[:2], *each) for each in sharing_order(entry.target, entry.arch)),
        ]
        for key, entry in found.items()
    }
    try:
        return tuple(tuple(found[key] for key in wave) for wave in waves(order, lambda key: key[0]))
    except CycleError as error:
        raise error.with_hint(BOOTSTRAP) if build_requires else error from None
