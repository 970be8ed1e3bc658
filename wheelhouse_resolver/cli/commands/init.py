"""`init`: the empty tree of a wheelhouse, and a site file to start from."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.cli.options import add_examples, add_site_options
from wheelhouse_resolver.site.config import find_site_file
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.site.template import site_template
from wheelhouse_resolver.utils.appdirs import places
from wheelhouse_resolver.utils.filesystem import make_directory, write_text

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    add_site_options(parser)
    add_examples(
        parser,
        ("the built-in layout, and a site file to edit", "init --root /sw/wheelhouse"),
        ("the tree of a site that has its file", "init --config site.toml"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `init`. What exists already is left as it is."""
    found = find_site_file(options.config, os.environ)
    root = options.root or os.environ.get("WHEELHOUSE_ROOT")
    if not root and found.path is None:
        root = places().wheelhouses[-1]
    site = Site.load(options.config, root=root)
    for directory in reversed(site.directories()):
        made = make_directory(directory.path)
        print(f"{'made' if made else 'kept'} {directory.path}")
    if site.source is None:
        path = os.path.join(site.root, "site.toml")
        if os.path.lexists(path):
            print(f"kept {path}")
        else:
            write_text(path, site_template(site.root))
            print(f"made {path}")
        print(f"next: edit it, and set WHEELHOUSE_CONFIG={path} in the module file")
    return 0
