"""Checks of the target Python: where it is from, and what it would import."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.utils.serialise import to_plain

#: Evidence that is the Python's own, and evidence of what is loaded around it.
_OWN = ("interpreter", "prefix")
_AROUND = ("environment", "WHEELHOUSE_LAYER")

_MODULE = re.compile(r"(?:^|:)python/(\d+\.\d+)[^:]*", re.IGNORECASE)


def _new_venv(facts: EnvironmentFacts, python: str, path: str) -> str:
    """Makes a virtual environment at a new *path*. What is installed elsewhere stays: no `--clear`."""
    leave = "deactivate; " if facts.environ.get("VIRTUAL_ENV") else ""
    return leave + shlex.join([python, "-m", "venv", path])


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


@check("target", "its pip and the settings of that stay unknown")
def _target(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    if facts.python is None and facts.target_problem:
        target, other = facts.host.python, facts.other_python
        what = f"the target Python's pip is unknown: {facts.target_problem}"
        fix = facts.command("doctor", "--python", other) if other else ""
        yield Diagnostic(ERROR if target.version is None else NOTE, what, fix, {"python": target.name})


@check("other-layer", "its wheels link to that layer's C library and find the other's: imports fail or crash")
def _other_layer(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    evidence, python, other = facts.host.layer_evidence, facts.python, facts.other_python
    own = next((each for each in evidence if each.source in _OWN), None)
    around = next((each for each in evidence if each.source in _AROUND), None)
    if around is None or around.value is None:
        return
    if own is not None and own.value != around.value:
        says = f"is of layer {own.value} ({own.detail})"
    else:
        layer = facts.site.site.layer(around.value)
        if own is not None or layer is None or not layer.interpreter or python is None:
            return
        says = "is of no layer"
    name = python.executable if python else facts.host.python.name
    what = f"the target Python {name} {says}, yet layer {around.value} is loaded ({around.detail})"
    fix = ""
    if other is None or facts.other_layer != around.value:
        what += f"; take a Python of layer {around.value}, or unload that"
    elif python is not None and python.in_venv:
        fix = _new_venv(facts, other, f"{python.prefix}-{around.value}")
    else:
        fix = facts.command("doctor", "--python", other)
    data = {"python": own.value if own else None, "loaded": around.value}
    yield Diagnostic(ERROR if own is not None else WARNING, what, fix, data)


@check("conda", "conda brings its own C++ and math libraries; they do not mix with those of the wheels")
def _conda(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    layer, other = facts.host.layer, facts.other_python
    active = facts.environ.get("CONDA_PREFIX")
    target = facts.python.conda if facts.python is not None else None
    fix = "conda deactivate" if active else ""
    if target is not None:
        what = f"the target Python is of the conda environment {target}"
        if layer:
            what += f", and the wheels are for layer {layer}"
        if not active and layer and other is not None and facts.other_layer == layer:
            home = facts.home.path if facts.home else "."
            fix = _new_venv(facts, other, os.path.join(home, f"env-{layer}"))
        elif not active:
            kind = f"a Python of layer {layer}" if layer else "another Python"
            what += f"; make a virtual environment of {kind}"
        yield Diagnostic(ERROR if layer else WARNING, what, fix, {"prefix": target, "layer": layer})
    elif active:
        what = f"the conda environment {active} is active, and the target Python is not of it"
        yield Diagnostic(WARNING, what, fix, {"prefix": active})


@check("broken-environment", "its module was removed or does not exist on this node: nothing in it can run")
def _broken_venv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.venvs:
        if each.problem:
            what = f"the virtual environment {each.path} cannot run: {each.problem}"
            fix = _new_venv(facts, f"python{_minor(each.version) or 3}", f"{each.path}-new")
            yield Diagnostic(ERROR, what, fix, to_plain(each, "path", "home"))


@check("other-environment", "this report is about another Python than the one that `python` starts")
def _other_venv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.venvs:
        if each.active and not each.is_target and not each.problem and facts.python is not None:
            target = facts.python.executable
            what = f"the virtual environment {each.path} is active; this report is about {target}"
            fix = facts.command("doctor", "--python", os.path.join(each.path, "bin", "python"))
            yield Diagnostic(NOTE, what, fix, {"active": each.path, "target": target})


@check("other-version", "wheels are made for one version: what one Python installs, the other does not see")
def _other_version(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    loaded = _MODULE.search(facts.environ.get("LOADEDMODULES", ""))
    version = loaded[1] if loaded else _minor(facts.environ.get("EBVERSIONPYTHON", ""))
    python = facts.python
    if not version or python is None or _minor(python.version) == version:
        return
    if python.in_venv:
        which = f"the virtual environment {python.prefix}"
        fix = _new_venv(facts, f"python{version}", f"{python.prefix}-{version}")
    else:
        which = python.executable
        fix = facts.command("doctor", "--python", facts.other_python or f"python{version}")
    own = _minor(python.version)
    what = f"{which} has Python {own}; the module that is loaded is Python {version}"
    yield Diagnostic(WARNING, what, fix, {"target": own, "module": version})


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
        what = f"{path} fails when pip asks it whether manylinux wheels may be used: {policy.problem}"
        yield Diagnostic(ERROR, what, away, to_plain(policy, "path", "problem"))
        return
    says = {True: "refuses manylinux wheels", False: "allows manylinux wheels", None: "has no opinion"}
    what = f"{path} {says[policy.refuses]}; it is {'' if policy.ours else 'not '}what `policy-module` writes"
    data = {**to_plain(policy, "path", "refuses"), "intended": policy.ours}
    yield Diagnostic(NOTE, what, "" if policy.ours else away, data)


@check("shadowed", "the target imports the hiding version, whatever pip installs")
def _shadowed(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    by: dict[str, list[str]] = {}
    for each in facts.python.shadowed if facts.python is not None else ():
        pair = f"{each.name} {each.version} (hides {each.hidden_version})"
        by.setdefault(each.by, []).append(pair)
    for directory, pairs in by.items():
        from_home = facts.python is not None and directory == facts.python.user_site
        more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
        what = f"{directory} comes before what is installed: {', '.join(pairs[:5])}{more}"
        fix = fixes.export(facts, "PYTHONNOUSERSITE", "1") if from_home else fixes.unset(facts, "PYTHONPATH")
        yield Diagnostic(NOTE, what, fix, {"directory": directory, "projects": pairs})
