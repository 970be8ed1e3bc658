"""The public facade: the wheels of a site, and what can be asked of them in one call each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse_resolver.tree.reader import Tree

if TYPE_CHECKING:
    from wheelhouse_resolver.host.detect import Host
    from wheelhouse_resolver.selection.pick import Pick

__all__ = ["Wheelhouse"]


class Wheelhouse(Tree):
    """The wheels of a site, read from its directories when asked for.

    Raises `NoWheelhouseError` from every method when the root is not there, and
    `UnreadableDirectoryError` for a directory that cannot be listed.
    """

    __slots__ = ()

    def pick(self, requirement: str, host: Host) -> Pick:
        """The wheel that policy chooses for *requirement* on *host*, and why it chose no other.

        See `wheelhouse_resolver.selection.pick.pick`, which this calls with this wheelhouse.
        """
        from wheelhouse_resolver.selection.pick import pick

        return pick(self, requirement, host)
