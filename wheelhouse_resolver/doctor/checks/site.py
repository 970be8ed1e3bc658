"""Checks of the site, its wheelhouse and what the host was taken for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.host.detect import ARCH_VARIABLES
from wheelhouse_resolver.utils.serialise import to_plain

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import EnvironmentFacts


@check("site-file", "without it the layers, archs and root are not those of the site")
def _site_file(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    site = facts.site
    if site.problem:
        gone = site.file_missing and site.file_by == "WHEELHOUSE_CONFIG"
        yield Diagnostic(
            ERROR,
            f"{site.problem}; the built-in site was used instead",
            fixes.unset(facts, "WHEELHOUSE_CONFIG") if gone else fixes.edit(site.file, site.line),
            {"file": site.file, "line": site.line, "named_by": site.file_by},
        )


@check("root", "pip finds none of the site's wheels")
def _root(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    site = facts.site
    named = site.root_by in ("--root", "WHEELHOUSE_ROOT")
    if not site.root_problem or (site.problem and not named):
        return
    links = facts.pip.in_force.get("find-links")
    places = {each.value for each in facts.pip.links if each.real is not None and each.exists}
    if site.root_by == "built-in" and links is not None and not places.isdisjoint(links.values):
        # `init` would make an empty wheelhouse here, and that would hide the one that pip finds.
        yield Diagnostic(
            WARNING,
            f"the site file is not known here, though {links.where} names what may be its wheelhouse: "
            "load the site's module, or set WHEELHOUSE_CONFIG",
            "",
            {"root": None, "named_by": site.root_by, "find_links": to_plain(links)},
            why="pip finds the wheels, but which layers, archs and directories there are is not known here",
        )
        return
    if site.root_by == "WHEELHOUSE_ROOT":
        fix = fixes.unset(facts, "WHEELHOUSE_ROOT")
    elif site.root_by == "site file":
        fix = fixes.edit(site.file)
    else:
        fix = facts.command("init")
    what = f"wheelhouse {site.root} (named by {site.root_by}): {site.root_problem}"
    yield Diagnostic(
        ERROR,
        site.root_problem if site.root_by == "built-in" else what,
        fix,
        {"root": site.root or None, "named_by": site.root_by},
    )


@check("unreadable-directory", "pip goes on without its wheels, and does not say so")
def _unreadable(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.directories:
        if each.problem:
            used = "which this host searches" if each.searched else "which other hosts search"
            yield Diagnostic(
                ERROR if each.searched else WARNING,
                f"cannot list {each.directory.path}, {used}: {each.problem}",
                shlex.join(["chmod", "a+rx", each.directory.path]),
                {"path": each.directory.path, "searched": each.searched},
            )


@check("empty-search-path", "pip finds none of the site's wheels")
def _empty(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if not facts.directories or any(each.problem for each in facts.searched):
        return
    labels = [each.directory.label for each in facts.searched]
    if not any(each.exists for each in facts.searched):
        yield Diagnostic(
            ERROR,
            f"none of the directories that this host searches exists: {', '.join(labels)}",
            facts.command("init"),
            {"directories": [each.directory.path for each in facts.searched]},
        )
    elif not any(each.wheels for each in facts.searched):
        yield Diagnostic(
            WARNING,
            f"the directories that this host searches hold no wheel: {', '.join(labels)}",
            facts.command("detect", *facts.host_options),
            {"directories": [each.directory.path for each in facts.searched]},
        )


@check("unknown-override", "every other command of this program refuses it, so module files and hooks fail")
def _unknown_override(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.unknown_overrides:
        yield Diagnostic(
            ERROR,
            f"{each.variable}: {each.problem}; what was detected was used instead",
            fixes.unset(facts, each.variable),
            {"variable": each.variable, "name": each.name},
        )


@check(
    "arch-override",
    "above it, programs die of an illegal instruction; below it, they run slower than they could",
)
def _arch_override(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    host = facts.host
    stated = host.arch_evidence[0] if host.arch_evidence else None
    by_cpu = next((each for each in host.arch_evidence if each.source == "cpu"), None)
    if stated is None or by_cpu is None or stated.source == "cpu" or stated.value == by_cpu.value:
        return
    ladder = ["generic", *(arch.name for arch in facts.site.site.ladder)]
    above = ladder.index(stated.value or "generic") > ladder.index(by_cpu.value or "generic")
    so = "its wheels may crash here" if above else "its wheels are slower than need be"
    why = "programs die of an illegal instruction" if above else "programs run slower than they could"
    yield Diagnostic(
        ERROR if above else NOTE,
        f"{stated.detail} is {'above' if above else 'below'} what this CPU can run: {by_cpu.value} "
        f"({by_cpu.detail}); {so}",
        fixes.unset(facts, stated.source) if stated.source in ARCH_VARIABLES else facts.command("doctor"),
        {"source": stated.source, "stated": stated.value, "cpu": by_cpu.value},
        why=why,
    )


@check(
    "unstamped-ties", "pip then chooses by the spelling of the directories, not by what fits this CPU best"
)
def _ties(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    ties = facts.ties
    if ties.count:
        shown = "; ".join(
            f"{name} {version} in {', '.join(labels)}" for name, version, labels in ties.examples
        )
        versions = "1 version is" if ties.count == 1 else f"{ties.count} versions are"
        more = "; ..." if ties.count > len(ties.examples) else ""
        yield Diagnostic(
            WARNING,
            f"{versions} in several directories without current stamps: {shown}{more}",
            facts.command("restamp"),
            {
                "count": ties.count,
                "examples": [
                    {"project": name, "version": version, "directories": list(labels)}
                    for name, version, labels in ties.examples
                ],
            },
        )
