"""`why-not`: what stops each wheel of a project, and what would help."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.explain.why_not import why_not_each
from wheelhouse_resolver.tree.reader import Tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `why-not`."""
    options.add_question_options(
        parser,
        ("pip finds no matching distribution: why, and what would help", "why-not 'numpy>=2'"),
        (
            "why pip takes the wheel that it takes on another node",
            "why-not --all numpy --arch avx2 --layer gentoo --python 3.11",
        ),
    )
    parser.add_argument("--all", action="store_true", help="show each file, not only how many are alike")


def run(args: argparse.Namespace) -> int:
    """Run `why-not`. Exit code 1 when a requirement has no wheel, or one that pip fails on."""
    asked, site, host = options.question_of(args)
    answers = why_not_each(Tree(site), asked, host)
    output.warn(dict.fromkeys(warning for answer in answers for warning in answer.warnings))
    if args.json:
        output.print_json([answer.to_dict() for answer in answers])
    else:
        output.say("\n\n".join("\n".join(answer.lines(every_file=args.all)) for answer in answers))
    return 0 if all(answer.positive for answer in answers) else 1
