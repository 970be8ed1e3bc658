"""`detect`: this host's arch, layer and target Python, and the evidence for each."""

from __future__ import annotations

import argparse

from wheelhouse_resolver.cli import options, output
from wheelhouse_resolver.errors import printable
from wheelhouse_resolver.host.detect import Host
from wheelhouse_resolver.host.layer import Evidence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `detect`."""
    options.add_shared(parser, "json")
    parser.add_argument(
        "--cpuinfo", metavar="FILE", help="answer for the node that this copy of /proc/cpuinfo is from"
    )
    parser.add_argument("--os-release", metavar="FILE", help="likewise, by this copy of its /etc/os-release")
    options.add_shared(parser, "host", "site")
    options.add_examples(
        parser,
        ("this host", "detect"),
        ("another node, of which one has a copy of /proc/cpuinfo", "detect --cpuinfo node17.txt --json"),
        ("and of its /etc/os-release", "detect --cpuinfo node17.txt --os-release node17-os.txt"),
    )


def run(args: argparse.Namespace) -> int:
    """Run `detect`."""
    site = options.site_without_wheelhouse(args)  # a host can be detected where none is
    host = options.host_of(args, site, args.cpuinfo, args.os_release)
    if args.json:
        output.print_json(host.to_dict())
        return 0
    _show("arch", host.arch, host.arch_evidence, "below every level of the ladder")
    _show("layer", host.layer, host.layer_evidence, "nothing speaks for one")
    _show_python(host)
    return 0


def _show(what: str, value: str | None, evidence: tuple[Evidence, ...], otherwise: str) -> None:
    print(f"{what + ':':<8}{value or 'none'}")
    if not evidence:
        print(f"  decided    {otherwise}")
    _show_evidence(value, evidence)


def _show_evidence(value: str | None, evidence: tuple[Evidence, ...]) -> None:
    for number, each in enumerate(evidence):
        role = "decided" if number == 0 else "agrees" if each.value == value else "overruled"
        says = f" (says {printable(each.value or 'none')})" if role == "overruled" else ""
        print(f"  {role:<11}{each.source}: {printable(each.detail)}{says}")


def _show_python(host: Host) -> None:
    python, evidence = host.python, host.python_evidence
    print(f"python: {printable(python.name)}")
    _show_evidence(evidence[0].value if evidence else None, evidence)
    if python.full_version is not None:
        print(f"  version    {python.full_version}")
    if python.interpreter is not None and python.version is not None:  # it has none of its own
        print(f"  layer of   {printable(python.interpreter.executable)}, the Python in use")
    elif python.interpreter is not None:
        print(f"  executable {printable(python.interpreter.executable)}")
        print(
            f"  loader     {printable(python.interpreter.program_interpreter or 'none (static or a script)')}"
        )
