"""Checks of the places on this machine that pip and this program write to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor.diagnostics import (
    Diagnostic,
    check,
    error,
    note,
)
from wheelhouse_resolver.doctor.fixes import command, export, unset

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import EnvironmentFacts

__all__ = ["MACHINE_CHECKS"]


@check(
    "temporary-directory",
    "the temporary directory is missing, full, not writable, or mounted noexec",
    "pip unpacks and builds there; what it builds must run there",
    "make it, or set TMPDIR to another",
)
def _temporary(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    place = facts.temporary
    if place is None or not (place.problem or place.noexec):
        return
    problem = place.problem or "programs cannot run there (noexec)"
    if place.missing:
        fix = command("mkdir", "-p", place.path)
    elif place.variable:
        fix = unset(facts, place.variable)
    else:
        own = os.path.join(facts.home.path if facts.home else "/var/tmp", "tmp")
        fix = f"{command('mkdir', '-p', own)} && {export(facts, 'TMPDIR', own)}"
    named = f" ({place.variable})" if place.variable else ""
    yield error(
        f"temporary directory {place.path}{named}: {problem}",
        fix,
        {"path": place.path, "variable": place.variable or None, "problem": problem},
    )


@check(
    "home",
    "the home directory cannot be written to: full, over quota, read-only",
    "pip keeps its cache there and `pip install --user` its packages",
    "make room",
)
def _home(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.home is not None and facts.home.problem:
        yield note(
            f"nothing can be written to the home directory {facts.home.path}: {facts.home.problem}",
            command("df", "-h", facts.home.path),
            {"path": facts.home.path, "problem": facts.home.problem},
        )


@check(
    "cache",
    "this program's cache cannot be written to",
    "what the CPU and the Python are is then worked out anew at every module load, which takes longer",
    "make room, or set XDG_CACHE_HOME to a directory of yours",
)
def _cache(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.cache is not None and facts.cache.problem:
        yield note(
            f"nothing can be remembered in {facts.cache.path}: {facts.cache.problem}",
            export(facts, "XDG_CACHE_HOME", "/tmp/cache-") + '"$USER"',
            {"path": facts.cache.path, "problem": facts.cache.problem},
        )


MACHINE_CHECKS = (_temporary, _home, _cache)
