"""The public facade: the wheels of a site, with one call for each question and each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wheelhouse_resolver.tree.reader import Tree

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wheelhouse_resolver.audit.findings import Finding
    from wheelhouse_resolver.explain.answer import Answer
    from wheelhouse_resolver.host.detect import Host
    from wheelhouse_resolver.publishing.plan import PublishOptions
    from wheelhouse_resolver.publishing.report import PublishObserver, PublishReport
    from wheelhouse_resolver.resolution.resolver import Resolution
    from wheelhouse_resolver.selection.available import Listing, Scope
    from wheelhouse_resolver.selection.pick import Pick
    from wheelhouse_resolver.site.layout import Directory
    from wheelhouse_resolver.static_index.report import IndexObserver, IndexReport
    from wheelhouse_resolver.upkeep.gap import Gaps
    from wheelhouse_resolver.upkeep.outdated import Outdated


def _each(items: Iterable[Any]) -> Iterable[Any]:
    """*items*; of a single text that one: nobody means its characters."""
    return (items,) if isinstance(items, str) else items


class Wheelhouse(Tree):
    """The wheels of a *site*, read from its directories when asked for.

    Every method raises `NoWheelhouseError` when there is no wheelhouse at the root, and
    `UnreadableDirectoryError` for a directory that cannot be listed.
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # for type checkers, the parameter is the field

        def __new__(cls, site):
            """The wheels of *site*, whose links are looked for if nobody has."""
            return super().__new__(cls, site.with_links())

    def pick(self, requirement: str, host: Host) -> Pick:
        """The wheel that policy chooses for *requirement* on *host*, and why it chose no other.

        pip's rules hold where pip has one: an extra or marker in the requirement, pre-releases only when
        asked for or when there is nothing else (PEP 440), `===`, Requires-Python read only of the wheel that
        would win, and of a version whose best build is incompatible no lower build is taken (pip >= 20.3).
        A wheel whose METADATA pip passes over is not picked; where pip would choose a file and fail, the pick
        has no `best`, and `broken` is that file.
        Raises `InvalidRequirementError`, `RequirementsFileError` for the site's constraints, `PythonError`.
        """
        from wheelhouse_resolver.selection.pick import picks
        from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement

        return picks(self, RequirementsFile((parse_requirement(requirement),)), host)[0]

    def available(self, host: Host, wanted: Iterable[str] = (), scope: Scope | None = None) -> Listing:
        """What *host* can install, newest first: of every project the newest version, or what *scope* says.

        wanted: requirements, and patterns of project names (with `*`, `?` or `[...]`); none: everything.
        Raises `InvalidRequirementError`, `RequirementsFileError`, `PythonError`.
        """
        from wheelhouse_resolver.selection.available import Scope, avail
        from wheelhouse_resolver.selection.requirements import RequirementsFile
        from wheelhouse_resolver.selection.wanted import wanted_of

        return avail(self, host, wanted_of(_each(wanted), RequirementsFile()), scope or Scope())

    def why_not(self, requirement: str, host: Host) -> Answer:
        """Why *requirement* gets no wheel on *host*, or that one, and what would help.

        Raises what `pick` raises.
        """
        from wheelhouse_resolver.explain.why_not import why_not_each
        from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement

        return why_not_each(self, RequirementsFile((parse_requirement(requirement),)), host)[0]

    def lock(self, requirements: Sequence[str], host: Host, *, constraints: Sequence[str] = ()) -> Resolution:
        """The wheels that *requirements* and all they need come to on *host*, resolved as pip resolves them.

        *constraints*, with those of the site, restrict the versions. When there is no solution, the
        resolution's `conflict` says why. `lock_text` writes it as a lock file.
        Raises `InvalidRequirementError`, `RequirementsFileError`, `PythonError`, `TooComplexError`.
        """
        from wheelhouse_resolver.resolution.resolver import resolve
        from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement

        asked, limits = (tuple(map(parse_requirement, _each(each))) for each in (requirements, constraints))
        return resolve(self, RequirementsFile(asked, limits), host)

    def publish(
        self,
        wheels: Iterable[str | os.PathLike[str]],
        to: Directory | str | None = None,
        options: PublishOptions | None = None,
        *,
        observer: PublishObserver | None = None,
    ) -> PublishReport:
        """Check *wheels*, stamp them, and place them into the directory *to*, such as `gentoo/avx2`.

        to: None: pure-Python wheels go to the top-level `generic`; others must say. options: see there; the
        report of a dry run is the plan. observer: is called as the run goes on.

        If a wheel is not sound, none is placed, and the report has all that is wrong in `refused`. One that
        cannot be placed does not stop the others; it is among `errors`. A run that was killed is simply run
        again. Raises `PublishError` and `StampError` for what cannot be planned, `UnknownLayerError`,
        `UnknownArchError`, `SiteFileError`, and `OutputError` when the disk does not take it.
        """
        from wheelhouse_resolver.publishing.plan import PublishOptions
        from wheelhouse_resolver.publishing.publish import publish

        return publish(self.site, _each(wheels), to, options or PublishOptions(), observer=observer)

    def withdraw(self, filenames: Iterable[str], to: Directory | str | None = None) -> PublishReport:
        """Take the wheels *filenames* out of every search path: out of the directory *to*, or of all.

        They can be restored. Raises `PublishError` unless all are found, `OutputError`.
        """
        from wheelhouse_resolver.publishing.withdrawal import withdraw

        return withdraw(self.site, _each(filenames), to)

    def restore(self, filenames: Iterable[str], to: Directory | str | None = None) -> PublishReport:
        """Put back the wheels *filenames*, of each the one that was withdrawn last from each directory.

        Raises `PublishError` unless all were withdrawn, also when one of that name exists; `OutputError`.
        """
        from wheelhouse_resolver.publishing.withdrawal import restore

        return restore(self.site, _each(filenames), to)

    def restamp(
        self,
        *,
        retag: bool = False,
        keep: bool = True,
        dry_run: bool = False,
        observer: PublishObserver | None = None,
    ) -> PublishReport:
        """Give every wheel the stamp of its directory; *retag*: and fix tag inversions by equal tags.

        keep: the old wheels go to `.trash/`, and `undo_restamp` puts them back.

        The report of a dry run is the plan; every wheel that would be stamped is checked for it, and its
        totals say about how long the run takes. A wheel that cannot be stamped does not stop the others.
        Raises `OutputError`.
        """
        from wheelhouse_resolver.publishing.restamp import restamp

        return restamp(self.site, retag=retag, keep=keep, dry_run=dry_run, observer=observer)

    def undo_restamp(
        self, *, forget: bool = False, dry_run: bool = False, observer: PublishObserver | None = None
    ) -> PublishReport:
        """Give the wheels that the last `restamp` has renamed their former names and bytes back.

        Another call undoes the run before. A run that was killed and those that finished its work are one.
        Wheels of a version of which a file was published, withdrawn or replaced since are left as they are;
        the errors in the report say so. *forget*: undo nothing, but remove what all runs have kept for it.
        Raises `OutputError`.
        """
        from wheelhouse_resolver.publishing.undo import forget as forget_all
        from wheelhouse_resolver.publishing.undo import undo

        return (forget_all if forget else undo)(self.site, dry_run=dry_run, observer=observer)

    def audit(
        self,
        *,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
        provenance: bool = False,
    ) -> Iterator[Finding]:
        """Where an installer's order would differ from policy, and what else is wrong, project by project.

        jobs: how many processes look into the wheels (they are forked: call it early).
        progress: called with how many wheels of how many have been looked at.
        provenance: whether a wheel that does not say what it was made from is a finding.
        """
        from wheelhouse_resolver.audit.run import audit

        return audit(self.site, jobs=jobs, progress=progress, provenance=provenance)

    def index(  # type: ignore[override]  # nobody looks for a site's place in a wheelhouse
        self,
        output: str | os.PathLike[str],
        *,
        metadata: bool = False,
        glibc: tuple[int, int] | None = None,
        jobs: int = 1,
        observer: IndexObserver | None = None,
    ) -> IndexReport:
        """Write the static index into the directory *output*, or bring it up to date.

        `output/<class>/<project>/index.html` for every kind of host, with relative links: a page lists what
        policy would choose. Files that are as they were are not read again, pages that are right are not
        written. Another run that writes the same index is waited for; a run that was killed is run again.

        metadata: write a `.metadata` file beside each wheel as well. glibc: the C library of the hosts, such
        as (2, 28); None: new enough for all wheels. jobs: how many processes read wheels (they are forked:
        call it early). observer: is called as the run goes on.

        What is broken is on no page; it is in the report's `left_out`. Raises `OutputError`, also for a
        directory where no index may be.
        """
        from wheelhouse_resolver.static_index.index import write_index

        place = output if isinstance(output, str) else output.__fspath__()
        return write_index(self.site, place, observer=observer, jobs=jobs, metadata=metadata, glibc=glibc)

    def gaps(self, host: Host, patterns: Iterable[str] = (), *, like: Iterable[str] = ()) -> Gaps:
        """What *host* has no wheel of, though others have, in the order in which it can be built.

        patterns: globs of project names; none: every project. like: the others are hosts as this one, but for
        a Python (`3.13`), a layer or an arch of that name; none: all hosts of the site, all Pythons. With a
        layer, the loader of the host's Python is asked which libraries of the wheels it does not find.
        Raises `UnknownNameError`, `RequirementsFileError`, `PythonError`.
        """
        from wheelhouse_resolver.upkeep.gaps import find_gaps

        return find_gaps(self, host, _each(patterns), _each(like))

    def outdated(
        self,
        host: Host,
        patterns: Iterable[str] = (),
        *,
        min_age: float = 0,
        offline: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Outdated:
        """How what *host* can install compares with the indexes that pip of its Python is configured for.

        patterns: globs of project names; none: every project. min_age: releases younger than so many days do
        not count. offline: nothing is asked; what the indexes said last time counts. progress: called with
        how many of how many answers are there.

        What an index does or does not answer is in the rows. Raises `NoIndexError`, `MissingExtraError`,
        `RequirementsFileError`, `PythonError`.
        """
        from wheelhouse_resolver.upkeep.fetching import asking
        from wheelhouse_resolver.upkeep.outdated import find_outdated

        ask = asking(self.site, host, offline=offline, progress=progress)
        return find_outdated(self, host, _each(patterns), ask, min_age=min_age)
