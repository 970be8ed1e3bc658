"""Options that commands share, and what they mean."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from wheelhouse_resolver.errors import MissingDirectoryError, NoWheelhouseError, WheelhouseError, printable
from wheelhouse_resolver.host.detect import Host, detect_host
from wheelhouse_resolver.site.model import Site

if TYPE_CHECKING:
    from wheelhouse_resolver.selection.requirements import RequirementsFile


class UsageError(WheelhouseError, ValueError):
    """A command line that does not say what to do."""

    _message = "{problem}"
    problem: str


def add_site_options(parser: argparse.ArgumentParser) -> None:
    """`--config` and `--root`."""
    group = parser.add_argument_group("the site")
    group.add_argument(
        "--config",
        metavar="FILE",
        help="the site file; else WHEELHOUSE_CONFIG, else wheelhouse-resolver/site.toml in the user's or "
        "the machine's configuration directory, else the built-in site",
    )
    group.add_argument(
        "--root", metavar="DIR", help="the wheelhouse, instead of the site's; else WHEELHOUSE_ROOT"
    )


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """`--arch`, `--layer` and `--python`, and the options of the site."""
    group = parser.add_argument_group("the host")
    group.add_argument(
        "--arch",
        help="the CPU level, instead of the detected one; else WHEELHOUSE_ARCH, else RSNT_ARCH",
    )
    group.add_argument(
        "--layer",
        help="the layer, instead of the detected one (`none` for none); else WHEELHOUSE_LAYER",
    )
    group.add_argument(
        "--python",
        metavar="PATH|X.Y",
        help="the target Python, instead of the running one: a path, an environment's directory, or a "
        "version of CPython",
    )
    add_site_options(parser)


def add_files_option(parser: argparse.ArgumentParser) -> None:
    """`-r`, which may be given several times."""
    parser.add_argument(
        "-r",
        "--requirement",
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="also the requirements in this file, or the dependencies in this pyproject.toml; "
        "may be given several times",
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_question_options(parser: argparse.ArgumentParser, *examples: tuple[str, str]) -> None:
    """What is asked, for whom, and how to print it, of a command that answers about requirements."""
    parser.add_argument("requirement", nargs="*", metavar="REQUIREMENT", help="such as numpy>=1.26")
    add_files_option(parser)
    add_json_option(parser)
    add_host_options(parser)
    add_site_options(parser)
    add_examples(parser, *examples)


def question_of(options: argparse.Namespace) -> tuple[RequirementsFile, Site, Host]:
    """The requirements, the site and the host that the options name, with all warnings on stderr.

    Raises `UsageError` when nothing is required.
    """
    from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement

    asked = RequirementsFile(requirements=tuple(map(parse_requirement, options.requirement)))
    asked = asked.merge(files_of(options))
    if not asked.requirements:
        where = f" in {', '.join(options.files)}" if options.files else ""
        raise UsageError(f"no requirement{where}").with_hint("give one, such as numpy>=1.26")
    warn(asked.warnings())
    site = site_of(options)
    return asked, site, host_of(options, site, for_python=True)


def add_examples(parser: argparse.ArgumentParser, *examples: tuple[str, str]) -> None:
    """Examples below the help: (what it does, command line without the program's name) each."""
    program = parser.prog.split()[0]  # the command follows
    lines = [f"  {program} {line}\n      {what}" for what, line in examples]
    parser.epilog = "examples:\n" + "\n".join(lines)


def files_of(options: argparse.Namespace) -> RequirementsFile:
    """What the files given with `-r` say, together."""
    from wheelhouse_resolver.selection.requirements import RequirementsFile, read_any

    found = RequirementsFile()
    for file in options.files:
        found = found.merge(read_any(file, os.environ))
    return found


def directories_of(paths: Sequence[str], option: str) -> list[str]:
    """*paths*, absolute, which *option* names. Raises `MissingDirectoryError` for anything else."""
    for path in paths:
        if not os.path.isdir(path):
            raise MissingDirectoryError(path, f"{option}: no such directory")
    return [os.path.abspath(path) for path in paths]


def site_of(options: argparse.Namespace) -> Site:
    """The site that the options name."""
    return Site.load(options.config, root=options.root)


def site_without_wheelhouse(options: argparse.Namespace) -> Site:
    """The site that the options name; where there is no wheelhouse, the built-in one without any."""
    try:
        return site_of(options)
    except NoWheelhouseError:
        return Site.default(os.sep)


def host_of(
    options: argparse.Namespace, site: Site, cpuinfo: str | None = None, *, for_python: bool = False
) -> Host:
    """The host that the options name, with its warnings on stderr.

    *for_python*: the answer depends on the Python, so warn when that is not the active environment's.
    """
    host = detect_host(
        python=options.python, cpuinfo=cpuinfo, arch=options.arch, layer=options.layer, site=site
    )
    warn(host.warnings)
    if for_python and options.python is None:
        from wheelhouse_resolver.host.target_python import other_active

        other = other_active(os.environ)
        warn([other] if other is not None else [])
    return host


def report(error: WheelhouseError) -> None:
    """Print *error* on stderr, and its hint on the next line."""
    print(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""), file=sys.stderr)


def warn(warnings: Iterable[str]) -> None:
    """Print *warnings* on stderr, a line each."""
    for warning in warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)


def seconds(text: str) -> float:
    """A time limit, for argparse. Raises `ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def print_json(value: Any) -> None:
    """Print *value* for programs: pure ASCII, two spaces a level."""
    print(json.dumps(value, indent=2))


def print_or_write(text: str, path: str | None) -> None:
    """Print *text*, or make it the content of the file at *path*, atomically. Raises `OutputError`."""
    if path is None:
        print(text, end="")
        return
    from wheelhouse_resolver.utils.filesystem import write_text

    write_text(path, text)
