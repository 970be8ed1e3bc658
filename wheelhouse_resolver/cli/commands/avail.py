"""`avail`: what this host can install, newest first."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output, several
from wheelhouse_resolver.cli.tables import Table, add_table_options, print_table
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.selection import available
from wheelhouse_resolver.selection.available import COLUMNS, Listing
from wheelhouse_resolver.selection.several_hosts import avail_for_any
from wheelhouse_resolver.selection.wanted import wanted_of
from wheelhouse_resolver.tree.reader import Tree

#: What `-v` is here.
VERBOSE = several.VerboseOrVersion

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
    _add_wanted(parser)
    options.add_flags(
        parser,
        ("--all", "as --all-versions --all-archs --all-pythons"),
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
        ("--not-available-only", "only these rows"),
    )
    add_table_options(parser, COLUMNS)
    several.add_hosts(parser)
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("the newest version of everything that this host can install", "avail"),
        (
            "all versions of two projects, for Python 3.11",
            "avail numpy 'scipy<2' --all-versions --python 3.11",
        ),
        ("what is there for whom, on one line a version", "avail 'py*' --all --condense"),
        ("for two Pythons, on the nodes of two kinds", "avail 'h5*' --python 3.11 3.12 --arch avx2 avx512"),
        (
            "what a project needs and is not there",
            "avail -r pyproject.toml --not-available-only --format rst",
        ),
    )


def _add_wanted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "wanted",
        nargs="*",
        metavar="PATTERN|REQUIREMENT",
        help="such as numpy, 'numpy>=1.26', 'py*' or '*scipy*==1.7.0' (with *, ? or [...] in the name a "
        "pattern); everything by default",
    )
    parser.add_argument(
        "-n",
        "--name",
        nargs="+",
        action="extend",
        default=[],
        metavar="PATTERN|REQUIREMENT",
        help="the same, for who has it from avail_wheels",
    )
    options.add_shared(parser, "files")
    parser.add_argument(
        "--version",
        metavar="VERSION",
        default="",
        help="all versions of what is asked for that match, such as 1.21.* or '>=1.21'; so does -v VERSION",
    )


def run(args: argparse.Namespace) -> int:
    """Run `avail`. Exit code 1 when something that was asked for has no row."""
    site = options.site_of(args)
    hosts = several.hosts_of(args, site)
    texts = [*several.asked_of(args, "wanted"), *args.name]
    if args.version and not texts:
        if args.files:
            raise options.UsageError("--version is for what is named on the command line, not for files")
        texts = ["*"]
    wanted = wanted_of(texts, options.files_of(args), args.version)
    if args.files and not (wanted.patterns or wanted.files.requirements or wanted.files.direct):
        raise options.UsageError(f"no requirement in {', '.join(args.files)}")
    output.warn(wanted.files.warnings())
    scope = available.Scope(
        args.all_versions or args.all or bool(args.version),
        args.all_archs or args.all,
        args.all_pythons or args.all,
    )
    found = avail_for_any(Tree(site), hosts, wanted, scope)
    missing = args.not_available or args.not_available_only
    _report(found, not missing)
    rows = available.condensed(found.rows) if args.condense else list(found.rows)
    if missing:
        there = () if args.not_available_only else rows
        rows = sorted([*there, *found.missing], key=lambda row: row.name)
    more = [*["directory"] * bool(site.bases), *["state", "wanted"] * missing]
    columns = args.columns or (*_SHOWN_BY_DEFAULT, *more)
    # The first row of a project is what is installed, unless more is shown than that.
    firsts = {row.name: row for row in reversed(rows) if row.wheels}
    # `local` goes first if it is empty.
    droppable = _DROPPABLE if any(row.value("local") for row in rows) else ("local", *_DROPPABLE)
    table = Table(
        columns,
        [] if args.format == "json" else available.texts_of(rows, columns),
        title=f"Wheels in {site.root}",
        dim=[len(hosts) == 1 and row is not firsts.get(row.name) for row in rows],
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
        whom = " (for Python {}, arch {})".format(*row.lacking) if row.lacking else ""
        output.say(printable(f"not available: {row.name}{row.wanted}{whom}{problem}{close}"), error=True)
    for text in found.direct:
        output.say(printable(f"not looked for, it names its file itself: {text}"), error=True)
    for pattern in found.unmatched:
        output.say(f"not available: {printable(pattern)}", error=True)
