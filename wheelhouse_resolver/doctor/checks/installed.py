"""Checks of what is installed in the target's own environment."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.checks.links import names_only_what_it_should
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.utils.serialise import to_plain

#: As many are named in a message, and in a command.
_SHOWN, _COMMAND = 5, 50


def _some(texts: Sequence[str], between: str = ", ") -> str:
    more = f"{between}and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return between.join(texts[:_SHOWN]) + more


def _pinned(name: str, version: str) -> str:
    """The requirement of that very *version*; of any where it is none that an installer knows."""
    try:
        return f"{name}=={Version(version)}"
    except InvalidVersion:
        return name


def _installed_anew(facts: EnvironmentFacts, names: Sequence[str], *options: str) -> str:
    options = options or ("--force-reinstall", "--no-deps")
    return fixes.install(facts, *options, *names) if 0 < len(names) <= _COMMAND else ""


@check(
    "above-cpu", "programs die of an illegal instruction: the environment was made on another kind of node"
)
def _above_cpu(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    found = facts.installed.above_cpu
    if not found:
        return
    wheels = _some([f"{each.name} {each.version} ({each.arch})" for each in found])
    many = f"{len(found)} installed wheels are" if len(found) > 1 else "1 installed wheel is"
    what = f"{many} for a higher arch than this CPU: {wheels}"
    fix = ""
    searched = {each.directory.arch for each in facts.searched}
    if names_only_what_it_should(facts) and searched.isdisjoint(each.arch for each in found):
        names = [_pinned(each.name, each.version) for each in found]
        fix = _installed_anew(facts, names)
    else:
        what += "; install them anew once pip finds what is for this host"
    yield Diagnostic(ERROR, what, fix, {"count": len(found), "wheels": [to_plain(each) for each in found]})


@check("half-removed", "an install or uninstall was interrupted; pip warns of it each time it runs")
def _half_removed(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    idle = [each.path for each in facts.installed.leftovers if each.installed]
    lost = [each for each in facts.installed.leftovers if not each.installed]
    if lost:
        names = dict.fromkeys(_pinned(each.name, each.version) for each in lost if each.name)
        paths = _some([each.path for each in lost])
        what = f"an interrupted uninstall has moved {paths}, and nothing took its place"
        fix = fixes.install(facts, *names) if names else ""
        yield Diagnostic(WARNING, what, fix, {"paths": [each.path for each in lost]})
    if idle:
        what = f"an interrupted uninstall has left {_some(idle)}, of what is installed anew"
        may = facts.unchangeable.isdisjoint(idle) and not (facts.python and facts.python.read_only)
        yield Diagnostic(NOTE, what, shlex.join(["rm", "-r", *idle]) if may else "", {"paths": idle})


@check("invalid-metadata", "pip passes over it, and neither upgrades nor removes what it is of")
def _invalid_metadata(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if found := facts.installed.invalid:
        names = [os.path.basename(path).partition("-")[0] for path in found]
        what = f"{_some(found)}: no METADATA, so pip does not know that it is installed"
        fix = _installed_anew(facts, names, "--ignore-installed", "--no-deps")
        yield Diagnostic(WARNING, what, fix, {"paths": list(found)})


@check("requirements", "what is installed does not fit together: imports fail, or behave oddly")
def _requirements(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for misfit in (False, True):
        found = [each for each in facts.installed.conflicts if each.misfit is misfit]
        if found:
            names = [*dict.fromkeys(_pinned(each.name, each.version) for each in found)]
            fix = _installed_anew(facts, names) if misfit else fixes.install(facts, *names[:_COMMAND])
            what = f"`pip check`: {_some([each.text for each in found], '; ')}"
            yield Diagnostic(
                WARNING, what, fix, {"count": len(found), "lines": [each.text for each in found]}
            )
    if why := facts.installed.unchecked:
        yield Diagnostic(NOTE, f"`pip check` gave no answer: {why}", "", {"problem": why})
