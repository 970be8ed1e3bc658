"""Checks of the site, its wheelhouse and what the host was taken for."""

from __future__ import annotations

from collections.abc import Iterator

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.checks.links import finds_directories, finds_wheelhouse
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.host.detect import ARCH_VARIABLES
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.utils.serialise import to_plain

#: How bad it is that a directory cannot be listed, by whether this host searches it.
_SEARCHED_BY = {True: (ERROR, "this host searches"), False: (WARNING, "other hosts search")}


def _is_staff(facts: EnvironmentFacts) -> bool:
    """Whether this user may change the wheelhouse: its root, and all of its directories."""
    own = (each for each in facts.directories if each.exists and each.directory.base is None)
    places = {facts.site.root, *(each.directory.path for each in own)}
    return facts.usable and places.isdisjoint(facts.unchangeable)


@check("site-file", "without it the layers, archs and root are not those of the site")
def _site_file(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    site = facts.site
    if site.problem:
        gone = site.file_missing and site.file_by == "WHEELHOUSE_CONFIG"
        fix = fixes.unset(facts, "WHEELHOUSE_CONFIG") if gone else fixes.edit(facts, site.file, site.line)
        data = {**to_plain(site, "file", "line"), "named_by": site.file_by}
        yield Diagnostic(ERROR, f"{site.problem}; the built-in site was used instead", fix, data)


@check("root", "pip finds none of the site's wheels")
def _root(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    site = facts.site
    named = site.root_by in ("--root", "WHEELHOUSE_ROOT")
    if not site.root_problem or (site.problem and not named):
        return
    links = facts.pip.in_force.get("find-links")
    places = {each.value for each in facts.pip.links if each.real is not None and each.exists}
    data = {"root": site.root or None, "named_by": site.root_by}
    what, fix = site.root_problem, ""
    if site.root_by != "built-in":
        what = f"wheelhouse {site.root} (named by {site.root_by}): {what}"
    elif links is not None and not places.isdisjoint(links.values):
        # `init` would make an empty wheelhouse here, and that would hide the one that pip finds.
        what = (
            f"the site file is not known here, though {links.where} names what may be its wheelhouse: "
            "load the site's module, or set WHEELHOUSE_CONFIG"
        )
        why = "pip finds the wheels, but which layers, archs and directories there are is not known here"
        yield Diagnostic(WARNING, what, "", {**data, "root": None, "find_links": to_plain(links)}, why)
        return
    if site.root_by == "WHEELHOUSE_ROOT":
        fix = fixes.unset(facts, "WHEELHOUSE_ROOT")
    elif site.root_by == "site file":
        fix = fixes.edit(facts, site.file)
    elif site.root_by == "built-in":
        # Whoever forgot to load the module is no better off with an empty wheelhouse.
        what += "; load the site's module, or set WHEELHOUSE_CONFIG or WHEELHOUSE_ROOT"
    yield Diagnostic(ERROR, what, fix, data)


@check("missing-base", "pip finds none of its wheels, and a project that is only there not at all")
def _missing_base(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for problem, hint in facts.site.missing_bases:
        yield Diagnostic(WARNING, f"{problem}: {hint}", "", {"problem": problem})


@check("unreadable-directory", "pip goes on without its wheels, and does not say so")
def _unreadable(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.directories:
        if each.problem:
            path = each.directory.path
            severity, hosts = (
                (ERROR, "this host searches") if each.searched else (WARNING, "other hosts search")
            )
            what = f"cannot list {path}, which {hosts}: {each.problem}"
            fix = fixes.owners(facts, path, "chmod", "a+rx", path)
            what += "" if fix else "; the site's staff can make it readable"
            yield Diagnostic(severity, what, fix, {"path": path, "searched": each.searched})


@check("empty-search-path", "pip finds none of the site's wheels")
def _empty(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if not facts.directories or any(each.problem for each in facts.searched):
        return
    labels = ", ".join(each.directory.label for each in facts.searched)
    data = {"directories": [each.directory.path for each in facts.searched]}
    if not any(each.exists for each in facts.searched):
        what = f"none of the directories that this host searches exists: {labels}"
        empty = not any(each.exists for each in facts.directories) and _is_staff(facts)
        fix = facts.command("init") if empty else facts.command("detect", *facts.host_options)
        yield Diagnostic(ERROR, what, fix, data)
    elif not any(each.wheels for each in facts.searched):
        what = f"the directories that this host searches hold no wheel: {labels}"
        yield Diagnostic(WARNING, what, facts.command("detect", *facts.host_options), data)


@check("unknown-override", "every other command of this program refuses it, so module files and hooks fail")
def _unknown_override(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.unknown_overrides:
        what = f"{each.variable}: {each.problem}; what was detected was used instead"
        fix = fixes.unset(facts, each.variable)
        yield Diagnostic(ERROR, what, fix, to_plain(each, "variable", "name"))


@check(
    "arch-override",
    "above it, programs die of an illegal instruction; below it, they run slower than they could",
)
def _arch_override(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    evidence = facts.host.arch_evidence
    stated = evidence[0] if evidence else None
    by_cpu = next((each for each in evidence if each.source == "cpu"), None)
    if stated is None or by_cpu is None or stated.source == "cpu" or stated.value == by_cpu.value:
        return
    ladder = [GENERIC, *(arch.name for arch in facts.site.site.ladder)]
    if ladder.index(stated.value or GENERIC) > ladder.index(by_cpu.value or GENERIC):
        severity, place, so = ERROR, "above", "its wheels may crash here"
        why = "programs die of an illegal instruction"
    else:
        severity, place, so = NOTE, "below", "its wheels are slower than need be"
        why = "programs run slower than they could"
    what = f"{stated.detail} is {place} what this CPU can run: {by_cpu.value} ({by_cpu.detail}); {so}"
    is_variable = stated.source in ARCH_VARIABLES
    fix = fixes.unset(facts, stated.source) if is_variable else facts.command("doctor")
    data = {"source": stated.source, "stated": stated.value, "cpu": by_cpu.value}
    yield Diagnostic(severity, what, fix, data, why)


@check(
    "unstamped-ties", "pip then chooses by the spelling of the directories, not by what fits this CPU best"
)
def _ties(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if finds_wheelhouse(facts) and not finds_directories(facts):
        return  # an index says itself which wheel to take
    if count := len(facts.ties):
        examples = facts.ties[:5]
        shown = [f"{each.project} {each.version} in {', '.join(each.directories)}" for each in examples]
        if count > len(shown):
            shown.append("...")
        versions = "1 version is" if count == 1 else f"{count} versions are"
        what = f"{versions} in several directories without current stamps: {'; '.join(shown)}"
        data = {"count": count, "examples": [to_plain(each) for each in examples]}
        fixed = facts.command("restamp") if _is_staff(facts) else ""
        bases = {each.directory.label for each in facts.directories if each.directory.base is not None}
        own = any(not bases.issuperset(each.directories) for each in facts.ties)
        fix = fixed if own else ""
        if not own:
            what += "; a base is read-only: an index, a view or uv's flat indexes keep its order"
        elif not fix:
            what += "; `restamp` is for the site's staff"
        yield Diagnostic(WARNING, what, fix, data)


@check(
    "stale-static-index", "pip and uv that are given it see what was there when it was written, and no more"
)
def _stale_index(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    index = facts.static_index
    if index is None or (index.exists and not index.stale):
        return
    if index.problem:
        yield Diagnostic(ERROR, index.problem, fixes.edit(facts, facts.site.file), to_plain(index))
        return
    what = f"the static index {index.path} "
    if index.exists:
        what += f"was written before files came into or went out of {', '.join(index.stale)}"
    else:
        what += "that the site file names is not there, or cannot be read"
    fix = "" if index.path in facts.unchangeable else facts.command("index")
    what += "" if fix else "; `index` is for the site's staff"
    yield Diagnostic(WARNING, what, fix, to_plain(index))
