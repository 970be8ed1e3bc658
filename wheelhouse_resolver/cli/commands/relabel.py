"""`relabel`: print or edit the requirements, local label and tags of finished wheels."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Sequence

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.commands.publish import PublishPrinter
from wheelhouse_resolver.errors import OutputError, WheelhouseError, printable
from wheelhouse_resolver.publishing.pages import Pages
from wheelhouse_resolver.publishing.report import Recorder
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.redact import redact
from wheelhouse_resolver.wheelfile.edit import Edits, malformed, relabel, requirements_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `relabel`."""
    wheels = "the wheels; without an edit: print what they require"
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help=wheels)
    edits = parser.add_argument_group("edits")
    options.add_repeated(
        edits,
        ("--add-requires", "REQUIREMENT", "add a requirement"),
        ("--remove-requires", "NAME", "remove all requirements on a project"),
        ("--replace-requires", "REQUIREMENT", "replace all requirements on its project by this one"),
        ("--rename-requires", "NAME=REQUIREMENT", "require another project in the place of this one"),
        ("--narrow-requires", "REQUIREMENT", "require no other versions of its project than these"),
        ("--rpath", "DIR", "a directory that its libraries also look into, after their own (needs patchelf)"),
    )
    label_help = "append it to the version: 1.0 becomes 1.0+LABEL"
    edits.add_argument("--local-label", default="", metavar="LABEL", help=label_help)
    edits.add_argument(
        "--tags",
        default="",
        metavar="PYTHON-ABI-PLATFORM",
        help="other wheel tags; an empty part stays as it is (write --tags=-abi3- where the first is empty)",
    )
    where = parser.add_mutually_exclusive_group()
    directory_help = "where the new wheels go (default: the current directory)"
    where.add_argument("--output-dir", default=".", metavar="DIR", help=directory_help)
    where.add_argument("--in-place", action="store_true", help="replace each wheel by the new one")
    options.add_shared(parser, "json", "site")
    wheel = "h5py-3.11.0-cp311-cp311-linux_x86_64.whl"
    newer = f"relabel --replace-requires 'numpy>=2' --local-label site --output-dir new {wheel}"
    options.add_examples(
        parser,
        ("what a wheel requires", f"relabel {wheel}"),
        ("a wheel that needs a newer numpy, with a label of the site", newer),
    )


def _pair(text: str) -> tuple[str, str]:
    """What `NAME=REQUIREMENT` says."""
    name, equals, requirement = text.partition("=")
    if not equals:
        raise options.UsageError(f"invalid --rename-requires {text!r}: give NAME=REQUIREMENT")
    return name.strip(), requirement.strip()


def run(args: argparse.Namespace) -> int:
    """Run `relabel`. Exit code 1 when a wheel could not be edited (the others are); 2 for an invalid edit."""
    edits = Edits(
        add=tuple(args.add_requires),
        remove=tuple(args.remove_requires),
        replace=tuple(args.replace_requires),
        rename=tuple(_pair(each) for each in args.rename_requires),
        narrow=tuple(args.narrow_requires),
        local_label=args.local_label,
        tags=args.tags,
    )
    if edits == Edits() and not args.rpath:
        return _print(args)
    if problem := malformed(edits):
        raise options.UsageError(problem)
    directory = None if args.in_place else args.output_dir
    made: list[dict[str, str]] = []
    again = "run it again with the others" if args.in_place else "run it again to continue"
    site = options.site_without_wheelhouse(args)
    for place in map(os.path.dirname, args.wheel) if args.in_place else [args.output_dir]:
        if base := listing.base_holding(site, place):
            raise OutputError(place, f"it is in the base {base.name!r}, which is read-only")
    pages, recorder = Pages(site), Recorder(PublishPrinter())
    with output.interruptible(lambda: f"{_totals(made, args)}; {again}"), pages.kept(recorder):
        for path in args.wheel:
            try:
                with pages.changing(path) if args.in_place else contextlib.nullcontext():
                    result = relabel(path, edits, directory, rpath=args.rpath)
                pages.came(result.path)
            except OutputError:
                raise  # the next one would fail as well
            except WheelhouseError as error:
                output.report(error)
                continue
            made.append({"wheel": path, **result._asdict()})
            if not args.json:
                print(f"{result.done:<8} {result.path}")
    if args.json:
        output.print_json(made)
    elif len(args.wheel) > 1:
        print(_totals(made, args))
    return 0 if len(made) == len(args.wheel) and recorder.report().ok else 1


def _totals(made: Sequence[object], args: argparse.Namespace) -> str:
    return f"{len(made)} of {output.count(len(args.wheel), 'wheel')} edited"


def _print(args: argparse.Namespace) -> int:
    found = [{"wheel": path, "requires": [*map(redact, requirements_of(path))]} for path in args.wheel]
    if args.json:
        output.print_json(found)
        return 0
    for each in found:
        if len(found) > 1:
            print(printable(each["wheel"]))
        for requirement in each["requires"]:
            print(f"{'  ' if len(found) > 1 else ''}{printable(requirement)}")
    return 0
