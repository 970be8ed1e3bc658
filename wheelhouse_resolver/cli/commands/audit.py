"""`audit`: where an installer's order would differ from policy, and what else is wrong."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter

from wheelhouse_resolver.audit.findings import Finding, Severity
from wheelhouse_resolver.audit.run import audit
from wheelhouse_resolver.cli import options
from wheelhouse_resolver.cli.progress import bar
from wheelhouse_resolver.errors import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `audit`."""
    options.add_shared(parser, "json")
    help_text = "processes that look into wheels; one per processor, at most 8"
    parser.add_argument("--jobs", type=int, metavar="N", help=help_text)
    options.add_shared(parser, "site")
    options.add_examples(
        parser,
        ("the whole wheelhouse", "audit"),
        ("for programs; exit code 1 means that there are errors", "audit --json --root /sw/wheelhouse"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `audit`. Exit code 1 when a finding is an error."""
    counts: Counter[Severity] = Counter()
    site = options.site_of(args)
    jobs = args.jobs or min(8, len(os.sched_getaffinity(0)))
    with bar("auditing") as advance:
        for number, finding in enumerate(audit(site, jobs=jobs, progress=advance)):
            counts[finding.severity] += 1
            if args.json:
                # One array, written as it grows: a tree may have very many findings.
                print(("[\n" if number == 0 else ",\n") + json.dumps(finding.to_dict()), end="")
            else:
                _show(finding)
    if args.json:
        print("\n]" if counts else "[]")
    else:
        errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
        print(f"{errors} error{'s' * (errors != 1)}, {warnings} warning{'s' * (warnings != 1)}")
    return 1 if counts[Severity.ERROR] else 0


def _show(finding: Finding) -> None:
    where = f" {finding.project} {finding.version}".rstrip()
    print(f"{finding.severity.value}: {finding.kind.value}{printable(where)}: {printable(finding.message)}")
    for path in finding.paths if not finding.wanted else ():
        print(f"    {printable(path)}")
    if finding.hosts:
        print(f"    on {', '.join(finding.hosts)} with Python {', '.join(finding.pythons)}")
    print(f"    fix: {printable(finding.fix)}")
