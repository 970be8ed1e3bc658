"""Source archives that installers take instead of wheels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.specifiers import SpecifierSet

from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.publishing.order import situations, visible
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.selection.policy import archives_outrank
from wheelhouse_resolver.site.layout import HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, SourceArchive
from wheelhouse_resolver.utils.text import version_key


def check_archives(
    site: Site, archives: Sequence[SourceArchive], wheels: Sequence[Candidate], hosts: Sequence[HostKind]
) -> Iterator[Finding]:
    """A finding for each of *archives* of a project that has these *wheels*.

    An error where an installer that wants any version would build it though a wheel fits. Whether a build for
    another Python or host would be needed is no fault of the archive.
    """
    by_pip, by_uv = archives_outrank(site, archives[0].name)
    installers = [name for name, takes in (("pip", by_pip), ("uv", by_uv)) if takes]
    for archive in archives:
        fix = withdraw_command(site, archive.directory, archive.filename)
        cases = list(_outranked(archive, archives, wheels, hosts)) if installers else []
        who = " and ".join(installers)
        if not cases and by_uv:
            cases = list(_outranked(archive, archives, wheels, hosts, flat=True))
            who = "uv with flat indexes"
        if cases:
            lost = cases[0][2]
            message = (
                f"{who} would build this source archive, not take {lost.directory.label}/{lost.filename}"
            )
            where = {"hosts": tuple(dict.fromkeys(host for host, _, _ in cases))}
            where["pythons"] = tuple(sorted({python for _, python, _ in cases}, key=version_key))
            yield Finding.about([archive], FindingKind.BUILT, message, fix, **where)
            continue
        message = "a source archive: where no wheel of its version or newer fits, "
        if installers:
            message += f"{' and '.join(installers)} would build it"
        else:
            message = "a source archive, which nothing takes: the [pip] table says only-binary"
        yield Finding.about([archive], FindingKind.SOURCE, message, fix)


def _outranked(
    archive: SourceArchive,
    archives: Sequence[SourceArchive],
    wheels: Sequence[Candidate],
    hosts: Sequence[HostKind],
    *,
    flat: bool = False,
) -> Iterator[tuple[str, str, Candidate]]:
    """Where *archive* is the newest of all, and yet a wheel fits: host, Python, and the best such wheel.

    *flat*: instead where wheels of its version fit, and are all in less specific directories, which uv does
    not look at then (measured with uv 0.6.17 and 0.13.9).
    """
    searching = [host for host in hosts if visible([archive], host)]
    for host, python, able in situations(wheels, searching, least=1):
        if not able:
            continue
        versions = {each.version for each in able} | {each.version for each in visible(archives, host)}
        newest = max(SpecifierSet().filter(versions))  # pre-releases only if there is nothing else
        beside = [each.directory.rank for each in able if each.version == newest]
        taken = bool(beside) and max(beside) < archive.directory.rank if flat else not beside
        if archive.version == newest and taken:
            by_version = sorted(able, key=lambda each: (each.version, each.directory.rank))
            yield host.label, str(python), by_version[-1]
