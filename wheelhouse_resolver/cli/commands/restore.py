"""`restore`: bring a withdrawn wheel back."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options
from wheelhouse_resolver.cli.commands.publish import PublishPrinter
from wheelhouse_resolver.cli.commands.withdraw import add_filenames
from wheelhouse_resolver.publishing.withdrawal import restore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `restore`."""
    add_filenames(parser, "restore", "from .trash/, the one withdrawn last")


def run(args: argparse.Namespace) -> int:
    """Run `restore`. Exit code 1 when the pages of the site's index could not be updated."""
    printer = PublishPrinter()
    with printer.interruptible():
        report = restore(options.site_of(args), args.filename, args.to, observer=printer)
    printer.show_totals()
    return 0 if report.ok else 1
