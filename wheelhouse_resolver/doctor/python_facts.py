"""The facts about the target Python, virtual environments, and what is installed. Values only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

_MODULE = re.compile(r"(?:^|:)python/(\d+\.\d+)[^:]*", re.IGNORECASE)


def module_version(environ: Mapping[str, str]) -> str:
    """The version of the Python module that is loaded in *environ*, such as `3.11`; empty for none."""
    loaded = _MODULE.search(environ.get("LOADEDMODULES", ""))
    return loaded[1] if loaded else minor(environ.get("EBVERSIONPYTHON", ""))


def minor(version: str) -> str:
    """The first two numbers of a Python's *version*: `3.11` of `3.11.7`."""
    return ".".join(version.split(".")[:2])


class PolicyModuleState(NamedTuple):
    """The `_manylinux` that the target imports.

    refuses: whether it refuses manylinux wheels; None when it has no opinion.
    problem: what it raised; empty when it could be asked.
    ours:    whether it is what `policy-module` writes.
    """

    path: str
    refuses: bool | None = None
    problem: str = ""
    ours: bool = False


class Shadowed(NamedTuple):
    """An installed project that another installation of it hides. *by*, *hidden*: the directories."""

    name: str
    version: str
    by: str
    hidden_version: str
    hidden: str


class Added(NamedTuple):
    """A project that PYTHONPATH adds to what is installed, in the directory *by*."""

    name: str
    version: str
    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonFacts:
    """What the target Python says of itself.

    base_executable: that makes environments like it; empty where none is known.
    in_venv:   whether it runs in a virtual environment.
    foreign_home: where its modules should be, where PYTHONHOME names another place; else empty.
    managed:   whether its distributor bars pip from it (PEP 668).
    site_packages: where pip installs. read_only: why it cannot install there; empty when it can.
    conda:     the conda environment that it is from, or None.
    user_site: the user's site-packages if they are searched, else None.
    added:     what PYTHONPATH adds to them.
    """

    executable: str
    version: str
    prefix: str
    base_prefix: str
    base_executable: str = ""
    in_venv: bool = False
    foreign_home: str = ""
    managed: bool = False
    site_packages: tuple[str, ...] = ()
    read_only: str = ""
    conda: str | None = None
    user_site: str | None = None
    policy_module: PolicyModuleState | None = None
    shadowed: tuple[Shadowed, ...] = ()
    added: tuple[Added, ...] = ()


class VenvState(NamedTuple):
    """A virtual environment that is active or named.

    active:  whether VIRTUAL_ENV names it. is_target: whether the target Python is its own.
    home:    where its Python is from (`pyvenv.cfg`). version: of that, as it was made.
    problem: why it cannot run; empty when it can. gone: whether nothing of it is there.
    uv:      the uv that made it; empty for another tool.
    scripts: the Python that its scripts start, where that is another one. startable: whether that is there.
    """

    path: str
    active: bool = False
    is_target: bool = False
    home: str = ""
    version: str = ""
    problem: str = ""
    gone: bool = False
    uv: str = ""
    scripts: str = ""
    startable: bool = True


class AboveCpu(NamedTuple):
    """An installed wheel with the stamp of an *arch* that this CPU cannot run."""

    name: str
    version: str
    arch: str


class Leftover(NamedTuple):
    """What an interrupted uninstall left in site-packages: `~umpy` of numpy, say.

    name, version: of the project, where its metadata says so. installed: whether it is there as well.
    """

    path: str
    name: str = ""
    version: str = ""
    installed: bool = False


class Conflict(NamedTuple):
    """What `pip check` says, of a project and its version. *misfit*: its wheel is for another platform."""

    text: str
    name: str
    version: str = ""
    misfit: bool = False


class InstalledFacts(NamedTuple):
    """What is installed in the target's own environment.

    projects: how many were looked at. complete: whether those are all of them.
    invalid: metadata without a name or version, which pip passes over.
    unchecked: why `pip check` gave no answer; empty when it did, or had nothing to look at.
    """

    projects: int = 0
    complete: bool = True
    above_cpu: tuple[AboveCpu, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    invalid: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    unchecked: str = ""
