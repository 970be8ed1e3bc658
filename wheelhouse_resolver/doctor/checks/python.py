"""Checks of the target Python: where it is from, and what it would import."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import EnvironmentFacts

#: Evidence that is the Python's own, and evidence of what is loaded around it.
_OWN = ("interpreter", "prefix")
_AROUND = ("environment", "WHEELHOUSE_LAYER")

_MODULE = re.compile(r"(?:^|:)python/(\d+\.\d+)[^:]*", re.IGNORECASE)


def _new_venv(facts: EnvironmentFacts, python: str, path: str) -> str:
    """Makes a virtual environment at a new *path*. What is installed elsewhere stays: no `--clear`."""
    leave = "deactivate; " if facts.environ.get("VIRTUAL_ENV") else ""
    return leave + shlex.join([python, "-m", "venv", path])


@check("target", "its pip and the settings of that stay unknown")
def _target(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.python is None and facts.target_problem:
        alone = facts.host.python.version is not None
        other = facts.other_python
        yield Diagnostic(
            NOTE if alone else ERROR,
            f"the target Python's pip is unknown: {facts.target_problem}",
            facts.command("doctor", "--python", other) if other else "",
            {"python": facts.host.python.name},
        )


@check("other-layer", "its wheels link to that layer's C library and find the other's: imports fail or crash")
def _other_layer(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    evidence = facts.host.layer_evidence
    own = next((each for each in evidence if each.source in _OWN), None)
    around = next((each for each in evidence if each.source in _AROUND), None)
    if around is None or around.value is None:
        return
    if own is not None and own.value != around.value:
        says = f"is of layer {own.value} ({own.detail})"
    else:
        layer = facts.site.site.layer(around.value)
        if own is not None or layer is None or not layer.interpreter or facts.python is None:
            return
        says = "is of no layer"
    name = facts.python.executable if facts.python else facts.host.python.name
    fix, wanted = "", f"; take a Python of layer {around.value}, or unload that"
    if facts.other_python is not None and facts.other_layer == around.value:
        wanted = ""
        if facts.python is not None and facts.python.in_venv:
            fix = _new_venv(facts, facts.other_python, f"{facts.python.prefix}-{around.value}")
        else:
            fix = facts.command("doctor", "--python", facts.other_python)
    yield Diagnostic(
        ERROR if own is not None else WARNING,
        f"the target Python {name} {says}, yet layer {around.value} is loaded ({around.detail}){wanted}",
        fix,
        {"python": own.value if own else None, "loaded": around.value},
    )


@check("conda", "conda brings its own C++ and math libraries; they do not mix with those of the wheels")
def _conda(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    layer = facts.host.layer
    active = facts.environ.get("CONDA_PREFIX")
    target = facts.python.conda if facts.python is not None else None
    if target is not None:
        fix, wanted = "conda deactivate" if active else "", ""
        if not active and layer and facts.other_python is not None and facts.other_layer == layer:
            home = facts.home.path if facts.home else "."
            fix = _new_venv(facts, facts.other_python, os.path.join(home, f"env-{layer}"))
        elif not active:
            kind = f"a Python of layer {layer}" if layer else "another Python"
            wanted = f"; make a virtual environment of {kind}"
        yield Diagnostic(
            ERROR if layer else WARNING,
            f"the target Python is of the conda environment {target}"
            + (f", and the wheels are for layer {layer}" if layer else "")
            + wanted,
            fix,
            {"prefix": target, "layer": layer},
        )
    elif active:
        yield Diagnostic(
            WARNING,
            f"the conda environment {active} is active, and the target Python is not of it",
            "conda deactivate",
            {"prefix": active},
        )


@check("broken-environment", "its module was removed or does not exist on this node: nothing in it can run")
def _broken_venv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.venvs:
        if each.problem:
            yield Diagnostic(
                ERROR,
                f"the virtual environment {each.path} cannot run: {each.problem}",
                _new_venv(facts, f"python{_minor(each.version) or 3}", f"{each.path}-new"),
                {"path": each.path, "home": each.home},
            )


@check("other-environment", "this report is about another Python than the one that `python` starts")
def _other_venv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.venvs:
        if each.active and not each.is_target and not each.problem and facts.python is not None:
            python, target = os.path.join(each.path, "bin", "python"), facts.python.executable
            yield Diagnostic(
                NOTE,
                f"the virtual environment {each.path} is active; this report is about {target}",
                facts.command("doctor", "--python", python),
                {"active": each.path, "target": target},
            )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


@check("other-version", "wheels are made for one version: what one Python installs, the other does not see")
def _other_version(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    loaded = _MODULE.search(facts.environ.get("LOADEDMODULES", ""))
    version = loaded[1] if loaded else _minor(facts.environ.get("EBVERSIONPYTHON", ""))
    if not version or facts.python is None:
        return
    own = _minor(facts.python.version)
    if own != version:
        if facts.python.in_venv:
            kind = f"the virtual environment {facts.python.prefix}"
            fix = _new_venv(facts, f"python{version}", f"{facts.python.prefix}-{version}")
        else:
            kind = facts.python.executable
            fix = facts.command("doctor", "--python", facts.other_python or f"python{version}")
        yield Diagnostic(
            WARNING,
            f"{kind} has Python {own}; the module that is loaded is Python {version}",
            fix,
            {"target": own, "module": version},
        )


@check(
    "manylinux-policy",
    "pip asks it whether manylinux wheels may be used: a forgotten one hides most of an index",
)
def _policy_module(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    policy = facts.python.policy_module if facts.python is not None else None
    if policy is None:
        return
    path = policy.path or "_manylinux"
    away = shlex.join(["mv", path, f"{path}.off"])
    if policy.problem:
        yield Diagnostic(
            ERROR,
            f"{path} fails when pip asks it whether manylinux wheels may be used: {policy.problem}",
            away,
            {"path": policy.path, "problem": policy.problem},
        )
        return
    says = {True: "refuses manylinux wheels", False: "allows manylinux wheels", None: "has no opinion"}
    whose = "what `policy-module` writes" if policy.ours else "not what `policy-module` writes"
    yield Diagnostic(
        NOTE,
        f"{path} {says[policy.refuses]}; it is {whose}",
        "" if policy.ours else away,
        {"path": policy.path, "refuses": policy.refuses, "intended": policy.ours},
    )


@check("shadowed", "the target imports the hiding version, whatever pip installs")
def _shadowed(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.python is None or not facts.python.shadowed:
        return
    by: dict[str, list[str]] = {}
    for each in facts.python.shadowed:
        pair = f"{each.name} {each.version} (hides {each.hidden_version})"
        by.setdefault(each.by, []).append(pair)
    for directory, pairs in by.items():
        from_home = directory == facts.python.user_site
        more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
        yield Diagnostic(
            NOTE,
            f"{directory} comes before what is installed: {', '.join(pairs[:5])}{more}",
            fixes.export(facts, "PYTHONNOUSERSITE", "1") if from_home else fixes.unset(facts, "PYTHONPATH"),
            {"directory": directory, "projects": pairs},
        )
