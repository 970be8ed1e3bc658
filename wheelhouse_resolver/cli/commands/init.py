"""`init`: the empty tree of a wheelhouse, and a site file to start from; or one for a tree that exists."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.site.create import create_wheelhouse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `init`."""
    group = parser.add_argument_group("a tree that exists")
    group.add_argument(
        "--from",
        dest="tree",
        metavar="DIR",
        help="propose the site file for the tree of wheels in this directory, and make nothing",
    )
    group.add_argument("--output", metavar="FILE", help="write the proposal to this file, which must be new")
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("the built-in layout, and a site file to edit", "init --root /sw/wheelhouse"),
        ("the tree of a site that has its file", "init --config site.toml"),
        ("a site file for a tree that exists", "init --from /sw/wheelhouse --output new.toml"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `init`. What exists already is left as it is."""
    if args.tree is not None:
        return _propose(args)
    if args.output is not None:
        raise options.UsageError("--output goes with --from")
    created = create_wheelhouse(args.config, root=args.root)
    for path, made in created.paths:
        print(f"{'made' if made else 'kept'} {path}")
    if created.site_file is not None:
        print(f"next: edit it, and set WHEELHOUSE_CONFIG={created.site_file} in the module file")
    return 0


def _propose(args: argparse.Namespace) -> int:
    from wheelhouse_resolver.tree.proposal import propose_site
    from wheelhouse_resolver.utils.filesystem import write_text

    if args.config is not None or args.root is not None:
        raise options.UsageError("--from proposes a site file: it goes with neither --config nor --root")
    if args.output is not None and os.path.lexists(args.output):
        raise options.UsageError(f"--output {args.output}: it exists").with_hint("name a new file")
    found = propose_site(args.tree)
    output.warn(f"{each.label}: {each.doubt}" for each in found.directories if each.doubt)
    output.warn(f"{each.label}: not in the site file: {each.reason}" for each in found.unknown)
    if args.output is None:
        sys.stdout.write(found.text)
    else:
        write_text(args.output, found.text, shared=True)
        print(f"made {args.output}")
        command = shlex.join(["wheelhouse-resolver", "audit", "--config", args.output])
        print(f"next: look through it, and run `{command}`")
    return 0
