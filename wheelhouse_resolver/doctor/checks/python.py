"""Checks of the target Python: where it is from, and what it would import."""

from __future__ import annotations

import os
from collections.abc import Iterator

from wheelhouse_resolver.doctor import fixes
from wheelhouse_resolver.doctor.diagnostics import ERROR, NOTE, WARNING, Diagnostic, check
from wheelhouse_resolver.doctor.facts import EnvironmentFacts
from wheelhouse_resolver.doctor.python_facts import minor
from wheelhouse_resolver.utils.serialise import to_plain

#: Evidence that is the Python's own, and evidence of what is loaded around it.
_OWN = ("interpreter", "prefix")
_AROUND = ("environment", "WHEELHOUSE_LAYER")


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
        fix = fixes.new_venv(facts, other)
    else:
        fix = facts.command("doctor", "--python", other)
    data = {"python": own.value if own else None, "loaded": around.value}
    yield Diagnostic(ERROR if own is not None else WARNING, what, fix, data)


@check("conda", "conda brings its own C++ and math libraries; they do not mix with those of the wheels")
def _conda(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    layer, other = facts.host.layer, facts.other_python
    active = facts.environ.get("CONDA_PREFIX")
    target = facts.python.conda if facts.python is not None else None
    # Each takes away the environment that was activated last.
    levels = facts.environ.get("CONDA_SHLVL", "")
    fix = (
        " && ".join(["conda deactivate"] * (int(levels) if levels in ("2", "3", "4") else 1))
        if active
        else ""
    )
    if target is not None:
        what = f"the target Python is of the conda environment {target}"
        if layer:
            what += f", and the wheels are for layer {layer}"
        if not active and layer and other is not None and facts.other_layer == layer:
            fix = fixes.new_venv(facts, other)
        elif not active:
            kind = f"a Python of layer {layer}" if layer else "another Python"
            what += f"; make a virtual environment of {kind}"
        yield Diagnostic(ERROR if layer else WARNING, what, fix, {"prefix": target, "layer": layer})
    elif active:
        what = f"the conda environment {active} is active, and the target Python is not of it"
        yield Diagnostic(WARNING, what, fix, {"prefix": active})


@check("python-home", "a Python looks for its own modules there, and finds those of another")
def _python_home(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    value, python = facts.environ.get("PYTHONHOME"), facts.python
    if not value or python is None:
        return
    if facts.python_home:
        what = f"PYTHONHOME={value} stops {python.executable}: {facts.python_home}; this report is without it"
        yield Diagnostic(ERROR, what, fixes.unset(facts, "PYTHONHOME"), {"value": value})
    elif python.foreign_home:
        what = f"{python.executable} has its modules from PYTHONHOME={value}, not from {python.foreign_home}"
        yield Diagnostic(WARNING, what, fixes.unset(facts, "PYTHONHOME"), {"value": value})


@check("broken-environment", "its Python was removed or does not exist on this node: nothing in it can run")
def _broken_venv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.venvs:
        if each.problem:
            what = f"the virtual environment {each.path} cannot run: {each.problem}"
            python = facts.pythons.get(minor(each.version)) or facts.pythons.get("3", "")
            fix = fixes.new_venv(facts, python)
            yield Diagnostic(ERROR, what, fix, to_plain(each, "path", "home"))


@check("moved-environment", "virtual environments cannot be moved or copied: their scripts keep the old path")
def _moved_venv(facts: EnvironmentFacts) -> Iterator[Diagnostic]:
    for each in facts.venvs:
        if each.scripts and each.is_target:
            so = "act on" if each.startable else "start what does not exist:"
            what = (
                f"the virtual environment {each.path} was moved or copied: the programs in it {so} "
                f"{each.scripts}; `python -m pip freeze` lists what to install in a new one"
            )
            fix = fixes.venv_like_target(facts)
            yield Diagnostic(ERROR, what, fix, to_plain(each, "path", "scripts", "startable"))


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
    version, python = facts.module_version, facts.python
    if not version or python is None or minor(python.version) == version:
        return
    other = facts.pythons.get(version, "")
    if python.in_venv:
        which = f"the virtual environment {python.prefix}"
        fix = fixes.new_venv(facts, other)
    else:
        which = python.executable
        fix = facts.command("doctor", "--python", other) if other else ""
    own = minor(python.version)
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
    away = fixes.owners(facts, path, "mv", path, f"{path}.off") if policy.path else ""
    if not away and os.path.dirname(path) in facts.environ.get("PYTHONPATH", "").split(os.pathsep):
        away = fixes.unset(facts, "PYTHONPATH")
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
