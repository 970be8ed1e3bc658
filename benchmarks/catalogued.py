"""The comparisons of the catalogue, on a copy of the tree into which wheels are published."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from indexed import Indexed
from measure import Comparison, Failed, Group, Work, check, report

#: The largest first page (bytes).
_LARGEST = 1_500_000


def groups(large: Indexed, everything: Work, rounds: int) -> Sequence[Group]:
    """The rows about the tree of *large*; *everything*: what lists all of it.

    Raises `Failed` if the first page is larger than is promised.
    """
    output = large.scratch / "catalogue"
    site = large.scratch / "catalogue.toml"
    site.write_text(f'root = "{large.root}"\n[catalogue]\ndirectory = "{output}"\n')
    first = large.scratch / "first"
    command = [sys.executable, "-m", "wheelhouse_resolver", "catalogue"]

    def again() -> None:
        shutil.rmtree(first, ignore_errors=True)

    name = "catalogue, the first time"
    root = ["--root", str(large.root)]
    anew = Work(name=name, command=[*command, "--output", str(first), *root], prepare=again)
    unchanged = Work(name="catalogue with nothing changed", command=[*command, "--config", str(site)])
    check(unchanged)
    size = Path(output, "index.html").stat().st_size
    if size > _LARGEST:
        raise Failed(f"the first page of the catalogue has {size} bytes")
    report(f"the first page of the catalogue has {size} bytes, at most {_LARGEST} are promised")
    kept = large.publish("publish of one wheel, the catalogue kept current", current=True, site=site)
    alone = large.publish("publish of one wheel, without a catalogue", current=False)
    return [
        Group(rounds=1, comparisons=[Comparison(ours=anew, other=everything, at_most=None)]),
        Group(rounds=rounds, comparisons=[Comparison(ours=unchanged, other=everything, at_most=6)]),
        Group(rounds=rounds, comparisons=[Comparison(ours=kept, other=alone, at_most=None)]),
    ]
