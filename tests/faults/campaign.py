"""Kills and disk faults by the thousand, by hand: `make test-faults`.

Each time a command and a kind of filesystem are drawn; the command is killed at a random instant or before a
random step, or one step fails. What must hold afterwards is asserted, and that the next run completes.
"""

from __future__ import annotations

import argparse
import errno
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from tests.faults.blows import BLOWS, FILESYSTEMS, Blow
from tests.faults.runner import Runner

__all__ = ["campaign", "main"]


class _Target(NamedTuple):
    """A command on one kind of filesystem, how long it takes (s), and its number of steps."""

    blow: Blow
    without: tuple[str, ...]
    lasts: float
    steps: int


def strike(runner: Runner, target: _Target, dice: random.Random) -> str:
    """One blow, of which all is asserted; what it was: `instant`, `step`, `fault`; `late` if it came so."""
    blow, without = target.blow, target.without
    kind = dice.choice(("instant", "step", "step", "fault"))
    if kind == "fault":
        blow.fail(runner, without, dice.randrange(target.steps), dice.choice((errno.EIO, errno.ENOSPC)))
        return kind
    blow.prepare()
    if kind == "instant":
        ran = runner.run(*blow.command, without=without, kill_after=dice.uniform(0, target.lasts))
    else:
        ran = runner.run(*blow.command, without=without, kill_at=dice.randrange(target.steps))
    blow.verify(runner, without)
    return kind if ran.killed else "late"


def campaign(kills: int, seconds: float, seed: str) -> tuple[Counter[str], list[str]]:
    """So many kills, or as many as fit in so many *seconds*, and a third as many faults.

    Returns how many of each kind, and what was lost or wrong after any.
    """
    dice, done, losses = random.Random(seed), Counter[str](), list[str]()
    started = shown = time.monotonic()
    runner = Runner()
    with tempfile.TemporaryDirectory() as directory:
        targets: dict[tuple[str, str], _Target] = {}
        while (killed := done["instant"] + done["step"]) < kills and time.monotonic() - started < seconds:
            name, filesystem = dice.choice([*BLOWS]), dice.choice([*FILESYSTEMS])
            without = FILESYSTEMS[filesystem]
            if (name, filesystem) not in targets:
                (base := Path(directory, f"{name}-{filesystem}")).mkdir()
                blow = BLOWS[name](base)
                lasts = blow.learn(runner, without)
                targets[name, filesystem] = _Target(blow, without, lasts, blow.steps(runner, without))
            try:
                done[strike(runner, targets[name, filesystem], dice)] += 1
            except Exception as error:  # noqa: BLE001 - to be counted, and the others go on
                losses.append(f"{name} on {filesystem}: {type(error).__name__}: {error}")
                print(losses[-1], file=sys.stderr, flush=True)
            if time.monotonic() - shown > 30:
                shown = time.monotonic()
                print(f"{killed} kills, {done['fault']} faults, losses: {len(losses)}", flush=True)
    runner.close()
    return done, losses


def main(argv: list[str] | None = None) -> int:
    """Run a campaign, and print its totals; 1 if anything was lost or wrong."""
    parser = argparse.ArgumentParser(prog="make test-faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000, help="how many (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so long")
    parser.add_argument("--seed", default=str(time.time_ns()), help="as an earlier run said")
    options = parser.parse_args(argv)
    started = time.monotonic()
    print(f"seed {options.seed}", flush=True)
    done, losses = campaign(options.kills, options.seconds, options.seed)
    minutes = (time.monotonic() - started) / 60
    kinds = f"{done['instant']} at random instants, {done['step']} before random steps"
    print(
        f"{done['instant'] + done['step']} kills ({kinds}) and {done['fault']} disk faults "
        f"of {len(BLOWS)} commands in {minutes:.1f} minutes; losses: {len(losses)}"
    )
    return 1 if losses else 0


if __name__ == "__main__":
    sys.exit(main())
