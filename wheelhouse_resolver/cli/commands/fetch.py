"""`fetch`: wheels from the index, adapted to the layer, verified, and into the wheelhouse."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options
from wheelhouse_resolver.cli.commands.build import add_execution, run_plan
from wheelhouse_resolver.site.layout import GENERIC


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `fetch`."""
    parser.add_argument("requirement", nargs="*", metavar="REQUIREMENT", help="such as polars==1.20")
    options.add_shared(parser, "files")
    options.add_flags(
        parser.add_argument_group("what to fetch"),
        ("--no-deps", "only what is named, not what it requires and the wheelhouse lacks"),
        ("--dry-run", "download the wheels, and only print what would be done, in waves"),
        ("--no-verify", "do not install and import them"),
        ("--no-publish", "leave them in the output directory"),
    )
    add_execution(parser, "fetched", f" (default: {GENERIC}, as wheels of an index run on every CPU)")
    options.add_examples(
        parser,
        ("what the index has, with all it needs", "fetch pyyaml"),
        ("what would be done, and for which wheels nothing", "fetch -r packages.txt --dry-run"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `fetch`. Exit code 1 when anything failed or was refused; 130 when interrupted."""
    args.recursive, args.publish = not args.no_deps, not args.no_publish
    args.build_requires, args.module, args.build_constraint = False, [], []
    args.arch = args.arch or GENERIC
    return run_plan(args, upstream=True)
