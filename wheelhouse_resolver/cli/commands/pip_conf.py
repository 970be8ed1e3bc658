"""`pip-conf`: the configuration that makes pip and uv search this host's directories."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.errors import UnsafeValueError
from wheelhouse_resolver.installers.pip_config import (
    FORMATS,
    STATIC_FORMS,
    PipConfig,
    pip_config,
    static_configs,
)
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.text import invalid_character

#: The formats that set variables.
_SETTINGS = ("sh", "csh", "fish", "json")

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
            "write a configuration for every kind of host of the site into --output-dir, so that a module "
            "file needs no Python",
        ),
    )
    parser.add_argument(
        "--form",
        choices=STATIC_FORMS,
        help="what --all writes. xdg: a directory ARCH-LAYER for XDG_CONFIG_DIRS, with pip/pip.conf and "
        "uv/uv.toml, which the user's own files beat; file (the default): pip-ARCH-LAYER.conf for "
        "PIP_CONFIG_FILE, in place of the user's own",
    )
    parser.add_argument("--output-dir", metavar="DIR", help="where --all writes; made if missing")
    parser.add_argument(
        "--view", metavar="DIR", help="point at this view of the wheelhouse (see the command view)"
    )
    parser.add_argument(
        "--uv-config",
        metavar="FILE",
        help="with sh, csh, fish or json: write FILE in the format uv, and set UV_CONFIG_FILE to it "
        "rather than variables of uv, which have no order of directories; uv then reads no index of a "
        "project's own",
    )
    parser.add_argument(
        "--index",
        metavar="DIR",
        help="point at the static index in DIR (see the command index) instead of the directories; default: "
        "the one of the site file's [index], if it has one",
    )
    options.add_shared(parser, "host", "site")
    options.add_examples(
        parser,
        ("a file for this host, for PIP_CONFIG_FILE", "pip-conf --output ~/pip.conf"),
        ("settings of this shell, and a file for uv", "pip-conf --format sh --uv-config ~/uv-$HOSTNAME.toml"),
        ("for every kind of host, pip and uv", "pip-conf --all --form xdg --output-dir etc/wheelhouse"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `pip-conf`."""
    if args.all != (args.output_dir is not None):
        raise options.UsageError("--all and --output-dir go together").with_hint(_HINT)
    if args.all and (args.output is not None or args.format != "ini"):
        raise options.UsageError("--all has --form: leave out --output and --format").with_hint(_HINT)
    if args.form and not args.all:
        raise options.UsageError("--form says what --all writes").with_hint(_HINT)
    if args.uv_config is not None and (args.all or args.format not in _SETTINGS):
        raise options.UsageError(f"--uv-config goes with --format {', '.join(_SETTINGS)}").with_hint(_HINT)
    site = options.site_of(args)
    if args.view is not None:
        view = os.path.abspath(args.view)
        if not os.path.isdir(view):
            hint = f"`{site.command('view', '--output', view)}` makes it"
            raise options.UsageError(f"--view {args.view}: there is no such directory").with_hint(hint)
        bases = [each._replace(root=os.path.join(view, each.name)) for each in site.bases]
        site = site._replace(root=view, bases=tuple(bases))
        args.index = args.index or ""  # the site's is that of the wheelhouse itself
    if site.pip:  # it takes time to import, and the built-in site has none
        from wheelhouse_resolver.selection.constraints import site_problems

        output.warn(str(problem) for _, problem in site_problems(site, os.environ))
    how = {name: getattr(args, name) for name in ("offline", "keep_missing", "index")}
    constraints = None
    if site.pip and (args.format.startswith("uv") or args.form == "xdg" or args.uv_config is not None):
        from wheelhouse_resolver.selection.uv_constraints import constraints_for_uv

        constraints = constraints_for_uv(site)
    if args.all:
        for missing in () if args.view is not None or args.keep_missing else listing.missing_bases(site):
            raise missing  # these files are for nodes that have it, too
        configs = static_configs(site, **how)
        whole = {name: each._replace(constraints=constraints) for name, each in configs.items()}
        return _write_all(whole, args.output_dir, args.form or "file")
    # Settings of the environment are asked for at each login and module load, where nobody can do anything.
    host = options.searching_host_of(args, site, bases=args.format not in _SETTINGS)
    config = pip_config(site, host, **how)._replace(
        constraints=constraints, uv_file=_safe_path(args.uv_config) if args.uv_config is not None else ""
    )
    output.warn(config.left_out(args.format))
    if config.index_path and not os.path.isfile(os.path.join(config.index_path, "index.html")):
        from wheelhouse_resolver.static_index.location import location

        place = location(site, os.path.dirname(config.index_path))
        command = site.command("index", "--output", place.path)
        output.warn([f"there is no index for this host at {config.index_path}: `{command}` writes it"])
    elif not config.index_path and not config.find_links:
        output.warn([f"no directory of this host's search path exists below {site.root}"])
    if config.uv_file:
        output.print_or_write(config.render("uv"), config.uv_file)
    output.print_or_write(config.render(args.format), args.output)
    return 0


def _safe_path(path: str) -> str:
    path = os.path.abspath(path)
    if problem := invalid_character(path):
        raise UnsafeValueError("the path", path, problem)
    return path


def _write_all(configs: Mapping[str, PipConfig], directory: str, form: str) -> int:
    from wheelhouse_resolver.installers import static_files

    done: list[bool] = []

    def totals() -> str:
        return f"{output.count(sum(done), 'file')} written, {len(done) - sum(done)} kept"

    if form == "xdg":
        output.warn(dict.fromkeys(line for config in configs.values() for line in config.left_out("uv")))
    with output.interruptible(lambda: f"{totals()}; run it again to continue"):
        for path, written in static_files.write_static_configs(configs, directory, form):
            print(f"{'wrote' if written else 'kept '} {path}")
            done.append(written)
    for path in static_files.stale_places(configs, directory, form):
        output.warn([f"{path} is for no kind of host that the site has now: remove it"])
    print(totals())
    return 0
