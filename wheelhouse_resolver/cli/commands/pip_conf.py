"""`pip-conf`: the configuration that makes pip and uv search this host's directories."""

from __future__ import annotations

import argparse
import os

from wheelhouse_resolver.cli.options import (
    UsageError,
    add_examples,
    add_host_options,
    host_of,
    print_or_write,
    site_of,
    warn,
)
from wheelhouse_resolver.installers.pip_config import FORMATS, pip_config, static_configs

_HINT = "see wheelhouse-resolver pip-conf --help"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pip-conf`."""
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="ini",
        help="ini (the default): a file for PIP_CONFIG_FILE; sh, csh, fish: settings of the environment, to "
        "be evaluated by that shell; json: the same as an object; uv: a file for UV_CONFIG_FILE",
    )
    parser.add_argument(
        "--output", metavar="FILE", help="write this file, atomically, instead of standard output"
    )
    parser.add_argument("--offline", action="store_true", help="let pip look nowhere else (no-index)")
    parser.add_argument("--keep-missing", action="store_true", help="name directories that don't exist, too")
    parser.add_argument(
        "--all",
        action="store_true",
        help="write one INI file for every layer and arch of the site into --output-dir, named "
        "pip-ARCH-LAYER.conf, so that a module file needs no Python",
    )
    parser.add_argument("--output-dir", metavar="DIR", help="where --all writes; made if missing")
    parser.add_argument(
        "--view", metavar="DIR", help="point at this view of the wheelhouse (see the command view)"
    )
    add_host_options(parser)
    add_examples(
        parser,
        ("a file for this host, for PIP_CONFIG_FILE", "pip-conf --output ~/pip.conf"),
        ("one file for every layer and arch", "pip-conf --all --output-dir etc/pip"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `pip-conf`."""
    if options.all != (options.output_dir is not None):
        raise UsageError("--all and --output-dir go together").with_hint(_HINT)
    if options.all and (options.output is not None or options.format != "ini"):
        raise UsageError("--all writes INI files: leave out --output and --format").with_hint(_HINT)
    site = site_of(options)
    if options.view is not None:
        site = site._replace(root=os.path.abspath(options.view))
    flags = {"offline": options.offline, "keep_missing": options.keep_missing}
    if options.all:
        from wheelhouse_resolver.utils.filesystem import make_directory, write_text

        configs = static_configs(site, **flags)
        make_directory(options.output_dir)
        for name, config in configs.items():
            path = os.path.join(options.output_dir, name)
            print(f"{'wrote' if write_text(path, config.render()) else 'kept '} {path}")
        return 0
    config = pip_config(site, host_of(options, site), **flags)
    warn(config.left_out(options.format))
    if not config.find_links:
        warn([f"no directory of this host's search path exists below {site.root}"])
    print_or_write(config.render(options.format), options.output)
    return 0
