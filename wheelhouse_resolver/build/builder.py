"""One build: from a requirement to a verified wheel with its record."""

from __future__ import annotations

from wheelhouse_resolver.build.job import BuildOptions, Job
from wheelhouse_resolver.build.record import BuildRecord

__all__ = ["run_job"]


def run_job(job: Job, options: BuildOptions) -> BuildRecord:
    """Build what *job* says, and return the record of it; never raises for what the build does.

    Raises `KeyboardInterrupt` when interrupted, after the record has said so.
    """
    raise NotImplementedError(job, options)
