"""`doctor`: what is wrong with this environment, and the command that mends it."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING, Any

from wheelhouse_resolver.cli.options import (
    add_examples,
    add_host_options,
    add_json_option,
    add_site_options,
    print_json,
)
from wheelhouse_resolver.doctor.diagnose import diagnose
from wheelhouse_resolver.doctor.facts import Facts
from wheelhouse_resolver.doctor.findings import Finding, Severity
from wheelhouse_resolver.doctor.probes.gather import Asked, gather
from wheelhouse_resolver.errors import printable

if TYPE_CHECKING:
    from wheelhouse_resolver.host.layer import Evidence

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    add_json_option(parser)
    add_host_options(parser)
    add_site_options(parser)
    add_examples(
        parser,
        ("this environment, as it is now", "doctor"),
        ("that of a virtual environment's Python", "doctor --python ~/env/bin/python"),
        ("for a ticket: everything, without passwords", "doctor --json"),
    )


def run(options: argparse.Namespace) -> int:
    """Run `doctor`. Exit code 1 when a finding is an error."""
    facts = gather(
        Asked(
            config=options.config,
            root=options.root,
            arch=options.arch,
            layer=options.layer,
            python=options.python,
        )
    )
    findings = diagnose(facts)
    if options.json:
        print_json({"facts": facts.to_dict(), "findings": [each.to_dict() for each in findings]})
    else:
        _show_facts(facts)
        _show_findings(findings)
    return 1 if any(each.severity is Severity.ERROR for each in findings) else 0


def _tell(name: str, value: object) -> None:
    print(f"{name:<12}{printable(value)}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _shown(evidence: Evidence) -> str:
    """In words; a variable's detail has its name, and the value that is told anyway."""
    of_variable = evidence.detail == f"{evidence.source}={evidence.value}"
    return evidence.source if of_variable else f"{evidence.source}: {evidence.detail}"


def _show_facts(facts: Facts) -> None:
    host = facts.host
    for name, value, evidence in (
        ("arch", host.arch, host.arch_evidence),
        ("layer", host.layer or "none", host.layer_evidence),
    ):
        _tell(name, f"{value} ({_shown(evidence[0])})" if evidence else value)
    site = facts.site
    _tell("site", f"{site.site.source} ({site.file_by})" if site.site.source else "built-in")
    if site.root_problem:
        _tell("root", "none that can be used")
    else:
        _tell("root", f"{site.site.root} ({site.root_by})")
    for each in facts.searched:
        state = each.problem or (_counted(each.wheels, "wheel") if each.exists else "not there")
        _tell("", f"{each.directory.label}: {state}")
    python = facts.python
    if python is not None:
        of = f", a virtual environment of {python.base_prefix}" if python.in_venv else ""
        _tell("python", f"{python.version}, {python.executable}{of}")
        _tell("pip", facts.pip.version or "none")
    else:
        _tell("python", facts.host.python.name)
    _tell("pip's file", f"{facts.pip.config_file or 'none'} (PIP_CONFIG_FILE)")
    for option, setting in sorted(facts.pip.in_force.items()):
        _tell("", f"{option} = {' '.join(setting.values)} ({setting.where})")
    for number, (url, where) in enumerate(facts.indexes):
        _tell("" if number else "index", f"{url} ({where})")


def _show_findings(findings: list[Finding]) -> None:
    for each in findings:
        print(f"\n{each.severity.value}: {each.check}: {printable(each.what)}")
        print(f"    why:  {each.why}")
        if each.mend:
            print(f"    mend: {printable(each.mend)}")
    counts: Counter[Any] = Counter(each.severity for each in findings)
    print("\n" + ", ".join(_counted(counts[each], each.value) for each in Severity))
