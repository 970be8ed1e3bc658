"""`verify`: whether wheels work, tested in fresh environments."""

from __future__ import annotations

import argparse
import os
import shlex
import tempfile

from wheelhouse_resolver.builder.process.memory import size_of
from wheelhouse_resolver.builder.verification.verify import Verification
from wheelhouse_resolver.builder.verification.wheels import VerifyOptions, verify
from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.progress import progress
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.host.detect import Host


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help="the wheels")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--recipe",
        metavar="FILE|none",
        help="the recipe that says what to test, instead of each project's own; `none`: imports only",
    )
    how.add_argument("--timeout", type=options.seconds, metavar="SECONDS", help="of each import and test")
    memory_help = "of each step, with all that it starts: 8G unless said"
    how.add_argument("--memory", type=_size, metavar="SIZE", help=memory_help)
    links = "a directory with what the wheels require, besides the wheelhouse; may be given several times"
    libraries = "a directory with libraries of the layer, as if it were in LD_LIBRARY_PATH"
    options.add_repeated(how, ("--find-links", "DIR", links), ("--library-dir", "DIR", libraries))
    how.add_argument("--offline", action="store_true", help="take requirements from these directories only")
    how.add_argument(
        "--emulate",
        type=_words,
        default=[],
        metavar="COMMAND",
        help="import by this emulator of a lower CPU, such as 'qemu-x86_64 -cpu Haswell'",
    )
    how.add_argument("--keep", action="store_true", help="keep the environments and print where they are")
    options.add_shared(parser, "json", "host-of-staff", "site")
    options.add_examples(
        parser,
        ("does it work with what this host has?", "verify numpy-1.26.4-cp311-cp311-linux_x86_64.whl"),
        (
            "and on a node without AVX-512, without the network",
            "verify --offline --emulate 'qemu-x86_64 -cpu Haswell' demo-1.0-py3-none-any.whl",
        ),
    )


def _size(text: str) -> str:
    try:
        size_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a command line: {error}") from error


def run(args: argparse.Namespace) -> int:
    """Run `verify`. Exit code 1 when a wheel fails."""
    site = options.site_of(args)
    how = VerifyOptions(
        python=args.python,
        recipe=args.recipe,
        timeout=args.timeout,
        memory=args.memory,
        find_links=options.directories_of(args.find_links, "--find-links"),
        library_dirs=args.library_dir,
        offline=args.offline,
        emulate=args.emulate,
        work=tempfile.mkdtemp(prefix="wheelhouse-verify-") if args.keep else None,
    )

    def host_for(python: str) -> Host:
        return options.host_of(argparse.Namespace(**{**vars(args), "python": python}), site)

    found = []
    try:
        results = verify(args.wheel, site, how, host_for=host_for)
        # What is printed of each wheel shows the progress; JSON comes at the end.
        for result in progress(results, "verifying", len(args.wheel)) if args.json else results:
            found.append(result)
            if not args.json:
                _print(result)
    finally:
        if args.keep:
            output.say(f"kept: {how.work}", error=True)
    if args.json:
        logs = {each.log: each.log for each in found if os.path.exists(each.log)}
        output.print_json([{**each.to_dict(), "log": logs.get(each.log)} for each in found])
    elif len(found) > 1:
        good = sum(each.ok for each in found)
        print(f"{good} of {output.count(len(found), 'wheel')} work{'s' * (good == 1)}")
    return 0 if all(each.ok for each in found) else 1


def _print(result: Verification) -> None:
    if result.ok:
        done = ", ".join(result.imported) or "nothing to import"
        output.say(f"{printable(result.wheel)}: works ({printable(done)}; {result.seconds:.0f} s)")
    else:
        print(f"{printable(result.wheel)}: fails")
    lines = [(each.check, each.problem) for each in result.findings]
    lines += [("note", each) for each in result.notes]
    for check, problem in lines if result.ok else [*lines, ("log", result.log)]:
        output.say(f"    {printable(check)}: {printable(problem)}")
