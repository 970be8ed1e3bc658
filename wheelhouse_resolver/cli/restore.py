"""`restore`: bring a withdrawn wheel back."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli.common import add_examples, add_site_options, site_of
from wheelhouse_resolver.publish import destination, restore

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `restore`."""
    parser.add_argument("filename", nargs="+", metavar="FILENAME", help="the file name of a wheel")
    parser.add_argument("--to", metavar="LAYER/ARCH", help="only in this directory")
    add_site_options(parser)
    name = "numpy-1.26.4-400000avx2-cp311-cp311-linux_x86_64.whl"
    add_examples(
        parser,
        ("from .trash/, the one withdrawn last", f"restore {name}"),
        ("in one directory only", f"restore --to gentoo/avx2 {name}"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `restore`."""
    site = site_of(options)
    directory = destination(site, options.to, None, None)
    for filename in options.filename:
        for path in restore(site, filename, directory):
            print(f"restored {path}")
    return 0
