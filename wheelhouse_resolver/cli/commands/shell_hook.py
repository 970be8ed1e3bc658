"""`shell-hook`: settings for a shell's start file, for people without modules."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.installers.pip_config import pip_config
from wheelhouse_resolver.installers.shell_hook import SHELLS, shell_hook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `shell-hook`."""
    parser.add_argument("shell", choices=SHELLS, help="sh: dash, bash, zsh, ksh; csh: tcsh; fish")
    parser.add_argument("--offline", action="store_true", help="let pip look nowhere else (no-index)")
    options.add_shared(parser, "host", "site")
    options.add_examples(
        parser,
        ('in ~/.bashrc: eval "$(wheelhouse-resolver shell-hook sh)"', "shell-hook sh"),
        ("in config.fish: wheelhouse-resolver shell-hook fish | source", "shell-hook fish --offline"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `shell-hook`."""
    site = options.site_of(args)
    config = pip_config(site, options.searching_host_of(args, site), offline=args.offline)
    output.warn(config.left_out(args.shell))
    print(shell_hook(config, args.shell), end="")
    return 0
