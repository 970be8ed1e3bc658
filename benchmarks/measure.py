"""Measures commands against each other, in turns, and shows the medians as a table."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

#: Prints the peak memory (KiB) of the command in its arguments. A process of its own, and a small one, for
#: a child's peak counts from what its parent had when it was forked.
_PEAK = """
import os, sys
out = os.open(os.devnull, os.O_WRONLY)
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out, 1)])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A command to be measured.

    name:    what it does, for the table.
    command: its argument vector.
    environ: variables that it needs besides the common ones.
    prepare: called before every run, off the clock.
    """

    name: str
    command: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], object] | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One row: *ours* against *other*, by seconds or by peak memory.

    at_most: the claim, as the greatest ratio of ours to the other's; None for no claim.
    """

    ours: Work
    other: Work
    at_most: float | None
    measure: str = "seconds"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Comparisons whose commands take turns, *rounds* times."""

    rounds: int
    comparisons: Sequence[Comparison]


class Failed(Exception):
    """A command that was to be measured failed, or answered wrongly."""


def environment(work: Work) -> dict[str, str]:
    """The caller's environment without what configures the tools or keeps Python from using byte code."""
    prefixes = ("PIP_", "UV_", "WHEELHOUSE_", "RSNT_", "PYTHON", "EB", "NIX")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {**environ, **work.environ}


def check(work: Work) -> str:
    """Run *work* and return all that it printed. Raises `Failed`."""
    if work.prepare:
        work.prepare()
    done = subprocess.run([*work.command], env=environment(work), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"{shlex.join(work.command)} exited with {done.returncode}:\n{done.stderr}")
    # uv answers on standard error.
    return done.stdout + (done.stderr if "uv" in Path(work.command[0]).name else "")


def seconds(work: Work) -> float:
    if work.prepare:
        work.prepare()
    environ = environment(work)
    start = time.perf_counter()
    code = subprocess.call([*work.command], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.perf_counter() - start
    if code != 0:
        raise Failed(f"{shlex.join(work.command)} exited with {code}")
    return took


def peak_memory(work: Work) -> float:
    """Peak resident memory in MiB."""
    if work.prepare:
        work.prepare()
    wrapped = [sys.executable, "-I", "-S", "-c", _PEAK, *work.command]
    return int(check(Work(name=work.name, command=wrapped, environ=work.environ))) / 1024


_MEASURES: dict[str, tuple[Callable[[Work], float], str]] = {
    "seconds": (seconds, "{:.3f} s"),
    "peak memory": (peak_memory, "{:.1f} MiB"),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A comparison and its medians."""

    comparison: Comparison
    ours: float
    other: float

    @property
    def ratio(self) -> float:
        """Ours to the other."""
        return self.ours / self.other

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of `_HEADER`."""
        comparison = self.comparison
        form = _MEASURES[comparison.measure][1]
        claim, holds = "none", ""
        if comparison.at_most is not None:
            claim = f"at most {comparison.at_most:g}"
            holds = "yes" if self.ratio <= comparison.at_most else "NO"
        return (
            comparison.ours.name,
            form.format(self.ours),
            comparison.other.name,
            form.format(self.other),
            f"{self.ratio:.2f}" if self.ratio >= 0.1 else f"{self.ratio:.3f}",
            claim,
            holds,
        )


def measured(group: Group) -> list[Row]:
    """Run the commands of *group* in turns."""
    distinct: dict[tuple[str, str], Work] = {}
    for each in group.comparisons:
        distinct.update({(each.measure, work.name): work for work in (each.ours, each.other)})
    for work in distinct.values():
        check(work)  # not counted: it warms the caches, and says more when it fails
    taken: dict[tuple[str, str], list[float]] = {key: [] for key in distinct}
    for _ in range(group.rounds):
        for (measure, name), work in distinct.items():
            taken[measure, name].append(_MEASURES[measure][0](work))
    median = {key: statistics.median(values) for key, values in taken.items()}
    return [
        Row(
            comparison=each,
            ours=median[each.measure, each.ours.name],
            other=median[each.measure, each.other.name],
        )
        for each in group.comparisons
    ]


_HEADER = ("work", "median", "compared with", "median", "ratio", "claim", "holds")


def table(rows: Sequence[Row], form: str) -> str:
    cells = [_HEADER, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    between, edge = (" | ", "|") if form == "markdown" else ("  ", "")
    numbers = (1, 3, 4)
    lines = []
    for line in cells:
        padded = [
            text.rjust(width) if column in numbers else text.ljust(width)
            for column, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        body = between.join(padded)
        lines.append(f"{edge} {body} {edge}" if edge else body.rstrip())
    rule = ["-" * (w - 1) + ":" if c in numbers else "-" * w for c, w in enumerate(widths)]
    lines.insert(1, f"| {' | '.join(rule)} |" if edge else "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def report(text: str) -> None:
    """Progress, on standard error: standard output holds the table alone."""
    print(text, file=sys.stderr, flush=True)
