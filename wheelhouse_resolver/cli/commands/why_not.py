"""`why-not`: what stops each wheel of a project, and what would help."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from wheelhouse_resolver.cli.options import (
    add_examples,
    add_host_options,
    add_json_option,
    add_requirement_options,
    add_site_options,
    host_of,
    print_json,
    requirements_of,
    site_of,
    warn,
)
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.explain.suggestions import Action, Step, Suggestion
from wheelhouse_resolver.explain.why_not import Answer, Exclusion, Group, Verdict, grouped, why_not
from wheelhouse_resolver.selection.pick import Rule
from wheelhouse_resolver.site.layout import NO_LAYER, Arch
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, InvalidFilename
from wheelhouse_resolver.tree.reader import Tree

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `why-not`."""
    add_requirement_options(parser)
    parser.add_argument("--all", action="store_true", help="show each file, not only how many are alike")
    add_json_option(parser)
    add_host_options(parser)
    add_site_options(parser)
    add_examples(
        parser,
        ("pip finds no matching distribution: why, and what would help", "why-not 'numpy>=2'"),
        (
            "why pip takes the wheel that it takes on another node",
            "why-not --all numpy --arch avx2 --layer gentoo --python 3.11",
        ),
    )


def run(options: argparse.Namespace) -> int:
    """Run `why-not`. Exit code 1 when a requirement has no wheel, or one that pip fails on."""
    asked = requirements_of(options)
    if asked is None:
        return 2
    warn(asked.warnings())
    site = site_of(options)
    wheelhouse = Tree(site)
    host = host_of(options, site, for_python=True)
    answers = [why_not(wheelhouse, each, host, files=asked) for each in asked.requirements]
    for answer in answers:
        warn(answer.warnings)
    if options.json:
        print_json([answer.to_dict() for answer in answers])
    else:
        told = ["\n".join(map(printable, _lines(answer, site, options.all))) for answer in answers]
        print("\n\n".join(told))
    return 0 if all(answer.positive for answer in answers) else 1


def _lines(answer: Answer, site: Site, every: bool) -> Iterator[str]:
    asked = answer.asked
    if answer.verdict is Verdict.IGNORED:
        yield f"{asked}: pip ignores it: {answer.problem}"
        return
    here = f"Python {answer.python}, layer {answer.host.layer or NO_LAYER}, arch {answer.host.arch}"
    if answer.verdict is Verdict.PICKED:
        yield f"{asked}: {_place(answer.best)} ({here})"
    elif answer.verdict is Verdict.BROKEN:
        yield f"{asked}: BROKEN WHEEL: pip chooses {_place(answer.best)} and fails ({here})"
        yield f"  {answer.problem}"
    elif answer.verdict is Verdict.UNKNOWN:
        close = f"; close names: {', '.join(answer.close)}" if answer.close else ""
        yield f"{asked}: there is no project {asked.name} in the wheelhouse{close}"
    else:
        yield f"{asked}: no wheel in the wheelhouse that pip could install here ({here})"
        if answer.problem:
            yield f"  {answer.problem}"
    if answer.helps:
        yield "what would help:"
    for number, each in enumerate(answer.helps, 1):
        yield f"  {number}. {_advice(each, answer, site)}"
        if each.command:
            yield f"     {each.command}"
        if each.gives is not None and each.gives != answer.best:
            yield f"     gives {_place(each.gives)}"
    if answer.standings:
        yield "what else is there:" if answer.verdict is Verdict.PICKED else "what is there:"
    for group in grouped(answer.standings):
        yield f"  {_count(group)}: {_reasons(group, answer)}"
        if every:
            yield from (f"    {_place(file)}" for file in group.files)


def _place(file: Candidate | InvalidFilename | None) -> str:
    return f"{file.directory.label}/{file.filename}" if file is not None else ""


def _count(group: Group) -> str:
    versions = sorted({each.version for each in group.files if isinstance(each, Candidate)})
    if not versions:
        return f"{len(group.files)} file{'s' if len(group.files) > 1 else ''} without a wheel's name"
    span = f"{versions[0]} to {versions[-1]}" if len(versions) > 1 else f"{versions[0]}"
    return f"{len(group.files)} wheel{'s' if len(group.files) > 1 else ''} of {span}"


def _reasons(group: Group, answer: Answer) -> str:
    told = [_reason(each, answer) for each in group.stops]
    if group.stops[-1].rule is Rule.OUTSIDE:
        told.append("otherwise right")
    elif len(told) > 1:
        told[-1] = f"and {told[-1]}"
    return "; ".join(told)


def _reason(stop: Exclusion, answer: Answer) -> str:
    about = ", ".join(stop.about)
    if stop.rule is Rule.OUTSIDE:
        if stop.kind == "layer":
            return f"in the layer {about} ({_layer(answer)})"
        if stop.kind == "arch":
            return f"for the arch {about} (this is {answer.host.arch})"
        return f"for the arch {about}, which the site does not let a host of {answer.host.arch} search"
    if stop.rule is Rule.TAG:
        if stop.kind == "platform":
            return f"for the platform {about}, which this Python does not accept"
        return f"for Python {about} (this is {answer.python})"
    if stop.rule is Rule.REQUIRES_PYTHON:
        if stop.kind == "build":
            return f"lower builds of {stop.about[1]}, which needs Python {stop.about[0]}"
        return f"Requires-Python {about} (this is {answer.python})"
    return {
        Rule.FILENAME: about,
        Rule.NO_BINARY: "the site's [pip] table says no-binary: pip takes no wheel of it",
        Rule.SPECIFIER: f"the version is not {about}",
        Rule.CONSTRAINT: f"not allowed by the constraint {about}",
        Rule.PRERELEASE: "a pre-release, and there is a final one",
        Rule.LOST_VERSION: f"older than {about}",
        Rule.LOST_RANK: f"shadowed by {about}, from a more specific directory",
        Rule.LOST_TAG: f"shadowed by {about}, whose tags fit this Python better",
        Rule.LOST_BUILD: f"shadowed by {about}, a higher build",
        Rule.LOST_NAME: f"shadowed by {about}, the same in all respects but its name",
    }[stop.rule]


def _layer(answer: Answer) -> str:
    return f"this is {answer.host.layer}" if answer.host.layer else "no layer is loaded"


def _advice(suggestion: Suggestion, answer: Answer, site: Site) -> str:
    return "; and ".join(_step(each, answer, site) for each in suggestion.steps)


def _step(step: Step, answer: Answer, site: Site) -> str:
    value = ", ".join(step.values)
    if step.action is Action.PYTHON:
        return f"use Python {_pythons(step)} (this is {answer.python})"
    if step.action is Action.LAYER:
        if value == NO_LAYER:
            return "leave the layer: the wheelhouse's module for hosts without one, or pip-conf --layer none"
        return f"load the module of the layer {value} ({_layer(answer)})"
    if step.action is Action.NODE:
        return f"use a node with {value} ({_needs(site.arch(value))}this is {answer.host.arch})"
    if step.action is Action.CONSTRAINT:
        return f"lift the constraint {value}: ask whoever keeps that file"
    wanted = f"{answer.asked} for Python {answer.python}: nothing that is there would do"
    if answer.verdict is Verdict.UNKNOWN:
        wanted = f"{answer.asked}: the wheelhouse has no wheel of it"
    return {
        Action.NAME: f"did you mean {value}?",
        Action.VERSION: f"leave out what is broken: {value}"
        if "!=" in value
        else f"ask for the newest version that is there: {value.removeprefix('==')}",
        Action.PRE: "allow pre-releases",
        Action.BINARY: "override the site's no-binary",
        Action.LOWER: f"export WHEELHOUSE_ARCH={value} before the wheelhouse's module is loaded",
        Action.REPLACE: "ask the site's staff to withdraw the broken file and to publish it anew",
        Action.BUILD: f"ask the site's staff to build {wanted}",
    }[step.action]


def _needs(arch: Arch | None) -> str:
    if arch is None:
        return ""
    if arch.target is not None:
        return f"at least archspec's {arch.target}; "
    return f"a CPU with {', '.join(arch.features)}; "


def _pythons(step: Step) -> str:
    values: Sequence[str] = step.values
    if not step.onward:
        return " or ".join([", ".join(values[:-1]), values[-1]]) if len(values) > 1 else values[0]
    older = values[values.index(step.onward) + 1 :] if step.onward in values else values
    return " or ".join([f"{step.onward} and newer", *([", ".join(older)] if older else [])])
