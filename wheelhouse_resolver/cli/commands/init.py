"""`init`: the empty tree of a wheelhouse, and a site file to start from."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.cli.options import add_examples, add_site_options
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
    configured = options.config or os.environ.get("WHEELHOUSE_CONFIG")
    root = options.root or os.environ.get("WHEELHOUSE_ROOT")
    if not configured and not root:
        configured = next((path for path in places().site_files if os.path.isfile(path)), None)
    if configured:
        site = Site.load(configured, root=root)
    else:
        site = Site.load(root=root or places().wheelhouses[-1], environ={})
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
