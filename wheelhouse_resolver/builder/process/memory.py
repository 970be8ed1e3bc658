"""How much memory processes use, with all that they have started."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

#: In Slurm's words.
SIZE = re.compile(r"(\d{1,9})([KMGT]?)", re.ASCII)

#: In what proc(5)'s `stat` says, from its state on: the parent, and the pages that it has in memory.
PARENT, _RESIDENT = 1, 21


def size_of(text: str) -> int:
    """The bytes of `8G`; a plain number is megabytes, as for Slurm. Raises `ValueError`."""
    found = SIZE.fullmatch(text)
    if found is None or not int(found[1]):
        raise ValueError(f"{text!r} is not a size of memory above 0, such as 8G")
    return int(found[1]) * _UNITS[found[2] or "M"]


def processes() -> dict[int, list[str]]:
    """The processes that there are, each with its `stat_fields`."""
    found = ((int(each), stat_fields(each)) for each in os.listdir("/proc") if each.isdecimal())
    return {pid: fields for pid, fields in found if len(fields) > _RESIDENT}


def stat_fields(pid: int | str) -> list[str]:
    """What proc(5)'s `stat` says of that process, from its state (field 3) on; nothing if there is none."""
    with suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()
    return []


def exceeds(limit: int, roots: Iterable[int]) -> bool:
    """Whether the processes *roots*, and all that descends from them, use more than *limit* (bytes) together.

    What several of them share counts once.
    """
    table = processes()
    found = new = set(roots)
    while new := {pid for pid, fields in table.items() if int(fields[PARENT]) in new}.difference(found):
        found = found | new
    resident = {pid: int(table[pid][_RESIDENT]) * os.sysconf("SC_PAGE_SIZE") for pid in found if pid in table}
    # What is shared is counted several times by that, and takes longer to find out.
    return sum(resident.values()) > limit and sum(_share(*each) for each in resident.items()) > limit


def _share(pid: int, resident: int) -> int:
    """What that process uses, and its share of what it has in common with others (bytes)."""
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        if found := re.search(r"^Pss: +(\d+) kB", file.read(), re.MULTILINE):
            return int(found[1]) << 10
    return resident
