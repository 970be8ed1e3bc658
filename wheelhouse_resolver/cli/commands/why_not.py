"""`why-not`: what stops each wheel of a project, and what would help."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli.options import (
    add_examples,
    add_host_options,
    add_json_option,
    add_requirement_options,
    host_of,
    print_json,
    requirements_of,
    site_of,
    warn,
)
from wheelhouse_resolver.explain.why_not import why_not_each
from wheelhouse_resolver.tree.reader import Tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `why-not`."""
    add_requirement_options(parser)
    parser.add_argument("--all", action="store_true", help="show each file, not only how many are alike")
    add_json_option(parser)
    add_host_options(parser)
    add_examples(
        parser,
        ("pip finds no matching distribution: why, and what would help", "why-not 'numpy>=2'"),
        (
            "why pip takes the wheel that it takes on another node",
            "why-not --all numpy --arch avx2 --layer gentoo --python 3.11",
        ),
    )


def run(options: argparse.Namespace) -> int:
    """Run `why-not`. Exit code 1 when a requirement has no wheel, or one that pip fails on."""
    asked = requirements_of(options)
    warn(asked.warnings())
    site = site_of(options)
    host = host_of(options, site, for_python=True)
    answers = why_not_each(Tree(site), asked, host)
    for answer in answers:
        warn(answer.warnings)
    if options.json:
        print_json([answer.to_dict() for answer in answers])
    else:
        print("\n\n".join("\n".join(answer.lines(every_file=options.all)) for answer in answers))
    return 0 if all(answer.positive for answer in answers) else 1
