"""`avail`: what this host can install, newest first."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.tables import Table, add_table_options, print_table
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.selection import available
from wheelhouse_resolver.selection.available import COLUMNS, Listing
from wheelhouse_resolver.tree.reader import Tree

#: What a narrow terminal goes without, the first first, unless the columns were chosen.
_DROPPABLE = ("platform", "abi", "build", "python", "layer")

#: What a table shows by default.
_SHOWN_BY_DEFAULT = ("name", "version", "local", "build", "python", "abi", "platform", "arch", "layer")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `avail`."""
    parser.description = (
        "List what this host can install, newest first: the newest version of every project, or of those\n"
        "named. The first line of a project is what pip would install. For what is asked for by name, and\n"
        f"for patterns that match at most {available.CHECKED} projects, METADATA is read, else not."
    )
    parser.add_argument(
        "wanted",
        nargs="*",
        metavar="PATTERN|REQUIREMENT",
        help="such as numpy, 'numpy>=1.26' or 'py*' (with *, ? or [...] a pattern); everything by default",
    )
    options.add_shared(parser, "files")
    options.add_flags(
        parser,
        ("--all-versions", "all versions, pre-releases too, instead of the newest"),
        ("--all-archs", "all directories of the site, instead of the search path"),
        (
            "--all-pythons",
            "wheels for any Python and platform, instead of the target's; then every wheel has its row",
        ),
        ("--condense", "one row for each version, with all its Pythons, archs and layers"),
        (
            "--not-available",
            "also a row for each requirement that nothing here serves, instead of a line on stderr",
        ),
    )
    add_table_options(parser, COLUMNS)
    options.add_shared(parser, "host", "site")
    options.add_examples(
        parser,
        ("the newest version of everything that this host can install", "avail"),
        (
            "all versions of two projects, for Python 3.11",
            "avail numpy 'scipy<2' --all-versions --python 3.11",
        ),
        ("what is there for whom, on one line a version", "avail 'py*' --all-archs --all-pythons --condense"),
        ("what a project needs and the wheelhouse has not", "avail -r pyproject.toml --not-available"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `avail`. Exit code 1 when something that was asked for has no row."""
    wanted = available.wanted_of(args.wanted, options.files_of(args))
    if args.files and not (wanted.patterns or wanted.files.requirements or wanted.files.direct):
        raise options.UsageError(f"no requirement in {', '.join(args.files)}")
    output.warn(wanted.files.warnings())
    site = options.site_of(args)
    scope = available.Scope(args.all_versions, args.all_archs, args.all_pythons)
    found = available.avail(Tree(site), options.host_of(args, site), wanted, scope)
    _report(found, not args.not_available)
    rows = available.condensed(found.rows) if args.condense else list(found.rows)
    if args.not_available:
        rows = sorted([*rows, *found.missing], key=lambda row: row.name)
    columns = args.columns or (*_SHOWN_BY_DEFAULT, *(["state", "wanted"] if args.not_available else []))
    # The first row of a project is what is installed, unless more is shown than that.
    firsts = {row.name: row for row in reversed(rows) if row.wheels}
    # `local` goes first if it is empty.
    droppable = _DROPPABLE if any(row.value("local") for row in rows) else ("local", *_DROPPABLE)
    table = Table(
        columns,
        [] if args.format == "json" else available.texts_of(rows, columns),
        title=f"Wheels in {site.root}",
        dim=[row is not firsts.get(row.name) for row in rows],
        droppable=() if args.columns else droppable,
        whole=("filename", "path"),
    )
    print_table(table, args.format, lambda: (row.to_dict(args.columns or COLUMNS) for row in rows))
    return 1 if found.missing or found.unmatched or found.direct else 0


def _report(found: Listing, missing: bool) -> None:
    """Print to stderr what the rows do not show; *missing*: with the requirements that nothing meets."""
    output.warn(found.warnings)
    for row in found.missing if missing else ():
        close = f" (close names: {', '.join(row.close)})" if row.close else ""
        problem = f" ({row.problem})" if row.problem else ""
        output.say(printable(f"not available: {row.name}{row.wanted}{problem}{close}"), error=True)
    for text in found.direct:
        output.say(printable(f"not looked for, it names its file itself: {text}"), error=True)
    for pattern in found.unmatched:
        output.say(f"not available: {printable(pattern)}", error=True)
