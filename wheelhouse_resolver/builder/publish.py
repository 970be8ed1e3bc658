"""Publishing what was built: to the directory that its classification names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wheelhouse_resolver.builder.classification.classify import classify
from wheelhouse_resolver.errors import WheelhouseError, printable
from wheelhouse_resolver.publishing.plan import PublishOptions
from wheelhouse_resolver.publishing.publish import publish
from wheelhouse_resolver.publishing.report import FileChange

if TYPE_CHECKING:
    from wheelhouse_resolver.builder.records.record import BuildRecord
    from wheelhouse_resolver.site.model import Site

__all__ = ["UnclassifiedError", "publish_built"]


class UnclassifiedError(WheelhouseError, ValueError):
    """A wheel of which it cannot be told where it belongs. Attributes: *path*, *reasons*."""

    def __init__(self, path: str, reasons: tuple[str, ...]) -> None:
        super().__init__(path, reasons)
        self.path = path
        self.reasons = reasons

    def __str__(self) -> str:
        return (
            f"where it belongs cannot be told ({printable('; '.join(self.reasons))}); place it with "
            f"`wheelhouse-resolver publish --to LAYER/ARCH {printable(self.path)}`"
        )


def publish_built(wheel: str, site: Site, record: BuildRecord) -> list[FileChange]:
    """Place the wheel at the path *wheel* into the wheelhouse of *site*; *record* tells how it was built.

    What is there unstamped and has to be stamped first is among what is returned. Raises
    `UnclassifiedError`, and what `publish` raises or reports.
    """
    found = classify(wheel, site, record=record)
    if found.directory is None:
        raise UnclassifiedError(wheel, found.reasons)
    done = publish(site, [wheel], found.directory, PublishOptions(run_after=False))
    for error in (*done.refused, *done.errors):
        raise error
    return list(done.changes)
