"""`index`: static pages for every kind of host, which list what policy would choose."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.progress import bar
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.site.index_table import IndexTable, index_table, parse_glibc
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.static_index.index import write_index
from wheelhouse_resolver.static_index.report import IndexObserver, IndexReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `index`."""
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="where the pages go, best in or beside the wheelhouse; default: as the site file's [index] says",
    )
    options.add_flags(
        parser,
        (
            "--metadata",
            "also write a .metadata file beside each wheel, for serving over HTTP; slows pip in find-links",
        ),
    )
    parser.add_argument(
        "--glibc",
        metavar="X.Y",
        help="the C library of the hosts: what needs a later one is not preferred; default: as [index] says, "
        "else new enough for all wheels",
    )
    options.add_shared(parser, "jobs", "json", "site")
    options.add_examples(
        parser,
        ("make the index, or bring it up to date", "index --output /sw/wheelhouse/index"),
        ("of another wheelhouse", "index --root /cvmfs/soft.example.org/wheelhouse --output ~/index"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `index`. Exit code 1 when a file had to be left out."""
    site = options.site_of(args)
    jobs = args.jobs or options.usual_jobs()
    place = _place(site, args)
    with observing("reading", "index", "read {} of {} files") as observer:
        report = write_index(
            site,
            place.directory,
            observer=observer,
            jobs=jobs,
            metadata=place.metadata,
            glibc=place.glibc,
        )
    if args.json:
        output.print_json(report.to_dict())
        return 0 if report.ok else 1
    output.warn(f"left out: {each.path}: {each.problem}" for each in report.left_out)
    if report.metadata:
        found = output.count(report.metadata, ".metadata file")
        remove = shlex.join(["find", site.root, "-name", "*.whl.metadata", "-delete"])
        output.say(printable(f"{found} of an earlier --metadata left in the wheelhouse; to remove: {remove}"))
    print(_totals(report))
    return 0 if report.ok else 1


def _place(site: Site, args: argparse.Namespace) -> IndexTable:
    """What the options say of the index, else the site file. Raises `UsageError`."""
    table = index_table(site)
    directory = args.output if args.output is not None else table and table.directory
    if not directory:
        raise options.UsageError("--output is missing, and the site file has no [index]").with_hint(
            f"give a directory: {site.command('index', '--output', 'DIR')}"
        )
    found = (table or IndexTable(directory))._replace(directory=directory)
    if args.glibc is not None:
        try:
            found = found._replace(glibc=parse_glibc(args.glibc))
        except ValueError as error:
            raise options.UsageError(f"--glibc: {error}") from None
    found = found._replace(metadata=found.metadata or args.metadata)
    if table and os.path.realpath(directory) == os.path.realpath(table.directory):
        for option, name in (("--glibc", "glibc"), ("--metadata", "metadata")):
            if getattr(found, name) != getattr(table, name):
                problem = f"{option} is not what [index] in {site.source} says, which publish goes by"
                raise options.UsageError(problem).with_hint("state it there, and leave out the option")
    return found


def _totals(report: IndexReport) -> str:
    tree = f"{output.count(report.files, 'file')} of {output.count(report.projects, 'project')}"
    pages = f"{output.count(report.written, 'page')} written, {report.removed} removed"
    return f"{tree}, {report.read} read; {pages}, for {output.count(report.classes, 'kind')} of host"


@contextmanager
def observing(what: str, written: str, so_far: str) -> Iterator[IndexObserver]:
    """A bar that says *what* is done; what is *written*, if others do so; and what an interrupt leaves."""
    with bar(what) as move:

        class Observer(IndexObserver):
            so_far = (0, 0)

            def progress(self, done: int, total: int) -> None:
                self.so_far = (done, total)
                if move is not None:
                    move(done, total)

            def waiting(self) -> None:
                output.say(f"another run is writing this {written}: waiting until it has ended", error=True)

        observer = Observer()
        with output.interruptible(lambda: f"{so_far.format(*observer.so_far)}; run it again to continue"):
            yield observer
