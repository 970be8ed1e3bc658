"""Options that commands share, and what they mean."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from wheelhouse_resolver.cli import output
from wheelhouse_resolver.errors import MissingDirectoryError, NoWheelhouseError, WheelhouseError
from wheelhouse_resolver.host.detect import Host, detect_for_search, probe_machine
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing

if TYPE_CHECKING:
    from wheelhouse_resolver.selection.requirements import RequirementsFile


class Arguments(Protocol):
    """What arguments are added to: a parser, or a group of one."""

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        """See argparse."""


class UsageError(WheelhouseError, ValueError):
    """A command line that does not say what to do."""

    _message = "{problem}"
    problem: str


def usual_jobs() -> int:
    """How many processes look into wheels unless `--jobs` says: one per processor, at most 8."""
    return min(8, len(os.sched_getaffinity(0)))


def count(text: str) -> int:
    """The number of an option that says how many. Raises `ArgumentTypeError`."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _add_site(parser: argparse.ArgumentParser) -> None:
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


#: The Python that answers are for.
IN_USE = (
    "the active environment's, else EBROOTPYTHON's, else the first on PATH but the program's own, else that"
)

#: That of `host`, and of `host-of-staff`, who build for others.
_BY_DEFAULT = {"host": IN_USE, "host-of-staff": "the one that runs this"}


def _add_host(parser: argparse.ArgumentParser, by_default: str, arch: str, python: str) -> None:
    group = parser.add_argument_group("the host")
    level = "the CPU level, instead of the detected one; else WHEELHOUSE_ARCH, else RSNT_ARCH"
    layer = "the layer, instead of the detected one (`none` for none); else WHEELHOUSE_LAYER"
    group.add_argument("--arch", help=f"{level}{arch}")
    group.add_argument("--layer", help=layer)
    group.add_argument(
        "--python",
        metavar="PATH|X.Y",
        help="the target Python: a path, an environment's directory, or a version (a Python of that version "
        f"that is here, if there is one); by default, {by_default}{python}",
    )


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-r",
        "--requirement",
        dest="files",
        action="append",
        default=[],
        metavar="FILE",
        help="also the requirements in this file (`-`: standard input), or the dependencies in this "
        "pyproject.toml; may be given several times",
    )


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    text = "processes that look into wheels; one per processor, at most 8"
    parser.add_argument("--jobs", type=count, metavar="N", help=text)


_SHARED = {
    "files": _add_files,
    "jobs": _add_jobs,
    "json": lambda parser: add_flags(parser, ("--json", "print JSON, for programs")),
    "site": _add_site,
}


def add_shared(parser: argparse.ArgumentParser, *names: str, arch: str = "", python: str = "") -> None:
    """The options that several commands have: those called *names* in `_SHARED`, in this order.

    And `host` or `host-of-staff`, with *arch* and *python* at the end of the help of these options.
    """
    for name in names:
        if name in _BY_DEFAULT:
            _add_host(parser, _BY_DEFAULT[name], arch, python)
        else:
            _SHARED[name](parser)


def add_repeated(parser: Arguments, *lists: tuple[str, str, str]) -> None:
    """Options that may be given several times: (option, placeholder of its value, help) each."""
    for option, metavar, text in lists:
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=text)


def add_flags(parser: Arguments, *flags: tuple[str, str]) -> None:
    """Options without a value: (option, help) each."""
    for option, text in flags:
        parser.add_argument(option, action="store_true", help=text)


def add_examples(parser: argparse.ArgumentParser, *examples: tuple[str, str]) -> None:
    """Examples below the help: (what it does, command line without the program's name) each."""
    program = parser.prog.split()[0]  # the command follows
    lines = [f"  {program} {line}\n      {what}" for what, line in examples]
    parser.epilog = "examples:\n" + "\n".join(lines)


def add_question_options(parser: argparse.ArgumentParser, *examples: tuple[str, str]) -> None:
    """What is asked, for whom, and how to print it, of a command that answers about requirements."""
    parser.add_argument("requirement", nargs="*", metavar="REQUIREMENT", help="such as numpy>=1.26")
    add_shared(parser, "files", "json", "host", "site")
    add_examples(parser, *examples)


def requirements_of(args: argparse.Namespace) -> RequirementsFile:
    """What the options ask for. Raises `UsageError` when that is nothing."""
    from wheelhouse_resolver.selection.requirements import RequirementsFile, parse_requirement

    asked = RequirementsFile(requirements=tuple(map(parse_requirement, args.requirement)))
    asked = asked.merge(files_of(args))
    if not asked.requirements and not asked.direct:
        where = f" in {', '.join(args.files)}" if args.files else ""
        raise UsageError(f"no requirement{where}").with_hint("give one, such as numpy>=1.26")
    return asked


def question_of(args: argparse.Namespace) -> tuple[RequirementsFile, Site, Host]:
    """The requirements, the site and the host that the options name, with all warnings on stderr.

    Raises `UsageError` when nothing is required.
    """
    asked = requirements_of(args)
    output.warn(asked.warnings())
    site = site_of(args)
    return asked, site, host_of(args, site)


def files_of(args: argparse.Namespace) -> RequirementsFile:
    """What the files given with `-r` say, together."""
    from wheelhouse_resolver.selection.requirements import RequirementsFile
    from wheelhouse_resolver.selection.requirements_file import read_any

    found = RequirementsFile()
    for file in args.files:
        found = found.merge(read_any("/dev/stdin" if file == "-" else file, os.environ))
    return found


def directories_of(paths: Sequence[str], option: str) -> list[str]:
    """*paths*, absolute, which *option* names. Raises `MissingDirectoryError` for anything else."""
    for path in paths:
        if not os.path.isdir(path):
            raise MissingDirectoryError(path, f"{option}: no such directory")
    return [os.path.abspath(path) for path in paths]


def site_of(args: argparse.Namespace) -> Site:
    """The site that the options name."""
    return Site.load(args.config, root=args.root)


def site_without_wheelhouse(args: argparse.Namespace) -> Site:
    """The site that the options name; where there is no wheelhouse, the built-in one without any."""
    try:
        return site_of(args)
    except NoWheelhouseError:
        return Site.default(os.sep)


def host_of(
    args: argparse.Namespace, site: Site, cpuinfo: str | None = None, os_release: str | None = None
) -> Host:
    """The host that the options name, with its warnings on stderr."""
    machine = probe_machine(args.python, cpuinfo, os_release=os_release)
    host = machine._replace(arch=args.arch, layer=args.layer).host(site)
    output.warn([*host.warnings, *map(str, listing.missing_bases(site))])
    return host


def searching_host_of(args: argparse.Namespace, site: Site, *, bases: bool = True) -> Host:
    """`host_of`, for commands whose answer depends on the search path only: they start no Python.

    bases: whether to warn of those that are missing.
    """
    host = detect_for_search(args.python, arch=args.arch, layer=args.layer, site=site)
    output.warn([*host.warnings, *(map(str, listing.missing_bases(site)) if bases else ())])
    return host


def seconds(text: str) -> float:
    """A time limit, for argparse. Raises `ArgumentTypeError`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return value


def checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """A text that *parse* takes, for argparse. What it raises is an `ArgumentTypeError`."""

    def check(text: str) -> str:
        try:
            parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        return text

    return check
