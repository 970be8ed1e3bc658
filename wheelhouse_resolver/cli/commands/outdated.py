"""`outdated`: what is newer in the index than here, and what of here it has yanked or removed."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.progress import bar
from wheelhouse_resolver.cli.several import asked_of
from wheelhouse_resolver.cli.tables import Table, add_table_options, format_of, print_rows
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.upkeep.outdated import Age, Upstream
from wheelhouse_resolver.wheelhouse import Wheelhouse

#: The columns, and what a row says in each.
_COLUMNS: dict[str, Callable[[Upstream], str]] = {
    "name": lambda row: row.name,
    "here": lambda row: row.here,
    "newest": lambda row: row.newest or "",
    "allowed": lambda row: row.allowed or "",
    "kind": lambda row: row.kind,
    "uploaded": lambda row: row.uploaded or "",
    "state": lambda row: row.state.value,
    "note": lambda row: row.note,
}

_DROPPABLE = ("kind", "uploaded")

_REQUIREMENTS = "requirements"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `outdated`."""
    parser.description = (
        "Compare what is here with what is newest in the index, as input for build: in the indexes that pip\n"
        "of the target Python is configured for, and for this Python. The answer is a table on a terminal,\n"
        "and else a requirements file for `build -r -`."
    )
    parser.add_argument(
        "pattern", nargs="*", metavar="PATTERN", help="such as numpy or 'py*'; every project by default"
    )
    parser.add_argument(
        "--min-age",
        type=options.count,
        default=0,
        metavar="DAYS",
        help="as if there were no release younger than this; the index must say when files were uploaded",
    )
    options.add_flags(
        parser,
        ("--offline", "ask no index: say what is known from the last time"),
        ("--all", "also a row for each project of which nothing newer is there"),
    )
    add_table_options(parser, list(_COLUMNS), piped=_REQUIREMENTS)
    options.add_shared(parser, "host", "site")
    options.add_examples(
        parser,
        ("what is newer in the index, for Python 3.12", "outdated --python 3.12"),
        ("some projects, releases of the last two weeks aside", "outdated numpy 'py*' --min-age 14"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `outdated`. Exit code 1 when an answer is not known, or a pattern matches nothing."""
    site = options.site_of(args)
    host = options.host_of(args, site)
    with bar("asking", "project") as advance:
        found = Wheelhouse(site).outdated(
            host, asked_of(args, "pattern"), min_age=args.min_age, offline=args.offline, progress=advance
        )
    output.warn(found.warnings)
    for pattern in found.unmatched:
        output.say(f"not available: {printable(pattern)}", error=True)
    rows = [row for row in found.rows if args.all or row.matters]
    form = format_of(args, _REQUIREMENTS)
    if form == _REQUIREMENTS:
        for row in rows:
            _print_requirement(row)
    else:
        columns = args.columns or tuple(_COLUMNS)
        droppable = () if args.columns else _DROPPABLE
        title = f"What the index has of {site.root}"
        table = Table(columns, (), title, droppable=droppable, whole=("note",))
        print_rows(rows, _COLUMNS, form, table)
    counts = Counter(row.state for row in found.rows)
    output.say_sums(counts, _WORDS, "project")
    return 1 if found.unmatched or counts[Age.UNKNOWN] else 0


_WORDS = {
    Age.OLDER: "older than in the index",
    Age.HELD: "held back by constraints",
    Age.CURRENT: "current",
    Age.NEWER: "newer than there",
    Age.ABSENT: "not there",
    Age.UNKNOWN: "not known",
}


def _print_requirement(row: Upstream) -> None:
    """A line of the requirements file; what is none is reported on stderr."""
    beyond = f", newest {row.newest}" if row.newest != row.allowed else ""
    note = f"; {row.note}" if row.note else ""
    if row.requirement is not None:
        print(printable(f"{row.requirement}  # here {row.here}{beyond}{note}"))
    elif row.matters:
        output.say(printable(f"{row.name} {row.here}: {row.state.value}{beyond}{note}"), error=True)
