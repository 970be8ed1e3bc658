"""`provenance`: what a wheel was made from, and with what."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.errors import UnreadableWheelError, printable
from wheelhouse_resolver.selection import available
from wheelhouse_resolver.selection.wanted import wanted_of
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.listing import SUFFIX, all_names
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.wheelfile.provenance import Provenance, described, read


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `provenance`."""
    parser.add_argument(
        "wheel",
        nargs="+",
        metavar="WHEEL|REQUIREMENT",
        help="a file; or of the wheelhouse the wheel of that name, or what avail lists for a requirement or "
        "pattern",
    )
    options.add_flags(parser, ("--all", "all versions, for all archs and Pythons"))
    options.add_shared(parser, "json", "host", "site")
    options.add_examples(
        parser,
        ("what made the wheel that this host gets", "provenance numpy"),
        ("for programs; exit code 1 if a wheel does not say", "provenance --json 'h5*' --all"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `provenance`. Exit code 1 when a wheel does not say what made it, or nothing was found."""
    found: dict[str, Provenance | None] = {}
    problems: dict[str, str] = {}
    paths, missing = _paths(args)
    for path in paths:
        try:
            found[path] = read(path)
        except UnreadableWheelError as error:
            found[path], problems[path] = None, error.problem
    if args.json:
        output.print_json(
            [
                {
                    "path": path,
                    "provenance": each.to_dict() if each is not None else None,
                    "problem": problems.get(path, ""),
                }
                for path, each in found.items()
            ]
        )
    for path, each in () if args.json else found.items():
        print(printable(path))
        problem = problems.get(path) or "does not say what it was made from"
        for line in described(each) if each is not None else [problem]:
            output.say(f"    {printable(line)}")
    for text in missing:
        output.say(f"not available: {printable(text)}", error=True)
    return 1 if missing or not all(found.values()) else 0


def _paths(args: argparse.Namespace) -> tuple[list[str], list[str]]:
    """The wheels that are meant, and what there is none of."""
    files = [each for each in args.wheel if each.endswith(SUFFIX) and os.path.exists(each)]
    others = [each for each in args.wheel if each not in files]
    for text in others:
        if text.endswith(SUFFIX) and os.sep in text:
            raise options.UsageError(f"{text}: no such file")
    if not others:
        return files, []
    site = options.site_of(args)
    named = {each for each in others if each.endswith(SUFFIX)}
    there = [path for path in _in_tree(site) if os.path.basename(path) in named] if named else []
    missing = sorted(named - {*map(os.path.basename, there)})
    asked = [each for each in others if each not in named]
    if asked:
        listing = available.avail(
            Tree(site),
            options.host_of(args, site),
            wanted_of(asked, options.files_of(argparse.Namespace(files=[]))),
            available.Scope(args.all, args.all, args.all),
        )
        output.warn(listing.warnings)
        there += [row.wheels[0].path for row in listing.rows if row.wheels[0].path.endswith(SUFFIX)]
        missing += [f"{row.name}{row.wanted}" for row in listing.missing] + [*listing.unmatched]
    return list(dict.fromkeys([*files, *there])), missing


def _in_tree(site: Site) -> Iterator[str]:
    for directory in site.directories():
        yield from sorted(os.path.join(directory.path, name) for name in all_names(directory))
