"""The host: its arch, its layer and its target Python, with the evidence for each.

`detect_host` gathers the facts through thin probes; what they mean is decided by `Host.on`, a pure function
of the facts and a site's ladder and layers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import NoWheelhouseError
from wheelhouse_resolver.host.cpu import Cpu, archs_of, captured_cpu, running_cpu, why_not
from wheelhouse_resolver.host.layer import Evidence, layer_evidence, parse_os_release
from wheelhouse_resolver.host.target_python import Interpreter, TargetPython, target_python
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.log import info

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Arch, Layer

__all__ = ["Cpu", "Evidence", "Host", "Interpreter", "Machine", "TargetPython", "detect_host"]

#: Environment variables that override the CPU's arch, the first that is set; RSNT_ARCH is that of sites
#: descending from Compute Canada's software stack.
ARCH_VARIABLES = ("WHEELHOUSE_ARCH", "RSNT_ARCH")
LAYER_VARIABLE = "WHEELHOUSE_LAYER"

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


class Machine(NamedTuple):
    """What was found on the machine or given instead, before any site makes sense of it.

    cpu:         the CPU.
    interpreter: where the target Python is from.
    environ:     the environment.
    os_release:  the assignments of /etc/os-release.
    arch, layer: what the caller insists on, or None.
    cpu_source:  where the CPU's description is from.
    """

    cpu: Cpu
    interpreter: Interpreter | None
    environ: Mapping[str, str]
    os_release: Mapping[str, str]
    arch: str | None = None
    layer: str | None = None
    cpu_source: str = "/proc/cpuinfo"


class Host(NamedTuple):
    """A host: what decides which directories it searches and which wheels it can install.

    arch:           the highest arch of the ladder that it runs; `generic` below the ladder.
    layer:          its OS-abstraction layer, or None.
    archs:          all archs that it can run, low to high; empty: *arch* and all lower ones.
    python:         the target Python.
    arch_evidence, layer_evidence: what speaks for each, the one that decided first.
    warnings:       one line each: evidence in conflict, an override above the CPU, ...
    facts:          what it was detected from; None for a host that was simply stated.
    judged_by:      the ladder and layers that gave the facts this meaning.
    """

    arch: str = GENERIC
    layer: str | None = None
    archs: tuple[str, ...] = ()
    python: TargetPython = TargetPython("running", None)
    arch_evidence: tuple[Evidence, ...] = ()
    layer_evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Machine | None = None
    judged_by: tuple[Any, ...] | None = None

    def on(self, site: Site) -> Host:
        """This host as *site* sees it: its facts judged by that site's ladder and layers.

        Raises `UnknownArchError` or `UnknownLayerError` when an override names what the site doesn't have.
        """
        if self.facts is None or self.judged_by == (site.ladder, site.layers):
            return self
        return _judged(self.facts, site, self.python, ())

    @property
    def cpu(self) -> Cpu | None:
        """The CPU that was detected; None for a host that was simply stated."""
        return self.facts.cpu if self.facts is not None else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""

        def told(evidence: tuple[Evidence, ...], value: str | None) -> dict[str, Any]:
            return {
                "decided": evidence[0].to_dict() if evidence else None,
                "agreeing": [e.to_dict() for e in evidence[1:] if e.value == value],
                "overruled": [e.to_dict() for e in evidence[1:] if e.value != value],
            }

        return {
            "arch": self.arch,
            "archs": list(self.archs),
            "layer": self.layer,
            "python": self.python.to_dict(),
            "cpu": self.cpu.to_dict() if self.cpu is not None else None,
            "evidence": {
                "arch": told(self.arch_evidence, self.arch),
                "layer": told(self.layer_evidence, self.layer),
            },
            "warnings": list(self.warnings),
        }


def detect_host(
    python: str | os.PathLike[str] | None = None,
    cpuinfo: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    arch: str | None = None,
    layer: str | None = None,
    site: Site | None = None,
) -> Host:
    """Detect this host, or another one from what was captured of it.

    python:  the target Python: a path, an environment's directory, or a version such as `3.9`; None for the
             running one.
    cpuinfo: a copy of another node's /proc/cpuinfo; None for this machine's CPU.
    environ: stands for `os.environ`.
    arch, layer: overrides; they beat `WHEELHOUSE_ARCH`, `RSNT_ARCH` and `WHEELHOUSE_LAYER`.
    site:    whose ladder and layers judge; by default `Site.load()`'s, or the built-in ones where no
             wheelhouse is. Every `Site` judges anew by its own when asked for a search path.

    Raises `PythonError`, `CpuinfoError`, `UnknownArchError`, `UnknownLayerError`, `SiteFileError`.
    """
    environ = dict(os.environ if environ is None else environ)
    if site is None:
        try:
            site = Site.load(environ=environ)
        except NoWheelhouseError:
            site = Site.default("/")
    target, warnings = target_python(os.fspath(python) if python is not None else None)
    facts = Machine(
        cpu=captured_cpu(os.fspath(cpuinfo)) if cpuinfo is not None else running_cpu(),
        interpreter=target.interpreter,
        environ=environ,
        os_release=_os_release(),
        arch=arch,
        layer=layer,
        cpu_source=os.fspath(cpuinfo) if cpuinfo is not None else "/proc/cpuinfo",
    )
    return _judged(facts, site, target, tuple(warnings))


def _os_release() -> dict[str, str]:
    for path in _OS_RELEASE:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return parse_os_release(file.read())
        except OSError:
            continue
    return {}


def _judged(facts: Machine, site: Site, target: TargetPython, warnings: tuple[str, ...]) -> Host:
    """What *facts* mean to *site*. Pure."""
    layers = list(_override(facts.layer, facts.environ, (LAYER_VARIABLE,)))
    for evidence in layers:
        site.layer(evidence.value)
    detected = layer_evidence(site.layers, facts.interpreter, facts.environ, facts.os_release)
    stated = [e._replace(value=None) if e.value == NO_LAYER else e for e in layers]
    # What was stated is a decision; what was seen and says otherwise is a conflict worth a word.
    conflict = [] if stated else [e for e in detected if e.value != detected[0].value]
    words = [
        f"{detected[0].source} says layer {detected[0].value} ({detected[0].detail}), "
        f"{e.source} says {e.value} ({e.detail}): took {detected[0].value}; --layer decides"
        for e in conflict
        if e.source != "default"
    ]
    layer_found = (*stated, *detected)
    layer = layer_found[0].value if layer_found else None

    arch, archs, arch_found, more = _judged_arch(facts, site, site.layer(layer))
    info(__name__, "arch %s: %s", arch, arch_found[0].detail)
    info(__name__, "layer %s: %s", layer, layer_found[0].detail if layer_found else "nothing speaks for one")
    return Host(
        arch=arch,
        layer=layer,
        archs=archs,
        python=target,
        arch_evidence=arch_found,
        layer_evidence=layer_found,
        warnings=(*warnings, *words, *more),
        facts=facts,
        judged_by=(site.ladder, site.layers),
    )


def _judged_arch(
    facts: Machine, site: Site, layer: Layer | None
) -> tuple[str, tuple[str, ...], tuple[Evidence, ...], list[str]]:
    able = archs_of(facts.cpu, site.ladder)
    highest = able[-1] if able else GENERIC
    by_cpu = Evidence("cpu", highest, _described(facts, site, able))
    stated = list(_override(facts.arch, facts.environ, ARCH_VARIABLES))
    if not stated:
        return highest, able, (by_cpu,), []
    meant: list[tuple[Evidence, Arch | None]] = []
    for evidence in stated:
        found = site.arch(evidence.value or GENERIC, layer)
        meant.append((evidence._replace(value=found.name if found else GENERIC), found))
    chosen = meant[0][1]
    spoken = (*(each for each, _ in meant), by_cpu)
    if chosen is None:
        return GENERIC, (), spoken, []
    lower = site.lower(chosen)
    if chosen.name in able:
        return chosen.name, tuple(a for a in lower if a in able), spoken, []
    reason = why_not(facts.cpu, chosen)
    warning = (
        f"{stated[0].source} says arch {chosen.name}, above what the host can run ({highest}: {reason}); "
        "its wheels may crash here"
    )
    return chosen.name, lower, spoken, [warning]


def _override(
    option: str | None, environ: Mapping[str, str], variables: tuple[str, ...]
) -> tuple[Evidence, ...]:
    found = [Evidence("option", option, f"given as {option}")] if option is not None else []
    found += [
        Evidence(name, environ[name], f"{name}={environ[name]}") for name in variables if environ.get(name)
    ]
    return tuple(found)


def _described(facts: Machine, site: Site, able: tuple[str, ...]) -> str:
    cpu = facts.cpu
    above = [arch for arch in site.ladder if arch.name not in able and arch.family in (None, cpu.family)]
    missing = f"; not {above[0].name}: {why_not(cpu, above[0])}" if above else ""
    return f"{cpu.model} ({cpu.family}), {facts.cpu_source}{missing}"
