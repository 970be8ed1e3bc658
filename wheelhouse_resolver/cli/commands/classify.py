"""`classify`: which directory of the wheelhouse a wheel belongs to, and why."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.builder.classification.classify import Classification, classify
from wheelhouse_resolver.builder.records.record import record_of
from wheelhouse_resolver.cli.options import (
    add_examples,
    add_json_option,
    add_site_options,
    print_json,
    site_of,
    warn,
)
from wheelhouse_resolver.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `classify`."""
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help="the wheels")
    parser.add_argument(
        "--scan",
        action="store_true",
        help="also warn of libraries with AVX and AVX-512 instructions (needs objdump; proves nothing)",
    )
    add_json_option(parser)
    add_site_options(parser)
    add_examples(
        parser,
        ("where a wheel belongs, and why", "classify numpy-1.26.4-cp311-cp311-linux_x86_64.whl"),
        (
            "for programs; exit code 1 if it cannot be decided",
            "classify --json demo-1.0-py3-none-any.whl",
        ),
    )


def run(options: argparse.Namespace) -> int:
    """Run `classify`. Exit code 1 when a wheel's place cannot be decided."""
    site = site_of(options)
    found = [
        classify(path, site, record=record_of(path), scan=options.scan, environ=os.environ)
        for path in options.wheel
    ]
    if options.json:
        print_json([each.to_dict() for each in found])
    else:
        for each in found:
            _print(each)
    undecided = [each for each in found if each.directory is None]
    warn(
        f"cannot determine the target directory of {each.wheel}; publish it with --to and one of: "
        + ", ".join(each.possible)
        for each in undecided
    )
    return 1 if undecided else 0


def _print(found: Classification) -> None:
    label = found.directory.label if found.directory is not None else "undecided"
    print(f"{printable(found.wheel)}: {label}")
    for reason in found.reasons:
        print(f"    {printable(reason)}")
    warn(found.warnings)
