"""`catalogue`: a static site for people: a page of all projects with a filter, and one of each."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.catalogue.config import CatalogueTable, catalogue_table
from wheelhouse_resolver.catalogue.run import write_catalogue
from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.commands.index import observing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `catalogue`."""
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="where the pages go; default: as the site file's [catalogue] says",
    )
    options.add_shared(parser, "jobs", "json", "site")
    options.add_examples(
        parser,
        ("make the catalogue, or bring it up to date", "catalogue --output /sw/wheelhouse/catalogue"),
        ("of another wheelhouse", "catalogue --root /cvmfs/soft.example.org/wheelhouse --output ~/catalogue"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `catalogue`."""
    site = options.site_of(args)
    table = catalogue_table(site) or CatalogueTable()
    directory = args.output if args.output is not None else table.directory
    if not directory:
        raise options.UsageError(
            "--output is missing, and the site file has no [catalogue] directory"
        ).with_hint(f"give a directory: {site.command('catalogue', '--output', 'DIR')}")
    jobs = args.jobs or options.usual_jobs()
    with observing("writing", "catalogue", "wrote the pages of {} of {} projects") as observer:
        report = write_catalogue(site, directory, table, observer=observer, jobs=jobs)
    if args.json:
        output.print_json(report.to_dict())
        return 0
    output.warn(f"{path}: {problem}" for path, problem in report.problems)
    tree = f"{output.count(report.files, 'file')} of {output.count(report.projects, 'project')}"
    pages = f"{output.count(report.written, 'page')} written, {report.removed} removed"
    print(f"{tree}, {report.changed} changed; {pages}")
    return 0
