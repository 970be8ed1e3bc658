"""Publishing what was built, to the directory that its classification names."""

from __future__ import annotations

from collections.abc import Sequence

from wheelhouse_resolver.builder.classification.classify import classify
from wheelhouse_resolver.builder.records.record import BuildRecord
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.publishing.plan import PublishOptions
from wheelhouse_resolver.publishing.publish import publish
from wheelhouse_resolver.publishing.report import FileChange
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.model import Site


class UnclassifiedError(WheelhouseError, ValueError):
    """A wheel whose target directory cannot be determined. *reasons*: why."""

    _message = "cannot determine the target directory: {reasons:; }"
    path: str
    reasons: Sequence[str]


class UnpublishableError(WheelhouseError, ValueError):
    """Builds whose compiled wheels no directory would take. *built_for*: the arch and the layer."""

    _message = "cannot publish what is built for {built_for}: this site has no directory for it"
    built_for: str


def check_publishable(site: Site, layer: str | None, archs: Sequence[str]) -> None:
    """Raise `UnpublishableError` if *site* has no directory for *layer* and one of *archs*."""
    for arch in archs:
        if site.directories_for(layer, arch):
            continue
        names = ", ".join(each.name for each in site.layers)
        if layer is None:
            error = UnpublishableError(f"{arch} without a layer")
            raise error.with_hint(f"give --layer ({names}), or --arch {GENERIC} for what runs anywhere")
        known = sorted((GENERIC, *(each.name for each in site.ladder)))
        own = ", ".join(each for each in known if site.directories_for(layer, each))
        raise UnpublishableError(f"{arch} in layer {layer}").with_hint(f"give --arch: it has {own}")


def publish_built(wheel: str, site: Site, record: BuildRecord) -> list[FileChange]:
    """Place the wheel at the path *wheel*, which was built as *record* says, into the wheelhouse of *site*.

    Existing wheels that have to be stamped first are among what is returned. Raises `UnclassifiedError`, and
    what `publish` raises or reports.
    """
    found = classify(wheel, site, record=record)
    if found.directory is None:
        command = site.command("publish", "--to", "LAYER/ARCH", wheel)
        raise UnclassifiedError(wheel, found.reasons).with_hint(f"name it: `{command}`")
    # Beside the site's own builds of that version: their tags are linux.
    options = PublishOptions(run_after=False, retag=record.upstream is not None)
    done = publish(site, [wheel], found.directory, options)
    for error in (*done.refused, *done.errors):
        raise error
    return list(done.changes)
