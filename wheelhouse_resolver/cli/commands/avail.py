"""`avail`: what this host can install, newest first."""

from __future__ import annotations

import argparse
import sys

from wheelhouse_resolver.cli.options import (
    UsageError,
    add_examples,
    add_files_option,
    add_host_options,
    add_site_options,
    files_of,
    host_of,
    site_of,
    warn,
)
from wheelhouse_resolver.cli.tables import Table, add_table_options, print_table
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.selection.available import (
    CHECKED,
    COLUMNS,
    Listing,
    Scope,
    avail,
    condensed,
    texts_of,
    wanted_of,
)
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
        f"for patterns that match at most {CHECKED} projects, Requires-Python is read, else not."
    )
    parser.add_argument(
        "wanted",
        nargs="*",
        metavar="PATTERN|REQUIREMENT",
        help="such as numpy, 'numpy>=1.26' or 'py*' (with *, ? or [...] a pattern); everything by default",
    )
    add_files_option(parser)
    parser.add_argument(
        "--all-versions", action="store_true", help="all versions, pre-releases too, instead of the newest"
    )
    parser.add_argument(
        "--all-archs", action="store_true", help="all directories of the site, instead of the search path"
    )
    parser.add_argument(
        "--all-pythons",
        action="store_true",
        help="wheels for any Python and platform, instead of the target's; then every wheel has its row",
    )
    parser.add_argument(
        "--condense",
        action="store_true",
        help="one row for each version, with all its Pythons, archs and layers",
    )
    parser.add_argument(
        "--not-available",
        action="store_true",
        help="also a row for each requirement that nothing here serves, instead of a line on stderr",
    )
    add_table_options(parser, COLUMNS)
    add_host_options(parser)
    add_site_options(parser)
    add_examples(
        parser,
        ("the newest version of everything that this host can install", "avail"),
        (
            "all versions of two projects, for Python 3.11",
            "avail numpy 'scipy<2' --all-versions --python 3.11",
        ),
        ("what is there for whom, on one line a version", "avail 'py*' --all-archs --all-pythons --condense"),
        ("what a project needs and the wheelhouse has not", "avail -r pyproject.toml --not-available"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `avail`. Exit code 1 when something that was asked for has no row."""
    wanted = wanted_of(options.wanted, files_of(options))
    if options.files and not wanted.patterns and not wanted.files.requirements:
        raise UsageError(f"no requirement in {', '.join(options.files)}")
    warn(wanted.files.warnings())
    site = site_of(options)
    scope = Scope(options.all_versions, options.all_archs, options.all_pythons)
    found = avail(Tree(site), host_of(options, site, for_python=True), wanted, scope)
    _report(found, not options.not_available)
    rows = condensed(found.rows) if options.condense else list(found.rows)
    if options.not_available:
        rows = sorted([*rows, *found.missing], key=lambda row: row.name)
    columns = options.columns or (*_SHOWN_BY_DEFAULT, *(["state", "wanted"] if options.not_available else []))
    # The first row of a project is what is installed, unless more is shown than that.
    firsts = {row.name: row for row in reversed(rows) if row.wheels}
    # `local` goes first if it is empty.
    droppable = _DROPPABLE if any(row.value("local") for row in rows) else ("local", *_DROPPABLE)
    table = Table(
        columns,
        [] if options.format == "json" else texts_of(rows, columns),
        title=f"Wheels in {site.root}",
        dim=[row is not firsts.get(row.name) for row in rows],
        droppable=() if options.columns else droppable,
    )
    print_table(table, options.format, lambda: [row.to_dict(options.columns or COLUMNS) for row in rows])
    return 1 if found.missing or found.unmatched else 0


def _report(found: Listing, missing: bool) -> None:
    """Print to stderr what the rows do not show; *missing*: with the requirements that nothing meets."""
    warn(found.warnings)
    for row in found.missing if missing else ():
        close = f" (close names: {', '.join(row.close)})" if row.close else ""
        print(f"not available: {row.name}{row.wanted}{close}", file=sys.stderr)
    for pattern in found.unmatched:
        print(f"not available: {printable(pattern)}", file=sys.stderr)
