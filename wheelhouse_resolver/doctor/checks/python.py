"""Checks of the target Python: where it is from, and what it would import."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wheelhouse_resolver.doctor.findings import Check, Severity, Symptom
from wheelhouse_resolver.doctor.fixes import export, line, ours, unset

if TYPE_CHECKING:
    from wheelhouse_resolver.doctor.facts import Facts

__all__ = ["PYTHON_CHECKS"]

#: Evidence that is the Python's own, and evidence of what is loaded around it.
_OWN = ("interpreter", "prefix")
_AROUND = ("environment", "WHEELHOUSE_LAYER")

_MODULE = re.compile(r"(?:^|:)python/(\d+\.\d+)[^:]*", re.IGNORECASE)


def _new_venv(facts: Facts, python: str, path: str) -> str:
    """Makes a virtual environment at a new *path*. What is installed elsewhere stays: no `--clear`."""
    leave = "deactivate; " if facts.environ.get("VIRTUAL_ENV") else ""
    return leave + line(python, "-m", "venv", path)


def _target(facts: Facts) -> Iterator[Symptom]:
    if facts.python is None and facts.target_problem:
        alone = facts.host.python.version is not None
        other = facts.other_python
        yield Symptom(
            severity=Severity.NOTE if alone else Severity.ERROR,
            what=f"nothing is known of the target Python's pip: {facts.target_problem}",
            mend=ours(facts, "doctor", "--python", other) if other else "",
            data={"python": facts.host.python.name},
        )


def _other_layer(facts: Facts) -> Iterator[Symptom]:
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
    mend, wanted = "", f"; take a Python of layer {around.value}, or unload that"
    if facts.other_python is not None and facts.other_layer == around.value:
        wanted = ""
        if facts.python is not None and facts.python.in_venv:
            mend = _new_venv(facts, facts.other_python, f"{facts.python.prefix}-{around.value}")
        else:
            mend = ours(facts, "doctor", "--python", facts.other_python)
    yield Symptom(
        severity=Severity.ERROR if own is not None else Severity.WARNING,
        what=f"the target Python {name} {says}, yet layer {around.value} is loaded ({around.detail}){wanted}",
        mend=mend,
        data={"python": own.value if own else None, "loaded": around.value},
    )


def _conda(facts: Facts) -> Iterator[Symptom]:
    layer = facts.host.layer
    active = facts.environ.get("CONDA_PREFIX")
    target = facts.python.conda if facts.python is not None else None
    if target is not None:
        mend, wanted = "conda deactivate" if active else "", ""
        if not active and layer and facts.other_python is not None and facts.other_layer == layer:
            home = facts.home.path if facts.home else "."
            mend = _new_venv(facts, facts.other_python, os.path.join(home, f"env-{layer}"))
        elif not active:
            kind = f"a Python of layer {layer}" if layer else "another Python"
            wanted = f"; make a virtual environment of {kind}"
        yield Symptom(
            severity=Severity.ERROR if layer else Severity.WARNING,
            what=f"the target Python is of the conda environment {target}"
            + (f", and the wheels are for layer {layer}" if layer else "")
            + wanted,
            mend=mend,
            data={"prefix": target, "layer": layer},
        )
    elif active:
        yield Symptom(
            severity=Severity.WARNING,
            what=f"the conda environment {active} is active, and the target Python is not of it",
            mend="conda deactivate",
            data={"prefix": active},
        )


def _broken_venv(facts: Facts) -> Iterator[Symptom]:
    for each in facts.venvs:
        if each.problem:
            yield Symptom(
                severity=Severity.ERROR,
                what=f"the virtual environment {each.path} cannot run: {each.problem}",
                mend=_new_venv(facts, f"python{_minor(each.version) or 3}", f"{each.path}-new"),
                data={"path": each.path, "home": each.home},
            )


def _other_venv(facts: Facts) -> Iterator[Symptom]:
    for each in facts.venvs:
        if each.active and not each.is_target and not each.problem and facts.python is not None:
            python, target = os.path.join(each.path, "bin", "python"), facts.python.executable
            yield Symptom(
                severity=Severity.NOTE,
                what=f"the virtual environment {each.path} is active; looked at was {target}",
                mend=ours(facts, "doctor", "--python", python),
                data={"active": each.path, "target": target},
            )


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _other_version(facts: Facts) -> Iterator[Symptom]:
    loaded = _MODULE.search(facts.environ.get("LOADEDMODULES", ""))
    version = loaded[1] if loaded else _minor(facts.environ.get("EBVERSIONPYTHON", ""))
    if not version or facts.python is None:
        return
    own = _minor(facts.python.version)
    if own != version:
        if facts.python.in_venv:
            kind = f"the virtual environment {facts.python.prefix}"
            mend = _new_venv(facts, f"python{version}", f"{facts.python.prefix}-{version}")
        else:
            kind = facts.python.executable
            mend = ours(facts, "doctor", "--python", facts.other_python or f"python{version}")
        yield Symptom(
            severity=Severity.WARNING,
            what=f"{kind} has Python {own}; the module that is loaded is Python {version}",
            mend=mend,
            data={"target": own, "module": version},
        )


def _policy_module(facts: Facts) -> Iterator[Symptom]:
    policy = facts.python.policy_module if facts.python is not None else None
    if policy is None:
        return
    path = policy.path or "_manylinux"
    away = line("mv", path, f"{path}.off")
    if policy.problem:
        yield Symptom(
            severity=Severity.ERROR,
            what=f"{path} fails when it is asked whether manylinux wheels may be used: {policy.problem}",
            mend=away,
            data={"path": policy.path, "problem": policy.problem},
        )
        return
    says = {True: "refuses manylinux wheels", False: "allows manylinux wheels", None: "says nothing"}
    whose = "what `policy-module` writes" if policy.ours else "not what `policy-module` writes"
    yield Symptom(
        severity=Severity.NOTE,
        what=f"{path} {says[policy.refuses]}; it is {whose}",
        mend="" if policy.ours else away,
        data={"path": policy.path, "refuses": policy.refuses, "intended": policy.ours},
    )


def _shadowed(facts: Facts) -> Iterator[Symptom]:
    if facts.python is None or not facts.python.shadowed:
        return
    by: dict[str, list[str]] = {}
    for each in facts.python.shadowed:
        pair = f"{each.name} {each.version} (hides {each.hidden_version})"
        by.setdefault(each.by, []).append(pair)
    for directory, pairs in by.items():
        from_home = directory == facts.python.user_site
        more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
        yield Symptom(
            severity=Severity.NOTE,
            what=f"{directory} comes before what is installed: {', '.join(pairs[:5])}{more}",
            mend=export(facts, "PYTHONNOUSERSITE", "1") if from_home else unset(facts, "PYTHONPATH"),
            data={"directory": directory, "projects": pairs},
        )


PYTHON_CHECKS = (
    Check(
        "target",
        "the target Python cannot be asked",
        "what its pip does and is told stays unknown",
        "name one that runs here: `--python PATH`",
        _target,
    ),
    Check(
        "other-layer",
        "the target Python belongs to another layer than the modules that are loaded, or to none",
        "its wheels link to that layer's C library and find the other's: imports fail or crash",
        "use the Python of the layer, make a new virtual environment with it, or `module purge`",
        _other_layer,
    ),
    Check(
        "conda",
        "the target Python is conda's, or a conda environment is active",
        "conda brings its own C++ and math libraries; they do not mix with those of the wheels",
        "`conda deactivate`, or a virtual environment of the layer's Python",
        _conda,
    ),
    Check(
        "broken-environment",
        "a virtual environment whose Python is gone",
        "its module was removed or is not there on this node: nothing in it can run",
        "a new virtual environment at another path, with a Python of that version, and install anew",
        _broken_venv,
    ),
    Check(
        "other-environment",
        "a virtual environment is active that is not the target",
        "what is told here is of another Python than the one that `python` starts",
        "`doctor --python` with its Python",
        _other_venv,
    ),
    Check(
        "other-version",
        "the Python module that is loaded is of another version than the target",
        "wheels are made for one version: what one Python installs, the other does not see",
        "make a new virtual environment at another path, or load the other module",
        _other_version,
    ),
    Check(
        "manylinux-policy",
        "a `_manylinux.py` that the target would import",
        "pip asks it whether manylinux wheels may be used: a forgotten one hides most of an index",
        "nothing where it is meant, else take it off the path",
        _policy_module,
    ),
    Check(
        "shadowed",
        "PYTHONPATH or the user's site-packages hide what is installed",
        "the target imports the hiding version, whatever pip installs",
        "PYTHONNOUSERSITE=1, or unset PYTHONPATH",
        _shadowed,
    ),
)
