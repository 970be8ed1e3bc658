"""Checks of the site, its wheelhouse and what the host was taken for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor.findings import Check, Severity, Symptom
from wheelhouse_resolver.doctor.fixes import edit, line, ours, unset
from wheelhouse_resolver.host.detect import ARCH_VARIABLES

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import Facts

__all__ = ["SITE_CHECKS"]


def _site_file(facts: Facts) -> Iterator[Symptom]:
    site = facts.site
    if site.problem:
        gone = site.file_missing and site.file_by == "WHEELHOUSE_CONFIG"
        yield Symptom(
            severity=Severity.ERROR,
            what=f"{site.problem}; the built-in site was taken instead",
            mend=unset(facts, "WHEELHOUSE_CONFIG") if gone else edit(site.file, site.line),
            data={"file": site.file, "line": site.line, "named_by": site.file_by},
        )


def _root(facts: Facts) -> Iterator[Symptom]:
    site = facts.site
    named = site.root_by in ("--root", "WHEELHOUSE_ROOT")
    if not site.root_problem or (site.problem and not named):
        return
    links = facts.pip.in_force.get("find-links")
    places = {each.value for each in facts.pip.links if each.real is not None and each.exists}
    if site.root_by == "built-in" and links is not None and not places.isdisjoint(links.values):
        # `init` would make an empty wheelhouse here, and that would hide the one that pip finds.
        yield Symptom(
            severity=Severity.WARNING,
            what=f"the site file is not known here, though {links.where} names what may be its wheelhouse: "
            "load the site's module, or set WHEELHOUSE_CONFIG",
            why="pip finds the wheels, but which layers, archs and directories there are is not known here",
            data={"root": None, "named_by": site.root_by, "find_links": links.to_dict()},
        )
        return
    if site.root_by == "WHEELHOUSE_ROOT":
        mend = unset(facts, "WHEELHOUSE_ROOT")
    elif site.root_by == "site file":
        mend = edit(site.file)
    else:
        mend = ours(facts, "init")
    what = f"wheelhouse {site.root} (named by {site.root_by}): {site.root_problem}"
    yield Symptom(
        severity=Severity.ERROR,
        what=site.root_problem if site.root_by == "built-in" else what,
        mend=mend,
        data={"root": site.root or None, "named_by": site.root_by},
    )


def _unreadable(facts: Facts) -> Iterator[Symptom]:
    for each in facts.directories:
        if each.problem:
            used = "which this host searches" if each.searched else "which other hosts search"
            yield Symptom(
                severity=Severity.ERROR if each.searched else Severity.WARNING,
                what=f"cannot list {each.directory.path}, {used}: {each.problem}",
                mend=line("chmod", "a+rx", each.directory.path),
                data={"path": each.directory.path, "searched": each.searched},
            )


def _empty(facts: Facts) -> Iterator[Symptom]:
    if not facts.directories or any(each.problem for each in facts.searched):
        return
    labels = [each.directory.label for each in facts.searched]
    if not any(each.exists for each in facts.searched):
        yield Symptom(
            severity=Severity.ERROR,
            what=f"none of the directories that this host searches exists: {', '.join(labels)}",
            mend=ours(facts, "init"),
            data={"directories": [each.directory.path for each in facts.searched]},
        )
    elif not any(each.wheels for each in facts.searched):
        yield Symptom(
            severity=Severity.WARNING,
            what=f"the directories that this host searches hold no wheel: {', '.join(labels)}",
            mend=ours(facts, "detect"),
            data={"directories": [each.directory.path for each in facts.searched]},
        )


def _unknown_override(facts: Facts) -> Iterator[Symptom]:
    for each in facts.unknown_overrides:
        yield Symptom(
            severity=Severity.ERROR,
            what=f"{each.variable}: {each.problem}; what was detected was taken instead",
            mend=unset(facts, each.variable),
            data={"variable": each.variable, "name": each.name},
        )


def _arch_override(facts: Facts) -> Iterator[Symptom]:
    host = facts.host
    stated = host.arch_evidence[0] if host.arch_evidence else None
    by_cpu = next((each for each in host.arch_evidence if each.source == "cpu"), None)
    if stated is None or by_cpu is None or stated.source == "cpu" or stated.value == by_cpu.value:
        return
    ladder = ["generic", *(arch.name for arch in facts.site.site.ladder)]
    above = ladder.index(stated.value or "generic") > ladder.index(by_cpu.value or "generic")
    so = "its wheels may crash here" if above else "its wheels are slower than need be"
    why = "programs die of an illegal instruction" if above else "programs run slower than they could"
    yield Symptom(
        severity=Severity.ERROR if above else Severity.NOTE,
        what=f"{stated.detail} is {'above' if above else 'below'} what this CPU can run: {by_cpu.value} "
        f"({by_cpu.detail}); {so}",
        mend=unset(facts, stated.source) if stated.source in ARCH_VARIABLES else ours(facts, "doctor"),
        why=why,
        data={"source": stated.source, "stated": stated.value, "cpu": by_cpu.value},
    )


def _ties(facts: Facts) -> Iterator[Symptom]:
    ties = facts.ties
    if ties.count:
        shown = "; ".join(
            f"{name} {version} in {', '.join(labels)}" for name, version, labels in ties.examples
        )
        stand = "1 version stands" if ties.count == 1 else f"{ties.count} versions stand"
        more = "; ..." if ties.count > len(ties.examples) else ""
        yield Symptom(
            severity=Severity.WARNING,
            what=f"{stand} in several directories without current stamps: {shown}{more}",
            mend=ours(facts, "restamp"),
            data={
                "count": ties.count,
                "examples": [
                    {"project": name, "version": version, "directories": list(labels)}
                    for name, version, labels in ties.examples
                ],
            },
        )


SITE_CHECKS = (
    Check(
        "site-file",
        "the site file is missing or invalid",
        "without it the layers, archs and root are not those of the site",
        "correct the line that is named, or unset WHEELHOUSE_CONFIG",
        _site_file,
    ),
    Check(
        "root",
        "the wheelhouse's root is not there, or not known",
        "pip finds none of the site's wheels",
        "unset WHEELHOUSE_ROOT, correct the site file, load the site's module, or make one with `init`",
        _root,
    ),
    Check(
        "unreadable-directory",
        "a directory of the wheelhouse cannot be listed",
        "pip goes on without its wheels, and does not say so",
        "`chmod a+rx`, by its owner",
        _unreadable,
    ),
    Check(
        "empty-search-path",
        "no directory that this host searches exists or holds a wheel",
        "pip finds none of the site's wheels",
        "`init` makes the tree; `detect` shows why this host searches these",
        _empty,
    ),
    Check(
        "unknown-override",
        "WHEELHOUSE_ARCH, RSNT_ARCH or WHEELHOUSE_LAYER names what the site does not have",
        "every other command of this program refuses it, so module files and hooks fail",
        "unset the variable",
        _unknown_override,
    ),
    Check(
        "arch-override",
        "the arch that was stated is not what the CPU can run",
        "above it, programs die of an illegal instruction; below it, they run slower than they could",
        "unset the variable",
        _arch_override,
    ),
    Check(
        "unstamped-ties",
        "versions that stand in several searched directories without current stamps",
        "pip then chooses by the spelling of the directories, not by what fits this CPU best",
        "`restamp`, by the site's staff",
        _ties,
    ),
)
