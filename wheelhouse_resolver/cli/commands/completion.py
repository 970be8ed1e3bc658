"""`completion`: a script that completes our command lines in bash, zsh or fish."""

from __future__ import annotations

import argparse
import re

from wheelhouse_resolver.cli import options
from wheelhouse_resolver.cli.completion_script import LISTS, SHELLS, completion_script, listed
from wheelhouse_resolver.errors import WheelhouseError
from wheelhouse_resolver.site.model import Site

#: What is offered: normalised names of projects (PEP 503), and the names that a site file can give, which a
#: shell takes as they are.
_OFFERED = {"projects": r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"}
_OFFERED_OTHERS = r"[A-Za-z0-9.][A-Za-z0-9._/-]*"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `completion`."""
    parser.add_argument("shell", nargs="?", choices=SHELLS, help="bash, zsh or fish")
    # What the scripts call; for nobody else.
    parser.add_argument("--list", choices=LISTS, help=argparse.SUPPRESS)
    options.add_examples(
        parser,
        ('in ~/.bashrc: eval "$(wheelhouse-resolver completion bash)"', "completion bash"),
        ("in config.fish: wheelhouse-resolver completion fish | source", "completion fish"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `completion`."""
    if args.list is not None:
        return _list(args.list)
    if args.shell is None:
        raise options.UsageError(f"name a shell: {', '.join(SHELLS)}")
    print(completion_script(args.build_parser(width=80), args.shell), end="")
    return 0


def _list(what: str) -> int:
    try:
        names = listed(what, Site.load())
    except (WheelhouseError, OSError):
        return 0  # somebody is typing: no site is no reason to disturb them
    for name in names:
        # bash expands the words that compgen is given, substitutions of commands and all.
        if re.fullmatch(_OFFERED.get(what, _OFFERED_OTHERS), name):
            print(name)
    return 0
