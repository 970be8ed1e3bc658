"""`build`: from source distributions to verified wheels, and into the wheelhouse."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wheelhouse_resolver.builder.config import SlurmSettings, has_network, site_pythons, slurm_settings
from wheelhouse_resolver.builder.executors import local, slurm
from wheelhouse_resolver.builder.executors.base import Executor, ExecutorError
from wheelhouse_resolver.builder.executors.earlier import cancel_earlier_jobs
from wheelhouse_resolver.builder.fetch_config import fetch_settings
from wheelhouse_resolver.builder.planning.graph import Graph, replayed
from wheelhouse_resolver.builder.planning.model import Entry, Plan, PlanSettings
from wheelhouse_resolver.builder.planning.planner import make_plan
from wheelhouse_resolver.builder.planning.pythons import pythons_by_recipe, with_versions
from wheelhouse_resolver.builder.process.commands import subreaper
from wheelhouse_resolver.builder.process.memory import size_of
from wheelhouse_resolver.builder.process.network import check_network_can_be_left
from wheelhouse_resolver.builder.process.orphans import JOBS
from wheelhouse_resolver.builder.process.scratch import scratch_directory
from wheelhouse_resolver.builder.publish import check_publishable, publish_built
from wheelhouse_resolver.builder.records.job import BuildOptions
from wheelhouse_resolver.builder.records.settings import LABEL, MODULE, REQUIREMENT, BuildSettings
from wheelhouse_resolver.builder.resources import seconds_of
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
from wheelhouse_resolver.selection.requirements import RequirementsFile
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree import listing
from wheelhouse_resolver.utils.filesystem import make_directory, write_text
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
        ("--build-requires", "with --recursive: also what the builds themselves require; they use no index"),
        ("--dry-run", "fetch the sources, and only print what would be built, in waves"),
        ("--no-verify", "do not install and import what was built"),
        ("--publish", "classify the wheels and publish them"),
    )
    _add_graph(parser.add_argument_group("its graph"))
    options.add_repeated(
        parser.add_argument_group("for all recipes"),
        ("--module", "NAME", "also load this module to build, instead of another version of it"),
        ("--build-constraint", "REQUIREMENT", "a recipe's build-requires, instead of its own on the project"),
    )
    add_execution(parser, "built")
    options.add_examples(
        parser,
        ("a package and what it needs, into the wheelhouse", "build pyaml --recursive --publish"),
        (
            "what would be built for two archs, 4 at once (with --executor slurm: on the cluster)",
            "build -r packages.txt --arch avx2,avx512 --jobs 4 --output /project/wheels --dry-run",
        ),
    )


def add_execution(parser: argparse.ArgumentParser, done: str, arch: str = "") -> None:
    """Add how, where and for what hosts it is *done* (`built`): the options that `fetch` has as well.

    arch: at the end of the help of --arch.
    """
    _add_how(parser.add_argument_group("how"))
    _add_where(parser.add_argument_group("where"))
    several = f"; several, separated by commas, are each {done} for"
    options.add_shared(parser, "json", "host-of-staff", "site", arch=f"{several}{arch}", python=several)


def _add_graph(group: options.Arguments) -> None:
    group.add_argument(
        "--graph",
        metavar="FILE",
        help="write there what is built and why, as JSON, or for Graphviz if its name ends in .dot "
        "(without --dry-run always: `graph.json` in the output directory)",
    )
    group.add_argument(
        "--replay",
        metavar="FILE",
        help="build what that graph (JSON) says: the same versions from the same sources, in its order",
    )


def _add_how(group: options.Arguments) -> None:
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
        "--local-label", metavar="LABEL", help="append it to each version, whatever recipes and the site say"
    )
    group.add_argument(
        "--timeout", type=options.seconds, metavar="SECONDS", help="how long one command of a build may take"
    )
    each = "each build, before recipe and site"
    group.add_argument("--cpus", type=options.count, metavar="N", help=f"cores of {each}")
    group.add_argument("--mem", type=options.checked(size_of), metavar="SIZE", help=f"memory of {each}: 8G")
    group.add_argument(
        "--time",
        type=options.checked(seconds_of),
        metavar="TIME",
        help=f"time of {each}: 90 (minutes), 2:00:00",
    )
    links = "also find sources and build requirements in this directory; may be given several times"
    options.add_repeated(group, ("--find-links", "DIR", links))
    group.add_argument("--offline", action="store_true", help="use no package index at all")
    group.add_argument(
        "--no-network",
        action="store_true",
        help="builds reach no network, and so no index: what they install is in the wheelhouse, the output "
        "directory or --find-links (always: `network = false` in [build])",
    )


def _add_where(group: options.Arguments) -> None:
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
    return run_plan(args)


def run_plan(args: argparse.Namespace, *, upstream: bool = False) -> int:
    """Plan what *args* ask for, and carry it out; *upstream*: wheels of the index are taken, not built."""
    graph = _graph_of(args) if not upstream else None
    asked = options.requirements_of(args) if graph is None else RequirementsFile()
    os.environ.update(absolute_paths(os.environ))  # builds run in directories of their own
    site = options.site_of(args)
    listing.check_root(site)
    settings = slurm_settings(site)
    after = after_command(site) if args.publish else []
    build = _build_options(args, site)
    progress = BuildProgress(build.logs, "fetching" if upstream else "building")
    try:
        _stop_earlier(build.work)
        with subreaper(), scratch_directory(build.work) as scratch:
            if not build.network and args.executor == "local":
                check_network_can_be_left()
            how = _plan_settings(args, site, asked, scratch, graph, "verifying" if upstream else "building")
            if upstream:
                fetching = fetch_settings(site, how.layer, args.local_label)
                how = replace(how, forbidden=fetching.forbidden)
                build = replace(build, upstream=fetching.upstream)
            if graph is None:
                plan = make_plan(asked, how, build, say=progress.say)
            else:
                plan = replayed(graph, how, build, say=progress.say)
            output.warn(f"ignored {each}: its marker does not hold" for each in plan.ignored)
            if not upstream:
                _write_graph(plan, args.graph, "" if args.dry_run else build.output)
            if args.dry_run:
                _show_plan(plan, as_json=args.json)
                return 1 if any(entry.problem for entry in plan.entries) else 0
            executor = _executor(args, scratch, settings)
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


def _graph_of(args: argparse.Namespace) -> Graph | None:
    """The graph to replay, if there is one. Raises `UsageError`, `GraphFileError`."""
    if args.build_requires and not args.recursive:
        raise options.UsageError("--build-requires needs --recursive")
    if args.replay is None:
        return None
    says = {
        "REQUIREMENT": args.requirement,
        "-r": args.files,
        **{f"--{name}": getattr(args, name) for name in ("recursive", "python", "arch", "layer")},
    }
    if given := [name for name, value in says.items() if value]:
        raise options.UsageError(f"--replay says what to build: leave out {', '.join(given)}")
    return Graph.read(args.replay)


def _write_graph(plan: Plan, file: str | None, output: str) -> None:
    """Write the graph of *plan* to *file*, and to `graph.json` in the directory *output* if one is given."""
    graph = Graph.of(plan)
    if output:
        make_directory(output)
        write_text(os.path.join(output, "graph.json"), graph.text())
    if file is not None:
        write_text(file, graph.dot() if file.endswith((".dot", ".gv")) else graph.text())


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
        network=has_network(site) and not args.no_network,
        cores=args.cpus or 0,
        memory=args.mem or "",
        time=args.time or "",
        given=_given(args),
    )


def _given(args: argparse.Namespace) -> BuildSettings:
    """What the command line says to all recipes."""
    for option, values, problem_of in (
        ("--module", args.module, MODULE),
        ("--build-constraint", args.build_constraint, REQUIREMENT),
        ("--local-label", filter(None, [args.local_label]), LABEL),
    ):
        for problem in filter(None, map(problem_of, values)):
            raise options.UsageError(f"{option}: {problem}")
    return BuildSettings(
        modules=tuple(args.module),
        build_requires=tuple(args.build_constraint),
        local_label=args.local_label,
    )


def _plan_settings(
    args: argparse.Namespace,
    site: Site,
    asked: RequirementsFile,
    scratch: str,
    graph: Graph | None,
    doing: str,
) -> PlanSettings:
    pythons, layer = args.python if args.python is not None else site_pythons(site), args.layer
    if graph is not None:
        paths = dict.fromkeys((node.python, node.python_path) for node in graph.builds.values())
        pythons = ",".join(path if os.access(path, os.X_OK) else version for version, path in paths) or None
        layer = graph.layer or NO_LAYER
    targets = targets_of(pythons)
    host = detect_host(targets[0].path, layer=layer, site=site)
    output.warn((*host.warnings, *layer_warnings(host, doing)))
    archs = [host.arch]
    if graph is not None:
        archs = [node.arch for node in graph.builds.values()]
    elif args.arch is not None:
        layer = site.layer(host.layer)
        found = [site.arch(name.strip(), layer) for name in args.arch.split(",")]
        archs = [arch.name if arch is not None else GENERIC for arch in found]
    if args.publish:
        check_publishable(site, host.layer, archs)
    by_recipe: dict[str, tuple[str, ...]] = {}
    if args.python is None and graph is None:
        by_recipe = pythons_by_recipe(asked, targets, site, host.layer, archs[0])
        targets = with_versions(targets, {each for own in by_recipe.values() for each in own})
    return PlanSettings(
        here=args.executor == "local",
        targets=tuple(targets),
        pythons=by_recipe,
        archs=tuple(dict.fromkeys(archs)),
        layer=host.layer,
        scratch=scratch,
        recursive=args.recursive,
        build_requires=args.build_requires,
        tests=not args.no_verify,
        publish=args.publish,
    )


def _stop_earlier(work: str) -> None:
    """Cancel the jobs of an earlier run that was killed; its processes are stopped with its directory."""
    try:
        for number in cancel_earlier_jobs(work):
            output.say(f"cancelled the job {number} of an earlier run", error=True)
    except ExecutorError as error:
        output.warn([f"jobs of an earlier run may still run: {error}"])


def _executor(args: argparse.Namespace, scratch: str, settings: SlurmSettings) -> Executor:
    if args.executor == "local":
        return local.LocalExecutor(args.jobs or 1)
    directory = os.path.join(scratch, JOBS)
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
            said = [f"recipe: {entry.recipe.path or 'none'}", *_settled(entry), entry.problem, entry.note]
            said += [f"exists: {entry.exists}"] if entry.exists else []
            print(f"  {printable(entry.label)} ({'; '.join(printable(each) for each in said if each)})")
    for each in plan.satisfied:
        print(f"exists: {printable(each.requirement)}: {printable(each.path)}")


def _settled(entry: Entry) -> list[str]:
    """What the build has of the recipe, the site and the command line."""
    recipe = entry.recipe
    lists = (("modules", recipe.build_modules), ("build requirements", recipe.build_requires))
    found = [f"{what}: {', '.join(values)}" for what, values in lists if values]
    return [*found, *([f"local label: {recipe.edits.local_label}"] if recipe.edits.local_label else [])]


def _plan_row(entry: Entry) -> dict[str, Any]:
    job = to_plain(entry.job)
    if job["source"] is not None:
        del job["source"]["path"]  # a temporary file
    settled = {
        "modules": list(entry.recipe.build_modules),
        "build_requires": list(entry.recipe.build_requires),
        "local_label": entry.recipe.edits.local_label,
    }
    return {**job, "recipe": entry.recipe.path, **settled, **to_plain(entry, "problem", "note", "exists")}
