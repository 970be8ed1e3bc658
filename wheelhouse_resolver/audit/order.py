"""Findings about the order of wheels: where installers differ from policy, or a label hides a better arch."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from packaging.version import Version

from wheelhouse_resolver.audit.findings import Finding, FindingKind
from wheelhouse_resolver.publishing.order import WrongOrder, situations
from wheelhouse_resolver.publishing.plan import is_current
from wheelhouse_resolver.publishing.withdrawal import withdraw_command
from wheelhouse_resolver.site.layout import GENERIC, HostKind
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate


def order_finding(site: Site, case: WrongOrder, sound: Collection[str]) -> Finding:
    """The finding about *case*; *sound*: the paths of the wheels that can be restamped."""
    kind = FindingKind.INVERSION if case.by_tag else FindingKind.ORDER
    fix = site.command("restamp", *["--retag"] * case.by_tag)
    if case.chosen.directory.base is not None and not case.by_tag and is_current(site, case.wanted):
        fix = without_stamps(site)
    for each in (case.wanted, case.chosen):
        if each.path not in sound and each.directory.base is None:
            fix = withdraw_command(site, each.directory, each.filename)
    return Finding.about(
        [case.wanted, case.chosen],
        kind,
        str(case),
        fix,
        wanted=case.wanted.path,
        chosen=tuple((installer, case.chosen.path) for installer in case.installers),
        hosts=case.hosts,
        pythons=case.pythons,
    )


def without_stamps(site: Site, *, by_tag: bool = False) -> str:
    """What to do where no stamp can be given, in a base; *by_tag*: where one would not help either."""
    words = ("index", "view")
    index, view = (site.command(word, "--output", os.path.join(site.root, word)) for word in words)
    ways = [f"an index (`{index}`)", *([] if by_tag else [f"a view (`{view}`)"]), "uv's flat indexes"]
    return f"serve it through {', '.join(ways[:-1])} or {ways[-1]}"


def check_labels(site: Site, hosts: Sequence[HostKind], candidates: Sequence[Candidate]) -> Iterator[Finding]:
    """Where a local label makes hosts take a wheel of a less specific directory than they could.

    A label makes a version newer, for policy as for installers: of `1.0+site` in avx2 and `1.0` in avx512,
    nobody takes the one in avx512. *candidates*: of one project.
    """
    public: dict[Version, list[Candidate]] = defaultdict(list)
    for each in candidates:
        public[Version(each.version.public)].append(each)
    for same in public.values():
        if len({each.version for each in same}) > 1:
            yield from _outranked(site, hosts, same)


def _outranked(site: Site, hosts: Sequence[HostKind], same: Sequence[Candidate]) -> Iterator[Finding]:
    """The findings of `check_labels` about wheels of one public version; one for each two wheels."""
    found: dict[tuple[str, str], tuple[Candidate, Candidate, dict[str, None], dict[str, None]]] = {}
    for host, python, able in situations(same, hosts):
        newest = max(able, key=lambda each: (each.version, each.directory.rank), default=None)
        better = max(able, key=lambda each: (each.directory.rank, each.version), default=None)
        if newest and better and better.directory.rank > newest.directory.rank:
            case = found.setdefault((better.path, newest.path), (better, newest, {}, {}))
            case[2][host.label] = None
            case[3][str(python)] = None
    for better, newest, labels, versions in found.values():
        if better.directory.arch != GENERIC and all(tag.platform == "any" for tag in better.tags):
            continue  # it belongs in a generic directory, as another finding says: the fixes would collide
        message = (
            f"every installer takes {newest.directory.label}/{newest.filename} and not "
            f"{better.directory.label}/{better.filename}: its local label makes the version newer"
        )
        fix = _label_fix(site, better, newest)
        yield Finding.about(
            [better, newest], FindingKind.LABEL, message, fix, hosts=tuple(labels), pythons=tuple(versions)
        )


def _label_fix(site: Site, better: Candidate, newest: Candidate) -> str:
    """What makes *better* as new as *newest*: a label appended to what it has, if that can do it."""
    own, wanted = ((each.version.local or "").split(".") for each in (better, newest))
    own = [part for part in own if part]
    label = better.directory.label
    if wanted[: len(own)] == own:
        more = f"--local-label={'.'.join(wanted[len(own) :])}"
        retag = ["--retag"] * (better.tags != newest.tags)
        return site.command("publish", "--to", label, more, *retag, better.path)
    if newest.directory.base is not None:
        return f"publish a build of {newest.version} into {label}"
    withdraw = withdraw_command(site, newest.directory, newest.filename)
    return f"publish a build of {newest.version} into {label}, or withdraw the other: {withdraw}"
