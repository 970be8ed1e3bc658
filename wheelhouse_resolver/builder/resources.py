"""TODO builder.resources."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Resources"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a build asks the scheduler for, in Slurm's words (`--mem`, `--time`, ...); empty: its default."""

    cores: int = 1
    memory: str = ""
    time: str = ""
    constraint: str = ""
    partition: str = ""
