"""Checks of the places on this machine that pip and this program write to."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, Diagnostic, check

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import EnvironmentFacts


@check("temporary-directory", "pip unpacks and builds there; what it builds must run there")
def _temporary(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    place = facts.temporary
    if place is None or not (place.problem or place.noexec):
        return
    problem = place.problem or "programs cannot run there (noexec)"
    if place.missing:
        fix = shlex.join(["mkdir", "-p", place.path])
    elif place.variable:
        fix = fixes.unset(facts, place.variable)
    else:
        own = os.path.join(facts.home.path if facts.home else "/var/tmp", "tmp")
        fix = f"{shlex.join(['mkdir', '-p', own])} && {fixes.export(facts, 'TMPDIR', own)}"
    named = f" ({place.variable})" if place.variable else ""
    yield Diagnostic(
        ERROR,
        f"temporary directory {place.path}{named}: {problem}",
        fix,
        {"path": place.path, "variable": place.variable or None, "problem": problem},
    )


@check("home", "pip keeps its cache there and `pip install --user` its packages")
def _home(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.home is not None and facts.home.problem:
        yield Diagnostic(
            NOTE,
            f"cannot write to the home directory {facts.home.path}: {facts.home.problem}",
            shlex.join(["df", "-h", facts.home.path]),
            {"path": facts.home.path, "problem": facts.home.problem},
        )


@check("cache", "the CPU and the Python are then examined again at every module load, which takes longer")
def _cache(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.cache is not None and facts.cache.problem:
        yield Diagnostic(
            NOTE,
            f"cannot write to the cache {facts.cache.path}: {facts.cache.problem}",
            fixes.export(facts, "XDG_CACHE_HOME", "/tmp/cache-") + '"$USER"',
            {"path": facts.cache.path, "problem": facts.cache.problem},
        )
