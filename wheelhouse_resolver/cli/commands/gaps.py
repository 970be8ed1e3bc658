"""`gaps`: what a Python, layer or arch has no wheel of, in the order in which it can be built."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.several import asked_of
from wheelhouse_resolver.cli.tables import Table, add_table_options, format_of, print_rows
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.tree.reader import Tree
from wheelhouse_resolver.upkeep.coverage import Coverage
from wheelhouse_resolver.upkeep.gap import Gap
from wheelhouse_resolver.upkeep.gaps import find_gaps

#: The columns, and what a row says in each.
_COLUMNS: dict[str, Callable[[Gap], str]] = {
    "name": lambda row: row.name,
    "version": lambda row: row.version,
    "has": lambda row: row.has or "",
    "state": lambda row: row.state.value,
    "wave": lambda row: str(row.wave or ""),
    "python": lambda row: ",".join(row.pythons),
    "arch": lambda row: ",".join(row.archs),
    "layer": lambda row: ",".join(row.layers),
    "needs": lambda row: ",".join(row.needs),
    "note": lambda row: row.note,
}

_DROPPABLE = ("needs", "layer", "arch", "python", "state")

#: How the requirements are written of which only names are wanted.
_NAMES = "requirements"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `gaps`."""
    parser.description = (
        "List what this host has no wheel of, though others have, as input for build: in the order in which\n"
        "it can be built. What pure and abi3 wheels serve already is left out. The answer is a table on a\n"
        "terminal, and else a requirements file for `build -r -`."
    )
    parser.add_argument(
        "pattern", nargs="*", metavar="PATTERN", help="such as numpy or 'py*'; every project by default"
    )
    options.add_repeated(
        parser,
        (
            "--like",
            "NAME",
            "the others are hosts as this one, but for this: a Python (3.13), a layer or an arch; several "
            "may be given. With a layer, the loader of the target Python is asked which libraries of the "
            "wheels it does not find",
        ),
    )
    options.add_flags(
        parser,
        ("--unpinned", "ask for the newest version of each, instead of the one that others have"),
        ("--all", "also a row for each project that is no gap: its state says what kind of wheel serves"),
    )
    add_table_options(parser, list(_COLUMNS), piped=_NAMES)
    options.add_shared(parser, "host", "site")
    options.add_examples(
        parser,
        ("what a new Python has no wheels of", "gaps --python 3.14"),
        ("the same, only as far as Python 3.13 has it", "gaps --python 3.14 --like 3.13"),
        (
            "what is to be built for a new layer, and which old wheels would load there",
            "gaps --like nix --json",
        ),
    )


def run(args: argparse.Namespace) -> int:
    """Run `gaps`. Exit code 1 when a pattern matches nothing that others have."""
    site = options.site_of(args)
    host = options.host_of(args, site)
    found = find_gaps(Tree(site), host, asked_of(args, "pattern"), args.like)
    output.warn(found.warnings)
    for pattern in found.unmatched:
        output.say(f"others have nothing that matches {printable(pattern)}", error=True)
    rows = [*found.rows, *(found.covered if args.all else ())]
    form = format_of(args, _NAMES)
    if form == _NAMES:
        for line in requirement_lines(found.rows, pinned=not args.unpinned):
            print(printable(line))
    else:
        columns = args.columns or tuple(each for each in _COLUMNS if each != "state" or args.all)
        droppable = () if args.columns else _DROPPABLE
        table = Table(columns, (), f"Gaps in {site.root}", droppable=droppable, whole=("note",))
        print_rows(rows, _COLUMNS, form, table)
    python = host.python.interpreter
    if python is not None and any(row.libraries is not None for row in found.rows):
        output.say(
            f"libraries were looked for by {python.program_interpreter}, for {python.executable}", error=True
        )
    _summarise(found.rows, found.covered)
    return 1 if found.unmatched else 0


def requirement_lines(rows: tuple[Gap, ...], *, pinned: bool) -> Iterator[str]:
    """The requirements file that asks for *rows*, with what else is to be known of each as a comment.

    Not *pinned*: the newest of each, whose requirements may be others.
    """
    for row in rows if pinned else [each for each in rows if each.state is not Coverage.NEEDED]:
        has = f"has {row.has}" if row.has else ""
        barred = f"{row.version} " if row.barred else ""
        note = "; ".join(filter(None, [has, f"{barred}{row.note}" if row.note else ""]))
        yield f"{row.requirement if pinned else row.name}{f'  # {note}' if note else ''}"


def _summarise(rows: tuple[Gap, ...], covered: tuple[Gap, ...]) -> None:
    counts = Counter(row.state for row in (*rows, *covered))
    words = {
        Coverage.MISSING: "missing",
        Coverage.OLDER: "older than elsewhere",
        Coverage.NEEDED: "needed in another version",
        Coverage.PURE: "served by a pure wheel",
        Coverage.ABI3: "by an abi3 wheel",
        Coverage.PLATFORM: "by one of its own",
    }
    output.say_sums(counts, words, "project")
