"""`pip-conf`: the configuration that makes pip and uv search this host's directories."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.installers.pip_config import FORMATS, pip_config, write_static_configs
from wheelhouse_resolver.site.model import Site

_HINT = "see wheelhouse-resolver pip-conf --help"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pip-conf`."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="ini",
        help="ini (the default): a file for PIP_CONFIG_FILE; sh, csh, fish: settings of the environment, to "
        "be evaluated by that shell; json: the same as an object; uv: a file for UV_CONFIG_FILE, whose "
        "directories uv searches in their order; uv-find-links: the same for uv before 0.6.11, which goes by "
        "build tags, as with settings of the environment",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write this file, atomically, instead of standard output"
    )
    options.add_flags(
        parser,
        ("--offline", "let pip look nowhere else (no-index)"),
        ("--keep-missing", "name directories that don't exist, too"),
        (
            "--all",
            "write one INI file for every kind of host of the site into --output-dir, named "
            "pip-ARCH-LAYER.conf, so that a module file needs no Python",
        ),
    )
    parser.add_argument("--output-dir", metavar="DIR", help="where --all writes; made if missing")
    parser.add_argument(
        "--view", metavar="DIR", help="point at this view of the wheelhouse (see the command view)"
    )
    options.add_shared(parser, "host", "site")
    options.add_examples(
        parser,
        ("a file for this host, for PIP_CONFIG_FILE", "pip-conf --output ~/pip.conf"),
        ("one file for every kind of host", "pip-conf --all --output-dir etc/pip"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `pip-conf`."""
    if args.all != (args.output_dir is not None):
        raise options.UsageError("--all and --output-dir go together").with_hint(_HINT)
    if args.all and (args.output is not None or args.format != "ini"):
        raise options.UsageError("--all writes INI files: leave out --output and --format").with_hint(_HINT)
    site = options.site_of(args)
    if args.view is not None:
        site = site._replace(root=os.path.abspath(args.view))
    if site.pip:  # it takes time to import, and the built-in site has none
        from wheelhouse_resolver.selection.constraints import site_problems

        output.warn(str(problem) for _, problem in site_problems(site, os.environ))
    flags = {"offline": args.offline, "keep_missing": args.keep_missing}
    if args.all:
        return _write_all(site, args.output_dir, flags)
    config = pip_config(site, options.searching_host_of(args, site), **flags)
    if site.pip and args.format.startswith("uv"):
        from wheelhouse_resolver.selection.uv_constraints import constraints_for_uv

        config = config._replace(constraints=constraints_for_uv(site))
    output.warn(config.left_out(args.format))
    if not config.find_links:
        output.warn([f"no directory of this host's search path exists below {site.root}"])
    output.print_or_write(config.render(args.format), args.output)
    return 0


def _write_all(site: Site, directory: str, flags: Mapping[str, bool]) -> int:
    done: list[bool] = []

    def totals() -> str:
        return f"{output.count(sum(done), 'file')} written, {len(done) - sum(done)} kept"

    with output.interruptible(lambda: f"{totals()}; run it again to continue"):
        for path, written in write_static_configs(site, directory, **flags):
            print(f"{'wrote' if written else 'kept '} {path}")
            done.append(written)
    print(totals())
    return 0
