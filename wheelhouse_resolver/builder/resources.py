"""What a build may use of a machine."""

from __future__ import annotations

from dataclasses import dataclass

#: How long a result may take to become visible after its job is over (s): an NFS client believes for up to
#: 60 s that a file is not there (nfs(5): acdirmax).
GRACE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a build asks the scheduler for, in Slurm's words (`--mem`, `--time`, ...); empty: its default."""

    cores: int = 1
    memory: str = ""
    time: str = ""
    constraint: str = ""
    partition: str = ""
