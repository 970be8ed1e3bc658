"""What a build may use of a machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

#: How long a result may take to become visible after its job is over (s): an NFS client believes for up to
#: 60 s that a file is not there (nfs(5): acdirmax).
GRACE = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a build asks the scheduler for, in Slurm's words (`--mem`, `--time`, ...); empty: its default.

    cores: 0: the default too.
    """

    cores: int = 1
    memory: str = ""
    time: str = ""
    constraint: str = ""
    partition: str = ""

    def beaten_by(self, stated: Resources) -> Resources:
        """These, but for what is *stated*."""
        return replace(
            self,
            cores=stated.cores or self.cores,
            memory=stated.memory or self.memory,
            time=stated.time or self.time,
        )


#: A time in Slurm's words (sbatch's `--time`): `MINUTES`, `M:S`, `H:M:S`, `DAYS-H`, `DAYS-H:M`, `DAYS-H:M:S`.
_TIME = re.compile(r"(?:(\d{1,5})-)?(\d{1,6})(?::(\d{1,2}))?(?::(\d{1,2}))?", re.ASCII)


def seconds_of(text: str) -> float:
    """The seconds of `2:00:00`, in Slurm's words. Raises `ValueError`."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a time, such as 90 (minutes), 1:30:00 or 2-12 (days and hours)")
    days, first, second, third = (int(each or 0) for each in found.groups())
    hours = (first, second, third) if found[1] or found[4] else (0, first, second)
    total = days * 86400 + hours[0] * 3600 + hours[1] * 60 + hours[2]
    if not total:
        raise ValueError(f"{text!r} is no time at all")
    return float(total)
