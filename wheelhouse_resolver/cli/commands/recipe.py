"""`recipe`: check recipe files, and show which recipe a build would follow."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import tomli_w
from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.builder.config import site_settings
from wheelhouse_resolver.builder.recipes import loader
from wheelhouse_resolver.builder.recipes.defaults import completed
from wheelhouse_resolver.builder.recipes.model import RecipeError, UnreadableRecipeError, pinned_version
from wheelhouse_resolver.builder.records.settings import NOTHING
from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.tables import Table, style_of, text_table
from wheelhouse_resolver.errors import InvalidRequirementError, SiteFileError, printable
from wheelhouse_resolver.host.target_python import python_version
from wheelhouse_resolver.selection.requirements import parse_requirement
from wheelhouse_resolver.site.model import Site

_CHECK = (
    ("is this recipe valid? exit code 1 means no", "recipe check recipes/demo.toml"),
    ("are all of them?", "recipe check recipes/*.toml"),
)
_SHOW = (
    ("the recipe for a build of numpy 2 here", "recipe show numpy --version 2.0"),
    (
        "for another arch and Python",
        "recipe show numpy --version 2.0 --arch avx512 --layer gentoo --python 3.12",
    ),
)
_LIST = (
    ("which projects have recipes?", "recipe list"),
    ("in another site, for programs", "recipe list --config site.toml --json"),
)


_IMPORT = (
    ("take over a directory of shell recipes", "recipe import wheels_builder/config --output recipes"),
    ("what of them needs a person? for programs", "recipe import config --output recipes --json"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `recipe`, which has four actions."""
    actions = parser.add_subparsers(
        prog=parser.prog, title="actions", dest="action", metavar="ACTION", required=True, help="what to do"
    )

    def action(name: str, summary: str, *examples: tuple[str, str]) -> argparse.ArgumentParser:
        found = actions.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            formatter_class=parser.formatter_class,
        )
        options.add_examples(found, *examples)
        return found

    check = action("check", "check recipe files, and print everything that is wrong in them", *_CHECK)
    check.add_argument("files", nargs="+", metavar="FILE", help="a recipe")
    show = action("show", "print the recipes of projects, and their files, for a version and a host", *_SHOW)
    show.add_argument(
        "projects", nargs="+", metavar="NAME[==VERSION]", help="a project, in any spelling of its name"
    )
    show.add_argument(
        "--version",
        metavar="VERSION",
        help="of the projects; without it, no `[[when]]` section with a condition on the version applies",
    )
    options.add_shared(show, "host-of-staff")
    listed = action("list", "print the projects that have recipes, and their files", *_LIST)
    taken = action("import", "make recipes of shell recipes, without running any", *_IMPORT)
    taken.add_argument("directory", metavar="DIR", help="the directory of the shell recipes, NAME.sh")
    taken.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="the new directory of the recipes, and of their patches",
    )
    for each in (check, show, listed, taken):
        options.add_shared(each, "json", "site")
    options.add_examples(parser, _CHECK[0], _SHOW[0], _LIST[0])


def run(args: argparse.Namespace) -> int:
    """Run `recipe`. Exit code 1: a file is not valid, a project has no recipe, or one needs a person."""
    actions = {"check": _check, "show": _show, "list": _list, "import": _import}
    return actions[args.action](args)


def _check(args: argparse.Namespace) -> int:
    site = _known_site(args)
    found: dict[str, Sequence[tuple[str, str]]] = {}
    warnings: list[str] = []
    for path in args.files:
        found[path] = ()
        try:
            file = replace(loader.load_recipe(path), path=path)
            warnings += loader.lost_commands(file)
            if site is not None:
                warnings += loader.unmatched_conditions(file, site)
        except UnreadableRecipeError:
            raise
        except RecipeError as error:
            found[path] = error.findings
    if args.json:
        keys = ("key", "problem")
        plain = {path: [dict(zip(keys, each, strict=True)) for each in found[path]] for path in found}
        output.print_json([{"path": path, "findings": findings} for path, findings in plain.items()])
    else:
        for path, findings in found.items():
            for key, problem in findings or [("", "valid")]:
                print(printable(": ".join(filter(None, [path, key, problem]))))
    output.warn(warnings)
    return 1 if any(found.values()) else 0


def _known_site(args: argparse.Namespace) -> Site | None:
    """The site to check for; None if none was given and this machine's cannot be used."""
    try:
        return options.site_without_wheelhouse(args)
    except SiteFileError:
        if args.config is not None:
            raise
        return None


def _show(args: argparse.Namespace) -> int:
    site = options.site_without_wheelhouse(args)
    args.python = args.python or sys.executable  # as `build` does
    host = options.host_of(args, site)
    # One that is asked for counts even if the layer has no directory for it: it can be built for.
    arch = host.arch if args.arch is not None else site.search_path(host).arch
    python = python_version(host.python)
    try:
        version = Version(args.version) if args.version is not None else None
    except InvalidVersion as error:
        raise InvalidRequirementError(args.version, "invalid version", "--version") from error
    found: list[dict[str, Any]] = []
    asked = [_name_and_version(text, version) for text in args.projects]
    for name, wanted in asked:
        file = loader.find_recipe(name, loader.recipe_directories(site))
        if file is None:
            print(f"{printable(name)}: no recipe: it is built without one", file=sys.stderr)
            continue
        applied = file.applied(wanted, f"{python.major}.{python.minor}", host.layer, arch)
        applied = completed(applied, site_settings(site), NOTHING)
        found.append({"name": file.name, "path": file.path, "sha256": file.digest, "recipe": applied})
    if args.json:
        output.print_json(found)
    else:
        for number, each in enumerate(found):
            blank = "\n" if number else ""
            print(f"{blank}# {each['name']}: {printable(each['path'])}")
            print(tomli_w.dumps(each["recipe"]), end="")
    return 1 if len(found) < len(asked) else 0


def _name_and_version(text: str, version: Version | None) -> tuple[str, Version | None]:
    """What `NAME` or `NAME==VERSION` asks for; *version*: of the former."""
    asked = parse_requirement(text)
    if not asked.specifier:
        return asked.name, version
    pinned = pinned_version(text)
    if pinned is None:
        raise InvalidRequirementError(text, "give NAME or NAME==VERSION")
    return asked.name, Version(pinned)


def _list(args: argparse.Namespace) -> int:
    directories = loader.recipe_directories(options.site_without_wheelhouse(args))
    found = sorted(loader.recipe_files(directories).items())
    if args.json:
        output.print_json([{"name": name, "path": path} for name, path in found])
    else:
        for name, path in found:
            print(f"{name:<24} {printable(path)}")
    return 0


def _import(args: argparse.Namespace) -> int:
    from wheelhouse_resolver.builder.shell_recipes.importer import import_recipes, write_recipes

    imported = import_recipes(args.directory, _known_site(args))
    imported = write_recipes(imported, args.output, args.directory)
    totals = {
        "shell recipes": sum(len(each.paths) for each in imported),
        "recipes": sum(each.document is not None for each in imported),
        "with nothing to look at": sum(not each.reported for each in imported),
        "with something to look at": sum(bool(each.reported) for each in imported),
        "with [[when]] sections": sum(bool(each.sections) for each in imported),
        "with commands in phases": sum(bool(each.commands) for each in imported),
    }
    if args.json:
        output.print_json({"totals": totals, "recipes": [each.to_dict() for each in imported]})
    else:
        for finding in (finding for each in imported for finding in each.findings):
            output.say(printable(finding), wrap=False)
        rows = [[name, str(number)] for name, number in totals.items()]
        print(text_table(Table(("what", "number"), rows), style_of(sys.stdout, os.environ)))
    return 1 if totals["with something to look at"] else 0
