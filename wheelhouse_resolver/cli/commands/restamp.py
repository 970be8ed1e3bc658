"""`restamp`: correct the stamps of an existing tree in place."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options
from wheelhouse_resolver.cli.commands.publish import PublishPrinter
from wheelhouse_resolver.publishing.restamp import restamp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `restamp`."""
    options.add_flags(
        parser,
        ("--dry-run", "only say what would be done"),
        ("--retag", "also fix tag inversions, by giving wheels equal tags"),
    )
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("see what is unstamped or stale", "restamp --dry-run"),
        ("stamp it; a run that was killed is run again", "restamp"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `restamp`. Exit code 1 when a wheel could not be stamped."""
    printer = PublishPrinter("would rename {0.source} to {name}")
    report = restamp(options.site_of(args), retag=args.retag, dry_run=args.dry_run, observer=printer)
    return 0 if report.ok else 1
