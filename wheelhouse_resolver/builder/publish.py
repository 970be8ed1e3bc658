"""Publishing what was built, to the directory that its classification names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wheelhouse_resolver.builder.classification.classify import classify
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.place import Outcome, place
from wheelhouse_resolver.publishing.plan import PublishOptions, plan
from wheelhouse_resolver.wheelfile.validate import check_wheel

if TYPE_CHECKING:
    from wheelhouse_resolver.builder.records.record import BuildRecord
    from wheelhouse_resolver.site.model import Site

__all__ = ["UnclassifiedError", "publish_built"]


class UnclassifiedError(WheelhouseError, ValueError):
    """A wheel whose directory cannot be determined. *reasons*: why not."""

    _message = "cannot determine the target directory of {path}: {reasons}"
    path: str
    reasons: Sequence[str]


def publish_built(wheel: str, site: Site, record: BuildRecord) -> list[Outcome]:
    """Place the wheel at the path *wheel*, which was built as *record* says, into the wheelhouse of *site*.

    Existing wheels that have to be stamped first are among what is returned. Raises `UnclassifiedError`,
    `InvalidWheelError`, and what `plan` and `place` raise.
    """
    found = classify(wheel, site, record=record)
    if found.directory is None:
        hint = f"place it yourself: {site.command('publish', '--to', 'LAYER/ARCH', wheel)}"
        raise UnclassifiedError(wheel, found.reasons).with_hint(hint)
    steps = plan(site, [check_wheel(wheel)], found.directory, PublishOptions())
    for directory in {step.directory.path for step in steps}:
        trash.clear(directory)
    return [place(step) for step in steps]
