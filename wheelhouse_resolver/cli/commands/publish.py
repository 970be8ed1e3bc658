"""`publish`: check wheels, stamp them, and place them into the wheelhouse."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.progress import progress
from wheelhouse_resolver.errors import WheelhouseError, printable
from wheelhouse_resolver.publishing.config import local_label
from wheelhouse_resolver.publishing.destination import destination
from wheelhouse_resolver.publishing.errors import AfterwardsError
from wheelhouse_resolver.publishing.plan import PublishOptions
from wheelhouse_resolver.publishing.publish import publish
from wheelhouse_resolver.publishing.report import FileChange, PublishObserver

T = TypeVar("T")


class PublishProgress(PublishObserver):
    """Shows how far it is, on a terminal, and counts what is done."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def progress(self, items: Collection[T], what: str) -> Iterable[T]:
        """A bar, on a terminal."""
        return progress(items, what, len(items))

    def changed(self, change: FileChange) -> None:
        """Count it."""
        self._counts[change.result] += 1

    def failed(self, error: WheelhouseError) -> None:
        """Count it, if it is about a wheel."""
        if not isinstance(error, AfterwardsError):
            self._counts["failed"] += 1

    def interruptible(self) -> AbstractContextManager[None]:
        """Within this, an interrupt says what is done."""
        return output.interruptible(lambda: f"{self.totals() or 'nothing done'}; run it again to continue")

    def totals(self) -> str:
        """How many files became what; `2 placed, 1 failed`."""
        return ", ".join(f"{number} {result}" for result, number in self._counts.items())

    def show_totals(self) -> None:
        """Print them, if there is more than the one line that says it already."""
        if self._counts.total() > 1:
            print(self.totals())


class PublishPrinter(PublishProgress):
    """Prints what happens as it happens. *plan*: the line for what a dry run would do."""

    def __init__(self, plan: str = "would place {0.path}") -> None:
        super().__init__()
        self._plan = plan

    def changed(self, change: FileChange) -> None:
        """A line on stdout."""
        super().changed(change)
        line = self._plan if change.result == "planned" else "{0.result:<8} {0.path}"
        output.say(line.format(change, name=os.path.basename(change.path)), wrap=False)

    def failed(self, error: WheelhouseError) -> None:
        """A line on stderr, and one with the hint."""
        super().failed(error)
        output.report(error)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `publish`."""
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help="the wheels; the files stay")
    where = parser.add_argument_group("where to (pure-Python wheels need not say: generic)")
    where.add_argument("--to", metavar="LAYER/ARCH", help="the directory, such as gentoo/avx2 or generic")
    where.add_argument("--layer", help="or its layer (`none` for the top-level generic directory)")
    where.add_argument("--arch", help="and its arch; generic when only --layer is given")
    label_help = "append it to the version, 1.0 becomes 1.0+LABEL (default: the site's; '' for none)"
    parser.add_argument("--local-label", metavar="LABEL", help=label_help)
    parser.add_argument(
        "--glibc-tag",
        dest="glibc",
        nargs="?",
        const="own",
        default="",
        metavar="X.Y",
        help="also tag linux wheels as manylinux of this glibc (default: the running Python's), so that they "
        "win over an index's manylinux wheel with every installer",
    )
    options.add_flags(
        parser,
        ("--retag", "fix a tag inversion by changing the wheel's tags instead of refusing it"),
        ("--rebuild", "a corrected build: take the next free build number, to win under a name of its own"),
        ("--replace", "move a wheel of the name with different content to .trash/"),
        ("--no-restamp", "refuse rather than stamp unstamped wheels of the version in other directories"),
        ("--dry-run", "check everything, and only say what would be done"),
        ("--remove-source", "remove the given files once they are placed"),
    )
    options.add_shared(parser, "site")
    wheel = "numpy-1.26.4-cp311-cp311-linux_x86_64.whl"
    options.add_examples(
        parser,
        ("a wheel that needs AVX2 and the Gentoo layer", f"publish --to gentoo/avx2 {wheel}"),
        ("a corrected build of one that is there", f"publish --to gentoo/avx2 --rebuild {wheel}"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `publish`. Exit code 1 when a wheel is refused or could not be placed, or `after` failed."""
    site = options.site_of(args)
    directory = destination(site, args.to, args.layer, args.arch)
    given = {name: value for name, value in vars(args).items() if name in PublishOptions._fields}
    if args.local_label is None:
        given["local_label"] = local_label(site)
    how = PublishOptions(**given, restamp=not args.no_restamp)
    printer = PublishPrinter()
    with printer.interruptible():
        done = publish(site, args.wheel, directory, how, observer=printer)
    for refusal in done.refused:
        for finding in refusal.findings:
            output.say(f"refused {printable(refusal.path)}: {printable(finding)}", error=True)
    if done.refused:
        refused = output.count(len(done.refused), "wheel")
        output.say(f"error: {refused} refused, nothing placed", error=True)
    printer.show_totals()
    return 0 if done.ok else 1
