from __future__ import annotations

from collections.abc import Sequence

from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.resolution.resolver import Resolution
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.wheelhouse import Wheelhouse


def lock(
    requirements: Sequence[str], site: Site, host: Host, *, constraints: Sequence[str] = ()
) -> Resolution:
    """What the wheels of *site* come to."""
    return Wheelhouse(site).lock(requirements, host, constraints=constraints)
