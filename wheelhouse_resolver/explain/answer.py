"""The answer to "why not": a value, and its text."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.explain.suggestions import Action, Step, Suggestion
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.selection.reasons import FileStatus, grouped, place_of
from wheelhouse_resolver.selection.requirements import Requirement
from wheelhouse_resolver.site.layout import NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.tree.candidate import Candidate, SourceArchive
from wheelhouse_resolver.utils.serialise import to_plain

#: {value}: what the step goes to.
_ADVICE = {
    Action.NAME: "did you mean {value}?",
    Action.PRE: "allow pre-releases",
    Action.BINARY: "override no-binary",
    Action.WHEELS: "take a wheel, not the source archive",
    Action.PYTHON: "use Python {pythons} (this is {python})",
    Action.LAYER: "load the module of the layer {value} ({layer})",
    Action.LOWER: "export WHEELHOUSE_ARCH={value} before loading the wheelhouse's module",
    Action.NODE: "use a node with {value} ({needs}this is {arch})",
    Action.CONSTRAINT: "lift the constraint {value}: ask the maintainer of that file",
    Action.WITHDRAW: "ask the site's staff to withdraw the archive, or to add to the [pip] table: {option}",
    Action.REPLACE: "ask the site's staff to withdraw the faulty file and to publish a sound one, "
    "rebuilt or of a fixed release",
    Action.BUILD: "ask the site's staff to build {asked}",
}


class Verdict(enum.Enum):
    """The answer to one requirement; the value is its name in JSON."""

    PICKED = "picked"
    BROKEN = "broken"
    SOURCE = "source"
    IGNORED = "ignored"
    NOTHING = "nothing"
    UNKNOWN = "unknown-project"
    DIRECT = "direct"


class Answer(NamedTuple):
    """The answer to one requirement.

    asked:       the requirement.
    site:        in whose wheelhouse.
    host:        on which host.
    python:      the target Python, such as `3.11` or `PyPy 3.10`.
    verdict:     what came of it.
    best:        what pip would choose; broken if the verdict says so.
    source:      the source archive that pip builds instead of a wheel.
    problem:     what is wrong with the wheel, why pip builds the archive, why it ignores the requirement, or
                 that no version can satisfy it.
    files:       everything else of the project anywhere in the tree, the nearest miss first.
    suggestions: what would help, most useful first.
    close:       close names of projects, when there is no such project.
    warnings:    one line each.
    """

    asked: Requirement
    site: Site
    host: Host
    python: str
    verdict: Verdict
    best: Candidate | None = None
    source: SourceArchive | None = None
    problem: str = ""
    files: tuple[FileStatus, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()
    close: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def positive(self) -> bool:
        """Whether pip would go on: something that it can read is picked, or it does not care."""
        return self.verdict in (Verdict.PICKED, Verdict.IGNORED)

    def lines(self, *, every_file: bool = False) -> list[str]:
        """The answer as text; *every_file*: with the name of each file, not only how many are alike."""
        return list(map(printable, _lines(self, every_file)))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "requirement": str(self.asked),
            "host": {"python": self.python, **to_plain(self.host, "layer", "arch")},
            **to_plain(self, "verdict", "best", "source", "problem", "suggestions"),
            "close_names": list(self.close),
            **to_plain(self, "files", "warnings"),
        }


def _lines(answer: Answer, every_file: bool) -> Iterator[str]:
    yield from _verdict(answer)
    if answer.suggestions:
        yield "what would help:"
    for number, each in enumerate(answer.suggestions, 1):
        yield f"  {number}. {'; and '.join(_advice(step, answer) for step in each.steps)}"
        if each.command:
            yield f"     {each.command}"
        if each.gives is not None and each.gives != answer.best:
            yield f"     gives {place_of(each.gives)}"
    if answer.files:
        yield "what else is there:" if answer.verdict is Verdict.PICKED else "what is there:"
    for group in grouped(answer.files):
        yield f"  {group}"
        if every_file:
            yield from (f"    {place_of(file)}" for file in group.files)


def _verdict(answer: Answer) -> Iterator[str]:
    asked, host = answer.asked, answer.host
    here = f"Python {answer.python}, layer {host.layer or NO_LAYER}, arch {host.arch}"
    taken = answer.best or answer.source
    best = place_of(taken) if taken is not None else ""
    if answer.verdict is Verdict.UNKNOWN:
        close = f"; close names: {', '.join(answer.close)}" if answer.close else ""
        yield f"{asked}: no project named {asked.name} in the wheelhouse{close}"
        return
    yield {
        Verdict.IGNORED: f"{asked}: pip ignores it: {answer.problem}",
        Verdict.DIRECT: f"{asked}: pip installs what it names, whatever the wheelhouse has",
        Verdict.PICKED: f"{asked}: {best} ({here})",
        Verdict.BROKEN: f"{asked}: BROKEN WHEEL: pip chooses {best} and fails ({here})",
        Verdict.SOURCE: f"{asked}: NO WHEEL: pip builds {best} from source ({here})",
        Verdict.NOTHING: f"{asked}: no wheel in the wheelhouse that pip could install here ({here})",
    }[answer.verdict]
    if answer.problem and answer.verdict is not Verdict.IGNORED:
        yield f"  {answer.problem}"


def _advice(step: Step, answer: Answer) -> str:
    value = ", ".join(step.values)
    if step.action is Action.VERSION:
        if "!=" in value:
            return f"leave out what is broken: {value}"
        return f"ask for the newest version that is there: {value.removeprefix('==')}"
    if step.action is Action.LAYER and value == NO_LAYER:
        return "leave the layer: the wheelhouse's module for hosts without one, or pip-conf --layer none"
    python, host = answer.python, answer.host
    unknown = answer.verdict is Verdict.UNKNOWN
    lacking = "no wheel of it is there" if unknown else "no wheel that is there would do"
    return _ADVICE[step.action].format(
        value=value,
        pythons=_pythons(step.values, step.onward) if step.action is Action.PYTHON else "",
        python=python,
        layer=f"this is {host.layer}" if host.layer else "no layer is loaded",
        arch=host.arch,
        option=f'only-binary = ["{answer.asked.name}"]',
        needs=_cpu(value, answer) if step.action is Action.NODE else "",
        asked=f"{answer.asked}{'' if unknown else f' for Python {python}'}: {lacking}",
    )


def _cpu(name: str, answer: Answer) -> str:
    """What the arch of that *name* needs of a CPU."""
    arch = answer.site.arch(name)
    if arch is None:
        return ""
    if arch.target is not None:
        return f"at least archspec's {arch.target}; "
    return f"a CPU with {', '.join(arch.features)}; "


def _pythons(values: Sequence[str], onward: str) -> str:
    if not onward:
        return " or ".join(filter(None, [", ".join(values[:-1]), values[-1]]))
    older = values[values.index(onward) + 1 :] if onward in values else values
    return " or ".join(filter(None, [f"{onward} and newer", ", ".join(older)]))
