"""`publish`: check wheels, stamp them, and place them into the wheelhouse."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable
from typing import TypeVar

from wheelhouse_resolver.cli.options import add_examples, add_site_options, report, site_of
from wheelhouse_resolver.cli.progress import progress
from wheelhouse_resolver.errors import WheelhouseError, printable
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.plan import PublishOptions
from wheelhouse_resolver.publishing.publish import publish
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver

__all__ = ["PublishPrinter", "add_arguments", "run"]

T = TypeVar("T")


class PublishPrinter(PublishObserver):
    """Prints what happens as it happens."""

    def progress(self, items: Collection[T], what: str) -> Iterable[T]:
        """A bar, on a terminal."""
        return progress(items, what, len(items))

    def changed(self, change: FileChange) -> None:
        """A line on stdout."""
        if change.result == "planned":
            print(f"would place {change.path}")
        else:
            print(f"{change.result:<8} {change.path}")

    def failed(self, error: WheelhouseError) -> None:
        """A line on stderr, and one with the hint."""
        report(error)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `publish`."""
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help="the wheels; the files stay")
    where = parser.add_argument_group("where to (pure-Python wheels need not say: generic)")
    where.add_argument("--to", metavar="LAYER/ARCH", help="the directory, such as gentoo/avx2 or generic")
    where.add_argument("--layer", help="or its layer (`none` for the top-level generic directory)")
    where.add_argument("--arch", help="and its arch; generic when only --layer is given")
    parser.add_argument(
        "--local-label", default="", metavar="LABEL", help="append it to the version: 1.0 becomes 1.0+LABEL"
    )
    parser.add_argument(
        "--glibc-tag",
        nargs="?",
        const="own",
        default="",
        metavar="X.Y",
        help="also tag linux wheels as manylinux of this glibc (default: the running Python's), so that they "
        "win over an index's manylinux wheel with every installer",
    )
    parser.add_argument(
        "--retag",
        action="store_true",
        help="fix a tag inversion by changing the wheel's tags instead of refusing it",
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="a corrected build: take the next free build number, so that it wins under a name of its own",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="move a wheel of the name with different content to .trash/",
    )
    parser.add_argument(
        "--no-restamp",
        action="store_true",
        help="refuse, rather than stamp the unstamped wheels of the same version in other directories",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, and only say what would be done"
    )
    parser.add_argument(
        "--remove-source", action="store_true", help="remove the given files once they are placed"
    )
    add_site_options(parser)
    add_examples(
        parser,
        (
            "a wheel that needs AVX2 and the Gentoo layer",
            "publish --to gentoo/avx2 numpy-1.26.4-cp311-cp311-linux_x86_64.whl",
        ),
        (
            "a corrected build of one that is there",
            "publish --to gentoo/avx2 --rebuild numpy-1.26.4-cp311-cp311-linux_x86_64.whl",
        ),
    )


def run(options: argparse.Namespace) -> int:
    """Run `publish`. Exit code 1 when a wheel is refused or could not be placed, or `after` failed."""
    site = site_of(options)
    done = publish(
        site,
        options.wheel,
        destination(site, options.to, options.layer, options.arch),
        PublishOptions(
            local_label=options.local_label,
            retag=options.retag,
            glibc=options.glibc_tag,
            rebuild=options.rebuild,
            replace=options.replace,
            restamp=not options.no_restamp,
            remove_source=options.remove_source,
            dry_run=options.dry_run,
        ),
        observer=PublishPrinter(),
    )
    for refusal in done.refused:
        for finding in refusal.findings:
            print(f"refused {printable(refusal.path)}: {printable(finding)}", file=sys.stderr)
    if done.refused:
        count = len(done.refused)
        print(f"error: {count} wheel{'s' * (count > 1)} refused, nothing placed", file=sys.stderr)
    return 0 if done.ok else 1
