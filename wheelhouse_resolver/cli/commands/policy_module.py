"""`policy-module`: a `_manylinux.py` that makes an interpreter refuse manylinux wheels."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.cli.options import add_examples
from wheelhouse_resolver.installers.manylinux_policy import FILENAME, POLICY_MODULE
from wheelhouse_resolver.utils.filesystem import make_directory, write_text

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `policy-module`."""
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="a directory that the module file puts on PYTHONPATH (pip), or the interpreter's "
        "site-packages (pip and uv)",
    )
    add_examples(
        parser,
        ("for PYTHONPATH in a module file", "policy-module --output /sw/python/policy"),
        ("for one interpreter", "policy-module --output /sw/python/3.11/lib/python3.11/site-packages"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `policy-module`."""
    make_directory(options.output)
    path = os.path.join(options.output, FILENAME)
    print(f"{'wrote' if write_text(path, POLICY_MODULE) else 'kept '} {path}")
    return 0
