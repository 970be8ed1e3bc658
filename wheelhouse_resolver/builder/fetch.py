"""Wheels from the index into the wheelhouse, in one call."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wheelhouse_resolver.builder.config import site_pythons
from wheelhouse_resolver.builder.executors.local import LocalExecutor
from wheelhouse_resolver.builder.fetch_config import fetch_settings
from wheelhouse_resolver.builder.planning.model import Entry, PlanSettings
from wheelhouse_resolver.builder.planning.planner import make_plan
from wheelhouse_resolver.builder.process.commands import subreaper
from wheelhouse_resolver.builder.process.scratch import scratch_directory
from wheelhouse_resolver.builder.publish import check_publishable, publish_built
from wheelhouse_resolver.builder.records.job import BuildOptions
from wheelhouse_resolver.builder.records.record import FETCHED, PRESENT, BuildRecord
from wheelhouse_resolver.builder.records.settings import BuildSettings
from wheelhouse_resolver.builder.run import BuildOutcome, execute
from wheelhouse_resolver.host.detect import detect_host
from wheelhouse_resolver.host.interpreters import targets_of
from wheelhouse_resolver.publishing.config import after_command, run_after_hook
from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.listing import check_root
from wheelhouse_resolver.utils.serialise import to_plain


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchOptions:
    """How to fetch.

    python:      the Pythons, paths or versions separated by commas; None: the site's, else the running one.
    arch, layer: what the wheels are for; layer None: that of the first Python.
    output:      the directory for wheels, records and logs.
    deps:        also what the wheels require and the wheelhouse lacks.
    verify, publish: whether they are.
    local_label: of wheels with compiled code; None: the site's.
    find_links:  directories with wheels, besides the index. offline: use no index.
    jobs:        how many at once.
    """

    python: str | None = None
    arch: str = GENERIC
    layer: str | None = None
    output: str = "wheels"
    deps: bool = True
    verify: bool = True
    publish: bool = True
    local_label: str | None = None
    find_links: Sequence[str] = ()
    offline: bool = False
    jobs: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedWheel:
    """What became of one wheel, for one Python.

    project, version: of the wheel; the version is empty where none was found.
    python:  the version of the Python, `3.11`.
    result:  `fetched`; `present`: it was there, or fits another Python too; `failed`; or `skipped`, because
             something that it requires failed.
    problem: what went wrong. log: the path of the log with the details.
    places:  where in the wheelhouse it is.
    record:  what was done; None if nothing was.
    """

    project: str
    version: str
    python: str
    result: str
    problem: str
    log: str
    places: tuple[str, ...]
    record: BuildRecord | None

    @property
    def ok(self) -> bool:
        """Whether there is a wheel."""
        return self.result in (FETCHED, PRESENT)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found: dict[str, Any] = to_plain(self)
        return found


class _Silent:
    """A `BuildReporter` that says nothing."""

    def began(self, entries: Sequence[Entry]) -> None:
        """See `BuildReporter`."""

    def started(self, entry: Entry, log: str) -> None:
        """See `BuildReporter`."""

    def held(self, entries: Sequence[Entry], why: str) -> None:
        """See `BuildReporter`."""

    def ended(self, outcome: BuildOutcome) -> None:
        """See `BuildReporter`."""

    def published(self, outcome: BuildOutcome) -> None:
        """See `BuildReporter`."""

    def waiting(self) -> None:
        """See `BuildReporter`."""


def fetch(requirements: Iterable[str], site: Site, options: FetchOptions | None = None) -> list[FetchedWheel]:
    """Take the wheels of *requirements* from the index into the wheelhouse of *site*.

    Each is adapted to the layer, verified, classified and published, as the command `fetch` does, on this
    machine. One that fails or is refused is no exception. Raises `InvalidRequirementError`, `PythonError`,
    `SiteFileError`, `NoWheelhouseError`, `OutputError`, `AfterHookError`.
    """
    options = options or FetchOptions()
    check_root(site)
    asked = RequirementsFile(requirements=tuple(map(parse_requirement, requirements)))
    targets = targets_of(options.python or site_pythons(site))
    layer = detect_host(targets[0].path, layer=options.layer, site=site).layer
    found = site.arch(options.arch, site.layer(layer))
    arch = found.name if found is not None else GENERIC
    fetching = fetch_settings(site, layer, options.local_label)
    after = after_command(site) if options.publish else []
    if options.publish:
        check_publishable(site, layer, [arch])
    output = os.path.abspath(options.output)
    work = os.path.join(output, ".build")
    build = BuildOptions(
        site=site,
        work=work,
        output=output,
        logs=os.path.join(work, "logs"),
        verify=options.verify,
        find_links=tuple(map(os.path.abspath, options.find_links)),
        offline=options.offline,
        given=BuildSettings(local_label=options.local_label),
        upstream=fetching.upstream,
    )
    with subreaper(), scratch_directory(work) as scratch:
        settings = PlanSettings(
            targets=tuple(targets),
            archs=(arch,),
            layer=layer,
            scratch=scratch,
            recursive=options.deps,
            publish=options.publish,
            forbidden=fetching.forbidden,
        )
        plan = make_plan(asked, settings, build)
        publish = publish_built if options.publish else None
        outcomes = execute(plan, LocalExecutor(options.jobs), build, _Silent(), publish=publish)
    if after and any(outcome.placed for outcome in outcomes):
        run_after_hook(after)
    return [
        FetchedWheel(
            project=each.entry.job.project,
            version=each.entry.version,
            python=each.entry.job.python_version,
            result=each.result,
            problem=each.problem,
            log=each.log,
            places=each.places,
            record=each.record,
        )
        for each in outcomes
    ]
