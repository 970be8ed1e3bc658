"""`restamp`: correct the stamps of an existing tree in place."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.commands.publish import PublishPrinter, PublishProgress
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.publishing.report import Totals
from wheelhouse_resolver.publishing.restamp import restamp
from wheelhouse_resolver.publishing.undo import forget, undo
from wheelhouse_resolver.site.model import Site


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `restamp`."""
    options.add_flags(
        parser,
        ("--dry-run", "check every wheel, and only say what would be done and how long it takes"),
        ("--retag", "also fix tag inversions, by giving wheels equal tags"),
        ("--no-undo", "remove the old wheels at once; without it they are kept in .trash/"),
    )
    which = parser.add_mutually_exclusive_group()
    options.add_flags(
        which,
        ("--undo", "give the wheels of the last run their former names and bytes back"),
        ("--forget", "remove the old wheels that --undo needs, of all runs"),
    )
    options.add_shared(parser, "json")
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("see what is unstamped or stale", "restamp --dry-run"),
        ("stamp it; a run that was killed is run again", "restamp"),
        ("as it was before", "restamp --undo"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `restamp`. Exit code 1 when a wheel could not be stamped, or its former name not be put back."""
    if (args.undo or args.forget) and (args.retag or args.no_undo):
        raise options.UsageError("--undo and --forget go with --dry-run only")
    site = options.site_of(args)
    plan = "would remove {0.path}" if args.forget else "would rename {0.source} to {name}"
    observer = PublishProgress() if args.json else PublishPrinter(plan)
    with observer.interruptible():
        if args.undo or args.forget:
            report = (forget if args.forget else undo)(site, dry_run=args.dry_run, observer=observer)
        else:
            report = restamp(
                site, retag=args.retag, keep=not args.no_undo, dry_run=args.dry_run, observer=observer
            )
    if args.json:
        output.print_json(report.to_dict())
    elif report.totals is not None:
        _show_totals(site, report.totals, args)
    elif report.changes or report.errors:
        observer.show_totals()
    else:
        print("nothing to undo" if args.undo else "nothing to remove")
    return 0 if report.ok else 1


def _show_totals(site: Site, totals: Totals, args: argparse.Namespace) -> None:
    for each in totals.left:
        output.say(f"{'inversion' if each.by_tag else 'wrong order'}: {printable(each)}")
    stamps = f"{totals.current} with a current stamp already"
    if args.dry_run:
        print(f"{output.count(totals.wheels, 'wheel')} to rewrite ({_size(totals.size)}), {stamps}")
        if totals.wheels:
            print(f"that takes about {_time(totals)}")
            if not args.no_undo:
                print("the old wheels are kept in .trash/ for --undo, until --forget removes them")
    else:
        print(f"{output.count(totals.wheels, 'wheel')} rewritten ({_size(totals.size)}), {stamps}")
        if totals.wheels:
            print(f"it took {_time(totals)}")
    inverted = sum(each.by_tag for each in totals.left)
    if inverted:
        stay = f"{output.count(inverted, 'tag inversion')} left, which no stamp fixes"
        command = site.command("audit") if args.retag else site.command("restamp", "--retag")
        output.say(f"{stay}; {'details' if args.retag else 'equal tags may'}: `{printable(command)}`")


def _size(size: float) -> str:
    """So many bytes, for people."""
    unit, *larger = ("bytes", "kB", "MB", "GB", "TB")
    while size >= 1000 and larger:
        size, unit = size / 1000, larger.pop(0)
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"


def _time(totals: Totals) -> str:
    """How long it takes, with the rate and how that is known."""
    if totals.seconds is None:
        return "an unknown time: rewriting a wheel elsewhere, to measure it, failed"
    rate = f"{_size(totals.size / max(totals.seconds, 1e-6))}/s, measured by {totals.measured}"
    if totals.seconds < 1:
        return f"a second or less ({rate})"
    minutes, seconds = divmod(round(totals.seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes) + [f"{seconds} s"] * (not hours)
    return f"{' '.join(parts)} ({rate})"
