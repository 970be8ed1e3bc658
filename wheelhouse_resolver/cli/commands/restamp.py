"""`restamp`: correct the stamps of an existing tree in place."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli.commands.publish import PublishPrinter
from wheelhouse_resolver.cli.options import add_examples, add_site_options, site_of
from wheelhouse_resolver.publishing.restamp import restamp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `restamp`."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    retag_help = "also fix tag inversions, by giving wheels equal tags"
    parser.add_argument("--retag", action="store_true", help=retag_help)
    add_site_options(parser)
    add_examples(
        parser,
        ("see what is unstamped or stale", "restamp --dry-run"),
        ("stamp it; a run that was killed is run again", "restamp"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `restamp`. Exit code 1 when a wheel could not be stamped."""
    printer = PublishPrinter("would rename {0.source} to {name}")
    report = restamp(site_of(options), retag=options.retag, dry_run=options.dry_run, observer=printer)
    return 0 if report.ok else 1
