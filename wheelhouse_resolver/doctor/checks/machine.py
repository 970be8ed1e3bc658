"""Checks of the places on this machine that pip and this program write to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor.findings import Check, Severity, Symptom
from wheelhouse_resolver.doctor.fixes import export, line, unset

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import Facts

__all__ = ["MACHINE_CHECKS"]


def _temporary(facts: Facts) -> Iterator[Symptom]:
    place = facts.temporary
    if place is None or not (place.problem or place.noexec):
        return
    problem = place.problem or "programs cannot run there (noexec)"
    if place.missing:
        mend = line("mkdir", "-p", place.path)
    elif place.variable:
        mend = unset(facts, place.variable)
    else:
        own = os.path.join(facts.home.path if facts.home else "/var/tmp", "tmp")
        mend = f"{line('mkdir', '-p', own)} && {export(facts, 'TMPDIR', own)}"
    named = f" ({place.variable})" if place.variable else ""
    yield Symptom(
        severity=Severity.ERROR,
        what=f"temporary directory {place.path}{named}: {problem}",
        mend=mend,
        data={"path": place.path, "variable": place.variable or None, "problem": problem},
    )


def _home(facts: Facts) -> Iterator[Symptom]:
    if facts.home is not None and facts.home.problem:
        yield Symptom(
            severity=Severity.NOTE,
            what=f"nothing can be written to the home directory {facts.home.path}: {facts.home.problem}",
            mend=line("df", "-h", facts.home.path),
            data={"path": facts.home.path, "problem": facts.home.problem},
        )


def _cache(facts: Facts) -> Iterator[Symptom]:
    if facts.cache is not None and facts.cache.problem:
        yield Symptom(
            severity=Severity.NOTE,
            what=f"nothing can be remembered in {facts.cache.path}: {facts.cache.problem}",
            mend=export(facts, "XDG_CACHE_HOME", "/tmp/cache-") + '"$USER"',  # so in every shell
            data={"path": facts.cache.path, "problem": facts.cache.problem},
        )


MACHINE_CHECKS = (
    Check(
        "temporary-directory",
        "the temporary directory is missing, full, not writable, or mounted noexec",
        "pip unpacks and builds there; what it builds must run there",
        "make it, or set TMPDIR to another",
        _temporary,
    ),
    Check(
        "home",
        "the home directory cannot be written to: full, over quota, read-only",
        "pip keeps its cache there and `pip install --user` its packages",
        "make room",
        _home,
    ),
    Check(
        "cache",
        "this program's cache cannot be written to",
        "what the CPU and the Python are is then worked out anew at every module load, which takes longer",
        "make room, or set XDG_CACHE_HOME to a directory of yours",
        _cache,
    ),
)
