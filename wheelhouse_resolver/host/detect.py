"""The host: its arch, its layer and its target Python, with the evidence for each.

`probe_machine` looks at the machine, through thin probes; what that means is decided by `Machine.host`, a
pure function of what was found and a site's ladder and layers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wheelhouse_resolver.errors import NoWheelhouseError, OsReleaseError, reason_of
from wheelhouse_resolver.host.cpu import CPUINFO, Cpu, archs_of, captured_cpu, missing_for, running_cpu
from wheelhouse_resolver.host.layer import Evidence, layer_evidence, parse_os_release
from wheelhouse_resolver.host.target_python import TargetPython, running_python, target_python
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.filesystem import read_settings
from wheelhouse_resolver.utils.log import info

if TYPE_CHECKING:
    from wheelhouse_resolver.site.layout import Layer

#: Environment variables that override the CPU's arch, the first that is set; RSNT_ARCH is that of sites
#: descending from Compute Canada's software stack.
ARCH_VARIABLES = ("WHEELHOUSE_ARCH", "RSNT_ARCH")
LAYER_VARIABLE = "WHEELHOUSE_LAYER"

_UNKNOWN = f"{CPUINFO} cannot be read, so what the CPU can run is unknown"

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")


class Machine(NamedTuple):
    """What was found on the machine or given instead, before any site makes sense of it.

    cpu:         the CPU.
    python:      the target Python.
    environ:     the environment.
    os_release:  the assignments of /etc/os-release.
    arch, layer: what the caller insists on, or None.
    cpu_source:  where the CPU's description is from; "" if nothing but its family could be read.
    warnings:    about the target Python, one line each.
    """

    cpu: Cpu
    python: TargetPython
    environ: Mapping[str, str]
    os_release: Mapping[str, str]
    arch: str | None = None
    layer: str | None = None
    cpu_source: str = "/proc/cpuinfo"
    warnings: tuple[str, ...] = ()

    def host(self, site: Site) -> Host:
        """The host that this machine is to *site*. Pure.

        Raises `UnknownArchError` or `UnknownLayerError` when an override names what the site doesn't have.
        """
        stated = _override(self.layer, self.environ, (LAYER_VARIABLE,))
        for evidence in stated:
            site.layer(evidence.value)
        stated = [e._replace(value=None) if e.value == NO_LAYER else e for e in stated]
        detected = layer_evidence(site.layers, self.python.interpreter, self.environ, self.os_release)
        layer_found = (*stated, *detected)
        source, layer, detail = layer_found[0] if layer_found else ("", None, "no evidence of one")
        # What was stated is a decision; what was seen and says otherwise is a conflict worth a warning.
        conflicts = [
            f"{source} says layer {layer} ({detail}), {e.source} says {e.value} ({e.detail}): took {layer}; "
            "--layer decides"
            for e in detected
            if not stated and e.value != layer and e.source != "default"
        ]
        arch, archs, arch_found, more = _detect_arch(self, site, site.layer(layer))
        info(__name__, "arch %s: %s", arch, arch_found[0].detail)
        info(__name__, "layer %s: %s", layer or NO_LAYER, detail)
        return Host(
            arch=arch,
            layer=layer,
            archs=archs,
            python=self.python,
            arch_evidence=arch_found,
            layer_evidence=layer_found,
            warnings=(*self.warnings, *conflicts, *more),
            machine=self,
            detected_for=(site.ladder, site.layers),
        )


class Host(NamedTuple):
    """A host: what decides which directories it searches and which wheels it can install.

    arch:           the highest arch of the ladder that it runs; `generic` below the ladder.
    layer:          its OS-abstraction layer, or None.
    archs:          all archs that it can run, low to high; empty: *arch* and those below it.
    python:         the target Python.
    arch_evidence, layer_evidence: what speaks for each, the one that decided first.
    warnings:       one line each: evidence in conflict, an override above the CPU, ...
    machine:        what it was detected from; None for a host that was simply stated.
    detected_for:   the ladder and layers that gave the machine this meaning.
    """

    arch: str = GENERIC
    layer: str | None = None
    archs: tuple[str, ...] = ()
    python: TargetPython = TargetPython("running", None)
    arch_evidence: tuple[Evidence, ...] = ()
    layer_evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()
    machine: Machine | None = None
    detected_for: tuple[Any, ...] | None = None

    def for_site(self, site: Site) -> Host:
        """This host as *site* sees it; what was stated rather than detected stays as it is.

        Raises as `Machine.host` does.
        """
        if self.machine is None or self.detected_for == (site.ladder, site.layers):
            return self
        return self.machine._replace(warnings=()).host(site)._replace(python=self.python)

    @property
    def cpu(self) -> Cpu | None:
        """The CPU that was detected; None for a host that was simply stated."""
        return self.machine.cpu if self.machine is not None else None

    @property
    def python_evidence(self) -> tuple[Evidence, ...]:
        """What speaks for the target Python and for others, by their paths; the one that decided first."""
        return self.python.evidence

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        from wheelhouse_resolver.utils.serialise import to_plain

        def weighed(evidence: tuple[Evidence, ...], value: str | None) -> dict[str, Any]:
            return {
                "decided": evidence[0]._asdict() if evidence else None,
                "agreeing": [e._asdict() for e in evidence[1:] if e.value == value],
                "overruled": [e._asdict() for e in evidence[1:] if e.value != value],
            }

        found = self.python_evidence
        return {
            **to_plain(self, "arch", "archs", "layer", "python", "cpu"),
            "evidence": {
                "arch": weighed(self.arch_evidence, self.arch),
                "layer": weighed(self.layer_evidence, self.layer),
                "python": weighed(found, found[0].value if found else None),
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

    python:  the target Python: a path, an environment's directory, or a version such as `3.9` (a Python of
             that version that is here; a CPython of it in general where there is none). None for that of
             the virtual or conda environment that is active in *environ*, else EBROOTPYTHON's, else the
             first on PATH that is not the program's own; and the program's own where there is no other.
    cpuinfo: a copy of another node's /proc/cpuinfo; None for this machine's CPU.
    environ: replaces `os.environ`.
    arch, layer: overrides; they beat `WHEELHOUSE_ARCH`, `RSNT_ARCH` and `WHEELHOUSE_LAYER`.
    site:    whose ladder and layers count; by default `Site.load()`'s, or the built-in ones where no
             wheelhouse is. Every `Site` goes by its own when asked for a search path.

    Raises `PythonError`, `CpuinfoError`, `UnknownArchError`, `UnknownLayerError`, `SiteFileError`.
    """
    environ = dict(os.environ if environ is None else environ)
    if site is None:
        try:
            site = Site.load(environ=environ)
        except NoWheelhouseError:
            site = Site.default("/")
    return probe_machine(python, cpuinfo, environ)._replace(arch=arch, layer=layer).host(site)


def detect_for_search(
    python: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    arch: str | None = None,
    layer: str | None = None,
    site: Site,
) -> Host:
    """`detect_host`, for who needs the search path only.

    The Python is not looked for unless the layer may depend on it, and only one that is named is started: of
    a script in use (a version manager's shim) nothing but its path speaks for a layer.
    """
    environ = dict(os.environ if environ is None else environ)
    stated = layer is not None or environ.get(LAYER_VARIABLE)
    if python is None and (stated or not any(each.interpreter for each in site.layers)):
        found: tuple[TargetPython, list[str]] = running_python(), []
    else:
        found = target_python(os.fspath(python) if python is not None else None, environ, ask=False)
    return _machine(found, None, environ)._replace(arch=arch, layer=layer).host(site)


def probe_machine(
    python: str | os.PathLike[str] | None = None,
    cpuinfo: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    os_release: str | os.PathLike[str] | None = None,
) -> Machine:
    """What this machine is, or another one; the other parameters are as of `detect_host`.

    os_release: a copy of another node's /etc/os-release; None for this machine's.

    Raises `PythonError`, `CpuinfoError`, `OsReleaseError`.
    """
    environ = dict(os.environ if environ is None else environ)
    found = target_python(os.fspath(python) if python is not None else None, environ)
    machine = _machine(found, cpuinfo, environ)
    return machine if os_release is None else machine._replace(os_release=_captured(os.fspath(os_release)))


def _machine(
    python: tuple[TargetPython, list[str]], cpuinfo: str | os.PathLike[str] | None, environ: dict[str, str]
) -> Machine:
    target, warnings = python
    cpu = captured_cpu(os.fspath(cpuinfo)) if cpuinfo is not None else running_cpu()
    known = cpuinfo is not None or cpu.targets > {cpu.family} or os.access(CPUINFO, os.R_OK)
    return Machine(
        cpu=cpu,
        python=target,
        environ=environ,
        os_release=_os_release(),
        cpu_source=os.fspath(cpuinfo or CPUINFO) if known else "",
        warnings=tuple(warnings),
    )


def _os_release() -> dict[str, str]:
    for path in _OS_RELEASE:
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return parse_os_release(file.read())
        except OSError:
            continue
    return {}


def _captured(path: str) -> dict[str, str]:
    try:
        text = read_settings(path).decode("utf-8", "replace")
    except OSError as error:
        raise OsReleaseError(path, f"cannot be read: {reason_of(error)}") from error
    found = parse_os_release(text)
    if not found.keys() & {"ID", "VERSION_ID", "PRETTY_NAME", "NAME"}:
        problem = "is empty" if not text.strip() else "has no line that says what the system is (ID=...)"
        raise OsReleaseError(path, problem).with_hint("copy it on the node: cat /etc/os-release > FILE")
    return found


def _detect_arch(
    machine: Machine, site: Site, layer: Layer | None
) -> tuple[str, tuple[str, ...], tuple[Evidence, ...], list[str]]:
    able = archs_of(machine.cpu, site.ladder)
    highest = able[-1] if able else GENERIC
    by_cpu = Evidence("cpu", highest, _described(machine, site, able))
    stated = _override(machine.arch, machine.environ, ARCH_VARIABLES)
    if not stated:
        unknown = f"{_UNKNOWN}: took arch {highest}; --arch decides"
        return highest, able, (by_cpu,), [] if machine.cpu_source else [unknown]
    meant = [site.arch(each.value or GENERIC, layer) for each in stated]
    names = [arch.name if arch else GENERIC for arch in meant]
    spoken = (*(each._replace(value=name) for each, name in zip(stated, names, strict=True)), by_cpu)
    chosen = meant[0]
    if chosen is None:
        return GENERIC, (), spoken, []
    lower = site.archs_up_to(chosen)
    if chosen.name in able:
        return chosen.name, lower, spoken, []
    reason = missing_for(machine.cpu, chosen, site.ladder) if machine.cpu_source else _UNKNOWN
    warning = (
        f"{stated[0].source} says arch {chosen.name}, above what the host can run ({highest}: {reason}); "
        "its wheels may crash here"
    )
    return chosen.name, lower, spoken, [warning]


def _override(option: str | None, environ: Mapping[str, str], variables: tuple[str, ...]) -> list[Evidence]:
    found = [Evidence("option", option, f"given as {option}")] if option is not None else []
    values = {name: environ[name] for name in variables if environ.get(name)}
    return [*found, *(Evidence(name, value, f"{name}={value}") for name, value in values.items())]


def _described(machine: Machine, site: Site, able: tuple[str, ...]) -> str:
    cpu = machine.cpu
    if not machine.cpu_source:
        return f"{cpu.family}; {_UNKNOWN}"
    above = [arch for arch in site.ladder if arch.name not in able and arch.family in (None, cpu.family)]
    missing = f"; not {above[0].name}: {missing_for(cpu, above[0], site.ladder)}" if above else ""
    almost = f"; {cpu.almost}" if cpu.almost else ""
    return f"{cpu.model} ({cpu.family}), {machine.cpu_source}{almost}{missing}"
