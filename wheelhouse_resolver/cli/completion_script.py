"""Completion scripts for shells, generated from the parsers of all commands.

Written by shtab (>= 1.13), which makes a static script of an argparse parser for bash, zsh and fish: TAB then
starts no Python for commands, options, choices and files. argcomplete, the other well-kept library, runs the
program at each TAB, with the parsers of all commands: 0.12 s where a bare Python takes 0.01 s, and more with
each command. What only the machine knows (archs, layers, directories, projects) is asked at TAB from
`completion --list`, which loads the parser of one command: 0.065 s there.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wheelhouse_resolver.cli.parser import Parser
    from wheelhouse_resolver.site.model import Site

#: The shells that there is a script for.
SHELLS = ("bash", "zsh", "fish")

#: What `listed` knows.
LISTS = ("archs", "columns", "directories", "formats", "layers", "projects")

#: What completes an argument, by its destination, or by its placeholder if it has one: a list, or files.
_BY_NAME = {
    "arch": "archs",
    "layer": "layers",
    "LAYER/ARCH": "directories",
    "NAME,...": "columns",
    "FORMAT": "formats",
    "REQUIREMENT": "projects",
    "PATTERN|REQUIREMENT": "projects",
    "PROJECT": "projects",
    **dict.fromkeys(("FILE", "FILE|none", "WHEEL", "PATH|X.Y"), "FILE"),
    "DIR": "DIRECTORY",
}


def completion_script(parser: Parser, shell: str) -> str:
    """The script that completes the command lines of *parser* in that *shell*, one of `SHELLS`.

    The arguments of *parser* get shtab's `complete` attribute, so it should be used for nothing else.
    """
    import shtab

    for action in parser.all_arguments():
        found = _completed(action, parser.prog)
        if found is not None:
            action.complete = found  # type: ignore[attr-defined]
    script: str = shtab.complete(parser, shell)
    return script.rstrip("\n") + "\n"


def _completed(action: argparse.Action, program: str) -> dict[str, Any] | None:
    """What completes the value of *action*; None to leave it to its choices."""
    import shtab

    if action.choices is not None or action.nargs == 0:
        return None
    what = _BY_NAME.get(str(action.metavar or action.dest))
    if what in LISTS:
        return _from_list(what, program)
    return dict(getattr(shtab, what)) if what is not None else None


def _from_list(what: str, program: str) -> dict[str, Any]:
    """Completes with the list *what*, asked at TAB."""
    import shtab

    command = f"{program} completion --list {what} 2>/dev/null"
    found: dict[str, Any] = dict(shtab.cmd(command))
    # What shtab makes of it for zsh would be asked once, when the script is read.
    function = f"_{program.replace('-', '_')}_{what}"
    body = f'{function}() {{\n  compadd -- ${{(f)"$({command})"}}\n}}\n'
    return {**found, "zsh": function, "preamble": {**found["preamble"], "zsh": body}}


def listed(what: str, site: Site) -> list[str]:
    """The words of a list of `LISTS`: names of *site*, or of the projects that this host's search path holds.

    Raises what detecting the host and reading the wheelhouse raise.
    """
    from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER

    if what == "archs":
        own = [site.generic, *(called for layer in site.layers for _, called in layer.names)]
        return list(dict.fromkeys([GENERIC, *(arch.name for arch in site.ladder), *own]))
    if what == "layers":
        return [*(layer.name for layer in site.layers), NO_LAYER]
    if what == "columns":
        from wheelhouse_resolver.selection.available import COLUMNS

        return [*COLUMNS]
    if what == "formats":
        from wheelhouse_resolver.cli.tables import all_formats

        return all_formats()
    if what == "directories":
        return [directory.label for directory in site.own_directories()]
    from wheelhouse_resolver.host.detect import detect_for_search
    from wheelhouse_resolver.tree.reader import Tree

    directories = site.search_path(detect_for_search(site=site)).directories
    return [str(project) for project in Tree(site).catalogue(directories).projects]
