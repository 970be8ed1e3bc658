"""`publish`: check wheels, stamp them, and place them into the wheelhouse."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from wheelhouse_resolver.cli.options import add_examples, add_site_options, site_of
from wheelhouse_resolver.cli.progress import shown
from wheelhouse_resolver.errors import OutputError, WheelhouseError, printable, reason_of
from wheelhouse_resolver.host.target_python import supported_tags, target_python
from wheelhouse_resolver.publishing import trash
from wheelhouse_resolver.publishing.config import after_command
from wheelhouse_resolver.publishing.errors import PublishError
from wheelhouse_resolver.publishing.place import Outcome, place
from wheelhouse_resolver.publishing.plan import PublishOptions, Step, check_all, destination, plan

__all__ = ["add_arguments", "carry_out", "ran", "run"]


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
        help="mend a tag inversion by changing the wheel's tags instead of refusing it",
    )
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="a corrected build: take the next free build number, so that it wins under a name of its own",
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="move what stands under the name with other content to .trash/ first",
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
    after = after_command(site)
    missing = [path for path in options.wheel if not os.path.exists(path)]
    if missing:
        raise PublishError(missing[0], "does not exist")
    directory = destination(site, options.to, options.layer, options.arch)
    paths = list({os.path.realpath(path): path for path in options.wheel}.values())
    sound, refused = check_all(shown(paths, "checking", len(paths)))
    for refusal in refused:
        for finding in refusal.findings:
            print(f"refused {printable(refusal.path)}: {printable(finding)}", file=sys.stderr)
    if refused:
        print(f"error: {len(refused)} of {len(paths)} wheels refused, nothing placed", file=sys.stderr)
        return 1
    steps = plan(
        site,
        sound,
        directory,
        PublishOptions(
            local_label=options.local_label,
            retag=options.retag,
            glibc=_glibc(options.glibc_tag),
            rebuild=options.rebuild,
            replace=options.replace,
            restamp=not options.no_restamp,
        ),
    )
    if options.dry_run:
        for step in steps:
            print(f"would place {step.path}")
        return 0
    placed, failed = carry_out(steps)
    if options.remove_source:
        failed += _remove_sources(placed)
    if placed and after and not ran(after):
        failed += 1
    return 1 if failed else 0


def carry_out(steps: list[Step]) -> tuple[list[Outcome], int]:
    """Place *steps*, telling each; returns what is in place, and how many failed."""
    for directory in {step.directory.path for step in steps}:
        trash.clear(directory)
    placed: list[Outcome] = []
    failed = 0
    for step in shown(steps, "placing", len(steps)):
        try:
            outcome = place(step)
        except OutputError:
            raise  # a full disk, a read-only tree: the next one would fare no better
        except WheelhouseError as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
            continue
        placed.append(outcome)
        print(f"{outcome.done:<8} {outcome.path}")
    return placed, failed


def _remove_sources(placed: list[Outcome]) -> int:
    """Remove the given files that are in place now, unless they changed since; returns how many stay."""
    stay = 0
    for outcome in placed:
        path = outcome.step.wheel.path
        where = os.path.realpath(os.path.dirname(path))
        if outcome.step.mends or os.path.join(where, os.path.basename(path)) == os.path.realpath(
            outcome.path
        ):
            continue  # the given file is the one that is in place
        try:
            if trash.identity(path) != outcome.source:
                raise PublishError(path, "changed after it was read")
            os.unlink(path)
        except (PublishError, OSError) as error:
            told = reason_of(error) if isinstance(error, OSError) else error.problem
            print(f"error: {printable(path)} is placed, but not removed: {printable(told)}", file=sys.stderr)
            stay += 1
    return stay


def _glibc(given: str) -> str:
    """The glibc level to tag with: as given, or that of the running Python."""
    if given != "own":
        parts = given.split(".")
        if given and not (len(parts) == 2 and all(part.isdigit() for part in parts)):
            raise PublishError(f"--glibc-tag {given}", "must be a glibc version, such as 2.36")
        return given
    python, _ = target_python()
    for tag in supported_tags(python):
        if tag.platform.startswith("manylinux_"):
            major, minor = tag.platform.split("_")[1:3]
            return f"{major}.{minor}"
    raise PublishError("--glibc-tag", "the running Python accepts no manylinux wheels: give X.Y")


def ran(command: list[str]) -> bool:
    """Run the site's `after` command; tell it when it fails (the wheels stay)."""
    try:
        sys.stdout.flush()
        code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
        problem = f"exited with {code}" if code else ""
    except OSError as error:
        problem = reason_of(error)
    if problem:
        shown_command = printable(" ".join(command))
        print(f"error: [publish] after: `{shown_command}` {problem}; the wheels are placed", file=sys.stderr)
    return not problem
