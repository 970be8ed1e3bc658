"""`view`: a tree of links that carry the stamps, for a wheelhouse that one may only read."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.publishing.view import Tally, ViewReport, make_view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `view`."""
    parser.add_argument("--output", required=True, metavar="DIR", help="where the links go")
    parser.add_argument(
        "--variants",
        action="store_true",
        help="experimental: copies of the wheels for x86-64 archs as well, of which uv chooses by the CPU",
    )
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("make the view, or bring it up to date", "view --output /sw/wheelhouse-view"),
        (
            "wheel variants as well, in /sw/wheelhouse-view/variants/LAYER",
            "view --variants --output /sw/wheelhouse-view",
        ),
        ("of another wheelhouse", "view --root /cvmfs/soft.example.org/wheelhouse --output ~/view"),
    )
    parser.epilog = f"{parser.epilog}\n\nThen let pip use it: wheelhouse-resolver pip-conf --view DIR"


def run(args: argparse.Namespace) -> int:
    """Run `view`. Exit code 1 when a wheel had to be left out."""
    site = options.site_of(args)
    links, copies = ViewReport(0, 0, 0, ()), Tally()

    def note(so_far: ViewReport) -> None:
        nonlocal links
        links = so_far

    def totals() -> str:
        said = _totals(links, "link")
        return said + (f"\nvariants: {_totals(copies.report, 'file')}" if args.variants else "")

    with output.interruptible(lambda: f"{totals()}; run it again to continue"):
        links = make_view(site, args.output, progress=note)
        if args.variants:
            from wheelhouse_resolver.publishing.variants import make_variants

            without = make_variants(site, args.output, copies)
            output.warn(
                f"{each}: no copies, since no x86-64 level is enough for its arch" for each in without
            )
    left_out = dict.fromkeys((*links.left_out, *copies.report.left_out))
    output.warn(f"left out: {each}" for each in left_out)
    print(totals())
    return 1 if left_out else 0


def _totals(report: ViewReport, what: str) -> str:
    return f"{output.count(report.made, what)} made, {report.kept} kept, {report.removed} removed"
