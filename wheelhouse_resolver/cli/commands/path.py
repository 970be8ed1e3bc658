"""`path`: the directories that this host searches."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.tree import listing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `path`."""
    parser.add_argument("--all", action="store_true", help="also those that don't exist")
    options.add_shared(parser, "json", "host", "site")
    options.add_examples(
        parser,
        ("what pip searches here", "path"),
        ("all that a node with AVX2 in the Gentoo layer would", "path --all --arch avx2 --layer gentoo"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `path`. Exit code 1 when no directory of the search path exists."""
    site = options.site_of(args)
    listing.check_root(site)
    search_path = site.search_path(options.searching_host_of(args, site))
    if not args.all:
        search_path = listing.existing(search_path)
    if args.json:
        output.print_json([directory.to_dict() for directory in search_path])
    else:
        for directory in search_path:
            print(directory.path)
    return 0 if search_path else 1
