"""`build`: from source distributions to verified wheels, and into the wheelhouse."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from wheelhouse_resolver.builder.config import SlurmSettings, slurm_settings
from wheelhouse_resolver.builder.executors import local, slurm
from wheelhouse_resolver.builder.executors.base import Executor
from wheelhouse_resolver.builder.planning.model import Entry, Plan, PlanSettings
from wheelhouse_resolver.builder.planning.planner import make_plan
from wheelhouse_resolver.builder.process.commands import subreaper
from wheelhouse_resolver.builder.process.scratch import scratch_directory
from wheelhouse_resolver.builder.publish import check_publishable, publish_built
from wheelhouse_resolver.builder.records.job import BuildOptions
from wheelhouse_resolver.builder.run import BuildOutcome, execute
from wheelhouse_resolver.builder.toolchain.provenance import layer_warnings
from wheelhouse_resolver.builder.toolchain.variables import absolute_paths
from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.progress import BuildProgress
from wheelhouse_resolver.cli.tables import Table, style_of, text_table
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.host.detect import detect_host
from wheelhouse_resolver.host.interpreters import targets_of
from wheelhouse_resolver.publishing.config import after_command, run_after_hook
from wheelhouse_resolver.publishing.errors import AfterHookError
from wheelhouse_resolver.site.layout import GENERIC
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.serialise import to_plain

_COLUMNS = ("package", "version", "python", "arch", "result", "seconds", "wheel or problem")

#: How much of a problem the table shows (characters).
_SHORT = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `build`."""
    parser.add_argument("requirement", nargs="*", metavar="REQUIREMENT", help="such as numpy==1.26.4")
    options.add_shared(parser, "files")
    options.add_flags(
        parser.add_argument_group("what to build"),
        ("--recursive", "build every dependency first that the wheelhouse cannot satisfy"),
        ("--dry-run", "fetch the sources, and only print what would be built, in waves"),
        ("--no-verify", "do not install and import what was built"),
        ("--publish", "classify the wheels and publish them"),
    )
    _add_how(parser.add_argument_group("how"))
    _add_where(parser.add_argument_group("where"))
    options.add_shared(parser, "json", "host-of-staff", "site")
    # Some of the shared options take several values here.
    for action in parser._actions:
        if action.dest in ("arch", "python"):
            action.help = f"{action.help}; several, separated by commas, are each built for"
    options.add_examples(
        parser,
        ("a package and what it needs, into the wheelhouse", "build pyaml --recursive --publish"),
        (
            "what would be built for two archs, 4 at once (with --executor slurm: on the cluster)",
            "build -r packages.txt --arch avx2,avx512 --jobs 4 --output /project/wheels --dry-run",
        ),
    )


def _add_how(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--executor",
        choices=("local", "slurm"),
        default="local",
        help="where to build: on this machine (default), or as array jobs of Slurm",
    )
    group.add_argument(
        "--jobs",
        type=options.count,
        metavar="N",
        help="builds at once (default: 1; with Slurm: 100 of each array)",
    )
    group.add_argument(
        "--timeout", type=options.seconds, metavar="SECONDS", help="how long one command of a build may take"
    )
    links = "also find sources and build requirements in this directory; may be given several times"
    options.add_repeated(group, ("--find-links", "DIR", links))
    group.add_argument("--offline", action="store_true", help="use no package index at all")


def _add_where(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--output",
        default="wheels",
        metavar="DIR",
        help="where wheels and records go, below LAYER/ARCH (default: ./wheels)",
    )
    group.add_argument(
        "--work",
        metavar="DIR",
        help="for sources, build directories and logs; for Slurm on a shared file system "
        "(default: .build below the output directory)",
    )
    group.add_argument("--keep-build-dir", action="store_true", help="keep the directory of each build")


def run(args: argparse.Namespace) -> int:
    """Run `build`. Exit code 1 when anything failed or cannot be tried; 130 when interrupted."""
    asked = options.requirements_of(args)
    os.environ.update(absolute_paths(os.environ))  # builds run in directories of their own
    site = options.site_of(args)
    listing.check_root(site)
    settings = slurm_settings(site)
    after = after_command(site) if args.publish else []
    build = _build_options(args, site)
    progress = BuildProgress(build.logs)
    try:
        with subreaper(), scratch_directory(build.work) as scratch:
            plan = make_plan(asked, _plan_settings(args, site, scratch), build, say=progress.say)
            output.warn(f"ignored {each}: its marker does not hold" for each in plan.ignored)
            if args.dry_run:
                _show_plan(plan, as_json=args.json)
                return 1 if any(entry.problem for entry in plan.entries) else 0
            executor = _executor(args, build.work, settings)
            publish = publish_built if args.publish else None
            with progress.of(len(plan.entries)):
                outcomes = execute(plan, executor, build, progress, slurm=settings, publish=publish)
    except KeyboardInterrupt:
        _show(progress.outcomes, as_json=args.json)
        done = sum(outcome.ok for outcome in progress.outcomes)
        output.say(f"interrupted: {done} done, the rest stopped; run it again to continue", error=True)
        raise
    _show(outcomes, as_json=args.json)
    counts = Counter(outcome.result for outcome in outcomes)
    output.say(", ".join(f"{number} {result}" for result, number in counts.items()), error=True)
    failed = not all(outcome.ok for outcome in outcomes)
    if after and any(outcome.places for outcome in outcomes):
        try:
            run_after_hook(after)
        except AfterHookError as error:
            output.report(error)
            failed = True
    return 1 if failed else 0


def _build_options(args: argparse.Namespace, site: Site) -> BuildOptions:
    output = os.path.abspath(args.output)
    work = os.path.abspath(args.work) if args.work else os.path.join(output, ".build")
    return BuildOptions(
        site=site,
        work=work,
        output=output,
        logs=os.path.join(work, "logs"),
        verify=not args.no_verify,
        keep=args.keep_build_dir,
        find_links=tuple(options.directories_of(args.find_links, "--find-links")),
        offline=args.offline,
        timeout=args.timeout,
    )


def _plan_settings(args: argparse.Namespace, site: Site, scratch: str) -> PlanSettings:
    targets = targets_of(args.python)
    host = detect_host(targets[0].path, layer=args.layer, site=site)
    output.warn((*host.warnings, *layer_warnings(host)))
    archs = [host.arch]
    if args.arch is not None:
        layer = site.layer(host.layer)
        found = [site.arch(name.strip(), layer) for name in args.arch.split(",")]
        archs = [arch.name if arch is not None else GENERIC for arch in found]
    if args.publish:
        check_publishable(site, host.layer, archs)
    return PlanSettings(
        here=args.executor == "local",
        targets=tuple(targets),
        archs=tuple(dict.fromkeys(archs)),
        layer=host.layer,
        scratch=scratch,
        recursive=args.recursive,
        publish=args.publish,
    )


def _executor(args: argparse.Namespace, work: str, settings: SlurmSettings) -> Executor:
    if args.executor == "local":
        return local.LocalExecutor(args.jobs or 1)
    directory = os.path.join(work, "slurm")
    return slurm.SlurmExecutor(
        jobs=args.jobs or 100, directory=directory, options=settings.options, grace=settings.grace
    )


def _show(outcomes: Sequence[BuildOutcome], *, as_json: bool) -> None:
    if as_json:
        output.print_json([outcome.to_dict() for outcome in outcomes])
        return
    rows = []
    for outcome in outcomes:
        entry, job = outcome.entry, outcome.entry.job
        took = f"{outcome.seconds:.0f}" if outcome.seconds else ""
        built_for = (job.project, entry.version, job.python_version, job.arch)
        rows.append((*built_for, outcome.result, took, _last_cell(outcome)))
    if rows:
        print(text_table(Table(_COLUMNS, rows, whole=_COLUMNS[-1:]), style_of(sys.stdout, os.environ)))


def _last_cell(outcome: BuildOutcome) -> str:
    if outcome.ok:
        return ", ".join(outcome.places) or outcome.wheel
    short = outcome.problem if len(outcome.problem) <= _SHORT else f"{outcome.problem[:_SHORT]}..."
    return printable(short)  # all of it, and the path of the log, was printed when it ended


def _show_plan(plan: Plan, *, as_json: bool) -> None:
    if as_json:
        waves = [[_plan_row(entry) for entry in wave] for wave in plan.waves]
        output.print_json({"waves": waves, "satisfied": [each._asdict() for each in plan.satisfied]})
        return
    for number, wave in enumerate(plan.waves, 1):
        print(f"wave {number}")
        for entry in wave:
            recipe = printable(entry.recipe.path) if entry.recipe.path else "none"
            said = "".join(f"; {printable(each)}" for each in (entry.problem, entry.note) if each)
            print(f"  {printable(entry.label)} (recipe: {recipe}{said})")
    for each in plan.satisfied:
        print(f"exists: {printable(each.requirement)}: {printable(each.path)}")


def _plan_row(entry: Entry) -> dict[str, Any]:
    job = to_plain(entry.job)
    if job["source"] is not None:
        del job["source"]["path"]  # a temporary file
    return {**job, "recipe": entry.recipe.path, **to_plain(entry, "problem", "note")}
