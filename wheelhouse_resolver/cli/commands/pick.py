"""`pick`: which wheel a requirement gets, and why no other."""

from __future__ import annotations

import argparse
import sys

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.selection.pick import Pick, picks, skipped
from wheelhouse_resolver.selection.reasons import place_of
from wheelhouse_resolver.tree.reader import Tree


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pick`."""
    options.add_question_options(
        parser,
        ("the path of the wheel that pip would install here", "pick numpy"),
        ("and why it is no other one", "pick --explain numpy --arch avx2 --python 3.11"),
    )
    parser.add_argument(
        "--explain", action="store_true", help="show every other wheel, and the rule that stopped it"
    )


def run(args: argparse.Namespace) -> int:
    """Run `pick`. Exit code 1 when a requirement has no wheel."""
    asked, site, host = options.question_of(args)
    wheelhouse = Tree(site)
    found = picks(wheelhouse, asked, host)
    output.warn(dict.fromkeys(warning for each in found for warning in each.warnings))
    if args.json:
        output.print_json([each.to_dict() for each in found])
    else:
        for each in found:
            (_explain if args.explain else _answer)(each)
    for file in skipped(wheelhouse, host, found) if args.explain else ():
        text = f"skipped     {printable(file.path)}: {printable(file.problem)}"
        print(text, file=sys.stderr if args.json else sys.stdout)
    return 0 if all(each.best is not None or each.ignored for each in found) else 1


def _answer(each: Pick) -> None:
    if each.best is not None:
        print(each.best.path)
    elif each.source is not None:
        print(each.source.path)
        file, label = each.source.filename, each.source.directory.label
        text = f"no wheel for {each.requirement}: pip builds {file} from source ({label}): {each.because}"
        output.say(printable(text), error=True)
    elif each.ignored:
        output.warn([f"ignored {each.requirement}: {each.ignored}"])
    else:
        near = f"{each.in_path[0].file.filename}: {each.in_path[0].reason}" if each.in_path else ""
        why = "; ".join(filter(None, [each.problem, near]))
        hint = " (--explain shows all)" if each.in_path else ""
        output.say(f"no wheel for {each.requirement}{why and f': {printable(why)}'}{hint}", error=True)


def _explain(each: Pick) -> None:
    print(each.requirement)
    if each.best is not None:
        print(f"  picked    {each.best.path}")
        print(f"            {each.best.directory.label}, rank {each.best.directory.rank}")
    elif each.source is not None:
        print(f"  source    {each.source.path}")
        output.say(f"            pip builds it: {each.because}", hang=0)
    else:
        reason = printable(each.ignored or each.problem)
        output.say(f"  {'ignored' if each.ignored else 'no wheel':<10}{reason}".rstrip(), hang=10)
    for rejected in each.rejected:
        print(f"  rejected  {printable(place_of(rejected.file))}")
        output.say(f"            {printable(rejected.reason)}", hang=0)
