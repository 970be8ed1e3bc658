"""`restore`: bring a withdrawn wheel back."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli.commands.withdraw import add_filenames
from wheelhouse_resolver.cli.options import site_of
from wheelhouse_resolver.publishing.plan import destination
from wheelhouse_resolver.publishing.withdrawal import restore

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `restore`."""
    add_filenames(parser, "restore", "from .trash/, the one withdrawn last")


def run(options: argparse.Namespace) -> int:
    """Run `restore`."""
    site = site_of(options)
    directory = destination(site, options.to, None, None)
    for filename in options.filename:
        for path in restore(site, filename, directory):
            print(f"restored {path}")
    return 0
