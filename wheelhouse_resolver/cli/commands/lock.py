"""`lock`: the whole closure of some requirements, written down for stock installers."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.progress import bar
from wheelhouse_resolver.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `lock`."""
    options.add_question_options(
        parser,
        (
            "then, anywhere on such a host: pip install -r pylock.toml",
            "lock scipy pandas --output pylock.toml",
        ),
        ("for older pips", "lock -r requirements.txt --format requirements --output locked.txt"),
    )
    parser.add_argument(
        "-c",
        "--constraint",
        dest="constraints",
        action="append",
        default=[],
        metavar="FILE",
        help="allow only the versions that this file allows; may be given several times",
    )
    parser.add_argument(
        "--format",
        choices=("pylock", "requirements"),
        default="pylock",
        help="pylock (the default): the standard lock file (PEP 751); requirements: a requirements file of "
        "direct references with hashes, for any pip since 20.3",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="write this file, atomically, instead of standard output; a pylock is called pylock.toml or "
        "pylock.NAME.toml",
    )


def run(args: argparse.Namespace) -> int:
    """Run `lock`. Exit code 1 when there is no solution."""
    from wheelhouse_resolver.resolution.lockfile import check_name, lock_text
    from wheelhouse_resolver.resolution.resolver import resolve
    from wheelhouse_resolver.selection.requirements import RequirementsFile
    from wheelhouse_resolver.selection.requirements_file import read_requirements
    from wheelhouse_resolver.tree.reader import Tree

    if args.output is not None:
        check_name(args.output, args.format)
    asked, site, host = options.question_of(args)
    limits = RequirementsFile().merge(
        *(read_requirements(file, os.environ, constraints=True) for file in args.constraints)
    )
    output.warn(limits.warnings())
    undone = "nothing was written; run it again"
    with output.interruptible(lambda: undone), bar("reading") as advance:
        resolution = resolve(Tree(site), asked.merge(limits), host, progress=advance)
    output.warn(resolution.warnings)
    if resolution.conflict is None and (args.output is not None or not args.json):
        output.print_or_write(lock_text(resolution, host, args.format), args.output)
    if args.json:
        output.print_json(resolution.to_dict())
    elif resolution.conflict is None and args.output is not None:
        output.say(f"{output.count(len(resolution.packages), 'wheel')} locked in {printable(args.output)}")
    elif resolution.conflict is not None:
        output.say("\n  ".join(["no solution:", *resolution.conflict.lines()]), error=True)
        given = [(f"--{name}", getattr(args, name)) for name in ("arch", "layer", "python")]
        same_host = [word for option, value in given if value is not None for word in (option, value)]
        for each in resolution.conflict.wants_more():
            output.say(f"hint: {site.command('why-not', each, *same_host)}", error=True)
    return 0 if resolution.conflict is None else 1
