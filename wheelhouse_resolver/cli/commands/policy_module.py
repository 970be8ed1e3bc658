"""`policy-module`: a `_manylinux.py` that makes an interpreter refuse manylinux wheels."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options
from wheelhouse_resolver.installers.manylinux_policy import write_policy_module


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `policy-module`."""
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="a directory that the module file puts on PYTHONPATH (pip), or the interpreter's "
        "site-packages (pip and uv)",
    )
    options.add_examples(
        parser,
        ("for PYTHONPATH in a module file", "policy-module --output /sw/python/policy"),
        ("for one interpreter", "policy-module --output /sw/python/3.11/lib/python3.11/site-packages"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `policy-module`."""
    path, written = write_policy_module(args.output)
    print(f"{'wrote' if written else 'kept '} {path}")
    return 0
