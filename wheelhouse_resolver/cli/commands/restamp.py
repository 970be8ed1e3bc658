"""`restamp`: mend the stamps of an existing tree in place."""

from __future__ import annotations

import argparse
import sys

from wheelhouse_resolver.cli.commands.publish import carry_out
from wheelhouse_resolver.cli.options import add_examples, add_site_options, site_of
from wheelhouse_resolver.cli.progress import shown
from wheelhouse_resolver.errors import OutputError, WheelhouseError
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.place import place
from wheelhouse_resolver.publishing.plan import restamp_step
from wheelhouse_resolver.publishing.restamp import outdated, retag_steps
from wheelhouse_resolver.wheelfile.build_tag import StampError, stamped_name

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `restamp`."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    parser.add_argument(
        "--retag", action="store_true", help="also mend tag inversions, by giving wheels equal tags"
    )
    add_site_options(parser)
    add_examples(
        parser,
        ("see what is unstamped or stale", "restamp --dry-run"),
        ("mend it; a run that was killed is run again", "restamp"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `restamp`. Exit code 1 when a wheel could not be mended."""
    site = site_of(options)
    candidates = outdated(site)
    failed = 0
    if not options.dry_run:
        for directory in site.directories():
            trash.clear(directory.path)
    for each in shown(candidates, "restamping", len(candidates)):
        try:
            if options.dry_run:
                name = stamped_name(each.filename, each.build, each.directory, site)
                print(f"would rename {each.path} to {name}")
                continue
            outcome = place(restamp_step(site, each))
        except OutputError:
            raise
        except (WheelhouseError, StampError) as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
            continue
        print(f"stamped  {outcome.path}")
    if options.retag:
        steps, hopeless = retag_steps(site)
        for problem in hopeless:
            print(f"error: {problem}", file=sys.stderr)
        failed += len(hopeless)
        if options.dry_run:
            for step in steps:
                print(f"would rename {step.wheel.path} to {step.filename}")
        else:
            failed += carry_out(steps)[1]
    return 1 if failed else 0
