"""`doctor`: what is wrong with this environment, and the command that fixes it."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.doctor.diagnose import diagnose
from wheelhouse_resolver.doctor.diagnostics import Diagnostic, DiagnosticSeverity
from wheelhouse_resolver.doctor.probes.gather import Overrides
from wheelhouse_resolver.errors import printable

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import EnvironmentFacts
    from wheelhouse_resolver.host.layer import Evidence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `doctor`."""
    options.add_shared(parser, "json", "host", "site")
    options.add_examples(
        parser,
        ("this environment, as it is now", "doctor"),
        ("that of a virtual environment's Python", "doctor --python ~/env/bin/python"),
        ("for a ticket: everything, without passwords", "doctor --json"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `doctor`. Exit code 1 when a finding is an error."""
    diagnosis = diagnose(Overrides(*(getattr(args, name) for name in Overrides._fields)))
    if args.json:
        output.print_json(diagnosis.to_dict())
    else:
        _show_facts(diagnosis.facts)
        _show_diagnostics(diagnosis.diagnostics)
    return 1 if diagnosis.has_errors else 0


def _show(name: str, value: object) -> None:
    print(f"{name:<12}{printable(value)}")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _source(evidence: Evidence) -> str:
    """Where it is from; a variable's detail has its name, and the value that is shown anyway."""
    of_variable = evidence.detail == f"{evidence.source}={evidence.value}"
    return evidence.source if of_variable else f"{evidence.source}: {evidence.detail}"


def _show_facts(facts: EnvironmentFacts) -> None:
    host = facts.host
    for name, value, evidence in (
        ("arch", host.arch, host.arch_evidence),
        ("layer", host.layer or "none", host.layer_evidence),
    ):
        _show(name, f"{value} ({_source(evidence[0])})" if evidence else value)
    site = facts.site
    _show("site", f"{site.site.source} ({site.file_by})" if site.site.source else "built-in")
    if site.root_problem:
        _show("root", "none that can be used")
    else:
        _show("root", f"{site.site.root} ({site.root_by})")
    for each in facts.searched:
        state = each.problem or (_counted(each.wheels, "wheel") if each.exists else "does not exist")
        _show("", f"{each.directory.label}: {state}")
    python = facts.python
    if python is not None:
        of = f", a virtual environment of {python.base_prefix}" if python.in_venv else ""
        _show("python", f"{python.version}, {python.executable}{of}")
        _show("pip", facts.pip.version or "none")
    else:
        _show("python", facts.host.python.name)
    _show("pip's file", f"{facts.pip.config_file or 'none'} (PIP_CONFIG_FILE)")
    for option, setting in sorted(facts.pip.in_force.items()):
        _show("", f"{option} = {' '.join(setting.values)} ({setting.where})")
    for number, (url, where) in enumerate(facts.indexes):
        _show("" if number else "index", f"{url} ({where})")


def _show_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    for each in diagnostics:
        print(f"\n{each.severity.value}: {each.check}: {printable(each.message)}")
        print(f"    why:  {each.why}")
        if each.fix:
            print(f"    fix:  {printable(each.fix)}")
    counts: Counter[Any] = Counter(each.severity for each in diagnostics)
    print("\n" + ", ".join(_counted(counts[each], each.value) for each in DiagnosticSeverity))
