"""`verify`: whether wheels work, tested in fresh environments."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace

from wheelhouse_resolver.builder.process.commands import subreaper
from wheelhouse_resolver.builder.recipes.loader import find_recipe, load_recipe, recipe_directories
from wheelhouse_resolver.builder.recipes.model import no_recipe
from wheelhouse_resolver.builder.toolchain.environment_modules import module_environment
from wheelhouse_resolver.builder.verification.verify import Verification, VerifyOptions, python_for, verify
from wheelhouse_resolver.cli import options as common
from wheelhouse_resolver.cli.progress import progress
from wheelhouse_resolver.errors import UnreadableWheelError, printable
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.interpreters import target_of
from wheelhouse_resolver.host.target_python import python_version
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.wheelfile.metadata import read_metadata
from wheelhouse_resolver.wheelfile.validate import WheelName


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help="the wheels")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--recipe",
        metavar="FILE|none",
        help="the recipe that says what to test, instead of each project's own; `none`: imports only",
    )
    how.add_argument("--timeout", type=common.seconds, metavar="SECONDS", help="of each import and test")
    directories = {
        "--find-links": "what the wheels require, besides the wheelhouse; may be given several times",
        "--library-dir": "libraries of the layer, as if it were in LD_LIBRARY_PATH",
    }
    for option, text in directories.items():
        about = f"a directory with {text}"
        how.add_argument(option, action="append", default=[], metavar="DIR", help=about)
    how.add_argument("--offline", action="store_true", help="take requirements from these directories only")
    how.add_argument(
        "--emulate",
        type=_words,
        default=[],
        metavar="COMMAND",
        help="import by this emulator of a lower CPU, such as 'qemu-x86_64 -cpu Haswell'",
    )
    how.add_argument("--keep", action="store_true", help="keep the environments and print where they are")
    common.add_json_option(parser)
    common.add_host_options(parser)
    common.add_site_options(parser)
    common.add_examples(
        parser,
        ("does it work with what this host has?", "verify numpy-1.26.4-cp311-cp311-linux_x86_64.whl"),
        (
            "and on a node without AVX-512, without the network",
            "verify --offline --emulate 'qemu-x86_64 -cpu Haswell' demo-1.0-py3-none-any.whl",
        ),
    )


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a command line: {error}") from error


def run(options: argparse.Namespace) -> int:
    """Run `verify`. Exit code 1 when a wheel fails."""
    cases = _cases(options, common.site_of(options))  # bad input shows before anything takes long
    work = tempfile.mkdtemp(prefix="wheelhouse-verify-")
    results = []
    try:
        # What is printed of each wheel shows the progress; JSON comes at the end.
        steps = progress(cases, "verifying", len(cases)) if options.json else cases
        for number, (path, how) in enumerate(steps, 1):
            with subreaper():
                results.append(_verify(path, how, os.path.join(work, str(number)), keep=options.keep))
            if not options.json:
                _print(results[-1])
    finally:
        if options.keep:
            print(f"kept: {work}", file=sys.stderr)
        else:
            with suppress(OSError):  # the logs of what failed stay
                os.rmdir(work)
    if options.json:
        logs = {each.log: each.log for each in results if os.path.exists(each.log)}
        common.print_json([{**each.to_dict(), "log": logs.get(each.log)} for each in results])
    return 0 if all(each.ok for each in results) else 1


def _verify(path: str, how: VerifyOptions, work: str, *, keep: bool) -> Verification:
    log = f"{work}.log"
    result = None
    try:
        result = verify(path, how, work=work, log=log)
        return result
    finally:
        if not keep:
            shutil.rmtree(work, ignore_errors=True)
            if result is None or result.ok:
                with suppress(FileNotFoundError):
                    os.unlink(log)


def _cases(options: argparse.Namespace, site: Site) -> list[tuple[str, VerifyOptions]]:
    """Each wheel, and how it is verified."""
    given = load_recipe(options.recipe) if options.recipe not in (None, "none") else None
    more = common.directories_of(options.find_links, "--find-links")
    hosts: dict[str, Host] = {}
    found = []
    for path in options.wheel:
        if not os.path.isfile(path):  # pip would wait for somebody to write into a pipe
            problem = "not a regular file" if os.path.exists(path) else "does not exist"
            raise UnreadableWheelError(path, problem)
        try:
            name, version, _, _ = WheelName.parse(os.path.basename(path))
        except ValueError as error:
            raise UnreadableWheelError(path, str(error)) from error
        read_metadata(path)  # raises if it cannot be read
        python = target_of(options.python).path if options.python is not None else python_for(path)
        if python not in hosts:
            hosts[python] = common.host_of(argparse.Namespace(**{**vars(options), "python": python}), site)
        host = hosts[python]
        search_path = site.search_path(host)
        file = None if options.recipe == "none" else given or find_recipe(name, recipe_directories(site))
        recipe = no_recipe(name)
        if file is not None:
            major, minor = python_version(host.python).release[:2]
            recipe = file.resolve(version, f"{major}.{minor}", host.layer, search_path.arch)
        timeout = recipe.test.timeout if options.timeout is None else options.timeout
        how = VerifyOptions(
            python=python,
            environ=module_environment(recipe.run_modules, os.environ),
            find_links=[*more, *(directory.path for directory in listing.existing(search_path))],
            test=replace(recipe.test, timeout=timeout),
            library_dirs=[os.path.abspath(each) for each in options.library_dir],
            offline=options.offline,
            emulate=options.emulate,
        )
        found.append((path, how))
    return found


def _print(result: Verification) -> None:
    if result.ok:
        done = ", ".join(result.imported) or "nothing to import"
        print(f"{printable(result.wheel)}: works ({printable(done)}; {result.seconds:.0f} s)")
        return
    print(f"{printable(result.wheel)}: fails")
    for check, problem in [*((each.check, each.problem) for each in result.findings), ("log", result.log)]:
        print(f"    {printable(check)}: {printable(problem)}")
