"""`recipe`: check recipe files, and show which recipe a build would follow."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from typing import Any

from packaging.version import InvalidVersion, Version

from wheelhouse_resolver.build.recipe import RecipeError
from wheelhouse_resolver.build.recipe_file import (
    find_recipe,
    load_recipe,
    recipe_directories,
    recipe_files,
)
from wheelhouse_resolver.cli.common import (
    add_examples,
    add_host_options,
    add_json_option,
    add_site_options,
    host_of,
    print_json,
    site_of,
)
from wheelhouse_resolver.errors import InvalidRequirementError
from wheelhouse_resolver.host.python import python_version
from wheelhouse_resolver.text import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `recipe`."""
    parser.add_argument(
        "action",
        choices=("check", "show", "list"),
        help="check: whether FILEs are valid. show: the recipe of projects, as it is for this host. list: "
        "all recipes that are found, and where",
    )
    parser.add_argument(
        "names", nargs="*", metavar="FILE|NAME", help="recipe files (check), or projects (show)"
    )
    parser.add_argument("--version", metavar="VERSION", help="show: of the project, for `[[when]]` sections")
    add_json_option(parser)
    add_host_options(parser)
    add_site_options(parser)
    add_examples(
        parser,
        ("is this recipe valid? exit code 1 tells that it is not", "recipe check recipes/demo.toml"),
        ("what would apply to a build of numpy 2 here", "recipe show numpy --version 2.0 --json"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `recipe`. Exit code 1 when a file is not valid, or a project has no recipe."""
    if options.action != "list" and not options.names:
        what = "the recipe files to check" if options.action == "check" else "the projects"
        print(f"error: recipe {options.action}: name {what}", file=sys.stderr)
        return 2
    actions = {"check": _check, "show": _show, "list": _list}
    return actions[options.action](options)


def _check(options: argparse.Namespace) -> int:
    told: list[dict[str, Any]] = []
    for path in options.names:
        try:
            load_recipe(path)
            findings: tuple[tuple[str, str], ...] = ()
        except RecipeError as error:
            findings = error.findings
        told.append(
            {"path": path, "findings": [{"key": key, "problem": problem} for key, problem in findings]}
        )
    if options.json:
        print_json(told)
    else:
        for each in told:
            for finding in each["findings"]:
                where = f"{finding['key']}: " if finding["key"] else ""
                print(f"{printable(each['path'])}: {printable(where + finding['problem'])}")
            if not each["findings"]:
                print(f"{printable(each['path'])}: valid")
    return 1 if any(each["findings"] for each in told) else 0


def _show(options: argparse.Namespace) -> int:
    site = site_of(options)
    host = host_of(options, site)
    arch = site.search_path(host).arch
    python = python_version(host.python)
    try:
        version = Version(options.version) if options.version is not None else None
    except InvalidVersion as error:
        raise InvalidRequirementError(options.version, "no version", "--version") from error
    found: list[dict[str, Any]] = []
    missing = 0
    for name in options.names:
        file = find_recipe(name, recipe_directories(site))
        if file is None:
            print(f"{printable(name)}: no recipe; it is built as its project says", file=sys.stderr)
            missing += 1
            continue
        recipe = file.resolve(version, f"{python.major}.{python.minor}", host.layer, arch)
        found.append({**asdict(recipe), "edits": recipe.edits._asdict()})
    if options.json:
        print_json(found)
    else:
        for recipe_shown in found:
            _print(recipe_shown)
    return 1 if missing else 0


def _print(recipe: dict[str, Any]) -> None:
    """The parts of *recipe* that say something."""
    print(f"{recipe['name']}: {printable(recipe['path'])}")
    for key, value in recipe.items():
        if key in ("name", "path", "digest") or not value or value == {}:
            continue
        inner = value.items() if isinstance(value, dict) else [("", value)]
        for name, item in inner:
            if item in ("", (), [], None):
                continue
            label = f"{key}.{name}" if name else key
            if isinstance(item, (list, tuple)):
                for each in item:
                    shown = " = ".join(map(str, each)) if isinstance(each, (list, tuple)) else each
                    print(f"  {label:<24} {printable(shown)}")
            else:
                print(f"  {label:<24} {printable(item)}")


def _list(options: argparse.Namespace) -> int:
    found = recipe_files(recipe_directories(site_of(options)))
    if options.json:
        print_json([{"name": name, "path": path} for name, path in sorted(found.items())])
    else:
        for name, path in sorted(found.items()):
            print(f"{name:<24} {printable(path)}")
    return 0
