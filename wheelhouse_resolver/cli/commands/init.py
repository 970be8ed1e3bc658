"""`init`: the empty tree of a wheelhouse, and a site file to start from."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options
from wheelhouse_resolver.site.create import create_wheelhouse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("the built-in layout, and a site file to edit", "init --root /sw/wheelhouse"),
        ("the tree of a site that has its file", "init --config site.toml"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `init`. What exists already is left as it is."""
    created = create_wheelhouse(args.config, root=args.root)
    for path, made in created.paths:
        print(f"{'made' if made else 'kept'} {path}")
    if created.site_file is not None:
        print(f"next: edit it, and set WHEELHOUSE_CONFIG={created.site_file} in the module file")
    return 0
