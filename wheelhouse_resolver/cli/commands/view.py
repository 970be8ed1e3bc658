"""`view`: a tree of links that carry the stamps, for a wheelhouse that one may only read."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.publishing.view import ViewReport, make_view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `view`."""
    parser.add_argument("--output", required=True, metavar="DIR", help="where the links go")
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("make the view, or bring it up to date", "view --output /sw/wheelhouse-view"),
        ("of another wheelhouse", "view --root /cvmfs/soft.example.org/wheelhouse --output ~/view"),
    )
    parser.epilog = f"{parser.epilog}\n\nThen let pip use it: wheelhouse-resolver pip-conf --view DIR"


def run(args: argparse.Namespace) -> int:
    """Run `view`. Exit code 1 when a wheel had to be left out."""
    report = ViewReport(0, 0, 0, ())

    def note(so_far: ViewReport) -> None:
        nonlocal report
        report = so_far

    with output.interruptible(lambda: f"{_totals(report)}; run it again to continue"):
        report = make_view(options.site_of(args), args.output, progress=note)
    output.warn(f"left out: {each}" for each in report.left_out)
    print(_totals(report))
    return 1 if report.left_out else 0


def _totals(report: ViewReport) -> str:
    return f"{output.count(report.made, 'link')} made, {report.kept} kept, {report.removed} removed"
