"""`doctor`: what is wrong with this environment, and the command that fixes it."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.doctor.diagnose import diagnose
from wheelhouse_resolver.doctor.diagnostics import Diagnostic, DiagnosticSeverity
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.doctor.probes.gather import Overrides
from wheelhouse_resolver.errors import printable
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
    output.say(f"{name:<12}{printable(value)}", hang=0 if not name else 12)


def _source(evidence: Sequence[Evidence]) -> str:
    """What decided, in parentheses; a variable's detail has its name, and the value that is shown anyway."""
    for each in evidence[:1]:
        of_variable = each.detail == f"{each.source}={each.value}"
        return f" ({each.source})" if of_variable else f" ({each.source}: {each.detail})"
    return ""


#: What the kinds of pip's files are, for people.
_KINDS = {"global": "machine", "site": "environment", "user": "user"}


def _show_facts(facts: EnvironmentFacts) -> None:
    host = facts.host
    _show("arch", host.arch + _source(host.arch_evidence))
    _show("layer", (host.layer or "none") + _source(host.layer_evidence))
    site = facts.site
    _show("site", f"{site.site.source} ({site.file_by})" if site.site.source else "built-in")
    usable = f"{site.site.root} ({site.root_by})"
    _show("root", "none that can be used" if site.root_problem else usable)
    for each in facts.searched:
        state = each.problem or (output.count(each.wheels, "wheel") if each.exists else "does not exist")
        _show("", f"{each.directory.label}: {state}")
    python = facts.python
    if python is not None:
        of = f", a virtual environment of {python.base_prefix}" if python.in_venv else ""
        _show("python", f"{python.version}, {python.executable}{of}")
        _show("pip", facts.pip.version or "none")
    else:
        _show("python", facts.host.python.name)
    _show("pip's file", f"{facts.pip.config_file or 'none'} (PIP_CONFIG_FILE)")
    for file in reversed(facts.pip.files):
        if file.exists and file.origin != "env" and facts.pip.config_file != os.devnull:
            _show("", f"{file.path} ({_KINDS[file.origin]})")
    for option, setting in sorted(facts.pip.in_force.items()):
        _show("", f"{option} = {' '.join(setting.values)} ({setting.where})")
    for number, (url, where) in enumerate(facts.indexes):
        _show("" if number else "index", f"{url} ({where})")
    if facts.uv is not None:
        _show("uv", facts.uv.path)
        for number, uv_file in enumerate(facts.uv.files):
            _show("" if number else "uv's files", f"{uv_file.path} ({uv_file.kind})")


def _show_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    for each in diagnostics:
        output.say(f"\n{each.severity.value}: {each.check}: {printable(each.message)}")
        output.say(f"    why:  {each.why}", hang=6)
        if each.fix:
            print(f"    fix:  {printable(each.fix)}")
    counts: Counter[Any] = Counter(each.severity for each in diagnostics)
    print("\n" + ", ".join(output.count(counts[each], each.value) for each in DiagnosticSeverity))
