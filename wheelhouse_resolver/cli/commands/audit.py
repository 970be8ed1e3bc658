"""`audit`: where an installer's order would differ from policy, and what else is wrong."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from wheelhouse_resolver.audit.findings import Finding, FindingKind, Severity
from wheelhouse_resolver.audit.run import audit
from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.cli.progress import bar
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.site.model import Site

#: So many findings are shown one by one; of more, how many there are of each kind.
_FEW = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `audit`."""
    parser.description = (
        "Find where an installer's order would differ from policy, and what else is wrong.\n"
        f"Of more than {_FEW} findings a summary is printed: -v shows each, --kind those of a kind."
    )
    options.add_shared(parser, "json")
    parser.add_argument(
        "--kind",
        action="append",
        choices=[kind.value for kind in FindingKind],
        metavar="KIND",
        help="only findings of this kind, each with its details; may be given several times; one of: "
        + ", ".join(kind.value for kind in FindingKind)
        + f" (only if asked for: {FindingKind.PROVENANCE.value}, each wheel that does not say what made it)",
    )
    options.add_shared(parser, "jobs", "site")
    options.add_examples(
        parser,
        ("the whole wheelhouse", "audit"),
        ("each wheel that pip could not install", "audit --kind broken --kind invalid-wheel"),
        ("for programs; exit code 1 means that there are errors", "audit --json --root /sw/wheelhouse"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `audit`. Exit code 1 when a finding is an error that the site does not ignore."""
    site = options.site_of(args)
    jobs = args.jobs or options.usual_jobs()
    with _progress() as advance:
        found = audit(
            site, jobs=jobs, progress=advance, provenance=FindingKind.PROVENANCE.value in (args.kind or ())
        )
        found = (each for each in found if not args.kind or each.kind.value in args.kind)
        if args.json:
            return _print_json(found)
        answer = _Answer(found, most=None if args.kind or args.verbose else _FEW)
    errors, warnings = (answer.number(severity) for severity in Severity)
    for each in answer.shown:
        _show(each)
    if errors + warnings and not answer.shown:
        _summarise(answer, site)
    totals = [output.count(errors, "error"), output.count(warnings, "warning")]
    totals += [f"{answer.ignored} ignored, as the site file says"] * bool(answer.ignored)
    print(", ".join(totals))
    return 1 if errors else 0


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar; and what an interrupt leaves."""
    so_far = (0, 0)
    with (
        output.interruptible(
            lambda: "looked at {} of {} wheels; nothing was changed, run it again".format(*so_far)
        ),
        bar("auditing") as move,
    ):

        def advance(done: int, total: int) -> None:
            nonlocal so_far
            so_far = (done, total)
            if move is not None:
                move(done, total)

        yield advance


def _print_json(found: Iterable[Finding]) -> int:
    """One array, written as it grows: a tree may have very many findings. Returns the exit code."""
    last, errors = "", False
    for each in found:
        errors |= each.severity is Severity.ERROR and not each.ignored
        output.say(f"{last}," if last else "[", wrap=False)
        last = json.dumps(each.to_dict())
    output.say(f"{last}\n]" if last else "[]", wrap=False)
    return 1 if errors else 0


class _Answer:
    """How many findings there are of each kind and with each fix; *shown*: those to show, errors first."""

    def __init__(self, found: Iterable[Finding], most: int | None) -> None:
        """Count what is *found*. most: of more than that, none are shown; None: all are."""
        self.kinds: Counter[FindingKind] = Counter()
        self.fixes: Counter[str] = Counter()
        self.ignored = 0
        self.shown: list[Finding] = []
        for each in found:
            if each.ignored:
                self.ignored += 1
                continue
            self.kinds[each.kind] += 1
            self.fixes[each.fix] += 1
            if most is None or self.kinds.total() <= most:
                self.shown.append(each)
        if most is not None and self.kinds.total() > most:
            self.shown = []
        order = list(_by_severity(FindingKind))
        self.shown.sort(key=lambda each: order.index(each.kind))

    def number(self, severity: Severity) -> int:
        """How many findings have that *severity*."""
        return sum(number for kind, number in self.kinds.items() if kind.severity is severity)


def _by_severity(kinds: Iterable[FindingKind]) -> list[FindingKind]:
    return sorted(kinds, key=lambda kind: kind.severity is not Severity.ERROR)


def _summarise(answer: _Answer, site: Site) -> None:
    """How many there are of each kind; before that, what fixes most."""
    total = answer.kinds.total()
    ((fix, fixed),) = answer.fixes.most_common(1)
    if fixed > 1:
        output.say(f"{fixed} of {total} findings are fixed by: {printable(fix)}")
    for kind in _by_severity(kind for kind in FindingKind if kind in answer.kinds):
        print(f"{answer.kinds[kind]:>8} {kind.severity.value}{'s' * (answer.kinds[kind] > 1)}: {kind.value}")
    command = site.command("audit", "--kind", _by_severity(answer.kinds)[0].value)
    output.say(f"details: `{printable(command)}`, or -v for all")


def _show(finding: Finding) -> None:
    where = f" {finding.project} {finding.version}".rstrip()
    what = f"{finding.severity.value}: {finding.kind.value}{where}: {finding.message}"
    output.say(printable(what))
    for path in finding.paths if not finding.wanted else ():
        print(f"    {printable(path)}")
    if finding.hosts:
        output.say(f"    on {', '.join(finding.hosts)} with Python {', '.join(finding.pythons)}")
    output.say(f"    fix: {printable(finding.fix)}")
