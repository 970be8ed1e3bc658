"""`verify`: whether wheels work, tried out in fresh environments."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Mapping

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from wheelhouse_resolver import tree
from wheelhouse_resolver.build.modules import module_environment
from wheelhouse_resolver.build.recipe import Recipe, no_recipe
from wheelhouse_resolver.build.recipe_file import find_recipe, load_recipe, recipe_directories
from wheelhouse_resolver.build.verify import Verification, python_for, verify
from wheelhouse_resolver.cli.common import (
    add_examples,
    add_host_options,
    add_json_option,
    add_site_options,
    host_of,
    print_json,
    site_of,
)
from wheelhouse_resolver.cli.progress import shown
from wheelhouse_resolver.errors import PythonError, UnreadableWheelError
from wheelhouse_resolver.host import Host
from wheelhouse_resolver.host.python import python_version
from wheelhouse_resolver.site import Site
from wheelhouse_resolver.text import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `verify`."""
    parser.add_argument("wheel", nargs="+", metavar="WHEEL", help="the wheels")
    how = parser.add_argument_group("how")
    how.add_argument(
        "--recipe",
        metavar="FILE|none",
        help="what to try, instead of the recipe that is found for each project; `none`: imports alone",
    )
    how.add_argument("--timeout", type=float, metavar="SECONDS", help="of each import and test")
    how.add_argument(
        "--find-links",
        action="append",
        default=[],
        metavar="DIR",
        help="a directory with what wheels require, before the wheelhouse; may be given several times",
    )
    how.add_argument("--offline", action="store_true", help="do not look for requirements on an index")
    how.add_argument(
        "--emulate",
        default="",
        metavar="COMMAND",
        help="run the tests by this emulator of a lower CPU, such as 'qemu-x86_64 -cpu Haswell'",
    )
    how.add_argument("--keep", action="store_true", help="keep the environments, and say where they are")
    add_json_option(parser)
    add_host_options(parser)
    add_site_options(parser)
    add_examples(
        parser,
        ("does it work with what this host has?", "verify numpy-1.26.4-cp311-cp311-linux_x86_64.whl"),
        (
            "and on a node without AVX-512, without the network",
            "verify --offline --emulate 'qemu-x86_64 -cpu Haswell' demo-1.0-py3-none-any.whl",
        ),
    )


def run(options: argparse.Namespace) -> int:
    """Run `verify`. Exit code 1 when a wheel fails."""
    site = site_of(options)
    missing = [path for path in options.wheel if not os.path.exists(path)]
    if missing:
        raise UnreadableWheelError(missing[0], "does not exist")
    work = tempfile.mkdtemp(prefix="wheelhouse-verify-")
    results: list[Verification] = []
    try:
        for number, path in enumerate(shown(options.wheel, "verifying", len(options.wheel))):
            result = _verified(options, site, path, os.path.join(work, str(number)))
            results.append(result)
            if not options.json:
                _tell(result)
    finally:
        failed = [each for each in results if not each.ok]
        if options.keep:
            print(f"kept: {work}", file=sys.stderr)
        else:
            _remove(work, [each.log for each in failed])
    if options.json:
        print_json([each.to_dict() for each in results])
    return 1 if failed else 0


def _verified(options: argparse.Namespace, site: Site, path: str, work: str) -> Verification:
    if options.python is None:
        try:
            options_python = python_for(path)
        except InvalidWheelFilename as error:
            raise UnreadableWheelError(path, str(error)) from error
    else:
        options_python = options.python
    host = host_of(argparse.Namespace(**{**vars(options), "python": options_python}), site)
    recipe = _recipe(options, site, path, host)
    test = recipe.test
    if options.timeout is not None:
        from dataclasses import replace

        test = replace(test, timeout=options.timeout)
    os.makedirs(work)
    environ: Mapping[str, str] = module_environment(recipe.run_modules, os.environ)
    return verify(
        path,
        python=_path_of(host, options_python),
        find_links=[*options.find_links, *(each.path for each in tree.existing(site.search_path(host)))],
        work=work,
        log=os.path.join(work, "log.txt"),
        test=test,
        environ=environ,
        offline=options.offline,
        emulate=shlex.split(options.emulate),
    )


def _recipe(options: argparse.Namespace, site: Site, path: str, host: Host) -> Recipe:
    try:
        name, version, _, _ = parse_wheel_filename(os.path.basename(path))
    except InvalidWheelFilename as error:
        raise UnreadableWheelError(path, str(error)) from error
    if options.recipe == "none":
        return no_recipe(name)
    found = load_recipe(options.recipe) if options.recipe else find_recipe(name, recipe_directories(site))
    if found is None:
        return no_recipe(name)
    python = python_version(host.python)
    return found.resolve(version, f"{python.major}.{python.minor}", host.layer, site.search_path(host).arch)


def _path_of(host: Host, python: str) -> str:
    """The path of the target Python, which must be one that can be run."""
    if os.path.sep in python:
        return python
    found = shutil.which(python if not python[:1].isdigit() else f"python{python}")
    if found is None:
        raise PythonError(host.python.name, "not found on PATH; give the path of a Python")
    return found


def _tell(result: Verification) -> None:
    done = ", ".join(result.imported) or "nothing to import"
    if result.ok:
        print(f"{printable(result.wheel)}: works ({done}; {result.seconds:.0f} s)")
        return
    print(f"{printable(result.wheel)}: fails")
    for finding in result.findings:
        print(f"    {printable(finding.check)}: {printable(finding.problem)}")
    print(f"    log: {printable(result.log)}")


def _remove(work: str, logs: list[str]) -> None:
    """Remove what was made below *work*, but for the *logs* of what failed."""
    kept = {os.path.realpath(log) for log in logs}
    for directory, below, names in os.walk(work, topdown=False):
        for name in [*names, *(each for each in below if os.path.islink(os.path.join(directory, each)))]:
            path = os.path.join(directory, name)
            if os.path.realpath(path) not in kept or os.path.islink(path):
                os.unlink(path)
        if not os.listdir(directory):
            os.rmdir(directory)
