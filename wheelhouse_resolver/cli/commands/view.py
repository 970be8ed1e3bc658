"""`view`: a tree of links that carry the stamps, for a wheelhouse that one may only read."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli.options import add_examples, add_site_options, site_of, warn
from wheelhouse_resolver.publishing.view import make_view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `view`."""
    parser.add_argument("--output", required=True, metavar="DIR", help="where the links go")
    add_site_options(parser)
    add_examples(
        parser,
        ("make the view, or bring it up to date", "view --output /sw/wheelhouse-view"),
        ("of another wheelhouse", "view --root /cvmfs/soft.example.org/wheelhouse --output ~/view"),
    )
    parser.epilog = f"{parser.epilog}\n\nThen let pip use it: wheelhouse-resolver pip-conf --view DIR"


def run(options: argparse.Namespace) -> int:
    """Run `view`. Exit code 1 when a wheel had to be left out."""
    report = make_view(site_of(options), options.output)
    warn(f"left out: {each}" for each in report.left_out)
    print(f"{report.made} links made, {report.kept} kept, {report.removed} removed")
    return 1 if report.left_out else 0
