"""Checks of the places on this machine that pip and this program write to."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.utils.serialise import to_plain


@check("temporary-directory", "pip unpacks and builds there; what it builds must run there")
def _temporary(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    place = facts.temporary
    if place is None or not (place.problem or place.noexec):
        return
    problem = place.problem or "programs cannot run there (noexec)"
    if place.missing and place.path not in facts.unchangeable:
        fix = shlex.join(["mkdir", "-p", place.path])
    elif place.variable:
        fix = fixes.unset(facts, place.variable)
    else:
        own = os.path.join(facts.home.path if facts.home and not facts.home.problem else "/var/tmp", "tmp")
        fix = f"{shlex.join(['mkdir', '-p', own])} && {fixes.export(facts, 'TMPDIR', own)}"
    named = f" ({place.variable})" if place.variable else ""
    what = f"temporary directory {place.path}{named}: {problem}"
    data = {"path": place.path, "variable": place.variable or None, "problem": problem}
    yield Diagnostic(ERROR, what, fix, data)


@check("home", "pip keeps its cache there and `pip install --user` its packages")
def _home(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if (home := facts.home) and home.problem:
        what = f"cannot write to the home directory {home.path}: {home.problem}"
        fix = "" if home.missing else shlex.join(["df", "-h", home.path])
        yield Diagnostic(NOTE, what, fix, to_plain(home, "path", "problem"))


@check("cache", "the CPU and the Python are then examined again at every module load, which takes longer")
def _cache(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if (cache := facts.cache) and cache.problem:
        what = f"cannot write to the cache {cache.path}: {cache.problem}"
        fix = fixes.export(facts, "XDG_CACHE_HOME", f"/tmp/cache-{facts.user}")
        yield Diagnostic(NOTE, what, fix, to_plain(cache, "path", "problem"))
