"""Options that take several values at once: `--python 3.11 3.12`.

What is behind such an option and is none of its values is what is asked for: `--arch avx2 numpy`.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.errors import UnknownArchError
from wheelhouse_resolver.host.detect import Host, detect_host
from wheelhouse_resolver.host.target_python import is_version
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing


class Several(argparse.Action):
    """Collects values, given at once or by repeating the option.

    follows: whether a text behind another is a further value.
    parse:   the values that a text means. Raises `ArgumentTypeError`.
    """

    def __init__(
        self,
        *,
        follows: Callable[[str], object],
        parse: Callable[[str], Sequence[str]] = lambda text: (text,),
        **others: Any,
    ) -> None:
        super().__init__(nargs="+", **others)
        self._follows, self._parse = follows, parse

    def __call__(self, _: object, namespace: argparse.Namespace, texts: Any, __: object = None) -> None:
        """Note the values among *texts*, and what is behind them."""
        mine, behind = leading(texts, self._follows)
        try:
            found = [value for text in mine for value in self._parse(text)]
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from error
        setattr(namespace, self.dest, (*(getattr(namespace, self.dest) or ()), *found))
        _add_behind(namespace, behind)


def leading(texts: Sequence[str], follows: Callable[[str], object]) -> tuple[Sequence[str], Sequence[str]]:
    """The first of *texts* with those that *follows* accepts behind it; and the others."""
    number = next((at for at, text in enumerate(texts) if at and not follows(text)), len(texts))
    return texts[:number], texts[number:]


class VerboseOrVersion(argparse.Action):
    """`-v` as of all commands; behind which a version is that of `--version`, as `avail_wheels` has it."""

    def __init__(self, **others: Any) -> None:
        super().__init__(nargs="?", **others)

    def __call__(self, _: object, namespace: argparse.Namespace, value: Any, __: object = None) -> None:
        """Note the *value*, or one more `-v`."""
        if value and re.match(r"[<>=!~]|v?\d", value):
            namespace.version = value
            return
        more = value if value and not value.strip("v") else ""  # -vv
        setattr(namespace, self.dest, getattr(namespace, self.dest) + 1 + len(more))
        _add_behind(namespace, [value] if value and not more else [])


def asked_of(args: argparse.Namespace, name: str) -> list[str]:
    """The values of the argument *name*, and what is behind options that take several values."""
    return [*getattr(args, name), *getattr(args, "behind", ())]


def _add_behind(namespace: argparse.Namespace, texts: Sequence[str]) -> None:
    namespace.behind = [*getattr(namespace, "behind", ()), *texts]


def add_hosts(parser: argparse.ArgumentParser) -> None:
    """`add_shared("host")`, for a command that answers about several Pythons and archs."""
    group = parser.add_argument_group("the hosts")
    add: Any = group.add_argument
    add(
        "-a",
        "--arch",
        action="append",
        nargs="+",
        help="the CPU levels, instead of the detected one; else WHEELHOUSE_ARCH, else RSNT_ARCH",
    )
    add("--layer", help="the layer, instead of the detected one (`none` for none); else WHEELHOUSE_LAYER")
    add(
        "-p",
        "--python",
        action=Several,
        follows=lambda text: is_version(text) or re.match(r"[^@<>=]*/", text),
        metavar="PATH|X.Y",
        help="the target Pythons, each a path, an environment's directory, or a version; by default, "
        + options.IN_USE,
    )


def hosts_of(args: argparse.Namespace, site: Site) -> list[Host]:
    """Those of all Pythons and archs that the options name, with their warnings on stderr.

    What is behind an arch and names none is what is asked about.
    """
    archs: list[str | None] = []
    for texts in args.arch or ():
        mine, behind = leading(texts, lambda text: _is_arch(text, site))
        archs += mine
        _add_behind(args, behind)
    hosts = [
        detect_host(python=python, arch=arch, layer=args.layer, site=site)
        for python in dict.fromkeys(args.python or [None])
        for arch in dict.fromkeys(archs or [None])
    ]
    output.warn(dict.fromkeys(warning for host in hosts for warning in host.warnings))
    output.warn(map(str, listing.missing_bases(site)))
    return hosts


def _is_arch(name: str, site: Site) -> bool:
    try:
        site.arch(name)
    except UnknownArchError:
        return False
    return True
