"""What there is for several hosts: the answers of `available` for each, together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from operator import attrgetter

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.available import Listing, Row, Scope, avail
from wheelhouse_resolver.selection.wanted import Wanted
from wheelhouse_resolver.tree.reader import ListedOnce, Tree
from wheelhouse_resolver.utils.text import version_key


def avail_for_any(wheelhouse: Tree, hosts: Collection[Host], wanted: Wanted, scope: Scope) -> Listing:
    """What `avail` finds for one of *hosts* at least; of one version and directory, older Pythons first.

    A requirement is missing where one host gets nothing for it: then its row says which host, unless it is
    none of them. A pattern is unmatched when it is for all.
    """
    tree = ListedOnce(wheelhouse.site) if len(hosts) > 1 else wheelhouse
    found = [(host, avail(tree, host, wanted, scope)) for host in hosts]
    if len(found) == 1:
        return found[0][1]
    listings = [listing for _, listing in found]
    rows = {row.wheels[0].path: row for listing in listings for row in listing.rows}
    return Listing(
        rows=tuple(_in_order(rows.values())),
        missing=tuple(_missing(found)),
        unmatched=tuple(each for each in listings[0].unmatched if all(each in e.unmatched for e in listings)),
        direct=_once(each.direct for each in listings),
        warnings=_once(each.warnings for each in listings),
    )


def _in_order(rows: Iterable[Row]) -> list[Row]:
    ordered = sorted(rows, key=lambda row: (-row.wheels[0].directory.rank, version_key(row.wheels[0].path)))
    ordered.sort(key=lambda row: row.wheels[0].version, reverse=True)
    return sorted(ordered, key=attrgetter("name"))


def _missing(found: Collection[tuple[Host, Listing]]) -> Iterator[Row]:
    """The rows of what a host gets nothing for, a row for each of these hosts unless that is all of them."""
    lacking: dict[tuple[str, str], list[tuple[Host, Row]]] = {}
    for host, listing in found:
        for row in listing.missing:
            lacking.setdefault((row.name, row.wanted), []).append((host, row))
    for _, those in sorted(lacking.items()):
        if len(those) == len(found):
            yield those[0][1]
        else:
            yield from (row._replace(lacking=(host.python.name, host.arch)) for host, row in those)


def _once(several: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(several)))
