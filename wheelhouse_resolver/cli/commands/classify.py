"""`classify`: which directory of the wheelhouse a wheel belongs to, and why."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.builder.classification.classify import classify
from wheelhouse_resolver.builder.records.record import record_of
from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `classify`."""
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help="the wheels")
    parser.add_argument(
        "--scan",
        action="store_true",
        help="also warn of libraries with AVX and AVX-512 instructions (needs objdump; proves nothing)",
    )
    options.add_shared(parser, "json", "site")
    options.add_examples(
        parser,
        ("where a wheel belongs, and why", "classify numpy-1.26.4-cp311-cp311-linux_x86_64.whl"),
        ("for programs; exit code 1 if it cannot be decided", "classify --json demo-1.0-py3-none-any.whl"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `classify`. Exit code 1 when a wheel's place cannot be decided."""
    site = options.site_of(args)
    found = [
        classify(path, site, record=record_of(path), scan=args.scan, environ=os.environ)
        for path in args.wheel
    ]
    if args.json:
        output.print_json([each.to_dict() for each in found])
    for each in [] if args.json else found:
        undecided = "undecided" if each.possible else "no directory"
        label = each.directory.label if each.directory is not None else undecided
        print(f"{printable(each.wheel)}: {label}")
        for reason in each.reasons:
            output.say(f"    {printable(reason)}")
        output.warn(each.warnings)
    output.warn(
        f"cannot determine the target directory of {each.wheel}; publish it with --to and one of: "
        + ", ".join(each.possible)
        for each in found
        if each.possible
    )
    return 1 if any(each.directory is None for each in found) else 0
