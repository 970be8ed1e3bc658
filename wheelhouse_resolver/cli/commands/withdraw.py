"""`withdraw`: take a file out of every search path."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options
from wheelhouse_resolver.cli.commands.publish import PublishPrinter
from wheelhouse_resolver.publishing.withdrawal import withdraw


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `withdraw`."""
    add_filenames(parser, "withdraw", "move it to .trash/ of its directory")


def add_filenames(parser: argparse.ArgumentParser, command: str, what: str) -> None:
    """Add what `withdraw` and `restore` share: file names, and the directory they are meant in."""
    parser.add_argument(
        "filename", nargs="+", metavar="FILENAME", help="the file name of a wheel or source archive"
    )
    parser.add_argument("--to", metavar="LAYER/ARCH", help="only in this directory")
    options.add_shared(parser, "site")
    name = "numpy-1.26.4-400000avx2-cp311-cp311-linux_x86_64.whl"
    options.add_examples(
        parser, (what, f"{command} {name}"), ("in one directory only", f"{command} --to gentoo/avx2 {name}")
    )


def run(args: argparse.Namespace) -> int:
    """Run `withdraw`. Exit code 1 when the pages of the site's index could not be updated afterwards."""
    printer = PublishPrinter()
    with printer.interruptible():
        report = withdraw(options.site_of(args), args.filename, args.to, observer=printer)
    printer.show_totals()
    return 0 if report.ok else 1
