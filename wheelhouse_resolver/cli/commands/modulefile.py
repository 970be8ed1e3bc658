"""`modulefile`: a module file for Lmod or Environment Modules that makes pip use the wheelhouse."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.host.detect import detect_for_search
from wheelhouse_resolver.installers.modulefile import (
    DIALECTS,
    classes_of,
    dynamic_modulefile,
    static_modulefile,
)
from wheelhouse_resolver.installers.pip_config import STATIC_FORMS
from wheelhouse_resolver.installers.static_files import forms_in
from wheelhouse_resolver.utils.filesystem import make_directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `modulefile`."""
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        required=True,
        help="lmod: Lua; tcl: Environment Modules (5.1 or later)",
    )
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument(
        "--static",
        metavar="DIR",
        help="choose among what pip-conf --all wrote into DIR, by the node's /proc/cpuinfo; starts no Python",
    )
    kind.add_argument("--dynamic", action="store_true", help="evaluate pip-conf at each load")
    parser.add_argument(
        "--form",
        choices=STATIC_FORMS,
        help="the form of what is in DIR (see pip-conf); if not given, the one that is there; "
        "xdg, if both are or none",
    )
    parser.add_argument(
        "--layer", help="the layer that the module is for (`none` for none); the detected one if not given"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write this file, atomically (and make its directory)"
    )
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        (
            "for the Gentoo layer, with what `pip-conf --all` wrote",
            "modulefile --dialect lmod --static /sw/etc/pip --layer gentoo --output wheelhouse/gentoo.lua",
        ),
        ("with a Python at each load", "modulefile --dialect tcl --dynamic --layer nix"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `modulefile`."""
    if args.form and args.dynamic:
        raise options.UsageError("--form goes with --static")
    site = options.site_of(args)
    layer = site.layer(detect_for_search(site=site).layer if args.layer is None else args.layer)
    name = layer.name if layer is not None else None
    if args.dynamic:
        text = dynamic_modulefile(site, name, args.dialect)
    else:
        there = forms_in(args.static, classes_of(site, layer).values())
        form = args.form or (there or ["xdg"])[0]
        text = static_modulefile(site, name, args.dialect, args.static, form=form)
        if form not in there:
            output.warn([f"{args.static} holds no configuration of the form {form} yet"])
    if args.output is not None:
        make_directory(os.path.dirname(os.path.abspath(args.output)), shared=True)
    output.print_or_write(text, args.output, shared=True)
    return 0
